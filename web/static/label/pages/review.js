/**
 * Review by crops: a page of suggestions of one class, the surest first. Letters strike out the
 * wrong ones; Enter accepts the rest, rejects those, and goes on.
 */
import { address, get } from "../base/api.js";
import { link, router } from "../base/route.js";
import { Watched, useWatched } from "../base/store.js";
import { number, plural } from "../base/words.js";
import { AcceptClass } from "../parts/accept.js";
import { toasts } from "../parts/toasts.js";
import { events } from "../saving/events.js";
import { queue } from "../saving/queue.js";
import { steps } from "../saving/undo.js";
import { html, useEffect, useMemo, useState } from "../vendor/htm-preact.js";

const LETTERS = "abcdefghijklmnopqrstuvwx";
const STEP = 0.05;
/** So many classes without suggestions are there to be chosen. */
const MOST_CLASSES = 200;

/** A page of crops, those struck out, and those that were decided here but are not saved yet. */
class Crops extends Watched {
  /** @param {import("../labelling/session.js").Session} session @param {number} cls */
  constructor(session, cls) {
    super();
    this.session = session;
    this.cls = cls;
    /** @type {any[]} */
    this.crops = [];
    this.total = null;
    /** @type {Set<number>} */
    this.out = new Set();
    /** @type {(number|string)[]} where the pages before this one began */
    this.before = [];
    this.after = null;
    this.next = null;
    /** @type {Set<number>} */
    this.decided = new Set();
    this.stamp = 0;
    this.error = null;
  }

  get least() {
    return this.session.leastOf(this.cls);
  }

  async load() {
    const stamp = ++this.stamp;
    const [least, most] = this.session.low ? [0, this.least] : [this.least, null];
    try {
      const got = await get(["p", this.session.project, "crops"], { class: this.cls, least, most, after: this.after, n: LETTERS.length });
      if (stamp !== this.stamp) return;
      this.crops = got.crops.filter((crop) => !this.decided.has(crop.id));
      this.total = got.total;
      this.next = got.next ?? null;
      this.error = null;
      const here = new Set(this.crops.map((crop) => crop.id));
      this.out = new Set([...this.out].filter((id) => here.has(id)));
    } catch (error) {
      if (stamp !== this.stamp) return;
      this.error = error;
    }
    this.changed();
  }

  strike(id) {
    this.out = new Set(this.out);
    if (!this.out.delete(id)) this.out.add(id);
    this.changed();
  }

  /** Accept what is not struck out, reject what is, and fetch the next page once that is saved. */
  async take() {
    if (!this.crops.length) return;
    const reject = this.crops.filter((crop) => this.out.has(crop.id)).map((crop) => crop.id);
    const accept = this.crops.filter((crop) => !this.out.has(crop.id)).map((crop) => crop.id);
    for (const id of [...accept, ...reject]) this.decided.add(id);
    queue.send(this.session.project, ["p", this.session.project, "review"], { accept, reject });
    toasts.tell(`${plural(accept.length, "suggestion")} accepted, ${number(reject.length)} rejected.`);
    this.crops = [];
    this.out = new Set();
    this.changed();
    await queue.flush();
    this.session.soon();
    await this.load();
  }

  /** Look at the next page, or the one before, without deciding. @param {number} by */
  turn(by) {
    if (by > 0) {
      if (this.next === null) return;
      this.before.push(this.after);
      this.after = this.next;
    } else {
      if (!this.before.length) return;
      this.after = this.before.pop();
    }
    this.load();
  }

  again() {
    this.before = [];
    this.after = null;
    this.decided.clear();
    return this.load();
  }
}

/** @param {{session: import("../labelling/session.js").Session, query: Record<string, string>}} props */
export function ReviewPage({ session, query }) {
  const open = session.classes.filter((each) => each.open > 0);
  const asked = Number(query.class);
  const cls = session.byId.has(asked) ? asked : (open[0]?.id ?? session.classes[0]?.id);
  if (cls === undefined) return html`<p class="empty">There is no class yet. <a href=${link([session.project, "classes"])}>Add one</a>.</p>`;
  return html`<${CropsOf} key=${cls} session=${session} cls=${cls} />`;
}

