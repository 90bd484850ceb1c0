// The four panels side by side, each with its field and its exact outcomes, and what changes against the clean run.

const PANELS = ["clean", "steered", "no_cheese", "difference"];
const OUTCOMES = [
  ["P(cheese)", "p_cheese", 3], ["P(top right)", "p_corner", 3], ["P(5×5)", "p_region", 3],
  ["◇ cheese", "p_cheese_decision", 3], ["◇ top right", "p_corner_decision", 3],
  ["moves", "expected_steps", 1], ["value", "value_start", 2],
  ["changed", "tv_clean", 3], ["blindness", "blindness", 3], ["competence", "competence", 3],
];
const STEERED_ONLY = ["tv_clean", "blindness", "competence"];
const TIPS = {
  p_cheese: "Probability that the cheese is eaten", p_corner: "Probability that the top-right cell is visited before the episode ends",
  p_region: "Probability that the top-right 5×5 is visited before the episode ends", p_cheese_decision: "Probability, at the decision square, of the move towards the cheese",
  p_corner_decision: "Probability, at the decision square, of the move towards the top right", expected_steps: "Mean number of moves made, at most the horizon",
  value_start: "Value head at the start", tv_clean: "Mean total-variation distance of the moves to those of the clean run",
  blindness: "1: as if the cheese were gone; 0: as if nothing had been done", competence: "P(top-right 5×5 first) relative to the maze without cheese",
};

function buildPanels(bench) {
  const panels = Object.fromEntries(PANELS.map((name) => [name, buildPanel(bench, name)]));
  const shown = Object.fromEntries(PANELS.map((name, k) => [name, checkbox(RUN_WORDS[name], true, (on) => {
    bench.change((state) => { state.panels = PANELS.filter((own) => (own === name ? on : state.panels.includes(own))); });
  }, { title: `show or hide  [shift ${k + 1}]` })]));
  bench.togglePanel = (name) => shown[name].querySelector("input").click();
  const facing = choice("the arrows' facing", [["visited", "both facings, by visits"], ["left", "facing left"], ["right", "facing right"]], "visited",
    (value) => bench.change((state) => { state.facing = value; }), { class: "mz-select mz-wideselect" });
  const grid = make("div", { class: "mz-panels" }, ...PANELS.map((name) => panels[name]));
  bench.on("state", (state) => {
    for (const name of PANELS) {
      panels[name].hidden = !state.panels.includes(name);
      shown[name].querySelector("input").checked = state.panels.includes(name);
    }
    grid.dataset.count = state.panels.length;
    facing.value = state.facing;
  });
  return make("div", { class: "mz-part" },
    make("div", { class: "mz-bar" }, make("span", { class: "mz-name", text: "show" }), ...PANELS.map((name) => shown[name]), make("span", { class: "mz-gap" }), facing),
    grid,
    make("p", { class: "mz-small", text: "◇: the move at the decision square (brackets). Small figures: the change against the clean run. Difference: steered less clean, arrows at half their length, shaded by how much the moves differ." }));
}

function buildPanel(bench, name) {
  const canvas = make("canvas", { class: "mz-field", role: "img", "aria-label": `Field of moves: ${RUN_WORDS[name]}` });
  const rows = OUTCOMES.map(([words, field, places]) => {
    const value = make("td", { class: "mz-number", "data-field": field, text: "–" }), change = make("td", { class: "mz-change" });
    const row = make("tr", { title: TIPS[field] }, make("th", { scope: "row", text: words }), value, change);
    row.hidden = STEERED_ONLY.includes(field) && name !== "steered";
    return { field, places, value, change, row };
  });
  bench.onPaint(() => {
    if (!canvas.clientWidth) return;
    paintPanel(bench, name, canvas);
    writeOutcomes(bench, name, rows);
  });
  followPointer(bench, canvas);
  const named = RUN_WORDS[name];
  return make("section", { class: "mz-panel", "data-panel": name, "aria-label": named },
    make("header", {}, make("h3", { class: `mz-of-${name}`, text: named })),
    make("div", { class: "mz-pair" }, canvas,
      make("table", { class: "mz-outcomes", "aria-label": `Outcomes: ${named}` }, make("tbody", {}, ...rows.map(({ row }) => row)))));
}

