// The network as a diagram: each site a box, the trunk above, branches below; coloured by a curve, chosen by a click.

const WIDEST = 737, NARROWEST = 17.4, TALL = 40, TRUNK_Y = 4, BRANCH_Y = 56;  // pixels

function buildNetwork(bench) {
  const picture = draw("svg", { class: "mz-network", role: "radiogroup", "aria-label": "Sites of the network" });
  const line = make("div", { class: "mz-siteline" });
  const curves = choice("colour of the sites", [["none", "not coloured"]], "none", (value) => {
    bench.view.curve = value;
    bench.want("curve", value === "live" || bench.view.tab === "curve");
    recolour();
  }, { class: "mz-select mz-wideselect" });
  let boxes = [], over = null;

  bench.on("hello", (hello) => {
    boxes = drawSites(picture, hello.sites, (site) => bench.chooseSite(site), (site) => {
      over = site;
      tell();
    });
    const known = Object.keys(hello.curves || {});
    const wanted = (hello.state.asked || []).includes("curve") ? "live" : known[0] || "live";
    bench.view.curve = bench.view.curve === "none" ? wanted : bench.view.curve;
    fillChoice(curves, [["live", "blindness in this maze"], ...known.map((name) => [name, `${name}, of the run`]), ["none", "not coloured"]], bench.view.curve);
    choose();
  });
  // A link opens with the live curve if it asks for it.
  bench.on("begun", (state) => {
    const other = Object.keys(bench.scene.hello.curves || {})[0] || "none";
    if (bench.view.linked) bench.view.curve = curves.value = state.asked.includes("curve") ? "live" : other;
    bench.want("curve", bench.view.curve === "live");
    recolour();
  });
  bench.on("state", () => {
    if (bench.view.begun && bench.view.curve === "live" && !bench.store.state.asked.includes("curve")) bench.want("curve", true);
    choose();
  });
  bench.on("curve", () => recolour());
  bench.stepSite = (step) => {
    const sites = bench.scene.hello.sites, now = sites.indexOf(bench.chosenSite());
    bench.chooseSite(sites[Math.min(Math.max(now + step, 0), sites.length - 1)]);
  };
  bench.siteReading = (k) => readingOf(bench, k);

  function recolour() {
    boxes.forEach(({ fill }, k) => {
      const value = readingOf(bench, k);
      fill.setAttribute("fill-opacity", value === null ? 0 : Math.min(Math.max(value, 0), 1).toFixed(3));
    });
    tell();
  }
  function choose() {
    const chosen = bench.chosenSite(), edited = new Set(editedSites(bench));
    boxes.forEach(({ group, site }) => {
      group.setAttribute("aria-checked", site === chosen);
      group.setAttribute("tabindex", site === chosen ? 0 : -1);
      group.classList.toggle("mz-edited", edited.has(site));
      if (site === chosen && picture.contains(document.activeElement)) group.focus();
    });
    recolour();
  }
  function tell() {
    const site = over || bench.chosenSite();
    if (!site) return;
    const value = readingOf(bench, bench.scene.hello.sites.indexOf(site));
    const facts = [site.shape.join("×"), site.trunk === false ? "branch" : "trunk", site.mark && `“${site.mark}”`, site.duplicate && "same as the site before"];
    line.title = site.name;
    const stale = bench.view.curve === "live" && bench.scene.curve !== null && !bench.current(bench.scene.curve);
    picture.classList.toggle("mz-older", stale);
    put(line, `${site.short} · ${facts.filter((fact) => fact).join(" · ")}${bench.view.curve === "none" ? "" : ` · ${curveWords(bench)} ${stale ? "(measuring)" : decimals(value)}`}`);
  }
  return make("section", { class: "mz-networkpart", "aria-label": "Network" },
    make("div", { class: "mz-bar mz-oneline" }, make("span", { class: "mz-name", text: "network" }), line, curves),
    make("div", { class: "mz-scroll" }, picture));
}

// Sites at which an edit that is switched on stands.
function editedSites(bench) {
  const { state } = bench.store;
  return state ? state.edits.filter((edit) => edit.on).map((edit) => bench.siteOf(readEdit(edit.text).fields.site || state.site)) : [];
}

