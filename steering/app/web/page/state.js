// The state that the page owns: changed by steps, undone by steps, held in the address of the page.

const MOST_UNDONE = 500;
const VIEWED = ["asked"];  // of the state, what undo leaves as it is

// `said(state)` is called after every change.
function makeStore(said) {
  const store = { state: null, settled: null, past: [], future: [] };
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

  store.begin = (state) => {
    store.state = store.settled = state;
    store.past.length = store.future.length = 0;
    said(state);
  };
  // Change a copy of the state. A step can be undone; a passing change (of a slider that is still moved) is part of the
  // step that follows; a quiet one is not worth a step.
  store.change = (alter, how = "step") => {
    const next = structuredClone(store.state);
    if (alter(next) === false) return;
    if (!same(next, store.state)) {
      const moving = store.state !== store.settled;
      store.state = next;
      if (how === "quiet") {
        store.settled = moving ? structuredClone(store.settled) : next;
        if (moving) alter(store.settled);
      }
      said(next);
    }
    if (how === "step") store.settle();
  };
  store.settle = () => {
    if (same(store.state, store.settled)) return;
    store.past.push(store.settled);
    if (store.past.length > MOST_UNDONE) store.past.shift();
    store.future.length = 0;
    store.settled = store.state;
    said(store.state);
  };
  const travel = (from, to) => {
    if (!from.length) return false;
    to.push(store.settled);
    const kept = Object.fromEntries(VIEWED.map((name) => [name, store.state[name]]));
    store.state = store.settled = { ...from.pop(), ...kept };
    said(store.state);
    return true;
  };
  store.undo = () => {
    store.settle();
    return travel(store.past, store.future);
  };
  store.redo = () => travel(store.future, store.past);
  return store;
}

function stateToHash(state) {
  const bytes = new TextEncoder().encode(JSON.stringify(state));
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

// The state in the address, or null; parts that it lacks are those of `plain`. Throws where it is no state.
function stateFromHash(hash, plain) {
  const text = hash.replace(/^#/, "");
  if (!text) return null;
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const found = JSON.parse(new TextDecoder().decode(Uint8Array.from(binary, (sign) => sign.charCodeAt(0))));
  if (typeof found !== "object" || found === null || Array.isArray(found)) throw new Error("no state");
  const merged = filledIn(found, plain), texts = (list) => list.every((each) => typeof each === "string");
  const edits = merged.edits.every((edit) => typeof edit?.text === "string" && typeof edit.on === "boolean");
  if (!edits || !texts(merged.panels) || !texts(merged.asked)) throw new Error("no state");
  return merged;
}

// The parts that `plain` has, from `found` where they are there; throws where one is of another type.
function filledIn(found, plain) {
  return Object.fromEntries(Object.entries(plain).map(([name, own]) => {
    const given = found[name] === undefined ? own : found[name], record = own !== null && typeof own === "object" && !Array.isArray(own);
    const fits = own === null || (given === null && !record) || (typeof own === typeof given && Array.isArray(own) === Array.isArray(given));
    if (!fits) throw new Error(name);
    return [name, record ? filledIn(given, own) : given];
  }));
}
