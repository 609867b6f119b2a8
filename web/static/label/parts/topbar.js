/** The bar above every place: where one is, whether all is saved, dark or light. */
import { link } from "../base/route.js";
import { useWatched } from "../base/store.js";
import { theme } from "../base/theme.js";
import { plural } from "../base/words.js";
import { queue } from "../saving/queue.js";
import { html } from "../vendor/htm-preact.js";

/** @param {{trail: {text: string, parts?: (string|number)[], query?: any}[], children?: any}} props */
export function TopBar({ trail, children }) {
  useWatched(theme);
  return html`<header class="topbar">
    <nav aria-label="Where you are"><ol class="trail">
      <li><a href=${link([])} class="brand">Batman</a></li>
      ${trail.map((step, at) => html`<li key=${at}>${step.parts
        ? html`<a href=${link(step.parts, step.query)}>${step.text}</a>`
        : html`<span aria-current="page" title=${step.text}>${step.text}</span>`}</li>`)}
    </ol></nav>
    <div class="fill">${children}</div>
    <${SaveState} />
    <a class="quiet" href="../app" title="Train, evaluate, export: the terminal app, here in the browser">App</a>
    <button class="quiet" onClick=${() => theme.turn()} aria-label=${theme.light ? "Dark" : "Light"} title=${theme.light ? "Dark" : "Light"}>${theme.light ? "☾" : "☼"}</button>
  </header>`;
}

/** saved · saving · offline, n waiting. */
export function SaveState() {
  useWatched(queue);
  const { state, reason, waiting, foreign, rows } = queue;
  const count = plural(waiting, "edit");
  const text = {
    saved: "saved",
    saving: waiting > 1 ? `saving, ${waiting} waiting` : "saving …",
    offline: `offline, ${waiting} waiting`,
    locked: `${waiting} waiting`,
    shut: `not saved, ${waiting} waiting`,
  }[state];
  const kept = rows.kept ? "kept in this browser until they are saved." : "This browser keeps nothing: do not close the page yet.";
  const why = state === "saved" ? "Every edit is saved." : `${reason || "On its way."} ${count} ${kept}`;
  return html`<span class="save ${state}" role="status" title=${why} data-state=${state}>
    <span class="dot" aria-hidden="true"></span>${text}${state !== "saved" && reason && html`<span class="why muted"> · ${reason}</span>`}
    ${foreign.length > 0 && html`<button class="quiet" title="They were made on another workspace's pictures at this address. Serve that again to save them, or give them up."
      onClick=${() => queue.forget()}>give up ${plural(foreign.length, "old edit")}</button>`}
  </span>`;
}
