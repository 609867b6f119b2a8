/**
 * Drawing: three canvases one above the other. The picture is drawn anew when the view changes,
 * the boxes at rest when one of them changes, and only the box in hand at every move.
 */
import { area } from "../base/geometry.js";

const TAGS = 150;
const FONT = '600 12px "Roboto Mono", ui-monospace, Menlo, "DejaVu Sans Mono", monospace';

export class Stage {
  /** @param {HTMLElement} host @param {import("./editor.js").Editor} editor */
  constructor(host, editor) {
    this.host = host;
    this.editor = editor;
    this.layers = ["picture", "boxes", "hand"].map((name) => {
      const canvas = document.createElement("canvas");
      canvas.className = `layer ${name}`;
      host.append(canvas);
      return canvas;
    });
    const [picture, boxes, hand] = this.layers.map((canvas) => canvas.getContext("2d"));
    this.picture = picture;
    this.boxes = boxes;
    this.hand = hand;
    /** @type {Map<string, number>} widths of texts */
    this.widths = new Map();
    /** @type {ImageBitmap|null} */
    this.bitmap = null;
    this.dirty = new Set();
    this.asked = 0;
    this.frames = 0;
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(host);
    this.resize();
  }

  end() {
    this.observer.disconnect();
    cancelAnimationFrame(this.asked);
    for (const canvas of this.layers) canvas.remove();
  }

  resize() {
    const { clientWidth, clientHeight } = this.host;
    this.ratio = window.devicePixelRatio || 1;
    for (const canvas of this.layers) {
      canvas.width = Math.max(1, Math.round(clientWidth * this.ratio));
      canvas.height = Math.max(1, Math.round(clientHeight * this.ratio));
    }
    this.editor.view.resize(clientWidth, clientHeight);
    this.draw("picture", "boxes", "hand");
    this.editor.viewed();
  }

  /** @param {ImageBitmap|null} bitmap the picture, at any size */
  show(bitmap) {
    this.bitmap = bitmap;
    this.draw("picture");
  }

  /** Draw layers with the next frame. @param {...("picture"|"boxes"|"hand")} layers */
  draw(...layers) {
    for (const layer of layers) this.dirty.add(layer);
    this.asked ||= requestAnimationFrame(() => this.paint());
  }

  /** Paint now what is asked for. */
  paint() {
    this.asked = 0;
    this.frames += 1;
    if (this.dirty.has("picture")) this.paintPicture();
    if (this.dirty.has("boxes")) this.paintBoxes();
    if (this.dirty.has("hand")) this.paintHand();
    this.dirty.clear();
  }

  begin(context) {
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
  }

  paintPicture() {
    const context = this.picture;
    this.begin(context);
    const { view, picture, brightness } = this.editor;
    context.canvas.style.filter = brightness === 1 ? "" : `brightness(${brightness})`;
    if (!picture) return;
    const [w, h] = [view.pictureWidth * view.scale, view.pictureHeight * view.scale];
    if (!this.bitmap) {
      context.fillStyle = "rgba(128, 136, 150, 0.15)";
      context.fillRect(view.x, view.y, w, h);
      return;
    }
    // Only what is in sight is scaled; closer than three to one, pixels are shown as they are.
    const across = this.bitmap.width / w;
    const down = this.bitmap.height / h;
    const left = Math.max(0, -view.x);
    const top = Math.max(0, -view.y);
    const right = Math.min(w, view.width - view.x);
    const bottom = Math.min(h, view.height - view.y);
    if (right <= left || bottom <= top) return;
    context.imageSmoothingEnabled = view.scale * this.ratio < 3;
    context.imageSmoothingQuality = this.editor.moving ? "low" : "high";
    context.drawImage(this.bitmap, left * across, top * down, (right - left) * across, (bottom - top) * down,
      view.x + left, view.y + top, right - left, bottom - top);
  }

  paintBoxes() {
    const context = this.boxes;
    this.begin(context);
    const { editor } = this;
    if (!editor.picture || editor.hidden) return;
    const inHand = editor.draft?.item ?? null;
    const rest = editor.shown().filter((item) => item.key !== inHand && this.inSight(item.box));
    const groups = new Map();
    for (const item of rest) {
      const style = `${item.suggestion ? "s" : "b"}${item.class}`;
      if (!groups.has(style)) groups.set(style, []);
      groups.get(style).push(item);
    }
    for (const items of groups.values()) this.stroke(context, items, false);
    if (rest.length <= TAGS || !editor.moving) this.tags(context, rest.filter((item) => item.key !== editor.selected));
  }

