// What the server has answered: the maze, the fields of each run, the readings inside the network.
//
// A maze that was changed in some cells takes over the numbers of the old one cell by cell, as stale, until its own
// arrive: nothing goes blank. Another maze begins blank.

const RUNS = ["clean", "steered", "no_cheese"];
const NONE = 0, STALE = 1, FRESH = 2;
const MOST_CHANGED = 8;  // cells opened or walled, up to which a maze is the old one, changed
const MOVES = 5;  // left, right, up, down, none

function makeScene() {
  return { hello: null, seq: -1, maze: null, picture: null, runs: {}, heat: null, channels: null, curve: null, causal: new Map(), causalSeq: -1 };
}

// Take in a `maze` update; `asked` is the maze of the state that it answers.
function takeMaze(scene, update, asked) {
  const text = readMaze(asked.ascii), flat = update.held.cells, count = flat.length / 2;
  const cells = Array.from({ length: count }, (_, i) => [flat[2 * i], flat[2 * i + 1]]);
  const index = new Int32Array(update.dim * update.dim).fill(-1);
  cells.forEach(([x, y], i) => { index[y * update.dim + x] = i; });
  const maze = {
    ...text, facing: asked.facing === "right" ? 1 : 0, dim: update.dim, world: update.world, margin: update.margin, cells, index, count,
    distance: update.held.distance, decision: update.decision, corner: update.corner, label: update.label,
  };
  const old = scene.maze, runs = {};
  for (const run of RUNS) runs[run] = inherited(scene.runs[run], old, maze);
  Object.assign(scene, { seq: update.answers, maze, runs });
  return maze;
}

function inherited(run, old, maze) {
  const fresh = {
    probabilities: new Float32Array(2 * maze.count * MOVES), values: new Float32Array(2 * maze.count),
    have: new Uint8Array(2 * maze.count), occupancy: null, outcome: null, settled: false,
  };
  if (!run || !old || old.dim !== maze.dim) return fresh;
  if (maze.free.reduce((sum, free, at) => sum + (free !== old.free[at]), 0) > MOST_CHANGED) return fresh;
  const visits = run.occupancy ? new Float32Array(2 * maze.count) : null;
  maze.cells.forEach(([x, y], i) => {
    const from = old.index[y * old.dim + x];
    if (from < 0) return;
    for (let facing = 0; facing < 2; facing++) {
      const a = 2 * from + facing, b = 2 * i + facing;
      if (run.have[a] !== NONE) fresh.have[b] = STALE;
      fresh.values[b] = run.values[a];
      fresh.probabilities.set(run.probabilities.subarray(MOVES * a, MOVES * a + MOVES), MOVES * b);
      if (visits) visits[b] = run.occupancy[a];
    }
  });
  fresh.occupancy = visits;
  fresh.outcome = run.outcome;
  return fresh;
}

function takeField(scene, update) {
  const run = scene.runs[update.panel];
  if (!run || update.answers !== scene.seq) return false;
  const { states, probabilities, values } = update.held;
  for (let i = 0; i < states.length; i++) {
    const at = states[i];
    run.probabilities.set(probabilities.subarray(MOVES * i, MOVES * i + MOVES), MOVES * at);
    run.values[at] = values[i];
    run.have[at] = FRESH;
  }
  return true;
}

function takeOutcome(scene, update) {
  const run = scene.runs[update.panel];
  if (!run || update.answers !== scene.seq) return false;
  run.outcome = { ...update.outcome, blindness: update.blindness, competence: update.competence };
  run.occupancy = update.held.occupancy;
  run.settled = true;
  return true;
}

// The runs that a panel is made of.
function runsOf(panel) {
  return panel === "difference" ? ["clean", "steered"] : [panel];
}

// Whether all arrows of a panel are new.
function wholeField(runs, panel) {
  return runsOf(panel).every((name) => runs[name]?.have.every((has) => has === FRESH));
}

// The weight of each facing in a cell: one facing, or both as often as the mouse looks that way there.
function facingWeights(run, cell, facing) {
  if (facing === "left") return [1, 0];
  if (facing === "right") return [0, 1];
  const visits = run.occupancy, a = visits ? visits[2 * cell] : 0, b = visits ? visits[2 * cell + 1] : 0;
  const known = [run.have[2 * cell] !== NONE, run.have[2 * cell + 1] !== NONE];
  if (known[0] !== known[1]) return known[0] ? [1, 0] : [0, 1];
  return a + b > 0 ? [a / (a + b), b / (a + b)] : [0.5, 0.5];
}

// Probabilities [left, right, up, down, none] and value of a cell, or null where nothing has arrived.
function readCell(run, cell, facing) {
  if (!run || cell < 0) return null;
  const weights = facingWeights(run, cell, facing), found = { moves: [0, 0, 0, 0, 0], value: 0, fresh: true };
  for (let side = 0; side < 2; side++) {
    if (!weights[side]) continue;
    const at = 2 * cell + side;
    if (run.have[at] === NONE) return null;
    if (run.have[at] === STALE) found.fresh = false;
    for (let move = 0; move < MOVES; move++) found.moves[move] += weights[side] * run.probabilities[MOVES * at + move];
    found.value += weights[side] * run.values[at];
  }
  return found;
}

function vectorOf(found) {
  return [found.moves[1] - found.moves[0], found.moves[2] - found.moves[3]];
}

// The arrows of a panel: {cell, x, y (right and up), shade 0..1 or null, fresh}. Those of a difference, which is up to 2
// long, are drawn at half their length. On the cheese a run has ended.
function arrowsOf(scene, panel, facing) {
  const { maze, runs } = scene, list = [];
  if (!maze) return list;
  for (let cell = 0; cell < maze.count; cell++) {
    if (panel !== "no_cheese" && sameCell(maze.cells[cell], maze.cheese)) continue;
    if (panel === "difference") {
      const a = readCell(runs.clean, cell, facing), b = readCell(runs.steered, cell, facing);
      if (!a || !b) continue;
      const [ax, ay] = vectorOf(a), [bx, by] = vectorOf(b);
      const apart = a.moves.reduce((sum, own, move) => sum + Math.abs(own - b.moves[move]), 0) / 2;
      list.push({ cell, x: (bx - ax) / 2, y: (by - ay) / 2, shade: apart, fresh: a.fresh && b.fresh });
    } else {
      const found = readCell(runs[panel], cell, facing);
      if (!found) continue;
      const [x, y] = vectorOf(found);
      list.push({ cell, x, y, shade: null, fresh: found.fresh });
    }
  }
  return list;
}

// The panel as nested plain numbers, for tests and for people in the browser's console.
function fieldsOf(scene) {
  const found = {};
  for (const [name, run] of Object.entries(scene.runs)) {
    found[name] = {
      probabilities: Array.from(run.probabilities), values: Array.from(run.values), fresh: wholeField(scene.runs, name),
      outcome: run.outcome, occupancy: run.occupancy && Array.from(run.occupancy),
    };
  }
  return found;
}
