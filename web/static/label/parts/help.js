/** Every key, in a dialog. */
import { ACTIONS, MOUSE, shownKeys } from "../labelling/actions.js";
import { html } from "../vendor/htm-preact.js";
import { Dialog } from "./dialog.js";

/** @param {{onClose: () => void}} props */
export function Help({ onClose }) {
  const groups = [...new Set(ACTIONS.map((each) => each.group))];
  return html`<${Dialog} title="All keys" onClose=${onClose} wide>
    <div class="keys">
      ${groups.map((group) => html`<section key=${group}><h3>${group}</h3><dl>
        ${ACTIONS.filter((each) => each.group === group).map((each) => html`<div key=${each.id}>
          <dt>${shownKeys(each.keys).map((key) => html`<kbd>${key}</kbd> `)}</dt><dd>${each.title}</dd></div>`)}
      </dl></section>`)}
      <section><h3>Mouse and fingers</h3><dl>
        ${MOUSE.map(([what, does]) => html`<div key=${what}><dt>${what}</dt><dd>${does}</dd></div>`)}
      </dl></section>
    </div>
  <//>`;
}
