/**
 * The labelling of one project's pictures: the picture at hand, those before and after it, what
 * the keys do to it, and what others do meanwhile.
 */
import { get, send } from "../base/api.js";
import { router } from "../base/route.js";
import { NOW, Watched } from "../base/store.js";
import { plural } from "../base/words.js";
import { toasts } from "../parts/toasts.js";
import { temporary } from "../saving/edits.js";
import { events } from "../saving/events.js";
import { queue } from "../saving/queue.js";
import { steps } from "../saving/undo.js";
import { Editor } from "./editor.js";
import { Listing } from "./listing.js";
import { Pictures, wanted } from "./pictures.js";
import { Tracks } from "../video/tracks.js";
import { Pointer } from "./pointer.js";
import { Snap } from "./snap.js";
import { Stage } from "./stage.js";

const AHEAD = 2;
const FRESH_MS = 10000;

export class Labelling extends Watched {
  /** @param {import("./session.js").Session} session @param {string} filter @param {string} order */
  constructor(session, filter, order) {
    super();
    this.session = session;
    this.project = session.project;
    this.editor = new Editor(session);
    this.editor.onView = () => this.sharpen();
    this.editor.onNoClass = () => this.ask("class");
    this.pictures = new Pictures(this.project);
    this.listing = new Listing(this.project, filter, order);
    this.snap = new Snap(this);
    this.dialog = "";
    /** Strokes that came before the picture they are for. @type {(() => void)[]} */
    this.strokes = [];
    /** Edits of ours whose answer is shown: being told of them, once, is no news. @type {Set<number>} */
    this.answered = new Set();
    this.going = false;
    /** The video of the picture at hand, and the track that was chosen in its timeline.
     * @type {Tracks|null} */
    this.tracks = null;
    this.track = null;
    this.width = undefined;
    /** Why a picture cannot be shown. @type {{id: number, message: string}|null} */
    this.unseen = null;
    /** What was fetched of pictures to come. @type {Map<number, {at: number, image: any}>} */
    this.ahead = new Map();
    this.ends = [events.watch((told) => this.told(told))];
    this.listing.more();
  }

  end() {
    for (const end of this.ends) end();
    clearTimeout(this.sharpening);
    this.tracks?.end();
    this.snap.end();
    this.editor.end();
    this.stage?.end();
    this.pictures.end();
  }

  /** @param {HTMLElement} host */
  attach(host) {
    this.stage = new Stage(host, this.editor);
    this.editor.stage = this.stage;
    this.pointer = new Pointer(host, this.editor);
    if (this.editor.picture) this.sharpen(true);
  }

  /** @param {number} id @param {number} [select] the suggestion that led here */
  async open(id, select = 0) {
    this.width = undefined;
    this.stage?.show(null);
    this.dialog = "";
    const known = this.ahead.get(id);
    const opening = this.editor.open(id, known && Date.now() - known.at < FRESH_MS ? known.image : null);
    this.changed();
    this.sharpen(true);
    this.catchUp();
    await opening;
    if (this.editor.wanted !== id) return;
    this.sharpen(true);
    this.video();
    if (select) this.editor.select(this.editor.find(`s${select}`)?.key ?? null);
    else if (this.track !== null) this.chooseTrack(this.track);
    this.changed();
    this.catchUp();
    this.prefetch(id);
  }

  /** Whether the picture that is wanted is the one at hand. */
  get ready() {
    return !this.going && Boolean(this.editor.picture) && this.editor.picture.id === this.editor.wanted;
  }

  /** Do what a stroke means, to the picture it is for: one that is on its way is waited for.
   * @param {() => void} act */
  stroke(act) {
    if (this.ready && !this.strokes.length) act();
    else if (this.strokes.length < 50) this.strokes.push(act);
  }

  catchUp() {
    while (this.ready && this.strokes.length) this.strokes.shift()();
  }

  /** Fetch the timeline of the video that the picture is of. */
  video() {
    const { grp } = this.editor.picture ?? {};
    if ((this.tracks?.video ?? null) === (grp ?? null)) return;
    this.tracks?.end();
    this.tracks = grp ? new Tracks(this.project, grp) : null;
    this.track = null;
    this.tracks?.load();
  }

  /** Choose a track, and its box on this picture. @param {number|null} id */
  chooseTrack(id) {
    this.track = id;
    const item = id === null ? null : this.editor.all().find((each) => each.data.track === id);
    if (item) this.editor.select(item.key);
    this.changed();
  }

