// The causal map: what of the cheese's effect each block of the picture carries, site by site along the depth.

function buildCausal(bench) {
  const canvas = make("canvas", { class: "mz-heat", role: "img", "aria-label": "Effect of patching each block of the picture at this site" });
  const slider = make("input", { type: "range", min: 0, max: 0, step: 1, value: 0, class: "mz-slider mz-wide", "aria-label": "site of the causal map" });
  const name = make("span", { class: "mz-number" }), told = make("p", { class: "mz-small mz-heatlabel" }), chart = make("canvas", { class: "mz-lines", role: "img", "aria-label": "Effect at the cheese and at the mouse along the depth" });
  const where = make("p", { class: "mz-small mz-heatlabel" }), strip = make("canvas", { class: "mz-strip", width: 120, height: 10 }), high = make("span", { class: "mz-number" });
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
    put(told, `At the cheese ${decimals(effectAt(scene.maze, map, scene.maze.cheese))}, at the mouse ${decimals(effectAt(scene.maze, map, cell))} · ${list.length} sites`);
    put(where, `Mouse at (${cell.join(", ")}), looking ${facing}: the cheese changes its moves by ${decimals(apart)} (total variation).`);
    paintLines(chart, list.map(mapOf), scene.maze, cell, Number(slider.value), most, bench.dark());
  });
  return make("div", { class: "mz-part mz-two" },
    make("div", { class: "mz-mapside" }, make("div", { class: "mz-bar" }, play, slider), canvas,
      make("div", { class: "mz-bar" }, make("span", { class: "mz-number", text: ".00" }), strip, high)),
    make("div", { class: "mz-listside" }, make("h3", { text: "Where the cheese acts" }), make("div", { class: "mz-bar" }, name), where, told, chart,
      make("p", { class: "mz-small" }, make("b", { class: "mz-at-cheese", text: "at the cheese" }), " and ", make("b", { class: "mz-at-mouse", text: "at the mouse" }), ", along the depth"),
      make("p", { class: "mz-small", text: "The mouse sees the maze with its cheese and without it. At one site, one block of 8×8 pixels of the one is put into the other: the effect is how far the moves follow, from 0 to 1." })));
}

// The largest effect of the blocks that a cell's tile touches.
function effectAt(maze, map, cell) {
  if (!cell) return null;
  const size = 64 / maze.world, left = (cell[0] + maze.margin) * size, top = (maze.world - 1 - cell[1] - maze.margin) * size;
  let most = -Infinity;
  for (let row = Math.floor(top / 8); row <= Math.floor((top + size - 1e-6) / 8); row++) {
    for (let column = Math.floor(left / 8); column <= Math.floor((left + size - 1e-6) / 8); column++) most = Math.max(most, map[8 * row + column]);
  }
  return most;
}

function paintLines(canvas, maps, maze, mouse, now, most, dark) {
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (!width) return;
  if (canvas.width !== 2 * width) [canvas.width, canvas.height] = [2 * width, 2 * height];
  const context = canvas.getContext("2d");
  context.setTransform(2, 0, 0, 2, 0, 0);
  context.clearRect(0, 0, width, height);
  const x = (k) => 6 + ((width - 12) * k) / Math.max(maps.length - 1, 1), y = (value) => height - 5 - (height - 10) * Math.min(Math.max(value / most, 0), 1);
  context.strokeStyle = dark ? "#555" : "#ccc";
  context.lineWidth = 1;
  context.strokeRect(0.5, 0.5, width - 1, height - 1);
  context.beginPath();
  context.moveTo(x(now), 0);
  context.lineTo(x(now), height);
  context.stroke();
  for (const [cell, colour, dashes] of [[maze.cheese, "#3BA3E0", []], [mouse, dark ? "#e48ab0" : "#C2608F", [5, 3]]]) {
    context.beginPath();
    maps.forEach((map, k) => context.lineTo(x(k), y(effectAt(maze, map, cell))));
    context.strokeStyle = colour;
    context.lineWidth = 2;
    context.setLineDash(dashes);
    context.stroke();
    context.setLineDash([]);
  }
}
