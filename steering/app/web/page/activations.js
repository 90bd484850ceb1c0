// Activations: a map of any channel, or of the norm, over the maze; the channels that matter most; a cell set to a value.

const HEAT_KINDS = [["norm", "norm"], ["channel", "channel"], ["visits", "visits"]];
const HEAT_RUNS = [["clean", "clean"], ["steered", "steered"], ["difference", "difference"]];
const MOST_LISTED = 32;

function buildActivations(bench) {
  const set = (name) => (value) => bench.change((state) => { state.heat[name] = value; });
  const kind = segments("what is shown", HEAT_KINDS, "norm", set("kind"));
  const run = segments("of which run", HEAT_RUNS, "clean", set("run"));
  const channel = make("input", { type: "number", min: 0, step: 1, class: "mz-input mz-channel", "aria-label": "channel" });
  channel.addEventListener("change", () => channel.value !== "" && bench.change((state) => Object.assign(state.heat, { kind: "channel", channel: Math.max(0, Math.round(Number(channel.value))) })));
  bench.stepChannel = (step) => bench.change((state) => {
    const count = bench.chosenSite()?.shape[0] || 1, now = state.heat.channel ?? 0;
    Object.assign(state.heat, { kind: "channel", channel: (now + step + count) % count });
  });
  const canvas = make("canvas", {
    class: "mz-heat", tabindex: 0, role: "application", "aria-roledescription": "heat map",
    "aria-label": "Activations over the maze. Arrow keys point at a unit, Enter sets it to the value.",
  });
  const label = make("p", { class: "mz-small mz-heatlabel" });
  const low = make("span", { class: "mz-number" }), high = make("span", { class: "mz-number" }), strip = make("canvas", { class: "mz-strip", width: 120, height: 10, "aria-hidden": "true" });
  const value = make("input", { type: "number", step: "any", value: 5, class: "mz-input mz-coefficient", "aria-label": "value that a clicked unit is set to" });
  const list = make("div", { class: "mz-channels", role: "list", "aria-label": "Channels by effect" }), share = make("span", { class: "mz-small mz-number" });
  let unit = null;

  bench.on("state", (state) => {
    kind.choose(state.heat.kind);
    run.choose(state.heat.run);
    if (document.activeElement !== channel) channel.value = state.heat.channel ?? 0;
  });
  bench.on("heat", (heat) => {
    const [from, to] = heat.limits;
    put(low, decimals(from, 2));
    put(high, decimals(to, 2));
    drawKey(strip, scaleFor(from));
    if (unit && (unit[0] >= heat.held.map.shape[0] || unit[1] >= heat.held.map.shape[1])) unit = null;
  });

  const isMap = () => bench.scene.heat && ["norm", "channel"].includes(bench.store.state.heat.kind);
  const unitAt = (event) => {
    const { heat, maze } = bench.scene, box = canvas.getBoundingClientRect();
    if (!heat || !maze || !isMap()) return null;
    const [px, py] = frameOf(maze, canvas.clientWidth).toPicture(event.clientX - box.left, event.clientY - box.top, 64);
    const [left, top, right, bottom] = heat.held.extent, [h, w] = heat.held.map.shape;
    const column = Math.floor(((px - left) / (right - left)) * w), row = Math.floor(((py - top) / (bottom - top)) * h);
    return row >= 0 && row < h && column >= 0 && column < w ? [row, column] : null;
  };
  const clampUnit = () => {
    const { heat, store } = { heat: bench.scene.heat, store: bench.store };
    if (!unit || !heat) return;
    if (heat.kind !== "channel") return bench.say("Choose a channel first: a unit is one cell of one channel.", "problem");
    const site = bench.siteOf(heat.site), index = `${heat.channel}+${unit.join("+")}`;
    const where = site.name === bench.chosenSite()?.name ? "" : site.short;
    const text = writeEdit({ kind: "clamp", fields: { site: where || site.short, index, value: value.value || "0" } });
    const at = store.state.edits.findIndex((edit) => {
      const { kind, fields } = readEdit(edit.text);
      return kind === "clamp" && fields.index === index && bench.siteOf(fields.site || store.state.site) === site;
    });
    if (at >= 0) bench.change((state) => { state.edits[at] = { on: true, text }; });
    else addEdit(bench, text);
    bench.say(`Channel ${heat.channel} of ${site.short}, row ${unit[0]}, column ${unit[1]}: set to ${value.value}.`);
  };
  canvas.addEventListener("pointermove", (event) => {
    unit = unitAt(event);
    bench.paint();
  });
  canvas.addEventListener("pointerleave", () => {
    unit = null;
    bench.paint();
  });
  canvas.addEventListener("click", (event) => {
    unit = unitAt(event);
    clampUnit();
  });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key], heat = bench.scene.heat;
    if (!heat || !isMap()) return;
    if (step) {
      const [h, w] = heat.held.map.shape, now = unit || [h >> 1, w >> 1];
      unit = [Math.min(Math.max(now[0] + step[0], 0), h - 1), Math.min(Math.max(now[1] + step[1], 0), w - 1)];
      bench.paint();
    } else if (event.key === "Enter") clampUnit();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  bench.onPaint(() => {
    const fitted = fitCanvas(canvas), { scene } = bench;
    if (!fitted || !scene.picture || !scene.maze || scene.maze.dim !== scene.picture.maze.dim) return;
    const { context, side } = fitted, frame = frameOf(scene.maze, side);
    drawPicture(context, scene.picture, frame, scene.maze);
    const heat = scene.heat, asked = bench.store.state.heat;
    label.classList.toggle("mz-stale", asked.kind !== "visits" && Boolean(heat) && heat.answers !== bench.newest);
    if (asked.kind === "visits") {
      paintVisits(context, frame, scene, asked.run, bench.dark());
      drawKey(strip, scaleFor(asked.run === "difference" ? -1 : 0));
      put(low, asked.run === "difference" ? "less" : ".001");
      put(high, asked.run === "difference" ? "more" : decimals(mostVisits(scene, asked.run), 1));
      return put(label, `Expected visits of each cell: ${asked.run}`);
    }
    if (!heat || bench.store.state.heat.kind === "none") return put(label, "Choose what to show.");
    paintHeat(context, frame, heat, bench.dark());
    drawWalls(context, frame, scene.maze);
    for (const which of ["mouse", "cheese"]) drawSprite(context, scene.picture, frame, which, frame.middle(scene.maze[which]), { scale: 0.8 });
    let words = heat.label || `${heat.kind} at ${heat.site}`;
    if (unit && isMap()) {
      outlineUnit(context, frame, heat, unit);
      words = `row ${unit[0]}, column ${unit[1]}: ${decimals(heat.held.map[unit[0] * heat.held.map.shape[1] + unit[1]], 4)}${heat.kind === "channel" ? " · click to set it" : ""}`;
    }
    put(label, words);
  });
  const relist = oncePerFrame(() => listChannels(bench, list, share));
  bench.on("channels state", relist);
  return make("div", { class: "mz-part mz-two" },
    make("div", { class: "mz-mapside" },
      make("div", { class: "mz-bar" }, kind, channel, button("‹", () => bench.stepChannel(-1), { name: "channel before", key: "," }), button("›", () => bench.stepChannel(1), { name: "next channel", key: "." })),
      canvas,
      make("div", { class: "mz-bar" }, low, strip, high, make("span", { class: "mz-gap" }), make("label", { class: "mz-field-of" }, make("span", { text: "click sets to" }), value)),
      label),
    make("div", { class: "mz-listside" }, make("div", { class: "mz-bar" }, run),
      make("div", { class: "mz-bar" }, make("h3", { text: "Channels by effect" }), share),
      make("p", { class: "mz-small", text: "Mean change of the moves when the channel alone is ablated, measured over this maze." }), list));
}

