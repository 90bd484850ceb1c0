// A page that says only what it is told: until the workbench's own pieces stand here.

function socketTransport(address) {
  const transport = { state: "lost", receive: () => {}, send: (frame) => socket.send(frame) };
  const socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => { transport.state = "open"; };
  socket.onmessage = (event) => transport.receive(event.data);
  return transport;
}

function encodeFrame(header) {
  const words = new TextEncoder().encode(JSON.stringify(header));
  const frame = new Uint8Array(Math.ceil((4 + words.length) / 8) * 8).fill(32);
  new DataView(frame.buffer).setUint32(0, frame.length - 4, true);
  frame.set(words, 4);
  return frame;
}

function mount(root, transport) {
  const log = root.appendChild(document.createElement("pre"));
  transport.receive = (buffer) => {
    const size = new DataView(buffer).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, size)));
    log.textContent += JSON.stringify(header).slice(0, 300) + "\n";
    if (header.type === "hello") transport.send(encodeFrame({ type: "state", seq: 1, state: header.state }));
    if (header.type === "done") root.dataset.seq = header.answers;
  };
}

function render({ el }) { el.textContent = "mazesteer"; }
