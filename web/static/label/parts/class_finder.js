/** Choose a class by its name, or add one. */
import { post } from "../base/api.js";
import { plural } from "../base/words.js";
import { html, useState } from "../vendor/htm-preact.js";
import { Dialog } from "./dialog.js";
import { toasts } from "./toasts.js";

/** So many choices are listed. */
const MOST = 100;

/** @param {{labelling: import("../labelling/labelling.js").Labelling, onClose: () => void}} props */
export function ClassFinder({ labelling, onClose }) {
  const { session } = labelling;
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const wanted = text.trim().toLowerCase();
  const all = session.classes.filter((each) => each.name.toLowerCase().includes(wanted));
  const found = all.slice(0, MOST);
  const exact = session.classes.some((each) => each.name.toLowerCase() === wanted);
  const choices = [...found, ...(wanted && !exact ? [null] : [])];
  const choose = async (each) => {
    if (!each) {
      try {
        const made = await post(["p", session.project, "classes"], { name: text.trim() });
        await session.load();
        each = session.classes.find((one) => one.id === made?.id || one.name === text.trim());
      } catch (error) {
        toasts.fail(error);
        return;
      }
    }
    if (each) labelling.setClass(each.id);
    onClose();
  };
  const key = (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      setAt((at + (event.key === "ArrowDown" ? 1 : choices.length - 1)) % Math.max(1, choices.length));
      event.preventDefault();
    } else if (event.key === "Enter" && choices.length) {
      event.preventDefault();
      choose(choices[Math.min(at, choices.length - 1)]);
    }
  };
  return html`<${Dialog} title="Class" onClose=${onClose}>
    <input data-first type="text" aria-label="Name of the class" placeholder=${session.classes.length ? "a part of its name, or a new one" : "name of the first class, then Enter"} value=${text} onInput=${(event) => { setText(event.target.value); setAt(0); }} onKeyDown=${key} />
    <ul class="choices">${choices.map((each, index) => html`<li key=${each?.id ?? "new"}><button class="class" aria-current=${index === Math.min(at, choices.length - 1)} onClick=${() => choose(each)}>
      ${each ? html`<span class="swatch" style=${{ "--colour": each.colour }}></span><span class="name">${each.name}</span>` : html`<span class="name">Add the class “${text.trim()}”</span>`}</button></li>`)}</ul>
    ${all.length > MOST && html`<p class="muted">${plural(all.length - MOST, "other")}: type more of the name.</p>`}
  <//>`;
}
