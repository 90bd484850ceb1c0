// Making elements, and numbers as text. Text from outside is only ever set as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

// An element of HTML: `facts` are attributes, but for text, on (listeners by event) and properties that begin with a dot.
function make(tag, facts = {}, ...parts) {
  return furnish(document.createElement(tag), facts, parts);
}

// An element of a drawing, by the same rules.
function draw(tag, facts = {}, ...parts) {
  return furnish(document.createElementNS(SVG, tag), facts, parts);
}

function furnish(node, facts, parts) {
  for (const [name, value] of Object.entries(facts)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") node.textContent = value;
    else if (name === "on") for (const [event, heard] of Object.entries(value)) node.addEventListener(event, heard);
    else if (name.startsWith(".")) node[name.slice(1)] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...parts.filter((part) => part !== null && part !== undefined));
  return node;
}

// A button with words; `key` is the key that does the same, told in its tip.
function button(words, press, { name, key, kind = "", ...facts } = {}) {
  const tip = (name || words) + (key ? `  [${key}]` : "");
  const named = name ? { "aria-label": name } : {};
  return make("button", { type: "button", class: `mz-button ${kind}`, title: tip, text: words, on: { click: press }, ...named, ...facts });
}

// A choice: `choices` are [value, words] or plain values.
function choice(name, choices, value, chosen, facts = {}) {
  const list = make("select", { class: "mz-select", "aria-label": name, title: name, ...facts });
  fillChoice(list, choices, value);
  list.addEventListener("change", () => chosen(list.value));
  return list;
}

function fillChoice(list, choices, value) {
  const pairs = choices.map((each) => (Array.isArray(each) ? each : [each, each]));
  if (value !== undefined && value !== null && !pairs.some(([own]) => own === value)) pairs.push([value, String(value)]);
  list.replaceChildren(...pairs.map(([own, words]) => make("option", { value: own, text: words })));
  list.value = value;
}

function checkbox(words, checked, changed, facts = {}) {
  const box = make("input", { type: "checkbox", ".checked": checked, ...facts });
  box.addEventListener("change", () => changed(box.checked));
  return make("label", { class: "mz-check" }, box, make("span", { text: words }));
}

// One of a few, side by side, as radio buttons do it: arrow keys choose.
function segments(name, choices, value, chosen) {
  const group = make("div", { class: "mz-segments", role: "radiogroup", "aria-label": name });
  const parts = choices.map(([own, words]) => make("button", {
    type: "button", role: "radio", class: "mz-segment", text: words, "data-value": own,
    on: { click: () => pick(own) },
  }));
  function pick(own) {
    group.choose(own);
    chosen(own);
  }
  group.choose = (own) => {
    for (const part of parts) {
      const on = part.dataset.value === own;
      part.setAttribute("aria-checked", on);
      part.tabIndex = on ? 0 : -1;
    }
  };
  group.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const open = parts.filter((part) => !part.disabled);
    const next = open[(open.indexOf(document.activeElement) + step + open.length) % open.length];
    next.focus();
    pick(next.dataset.value);
  });
  group.append(...parts);
  group.choose(value);
  return group;
}

// A number in a width that stays: .931, -1.250, a dash where there is none.
function decimals(value, places = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const text = Math.abs(value).toFixed(places);
  const short = Math.abs(value) < 1 && !text.startsWith("1") ? text.slice(1) : text;
  return (value < 0 && Number(text) !== 0 ? "−" : "") + short;
}

function signed(value, places = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "";
  return (Number(value.toFixed(places)) > 0 ? "+" : "") + decimals(value, places);
}

// Put a text where it is not there already, so that nothing is laid out anew for nothing.
function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Hand a file to the person.
function download(name, bytes, type) {
  const address = URL.createObjectURL(new Blob([bytes], { type }));
  const link = make("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = make("textarea", { class: "mz-away", ".value": text });
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

// What is done at most once a frame, however often it is asked for.
function oncePerFrame(work) {
  let waiting = 0;
  return () => {
    waiting ||= requestAnimationFrame(() => {
      waiting = 0;
      work();
    });
  };
}

// What is done at the latest so many milliseconds after it was asked for, once for all askings until then.
function atMostEvery(work, milliseconds) {
  let timer = 0;
  return () => {
    timer ||= setTimeout(() => {
      timer = 0;
      work();
    }, milliseconds);
  };
}

// What is done when nothing more has been asked for during a while.
function whenQuiet(work, milliseconds) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, milliseconds);
  };
}
