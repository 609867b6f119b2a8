/** The place where one labels: the picture, the tools, the panels, the keys. */
import { useWatched } from "../base/store.js";
import { clock, number } from "../base/words.js";
import { action, actionOf, shownKeys } from "../labelling/actions.js";
import { Panels } from "../labelling/panels.js";
import { AcceptClass } from "../parts/accept.js";
import { ClassFinder } from "../parts/class_finder.js";
import { Help } from "../parts/help.js";
import { Icon } from "../parts/icons.js";
import { SnapModel } from "../parts/snap_model.js";
import { TopBar } from "../parts/topbar.js";
import { Timeline } from "../video/timeline.js";
import { html, useEffect, useRef } from "../vendor/htm-preact.js";

const TOOLS = ["draw", "snap", "pan", "delete", "copy-before", "", "accept", "reject", "accept-next", "", "previous", "next", "reviewed", "", "undo", "redo", "", "fit", "closer", "farther", "hide", "brighter", "help"];

/** @param {{labelling: import("../labelling/labelling.js").Labelling, id: number, select: number}} props */
export function LabelPage({ labelling, id, select }) {
  const { editor, session, listing, snap } = labelling;
  useWatched(labelling, editor, session, listing, snap);
  const host = useRef(null);
  useEffect(() => {
    labelling.attach(host.current);
    const press = (event) => onKey(event, labelling, host.current);
    document.addEventListener("keydown", press);
    host.current.focus({ preventScroll: true });
    return () => document.removeEventListener("keydown", press);
  }, [labelling]);
  useEffect(() => {
    labelling.open(id, select);
  }, [labelling, id]);

  const { error, conflict } = editor;
  const picture = editor.absent ? null : editor.picture;
  const at = listing.index(id);
  const name = picture?.name ?? "…";
  return html`<div class="label-page">
    <${TopBar} trail=${[{ text: session.project, parts: [session.project] }, { text: "Pictures", parts: [session.project, "pictures"], query: { filter: listing.filter, order: listing.order === "name" ? "" : listing.order } }, { text: name }]}>
      ${at >= 0 && html`<span class="muted">${number(at + 1)} of ${number(listing.total)}${listing.filter ? " filtered" : ""}</span>`}
      ${picture?.time !== null && picture?.time !== undefined && html`<span class="muted">${picture.grp} ${clock(picture.time)}</span>`}
      ${listing.images[at]?.why && html`<span class="why" title=${listing.images[at].why}>${listing.images[at].why}</span>`}
      <${Review} picture=${picture} labelling=${labelling} />
      <${Progress} session=${session} />
    <//>
    <div class="work">
      <div class="tools" role="toolbar" aria-label="Tools" aria-orientation="vertical">${TOOLS.map((name, index) => name ? html`<${Tool} key=${name} action=${action(name)} labelling=${labelling} />` : html`<hr key=${index} />`)}</div>
      <div class="stage ${editor.absent ? "absent" : ""}" ref=${host} tabindex="0" role="application"
        aria-label=${`Picture ${name}. Tab selects the next box, question mark shows all keys, F6 leads to the panels.`}>
        ${error && html`<div class="over"><p>${error.message}</p><p class="muted">${error.hint}</p><button onClick=${() => labelling.open(id, select)}>Try again</button></div>`}
        ${picture && labelling.unseen?.id === picture.id && html`<p class="mode top bad" role="alert" data-unseen>${labelling.unseen.message}</p>`}
        ${conflict && html`<div class="conflict" role="alert"><div><p>${conflict.message} What you see is what is there now; your edit was not made.</p></div>
          <button onClick=${() => labelling.dismiss()} data-keep>Keep what is there</button>${conflict.again.length > 0 && html`<button onClick=${() => labelling.insist()} data-insist>Make my edit on it</button>`}</div>`}
        ${editor.mode === "draw" && html`<p class="mode">Draw a box: ${session.current === null ? "choose a class first" : session.name(session.current)} <kbd>Esc</kbd></p>`}
        ${snap.doing && html`<p class="mode top" role="status" data-snap>Snap: ${snap.doing} … ${snap.seconds} s${snap.job && html` <kbd>Esc</kbd>`}</p>`}
        ${editor.hidden && html`<p class="mode">Boxes are hidden <kbd>v</kbd></p>`}
      </div>
      <${Panels} labelling=${labelling} />
    </div>
    ${labelling.tracks && html`<${Timeline} key=${labelling.tracks.video} tracks=${labelling.tracks} session=${session} image=${id} chosen=${editor.selection?.data.track ?? labelling.track}
      onPicture=${(image) => labelling.show(image, true)} onTrack=${(track) => labelling.chooseTrack(track)} onChanged=${() => editor.refresh()} />`}
    <p class="hidden" aria-live="polite">${spoken(editor, session)}</p>
    ${labelling.dialog === "help" && html`<${Help} onClose=${() => labelling.ask("")} />`}
    ${labelling.dialog === "class" && html`<${ClassFinder} labelling=${labelling} onClose=${() => labelling.ask("")} />`}
    ${labelling.dialog === "snap" && html`<${SnapModel} onClose=${() => labelling.ask("")} onDone=${() => editor.selection && snap.go()} />`}
    ${labelling.dialog === "accept" && html`<${AcceptClass} session=${session} cls=${editor.selection?.class ?? session.current} onClose=${() => labelling.ask("")} />`}
  </div>`;
}

