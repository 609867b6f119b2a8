/** The panels beside the picture: classes with their thresholds, suggestions, boxes, and what is selected. */
import { useWatched } from "../base/store.js";
import { plural, provenance, score } from "../base/words.js";
import { html, useEffect, useRef } from "../vendor/htm-preact.js";

/** @param {{labelling: import("./labelling.js").Labelling}} props */
export function Panels({ labelling }) {
  const { editor, session } = labelling;
  useWatched(editor, session);
  if (!editor.picture || editor.absent) return html`<aside class="side" aria-label="Labels"></aside>`;
  return html`<aside class="side" aria-label="Labels">
    <${Selected} labelling=${labelling} />
    <${Classes} labelling=${labelling} />
    <${Suggestions} labelling=${labelling} />
    <${Boxes} labelling=${labelling} />
  </aside>`;
}

function Selected({ labelling }) {
  const { editor, session } = labelling;
  const item = editor.selection;
  if (!item) {
    const { review, boxes } = editor.picture;
    const text = review === "done" ? (boxes.length ? "Reviewed." : "Reviewed: nothing to find here.") : review === "later" ? "Put off for later." : "Not reviewed yet.";
    return html`<section class="selected"><h2>Picture</h2><p>${text}</p>
      <p class="muted">${editor.picture.width} × ${editor.picture.height}${editor.picture.split ? ` · ${editor.picture.split}` : ""}</p></section>`;
  }
  const [x, y, w, h] = item.box.map((value) => Math.round(value * 10) / 10);
  return html`<section class="selected"><h2>${item.suggestion ? "Suggestion" : "Label"}</h2>
    <p><span class="swatch ${item.suggestion ? "dashed" : ""}" style=${{ "--colour": session.colour(item.class) }}></span> <strong>${session.name(item.class)}</strong> <span class="muted">${w} × ${h} at ${x}, ${y}</span></p>
    <p class="muted">${item.suggestion ? `by ${item.data.model || item.data.labeller}, score ${score(item.score)}` : provenance(item.data)}${item.data.track ? `, track ${item.data.track}` : ""}</p>
    ${item.suggestion && html`<p class="row"><button onClick=${() => editor.accept(item)}>Accept <kbd>a</kbd></button><button onClick=${() => editor.remove(item)}>Reject <kbd>r</kbd></button></p>`}
  </section>`;
}

/** So many classes are in sight; the others are found by their names. */
const CLASSES = 100;

function Classes({ labelling }) {
  const { editor, session } = labelling;
  const shown = count(editor.shown());
  const all = count(editor.all());
  const keyed = session.classes.some((each) => each.key);
  const listed = session.some(CLASSES, (each) => each.key || each.id === session.current || all.has(`b${each.id}`) || all.has(`s${each.id}`));
  const others = session.classes.length - listed.length;
  return html`<section class="classes"><h2>Classes</h2>
    ${session.classes.length === 0 && html`<p class="muted">No class yet. <button onClick=${() => labelling.ask("class")}>Add one <kbd>c</kbd></button></p>`}
    <ul>${listed.map((each, at) => {
      const key = each.key || (at < 9 && !keyed ? String(at + 1) : "");
      const suggested = all.get(`s${each.id}`) ?? 0;
      return html`<li key=${each.id} class=${each.id === session.current ? "current" : ""}>
        <button class="class" aria-pressed=${each.id === session.current} onClick=${() => labelling.setClass(each.id)} title=${each.name}>
          <span class="swatch" style=${{ "--colour": each.colour }}></span><kbd>${key || " "}</kbd><span class="name">${each.name}</span>
          <span class="count muted"><span title="labels">${shown.get(`b${each.id}`) ?? 0}</span>${suggested ? html` <span title="suggestions shown of those open">+${shown.get(`s${each.id}`) ?? 0}/${suggested}</span>` : ""}</span>
        </button>
        ${suggested > 0 && html`<${Threshold} session=${session} cls=${each} onChange=${() => editor.rework()} />`}
      </li>`;
    })}</ul>
    ${others > 0 && html`<p class="muted">${plural(others, "other")} by name: <kbd>c</kbd></p>`}
  </section>`;
}

function Suggestions({ labelling }) {
  const { editor, session } = labelling;
  const open = editor.picture.suggestions.length;
  const seen = editor.suggestions().length;
  if (!open) return null;
  return html`<section class="suggestions">
    <p class="row"><span class="muted">${seen} of ${plural(open, "suggestion")} shown</span>
      <label class="check"><input type="checkbox" checked=${session.low} onChange=${() => { session.setLow(!session.low); editor.rework(); }} /> only low</label></p>
    <p class="row"><button disabled=${!seen} onClick=${() => labelling.acceptShown(false)}>Accept ${seen}</button>
      <button disabled=${!seen} onClick=${() => labelling.rejectShown()}>Reject ${seen} <kbd>x</kbd></button></p>
  </section>`;
}

/** From which score on suggestions of a class are shown. */
export function Threshold({ session, cls, onChange }) {
  const value = session.leastOf(cls.id);
  const set = (event) => {
    session.setLeast(cls.id, Number(event.target.value));
    onChange();
  };
  return html`<label class="threshold"><span class="hidden">Threshold of ${cls.name}</span>
    <input type="range" min="0" max="1" step="0.01" value=${value} onInput=${set} style=${{ "--colour": cls.colour }} />
    <output>${session.low ? "<" : "≥"} ${value.toFixed(2)}</output></label>`;
}

function Boxes({ labelling }) {
  const { editor, session } = labelling;
  const list = useRef(null);
  useEffect(() => {
    list.current?.querySelector("[aria-current=true]")?.scrollIntoView({ block: "nearest" });
  }, [editor.selected]);
  const items = editor.shown();
  const suggested = items.filter((item) => item.suggestion).length;
  return html`<section class="boxes"><h2>${plural(editor.picture.boxes.length, "label")}${suggested ? `, ${plural(suggested, "suggestion")}` : ""}</h2>
    ${items.length === 0 && html`<p class="muted">Drag on the picture to draw a box.</p>`}
    <ul ref=${list}>${items.map((item) => html`<li key=${item.key}>
      <button class="class" aria-current=${item.key === editor.selected} onClick=${() => { editor.select(item.key); editor.reveal(item.box); }}>
        <span class="swatch ${item.suggestion ? "dashed" : ""}" style=${{ "--colour": session.colour(item.class) }}></span>
        <span class="name">${session.name(item.class)}</span><span class="count muted">${item.suggestion ? score(item.score) : mark(item.data)}</span>
      </button></li>`)}</ul>
  </section>`;
}

const mark = (box) => (box.id < 0 ? "…" : box.source === "model" ? (box.edited ? "model, mended" : "model") : box.source === "person" ? "person" : box.source === "interpolation" ? "between" : "");

function count(items) {
  const found = new Map();
  for (const item of items) {
    const key = `${item.suggestion ? "s" : "b"}${item.class}`;
    found.set(key, (found.get(key) ?? 0) + 1);
  }
  return found;
}
