// The workbench as a whole: its parts in their places, in an element and over a transport.

const SLOW = { activations: "channels", causal: "causal", curve: "curve" };  // what an opened tab wants

function mount(root, transport) {
  root.classList.add("mz-root");
  if (transport.notebook) {
    root.dataset.lmSuppressShortcuts = "true";  // a notebook leaves the keys pressed here alone
    root.tabIndex = -1;  // and a click anywhere here lets them be heard
  }
  Object.assign(root.dataset, { ready: "false", connection: transport.state, theme: matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light" });
  const bench = makeBench(root, transport), keys = buildKeys();
  bench.turnLight = () => {
    root.dataset.theme = bench.dark() ? "light" : "dark";
    bench.tell("theme");
    bench.paint();
  };
  const arrowsOf = segments("whose arrows the large maze shows", PANELS.map((name) => [name, RUN_WORDS[name]]), "steered", (name) => bench.showRun(name));
  bench.showRun = (name) => {
    bench.view.run = name;
    arrowsOf.choose(name);
    bench.paint();
  };
  bench.on("state", (state) => {
    for (const part of arrowsOf.children) part.disabled = !state.panels.includes(part.dataset.value);
    arrowsOf.choose(shownRun(bench));
  });
  const [levels, label, textDialog] = buildMazeTools(bench);
  root.replaceChildren(
    buildTop(bench, keys),
    make("main", { class: "mz-main" },
      make("section", { class: "mz-left", "aria-label": "Maze" }, levels, make("div", { class: "mz-boardframe" }, buildBoard(bench)),
        make("div", { class: "mz-under" }, make("div", { class: "mz-bar" }, arrowsOf, make("span", { class: "mz-gap" }), label), buildReading(bench))),
      make("div", { class: "mz-right" }, buildNetwork(bench), buildEdits(bench), ...buildTabs(bench))),
    textDialog, keys);
  root.inert = true;  // until there is a state to act on
  bench.on("begun", () => { root.inert = false; });
  listenToKeys(bench, keys);
  const follow = () => bench.follow();
  if (!transport.notebook) addEventListener("hashchange", follow);
  const seen = new ResizeObserver(bench.paint);
  seen.observe(root);
  root.workbench = {
    get state() { return bench.store.state; },
    get fields() { return fieldsOf(bench.scene); },
    get history() { return { past: bench.store.past.length, future: bench.store.future.length }; },
    get sent() { return bench.newest; },
    get times() { return Object.fromEntries(bench.times); },  // of each state, in milliseconds: event, first arrows drawn, all drawn
    scene: bench.scene,
  };
  return () => {
    seen.disconnect();
    removeEventListener("hashchange", follow);
    transport.close();
    root.replaceChildren();
  };
}

function buildTop(bench, keys) {
  const agent = make("span", { class: "mz-agent" }), line = make("div", { class: "mz-said", role: "status" }), linked = make("span", { class: "mz-linked", role: "status" });
  const undo = button("Undo", () => bench.store.undo(), { key: "u" }), redo = button("Redo", () => bench.store.redo(), { key: "shift u" });
  let problem = false;
  let passing = false;
  const forget = whenQuiet(() => passing && put(line, ""), 9000);
  // A note passes; a problem and what is said of a maze (kind "stay") stand until something else is said.
  const say = (words, kind) => {
    passing = kind === "note";
    forget();
    problem = kind === "problem" && Boolean(words);
    put(line, words);
    line.title = words;
    line.classList.toggle("mz-problem", problem);
  };
  bench.on("said", ({ words, kind }) => say(words, kind));
  let refused = -1;
  bench.on("problem", (update) => {
    refused = update.answers ?? -1;
    say(update.what === "maze" && bench.scene.maze ? `${update.line}. The last good field stays.` : update.line, "problem");
    bench.root.dataset.problem = update.what;
  });
  bench.on("done", () => {
    if (!bench.root.dataset.problem || bench.done <= refused) return;
    delete bench.root.dataset.problem;
    say("", "note");
  });
  bench.on("state", () => {
    undo.disabled = !bench.store.past.length && bench.store.state === bench.store.settled;
    redo.disabled = !bench.store.future.length;
  });
  bench.on("hello", (hello) => {
    put(agent, hello.agent.name);
    agent.title = `SHA-256 ${hello.agent.sha256}`;
  });
  const tellConnection = (state) => put(linked, state === "lost" ? "connection lost, trying again …" : "");
  bench.on("connection", tellConnection);
  return make("header", { class: "mz-top" },
    make("strong", { text: "mazesteer" }), agent, line, linked,
    undo, redo, bench.transport.notebook ? null : button("Link", () => bench.copyLink(), { name: "copy the link", key: "l" }),
    button("◐", () => bench.turnLight(), { name: "light or dark", key: "d" }), button("Keys", () => keys.showModal(), { name: "list of keys", key: "?" }));
}

let mounted = 0;

function buildTabs(bench) {
  const own = `mz-${(mounted += 1)}`;
  const builders = { panels: buildPanels, activations: buildActivations, causal: buildCausal, rollouts: buildRollouts, curve: buildCurve, take: buildTakeaway };
  const bodies = {}, heads = {};
  for (const [name, words] of TABS) {
    heads[name] = make("button", {
      type: "button", role: "tab", class: "mz-tab", id: `${own}-tab-${name}`, "aria-controls": `${own}-body-${name}`, text: words, title: `${words}  [${TABS.findIndex(([each]) => each === name) + 1}]`,
      on: { click: () => bench.openTab(name) },
    });
    bodies[name] = make("div", { role: "tabpanel", class: "mz-body", id: `${own}-body-${name}`, "aria-labelledby": `${own}-tab-${name}` }, builders[name](bench));
  }
  bench.openTab = (name) => {
    bench.view.tab = name;
    for (const [each] of TABS) {
      heads[each].setAttribute("aria-selected", each === name);
      heads[each].tabIndex = each === name ? 0 : -1;
      bodies[each].hidden = each !== name;
    }
    if (bench.store.state) {
      for (const [tab, what] of Object.entries(SLOW)) bench.want(what, tab === name || (what === "curve" && bench.view.curve === "live"));
      const plain = ["none", "visits"].includes(bench.store.state.heat.kind) && !bench.view.linked && !bench.view.looked;
      if (name === "activations" && plain) bench.change((state) => { state.heat.kind = "norm"; }, "quiet");
      bench.view.looked ||= name === "activations";
    }
    bench.tell("view");
    bench.paint();
  };
  const strip = make("div", { class: "mz-tabs", role: "tablist", "aria-label": "Readings" }, ...Object.values(heads));
  strip.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const names = TABS.map(([name]) => name), next = names[(names.indexOf(bench.view.tab) + step + names.length) % names.length];
    bench.openTab(next);
    heads[next].focus();
  });
  bench.openTab("panels");
  // A link opens the readings that it asks for.
  bench.on("begun", ({ asked }) => bench.openTab(asked.includes("causal") ? "causal" : asked.includes("channels") ? "activations" : "panels"));
  return [strip, ...Object.values(bodies)];
}

// A notebook's cell, as anywidget asks for it: a message without a frame says that the page is there.
function render({ model, el }) {
  const root = make("div");
  el.append(root);
  const leave = mount(root, widgetTransport(model));
  model.send({});
  return leave;
}
