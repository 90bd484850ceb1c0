// Take it with you: texts that give exactly this view elsewhere, the vector file, pictures of panels, the link.

const TEXTS = [["python", "Python"], ["command", "Command line"], ["json", "JSON"]];

function buildTakeaway(bench) {
  const areas = Object.fromEntries(TEXTS.map(([name, words]) => [name, make("textarea", { class: "mz-text mz-taken", readonly: true, rows: name === "command" ? 4 : 8, spellcheck: "false", "aria-label": words })]));
  let of = "";
  const refresh = whenQuiet(async () => {
    if (bench.view.tab !== "take" || !bench.store.state || bench.root.dataset.ready === "refused") return;
    const text = JSON.stringify(bench.store.settled);
    if (text === of) return;
    of = text;
    try {
      const taken = await bench.ask("taken");
      for (const [name] of TEXTS) areas[name].value = typeof taken[name] === "string" ? taken[name] : JSON.stringify(taken[name], null, 2);
    } catch (error) {
      of = "";
      bench.say(error.message, "problem");
    }
  }, 300);
  bench.on("state done view", refresh);
  const copy = async (words, text) => bench.say((await copyText(text)) ? `${words} copied.` : "The browser does not allow it; select and copy by hand.");
  bench.copyLink = () => bench.transport.notebook ? bench.say("In a notebook the state is the widget's: read and set its .state.") : copy("Link", `${location.href.split("#")[0]}#${stateToHash(bench.store.settled)}`);
  const vector = button("Vector file", async () => {
    try {
      const { name, held } = await bench.ask("vector");
      download(name, held.bytes, "application/octet-stream");
      bench.say(`Saved ${name}.`);
    } catch (error) {
      bench.say(error.message, "problem");
    }
  }, { name: "download the vector of the first edit that has one" });
  const panels = PANELS.map((name) => make("div", { class: "mz-bar" }, make("span", { class: `mz-name mz-of-${name}`, text: RUN_WORDS[name] }),
    button("PNG", () => savePanel(bench, name, "png"), { name: `PNG of ${RUN_WORDS[name]}` }), button("SVG", () => savePanel(bench, name, "svg"), { name: `SVG of ${RUN_WORDS[name]}` })));
  return make("div", { class: "mz-part mz-takeaway" },
    make("div", { class: "mz-bar" }, bench.transport.notebook ? null : button("Copy the link", bench.copyLink, { key: "l" }), vector, button("Copy the maze", () => copy("Maze", bench.store.state.maze.ascii))),
    ...TEXTS.map(([name, words]) => make("div", {},
      make("div", { class: "mz-bar" }, make("h3", { text: words }), make("span", { class: "mz-gap" }), button("Copy", () => copy(words, areas[name].value), { name: `copy: ${words}` })), areas[name])),
    make("h3", { text: "Panels as pictures" }), make("div", { class: "mz-pictures" }, ...panels));
}
