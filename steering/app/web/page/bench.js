// The page's middle: holds the state, sends it, takes in what is answered, tells the parts. One a page or widget.

const KEPT_SENT = 64;  // states sent whose answers may still come
const FRAME = 15;  // milliseconds between two states sent
const REST = 60;  // milliseconds between two paintings of arrows that come one after the other
const PATIENCE = 350;  // milliseconds until numbers that are not yet new are drawn faintly

function makeBench(root, transport) {
  const heard = {}, painters = [], sent = new Map(), waiting = new Map();
  let seq = 0, lastSent = "", fadeTimer = 0, greeted = false, changedAt = 0, sentAt = -Infinity, planned = false;
  const bench = {
    root, transport, scene: makeScene(), done: -1, newest: -1, times: new Map(),
    view: { tab: "panels", run: "steered", pointed: null, curve: "none", faint: 1, picking: null, picture: true },
  };

  bench.on = (events, act) => events.split(" ").forEach((event) => (heard[event] ||= []).push(act));
  bench.tell = (event, facts) => (heard[event] || []).forEach((act) => act(facts));
  bench.onPaint = (painter) => painters.push(painter);
  bench.paint = oncePerFrame(() => {
    painters.forEach((painter) => painter());
    const time = bench.times.get(bench.scene.seq);
    if (time?.came && !time.first) time.first = performance.now();
    if (time && !time.whole && bench.store.state.panels.every((name) => wholeField(bench.scene.runs, name))) time.whole = performance.now();
  });
  const paintSoon = atMostEvery(bench.paint, REST);
  bench.dark = () => root.dataset.theme === "dark";
  bench.say = (words, kind = "note") => bench.tell("said", { words, kind });

  // -- the state, out ------------------------------------------------------------------------
  const sendState = () => {
    planned = false;
    const text = JSON.stringify(bench.store.state);
    if (text === lastSent) changedAt = 0;
    if (text === lastSent || transport.state !== "open" || !greeted) return;
    lastSent = text;
    seq += 1;
    bench.newest = seq;
    sent.set(seq, bench.store.state);
    sent.delete(seq - KEPT_SENT);
    bench.times.set(seq, { event: changedAt || performance.now(), came: 0, first: 0, whole: 0 });
    bench.times.delete(seq - KEPT_SENT);
    changedAt = 0;
    root.dataset.ready = "false";
    transport.send(encodeFrame({ type: "state", seq, state: bench.store.state }));
    sentAt = performance.now();
    bench.tell("sent");
  };
  const sendLater = oncePerFrame(sendState);
  // At most one state a frame: the first at once (when all that an event changes is changed), the next with the frame.
  const flush = () => {
    if (planned) return;
    planned = true;
    if (performance.now() - sentAt > FRAME) queueMicrotask(sendState);
    else sendLater();
  };
  const keepAddress = whenQuiet(() => {
    if (!transport.notebook) history.replaceState(null, "", `#${stateToHash(bench.store.settled)}`);
  }, 200);
  bench.store = makeStore((state) => {
    changedAt ||= performance.now();
    flush();
    keepAddress();
    bench.tell("state", state);
    bench.paint();
  });
  bench.change = (alter, how) => bench.store.state && bench.store.change(alter, how);
  bench.ask = (what, facts = {}) => new Promise((answered, refused) => {
    if (transport.state !== "open") return refused(new Error("The connection is lost; it is tried again."));
    seq += 1;
    waiting.set(seq, { answered, refused });
    transport.send(encodeFrame({ type: "ask", seq, what, state: bench.store.state, ...facts }));
  });
  // Want or no longer want one of the slow readings.
  bench.want = (what, wanted) => bench.change((state) => {
    const others = state.asked.filter((own) => own !== what);
    state.asked = wanted ? [...others, what].sort() : others;
  }, "quiet");

  // -- answers, in -----------------------------------------------------------------------------
  const scene = bench.scene;
  const mazeOf = (update) => JSON.stringify(sent.get(update.answers)?.maze);
  // Whether a reading is of the maze of the state, and not of one before.
  bench.current = (reading) => reading.maze === JSON.stringify(bench.store.state.maze);
  const take = {
    hello(update) {
      if (scene.hello && scene.hello.agent.sha256 !== update.agent.sha256) Object.assign(scene, makeScene());  // another agent's numbers
      scene.hello = update;
      greeted = true;
      lastSent = "";
      if (!bench.store.state) {
        bench.tell("hello", update);
        bench.store.begin(firstState(update));
        bench.view.begun = true;
        bench.tell("begun", bench.store.state);
      } else {
        bench.tell("hello", update);
        bench.tell("state", bench.store.state);
        flush();
      }
    },
    // A notebook has set the state.
    state(update) {
      if (bench.store.state) bench.change((own) => Object.assign(own, update.state));
    },
    maze(update) {
      const state = sent.get(update.answers);
      if (!state || update.answers < scene.seq) return;
      const maze = takeMaze(scene, update, state.maze);
      createImageBitmap(new Blob([update.held.picture], { type: "image/png" })).then((bitmap) => {
        if (scene.picture && scene.picture.seq > update.answers) return bitmap.close();
        scene.picture?.bitmap.close();
        scene.picture = { ...takePicture(bitmap, maze), seq: update.answers };
        bench.paint();
      });
      clearTimeout(fadeTimer);
      bench.view.faint = 1;
      fadeTimer = setTimeout(() => {
        bench.view.faint = 0.35;
        bench.paint();
      }, PATIENCE);
      bench.tell("maze", maze);
    },
    field(update) {
      if (!takeField(scene, update)) return;
      const time = bench.times.get(update.answers);
      if (time) time.came ||= performance.now();
      bench.tell("field", update);
    },
    outcome: (update) => takeOutcome(scene, update) && bench.tell("outcome", update),
    heat(update) {
      scene.heat = update;
      bench.tell("heat", update);
    },
    channels(update) {
      scene.channels = { ...update, maze: mazeOf(update) };
      bench.tell("channels", update);
    },
    curve(update) {
      scene.curve = { ...update, maze: mazeOf(update) };
      bench.tell("curve", update);
    },
    causal(update) {
      if (update.answers !== scene.causalSeq) scene.causal = new Map();
      scene.causalSeq = update.answers;
      scene.causal.set(update.site, { ...update, effect: update.held.effect });
      bench.tell("causal", update);
    },
    problem(update) {
      if (update.what === "heat" && update.answers === bench.newest) scene.heat = null;  // the site has no such map
      const ask = waiting.get(update.answers);
      waiting.delete(update.answers);
      if (ask) ask.refused(new Error(update.line));
      else if (update.answers >= bench.newest || update.answers <= 0) {
        const refused = update.answers === bench.newest && ["maze", "edit", "state"].includes(update.what);
        if (refused) root.dataset.ready = "refused";
        if (refused && !scene.maze && beginAnew(update)) return;
        bench.tell("problem", update);
      }
    },
    done(update) {
      bench.done = update.answers;
      root.dataset.seq = update.answers;
      if (update.answers === bench.newest) {
        clearTimeout(fadeTimer);
        bench.view.faint = 1;
        root.dataset.ready = "true";
      }
      bench.tell("done", update);
    },
  };
  transport.receive = (frame) => {
    const update = decodeFrame(frame);
    const ask = waiting.get(update.answers);
    if (ask && update.type === "field") return;  // a step of long work, such as a film's, that shows nothing
    if (ask && update.type !== "problem") {
      waiting.delete(update.answers);
      ask.answered(update);
    } else if (take[update.type] && (["hello", "problem", "state"].includes(update.type) || update.answers >= scene.seq)) {
      take[update.type](update);
    }
    const more = update.type === "field" && bench.times.get(update.answers)?.first && !wholeField(scene.runs, update.panel);
    if (more) paintSoon();  // between the first arrows and the last: painting takes the processor from the network
    else bench.paint();
  };
  transport.changed = () => {
    root.dataset.connection = transport.state;
    if (transport.state === "lost") {
      greeted = false;
      root.dataset.ready = "false";
      for (const { refused } of waiting.values()) refused(new Error("The connection was lost; it is tried again."));
      waiting.clear();
    }
    bench.tell("connection", transport.state);
  };

  // A link that this agent cannot show, before anything else is shown: the page's own edits or all of its state, as a step.
  function beginAnew({ line, what }) {
    const before = bench.store.state, { edits, site, ...rest } = structuredClone(scene.hello.state);
    if (what === "edit") bench.change((own) => Object.assign(own, { edits, site }));
    if (bench.store.state === before) bench.change((own) => Object.assign(own, { edits, site, ...rest }));
    if (bench.store.state === before) return false;
    bench.say(`What was asked for cannot be shown: ${line}. ${what === "edit" ? "The edits begin" : "The page begins"} anew.`, "stay");
    return true;
  }

  function firstState(hello) {
    if (transport.notebook) return hello.state;
    try {
      const held = stateFromHash(location.hash, hello.state);
      bench.view.linked ||= Boolean(held);
      return held || hello.state;
    } catch {
      bench.say("The link holds no state that can be read; the page begins anew.");
      return hello.state;
    }
  }
  // A link opened in this very page, or a step back to one.
  bench.follow = () => {
    if (!bench.store.state || location.hash === `#${stateToHash(bench.store.settled)}`) return;
    const state = firstState(scene.hello);
    bench.change((own) => Object.assign(own, state));
  };

  // The site of a name, long or short, as the network has it.
  bench.siteOf = (name) => scene.hello?.sites.find((site) => site.name === name || site.short === name);
  bench.chosenSite = () => bench.siteOf(bench.store.state?.site);
  bench.chooseSite = (site) => bench.change((state) => { state.site = site.name; });
  // The maze of the state as text was read, which is newer than the one that the server has answered.
  let readText = "", read = null;
  bench.mazeNow = () => {
    const text = bench.store.state.maze.ascii;
    if (text !== readText) [readText, read] = [text, readMaze(text)];
    return read;
  };
  bench.alterMaze = (alter, how) => bench.change((state) => {
    const maze = readMaze(state.maze.ascii);
    if (alter(maze) === false) return false;
    state.maze.ascii = writeMaze(maze);
  }, how);
  bench.point = (cell) => {
    if (sameCell(cell, bench.view.pointed) || (!cell && !bench.view.pointed)) return;
    bench.view.pointed = cell;
    bench.tell("pointed", cell);
    bench.paint();
  };
  return bench;
}
