/** A value that others watch, and the hook by which a panel draws itself anew when it changes. */
import { useEffect, useReducer } from "../vendor/htm-preact.js";

export const NOW = Symbol("now");

/** Something that changes and says so. */
export class Watched {
  constructor() {
    /** @type {Set<(what?: any) => void>} */
    this.watchers = new Set();
  }

  /** @param {(what?: any) => void} watcher @returns {() => void} how to stop */
  watch(watcher) {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  /** @param {any} [what] */
  changed(what) {
    for (const watcher of [...this.watchers]) watcher(what);
  }
}

/** Draw the component that calls this anew whenever one of `things` changes: once a frame, or at
 * once after `changed(NOW)`, where the next stroke must find what this one has opened.
 * @param {...(Watched|null|undefined)} things */
export function useWatched(...things) {
  const [, again] = useReducer((count) => count + 1, 0);
  useEffect(() => {
    let asked = 0;
    const later = (what) => {
      if (what === NOW) {
        again(null);
        return;
      }
      asked ||= requestAnimationFrame(() => {
        asked = 0;
        again(null);
      });
    };
    const ends = things.filter(Boolean).map((thing) => thing.watch(later));
    return () => {
      cancelAnimationFrame(asked);
      for (const end of ends) end();
    };
  }, things);
}

/** Keep a small thing in the browser; a browser that keeps nothing gets the default.
 * @param {string} name @param {any} other */
export function remembered(name, other) {
  try {
    return JSON.parse(localStorage.getItem(`batman.${name}`)) ?? other;
  } catch {
    return other;
  }
}

/** @param {string} name @param {any} value */
export function remember(name, value) {
  try {
    localStorage.setItem(`batman.${name}`, JSON.stringify(value));
  } catch {
    // A private window without storage: the choice lives as long as the page.
  }
}
