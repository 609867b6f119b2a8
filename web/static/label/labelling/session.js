/**
 * A project as the page knows it: its classes, its progress, and how it is looked at: from which
 * score on suggestions are shown. A threshold is a view: nothing is asked of a model again.
 */
import { get } from "../base/api.js";
import { Watched, remember, remembered } from "../base/store.js";
import { events } from "../saving/events.js";

const LEAST = 0.5;

export class Session extends Watched {
  /** @param {string} project */
  constructor(project) {
    super();
    this.project = project;
    /** @type {any} */
    this.info = null;
    /** @type {import("../base/api.js").ApiError|null} */
    this.error = null;
    this.byId = new Map();
    const kept = remembered(`view.${project}`, {});
    /** @type {Record<string, number>} */
    this.least = kept.least ?? {};
    this.low = kept.low ?? false;
    /** @type {number|null} the class of the next box */
    this.current = kept.current ?? null;
    this.asked = 0;
    this.stop = events.watch((told) => {
      if (!told.project || told.project === project) this.soon();
    });
  }

  end() {
    clearTimeout(this.asked);
    this.stop();
  }

  async load() {
    try {
      this.info = await get(["p", this.project]);
      this.error = null;
      this.byId = new Map(this.classes.map((each) => [each.id, each]));
      if (!this.byId.has(this.current)) this.current = this.classes[0]?.id ?? null;
    } catch (error) {
      this.error = error;
    }
    this.changed();
  }

  /** Ask for counts and progress again, once, a little later. */
  soon() {
    clearTimeout(this.asked);
    this.asked = setTimeout(() => this.load(), 400);
  }

  get classes() {
    return this.info?.classes ?? [];
  }

  colour(id) {
    return this.byId.get(id)?.colour ?? "#9aa4b2";
  }

  name(id) {
    return this.byId.get(id)?.name ?? "a class that is gone";
  }

  /**
   * The first classes, and those that are `wanted`: a page has no room for ten thousand.
   * @param {number} most @param {(each: any) => boolean} wanted
   */
  some(most, wanted) {
    return this.classes.filter((each, at) => at < most || wanted(each));
  }

  /** The class of a key, 1 to 9. @param {string} key */
  ofKey(key) {
    const stated = this.classes.find((each) => String(each.key ?? "") === key);
    return stated ?? (this.classes.some((each) => each.key) ? undefined : this.classes[Number(key) - 1]);
  }

  choose(id) {
    this.current = id;
    this.keep();
  }

  leastOf(id) {
    return this.least[id] ?? this.byId.get(id)?.prompts?.least ?? LEAST;
  }

  setLeast(id, value) {
    this.least = { ...this.least, [id]: Math.round(Math.min(1, Math.max(0, value)) * 100) / 100 };
    this.keep();
  }

  setLow(low) {
    this.low = low;
    this.keep();
  }

  /** Whether a suggestion is shown: from the threshold of its class on, or below it.
   * @param {{class: number, score: number}} suggestion */
  shows(suggestion) {
    return suggestion.score >= this.leastOf(suggestion.class) !== this.low;
  }

  keep() {
    remember(`view.${this.project}`, { least: this.least, low: this.low, current: this.current });
    this.changed();
  }
}
