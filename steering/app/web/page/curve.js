// The curve over the sites: blindness in this very maze beside those of the run, drawn by plotly where there is one.

function buildCurve(bench) {
  const plot = make("div", { class: "mz-plot" }), told = make("p", { class: "mz-small" });
  const chosen = make("p", { class: "mz-small", text: "Blindness of subtracting the cheese vector, site by site: 1, as if the cheese were gone; 0, as if nothing had been done. Click a point to choose its site." });
  let loading = null;
  const library = () => (loading ||= new Promise((loaded, failed) => {
    if (window.Plotly) return loaded(window.Plotly);
    const script = make("script", { src: "/plotly.js" });
    script.onload = () => loaded(window.Plotly);
    script.onerror = () => failed(new Error("no plotly"));
    document.head.append(script);
  }));
  const redraw = oncePerFrame(async () => {
    if (bench.view.tab !== "curve" || !bench.scene.hello || !plot.clientWidth) return;
    const share = bench.scene.curve?.share ?? 0;
    put(told, !bench.scene.curve || !bench.current(bench.scene.curve) ? "Measuring …" : share < 1 ? `${Math.round(100 * share)}% of the states of this maze` : "All states of this maze.");
    if (bench.transport.notebook) return put(told, "In a notebook the curve is shown as the colour of the sites above.");
    try {
      const plotly = await library(), { traces, layout } = curveFigure(bench);
      await plotly.react(plot, traces, layout, { displaylogo: false, responsive: true, displayModeBar: false });
      if (plot._fullLayout.width !== plot.clientWidth) plotly.Plots.resize(plot);  // the page had another width while it was hidden
      if (!plot.dataset.heard) {
        plot.dataset.heard = "1";
        plot.on("plotly_click", ({ points }) => bench.chooseSite(bench.scene.hello.sites[points[0].pointIndex]));
      }
    } catch {
      loading = null;
      put(told, "The curve cannot be drawn: plotly did not load. The diagram above shows it as colour.");
    }
  });
  bench.on("curve view state theme", redraw);
  return make("div", { class: "mz-part" }, make("div", { class: "mz-bar" }, make("h3", { text: "Blindness along the depth" }), told), plot, chosen);
}

function curveFigure(bench) {
  const { hello, curve } = bench.scene, names = hello.sites.map((site) => site.short.replaceAll("<", "‹")), dark = bench.dark();
  const ink = dark ? "#e8e8e8" : "#1a1a1a", line = dark ? "#3a3a3a" : "#dddddd";
  const others = ["#666666", "#0072B2", "#882255", "#009E73"];
  const gaps = (values) => values.map((value) => (value !== undefined && Number.isFinite(value) ? value : null));
  const traces = Object.entries(hello.curves || {}).map(([name, values], k) => ({
    x: names, y: gaps(names.map((_, i) => values[hello.sites[i].name])), name: `${name}, of the run`, mode: "lines+markers",
    line: { color: others[k % others.length], dash: ["dash", "dot", "dashdot"][k % 3], width: 2 }, marker: { size: 4 }, connectgaps: true,
  }));
  const colour = dark ? "#ff9a4d" : TRICK, blind = curve ? gaps(Array.from(curve.held.blindness)) : names.map(() => null);
  const of = (trunk) => blind.map((value, i) => ((hello.sites[i].trunk !== false) === trunk ? value : null));
  traces.push(
    { x: names, y: of(true), name: "this maze, trunk", mode: "lines+markers", line: { color: colour, width: 2.5 }, marker: { size: 7 }, connectgaps: true },
    { x: names, y: of(false), name: "this maze, branches", mode: "markers", marker: { size: 7, symbol: "circle-open", color: colour } },
  );
  const k = hello.sites.indexOf(bench.chosenSite());
  const layout = {
    font: { family: "system-ui, sans-serif", size: 11, color: ink }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 42, r: 10, t: 10, b: 120 }, height: 400, legend: { x: 0, y: 0.02, bgcolor: "rgba(0,0,0,0)" }, uirevision: "same",
    xaxis: { tickangle: -60, gridcolor: line, tickfont: { size: 9 } }, yaxis: { title: { text: "blindness" }, gridcolor: line, zerolinecolor: ink, range: [-0.25, 1.1] },
    shapes: k < 0 ? [] : [{ type: "line", x0: names[k], x1: names[k], yref: "paper", y0: 0, y1: 1, line: { color: ink, width: 1, dash: "dot" } }],
  };
  return { traces, layout };
}
