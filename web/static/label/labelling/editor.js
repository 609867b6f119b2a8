/**
 * One picture being labelled: what the server has of it, what of ours waits to be saved, what is
 * selected, and the box in hand.
 */
import { get } from "../base/api.js";
import { below, handleAt, moved, resized, same } from "../base/geometry.js";
import { Watched, remember, remembered } from "../base/store.js";
import { applied, temporary } from "../saving/edits.js";
import { queue } from "../saving/queue.js";
import { View } from "./view.js";

// So long a box may be nudged before the edit is sent: one key held is one step of undo.
const HOLD_MS = 600;

/** @typedef {{key: string, id: number, suggestion: boolean, class: number, box: any, score: number|null, data: any}} Item */

export class Editor extends Watched {
  /** @param {import("./session.js").Session} session */
  constructor(session) {
    super();
    this.session = session;
    this.view = new View();
    /** What the server has of the picture, and that with our edits. */
    this.base = null;
    this.picture = null;
    this.error = null;
    /** @type {string|null} the key of the selected item */
    this.selected = null;
    this.mode = "select";
    this.hidden = false;
    /** Whether the view goes to each box that Tab leads to. */
    this.follow = false;
    this.brightness = remembered("brightness", 1);
    /** @type {{kind: string, item: string|null, box: any, class?: number, suggestion?: boolean, handle?: string}|null} */
    this.draft = null;
    this.cross = null;
    this.moving = false;
    this.stamp = 0;
    this.stage = null;
    this.conflict = null;
    this.onView = () => {};
    this.onNoClass = () => {};
    this.stop = session.watch(() => this.stage?.draw("boxes", "hand"));
    this.wanted = null;
  }

  end() {
    this.stop();
  }

  get project() {
    return this.session.project;
  }

  /** Open a picture. @param {number} id @param {any} [known] what was fetched of it before */
  async open(id, known = null) {
    this.wanted = id;
    this.stamp += 1;
    this.selected = null;
    this.draft = null;
    this.conflict = null;
    this.error = null;
    this.mode = "select";
    if (known) this.take(known, true);
    await this.refresh();
  }

  /** Whether the picture that is wanted cannot be had: what is at hand is another one, or it is gone. */
  get absent() {
    return Boolean(this.error) && (this.picture?.id !== this.wanted || this.error.status === 404);
  }

  /** Ask what the server has now; an answer that an edit of ours has overtaken is asked for again. */
  async refresh() {
    const id = this.wanted;
    for (;;) {
      const { stamp } = this;
      try {
        const got = await get(["p", this.project, "images", id]);
        if (this.wanted !== id) return;
        if (stamp !== this.stamp) continue;
        this.error = null;
        this.take(got, this.picture?.id !== id);
      } catch (error) {
        // Where nobody answers the bar says so, and one goes on with what is at hand.
        if (this.wanted === id && (error.status !== 0 || this.picture?.id !== id)) {
          this.error = error;
          this.changed();
        }
      }
      return;
    }
  }

  /** The picture is now so at the server. @param {any} image @param {boolean} [fresh] */
  take(image, fresh = false) {
    const before = this.base;
    this.base = image;
    if (image.id === this.wanted) this.error = null; // the server has answered since
    this.rework();
    if (fresh) {
      // One looks at the same corner through the frames of a video.
      const same = before && image.grp && ["grp", "width", "height"].every((name) => before[name] === image[name]);
      if (!same || this.view.fitted) this.view.picture(image.width, image.height);
      this.stage?.draw("picture");
      this.viewed();
    }
  }

  /** An edit of ours was saved. @param {any} image @param {Map<number, number>} given */
  saved(image, given) {
    if (image?.id !== this.base?.id) return;
    this.stamp += 1;
    const [kind, id] = parts(this.selected);
    if (kind === "b" && given.has(id)) this.selected = `b${given.get(id)}`;
    if (this.draft?.item) {
      const [, held] = parts(this.draft.item);
      if (given.has(held)) this.draft.item = `b${given.get(held)}`;
    }
    this.take({ ...this.base, ...image });
  }

  /** Put our edits on top of what the server has. */
  rework() {
    this.picture = applied(this.base, queue.pending(this.project, this.base.id));
    this.items = null;
    if (this.selected && !this.find(this.selected)) this.selected = null;
    if (this.draft?.item && !this.find(this.draft.item)) this.draft = null;
    this.stage?.draw("boxes", "hand");
    this.changed();
  }

  /** @returns {Item[]} all labels and suggestions */
  all() {
    this.items ??= [
      ...this.picture.boxes.map((box) => ({ key: `b${box.id}`, id: box.id, suggestion: false, class: box.class, box: box.box, score: box.score, data: box })),
      ...this.picture.suggestions.map((each) => ({ key: `s${each.id}`, id: each.id, suggestion: true, class: each.class, box: each.box, score: each.score, data: each })),
    ];
    return this.items;
  }

  /** What is on the screen: every label, and the suggestions that the threshold lets through. */
  shown() {
    return this.picture ? this.all().filter((item) => !item.suggestion || this.session.shows(item)) : [];
  }

  suggestions() {
    return this.shown().filter((item) => item.suggestion);
  }

  /** @param {string|null} key @returns {Item|null} */
  find(key) {
    return (key && this.picture && this.all().find((item) => item.key === key)) || null;
  }

  get selection() {
    return this.find(this.selected);
  }

