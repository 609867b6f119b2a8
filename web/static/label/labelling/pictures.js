/**
 * Decoded pictures: one scaled to what the window shows, the original when one looks closer, and
 * those of the next two images before they are asked for.
 */
import { address } from "../base/api.js";

// Few widths, so that the browser and the server find again what they have.
const WIDTHS = [800, 1600, 2400, 3200];
const KEPT = 6;

/** The width to ask for so that `shown` device pixels are sharp; null is the original.
 * @param {number} shown @param {number} width the original's */
export function wanted(shown, width) {
  const found = WIDTHS.find((each) => each >= Math.min(shown, width) * 0.99);
  return found && found < width ? found : null;
}

export class Pictures {
  /** @param {string} project */
  constructor(project) {
    this.project = project;
    /** @type {Map<string, {promise: Promise<ImageBitmap>, bitmap: ImageBitmap|null, end: AbortController}>} */
    this.kept = new Map();
  }

  /** @param {number} image @param {number|null} width @returns {Promise<ImageBitmap>} */
  load(image, width) {
    const key = `${image}/${width ?? "full"}`;
    let entry = this.kept.get(key);
    if (entry) {
      this.kept.delete(key);
    } else {
      const end = new AbortController();
      entry = { promise: this.fetch(image, width, end.signal), bitmap: null, end };
      const made = entry;
      made.promise.then((bitmap) => (made.bitmap = bitmap), () => this.kept.get(key) === made && this.kept.delete(key));
    }
    this.kept.set(key, entry);
    while (this.kept.size > KEPT) {
      const [oldest, { bitmap, end }] = this.kept.entries().next().value;
      this.kept.delete(oldest);
      end.abort();
      bitmap?.close();
    }
    return entry.promise;
  }

  async fetch(image, width, signal) {
    const answer = await fetch(address(["p", this.project, "images", image, "picture"], { w: width }), { signal, credentials: "same-origin" });
    if (!answer.ok) {
      const told = await answer.json().catch(() => null);
      throw new Error(told?.error ?? `The picture cannot be shown: the server answered ${answer.status}.`);
    }
    return createImageBitmap(await answer.blob());
  }

  end() {
    for (const { bitmap, end } of this.kept.values()) {
      end.abort();
      bitmap?.close();
    }
    this.kept.clear();
  }
}
