// The intervention: edits one above the other, each switched on and off, each with the controls of its kind.

const MOST_EDITS = 16;
const HINTS = { channels: "all", index: "c+row+col", seed: "0" };

function buildEdits(bench) {
  const list = make("div", { class: "mz-edits", role: "list" }), none = make("p", { class: "mz-small", text: "Nothing is edited: the steered run is the clean one.", hidden: true });
  let rows = [], offered = null;
  const presets = choice("add an edit", [["", "Add an edit …"]], "", (text) => {
    presets.value = "";
    if (text) addEdit(bench, text);
  });
  bench.addFirst = () => {
    presets.focus();
    try {
      presets.showPicker();
    } catch {
      // an older browser: the arrow keys choose
    }
  };
  const all = button("All off", () => bench.toggleEdits(), { name: "switch all edits off or on", key: "e" });
  bench.toggleEdits = () => bench.change((state) => {
    const on = state.edits.some((edit) => edit.on);
    state.edits.forEach((edit) => { edit.on = !on; });
  });
  // A step of the coefficient of the first edit that has one and is switched on.
  bench.nudge = (step) => bench.change((state) => {
    const edit = state.edits.find((own) => own.on && /^(subtract|add)/.test(own.text));
    if (!edit) return false;
    const read = readEdit(edit.text);
    const now = Number(read.fields.coefficient ?? 1), most = Math.max(3, Math.abs(now));  // a number typed may be beyond the slider
    read.fields.coefficient = String(Math.min(Math.max(Math.round((now + step) * 100) / 100, -most), most));
    edit.text = writeEdit(read);
  });

  const refill = () => {
    const { hello } = bench.scene, site = bench.chosenSite();
    if (site === offered) return;
    offered = site;
    if (hello) fillChoice(presets, [["", "Add an edit …"], ...presetEdits(hello, site).map(([words, text]) => [text, words])], "");
  };
  bench.on("state", (state) => {
    const kinds = state.edits.map((edit) => readEdit(edit.text).kind).join(" ");
    if (kinds !== list.dataset.kinds) {
      list.dataset.kinds = kinds;
      const focused = focusIn(list);
      rows = state.edits.map((edit, k) => buildEdit(bench, k));
      list.replaceChildren(...rows.map(({ node }) => node));
      if (focused && !refocus(list, focused)) presets.focus();
    }
    rows.forEach((row, k) => row.update(state.edits[k]));
    none.hidden = state.edits.length > 0;
    presets.disabled = state.edits.length >= MOST_EDITS;
    all.disabled = !state.edits.length;
    put(all, state.edits.some((edit) => edit.on) || !state.edits.length ? "All off" : "All on");
    refill();
  });
  bench.on("hello", () => {
    list.dataset.kinds = "?";  // another server may know other vectors
    offered = null;
  });
  return make("section", { class: "mz-intervention", "aria-label": "Intervention" },
    make("div", { class: "mz-bar" }, make("span", { class: "mz-name", text: "intervention" }), presets, all),
    list, none);
}

// The name of the control of a list that has the focus, if one has.
function focusIn(list) {
  const now = list.getRootNode().activeElement;
  return list.contains(now) ? now.getAttribute("aria-label") : null;
}

// Give the focus to the control of that name; where its row is gone, to the same of the row before.
function refocus(list, name) {
  for (let k = Number(/\d+/.exec(name)); k > 0; k--) {
    const found = list.querySelector(`[aria-label="${name.replace(/\d+/, k)}"]`);
    if (found) {
      found.focus();
      return true;
    }
  }
  return false;
}

function addEdit(bench, text) {
  bench.change((state) => {
    if (state.edits.length >= MOST_EDITS) return false;
    state.edits.push({ on: true, text });
  });
}

