// The page that tests look at, with Vue: see react.jsx for the same one.

import { createApp, h, ref } from "vue";
import Example from "./vue/Counter.vue";
import { useManyhands } from "./vue/manyhands.js";

const Counter = {
  props: ["id"],
  setup({ id }) {
    const { value, status, fire } = useManyhands("counter");
    return () => h("button", { id, "data-status": status.value, onClick: () => fire("increment") }, String(value.value));
  },
};

/** Shows a path, and how often it was drawn. */
const Shown = {
  props: ["id", "path"],
  setup(props) {
    let drawn = 0;
    const { value } = useManyhands(() => props.path);
    return () => h("pre", { id: props.id, "data-drawn": ++drawn }, JSON.stringify(value.value));
  },
};

const Name = {
  setup() {
    const text = ref("");
    const { fire } = useManyhands();
    const type = (event) => {
      text.value = event.target.value;
      fire("rename", event.target.value);
    };
    return () => h("input", { id: "name", value: text.value, onInput: type });
  },
};

export const App = {
  setup() {
    const there = ref(true);
    const path = ref("user");
    return () => [
      h(Counter, { id: "one" }),
      there.value && h(Counter, { id: "two" }),
      h("p", { id: "example" }, h(Example)),
      h(Name),
      h(Shown, { id: "user", path: path.value }),
      h(Shown, { id: "other", path: "other" }),
      h("button", { id: "leave", onClick: () => (there.value = !there.value) }),
      h("button", { id: "turn", onClick: () => (path.value = "user.tags") }),
    ];
  },
};

if (typeof document !== "undefined") {
  const app = createApp(App);
  app.mount("#app");
  window.leave = () => app.unmount();
}
