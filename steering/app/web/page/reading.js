// The numbers of the cell pointed at: exact probabilities of each move and the value, in every run.

const RUN_WORDS = { clean: "clean", steered: "steered", no_cheese: "cheese removed", difference: "difference" };
const MOVE_SIGNS = ["←", "→", "↑", "↓", "stay"], MOVE_WORDS = ["left", "right", "up", "down", "stay"];

function buildReading(bench) {
  const where = make("caption", { class: "mz-where" });
  const head = make("tr", {}, make("th", { scope: "col", text: "" }),
    ...MOVE_SIGNS.map((sign, move) => make("th", { scope: "col", text: sign, "aria-label": MOVE_WORDS[move] })), make("th", { scope: "col", text: "value" }));
  const rows = {};
  for (const run of [...RUNS, "difference"]) {
    const cells = [0, 1, 2, 3, 4, 5].map(() => make("td", { text: "–" }));
    rows[run] = { cells, row: make("tr", { "data-run": run }, make("th", { scope: "row", class: `mz-of-${run}`, text: RUN_WORDS[run] }), ...cells) };
  }
  const table = make("table", { class: "mz-reading" }, where, make("thead", {}, head), make("tbody", {}, ...Object.values(rows).map(({ row }) => row)));
  const spoken = make("div", { class: "mz-unseen", "aria-live": "polite" });
  const speak = whenQuiet(() => put(spoken, bench.view.pointed ? words() : ""), 500);
  let told = "";

  const words = () => {
    const numbers = [...Object.values(rows)].filter(({ row }) => !row.hidden)
      .map(({ row, cells }) => `${row.cells[0].textContent}: ${cells.slice(0, 4).map((cell, move) => `${MOVE_WORDS[move]} ${cell.textContent}`).join(", ")}`);
    return `${where.textContent}. ${numbers.join(". ")}`;
  };

  bench.onPaint(() => {
    const { scene, view, store } = bench, maze = scene.maze;
    if (!maze) return;
    const cell = view.pointed || maze.mouse, at = inMaze(maze, cell) ? maze.index[cell[1] * maze.dim + cell[0]] : -1;
    const facing = view.pointed || store.state.facing !== "visited" ? store.state.facing : store.state.maze.facing;
    const steps = at >= 0 ? maze.distance[at] : -1;
    const looks = facing === "visited" ? "both ways by visits" : `looking ${facing}`;
    put(where, `${view.pointed ? "" : "the mouse's "}cell (${cell[0]}, ${cell[1]}) · ${at < 0 ? "wall" : steps < 0 ? "no path from the mouse" : `${steps} steps from the mouse`} · ${looks}`);
    const found = Object.fromEntries(RUNS.map((run) => [run, readCell(scene.runs[run], at, facing)]));
    const { clean, steered } = found;
    found.difference = clean && steered && {
      moves: steered.moves.map((own, move) => own - clean.moves[move]), value: steered.value - clean.value, fresh: clean.fresh && steered.fresh,
    };
    for (const [run, { row, cells }] of Object.entries(rows)) {
      row.hidden = !store.state.panels.includes(run);
      row.classList.toggle("mz-stale", Boolean(found[run] && !found[run].fresh));
      const write = run === "difference" ? (value) => signed(value, 4) || "–" : (value) => decimals(value, 4);
      cells.forEach((node, k) => put(node, found[run] ? write(k < MOVES ? found[run].moves[k] : found[run].value) : "–"));
    }
    if (view.pointed && told !== where.textContent) speak();
    told = where.textContent;
  });
  return make("div", {}, table, spoken);
}