function Tool({ action: what, labelling }) {
  const { editor } = labelling;
  const on = { draw: editor.mode === "draw", pan: editor.mode === "pan", hide: editor.hidden, reviewed: editor.picture?.review === "done" }[what.id];
  const label = `${what.title} (${shownKeys(what.keys)[0]})`;
  return html`<button class="tool" aria-label=${label} title=${label} aria-pressed=${on === undefined ? undefined : on} data-action=${what.id}
    onClick=${() => what.run(labelling)}><${Icon} name=${what.id} /></button>`;
}

function Review({ picture, labelling }) {
  if (!picture) return null;
  const text = { done: "reviewed", later: "later" }[picture.review] ?? "to do";
  return html`<button class="badge ${picture.review ?? "todo"}" onClick=${() => labelling.review()} title="reviewed or not (Space)">${text}</button>`;
}

/** So many pictures of all are reviewed. */
export function Progress({ session }) {
  const progress = session.info?.progress;
  if (!progress) return null;
  const text = `${number(progress.done)} of ${number(progress.images)} reviewed`;
  return html`<span class="progress" title=${text}><progress max=${Math.max(1, progress.images)} value=${progress.done} aria-label=${text}></progress><span class="muted">${text}</span></span>`;
}

function spoken(editor, session) {
  const item = editor.selection;
  if (!item) return "";
  return `${item.suggestion ? "Suggestion" : "Label"} ${session.name(item.class)}${item.suggestion ? `, score ${item.score.toFixed(2)}` : ""}`;
}

/** Strokes go to the action of the table, unless something is typed or a button is pressed. */
function onKey(event, labelling, stage) {
  if (event.defaultPrevented || event.isComposing || labelling.dialog || document.querySelector("dialog[open]")) return;
  const target = /** @type {HTMLElement} */ (event.target);
  const typed = target.closest("input:not([type=checkbox]):not([type=range]), textarea, select");
  if (event.key === "F6") {
    const side = /** @type {HTMLElement|null} */ (document.querySelector(".side button"));
    if (target === stage) side?.focus();
    else stage.focus();
    event.preventDefault();
    return;
  }
  if (typed) {
    if (event.key === "Escape") stage.focus();
    return;
  }
  const inStage = target === stage || target === document.body;
  // Elsewhere Tab goes on to the next control, and Space, Enter and arrows belong to that.
  if (!inStage && ["Tab", " ", "Enter"].includes(event.key)) return;
  if (target.matches("input[type=range]") && event.key.startsWith("Arrow")) return;
  const found = actionOf(event);
  if (!found || (event.repeat && !REPEATED.has(found.id))) return;
  event.preventDefault();
  labelling.stroke(() => found.run(labelling, event));
}

const REPEATED = new Set(["nudge", "nudge-10", "edge-out", "edge-in", "next-box", "previous-box", "next", "previous", "closer", "farther", "brighter", "darker", "lower", "higher", "undo", "redo"]);

