// What stands around the large maze: levels, the library, the maze as text, whose arrows are shown.

const MOST_LEVEL = 2147483646;

function buildMazeTools(bench) {
  const mode = () => bench.store.state.maze.mode;
  // One is asked for at a time; of those wished for meanwhile the last counts, as where a key is held down.
  let wish = null, ahead = null, loading = false;
  const load = async (what, facts) => {
    wish = { what, facts };
    if (loading) return;
    loading = true;
    while (wish) {
      const now = wish;
      wish = null;
      try {
        const { maze } = await bench.ask(now.what, { mode: mode(), ...now.facts });
        if (wish) continue;
        bench.change((state) => { state.maze = maze; });
        bench.say("");
      } catch (error) {
        bench.say(error.message, "problem");
      }
    }
    loading = false;
    ahead = null;
  };
  const seed = make("input", {
    class: "mz-input mz-level", type: "number", min: 0, max: MOST_LEVEL, step: 1, "aria-label": "level (procgen's seed)", title: "level (procgen's seed)",
    on: {
      change: () => loadTyped(),
      // The same number again is no change: it brings back the level as it was.
      keydown: (event) => event.key === "Enter" && seed.value === String(bench.store.state.maze.level) && loadTyped(),
    },
  });
  const loadTyped = () => {
    const level = Number(seed.value);
    if (seed.value !== "" && Number.isInteger(level) && level >= 0 && level <= MOST_LEVEL) return load("level", { level });
    seed.value = bench.store.state.maze.level ?? "";
    bench.say(`A level is a whole number from 0 to ${MOST_LEVEL}.`, "problem");
  };
  bench.loadRandom = () => load("level", { level: null });
  bench.loadFirst = () => load("first", {});
  bench.loadNext = (step) => {
    const now = ahead ?? bench.store.state.maze.level;
    ahead = Math.max((now ?? -step) + step, 0);
    load("level", { level: ahead });
  };
  const modes = choice("mode of the maze", ["hard", "easy"], "hard", (value) => {
    load("level", { level: bench.store.state.maze.level ?? null, mode: value });
    modes.value = mode();
  });
  const library = choice("library of telling mazes", [["", "Library …"]], "", (value) => {
    const entry = bench.scene.hello.library[Number(value)];
    library.value = "";
    if (!entry) return;
    bench.change((state) => { Object.assign(state, structuredClone(entry.state), { asked: state.asked }); });
    bench.say(`${entry.name}: ${entry.words}`, "stay");
  });
  const text = buildTextDialog(bench);
  const facing = button("↔", () => bench.turnMouse(), { name: "turn the mouse", key: "t" });
  bench.turnMouse = () => bench.change((state) => { state.maze.facing = state.maze.facing === "left" ? "right" : "left"; });
  const label = make("span", { class: "mz-label" });
  bench.on("state", (state) => {
    if (document.activeElement !== seed) seed.value = state.maze.level ?? "";
    if (state.maze.mode !== modes.value) fillChoice(modes, ["hard", "easy"], state.maze.mode);
  });
  bench.on("maze", (maze) => put(label, `${maze.label}, ${maze.dim}×${maze.dim}, ${maze.count} cells`));
  bench.on("hello", (hello) => fillChoice(library, [["", "Library …"], ...hello.library.map((entry, i) => [String(i), entry.name])], ""));
  return [
    make("div", { class: "mz-bar" },
      make("span", { class: "mz-name", text: "level" }), seed, modes,
      button("Random", bench.loadRandom, { name: "random level", key: "r" }),
      button("First", bench.loadFirst, { name: "the first level that qualifies", key: "f" }),
      library, facing,
      button("Text …", () => text.present(), { name: "the maze as text: copy or paste", key: "x" })),
    label, text,
  ];
}

function buildTextDialog(bench) {
  const area = make("textarea", { class: "mz-text", rows: 27, cols: 30, spellcheck: "false", "aria-label": "maze as text, top row first: # wall, . free, M mouse, C cheese" });
  const line = make("p", { class: "mz-line", role: "status" });
  const dialog = make("dialog", { class: "mz-dialog", "aria-label": "The maze as text" },
    make("p", { class: "mz-small", text: "Top row first: # wall, . free, M mouse, C cheese. An odd square." }),
    area, line,
    make("div", { class: "mz-bar" },
      button("Use this text", () => use(area.value), { kind: "mz-first" }),
      button("Copy", async () => put(line, (await copyText(area.value)) ? "Copied." : "The browser does not allow it; select and copy by hand.")),
      button("Close", () => dialog.close())));
  const use = (given) => {
    try {
      const ascii = tidyMaze(given);
      if (ascii !== bench.store.state.maze.ascii) {
        bench.change((state) => { Object.assign(state.maze, { ascii, level: null }); });
      }
      dialog.close();
    } catch (error) {
      put(line, error.message);
    }
  };
  dialog.present = () => {
    area.value = bench.store.state.maze.ascii;
    put(line, "");
    dialog.showModal();
  };
  bench.showText = dialog.present;
  // A maze may also be pasted, or copied, anywhere on the page where no text is written.
  const around = bench.transport.notebook ? bench.root : document;
  around.addEventListener("paste", (event) => {
    if (writing(event.target) || !event.clipboardData) return;
    const given = event.clipboardData.getData("text");
    try {
      tidyMaze(given);
    } catch (error) {
      return bench.say(`What was pasted is no maze. ${error.message}`, "problem");
    }
    event.preventDefault();
    use(given);
  });
  around.addEventListener("copy", (event) => {
    if (writing(event.target) || String(getSelection()) || !event.clipboardData) return;
    event.clipboardData.setData("text/plain", bench.store.state.maze.ascii);
    event.preventDefault();
    bench.say("The maze is copied as text.");
  });
  return dialog;
}

function writing(node) {
  return node.matches?.("input:not([type=range]):not([type=checkbox]), textarea, select") || node.isContentEditable;
}
