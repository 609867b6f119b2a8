/**
 * A rough box put right by a model: the server keeps one loaded, and loading it takes a while.
 * What comes back is an edit as any other.
 */
import { post } from "../base/api.js";
import { clipped, same } from "../base/geometry.js";
import { Watched } from "../base/store.js";
import { toasts } from "../parts/toasts.js";
import { jobs } from "../saving/jobs.js";

export class Snap extends Watched {
  /** @param {import("./labelling.js").Labelling} labelling */
  constructor(labelling) {
    super();
    this.labelling = labelling;
    /** What is going on, or "". */
    this.doing = "";
    this.began = 0;
    /** The work that loads the model. @type {any} */
    this.job = null;
  }

  end() {
    clearInterval(this.ticking);
  }

  /** @param {string} doing */
  say(doing) {
    if (doing !== this.doing) this.began = Date.now();
    this.doing = doing;
    clearInterval(this.ticking);
    if (doing) this.ticking = setInterval(() => this.changed(), 1000);
    this.changed();
  }

  get seconds() {
    return Math.round((Date.now() - this.began) / 1000);
  }

  /** Put the selected box right. */
  async go() {
    const { editor, project } = this.labelling;
    const item = editor.selection;
    if (this.doing) return;
    if (!item) {
      toasts.tell("Select the box that is to be put right.");
      return;
    }
    const { id } = editor.picture;
    this.say("looking for its object");
    try {
      let answer = await post(["p", project, "images", id, "snap"], { box: item.box });
      while (answer.job) {
        if (!(await this.loaded(answer.job))) return;
        this.say("looking for its object");
        answer = await post(["p", project, "images", id, "snap"], { box: item.box });
      }
      this.take(id, item.box, answer);
    } catch (error) {
      if (error.answer?.choose) this.labelling.ask("snap"); // it says what is missing
      else toasts.fail(error);
    } finally {
      this.say("");
    }
  }

  /** Wait until the model is loaded; false when it could not be. @param {string} id */
  async loaded(id) {
    const job = jobs.follow(id, "The model that snaps boxes is loading");
    this.job = job;
    this.say("the model is loading");
    await new Promise((resolve) => {
      const end = job.watch(() => {
        if (!job.over) return;
        end();
        resolve(undefined);
      });
    });
    this.job = null;
    const { state, error, hint } = job.now;
    if (state === "failed") toasts.tell(error, { hint, kind: "error" });
    return state === "done";
  }

  stop() {
    this.job?.stop().catch((error) => toasts.fail(error));
  }

  /** @param {number} id @param {any} before @param {any} answer */
  take(id, before, answer) {
    const { editor, session } = this.labelling;
    const item = editor.selection;
    if (editor.picture?.id !== id || !item || !same(item.box, before)) {
      toasts.tell("The box was changed or left meanwhile: nothing was done to it.");
      return;
    }
    if (!answer.box) {
      toasts.tell(`${answer.model} sees no object there.`, { hint: "Draw the box nearer to it." });
      return;
    }
    const [x, y, w, h] = answer.box;
    const box = clipped(x, y, x + w, y + h, editor.picture.width, editor.picture.height);
    if (same(box, item.box)) toasts.tell(`${answer.model} has the same box.`);
    else editor.set(item, { box });
    if (answer.class && answer.class !== session.name(item.class)) toasts.tell(`${answer.model} takes it for ${answer.class}.`);
  }
}
