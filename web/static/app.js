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

// The server tells how the app ended in a message of its own, which textual.js passes over.
class Heard extends WebSocket {
  constructor(address) {
    super(address);
    this.addEventListener("message", (event) => {
      if (typeof event.data === "string") {
        const [kind, ending] = JSON.parse(event.data);
        if (kind === "ended") show(ending);
      } else if (document.activeElement === document.body) {
        // Something is drawn: the keyboard is the app's.
        document.querySelector(".xterm-helper-textarea")?.focus();
      }
    });
    this.addEventListener("close", (event) => show(event.code === TOO_BIG ? TOO_MUCH : LOST));
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