  /** Fetch the picture as sharp as it is looked at; what is there is shown until then. */
  sharpen(now = false) {
    const { editor, stage } = this;
    if (!stage || !editor.picture || editor.picture.id !== editor.wanted) return;
    const { id, width } = editor.picture;
    const ratio = window.devicePixelRatio || 1;
    const next = wanted(editor.view.pictureWidth * editor.view.scale * ratio, width);
    const better = this.width === undefined || (this.width !== null && (next === null || next > this.width));
    if (!better) return;
    clearTimeout(this.sharpening);
    const load = async () => {
      this.width = next;
      try {
        const bitmap = await this.pictures.load(id, next);
        if (editor.wanted === id && this.width === next) {
          stage.show(bitmap);
          if (this.unseen) {
            this.unseen = null;
            this.changed();
          }
        }
      } catch (error) {
        if (error.name === "AbortError" || editor.wanted !== id) return;
        this.unseen = { id, message: error.message };
        this.changed();
      }
    };
    if (now) load();
    else this.sharpening = setTimeout(load, 120);
  }

  /** Fetch the next pictures and their boxes, so that they are there when they are asked for. */
  async prefetch(id) {
    let at = id;
    for (let count = 0; count < AHEAD; count += 1) {
      const next = (await this.listing.step(at, 1)) ?? (count === 0 ? this.editor.picture?.next : null);
      if (!next || this.editor.wanted !== id) return;
      at = next;
      try {
        const image = await get(["p", this.project, "images", next]);
        this.ahead.set(next, { at: Date.now(), image });
        if (this.ahead.size > 8) this.ahead.delete(this.ahead.keys().next().value);
        const scale = Math.min((this.editor.view.width - 32) / image.width, (this.editor.view.height - 32) / image.height);
        const ratio = window.devicePixelRatio || 1;
        await this.pictures.load(next, wanted(image.width * scale * ratio, image.width));
      } catch {
        return; // it is told when somebody wants to see it
      }
    }
  }

  /** Go to a picture. @param {number} id @param {boolean} [instead] */
  show(id, instead = false) {
    this.editor.wanted = id;
    router.go([this.project, "label", id], { filter: this.listing.filter, order: this.listing.order === "name" ? "" : this.listing.order }, instead);
  }

  /** Go so many pictures on. @param {number} by @returns {Promise<void>} */
  async step(by) {
    const { picture } = this.editor;
    if (!picture) return;
    this.going = true;
    const listed = this.listing.index(picture.id) >= 0;
    const next = listed ? await this.listing.step(picture.id, by) : by > 0 ? picture.next : picture.previous;
    this.going = false;
    if (this.editor.wanted !== picture.id) return;
    if (next) {
      this.show(next, true);
      return;
    }
    this.catchUp();
    toasts.tell(by > 0 ? "This is the last picture." : "This is the first picture.");
  }

  /** Accept all suggestions that are shown, and go on. */
  acceptShown(next) {
    const { editor } = this;
    if (!editor.picture) return;
    /** @type {import("../saving/edits.js").Op[]} */
    const ops = editor.suggestions().map((item) => ({ op: "accept", id: item.id, tmp: temporary() }));
    if (next && editor.picture.review !== "done") ops.push({ op: "review", state: "done" });
    if (ops.length) editor.edit(ops);
    if (next) this.step(1);
  }

  rejectShown() {
    const ops = this.editor.suggestions().map((item) => ({ op: "reject", id: item.id }));
    if (ops.length) this.editor.edit(ops);
  }

  /** Say how far the picture is; said again, it is to be looked at again. @param {"done"|"later"} [state] */
  review(state = "done") {
    const { picture } = this.editor;
    if (!picture) return;
    const again = picture.review === state;
    this.editor.edit([{ op: "review", state: again ? null : state }]);
    if (!again) this.step(1);
  }

  async copyBefore() {
    const { picture } = this.editor;
    if (!picture) return;
    const before = picture.previous ?? (await this.listing.step(picture.id, -1));
    if (before) this.editor.edit([{ op: "copy", image: before }]);
    else toasts.tell("There is no picture before this one.");
  }

  /** The class of what is selected, or of the next box. @param {number} id */
  setClass(id) {
    const { editor, session } = this;
    session.choose(id);
    const item = editor.selection;
    if (item && item.class !== id) editor.set(item, { class: id });
  }

  /** Move the threshold of the selected suggestion's class, or of all. @param {number} by */
  threshold(by) {
    const { session, editor } = this;
    const item = editor.selection;
    const classes = item?.suggestion ? [item.class] : session.classes.map((each) => each.id);
    for (const id of classes) session.setLeast(id, session.leastOf(id) + by);
    editor.rework();
  }