function readingOf(bench, k) {
  const { view, scene } = bench;
  const held = view.curve === "live" ? scene.curve?.held.blindness[k] : scene.hello?.curves?.[view.curve]?.[scene.hello.sites[k].name];
  return held === undefined || held === null || !Number.isFinite(held) ? null : held;
}

function curveWords(bench) {
  return bench.view.curve === "live" ? "blindness here" : bench.view.curve;
}

function drawSites(picture, sites, chosen, pointed) {
  const step = Math.min(Math.max(NARROWEST, WIDEST / sites.length), 3 * NARROWEST), box = Math.min(0.69 * step, 22), at = new Map();
  const width = Math.max(sites.length * step + 6, WIDEST), below = sites.some((site) => site.trunk === false) ? BRANCH_Y + TALL + 8 : TALL + 16;
  picture.replaceChildren();
  picture.setAttribute("viewBox", `0 0 ${width} ${below + 16}`);
  sites.forEach((site, k) => {
    const side = site.shape.length === 3 ? site.shape[2] : 1, tall = 12 + ((TALL - 12) * Math.log2(Math.max(side, 1))) / 6;
    const row = site.trunk === false ? BRANCH_Y : TRUNK_Y;
    at.set(site.name, { x: k * step + 4, y: row + (TALL - tall) / 2, tall, middle: row + TALL / 2 });
  });
  const wires = draw("g", { class: "mz-wires" });
  for (const site of sites) {
    const to = at.get(site.name);
    for (const name of site.inputs || []) {
      const from = at.get(name);
      if (!from) continue;
      const [x0, x1] = [from.x + box, to.x], bend = Math.min(step, (x1 - x0) / 2 + 3);
      wires.append(draw("path", {
        d: from.middle === to.middle ? `M${x0} ${from.middle}H${x1}` : `M${x0} ${from.middle}C${x0 + bend} ${from.middle} ${x1 - bend} ${to.middle} ${x1} ${to.middle}`,
      }));
    }
  }
  picture.append(wires);
  const boxes = sites.map((site) => {
    const { x, y, tall } = at.get(site.name), body = { x, y, width: box, height: tall, rx: 2 };
    const fill = draw("rect", { ...body, class: "mz-fill", "fill-opacity": 0 });
    const group = draw("g", {
      class: `mz-site${site.mark ? ` mz-${site.mark}` : ""}`, role: "radio", "aria-checked": false, tabindex: -1, "data-site": site.name,
      "aria-label": `${site.short}, ${site.shape.join(" by ")}, ${site.trunk === false ? "branch" : "trunk"}`,
      on: { click: () => chosen(site), pointerenter: () => pointed(site), pointerleave: () => pointed(null) },
    }, draw("rect", { ...body, class: "mz-ground" }), fill, draw("rect", { ...body, class: "mz-box" }), draw("rect", { x: x - (step - box) / 2, y: 0, width: step, height: below, class: "mz-catch" }),
    draw("path", { class: "mz-pin", d: `M${x + box / 2 - 4} ${below - 2}l4 -6l4 6z` }));
    group.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      const next = boxes[boxes.findIndex((own) => own.site === site) + step];
      if (!next) return;
      next.group.focus();
      chosen(next.site);
    });
    picture.append(group);
    return { group, fill, site };
  });
  nameBlocks(picture, sites, at, box, below);
  return boxes;
}

// A name under each run of sites whose names begin alike (block1, block2), and under what stands by itself at the end.
function nameBlocks(picture, sites, at, box, below) {
  let first = 0;
  const start = (site) => site.short.split(".")[0];
  for (let k = 1; k <= sites.length; k++) {
    if (k < sites.length && start(sites[k]) === start(sites[first])) continue;
    if (k - first > 1) {
      const left = at.get(sites[first].name).x, right = at.get(sites[k - 1].name).x + box;
      picture.append(draw("path", { class: "mz-span", d: `M${left} ${below + 1}H${right}` }),
        draw("text", { x: (left + right) / 2, y: below + 13, "text-anchor": "middle", text: start(sites[first]) }));
    }
    first = k;
  }
}
