(() => {
  "use strict";
  const CONFIG = { displaylogo: false, responsive: true, modeBarButtonsToRemove: ["lasso2d", "select2d"] };
  const NARROW = 560, COLUMN = 342;  // pixels: below the first the layout of a phone; width of a column of print
  const all = (what, root = document) => [...root.querySelectorAll(what)];
  const BELOW = 96;  // pixels, for names of sites that stand upright
  const PRINTED = 0.7, MAPS = 0.6, SCALE = 0.68;  // of their height, figures on paper; the zoom of page.css there
  let paper = false;

  // What a figure for a wide page has to give up on a narrow one.
  function narrowed(layout) {
    for (const [name, axis] of Object.entries(layout)) {
      if (!/^[xy]axis\d*$/.test(name)) continue;
      axis.tickfont = { ...axis.tickfont, size: 9 };
      if (axis.tickangle === -50) axis.tickangle = -90;
      if (axis.title) axis.title = { ...axis.title, font: { size: 10 }, standoff: 4 };
    }
    const margin = layout.margin || {};
    layout.margin = { ...margin, l: Math.min(margin.l ?? 60, 110), r: Math.min(margin.r ?? 20, 20), t: Math.min(margin.t ?? 40, 40) };
    if (margin.l < 80) layout.margin.l = 40;
    const saved = Math.max((margin.b ?? 80) - BELOW, 0);
    layout.margin.b = (margin.b ?? 80) - saved;
    if (layout.height) layout.height -= saved;
    const above = layout.legend?.y < 0 ? { y: 1.05, yanchor: "bottom" } : {};
    layout.legend = { ...layout.legend, ...above, font: { size: 10 } };
    for (const note of layout.annotations || []) {
      note.font = { ...note.font, size: Math.min(note.font?.size ?? 12, 9) };
      if (note.x === 1 && note.xanchor === "left") Object.assign(note, { xanchor: "right", yanchor: "bottom" });
    }
    return layout;
  }

  // Intervals of lines as pale bands, so that lines that cross stay apart; thinner where more stand side by side.
  function shaded(data, small) {
    const barred = data.filter((trace) => trace.type !== "bar" && trace.error_y && trace.error_y.visible !== false);
    const rows = {};
    for (const trace of barred) rows[trace.yaxis ?? "y"] = (rows[trace.yaxis ?? "y"] ?? 0) + 1;
    for (const trace of barred) {
      const colour = trace.line?.color ?? trace.marker?.color, many = rows[trace.yaxis ?? "y"];
      if (!/^#[0-9a-f]{6}$/i.test(colour)) continue;
      const thickness = Math.max(2, Math.min(small ? 4 : 8, Math.round((small ? 8 : 24) / many)));
      Object.assign(trace.error_y, { color: `${colour}55`, thickness, width: 0 });
    }
  }

  function draw(plot) {
    const held = JSON.parse(plot.nextElementSibling.textContent);
    const small = paper || plot.clientWidth < NARROW;
    const maps = paper && plot.matches("[id^=figure-maps]");  // their rows are full on paper
    const { data, layout } = small && held.narrow && !maps ? held.narrow : held.wide;
    layout.font = { ...layout.font, family: "system-ui, sans-serif" };
    const zoomed = paper && plot.matches(".figures .plot:not(.picture)");
    const room = paper ? (plot.closest(".figures") ? COLUMN : 2 * COLUMN) / (zoomed ? SCALE : 1) : plot.clientWidth;
    if (layout.width > room) {  // a picture keeps its proportions
      layout.height *= room / layout.width;
      for (const note of layout.annotations || []) {
        note.font = { ...note.font, size: small ? 6 : 8 };
        if (small) note.text = note.text.replace(/ \(.*\)$/, "");
      }
      layout.width = room;
    } else if (small && !held.narrow) narrowed(layout);
    if (maps) for (const note of layout.annotations || []) note.font = { ...note.font, size: 7 };
    if (paper) Object.assign(layout, { width: room, height: layout.height * (maps ? MAPS : zoomed ? PRINTED : 1) });
    Object.assign(plot.style, { minHeight: "0", height: `${layout.height}px` });  // which a later change of size keeps
    shaded(data, small);
    if (small) for (const { colorbar } of data) if (colorbar) Object.assign(colorbar, { thickness: 8, tickfont: { size: 8 } });
    plot.dataset.drawn = small ? "narrow" : "wide";
    return Plotly.react(plot, data, layout, { ...CONFIG, displayModeBar: small ? false : "hover" });
  }

  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting && !target.dataset.drawn) draw(target);
  }, { rootMargin: "300px" });

  function reveal(id) {
    const part = document.getElementById(id);
    for (let node = part; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
    const own = part?.querySelector(":scope > details");
    if (own) own.open = true;
    part?.scrollIntoView();
  }

  function sorted(table, column) {
    const head = table.rows[0].cells, rows = [...table.rows].slice(1), other = head[column].ariaSort === "descending";
    const value = (row) => {
      if (column === 0) return Number(row.dataset.place);
      const text = row.cells[column].innerText, number = parseFloat(text.replace("\u2013", ""));
      return Number.isNaN(number) ? text : number;
    };
    for (const cell of head) cell.removeAttribute("aria-sort");
    const up = column === 0 || other;
    head[column].ariaSort = up ? "ascending" : "descending";
    const of = (a) => (typeof a === "string" ? 1 : 0);
    rows.sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      if (of(x) !== of(y)) return of(x) - of(y);
      return (x < y ? -1 : x > y ? 1 : 0) * (up ? 1 : -1);
    });
    rows[0]?.parentElement.append(...rows);
  }

  function prepare(table) {
    [...table.rows].slice(1).forEach((row, place) => { row.dataset.place = place; });
    [...table.rows[0].cells].forEach((cell, column) => {
      const button = document.createElement("button");
      button.append(...cell.childNodes);
      button.onclick = () => sorted(table, column);
      cell.append(button);
    });
    if (!table.querySelector(".more, .late")) return;
    const button = document.createElement("button"), name = () => (table.classList.contains("all") ? "fewer columns" : "more columns");
    button.className = table.querySelector(".more") ? "columns" : "columns phone";
    button.textContent = name();
    button.onclick = () => { table.classList.toggle("all"); button.textContent = name(); };
    table.parentElement.before(button);
  }

  addEventListener("DOMContentLoaded", () => {
    all(".plot").forEach((plot) => seen.observe(plot));
    all("table.sortable").forEach(prepare);
    const list = document.querySelector(".contents");
    for (const part of all("section.part")) {
      const link = document.createElement("a");
      link.href = `#${part.id}`;
      link.textContent = part.querySelector("h2").textContent;
      list?.append(link);
    }
    if (location.hash) reveal(location.hash.slice(1));
  });
  function choose(event) {
    const site = event.target.closest?.(".site");
    if (!site || (event.key && event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    all(".site").forEach((other) => other.classList.toggle("chosen", other === site));
    all(".facts").forEach((facts) => { facts.hidden = facts.dataset.of !== site.dataset.site; });
  }
  addEventListener("click", choose);
  addEventListener("keydown", choose);
  addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href^='#']");
    if (!link) return;
    event.preventDefault();
    history.replaceState(null, "", link.hash);
    reveal(link.hash.slice(1));
  });
  addEventListener("resize", () => all(".plot[data-drawn]").forEach((plot) => {
    if (!paper && plot.clientWidth && plot.dataset.drawn !== (plot.clientWidth < NARROW ? "narrow" : "wide")) draw(plot);
  }));
  addEventListener("beforeprint", () => {
    paper = true;
    all("details:not([open])").forEach((part) => { part.open = true; part.dataset.opened = "1"; });
    all(".plot").forEach(draw);
  });
  addEventListener("afterprint", () => {
    paper = false;
    all(".plot").forEach((plot) => { delete plot.dataset.drawn; Plotly.purge(plot); seen.unobserve(plot); seen.observe(plot); });
    all("details[data-opened]").forEach((part) => { part.open = false; delete part.dataset.opened; });
  });
})();
