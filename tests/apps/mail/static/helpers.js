export function greet(name, about) {
  document.body.dataset.greeted = `${name} ${about.shown}`;
}

export const length = 7;
