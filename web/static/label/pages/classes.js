/** The classes: added, renamed, merged; and what a labeller is asked for each. */
import { post, send } from "../base/api.js";
import { link } from "../base/route.js";
import { useWatched } from "../base/store.js";
import { number, plural } from "../base/words.js";
import { toasts } from "../parts/toasts.js";
import { steps } from "../saving/undo.js";
import { html, useRef, useState } from "../vendor/htm-preact.js";

/** So many classes are shown at a time, and from so many on they can be searched. */
const MOST = 200;
const FEW = 20;

/** @param {{session: import("../labelling/session.js").Session}} props */
export function ClassesPage({ session }) {
  useWatched(session);
  const [name, setName] = useState("");
  const [part, setPart] = useState("");
  const [most, setMost] = useState(MOST);
  const [marked, setMarked] = useState(/** @type {Set<number>} */ (new Set()));
  const parts = ["p", session.project, "classes"];
  // One after the other: each is made of what the one before has left.
  const line = useRef(Promise.resolve());
  const act = (does, said) => {
    line.current = line.current.then(async () => {
      try {
        const answer = await does();
        steps.add(session.project, answer?.history, null);
        if (said) toasts.tell(said);
      } catch (error) {
        toasts.fail(error);
      }
      await session.load();
    });
    return line.current;
  };
  const prompt = (id, change) => act(() => send("PATCH", [...parts, id], { prompts: { ...session.byId.get(id)?.prompts, ...change } }));
  const add = (event) => {
    event.preventDefault();
    act(() => post(parts, { name: name.trim() }), `Added ${name.trim()}.`).then(() => setName(""));
  };
  const mark = (id) => {
    const next = new Set(marked);
    if (!next.delete(id)) next.add(id);
    setMarked(next);
  };
  const merge = (target) => {
    const sources = [...marked].filter((id) => id !== target);
    act(() => post([...parts, "merge"], { sources, target }), `Merged ${plural(sources.length, "class", "classes")} into ${session.name(target)}. Undo takes it back.`);
    setMarked(new Set());
  };
  const undo = async () => {
    const { said, hint } = await steps.go("undo", session.project);
    toasts.tell(said, { hint });
    session.load();
  };
  const wanted = part.trim().toLowerCase();
  const found = session.classes.filter((each) => marked.has(each.id) || each.name.toLowerCase().includes(wanted));
  const listed = found.slice(0, most);
  return html`<div class="stack">
    <form class="bar" onSubmit=${add}>
      <label>New class <input type="text" value=${name} onInput=${(event) => setName(event.target.value)} /></label>
      <button class="primary" disabled=${!name.trim()}>Add</button>
      <span class="muted">Mark classes, then choose the one they become part of.</span>
      <button type="button" class="quiet" onClick=${undo}>Take back</button>
      ${session.classes.length > FEW && html`<label>Find <input type="search" value=${part} placeholder="a part of the name" onInput=${(event) => setPart(event.target.value)} /></label>`}
    </form>
    <table><thead><tr><th></th><th>Class</th><th class="number">Labels</th><th class="number">Suggested</th><th>What a labeller looks for: phrases, separated by commas</th><th>Shown from</th><th></th></tr></thead>
    <tbody>${listed.map((each) => html`<tr key=${each.id}>
      <td><label class="check"><input type="checkbox" aria-label=${`Mark ${each.name}`} checked=${marked.has(each.id)} onChange=${() => mark(each.id)} /><span class="swatch" style=${{ "--colour": each.colour }}></span></label></td>
      <td><${Field} label=${`Name of ${each.name}`} value=${each.name} onDone=${(value) => act(() => send("PATCH", [...parts, each.id], { name: value }))} /></td>
      <td class="number">${number(each.annotations)}</td>
      <td class="number">${each.open ? html`<a href=${link([session.project, "review"], { class: each.id })}>${number(each.open)}</a>` : "0"}</td>
      <td><${Field} wide label=${`Phrases for ${each.name}`} value=${(each.prompts?.phrases ?? []).join(", ")} onDone=${(value) => prompt(each.id, { phrases: value.split(",").map((one) => one.trim()).filter(Boolean) })} /></td>
      <td><${Field} narrow label=${`Least score of ${each.name}`} value=${each.prompts?.least ?? ""} placeholder="0.50" onDone=${(value) => {
        const least = value === "" ? null : Number(value);
        if (least !== null && !(least >= 0 && least <= 1)) toasts.tell("A score is a number from 0 to 1.", { kind: "error" });
        else prompt(each.id, { least });
      }} /></td>
      <td>${marked.size > 0 && !(marked.size === 1 && marked.has(each.id)) && html`<button onClick=${() => merge(each.id)}>Merge into this</button>`}</td>
    </tr>`)}</tbody></table>
    ${found.length > listed.length && html`<p class="row"><button type="button" onClick=${() => setMost(most + MOST)}>Show more</button><span class="muted">${number(listed.length)} of ${plural(found.length, "class", "classes")}</span></p>`}
    ${session.classes.length > 0 && found.length === 0 && html`<p class="empty">No class is called that.</p>`}
    ${session.classes.length === 0 && html`<p class="empty">No class yet. Add the things that you want to find.</p>`}
  </div>`;
}

/** Text that is saved when one leaves it or presses Enter; Escape puts it back. */
function Field({ value, label, onDone, wide = false, narrow = false, placeholder = "" }) {
  const [text, setText] = useState(null);
  const done = () => {
    if (text !== null && text.trim() !== String(value)) onDone(text.trim());
    setText(null);
  };
  return html`<input type="text" aria-label=${label} placeholder=${placeholder} style=${{ width: wide ? "100%" : narrow ? "5em" : "16em" }} value=${text ?? value}
    onInput=${(event) => setText(event.target.value)} onBlur=${done}
    onKeyDown=${(event) => { if (event.key === "Enter") event.target.blur(); else if (event.key === "Escape") { setText(null); event.target.value = value; } }} />`;
}
