/** Where the picture lies on the screen: a scale and an offset, in CSS pixels. */
import { clamp } from "../base/geometry.js";

const MOST = 64;
const MARGIN = 16;
// So much of the picture stays in sight, however it is pushed.
const LEFT = 48;

export class View {
  constructor() {
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    /** The window and the picture. */
    this.width = 1;
    this.height = 1;
    this.pictureWidth = 1;
    this.pictureHeight = 1;
    this.fitted = true;
  }

  /** The window's size; a fitted picture stays fitted. */
  resize(width, height) {
    if (width === this.width && height === this.height) return;
    this.width = Math.max(1, width);
    this.height = Math.max(1, height);
    if (this.fitted) this.fit();
    else this.keep();
  }

  picture(width, height) {
    this.pictureWidth = width;
    this.pictureHeight = height;
    this.fit();
  }

  get fitScale() {
    return Math.min((this.width - MARGIN * 2) / this.pictureWidth, (this.height - MARGIN * 2) / this.pictureHeight);
  }

  fit() {
    this.scale = Math.max(this.fitScale, 1e-3);
    this.x = (this.width - this.pictureWidth * this.scale) / 2;
    this.y = (this.height - this.pictureHeight * this.scale) / 2;
    this.fitted = true;
  }

  /** Zoom so that what is below a point of the window stays there. */
  zoomAt(px, py, factor) {
    const scale = clamp(this.scale * factor, Math.min(this.fitScale, 1) / 4, MOST);
    this.x = px - ((px - this.x) * scale) / this.scale;
    this.y = py - ((py - this.y) * scale) / this.scale;
    this.scale = scale;
    this.fitted = false;
    this.keep();
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.fitted = false;
    this.keep();
  }

  /** Show a box at half the window. @param {[number, number, number, number]} box */
  zoomTo([x, y, w, h]) {
    this.scale = clamp(Math.min(this.width / (w * 2), this.height / (h * 2)), this.fitScale, MOST);
    this.x = this.width / 2 - (x + w / 2) * this.scale;
    this.y = this.height / 2 - (y + h / 2) * this.scale;
    this.fitted = false;
    this.keep();
  }

  keep() {
    const [w, h] = [this.pictureWidth * this.scale, this.pictureHeight * this.scale];
    this.x = clamp(this.x, LEFT - w, this.width - LEFT);
    this.y = clamp(this.y, LEFT - h, this.height - LEFT);
  }

  /** A point of the window as one of the picture. @returns {[number, number]} */
  toPicture(px, py) {
    return [(px - this.x) / this.scale, (py - this.y) / this.scale];
  }
}
