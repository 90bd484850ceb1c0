// Vector fields over a maze: arrows, shades and marks, on a canvas and as SVG.

const UNIT = 0.85, SHORTEST = 0.02;  // of a cell: the arrow of a vector of length 1; shorter ones are not drawn
const CHANGE = 0.75;  // opacity of a cell whose moves differ wholly

// The corners of an arrow in pixels: [tail, tip, barb, barb], or null where it is too short.
function arrowShape(frame, cell, x, y) {
  const length = UNIT * Math.hypot(x, y);
  if (!(length > SHORTEST)) return null;
  const [px, py] = frame.middle(cell), unit = frame.unit;
  const ax = (UNIT * x) / length, ay = (-UNIT * y) / length;
  const half = (length * unit) / 2, head = Math.min(0.3, 0.5 * length) * unit, wide = 0.6 * head;
  const tip = [px + ax * half, py + ay * half], base = [tip[0] - head * ax, tip[1] - head * ay];
  return [[px - ax * half, py - ay * half], tip, [base[0] - ay * wide, base[1] + ax * wide], [base[0] + ay * wide, base[1] - ax * wide]];
}

// Widths in pixels: of a line, and of what its halo adds.
function strokeOf({ unit, side }) {
  const width = Math.min(Math.max(1.2, 0.075 * unit), 0.0065 * side + 0.6);
  return { width, rim: unit < 10 ? 0 : Math.min(Math.max(1.6, 0.07 * unit), 3) };
}

function trace(context, shapes) {
  context.beginPath();
  for (const [tail, tip, one, other] of shapes) {
    context.moveTo(...tail);
    context.lineTo(...tip);
    context.moveTo(...one);
    context.lineTo(...tip);
    context.lineTo(...other);
  }
}

// Draw the arrows of a panel. `look`: ink, halo, shade (colours), faint (opacity of those that are not yet new).
function drawArrows(context, frame, maze, arrows, look) {
  for (const { cell, shade } of arrows) {
    if (shade === null || shade < 0.005) continue;
    const [x, y] = maze.cells[cell];
    context.globalAlpha = CHANGE * Math.min(shade, 1);
    context.fillStyle = look.shade;
    context.fillRect(frame.left(x), frame.top(y), frame.unit, frame.unit);
  }
  context.lineCap = context.lineJoin = "round";
  const { width, rim } = strokeOf(frame);
  for (const fresh of [false, true]) {
    const shapes = arrows.filter((each) => each.fresh === fresh)
      .map(({ cell, x, y }) => arrowShape(frame, maze.cells[cell], x, y)).filter((shape) => shape);
    if (!shapes.length) continue;
    context.globalAlpha = fresh ? 1 : look.faint;
    trace(context, shapes);
    if (rim) {
      context.strokeStyle = look.halo;
      context.lineWidth = width + rim;
      context.stroke();
    }
    context.strokeStyle = look.ink;
    context.lineWidth = width;
    context.stroke();
  }
  context.globalAlpha = 1;
}

// The edges between walls and free cells, where a map hides the picture.
function drawWalls(context, frame, maze) {
  context.beginPath();
  for (const [x, y] of maze.cells) {
    const left = frame.left(x), top = frame.top(y), right = left + frame.unit, bottom = top + frame.unit;
    for (const [beside, from, to] of [[[x - 1, y], [left, top], [left, bottom]], [[x + 1, y], [right, top], [right, bottom]],
      [[x, y + 1], [left, top], [right, top]], [[x, y - 1], [left, bottom], [right, bottom]]]) {
      if (isFree(maze, beside)) continue;
      context.moveTo(...from);
      context.lineTo(...to);
    }
  }
  for (const [colour, width] of [["rgba(255,255,255,.55)", 3], ["rgba(0,0,0,.85)", 1.2]]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke();
  }
}

// Rings and squares: the decision square, the top right, the cell pointed at.
function drawMarks(context, frame, { decision, region, dim, pointed, dark }) {
  if (region) {
    const low = Math.max(dim - region, 0), side = (dim - low) * frame.unit;
    context.setLineDash([5, 4]);
    context.strokeStyle = dark ? "#3BA3E0" : CORNER;
    context.lineWidth = 1.5;
    context.strokeRect(frame.left(low) + 1, frame.top(dim - 1) + 1, side - 2, side - 2);
    context.setLineDash([]);
  }
  if (decision) bracket(context, frame, decision);
  if (pointed) {
    const inset = Math.max(1, 0.04 * frame.unit);
    for (const [colour, width] of [["#000", 4], ["#fff", 2]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.strokeRect(frame.left(pointed[0]) + inset, frame.top(pointed[1]) + inset, frame.unit - 2 * inset, frame.unit - 2 * inset);
    }
  }
}

// The four corners around a cell, three points each.
function cornersOf(frame, [x, y]) {
  const low = 0.06 * frame.unit, arm = 0.26 * frame.unit, far = frame.unit - low, left = frame.left(x), top = frame.top(y);
  return [[low, low, 1, 1], [far, low, -1, 1], [far, far, -1, -1], [low, far, 1, -1]]
    .map(([a, b, dx, dy]) => [[left + a + dx * arm, top + b], [left + a, top + b], [left + a, top + b + dy * arm]]);
}

function bracketWidth(frame) {
  return Math.max(1.5, 0.09 * frame.unit);
}

function bracket(context, frame, cell) {
  context.beginPath();
  for (const [from, ...on] of cornersOf(frame, cell)) {
    context.moveTo(...from);
    on.forEach((point) => context.lineTo(...point));
  }
  context.strokeStyle = DECISION;
  context.lineWidth = bracketWidth(frame);
  context.stroke();
}

// A panel as SVG: the picture as it lies there (a data URI), the shades, the arrows and the marks.
function panelAsSvg(title, side, pictureUri, frame, maze, arrows, look, marks) {
  const round = (value) => value.toFixed(2);
  const escaped = title.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${side} ${side}" width="${side}" height="${side}" role="img">`,
    `<title>${escaped}</title>`,
    `<image href="${pictureUri}" width="${side}" height="${side}"/>`,
  ];
  for (const { cell, shade } of arrows) {
    if (shade === null || shade < 0.005) continue;
    const [x, y] = maze.cells[cell], unit = round(frame.unit);
    lines.push(`<rect x="${round(frame.left(x))}" y="${round(frame.top(y))}" width="${unit}" height="${unit}" fill="${look.shade}" fill-opacity="${round(CHANGE * Math.min(shade, 1))}"/>`);
  }
  const path = arrows.map(({ cell, x, y }) => arrowShape(frame, maze.cells[cell], x, y)).filter((shape) => shape)
    .map(([tail, tip, one, other]) => {
      const [t, p, a, b] = [tail, tip, one, other].map((point) => point.map(round).join(" "));
      return `M${t}L${p}M${a}L${p}L${b}`;
    }).join("");
  const { width, rim } = strokeOf(frame);
  for (const [colour, wide] of [[look.halo, width + rim], [look.ink, width]]) {
    lines.push(`<path d="${path}" fill="none" stroke="${colour}" stroke-width="${round(wide)}" stroke-linecap="round" stroke-linejoin="round"/>`);
  }
  if (marks.decision) {
    const corners = cornersOf(frame, marks.decision).map((points) => `M${points.map((point) => point.map(round).join(" ")).join("L")}`).join("");
    lines.push(`<path d="${corners}" fill="none" stroke="${DECISION}" stroke-width="${round(bracketWidth(frame))}"/>`);
  }
  lines.push("</svg>");
  return lines.join("\n");
}