  /** Strokes of boxes of one kind and class: one path, a dark line below for any ground. */
  stroke(context, items, strong) {
    const { view, session } = this.editor;
    context.beginPath();
    for (const { box: [x, y, w, h] } of items) {
      context.rect(view.x + x * view.scale, view.y + y * view.scale, w * view.scale, h * view.scale);
    }
    const { suggestion } = items[0];
    context.setLineDash([]);
    context.lineWidth = strong ? 4.5 : 3.5;
    context.strokeStyle = suggestion ? "rgba(0, 0, 0, 0.35)" : "rgba(0, 0, 0, 0.55)";
    context.stroke();
    context.setLineDash(suggestion ? [7, 5] : []);
    context.lineWidth = strong ? 2.5 : 1.75;
    context.strokeStyle = session.colour(items[0].class);
    context.stroke();
    context.setLineDash([]);
  }

  tags(context, items) {
    const { view } = this.editor;
    context.font = FONT;
    context.textBaseline = "middle";
    // The largest first: what is small is read on top.
    for (const item of [...items].sort((a, b) => area(b.box) - area(a.box))) {
      if (item.box[2] * view.scale < 18 && items.length > 40) continue;
      this.tag(context, item);
    }
  }

  tag(context, item) {
    const { view, session } = this.editor;
    const [x, y] = [view.x + item.box[0] * view.scale, view.y + item.box[1] * view.scale];
    const name = short(session.name(item.class));
    const text = item.suggestion ? `${name} ${item.score.toFixed(2)}` : name;
    const width = this.widths.get(text) ?? context.measureText(text).width;
    this.widths.set(text, width);
    const top = y >= 18 ? y - 18 : y + 2;
    const colour = session.colour(item.class);
    context.fillStyle = item.suggestion ? "rgba(13, 16, 23, 0.82)" : colour;
    context.fillRect(x - 1, top, width + 10, 17);
    if (item.suggestion) {
      context.strokeStyle = colour;
      context.lineWidth = 1;
      context.strokeRect(x - 0.5, top + 0.5, width + 9, 16);
    }
    context.fillStyle = item.suggestion ? "#ffffff" : inkOn(colour);
    context.fillText(text, x + 4, top + 9);
  }

  paintHand() {
    const context = this.hand;
    this.begin(context);
    const { editor } = this;
    const { view, session } = editor;
    if (!editor.picture) return;
    if (editor.cross && (editor.mode === "draw" || editor.draft?.kind === "draw")) {
      context.strokeStyle = "rgba(255, 255, 255, 0.7)";
      context.lineWidth = 1;
      context.setLineDash([4, 4]);
      context.beginPath();
      context.moveTo(0, editor.cross[1] + 0.5);
      context.lineTo(view.width, editor.cross[1] + 0.5);
      context.moveTo(editor.cross[0] + 0.5, 0);
      context.lineTo(editor.cross[0] + 0.5, view.height);
      context.stroke();
      context.setLineDash([]);
    }
    const item = editor.inHand();
    if (!item || (editor.hidden && !editor.draft)) return;
    const [x, y, w, h] = item.box;
    const [sx, sy, sw, sh] = [view.x + x * view.scale, view.y + y * view.scale, w * view.scale, h * view.scale];
    context.globalAlpha = 0.14;
    context.fillStyle = session.colour(item.class);
    context.fillRect(sx, sy, sw, sh);
    context.globalAlpha = 1;
    this.stroke(context, [item], true);
    context.font = FONT;
    context.textBaseline = "middle";
    this.tag(context, item);
    if (editor.draft?.kind === "draw") return;
    context.fillStyle = "#ffffff";
    context.strokeStyle = "rgba(0, 0, 0, 0.8)";
    context.lineWidth = 1;
    const middles = sw > 40 && sh > 40;
    const points = [[sx, sy], [sx + sw, sy], [sx, sy + sh], [sx + sw, sy + sh],
      ...(middles ? [[sx + sw / 2, sy], [sx + sw / 2, sy + sh], [sx, sy + sh / 2], [sx + sw, sy + sh / 2]] : [])];
    for (const [px, py] of points) {
      context.fillRect(px - 4, py - 4, 8, 8);
      context.strokeRect(px - 4, py - 4, 8, 8);
    }
  }

  inSight([x, y, w, h]) {
    const { view } = this.editor;
    return view.x + (x + w) * view.scale >= 0 && view.y + (y + h) * view.scale >= 0 &&
      view.x + x * view.scale <= view.width && view.y + y * view.scale <= view.height;
  }
}

const short = (name) => (name.length > 24 ? `${name.slice(0, 23)}…` : name);

/** Black or white, whichever is read better on a colour (WCAG 2.2, relative luminance).
 * @param {string} colour as #rrggbb */
export function inkOn(colour) {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#10131a" : "#ffffff";
}