function paintHeat(context, frame, heat, dark) {
  const [h, w] = heat.held.map.shape, [left, top, right, bottom] = heat.held.extent, [from, to] = heat.limits;
  const [x0, y0] = frame.fromPicture(left, top, 64), [x1, y1] = frame.fromPicture(right, bottom, 64);
  context.save();
  context.imageSmoothingEnabled = false;
  context.globalAlpha = dark ? 0.8 : 0.78;
  context.drawImage(mapPicture(heat.held.map, h, w, from, to, scaleFor(from)), x0, y0, x1 - x0, y1 - y0);
  context.restore();
}

function visitsOf(scene, run, cell) {
  const seen = (name) => {
    const visits = scene.runs[name]?.occupancy;
    return visits ? visits[2 * cell] + visits[2 * cell + 1] : 0;
  };
  return run === "difference" ? seen("steered") - seen("clean") : seen(run);
}

function mostVisits(scene, run) {
  return Math.max(0.01, ...scene.maze.cells.map((_, cell) => Math.abs(visitsOf(scene, run, cell))));
}

// Expected visits, on a logarithmic scale from a thousandth; their difference on an even one.
function paintVisits(context, frame, scene, run, dark) {
  veil(context, frame.side, dark, 0.3);
  const most = mostVisits(scene, run), lowest = Math.log(1e-3), scale = scaleFor(run === "difference" ? -1 : 0);
  scene.maze.cells.forEach(([x, y], cell) => {
    const visits = visitsOf(scene, run, cell);
    if (run !== "difference" && visits < 1e-3) return;
    const share = run === "difference" ? 0.5 + visits / (2 * most) : (Math.log(visits) - lowest) / (Math.log(most) - lowest);
    const [r, g, b] = onScale(scale, share);
    context.fillStyle = `rgba(${r},${g},${b},.75)`;
    context.fillRect(frame.left(x), frame.top(y), frame.unit, frame.unit);
  });
}