function buildEdit(bench, k) {
  const { hello } = bench.scene;
  const first = readEdit(bench.store.state.edits[k].text), fields = hello.kinds[first.kind] || Object.keys(first.fields);
  const alter = (work, how) => bench.change((state) => {
    const edit = state.edits[k];
    if (!edit) return false;
    const read = readEdit(edit.text), made = work(read) || read;
    const text = writeEdit(made);
    if (text === edit.text) return false;
    edit.text = text;
  }, how);
  const set = (name) => (value, how) => alter((read) => { read.fields[name] = value; }, how);
  const number = `edit ${k + 1}`;
  const on = make("input", { type: "checkbox", "aria-label": `${number} is on`, title: "on or off" });
  on.addEventListener("change", () => bench.change((state) => { state.edits[k].on = on.checked; }));
  const kind = choice(`${number}: kind`, Object.keys(hello.kinds), first.kind,
    (value) => alter((read) => turnedInto(read, value, hello.kinds, bench.siteOf(read.fields.site || bench.store.state.site))));
  const updates = [], top = [], below = [];
  const has = (name) => fields.includes(name);
  if (has("vector")) {
    const names = [...hello.taken, ...hello.vectors].map((name) => [name, `${name}${hello.vectors.includes(name) ? "" : " vector"}`.replace(/(activation.*) vector/, "$1")]);
    const vector = choice(`${number}: vector`, names, first.fields.vector || "cheese", (value) => alter((read) => withVector(read, value, hello)));
    updates.push((read) => setChoice(vector, names, read.fields.vector || "cheese"));
    top.push(vector);
  }
  if (has("site")) {
    const names = [["", "the chosen site"], ...hello.sites.map((site) => [site.short, site.short])];
    const site = choice(`${number}: site`, names, "", set("site"), { class: "mz-select mz-sitechoice" });
    updates.push((read) => setChoice(site, names, read.fields.site ? bench.siteOf(read.fields.site)?.short ?? read.fields.site : ""));
    top.push(make("span", { class: "mz-small", text: "at" }), site);
  }
  if (has("coefficient")) below.push(coefficientOf(number, set("coefficient"), bench, updates));
  const cellChoice = (name, plain) => {
    const picked = choice(`${number}: ${name}`, plain, "", (value) => {
      if (value !== "pick") return set(name)(value);
      picked.value = readEdit(bench.store.state.edits[k].text).fields[name] || "";
      bench.view.picking = (cell) => set(name)(cell.join("+"));
      bench.say("Click a cell of the large maze, or point at one by arrow keys and press Enter.");
      bench.root.querySelector(".mz-board").focus();
    });
    updates.push((read) => setChoice(picked, plain, read.fields[name] || ""));
    return picked;
  };
  if (has("taken")) {
    const taken = cellChoice("taken", [["", "start"], ["mean", "mean of states"], ["pick", "pick a cell …"], ["level:0", "another level …"]]);
    const level = make("input", { type: "number", min: 0, step: 1, class: "mz-input mz-level", "aria-label": `${number}: level that the vector is taken in` });
    level.addEventListener("change", () => set("taken")(`level:${Math.max(0, Math.round(Number(level.value) || 0))}`));
    const field = make("label", { class: "mz-field-of" }, make("span", { text: "taken" }), taken, level);
    updates.push((read) => {
      const other = /^level:(\d+)$/.exec(read.fields.taken || "");
      level.hidden = !other;
      if (other && document.activeElement !== level) level.value = other[1];
      field.hidden = !isTaken(read.fields.vector, hello);
      for (const option of taken.options) option.disabled = atStart(read.fields.vector) && ["mean", "pick"].includes(option.value);
    });
    below.push(field);
  }
  if (has("place")) {
    const places = [["", "everywhere"], ...hello.places.map((name) => [name, name]), ["pick", "pick a cell …"]];
    below.push(make("label", { class: "mz-field-of" }, make("span", { text: "place" }), cellChoice("place", places)));
  }
  for (const name of fields) {
    if (["vector", "site", "coefficient", "place", "taken"].includes(name)) continue;
    const input = make("input", { class: `mz-input mz-of-field-${name}`, "aria-label": `${number}: ${name}`, placeholder: HINTS[name] || "", spellcheck: "false", maxlength: 200 });
    const field = make("label", { class: "mz-field-of" }, make("span", { text: name }), input);
    input.addEventListener("change", () => set(name)(["channels", "index"].includes(name) ? listOfNumbers(input.value) : input.value.replace(/[,=]/g, "").trim()));
    updates.push((read) => {
      if (document.activeElement !== input) input.value = read.fields[name] || "";
      field.hidden = name === "seed" && read.fields.vector !== "random";
    });
    below.push(field);
  }
  const move = (step) => {
    const to = k + step, count = bench.store.state.edits.length;
    if (to < 0 || to >= count) return;
    bench.change((state) => { [state.edits[k], state.edits[to]] = [state.edits[to], state.edits[k]]; });
    bench.root.querySelector(`[aria-label="move edit ${to + 1} up"]`)?.focus();
  };
  top.push(make("span", { class: "mz-gap" }),
    button("↑", () => move(-1), { name: `move ${number} up`, kind: "mz-quiet" }),
    button("×", () => bench.change((state) => { state.edits.splice(k, 1); }), { name: `remove ${number}`, kind: "mz-quiet" }));
  const node = make("div", { class: "mz-edit", role: "listitem", "aria-label": number }, make("div", { class: "mz-bar" }, on, kind, ...top), make("div", { class: "mz-bar mz-below" }, ...below));
  const update = (edit) => {
    on.checked = edit.on;
    node.classList.toggle("mz-off", !edit.on);
    const read = readEdit(edit.text);
    kind.value = read.kind;
    updates.forEach((each) => each(read));
  };
  return { node, update };
}

