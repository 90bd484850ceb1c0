// Rollouts: the clean and the steered mouse walk side by side with common random numbers; played, stepped, filmed.

const ENDS = { cheese: "reached the cheese", corner: "reached the top right", horizon: "still walking" };
const SPEEDS = [["2", "2 a second"], ["5", "5 a second"], ["10", "10 a second"], ["25", "25 a second"]];

function buildRollouts(bench) {
  const held = { seed: 0, walks: null, ends: {}, at: 0, maze: null, playing: false, last: 0, of: "" };
  const sides = ["clean", "steered"].map((run) => ({
    run, canvas: make("canvas", { class: "mz-field", role: "img", "aria-label": `Rollout: ${run}` }), end: make("span", { class: "mz-small" }),
  }));
  const bar = make("input", { type: "range", min: 0, max: 0, step: 1, value: 0, class: "mz-slider mz-wide", "aria-label": "step of the rollout" });
  const count = make("span", { class: "mz-number mz-steps" });
  const speed = choice("speed", SPEEDS, "5", () => {});
  const seed = make("input", { type: "number", min: 0, step: 1, value: 0, class: "mz-input mz-coefficient", "aria-label": "seed of the rollout" });
  seed.addEventListener("change", () => fetchWalks(Math.max(0, Math.round(Number(seed.value) || 0))));
  const play = button("Play", () => toggle(), { key: "space" });
  const length = () => (held.walks ? Math.max(...Object.values(held.walks).map((walk) => walk.length / 3)) : 1);

  // What rollouts depend on.
  const seen = () => JSON.stringify(["maze", "edits", "site", "horizon"].map((name) => bench.store.state[name]));
  async function fetchWalks(number) {
    const of = seen(), maze = bench.mazeNow(), asked = `${number} ${of}`;
    if (held.asked === asked) return;
    held.asked = asked;
    try {
      const update = await bench.ask("rollouts", { seed: number });
      if (held.asked !== asked) return;  // another was asked for meanwhile
      Object.assign(held, { seed: number, walks: { clean: update.held.clean, steered: update.held.steered }, ends: update.ends, of, at: 0, maze });
      seed.value = number;
      bar.max = length() - 1;
      show();
    } catch (error) {
      held.asked = "";
      bench.say(error.message, "problem");
    }
  }
  const refresh = whenQuiet(() => {
    if (bench.view.tab === "rollouts" && bench.store.state && bench.root.dataset.ready !== "refused" && held.of !== seen()) fetchWalks(held.seed);
  }, 300);
  bench.on("state done view", refresh);
  bench.on("view", () => held.playing && bench.view.tab !== "rollouts" && toggle());

  const go = (at) => {
    held.at = Math.min(Math.max(at, 0), length() - 1);
    show();
  };
  const toggle = () => {
    held.playing = !held.playing;
    if (held.playing && held.at >= length() - 1) held.at = 0;
    put(play, held.playing ? "Pause" : "Play");
    held.last = performance.now();
    if (held.playing) requestAnimationFrame(run);
  };
  const run = (now) => {
    if (!held.playing) return;
    if (now - held.last >= 1000 / Number(speed.value)) {
      held.last = now;
      go(held.at + 1);
      if (held.at >= length() - 1) return toggle();
    }
    requestAnimationFrame(run);
  };
  bench.player = { toggle, step: (by) => go(held.at + by), rewind: () => go(0) };
  bar.addEventListener("input", () => go(Number(bar.value)));
  const show = () => {
    bar.value = held.at;
    put(count, `${held.at} / ${length() - 1}`);
    bench.paint();
  };

  bench.onPaint(() => {
    const { scene } = bench;
    for (const { run: name, canvas, end } of sides) {
      const fitted = fitCanvas(canvas);
      if (!fitted || !scene.picture || !scene.maze || scene.maze.dim !== scene.picture.maze.dim) continue;
      const { context, side } = fitted, frame = frameOf(scene.maze, side), walk = held.walks?.[name];
      const fits = walk && held.maze?.dim === scene.maze.dim;
      const steps = fits ? walk.length / 3 : 1, at = Math.min(held.at, steps - 1);
      const eaten = fits && held.ends[name] === "cheese" && at === steps - 1;
      drawPicture(context, scene.picture, frame, { ...scene.maze, cheese: eaten ? null : scene.maze.cheese }, ["mouse"]);
      veil(context, side, bench.dark(), 0.25);
      if (!fits) continue;
      paintWalk(context, frame, walk, at, name, bench.dark());
      if (!eaten) drawSprite(context, scene.picture, frame, "cheese", frame.middle(scene.maze.cheese));
      const turned = walk[3 * at + 2] !== scene.picture.maze.facing;
      drawSprite(context, scene.picture, frame, "mouse", frame.middle([walk[3 * at], walk[3 * at + 1]]), { mirrored: turned });
      put(end, at < steps - 1 ? `${at} moves` : `${ENDS[held.ends[name]] || held.ends[name] || ""}, ${steps - 1} moves`);
    }
  });
  const film = button("Save as film", async () => {
    bench.say("The film is made …");
    try {
      const { path } = await bench.ask("film", { seed: held.seed });
      bench.say(`Saved ${path}.`);
    } catch (error) {
      bench.say(error.message, "problem");
    }
  });
  return make("div", { class: "mz-part" },
    make("div", { class: "mz-bar" }, button("|‹", () => go(0), { name: "rewind", key: "home" }), button("‹", () => go(held.at - 1), { name: "step back", key: "," }), play,
      button("›", () => go(held.at + 1), { name: "step", key: "." }), bar, count),
    make("div", { class: "mz-bar" }, make("label", { class: "mz-field-of" }, make("span", { text: "seed" }), seed), button("Another", () => fetchWalks(held.seed + 1), { name: "another seed" }),
      make("label", { class: "mz-field-of" }, make("span", { text: "speed" }), speed), make("span", { class: "mz-gap" }), film),
    make("div", { class: "mz-walks" }, ...sides.map(({ run: name, canvas, end }) => make("section", { class: "mz-panel" }, make("header", {}, make("h3", { class: `mz-of-${name}`, text: name }), make("span", { class: "mz-gap" }), end), canvas))),
    make("p", { class: "mz-small", text: "Both walk with the same random numbers: where they part, the edit made them part." }));
}

function paintWalk(context, frame, walk, at, name, dark) {
  context.beginPath();
  for (let k = 0; k <= at; k++) context.lineTo(...frame.middle([walk[3 * k], walk[3 * k + 1]]));
  context.lineCap = context.lineJoin = "round";
  context.globalAlpha = 0.85;
  for (const [colour, width] of [[dark ? "#000" : "#fff", 0.3], [name === "steered" ? (dark ? "#ff9a4d" : TRICK) : dark ? "#ddd" : "#444", 0.16]]) {
    context.strokeStyle = colour;
    context.lineWidth = width * frame.unit;
    context.stroke();
  }
  context.globalAlpha = 1;
}