  /** Keep the selected label with its class as an example of what a labeller looks for, or must
   * not take for it. @param {boolean} like */
  async example(like) {
    const item = this.editor.selection;
    if (!item || item.suggestion) {
      toasts.tell("Select a label first: it is the example.");
      return;
    }
    if (!(await queue.flush())) {
      toasts.tell(`Not now: ${queue.reason || "edits still wait to be saved."}`);
      return;
    }
    const box = this.editor.selection; // it has the server's number by now
    if (!box || box.id < 0) return;
    try {
      const answer = await send("PATCH", ["p", this.project, "classes", box.class], { example: { annotation_id: box.id, like } });
      steps.add(this.project, answer?.history, null);
      toasts.tell(`The next pass looks for ${this.session.name(box.class)} ${like ? "like this" : "unlike this"}.`);
    } catch (error) {
      toasts.fail(error);
    }
  }

  /** @param {"undo"|"redo"} which */
  async undo(which) {
    const { picture } = this.editor;
    const { said, hint, image, unsent } = await steps.go(which, this.project);
    toasts.tell(said, { hint });
    if (unsent) {
      if (this.editor.base?.id === image) this.editor.rework();
      return;
    }
    if (image && picture && image !== picture.id) this.show(image, true);
    else if (picture) await this.editor.refresh();
  }

  /** @param {string} dialog */
  ask(dialog) {
    this.dialog = dialog;
    this.changed(NOW);
  }

  filter() {
    router.go([this.project, "pictures"], { filter: this.listing.filter, order: this.listing.order, focus: "filter" });
  }

  /** Something was changed, by whomever. @param {import("../saving/events.js").Told} told */
  async told(told) {
    const { editor } = this;
    const id = editor.wanted;
    if (told.project && told.project !== this.project) return;
    if (told.image) this.ahead.delete(told.image);
    else this.ahead.clear();
    if (!id || (told.image && told.image !== id)) return;
    // Ours may be told before it is answered.
    while (queue.sending?.image === id && queue.state === "saving") {
      await new Promise((resolve) => {
        const end = queue.watch(() => {
          end();
          resolve(undefined);
        });
      });
    }
    if (told.image && this.answered.delete(told.history)) return;
    const before = content(editor.base);
    await editor.refresh();
    if (before && editor.wanted === id && told.who && !steps.mine(this.project, told.history) && content(editor.base) !== before) toasts.tell(`${told.who} changed this picture.`);
  }

  /** An edit of ours was saved. */
  saved(entry, answer, given) {
    if (entry.project !== this.project) return;
    if (answer.image) {
      this.answered.add(answer.history);
      this.ahead.delete(answer.image.id);
      this.editor.saved(answer.image, given);
      this.listing.note(answer.image);
    }
    this.session.soon();
    this.tracks?.soon();
  }

  /** An edit of ours was refused: what is there now is shown, and nothing is written over. */
  refused(entry, error, lost) {
    if (entry.project !== this.project) return;
    const count = 1 + lost.length;
    const image = error.answer?.image;
    if (image && image.id === this.editor.base?.id) {
      this.editor.saved(image, new Map());
      this.editor.conflict = { message: error.message, hint: error.hint, again: this.again([entry, ...lost].flatMap((each) => each.ops ?? [])) };
      this.editor.changed();
      return;
    }
    const where = entry.name ? ` of ${entry.name}` : "";
    toasts.tell(`${plural(count, "edit")}${where} could not be saved: ${error.message}`, { hint: error.hint, kind: "error" });
    if (this.editor.base?.id === entry.image) this.editor.rework();
  }

  /** What was refused, as edits of what is there now; what makes no sense there is left out.
   * @param {any[]} ops @returns {any[]} */
  again(ops) {
    const { boxes, suggestions } = this.editor.picture;
    return ops.flatMap((op) => {
      const now = boxes.find((box) => box.id === op.id);
      if (op.op === "set" && !now && op.box) return [{ op: "add", tmp: temporary(), class: op.class ?? op.was.class, box: op.box }];
      if ((op.op === "set" || op.op === "delete") && now) return [{ ...op, was: { box: now.box, class: now.class } }];
      if (op.op === "add") return [{ ...op, tmp: temporary() }];
      if (["accept", "reject"].includes(op.op) && suggestions.some((each) => each.id === op.id)) return [op];
      return [];
    });
  }

  /** Do again, on what is there now, what was refused. */
  insist() {
    const { again } = this.editor.conflict;
    this.editor.conflict = null;
    this.editor.edit(again);
  }

  dismiss() {
    this.editor.conflict = null;
    this.editor.changed();
  }
}

const content = (image) => image && JSON.stringify([image.boxes, image.suggestions, image.review]);
