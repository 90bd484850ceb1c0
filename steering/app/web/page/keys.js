// Keys for what is frequent, and the list of them.

const KEYS = [
  ["On the page", [
    ["?", "this list"], ["u, ctrl z", "undo"], ["shift u, ctrl y", "redo"], ["1 … 6", "panels, activations, causal map, rollouts, curve, take away"],
    ["shift 1 … 4", "show or hide a panel"], ["v", "whose arrows the large maze shows"], ["d", "light or dark"], ["l", "copy the link"],
  ]],
  ["The maze", [
    ["g", "go to the maze; there:"], ["arrows", "point at a cell"], ["m, c", "put the mouse, the cheese there"], ["w", "open or wall the cell"],
    ["r", "random level"], ["f", "first level that qualifies"], ["n, p", "next, previous level"], ["t", "turn the mouse"], ["x", "the maze as text"],
  ]],
  ["The network and the edits", [["[, ]", "site before, after"], ["e", "all edits off or on"], ["+, −", "coefficient by 0.1"], ["a", "add an edit"]]],
  ["What runs", [["space", "play or pause"], [", .", "step back, on (a channel, a site, a move)"], ["home", "rewind"], ["esc", "leave off picking a cell"]]],
];
const TABS = [["panels", "Panels"], ["activations", "Activations"], ["causal", "Causal map"], ["rollouts", "Rollouts"], ["curve", "Curve"], ["take", "Take away"]];

function buildKeys() {
  const parts = KEYS.map(([title, rows]) => make("section", {}, make("h3", { text: title }),
    make("dl", { class: "mz-keys" }, ...rows.flatMap(([key, words]) => [make("dt", {}, make("kbd", { text: key })), make("dd", { text: words })]))));
  const dialog = make("dialog", { class: "mz-dialog", "aria-label": "Keys" }, make("div", { class: "mz-keyparts" }, ...parts), button("Close", () => dialog.close()));
  return dialog;
}

function listenToKeys(bench, dialog) {
  const stepper = () => ({
    activations: (by) => bench.stepChannel(by), causal: (by) => bench.causalPlayer.step(by), rollouts: (by) => bench.player.step(by),
  })[bench.view.tab];
  const cycle = () => {
    const { panels } = bench.store.state, now = panels.indexOf(shownRun(bench));
    if (panels.length) bench.showRun(panels[(now + 1) % panels.length]);
  };
  const acts = {
    "?": () => dialog.showModal(), u: () => bench.store.undo(), U: () => bench.store.redo(), v: cycle, d: () => bench.turnLight(), l: () => bench.copyLink?.(),
    g: () => bench.root.querySelector(".mz-board").focus(), r: () => bench.loadRandom(), f: () => bench.loadFirst(), n: () => bench.loadNext(1), p: () => bench.loadNext(-1),
    t: () => bench.turnMouse(), x: () => bench.showText(), "[": () => bench.stepSite(-1), "]": () => bench.stepSite(1), e: () => bench.toggleEdits(),
    "+": () => bench.nudge(0.1), "=": () => bench.nudge(0.1), "-": () => bench.nudge(-0.1), a: () => bench.addFirst(),
    " ": () => ({ rollouts: bench.player, causal: bench.causalPlayer })[bench.view.tab]?.toggle(),
    ",": () => stepper()?.(-1), ".": () => stepper()?.(1), Home: () => bench.view.tab === "rollouts" && bench.player.rewind(),
    Escape: () => {
      bench.view.picking = null;
      bench.say("");
    },
  };
  const around = bench.transport.notebook ? bench.root : document;
  around.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches?.("input.mz-input")) event.target.blur();  // so that keys are heard again
    if (!bench.store.state || bench.root.querySelector("dialog[open]") || writing(event.target)) return;
    const held = event.ctrlKey || event.metaKey, key = event.key.toLowerCase();
    if (held && (key === "z" || key === "y")) {
      event.preventDefault();
      return key === "y" || event.shiftKey ? bench.store.redo() : bench.store.undo();
    }
    if (held || event.altKey) return;
    if (event.key === " " && event.target.matches("button, input")) return;
    if (event.target.matches("input[type=range]") && event.key === "Home") return;
    const digit = /^Digit([1-6])$/.exec(event.code);
    if (digit && event.shiftKey) {
      const name = PANELS[Number(digit[1]) - 1];
      if (!name) return;
      bench.togglePanel(name);
    } else if (digit) bench.openTab(TABS[Number(digit[1]) - 1][0]);
    else if (Object.hasOwn(acts, event.key)) acts[event.key]();
    else return;
    event.preventDefault();
  });
}
