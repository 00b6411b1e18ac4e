// Gives each question a key of its own when it is sent, and empties the field, so that a double click asks once.

const form = document.getElementById("ask");
const { key, question } = form.elements;

/** Eight letters and digits. @param {number} number */
const spell = (number) => Math.floor(number).toString(36).padStart(8, "0");

// The client listens to the document: this comes before it has read the fields …
form.addEventListener("submit", () => (key.value = `${spell(Date.now())}-${spell(36 ** 8 * Math.random())}`));
// … and this when it has.
window.addEventListener("submit", () => (question.value = ""));
