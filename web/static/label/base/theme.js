/** Dark or light: as the system says, until somebody chooses. */
import { Watched, remember, remembered } from "./store.js";

const system = matchMedia("(prefers-color-scheme: light)");

class Theme extends Watched {
  constructor() {
    super();
    this.chosen = remembered("theme", "");
    system.addEventListener("change", () => this.show());
    this.show();
  }

  get light() {
    return this.chosen ? this.chosen === "light" : system.matches;
  }

  show() {
    document.documentElement.dataset.theme = this.light ? "light" : "dark";
    this.changed();
  }

  turn() {
    this.chosen = this.light ? "dark" : "light";
    remember("theme", this.chosen);
    this.show();
  }
}

export const theme = new Theme();
