// Colours of the page's drawings: those of the house, each with its one meaning (steering/marks/colours.py).

const TRICK = "#D55E00", CHEESE = "#E69F00", CORNER = "#0072B2", ABLE = "#009E73", DECISION = "#C2608F";
const CIVIDIS = ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838"];
const BLUE_ORANGE = ["#053061", "#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#f7f7f7", "#fddbc7", "#f4a582", "#d6604d", "#b2182b", "#67001f"];

function parts(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

const LADDERS = new Map([CIVIDIS, BLUE_ORANGE].map((scale) => [scale, Array.from({ length: 256 }, (_, i) => {
  const at = (i / 255) * (scale.length - 1), low = Math.min(Math.floor(at), scale.length - 2), share = at - low;
  const [a, b] = [parts(scale[low]), parts(scale[low + 1])];
  return a.map((own, k) => Math.round(own + share * (b[k] - own)));
})]));

// The colour [r, g, b] of a share 0..1 along a scale.
function onScale(scale, share) {
  const at = Math.round(255 * Math.min(Math.max(Number.isFinite(share) ? share : 0, 0), 1));
  return LADDERS.get(scale)[at];
}

function scaleFor(low) {
  return low < 0 ? BLUE_ORANGE : CIVIDIS;
}

// A map of numbers as a small picture, one pixel each.
function mapPicture(map, height, width, low, high, scale, opacity = () => 255) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d"), image = context.createImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    const share = high > low ? (map[i] - low) / (high - low) : 0;
    const [r, g, b] = onScale(scale, share);
    image.data.set([r, g, b, opacity(share)], 4 * i);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

// The key of a scale: a strip with its ends in numbers.
function drawKey(canvas, scale) {
  const context = canvas.getContext("2d");
  for (let x = 0; x < canvas.width; x++) {
    const [r, g, b] = onScale(scale, x / (canvas.width - 1));
    context.fillStyle = `rgb(${r},${g},${b})`;
    context.fillRect(x, 0, 1, canvas.height);
  }
}
