// The picture of a maze on a canvas: procgen's own, cut to the maze, with what is not yet in it drawn over it.
//
// The picture has 512 pixels for `world` cells; cell (x, y) of the maze is at world cell (x + margin, y + margin), y up.

const PICTURE = 512;
const EDGES = { mouse: ABLE, cheese: CHEESE };  // colours around the two, which are hard to see in a large maze
const RIM = 0.35;  // cells shown around the maze

// The frame of a maze on a square of `side` pixels: where cells lie, and back.
function frameOf(maze, side) {
  const shown = Math.min(maze.dim + 2 * RIM, maze.world);
  const unit = side / shown, rim = (shown - maze.dim) / 2;
  return {
    side, unit, rim,
    left: (x) => (rim + x) * unit,
    top: (y) => (rim + maze.dim - 1 - y) * unit,
    middle: ([x, y]) => [(rim + x + 0.5) * unit, (rim + maze.dim - y - 0.5) * unit],
    cellAt: (px, py) => [Math.floor(px / unit - rim), Math.floor(rim + maze.dim - py / unit)],
    // From pixels of the whole picture (of `of` pixels a side) to the square.
    fromPicture: (px, py, of = PICTURE) => {
      const cell = of / maze.world, low = maze.world - maze.margin - maze.dim;
      return [(px / cell - maze.margin + rim) * unit, (py / cell - low + rim) * unit];
    },
    toPicture: (px, py, of = PICTURE) => {
      const cell = of / maze.world, low = maze.world - maze.margin - maze.dim;
      return [(px / unit - rim + maze.margin) * cell, (py / unit - rim + low) * cell];
    },
  };
}

// The picture that a server has sent, with the maze that is in it and cut-outs of its sprites.
function takePicture(bitmap, maze) {
  const cell = PICTURE / maze.world;
  const cut = ([x, y]) => [(x + maze.margin) * cell, (maze.world - 1 - y - maze.margin) * cell, cell, cell];
  const plain = (wanted) => {
    for (let y = 0; y < maze.dim; y++) {
      for (let x = 0; x < maze.dim; x++) {
        const at = [x, y];
        if (isFree(maze, at) === wanted && !sameCell(at, maze.mouse) && !sameCell(at, maze.cheese)) return cut(at);
      }
    }
    return null;
  };
  return { bitmap, maze, cut, floor: plain(true), wall: plain(false) };
}

// Draw `wanted` (a maze as text was read; its cheese may be null) by a picture of a maze that may differ in some cells.
// `hidden` names sprites that are drawn elsewhere.
function drawPicture(context, picture, frame, wanted, hidden = []) {
  const { bitmap, maze } = picture;
  const [x0, y0] = frame.toPicture(0, 0), [x1, y1] = frame.toPicture(frame.side, frame.side);
  context.imageSmoothingEnabled = true;
  context.fillStyle = "#464a52";
  context.fillRect(0, 0, frame.side, frame.side);
  context.drawImage(bitmap, x0, y0, x1 - x0, y1 - y0, 0, 0, frame.side, frame.side);
  if (!wanted || wanted.dim !== maze.dim) return;
  const tile = (from, [x, y]) => {
    const left = Math.floor(frame.left(x)), top = Math.floor(frame.top(y));
    const right = Math.ceil(frame.left(x + 1)), bottom = Math.ceil(frame.top(y - 1));
    if (from) context.drawImage(bitmap, ...from, left, top, right - left, bottom - top);
    else {
      context.fillStyle = "#333";
      context.fillRect(left, top, right - left, bottom - top);
    }
  };
  for (let i = 0; i < maze.free.length; i++) {
    if (maze.free[i] !== wanted.free[i]) tile(wanted.free[i] ? picture.floor : picture.wall, [i % maze.dim, Math.floor(i / maze.dim)]);
  }
  for (const which of ["mouse", "cheese"]) {
    const own = maze[which], now = hidden.includes(which) ? null : wanted[which];
    if (!own || sameCell(own, now)) continue;
    if (isFree(wanted, own)) tile(picture.floor, own);
  }
  for (const which of ["mouse", "cheese"]) {
    const own = maze[which], now = hidden.includes(which) ? null : wanted[which];
    if (own && now && !sameCell(own, now)) drawSprite(context, picture, frame, which, frame.middle(now));
  }
}

// Draw a sprite on its tile with its middle at a point of the square; `mirrored` looks the other way.
function drawSprite(context, picture, frame, which, [px, py], { scale = 1, mirrored = false } = {}) {
  const own = picture.maze[which];
  if (!own) return;
  const size = frame.unit * scale;
  context.save();
  context.translate(px, py);
  if (mirrored) context.scale(-1, 1);
  context.beginPath();
  context.roundRect(-size / 2, -size / 2, size, size, 0.18 * size);
  context.clip();
  context.drawImage(picture.bitmap, ...picture.cut(own), -size / 2, -size / 2, size, size);
  context.strokeStyle = EDGES[which];
  context.lineWidth = 2 * Math.max(1.5, 0.05 * size);  // its outer half is cut off
  context.stroke();
  context.restore();
}

// Make the picture paler (or darker on a dark page), so that what lies over it is read with ease.
function veil(context, side, dark, strength) {
  context.fillStyle = dark ? `rgba(16,16,16,${strength})` : `rgba(255,255,255,${strength})`;
  context.fillRect(0, 0, side, side);
}

// Fit a canvas to its size on the page; returns its context in pixels of the page, or null while it is not shown.
function fitCanvas(canvas) {
  const side = canvas.clientWidth;
  if (!side) return null;
  const fine = Math.min(window.devicePixelRatio || 1, 2), wanted = Math.round(side * fine);
  if (canvas.width !== wanted) canvas.width = canvas.height = wanted;
  const context = canvas.getContext("2d");
  context.setTransform(wanted / side, 0, 0, wanted / side, 0, 0);
  return { context, side };
}
