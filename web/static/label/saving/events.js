/** What others change, as the server tells it (server-sent events). */
import { address } from "../base/api.js";
import { Watched } from "../base/store.js";

/** @typedef {{project: string, image: number|null, history: number|null, who: string}} Told */

class Events extends Watched {
  constructor() {
    super();
    this.open = false;
    this.source = null;
  }

  /** Listen while somebody looks: a browser has six connections to a server, and each tab that
   * listens takes one from the others. */
  begin() {
    const turn = () => (document.visibilityState === "visible" ? this.start() : this.end());
    document.addEventListener("visibilitychange", turn);
    addEventListener("pagehide", () => this.end());
    addEventListener("pageshow", (event) => event.persisted && turn());
    turn();
  }

  end() {
    clearTimeout(this.again);
    this.source?.close();
    this.source = null;
    this.open = false;
  }

  start() {
    if (this.source && this.source.readyState !== EventSource.CLOSED) return;
    this.source = new EventSource(address(["events"]));
    this.source.onopen = () => {
      // What happened while nobody listened is not told again: whoever shows something asks.
      this.open = true;
      this.changed({ project: null, image: null, history: null, who: "" });
    };
    this.source.onmessage = (event) => {
      let told;
      try {
        told = JSON.parse(event.data);
      } catch {
        return;
      }
      if (told?.project) this.changed(told);
    };
    this.source.onerror = () => {
      this.open = false;
      // A browser gives up for good after an answer that is no stream, as while a server restarts.
      if (this.source?.readyState === EventSource.CLOSED) this.again = setTimeout(() => this.start(), 3000);
    };
  }
}

export const events = new Events();
