/**
 * Files on their way to the server, piece by piece: what has arrived is never sent again, not even
 * after a lost connection, a reload or a server that was started anew.
 */
import { ApiError, address, ask, get } from "../base/api.js";
import { Watched } from "../base/store.js";

const PIECE = 4 << 20;
const RETRY_MS = [1000, 2000, 4000, 8000, 15000];
const AT_ONCE = 2;
const PATIENCE = 8;
const VIDEO = /\.(mp4|m4v|mov|avi|mkv|webm|mpg|mpeg|ts|mts|wmv|flv|3gp)$/i;

/** @typedef {"waiting"|"sending"|"stopped"|"retrying"|"done"|"failed"} UploadState */

export class Upload extends Watched {
  /** @param {string} project @param {File} file */
  constructor(project, file) {
    super();
    this.project = project;
    this.file = file;
    this.video = file.type.startsWith("video/") || VIDEO.test(file.name);
    this.received = 0;
    /** @type {UploadState} */
    this.state = "waiting";
    this.reason = "";
    /** What the server calls it, once it is all there. @type {any} */
    this.answer = null;
    this.end = new AbortController();
  }

  /** The same file is the same upload, whenever it is chosen again. */
  async key() {
    const text = `${this.project}\n${this.file.name}\n${this.file.size}\n${this.file.lastModified}`;
    const bytes = new TextEncoder().encode(text);
    if (crypto.subtle) {
      const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      return [...hash.slice(0, 16)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    }
    // Not on a secure page: FNV-1a, four times with other offsets, tells files apart well enough.
    return [0, 1, 2, 3].map((turn) => {
      let hash = (0x811c9dc5 + turn * 0x9e3779b9) >>> 0;
      for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
      return hash.toString(16).padStart(8, "0");
    }).join("");
  }

  async run() {
    const key = await this.key();
    let tries = 0;
    this.set("sending");
    while (this.state === "sending" || this.state === "retrying") {
      try {
        this.received = await this.begun(key);
        // An upload that was whole already: only its frames were not taken yet.
        if (this.received && this.received >= this.file.size) {
          this.answer = { upload: key };
          this.set("done");
          return;
        }
        for (;;) {
          const answer = await this.piece(key);
          tries = 1;
          if (this.end.signal.aborted) return;
          this.set("sending");
          if (this.received >= this.file.size) {
            this.answer = { ...answer, upload: answer?.upload ?? key };
            this.set("done");
            return;
          }
        }
      } catch (error) {
        if (this.end.signal.aborted || error.name === "AbortError") return;
        // 409: a piece came twice, or another tab sends it; how much is there is asked again.
        const passing = error instanceof ApiError && (error.status === 0 || error.status >= 500 || error.status === 423 || (error.status === 409 && tries < PATIENCE));
        if (!passing) {
          this.set("failed", `${error.message} ${error.hint ?? ""}`.trim());
          return;
        }
        this.set("retrying", error.message);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS[Math.min(tries, RETRY_MS.length - 1)]));
        tries += 1;
      }
    }
  }

  /** How much of the file an earlier try has brought there. */
  async begun(key) {
    try {
      return (await get(["p", this.project, "uploads", key])).received;
    } catch (error) {
      if (error.status === 404) return 0;
      throw error;
    }
  }

  async piece(key) {
    const { size, name } = this.file;
    const [from, to] = [this.received, Math.min(size, this.received + PIECE)];
    const answer = await ask(address(["p", this.project, "videos"], { name, key }), {
      method: "POST",
      headers: { "Content-Type": "application/octet-stream", "Content-Range": `bytes ${from}-${Math.max(from, to - 1)}/${size}` },
      body: this.file.slice(from, to),
      signal: this.end.signal,
    });
    this.received = answer?.received ?? to;
    return answer;
  }

  stop() {
    this.end.abort();
    this.set("stopped", "Choose the same file again to go on where it stopped.");
  }

  /** @param {UploadState} state @param {string} [reason] */
  set(state, reason = "") {
    if (this.state === "stopped") return;
    this.state = state;
    this.reason = reason;
    this.changed();
  }
}

/** Pictures are sent whole: each is small, and one that is there already is answered so. */
class Picture extends Upload {
  async run() {
    this.set("sending");
    for (let tries = 0; this.state === "sending" || this.state === "retrying"; tries += 1) {
      try {
        this.answer = await ask(address(["p", this.project, "pictures"], { name: this.file.name }), {
          method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: this.file, signal: this.end.signal,
        });
        this.received = this.file.size;
        this.set("done", this.answer?.note ?? "");
      } catch (error) {
        if (this.end.signal.aborted || error.name === "AbortError") return;
        const passing = error instanceof ApiError && (error.status === 0 || error.status >= 500 || error.status === 423);
        this.set(passing ? "retrying" : "failed", `${error.message} ${error.hint ?? ""}`.trim());
        if (passing) await new Promise((resolve) => setTimeout(resolve, RETRY_MS[Math.min(tries, RETRY_MS.length - 1)]));
      }
    }
  }
}

/** All uploads of this page; they go on while one looks at other places. */
class Uploads extends Watched {
  constructor() {
    super();
    /** @type {Upload[]} */
    this.all = [];
    addEventListener("beforeunload", (event) => {
      if (this.all.some((each) => ["waiting", "sending", "retrying"].includes(each.state))) event.preventDefault();
    });
  }

  /** @param {string} project @param {Iterable<File>} files */
  add(project, files) {
    for (const file of files) {
      const made = new Upload(project, file);
      const upload = made.video ? made : new Picture(project, file);
      upload.watch(() => this.changed());
      this.all = [...this.all.filter((each) => each.file.name !== file.name || each.project !== project), upload];
    }
    this.go();
    this.changed();
  }

  go() {
    const sending = this.all.filter((each) => ["sending", "retrying"].includes(each.state)).length;
    for (const upload of this.all.filter((each) => each.state === "waiting").slice(0, Math.max(0, AT_ONCE - sending))) {
      upload.run().finally(() => this.go());
    }
  }

  clear() {
    this.all = this.all.filter((each) => ["waiting", "sending", "retrying"].includes(each.state));
    this.changed();
  }
}

export const uploads = new Uploads();
