// Makes the files that pages and Node.js run: `node build.cjs NODE_MODULES DIRECTORY`.

const { readFileSync } = require("node:fs");
const [modules, directory] = process.argv.slice(2);
const { build } = require(`${modules}/esbuild`);
const { parse, compileScript } = require(`${modules}/vue/compiler-sfc`);

/** Components of one file, as Vue's own plugins for bundlers read them. */
const components = {
  name: "vue",
  setup: (made) =>
    made.onLoad({ filter: /\.vue$/ }, ({ path }) => {
      const { descriptor } = parse(readFileSync(path, "utf8"), { filename: path });
      return { contents: compileScript(descriptor, { id: path, inlineTemplate: true }).content, loader: "js" };
    }),
};
const common = {
  absWorkingDir: directory, bundle: true, format: "esm", jsx: "automatic", plugins: [components], nodePaths: [modules],
  define: { "process.env.NODE_ENV": '"development"', __VUE_OPTIONS_API__: "true", __VUE_PROD_DEVTOOLS__: "false", __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false" },
};
Promise.all([
  build({ ...common, entryPoints: ["react.jsx", "vue.js"], outdir: "static" }),
  build({ ...common, entryPoints: ["server.js"], outfile: "server.mjs", platform: "node", banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' } }),
]).catch(() => process.exit(1));
