// The page of the app: where its websocket is, and what is said when it ends.
// The terminal itself is textual-serve's textual.js, which starts when the page has loaded.
"use strict";

const LOST = {
  title: "The connection ended",
  text: "Nothing answers any more where this page came from. What was saved is safe, and training goes on.",
  hint: "If batman serve or the tunnel to it has ended, start it again and open the link that it prints.",
};
// RFC 6455, 7.4.1
const TOO_BIG = 1009;
const TOO_MUCH = {
  title: "Too much at once",
  text: "More was pasted than one message to the app may hold, which is 1 MB.",
  hint: "Bring large things in as a file.",
};

function show(ending) {
  const body = document.body;
  if (body.classList.contains("-ended")) return;
  body.classList.add("-ended");
  for (const part of ["title", "text", "hint", "detail"]) {
    const element = document.getElementById(part);
    element.textContent = ending[part] ?? "";
    element.hidden = !ending[part];
  }
  document.getElementById("ended").hidden = false;
  document.getElementById("again").focus();
}

// A picture of the app lies over the cells of the terminal that it has, in the page's own pixels.
// `at` is column, line, width and height in cells, of so many columns and lines; without it the
// picture is gone, and without an address it is the one that it was.
const pictures = new Map();

function lay({ key, at, address }) {
  const there = document.querySelector("#terminal .xterm-screen");
  let image = pictures.get(key);
  if (!at || !there) {
    image?.remove();
    pictures.delete(key);
    return;
  }
  if (!image) {
    image = document.createElement("img");
    image.className = "app-picture";
    image.alt = "";
    pictures.set(key, image);
  }
  if (address) image.src = address;
  const [column, line, width, height, columns, lines] = at;
  image.style.left = `${(100 * column) / columns}%`;
  image.style.top = `${(100 * line) / lines}%`;
  image.style.width = `${(100 * width) / columns}%`;
  image.style.height = `${(100 * height) / lines}%`;
  if (image.parentElement !== there) there.append(image);
}

// The server tells how the app ended in a message of its own, which textual.js passes over.
class Heard extends WebSocket {
  constructor(address) {
    super(address);
    this.addEventListener("message", (event) => {
      if (typeof event.data === "string") {
        const [kind, told] = JSON.parse(event.data);
        if (kind === "ended") show(told);
        else if (kind === "picture") lay(told);
        return;
      }
      this.tellCell();
      if (document.activeElement === document.body) {
        // Something is drawn: the keyboard is the app's.
        document.querySelector(".xterm-helper-textarea")?.focus();
      }
    });
    const asked = new URL(address).searchParams;
    this.cells = [Number(asked.get("width")), Number(asked.get("height"))];
    this.addEventListener("close", (event) => show(event.code === TOO_BIG ? TOO_MUCH : LOST));
  }

  // textual.js says how many cells there are; how large one is, pictures have to know.
  tellCell() {
    const [columns, lines] = this.cells;
    const screen = document.querySelector("#terminal .xterm-screen");
    if (this.told || !screen || !columns || !lines) return;
    this.told = true;
    // About as many pixels as there are, in whole numbers that have the proportion best.
    const [wide, high] = [screen.clientWidth / columns, screen.clientHeight / lines];
    const off = (size) => Math.abs(size.height / size.width / (high / wide) - 1);
    let best = null;
    for (let scale = 1; scale <= 1.6; scale += 0.05) {
      const size = { width: Math.round(scale * wide), height: Math.round(scale * high) };
      if (!best || off(size) < off(best)) best = size;
    }
    this.send(JSON.stringify(["cell", best]));
  }
}
window.WebSocket = Heard;

document.addEventListener("DOMContentLoaded", () => {
  // Where the page was opened: a tunnel or a proxy has another address than the server.
  const address = new URL("ws", location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const terminal = document.getElementById("terminal");
  terminal.dataset.sessionWebsocketUrl = address.href;
  const size = parseInt(new URLSearchParams(location.search).get("fontsize"), 10);
  terminal.dataset.fontSize = size >= 6 && size <= 72 ? size : 16;
  document.getElementById("again").addEventListener("click", () => location.reload());
});