function outlineUnit(context, frame, heat, [row, column]) {
  const [h, w] = heat.held.map.shape, [left, top, right, bottom] = heat.held.extent;
  const [x0, y0] = frame.fromPicture(left + ((right - left) * column) / w, top + ((bottom - top) * row) / h, 64);
  const [x1, y1] = frame.fromPicture(left + ((right - left) * (column + 1)) / w, top + ((bottom - top) * (row + 1)) / h, 64);
  for (const [colour, width] of [["#000", 3], ["#fff", 1.5]]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  }
}

// The channels of the chosen site, the strongest first, each with a bar; a press shows its map.
function listChannels(bench, list, share) {
  const { channels } = bench.scene, site = bench.chosenSite();
  const fits = channels && site && bench.siteOf(channels.site) === site && bench.current(channels);
  put(share, !fits ? "measuring …" : channels.share < 1 ? `${Math.round(100 * channels.share)}% of states` : "all states");
  if (!fits) return list.classList.add("mz-stale");
  list.classList.remove("mz-stale");
  const { channel, effect } = channels.held, count = Math.min(channel.length, MOST_LISTED), most = Math.max(effect[0] || 0, 1e-9);
  while (list.children.length > count) list.lastChild.remove();
  while (list.children.length < count) list.append(channelRow(bench));
  const shown = bench.store.state.heat;
  for (let k = 0; k < count; k++) {
    const row = list.children[k], now = channel[k];
    row.dataset.channel = now;
    put(row.children[0].children[0], String(now));
    put(row.children[0].children[2], small(effect[k]));
    row.children[0].children[1].value = effect[k] / most;
    row.children[0].setAttribute("aria-pressed", shown.kind === "channel" && shown.channel === now);
    row.children[0].setAttribute("aria-label", `channel ${now}, effect ${small(effect[k])}`);
  }
}

// An effect in four figures after the point, or by its order where that would be nothing.
function small(effect) {
  return effect === 0 || effect >= 0.00005 ? decimals(effect, 4) : effect.toExponential(0).replace("-", "−");
}

function channelRow(bench) {
  const row = make("div", { class: "mz-channelrow", role: "listitem" });
  const show = make("button", { type: "button", class: "mz-channelbutton", on: { click: () => bench.change((state) => Object.assign(state.heat, { kind: "channel", channel: Number(row.dataset.channel) })) } },
    make("span", { class: "mz-number" }), make("meter", { min: 0, max: 1, "aria-hidden": "true" }), make("span", { class: "mz-number" }));
  const off = button("ablate", () => addEdit(bench, `ablate,site=${bench.chosenSite().short},channels=${row.dataset.channel}`), { name: "ablate this channel", kind: "mz-quiet" });
  row.append(show, off);
  return row;
}
