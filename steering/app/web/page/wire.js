// Frames and the ways they travel: a WebSocket of the page's own server, or the messages of a notebook's widget.
//
// A frame: uint32 n (little-endian), n bytes of JSON (4 + n is a multiple of 8), then arrays, each padded to 8 bytes.

const KINDS = { f4: Float32Array, i4: Int32Array, u1: Uint8Array };
const FULL = 1013;  // the code of a server that has as many pages as it takes
const SOONEST = 250, LATEST = 5000;  // milliseconds until a lost connection is tried again

function encodeFrame(header) {
  const words = new TextEncoder().encode(JSON.stringify(header));
  const length = Math.ceil((4 + words.length) / 8) * 8 - 4;
  const frame = new Uint8Array(4 + length).fill(32);
  new DataView(frame.buffer).setUint32(0, length, true);
  frame.set(words, 4);
  return frame;
}

// The header of a frame with its arrays by name in `held`.
function decodeFrame(buffer) {
  const bytes = buffer instanceof Uint8Array ? buffer : new Uint8Array(buffer);
  const whole = bytes.byteOffset % 8 ? bytes.slice() : bytes;  // arrays must begin at multiples of their size
  const length = new DataView(whole.buffer, whole.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(whole.subarray(4, 4 + length)));
  let at = whole.byteOffset + 4 + length;
  header.held = {};
  for (const { name, dtype, shape } of header.arrays || []) {
    const kind = KINDS[dtype], size = shape.reduce((a, b) => a * b, 1);
    header.held[name] = new kind(whole.buffer, at, size);
    header.held[name].shape = shape;
    at += Math.ceil((size * kind.BYTES_PER_ELEMENT) / 8) * 8;
  }
  return header;
}

// A connection to the page's own server that comes back by itself; what is sent while it is lost is dropped, since the
// whole state is sent when it is open again.
function socketTransport(address) {
  const transport = { state: "lost", send, receive: () => {}, changed: () => {}, close };
  let socket = null, wait = SOONEST, closed = false, timer = 0;
  function open() {
    socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      wait = SOONEST;
      become("open");
    };
    socket.onmessage = (event) => transport.receive(event.data);
    socket.onclose = ({ code }) => {
      if (closed) return;
      if (code === FULL) wait = LATEST;
      become("lost");
      timer = setTimeout(open, wait);
      wait = Math.min(2 * wait, LATEST);
    };
  }
  function become(state) {
    if (transport.state === state) return;
    transport.state = state;
    transport.changed();
  }
  function send(frame) {
    if (transport.state === "open" && socket.readyState === 1) socket.send(frame);
  }
  function close() {
    closed = true;
    clearTimeout(timer);
    socket.close();
  }
  addEventListener("online", () => {
    if (transport.state === "open" || closed) return;
    clearTimeout(timer);
    wait = SOONEST;
    open();
  });
  open();
  return transport;
}

// The same over a notebook's widget: frames are buffers of its custom messages.
function widgetTransport(model) {
  const transport = { state: "open", send, receive: () => {}, changed: () => {}, close, notebook: true };
  function heard(_, buffers) {
    for (const buffer of buffers || []) {
      transport.receive(new Uint8Array(buffer.buffer || buffer, buffer.byteOffset || 0, buffer.byteLength));
    }
  }
  function send(frame) {
    model.send({}, undefined, [frame.buffer]);
  }
  function close() {
    model.off("msg:custom", heard);
  }
  model.on("msg:custom", heard);
  return transport;
}
