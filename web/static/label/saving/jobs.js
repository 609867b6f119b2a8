/** Work of the server that goes on by itself: frames of a video, a labeller's pass. */
import { address, ask, get, post } from "../base/api.js";
import { Watched } from "../base/store.js";

/** One piece of work, asked for until it ends. */
class Job extends Watched {
  /** @param {string} id @param {string} title */
  constructor(id, title) {
    super();
    this.id = id;
    this.title = title;
    /** @type {any} */
    this.now = { state: "running" };
    this.ask();
  }

  get over() {
    return ["done", "failed", "stopped"].includes(this.now.state);
  }

  async ask() {
    let wait = 300;
    while (!this.over) {
      try {
        this.now = await get(["jobs", this.id]);
        wait = 500;
      } catch (error) {
        if (error.status === 404) this.now = { state: "failed", error: "The server no longer knows this work: it was started anew." };
        else wait = 3000;
      }
      this.changed();
      if (!this.over) await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }

  async stop() {
    await ask(address(["jobs", this.id]), { method: "DELETE", headers: { "Content-Type": "application/json" } });
  }
}

class Jobs extends Watched {
  constructor() {
    super();
    /** @type {Job[]} */
    this.all = [];
  }

  /** Begin some work. @param {(string|number)[]} parts @param {any} body @param {string} title */
  async begin(parts, body, title) {
    const { job } = await post(parts, body);
    return this.follow(job, title);
  }

  /** Ask for work that the server has begun until it ends. @param {string} id @param {string} title */
  follow(id, title) {
    const made = new Job(id, title);
    made.watch(() => this.changed());
    this.all = [...this.all.filter((each) => each.id !== id), made];
    this.changed();
    return made;
  }
}

export const jobs = new Jobs();
