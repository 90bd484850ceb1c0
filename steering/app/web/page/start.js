// Put the workbench into its own page and connect it to the page's server.

import { mount, socketTransport } from "./workbench.js";

const scheme = location.protocol === "https:" ? "wss:" : "ws:";
mount(document.getElementById("workbench"), socketTransport(`${scheme}//${location.host}/socket${location.search}`));
