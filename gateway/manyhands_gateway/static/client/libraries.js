// Has figures drawn by plotly.js and by Vega, in the page's own colours where they have none.

/** @typedef {import("./figure.js").Draw} Draw */

/** The page's colours around an element: of text, of lines beside it; null where they are none that libraries read. @param {Element} host */
function coloursOf(host) {
  const { color } = getComputedStyle(host);
  const [red, green, blue] = /^rgba?\(([\d.]+), ([\d.]+), ([\d.]+)/.exec(color)?.slice(1) ?? [];
  return red === undefined ? null : { ink: color, line: `rgba(${red}, ${green}, ${blue}, 0.2)`, none: "rgba(0,0,0,0)" };
}

/** @type {Draw} */
export async function drawPlotly(host, value) {
  const { Plotly } = /** @type {any} */ (window);
  // It writes into what it is given.
  const { data, layout = {}, frames } = structuredClone(value);
  const { template = {} } = layout;
  const colours = coloursOf(host);
  if (colours && !template.layout?.paper_bgcolor && !layout.paper_bgcolor) {
    const { ink, line, none } = colours;
    const axis = { color: ink, gridcolor: line, linecolor: line, zerolinecolor: line };
    const plain = { paper_bgcolor: none, plot_bgcolor: none, font: { color: ink }, xaxis: axis, yaxis: axis, modebar: { bgcolor: none, color: line, activecolor: ink } };
    layout.template = { ...template, layout: { ...plain, ...template.layout } };
  }
  // As long as it stays the same, so does what the user has zoomed and hidden.
  layout.uirevision ??= "kept";
  await Plotly.react(host, { data, layout, frames, config: { displaylogo: false } });
  return { resize: () => Plotly.Plots.resize(host), remove: () => Plotly.purge(host), renewed() {} };
}

/** @type {Draw} */
export async function drawVega(host, spec) {
  const { vegaEmbed, vega } = /** @type {any} */ (window);
  const colours = coloursOf(host);
  const own = spec.background || spec.config?.background;
  // Without eval, which policies forbid; older ones need a script of its own for that.
  const ast = parseInt(vegaEmbed.version) >= 7 || Boolean(vega?.expressionInterpreter);
  const options = { actions: false, defaultStyle: false, ast, config: colours && !own ? colourConfig(colours) : {} };
  const embedded = await vegaEmbed(host, structuredClone(spec), options);
  const remove = () => embedded.finalize();
  return {
    resize: () => spec.width === "container" && embedded.view.width(host.clientWidth).runAsync(),
    remove,
    // It has emptied the element, but what it has drawn before still listens.
    renewed: remove,
  };
}

/** @param {{ink: string, line: string, none: string}} colours */
function colourConfig({ ink, line, none }) {
  const text = Object.fromEntries(["guide-label", "guide-title", "group-title", "group-subtitle"].map((name) => [name, { fill: ink }]));
  return {
    background: none, style: text, view: { stroke: line }, title: { color: ink, subtitleColor: ink },
    axis: { domainColor: line, gridColor: line, tickColor: line },
  };
}
