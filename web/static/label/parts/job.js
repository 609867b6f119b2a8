/** The work that goes on at the server: how far, how long still, and how to stop it. */
import { useWatched } from "../base/store.js";
import { clock, number } from "../base/words.js";
import { html } from "../vendor/htm-preact.js";
import { toasts } from "./toasts.js";

/** @param {{job: any}} props */
export function JobLine({ job }) {
  useWatched(job);
  const { state, done = 0, total = 0, text = "", error = "", hint = "", seconds_left: left = null } = job.now;
  return html`<div class="job" role="status">
    <p class="row"><strong>${job.title}</strong>
      <span class=${state === "failed" ? "bad" : state === "done" ? "good" : "muted"}>${state === "running" ? text || "at work" : state}${total ? ` · ${number(done)} of ${number(total)}` : ""}${state === "running" && left ? ` · ${clock(left)} left` : ""}</span>
      ${!job.over && html`<button onClick=${() => job.stop().catch((problem) => toasts.fail(problem))}>Stop</button>`}</p>
    ${!job.over && html`<progress max=${total || 1} value=${total ? done : undefined} aria-label=${job.title}></progress>`}
    ${state === "done" && text && html`<p>${text}</p>`}
    ${error && html`<p class="bad">${error} ${hint}</p>`}
  </div>`;
}
