/** What is told in passing, at the lower edge; read out by screen readers. */
import { Watched, useWatched } from "../base/store.js";
import { html } from "../vendor/htm-preact.js";

const STAYS_MS = 4500;

class Toasts extends Watched {
  constructor() {
    super();
    /** @type {{id: number, text: string, hint: string, kind: string}[]} */
    this.shown = [];
    this.last = 0;
  }

  /** @param {string} text @param {{hint?: string, kind?: "info"|"error", stays?: boolean}} [how] */
  tell(text, { hint = "", kind = "info", stays = kind === "error" } = {}) {
    this.shown = this.shown.filter((toast) => toast.text !== text).slice(-2);
    const id = ++this.last;
    this.shown = [...this.shown, { id, text, hint, kind }];
    if (!stays) setTimeout(() => this.close(id), STAYS_MS);
    this.changed();
  }

  /** @param {Error & {hint?: string}} error */
  fail(error) {
    this.tell(error.message, { hint: error.hint ?? "", kind: "error" });
  }

  close(id) {
    this.shown = this.shown.filter((toast) => toast.id !== id);
    this.changed();
  }
}

export const toasts = new Toasts();

export function ToastList() {
  useWatched(toasts);
  return html`<div class="toasts" role="status" aria-live="polite">
    ${toasts.shown.map((toast) => html`<div key=${toast.id} class="toast ${toast.kind}">
      <div><p>${toast.text}</p>${toast.hint && html`<p class="muted">${toast.hint}</p>`}</div>
      <button class="quiet" aria-label="Close" onClick=${() => toasts.close(toast.id)}>✕</button>
    </div>`)}
  </div>`;
}