// Whether a vector is taken in a maze at a place that can be chosen.
function isTaken(vector, hello) {
  return vector === undefined || (hello.taken.includes(vector) && !vector.endsWith("-mean"));
}

// Whether a vector is taken with the mouse at its start alone, here or in another level.
function atStart(vector) {
  return vector === "top-right";
}

// The edit with another vector, without the fields that belong to the one before.
function withVector(read, vector, hello) {
  read.fields.vector = vector;
  if (vector !== "random") delete read.fields.seed;
  if (!isTaken(vector, hello) || (atStart(vector) && !/^level:/.test(read.fields.taken || ""))) delete read.fields.taken;
  if (hello.vectors.includes(vector)) delete read.fields.site;
}

function setChoice(list, names, value) {
  if (list.value === value) return;
  if ([...list.options].some((option) => option.value === value)) list.value = value;
  else fillChoice(list, names, value);
}

// A slider from -3 to 3 whose every movement counts, beside a number that may go beyond.
function coefficientOf(number, set, bench, updates) {
  const slider = make("input", { type: "range", min: -3, max: 3, step: 0.05, class: "mz-slider", "aria-label": `${number}: coefficient`, title: "coefficient; double click: 1" });
  const exact = make("input", { type: "number", step: "any", class: "mz-input mz-coefficient", "aria-label": `${number}: coefficient in figures` });
  const tidy = (value) => String(Math.round(value * 1e6) / 1e6);
  slider.addEventListener("input", () => {
    exact.value = tidy(Number(slider.value));
    set(tidy(Number(slider.value)), "passing");
  });
  const settle = whenQuiet(() => bench.store.settle(), 300);  // so that keys pressed one after the other are one step
  slider.addEventListener("change", settle);
  slider.addEventListener("dblclick", () => set("1"));
  exact.addEventListener("change", () => exact.value !== "" && set(tidy(Number(exact.value))));
  updates.push((read) => {
    const value = read.fields.coefficient ?? "1";
    if (document.activeElement !== slider || Number(slider.value) !== Number(value)) slider.value = value;
    if (document.activeElement !== exact) exact.value = value;
  });
  return make("label", { class: "mz-field-of" }, make("span", { text: "×" }), slider, exact);
}
