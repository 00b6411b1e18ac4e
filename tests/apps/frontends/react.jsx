// The page that tests look at, with React: see vue.js for the same one.

import { StrictMode, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import { Counter as Example } from "./react/Counter.jsx";
import { useManyhands } from "./react/manyhands.js";

function Counter({ id }) {
  const { value, status, fire } = useManyhands("counter");
  return <button id={id} data-status={status} onClick={() => fire("increment")}>{String(value)}</button>;
}

/** Shows a path, and how often it was drawn. */
function Shown({ id, path }) {
  const drawn = useRef(0);
  const { value } = useManyhands(path);
  return <pre id={id} data-drawn={++drawn.current}>{JSON.stringify(value)}</pre>;
}

function Name() {
  const [text, setText] = useState("");
  const { fire } = useManyhands();
  const type = (event) => {
    setText(event.target.value);
    fire("rename", event.target.value);
  };
  return <input id="name" value={text} onChange={type} />;
}

export function App() {
  const [there, setThere] = useState(true);
  const [path, setPath] = useState("user");
  return (
    <>
      <Counter id="one" />
      {there && <Counter id="two" />}
      <p id="example"><Example /></p>
      <Name />
      <Shown id="user" path={path} />
      <Shown id="other" path="other" />
      <button id="leave" onClick={() => setThere(!there)} />
      <button id="turn" onClick={() => setPath("user.tags")} />
    </>
  );
}

if (typeof document !== "undefined") {
  const root = createRoot(document.getElementById("app"));
  root.render(<StrictMode><App /></StrictMode>);
  window.leave = () => root.unmount();
}
