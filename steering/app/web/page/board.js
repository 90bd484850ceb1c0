// The large maze: drag the mouse and the cheese, open and wall cells, point at a cell, all by pointer or by keys.

const SPRITES = ["mouse", "cheese"];

function buildBoard(bench) {
  const canvas = make("canvas", {
    class: "mz-board", tabindex: 0, role: "application", "aria-roledescription": "maze",
    "aria-label": "Maze. Arrow keys point at a cell; M puts the mouse there, C the cheese, W opens or walls it.",
  });
  const drag = { what: null, at: null, cell: null, moved: false };

  const paint = () => {
    const { scene, view } = bench, fitted = fitCanvas(canvas);
    if (!fitted || !scene.picture || !scene.maze) return;
    const { context, side } = fitted, wanted = bench.mazeNow();
    const shown = wanted.dim === scene.picture.maze.dim ? wanted : scene.picture.maze;
    const frame = frameOf(scene.picture.maze, side), run = shownRun(bench);
    const hidden = SPRITES.filter((each) => each === drag.what).concat(run === "no_cheese" && drag.what !== "cheese" ? ["cheese"] : []);
    drawPicture(context, scene.picture, frame, shown, hidden);
    veil(context, side, bench.dark(), 0.3);
    for (const which of SPRITES) if (!hidden.includes(which)) drawSprite(context, scene.picture, frame, which, frame.middle(shown[which]));
    if (scene.maze.dim === scene.picture.maze.dim) {
      const arrows = arrowsOf(scene, run, bench.store.state.facing).filter(({ cell }) => isFree(shown, scene.maze.cells[cell]));
      drawArrows(context, frame, scene.maze, arrows, lookOf(bench));
      drawMarks(context, frame, { decision: scene.maze.decision, region: 5, dim: scene.maze.dim, pointed: drag.what ? null : view.pointed, dark: bench.dark() });
    }
    if (SPRITES.includes(drag.what)) drawSprite(context, scene.picture, frame, drag.what, drag.at, { scale: 1.25 });
  };
  bench.onPaint(paint);

  const pick = (cell) => {
    bench.view.picking(cell);
    bench.view.picking = null;
    bench.say("");
  };
  const place = (event) => {
    const box = canvas.getBoundingClientRect(), maze = bench.scene.picture?.maze;
    if (!maze || maze.dim !== bench.mazeNow().dim) return null;
    const at = [event.clientX - box.left, event.clientY - box.top];
    const cell = frameOf(maze, canvas.clientWidth).cellAt(...at);
    return { at, cell: inMaze(maze, cell) ? cell : null };
  };
  canvas.addEventListener("pointerdown", (event) => {
    const found = event.button === 0 && place(event);
    if (!found || !found.cell) return;
    if (bench.view.picking) {
      pick(found.cell);
      return;
    }
    const maze = bench.mazeNow(), sprite = SPRITES.find((which) => sameCell(maze[which], found.cell));
    canvas.setPointerCapture(event.pointerId);
    drag.what = sprite || (isFree(maze, found.cell) ? "wall" : "open");
    drag.at = found.at;
    drag.cell = found.cell;
    if (!sprite) bench.alterMaze((text) => setFree(text, found.cell, drag.what === "open"), "passing");
    canvas.classList.add("mz-dragging");
    bench.paint();
  });
  canvas.addEventListener("pointermove", (event) => {
    const found = place(event);
    if (!found) return;
    if (drag.what) {
      drag.at = found.at;
      if (found.cell && !sameCell(found.cell, drag.cell)) {
        drag.cell = found.cell;
        const act = SPRITES.includes(drag.what)
          ? (text) => placeSprite(text, drag.what, found.cell)
          : (text) => setFree(text, found.cell, drag.what === "open");
        bench.alterMaze(act, "passing");
      }
      bench.paint();
    } else {
      const maze = bench.mazeNow(), over = found.cell && SPRITES.some((which) => sameCell(maze[which], found.cell));
      canvas.style.cursor = bench.view.picking ? "crosshair" : over ? "grab" : "pointer";
    }
    bench.point(found.cell);
  });
  const release = () => {
    if (!drag.what) return;
    drag.what = null;
    canvas.classList.remove("mz-dragging");
    bench.store.settle();
    bench.paint();
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => !drag.what && bench.point(null));

  canvas.addEventListener("keydown", (event) => {
    if (!bench.store.state || event.ctrlKey || event.metaKey || event.altKey) return;
    const maze = bench.mazeNow(), cell = bench.view.pointed || maze.mouse;
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    const act = {
      m: (text) => placeSprite(text, "mouse", cell), c: (text) => placeSprite(text, "cheese", cell),
      w: (text) => setFree(text, cell, !isFree(text, cell)),
    }[event.key.toLowerCase()];
    if (step) {
      const next = [cell[0] + step[0], cell[1] + step[1]];
      if (inMaze(maze, next)) bench.point(bench.view.pointed ? next : cell);
    } else if (event.key === "Enter" && bench.view.picking) {
      pick(cell);
    } else if (act) {
      bench.point(cell);
      bench.alterMaze(act);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return canvas;
}

// The panel whose arrows the large maze shows: the one chosen, or the first that is computed.
function shownRun(bench) {
  const { view, store } = bench;
  return store.state.panels.includes(view.run) ? view.run : store.state.panels[0] || "clean";
}

function lookOf(bench) {
  const dark = bench.dark();
  return {
    ink: dark ? "#ffffff" : "#14161a", halo: dark ? "rgba(0,0,0,.75)" : "rgba(255,255,255,.8)", shade: dark ? "#ff9a4d" : TRICK, faint: bench.view.faint,
  };
}
