/**
 * Undo and redo of what this tab did. Each names the change it expects, so that nobody takes back
 * what somebody else did; what has not been sent yet is simply not sent.
 */
import { ApiError, post } from "../base/api.js";
import { queue } from "./queue.js";

const KEPT = 500;

class Steps {
  constructor() {
    /** @type {{project: string, id: number, image: number|null}[]} */
    this.done = read("done");
    /** @type {{project: string, id: number, image: number|null}[]} */
    this.undone = read("undone");
  }

  /** A change of this tab was saved. */
  add(project, id, image) {
    if (id === null || id === undefined || this.done.some((step) => step.id === id && step.project === project)) return;
    this.done = [...this.done, { project, id, image }].slice(-KEPT);
    this.undone = this.undone.filter((step) => step.project !== project);
    this.keep();
  }

  mine(project, id) {
    return [...this.done, ...this.undone].some((step) => step.project === project && step.id === id);
  }

  keep() {
    try {
      sessionStorage.setItem("batman.done", JSON.stringify(this.done));
      sessionStorage.setItem("batman.undone", JSON.stringify(this.undone));
    } catch {
      // Without storage the steps live as long as the page.
    }
  }

  /**
   * Take back this tab's newest change, or do it again.
   * @param {"undo"|"redo"} which @param {string} project
   * @returns {Promise<{said: string, hint?: string, image: number|null, unsent?: any}>}
   */
  async go(which, project) {
    if (which === "undo") {
      const unsent = queue.takeBack(project);
      if (unsent) return { said: "Taken back before it was sent.", image: unsent.image, unsent };
    }
    if (!(await queue.flush())) return { said: `Not now: ${queue.reason || "edits still wait to be saved."}`, image: null };
    const [from, to] = which === "undo" ? ["done", "undone"] : ["undone", "done"];
    const steps = this[from].filter((step) => step.project === project);
    const step = steps[steps.length - 1];
    if (!step) return { said: `There is nothing to ${which === "undo" ? "take back" : "do again"} that you did on this page.`, image: null };
    let answer;
    try {
      answer = await post(["p", project, which], { id: step.id });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 409 || error.status === 404) {
        this[from] = this[from].filter((each) => each !== step);
        this.keep();
      }
      return { said: error.message, hint: error.hint, image: null };
    }
    const change = answer.undone ?? answer.redone ?? {};
    const image = change.image ?? step.image ?? null;
    this[from] = this[from].filter((each) => each !== step);
    this[to] = [...this[to], { project, id: change.id ?? step.id, image }];
    this.keep();
    return { said: `${which === "undo" ? "Taken back" : "Done again"}: ${change.summary ?? "the last change"}`, image };
  }
}

function read(name) {
  try {
    return JSON.parse(sessionStorage.getItem(`batman.${name}`)) ?? [];
  } catch {
    return [];
  }
}

export const steps = new Steps();