  /** The item that is drawn by itself, above the others: the draft, or what is selected. */
  inHand() {
    if (this.draft) {
      const item = this.find(this.draft.item);
      return { suggestion: false, score: null, class: this.session.current, key: "", ...item, box: this.draft.box };
    }
    return this.selection;
  }

  select(key) {
    if (this.selected === key) return;
    this.selected = key;
    this.stage?.draw("boxes", "hand");
    this.changed();
  }

  /** What a click at a point selects: the smallest box; at the same place again, the next below. */
  pick(px, py, margin, again) {
    const found = this.hidden ? [] : below(this.shown(), px, py, margin);
    if (!found.length) return null;
    const at = again ? found.findIndex((item) => item.key === this.selected) : -1;
    return found[(at + 1) % found.length].key;
  }

  /** The handle of the selected item at a point, or "". */
  grip(px, py, reach) {
    const item = this.selection;
    return item && !this.hidden ? handleAt(item.box, px, py, reach) : "";
  }

  /** Edit the picture, here at once and then at the server. @param {any[]} ops @param {number} [hold] */
  edit(ops, hold = 0) {
    queue.edit(this.project, this.picture, ops, hold);
    this.stamp += 1;
    this.rework();
  }

  add(box) {
    const tmp = temporary();
    this.edit([{ op: "add", tmp, class: this.session.current, box }]);
    this.mode = "select";
    this.select(`b${tmp}`);
  }

  /** Give an item another box or class. A suggestion is accepted by it. */
  set(item, change, hold = 0) {
    if (change.box && same(change.box, item.box) && change.class === undefined) return;
    if (item.suggestion) {
      const tmp = temporary();
      this.edit([{ op: "accept", id: item.id, tmp, ...change }]);
      this.select(`b${tmp}`);
    } else {
      this.edit([{ op: "set", id: item.id, was: { box: item.data.box, class: item.data.class }, ...change }], hold);
    }
  }

  /** Move an item, or one edge of it, by pixels: held keys are one edit. */
  nudge(dx, dy, handle = "") {
    const item = this.selection;
    if (!item) return;
    const { width, height } = this.picture;
    const box = handle ? resized(item.box, handle, dx, dy, width, height) : moved(item.box, dx, dy, width, height);
    this.set(item, { box }, HOLD_MS);
  }

  remove(item) {
    const next = this.neighbour(item);
    this.edit([item.suggestion ? { op: "reject", id: item.id } : { op: "delete", id: item.id, was: { box: item.data.box, class: item.data.class } }]);
    if (item.suggestion) this.select(next);
  }

  accept(item) {
    if (!item.suggestion) return;
    const next = this.neighbour(item);
    this.edit([{ op: "accept", id: item.id, tmp: temporary() }]);
    this.select(next);
  }

  /** The suggestion after `item` in reading order, so that a row of them is a row of keys. */
  neighbour(item) {
    const rest = this.ordered().filter((each) => each.suggestion);
    const at = rest.findIndex((each) => each.key === item.key);
    const next = rest[at + 1] ?? rest[0];
    return next && next.key !== item.key ? next.key : null;
  }

  /** Items from top to bottom in bands of a tenth of the picture, from left to right in each. */
  ordered() {
    const band = this.picture.height / 10;
    const at = ({ box: [x, y, w, h] }) => [Math.floor((y + h / 2) / band), x + w / 2];
    return this.shown().map((item) => ({ item, place: at(item) }))
      .sort((a, b) => a.place[0] - b.place[0] || a.place[1] - b.place[1]).map(({ item }) => item);
  }

  /** Select the next or the previous item: first the open suggestions, then the labels. */
  step(by) {
    const all = this.ordered();
    const items = [...all.filter((item) => item.suggestion), ...all.filter((item) => !item.suggestion)];
    if (!items.length) return;
    const at = items.findIndex((item) => item.key === this.selected);
    const next = at < 0 ? (by > 0 ? 0 : items.length - 1) : (at + by + items.length) % items.length;
    this.select(items[next].key);
    if (this.follow) this.view.zoomTo(items[next].box);
    if (this.follow) this.viewed();
    else this.reveal(items[next].box);
  }

  /** Bring a box into sight when it is not. */
  reveal([x, y, w, h]) {
    const { view } = this;
    const inside = view.x + x * view.scale >= 0 && view.y + y * view.scale >= 0 &&
      view.x + (x + w) * view.scale <= view.width && view.y + (y + h) * view.scale <= view.height;
    if (inside) return;
    const keep = view.scale;
    view.pan(view.width / 2 - (view.x + (x + w / 2) * keep), view.height / 2 - (view.y + (y + h / 2) * keep));
    this.viewed();
  }

  /** The view has changed. */
  viewed() {
    this.stage?.draw("picture", "boxes", "hand");
    this.onView();
  }

  /** @param {any} draft */
  hold(draft) {
    const began = Boolean(this.draft) !== Boolean(draft);
    this.draft = draft;
    this.stage?.draw("hand", ...(began ? ["boxes"] : []));
  }

  setMode(mode) {
    this.mode = mode;
    this.stage?.draw("hand");
    this.changed();
  }

  setHidden(hidden) {
    this.hidden = hidden;
    this.stage?.draw("boxes", "hand");
    this.changed();
  }

  setBrightness(value) {
    this.brightness = Math.min(4, Math.max(0.25, Math.round(value * 100) / 100));
    remember("brightness", this.brightness);
    this.stage?.draw("picture");
    this.changed();
  }
}

const parts = (key) => (key ? [key[0], Number(key.slice(1))] : ["", NaN]);
