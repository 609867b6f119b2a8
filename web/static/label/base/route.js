/**
 * Where one is: the part of the address behind `#`, which never reaches the server.
 * `#/` projects · `#/NAME` a project · `#/NAME/PLACE` one of its places · `?` what it is asked for.
 */
import { Watched } from "./store.js";

/** @typedef {{parts: string[], query: Record<string, string>}} Route */

class Router extends Watched {
  constructor() {
    super();
    /** @type {Route} */
    this.now = parse(location.hash);
    addEventListener("hashchange", () => {
      this.now = parse(location.hash);
      this.changed();
    });
  }

  /** @param {(string|number)[]} parts @param {Record<string, any>} [query] @param {boolean} [instead] */
  go(parts, query = {}, instead = false) {
    const target = link(parts, query);
    if (target === location.hash) return;
    if (!instead) {
      location.hash = target;
      return;
    }
    history.replaceState(null, "", target);
    this.now = parse(target);
    this.changed();
  }
}

/** @param {string} hash @returns {Route} */
export function parse(hash) {
  const [path, asked = ""] = hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").filter(Boolean).map(plain);
  return { parts, query: Object.fromEntries(new URLSearchParams(asked)) };
}

function plain(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @param {(string|number)[]} parts @param {Record<string, any>} [query] */
export function link(parts, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const asked = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return `#/${parts.map((part) => encodeURIComponent(part)).join("/")}${asked ? `?${asked}` : ""}`;
}

export const router = new Router();
