// The causal map: what of the cheese's effect each block of the picture carries, site by site along the depth.

// Whole places whose effect is drawn along the depth: name of the place, colours (light, dark), dashes.
const PLACE_LINES = [
  ["cheese", ["#0072B2", "#3BA3E0"], []],
  ["mouse", ["#a34870", "#e48ab0"], [5, 3]],
  ["all but the cheese", ["#555", "#bbb"], [2, 3]],
];

function buildCausal(bench) {
  const canvas = make("canvas", { class: "mz-heat", role: "img", "aria-label": "Effect of patching each block of the picture at this site" });
  const slider = make("input", { type: "range", min: 0, max: 0, step: 1, value: 0, class: "mz-slider mz-wide", "aria-label": "site of the causal map" });
  const name = make("span", { class: "mz-number" }), told = make("p", { class: "mz-small mz-heatlabel" }), chart = make("canvas", { class: "mz-lines", role: "img", "aria-label": "Effect of whole places along the depth" });
  const where = make("p", { class: "mz-small mz-heatlabel" }), strip = make("canvas", { class: "mz-strip", width: 120, height: 10, "aria-hidden": "true" }), high = make("span", { class: "mz-number" });
  let playing = 0;
  const play = button("Play", () => toggle(), { name: "play the causal map along the depth", key: "space" });
  const sites = () => (bench.scene.hello?.sites || []).filter((site) => bench.scene.causal.has(site.name) || bench.scene.causal.has(site.short));
  const held = (site) => bench.scene.causal.get(site.name) || bench.scene.causal.get(site.short);
  const mapOf = (site) => held(site).effect;
  const toggle = () => {
    if (playing) clearInterval(playing);
    playing = playing ? 0 : setInterval(() => step(1, true), 450);
    put(play, playing ? "Pause" : "Play");
  };
  const step = (by, round) => {
    const count = sites().length;
    if (!count) return;
    const next = Number(slider.value) + by;
    slider.value = round ? next % count : Math.min(Math.max(next, 0), count - 1);
    bench.paint();
  };
  bench.causalPlayer = { toggle, step };
  bench.on("view", () => playing && bench.view.tab !== "causal" && toggle());
  slider.addEventListener("input", bench.paint);
  drawKey(strip, CIVIDIS);

  bench.onPaint(() => {
    const fitted = fitCanvas(canvas), { scene } = bench;
    if (!fitted || !scene.picture || !scene.maze || scene.maze.dim !== scene.picture.maze.dim) return;
    const { context, side } = fitted, frame = frameOf(scene.maze, side), list = sites();
    drawPicture(context, scene.picture, frame, scene.maze, ["mouse"]);
    slider.max = Math.max(list.length - 1, 0);
    const site = list[Math.min(Number(slider.value), list.length - 1)];
    if (!site) {
      put(name, "");
      put(told, "Measuring: each block of the picture is patched at each site.");
      return;
    }
    const most = Math.max(1e-6, ...list.map((own) => Math.max(...mapOf(own)))), map = mapOf(site), { cell, facing, apart } = held(site);
    const [x0, y0] = frame.fromPicture(0, 0, 64), [x1, y1] = frame.fromPicture(64, 64, 64);
    context.save();
    context.imageSmoothingEnabled = false;
    context.drawImage(mapPicture(map, 8, 8, 0, most, CIVIDIS, (share) => 70 + 150 * Math.min(Math.max(share, 0), 1)), x0, y0, x1 - x0, y1 - y0);
    context.restore();
    drawWalls(context, frame, scene.maze);
    drawSprite(context, scene.picture, frame, "cheese", frame.middle(scene.maze.cheese));
    drawSprite(context, scene.picture, frame, "mouse", frame.middle(cell));
    put(name, site.short);
    told.classList.toggle("mz-stale", scene.causalSeq !== bench.newest);
    put(high, decimals(most, 2));
    put(told, `Here the cheese's place carries ${decimals(placeOf(held(site), "cheese"))}, the mouse's ${decimals(placeOf(held(site), "mouse"))}, all but the cheese's ${decimals(placeOf(held(site), "all but the cheese"))}.`);
    put(where, `Mouse at (${cell.join(", ")}), looking ${facing}: the cheese changes its moves by ${decimals(apart)} (total variation).`);
    paintLines(chart, list.map(held), Number(slider.value), bench.dark());
  });
  return make("div", { class: "mz-part mz-two" },
    make("div", { class: "mz-mapside" }, make("div", { class: "mz-bar" }, play, slider), canvas,
      make("div", { class: "mz-bar" }, make("span", { class: "mz-number", text: ".00" }), strip, high)),
    make("div", { class: "mz-listside" }, make("h3", { text: "Where the cheese acts" }), make("div", { class: "mz-bar" }, name), where, told, chart,
      make("p", { class: "mz-small" }, "Whole places along the depth, from 0 to 1: ", make("b", { class: "mz-at-cheese", text: "the cheese's" }), " (solid), ", make("b", { class: "mz-at-mouse", text: "the mouse's" }), " (dashed), ", make("b", { class: "mz-at-rest", text: "all but the cheese's" }), " (dotted)."),
      make("p", { class: "mz-small", text: "The mouse sees the maze without its cheese. At one site, one block of 8×8 pixels, or a place with a tile around it, is taken from the maze with the cheese: the effect is how far the moves follow, from 0 to 1." })));
}

function placeOf(update, name) {
  return update.held.places[update.names.indexOf(name)];
}

function paintLines(canvas, updates, now, dark) {
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (!width) return;
  if (canvas.width !== 2 * width) [canvas.width, canvas.height] = [2 * width, 2 * height];
  const context = canvas.getContext("2d");
  context.setTransform(2, 0, 0, 2, 0, 0);
  context.clearRect(0, 0, width, height);
  const x = (k) => 6 + ((width - 12) * k) / Math.max(updates.length - 1, 1), y = (value) => height - 5 - (height - 10) * Math.min(Math.max(value, 0), 1);
  context.strokeStyle = dark ? "#555" : "#ccc";
  context.lineWidth = 1;
  context.strokeRect(0.5, 0.5, width - 1, height - 1);
  context.beginPath();
  context.moveTo(x(now), 0);
  context.lineTo(x(now), height);
  context.stroke();
  for (const [place, colours, dashes] of PLACE_LINES) {
    context.beginPath();
    updates.forEach((update, k) => context.lineTo(x(k), y(placeOf(update, place))));
    context.strokeStyle = colours[dark ? 1 : 0];
    context.lineWidth = 2;
    context.setLineDash(dashes);
    context.stroke();
    context.setLineDash([]);
  }
}
