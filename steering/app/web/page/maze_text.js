// A maze as text: rows from the top, # wall, . free, M mouse, C cheese. Cells count from the bottom left.

function readMaze(ascii) {
  const rows = ascii.split("\n"), dim = rows.length;
  const maze = { dim, free: new Uint8Array(dim * dim), mouse: null, cheese: null };
  rows.forEach((row, down) => {
    for (let x = 0; x < dim; x++) {
      const y = dim - 1 - down, sign = row[x];
      maze.free[y * dim + x] = sign !== "#" && sign !== undefined ? 1 : 0;
      if (sign === "M") maze.mouse = [x, y];
      if (sign === "C") maze.cheese = [x, y];
    }
  });
  return maze;
}

function writeMaze(maze) {
  const rows = [];
  for (let y = maze.dim - 1; y >= 0; y--) {
    let row = "";
    for (let x = 0; x < maze.dim; x++) {
      if (sameCell(maze.mouse, [x, y])) row += "M";
      else if (sameCell(maze.cheese, [x, y])) row += "C";
      else row += maze.free[y * maze.dim + x] ? "." : "#";
    }
    rows.push(row);
  }
  return rows.join("\n");
}

function sameCell(a, b) {
  return Boolean(a && b) && a[0] === b[0] && a[1] === b[1];
}

function inMaze(maze, [x, y]) {
  return x >= 0 && y >= 0 && x < maze.dim && y < maze.dim;
}

function isFree(maze, cell) {
  return inMaze(maze, cell) && maze.free[cell[1] * maze.dim + cell[0]] === 1;
}

// Move the mouse or the cheese; false where it cannot stand.
function placeSprite(maze, which, cell) {
  const other = which === "mouse" ? "cheese" : "mouse";
  if (!isFree(maze, cell) || sameCell(maze[other], cell) || sameCell(maze[which], cell)) return false;
  maze[which] = [...cell];
  return true;
}

// Open or wall a cell; false where the mouse or the cheese stands on it, or nothing changes.
function setFree(maze, cell, free) {
  if (!inMaze(maze, cell) || sameCell(maze.mouse, cell) || sameCell(maze.cheese, cell)) return false;
  const at = cell[1] * maze.dim + cell[0];
  if (maze.free[at] === (free ? 1 : 0)) return false;
  maze.free[at] = free ? 1 : 0;
  return true;
}

const MOST_ROWS = 25;  // of procgen's largest maze

// A pasted text without what surrounds it; throws a line of words where it cannot be a maze.
function tidyMaze(text) {
  const rows = text.replaceAll("\r", "").split("\n").map((row) => row.trim()).filter((row) => row);
  const odd = rows.findIndex((row) => row.length !== rows.length);
  if (rows.length > MOST_ROWS) throw new Error(`There are ${rows.length} rows: a maze has at most ${MOST_ROWS}.`);
  if (rows.length < 3) throw new Error("A maze has at least three rows: write them from the top.");
  if (odd >= 0) throw new Error(`Row ${odd + 1} has ${rows[odd].length} signs and there are ${rows.length} rows: a maze is square.`);
  const strange = rows.join("").match(/[^#.MC]/);
  if (strange) throw new Error(`The sign ${JSON.stringify(strange[0])} means nothing: write # . M C.`);
  for (const [sign, name] of [["M", "mouse"], ["C", "cheese"]]) {
    const count = rows.join("").split(sign).length - 1;
    if (count !== 1) throw new Error(`There are ${count} signs ${sign}: a maze has one ${name}.`);
  }
  return rows.join("\n");
}
