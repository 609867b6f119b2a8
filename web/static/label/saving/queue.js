/**
 * Edits on their way to the server, one after the other. Each is kept in the browser until the
 * server has acknowledged it, and has a key of its own, so that one that is sent again after a
 * lost answer is not done twice.
 */
import { ApiError, address, ask } from "../base/api.js";
import { Watched } from "../base/store.js";
import { joined, mapped, needs, numbered, worded } from "./edits.js";
import { Waiting } from "./idb.js";

const RETRY_MS = [500, 1000, 2000, 4000, 8000, 15000];
const LOCKED_MS = 2000;
// A browser lets a request outlive its page only when its body is small (Fetch: 64 KiB in all).
const OUTLIVES = 60000;

/**
 * @typedef {{key: string, at: number, order: number, tab: string, project: string,
 *   image: number|null, name: string, parts: (string|number)[], ops: any[]|null, body: any,
 *   hold: number, tries: number, left?: boolean}} Entry
 * `ops` of an edit of one picture, `body` of anything else; `left` by a tab that is gone.
 */

/** @typedef {"saved"|"saving"|"offline"|"locked"|"shut"} State */

class SaveQueue extends Watched {
  constructor() {
    super();
    /** @type {Entry[]} */
    this.entries = [];
    /** Left behind by an earlier tab for pictures that this server does not have: kept, not sent.
     * @type {Entry[]} */
    this.foreign = [];
    /** @type {Entry|null} */
    this.sending = null;
    /** Until we know what an earlier tab has left here, not all is saved.
     * @type {State} */
    this.state = "saving";
    this.reason = "";
    this.tab = unique();
    this.order = 0;
    /** @type {(entry: Entry, answer: any, given: Map<number, number>) => void} */
    this.onSaved = () => {};
    /** @type {(entry: Entry, error: ApiError, lost: Entry[]) => void} */
    this.onRefused = () => {};
    this.wake = () => {};
    this.rows = new Waiting(null);
  }

  /** Open what earlier tabs left behind, and begin to send. */
  async start() {
    this.rows = await Waiting.open();
    const left = await orphans(await this.rows.all());
    this.entries = [...left.map((entry) => ({ ...entry, tab: this.tab, hold: 0, left: true })), ...this.entries];
    await this.rows.change(this.entries);
    addEventListener("online", () => this.wake());
    addEventListener("pagehide", () => this.leave());
    addEventListener("beforeunload", (event) => {
      if (this.waiting) event.preventDefault();
    });
    this.changed();
    this.run();
  }

  get waiting() {
    return this.entries.length;
  }

  /** The operations on a picture that the server has not acknowledged, in order.
   * @param {string} project @param {number} image @returns {any[]} */
  pending(project, image) {
    return this.entries.filter((entry) => entry.project === project && entry.image === image && entry.ops)
      .flatMap((entry) => entry.ops);
  }

  /** Save an edit of a picture. Edits of one box that follow while it is held become one.
   * @param {string} project @param {{id: number, name: string}} picture @param {any[]} ops
   * @param {number} [hold] milliseconds in which the next may join */
  edit(project, picture, ops, hold = 0) {
    const last = this.entries[this.entries.length - 1];
    const both = last && last !== this.sending && last.tries === 0 && last.hold > Date.now() &&
      last.project === project && last.image === picture.id && last.ops ? joined(last.ops, ops) : null;
    if (both) {
      last.ops = both;
      last.hold = hold ? Date.now() + hold : 0;
      this.keep([last]);
      return;
    }
    this.add({ project, image: picture.id, name: picture.name, ops, body: null, hold: hold ? Date.now() + hold : 0,
      parts: ["p", project, "images", picture.id, "ops"] });
  }

  /** Save anything else that has a key. @param {string} project @param {(string|number)[]} parts @param {any} body */
  send(project, parts, body) {
    this.add({ project, image: null, name: "", ops: null, body, hold: 0, parts });
  }

  add(entry) {
    const whole = { ...entry, key: unique(), at: Date.now(), order: this.order++, tab: this.tab, tries: 0 };
    this.entries.push(whole);
    this.keep([whole]);
  }

  keep(entries, gone = []) {
    const written = this.rows.change(entries.map((entry) => ({ ...entry })), gone);
    this.changed();
    this.wake();
    return written;
  }

  /** Take back the newest edit if nobody else can have seen it. @returns {Entry|null} */
  takeBack(project) {
    const last = this.entries[this.entries.length - 1];
    if (!last || last === this.sending || last.tries > 0 || last.project !== project) return null;
    this.entries.pop();
    this.keep([], [last.key]);
    return last;
  }

  /** Send all that is held, and wait until it is saved or cannot be for now. @returns {Promise<boolean>} */
  async flush() {
    for (const entry of this.entries) entry.hold = 0;
    this.wake();
    while (this.waiting && !["offline", "locked", "shut"].includes(this.state)) {
      await new Promise((resolve) => {
        const end = this.watch(() => {
          end();
          resolve(undefined);
        });
      });
    }
    return !this.waiting;
  }

  async run() {
    for (;;) {
      const entry = this.entries[0];
      if (!entry) {
        this.show("saved");
        await this.sleep(null);
        continue;
      }
      const rest = entry.hold - Date.now();
      if (this.state === "saved") this.show("saving");
      if (rest > 0) {
        await this.sleep(rest);
        continue;
      }
      this.sending = entry;
      try {
        if (entry.left && !(await known(entry))) {
          this.entries.shift();
          this.foreign.push(entry);
          this.changed();
          continue;
        }
        this.acknowledged(entry, await this.request(entry));
      } catch (error) {
        this.sending = null;
        await this.failed(entry, error instanceof ApiError ? error : new ApiError(0, String(error), "", null));
      }
      this.sending = null;
      this.changed();
    }
  }