function CropsOf({ session, cls }) {
  const crops = useMemo(() => new Crops(session, cls), [session, cls]);
  useWatched(crops, session);
  const [dialog, setDialog] = useState("");
  const threshold = (value) => {
    session.setLeast(cls, value);
    crops.before = [];
    crops.after = null;
    crops.load();
  };
  const undo = async (which) => {
    const { said, hint } = await steps.go(which, session.project);
    toasts.tell(said, { hint });
    session.soon();
    crops.again();
  };
  useEffect(() => {
    crops.load();
    return events.watch((told) => (!told.project || told.project === session.project) && !queue.waiting && crops.load());
  }, [crops]);
  useEffect(() => {
    const press = (event) => {
      const target = /** @type {HTMLElement} */ (event.target);
      if (event.defaultPrevented || document.querySelector("dialog[open]") || target.closest("select, input")) return;
      const button = target.closest("button, a");
      const ctrl = event.ctrlKey || event.metaKey;
      const at = LETTERS.indexOf(event.key);
      if (event.altKey) return;
      if (ctrl && event.key === "z") undo("undo");
      else if (ctrl && (event.key === "y" || event.key === "Z")) undo("redo");
      else if (ctrl) return;
      else if (at >= 0 && event.key && crops.crops[at]) crops.strike(crops.crops[at].id);
      else if (event.key === "Enter" && !event.repeat && (!button || button.classList.contains("crop"))) crops.take();
      else if (event.key === "<" || event.key === "[") threshold(crops.least - STEP);
      else if (event.key === ">" || event.key === "]") threshold(crops.least + STEP);
      else if (event.key === "PageDown" || event.key === "ArrowRight") crops.turn(1);
      else if (event.key === "PageUp" || event.key === "ArrowLeft") crops.turn(-1);
      else if (event.key === "A") setDialog("accept");
      else return;
      event.preventDefault();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, [crops]);
  const kept = crops.crops.length - crops.out.size;
  const open = session.byId.get(cls)?.open ?? 0;
  return html`<div>
    <div class="bar">
      <label>Class <select value=${cls} onChange=${(event) => router.go([session.project, "review"], { class: event.target.value })}>
        ${session.some(MOST_CLASSES, (each) => each.open > 0 || each.id === cls).map((each) => html`<option key=${each.id} value=${each.id}>${each.name} (${number(each.open)})</option>`)}</select></label>
      <label class="threshold">${session.low ? "below" : "from"} score <input type="range" min="0" max="1" step="0.01" value=${crops.least} onInput=${(event) => threshold(Number(event.target.value))} /><output>${crops.least.toFixed(2)}</output></label>
      <label class="check"><input type="checkbox" checked=${session.low} onChange=${() => { session.setLow(!session.low); crops.again(); }} /> only low</label>
      <span data-total>${crops.total === null ? "" : `${plural(crops.total, "suggestion")}`}</span>
      <button class="primary" disabled=${!crops.crops.length} onClick=${() => crops.take()}>Accept ${kept}${crops.out.size ? `, reject ${crops.out.size}` : ""} <kbd>Enter</kbd></button>
      <button disabled=${!crops.before.length} onClick=${() => crops.turn(-1)} aria-label="Page before">‹</button>
      <button disabled=${crops.next === null} onClick=${() => crops.turn(1)} aria-label="Next page">›</button>
      <button onClick=${() => setDialog("accept")}>All of this class <kbd>A</kbd></button>
      <button class="quiet" onClick=${() => undo("undo")}>Take back <kbd>Ctrl+Z</kbd></button>
    </div>
    ${crops.error && html`<p class="bad" role="alert">${crops.error.message} ${crops.error.hint}</p>`}
    ${crops.total === 0 && !crops.crops.length && html`<div class="empty"><p>No suggestion of ${session.name(cls)} is open ${session.low ? "below" : "from"} ${crops.least.toFixed(2)}${session.low ? "" : " on"}. ${open ? `${plural(open, "other")} of it ${open === 1 ? "is" : "are"} open.` : "Choose another class, or let a model suggest boxes under Auto-label."}</p>
      ${open > 0 && html`<p class="row"><button class="primary" data-all onClick=${() => { session.setLow(false); threshold(0); }}>Show ${open === 1 ? "it" : "them"}</button><span class="muted">or move the threshold: <kbd>${session.low ? ">" : "<"}</kbd></span></p>`}</div>`}
    <div class="crops">${crops.crops.map((crop, at) => html`<figure key=${crop.id} class=${crops.out.has(crop.id) ? "out" : ""}>
      <button class="crop" aria-pressed=${crops.out.has(crop.id)} aria-label=${`${LETTERS[at]}: ${session.name(cls)}, score ${crop.score.toFixed(2)}${crops.out.has(crop.id) ? ", struck out" : ""}`} onClick=${() => crops.strike(crop.id)}>
        <img alt="" decoding="async" src=${address(["p", session.project, "suggestions", crop.id, "crop"], { w: 240 })} />
      </button>
      <figcaption><kbd>${LETTERS[at]}</kbd><a href=${link([session.project, "label", crop.image], { select: crop.id })} title="Open its picture">${crop.score.toFixed(2)}</a></figcaption></figure>`)}</div>
    ${dialog === "accept" && html`<${AcceptClass} session=${session} cls=${cls} onClose=${() => setDialog("")} onDone=${() => crops.again()} />`}
  </div>`;
}
