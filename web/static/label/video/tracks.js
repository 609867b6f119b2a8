/** The pictures and the tracks of one video, and what can be done to a track. */
import { get, post } from "../base/api.js";
import { Watched } from "../base/store.js";
import { toasts } from "../parts/toasts.js";
import { events } from "../saving/events.js";
import { jobs } from "../saving/jobs.js";
import { queue } from "../saving/queue.js";
import { steps } from "../saving/undo.js";

export class Tracks extends Watched {
  /** @param {string} project @param {string} video */
  constructor(project, video) {
    super();
    this.project = project;
    this.video = video;
    /** @type {{id: number, name: string, time: number|null, review: string|null, boxes: number, open: number}[]} */
    this.pictures = [];
    /** @type {any[]} */
    this.tracks = [];
    /** @type {any[]} */
    this.problems = [];
    this.error = null;
    /** The work that links boxes. @type {any} */
    this.job = null;
    this.loaded = false;
    this.places = new Map();
    this.stop = events.watch((told) => (!told.project || told.project === project) && this.soon());
  }

  end() {
    this.stop();
    clearTimeout(this.asked);
  }

  async load() {
    try {
      const got = await get(["p", this.project, "tracks"], { grp: this.video });
      this.pictures = got.pictures;
      this.tracks = got.tracks;
      this.problems = got.problems ?? [];
      this.places = new Map(this.pictures.map((picture, place) => [picture.id, place]));
      this.error = null;
    } catch (error) {
      this.error = error;
    }
    this.loaded = true;
    this.changed();
  }

  soon() {
    clearTimeout(this.asked);
    this.asked = setTimeout(() => this.load(), 500);
  }

  find(id) {
    return this.tracks.find((track) => track.id === id) ?? null;
  }

  /** Let the server link the boxes of the video into tracks, as one step of the history. */
  async link() {
    if (this.job) return;
    if (!(await queue.flush())) {
      toasts.tell(`Not now: ${queue.reason || "edits still wait to be saved."}`);
      return;
    }
    try {
      this.job = await jobs.begin(["p", this.project, "tracks", "link"], { video: this.video }, `Links in ${this.video}`);
    } catch (error) {
      toasts.fail(error);
      return;
    }
    this.job.watch(() => this.linked());
    this.linked();
  }

  linked() {
    const { job } = this;
    if (job?.over) {
      this.job = null;
      const { state, text, error, hint, history } = job.now;
      if (state === "failed") toasts.tell(error, { hint, kind: "error" });
      else toasts.tell(text);
      steps.add(this.project, history, null);
      this.load();
    }
    this.changed();
  }

  /** Change a track as one step of the history; what waits to be saved is saved before.
   * @param {"split"|"merge"|"class"|"approve"|"interpolate"} what @param {any} body @param {string} said */
  async change(what, body, said) {
    if (!(await queue.flush())) {
      toasts.tell(`Not now: ${queue.reason || "edits still wait to be saved."}`);
      return null;
    }
    try {
      const answer = await post(["p", this.project, "tracks", what], body);
      steps.add(this.project, answer?.history, null);
      toasts.tell(answer?.summary ?? said);
      await this.load();
      return answer;
    } catch (error) {
      toasts.fail(error);
      return null;
    }
  }
}