  request(entry) {
    entry.tries += 1;
    const body = JSON.stringify(entry.ops ? { key: entry.key, ops: worded(entry.ops) } : { key: entry.key, ...entry.body });
    return ask(address(entry.parts), { method: "POST", headers: { "Content-Type": "application/json" }, body, keepalive: body.length < OUTLIVES });
  }

  acknowledged(entry, answer) {
    const given = entry.ops ? numbered(entry.ops, answer) : new Map();
    this.entries = this.entries.filter((each) => each !== entry);
    const mended = [];
    for (const each of this.entries) {
      if (!each.ops || each.image !== entry.image || each.project !== entry.project) continue;
      each.ops = mapped(each.ops, entry.ops ?? [], given, answer.image);
      mended.push(each);
    }
    // The number of the box and the end of the entry go together: a crash leaves both or neither.
    this.keep(mended, [entry.key]);
    this.show(this.waiting ? "saving" : "saved");
    tell(this.onSaved, entry, answer, given);
  }

  async failed(entry, error) {
    if (error.status === 0 || error.status >= 500 || error.status === 429) {
      this.show("offline", error.status === 0 ? error.message : `${error.message} It is tried again.`);
      await this.sleep(RETRY_MS[Math.min(entry.tries - 1, RETRY_MS.length - 1)]);
    } else if (error.status === 423) {
      const { holder } = error.answer ?? {};
      this.show("locked", holder && holder !== error.message ? `${holder} is writing to this project` : error.message);
      await this.sleep(LOCKED_MS);
    } else if (error.status === 401 || error.status === 403) {
      this.show("shut", `${error.message} ${error.hint}`);
      await this.sleep(RETRY_MS[RETRY_MS.length - 1]);
    } else {
      // The server will never take it: it goes, and what rests on it, and it is said.
      const gone = new Set((entry.ops ?? []).flatMap((op) => [op.tmp, op.op === "set" || op.op === "delete" ? op.id : undefined]).filter((id) => id !== undefined));
      const lost = this.entries.filter((each) => each !== entry && each.ops && each.image === entry.image &&
        [...needs(each.ops)].some((id) => gone.has(id)));
      this.entries = this.entries.filter((each) => each !== entry && !lost.includes(each));
      this.keep([], [entry, ...lost].map((each) => each.key));
      this.show(this.waiting ? "saving" : "saved");
      tell(this.onRefused, entry, error, lost);
    }
  }

  /** Wait until something wakes us, or so long. @param {number|null} ms */
  sleep(ms) {
    return new Promise((resolve) => {
      const timer = ms === null ? 0 : setTimeout(resolve, ms);
      this.wake = () => {
        // Nothing is gained by asking a server that does not answer at every stroke.
        if (ms !== null && !["saving", "saved"].includes(this.state) && this.entries[0]?.tries && !navigator.onLine) return;
        clearTimeout(timer);
        resolve(undefined);
      };
    });
  }

  /** The page goes: what is held goes out now; what does not arrive is sent when it opens again. */
  leave() {
    const begun = new Set(this.sending ? [this.sending.image] : []);
    for (const entry of this.entries) {
      if (entry === this.sending || begun.has(entry.image)) continue;
      begun.add(entry.image);
      this.request(entry).catch(() => {});
    }
  }

  /** Give up what was left behind for pictures that this server does not have. */
  forget() {
    const gone = this.foreign.map((entry) => entry.key);
    this.foreign = [];
    return this.keep([], gone);
  }

  /** @param {State} state @param {string} [reason] */
  show(state, reason = "") {
    if (state === this.state && reason === this.reason) return;
    this.state = state;
    this.reason = reason;
    this.changed();
  }
}

/** Whoever shows it may fail; the edits after this one are sent all the same. */
function tell(listener, ...told) {
  try {
    listener(...told);
  } catch (error) {
    reportError(error);
  }
}

/** A key that no other request has; `randomUUID` is missing where the page is not secure. */
export function unique() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Whether the server has the picture of an entry that was left behind: at the same address there
 * may be another workspace by now. @param {Entry} entry */
async function known(entry) {
  const parts = entry.ops ? ["p", entry.project, "images", entry.image] : ["p", entry.project];
  try {
    const found = await ask(address(parts));
    return found.name === (entry.ops ? entry.name : entry.project);
  } catch (error) {
    if (error.status === 404) return false;
    throw error;
  }
}

/** Of what is kept, that of tabs that are gone: whoever lives answers at once. */
async function orphans(entries) {
  if (!entries.length) return [];
  const alive = new Set();
  if (channel) {
    const hear = (event) => event.data.alive && alive.add(event.data.alive);
    channel.addEventListener("message", hear);
    channel.postMessage({ who: true });
    await new Promise((resolve) => setTimeout(resolve, 250));
    channel.removeEventListener("message", hear);
  }
  return entries.filter((entry) => !alive.has(entry.tab));
}


export const queue = new SaveQueue();
const channel = typeof BroadcastChannel === "function" ? new BroadcastChannel("batman-label") : null;
channel?.addEventListener("message", (event) => event.data.who && channel.postMessage({ alive: queue.tab }));