// A canvas over which the cell pointed at is told to all parts.
function followPointer(bench, canvas) {
  canvas.addEventListener("pointermove", (event) => {
    const maze = bench.scene.maze, box = canvas.getBoundingClientRect();
    if (!maze) return;
    const cell = frameOf(maze, canvas.clientWidth).cellAt(event.clientX - box.left, event.clientY - box.top);
    bench.point(inMaze(maze, cell) ? cell : null);
  });
  canvas.addEventListener("pointerleave", () => bench.point(null));
}

function paintPanel(bench, name, canvas) {
  const fitted = fitCanvas(canvas), { scene } = bench;
  if (!fitted || !scene.picture || !scene.maze || scene.picture.maze.dim !== scene.maze.dim) return;
  const { context, side } = fitted, frame = frameOf(scene.maze, side);
  drawGround(bench, name, context, frame);
  drawArrows(context, frame, scene.maze, arrowsOf(scene, name, bench.store.state.facing), lookOf(bench));
  drawMarks(context, frame, { decision: scene.maze.decision, dim: scene.maze.dim, pointed: bench.view.pointed });
}

// What lies below the arrows of a panel: the picture, paler, and the mouse and the cheese as they are.
function drawGround(bench, name, context, frame) {
  const { maze, picture } = bench.scene;
  drawPicture(context, picture, frame, name === "no_cheese" ? { ...maze, cheese: null } : maze);
  veil(context, frame.side, bench.dark(), 0.55);
  for (const which of name === "no_cheese" ? ["mouse"] : ["mouse", "cheese"]) drawSprite(context, picture, frame, which, frame.middle(maze[which]));
}

function writeOutcomes(bench, name, rows) {
  const { runs } = bench.scene, clean = runs.clean?.outcome, steered = runs.steered?.outcome;
  const own = name === "difference" ? steered : runs[name]?.outcome;
  for (const { field, places, value, change } of rows) {
    const now = own ? own[field] : null, before = clean ? clean[field] : null;
    const known = [now, before].every((each) => each !== null && each !== undefined && Number.isFinite(each));
    const moved = known && name !== "clean" && !STEERED_ONLY.includes(field) ? now - before : null;
    if (name === "difference") put(value, signed(moved, places) || "–");
    else put(value, decimals(now, places));
    const shown = name === "difference" ? value : change;
    if (name !== "difference") put(change, signed(moved, places));
    const size = moved === null ? 0 : Number(moved.toFixed(places));
    shown.classList.toggle("mz-up", size > 0);
    shown.classList.toggle("mz-down", size < 0);
  }
  rows[0].row.closest("table").classList.toggle("mz-stale", Boolean(runs.clean) && !settledRun(runs, name));
}

function settledRun(runs, name) {
  return runsOf(name).every((run) => runs[run].settled);
}

// A panel as a file: a picture of 1024 pixels, or lines over the picture.
async function savePanel(bench, name, kind) {
  const { scene } = bench;
  if (!scene.picture || !scene.maze) return;
  const side = 1024, canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d"), frame = frameOf(scene.maze, side);
  const arrows = arrowsOf(scene, name, bench.store.state.facing), look = { ...lookOf(bench), faint: 1 };
  drawGround(bench, name, context, frame);
  const title = `${RUN_WORDS[name]}, ${scene.maze.label}`, file = `${title.replace(/[^a-z0-9]+/gi, "-")}.${kind}`;
  if (kind === "svg") {
    const text = panelAsSvg(title, side, canvas.toDataURL("image/png"), frame, scene.maze, arrows, look, { decision: scene.maze.decision });
    download(file, text, "image/svg+xml");
  } else {
    drawArrows(context, frame, scene.maze, arrows, look);
    drawMarks(context, frame, { decision: scene.maze.decision, dim: scene.maze.dim });
    canvas.toBlob((blob) => download(file, blob, "image/png"), "image/png");
  }
  bench.say(`Saved ${file}.`);
}
