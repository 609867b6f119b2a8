/** The pictures in the order in which one walks through them, fetched a page at a time. */
import { get } from "../base/api.js";
import { Watched } from "../base/store.js";

const PAGE = 100;

export class Listing extends Watched {
  /** @param {string} project @param {string} filter @param {string} order */
  constructor(project, filter, order) {
    super();
    this.project = project;
    this.filter = filter;
    this.order = order;
    /** @type {any[]} */
    this.images = [];
    this.total = null;
    this.next = null;
    this.complete = false;
    this.error = null;
    this.loading = null;
  }

  /** Fetch the next page. @returns {Promise<void>} */
  more() {
    if (this.complete) return Promise.resolve();
    this.loading ??= this.fetch().finally(() => {
      this.loading = null;
      this.changed();
    });
    return this.loading;
  }

  ask() {
    return get(["p", this.project, "images"], { filter: this.filter, order: this.order, after: this.next, n: PAGE });
  }

  async fetch() {
    try {
      let got = await this.ask();
      if (!got.images.length && this.next !== null && got.total) {
        // The picture that the page ended with has left the list since, as one that was reviewed.
        this.next = null;
        got = await this.ask();
      }
      const known = new Set(this.images.map((image) => image.id));
      this.images = [...this.images, ...got.images.filter((image) => !known.has(image.id))];
      this.total = got.total;
      this.next = got.next;
      this.complete = got.next === null || got.next === undefined;
      this.error = null;
    } catch (error) {
      this.error = error;
      this.complete = true;
    }
  }

  index(id) {
    return this.images.findIndex((image) => image.id === id);
  }

  /** The picture so many steps from `id`, or null where it is not in what was fetched.
   * @returns {Promise<number|null>} */
  async step(id, by) {
    let at = this.index(id);
    if (at < 0) return null;
    while (at + by >= this.images.length && !this.complete) await this.more();
    return this.images[at + by]?.id ?? null;
  }

  /** What an edit changed in the row of a picture. */
  note(image) {
    const at = this.index(image.id);
    if (at < 0) return;
    this.images[at] = { ...this.images[at], review: image.review, boxes: image.boxes.length, open: image.suggestions.length };
    this.changed();
  }
}
