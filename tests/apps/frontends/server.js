// Renders both pages ahead, as servers do: nothing of a browser is there.

import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { createSSRApp } from "vue";
import { renderToString as renderVue } from "vue/server-renderer";
import { App as ReactApp } from "./react.jsx";
import { App as VueApp } from "./vue.js";

console.log(renderToString(createElement(ReactApp)));
console.log(await renderVue(createSSRApp(VueApp)));
