/**
 * The mouse, a pen and fingers on the stage: select, draw, move, resize, pan, pinch and the wheel.
 * One finger does what the mouse does; two pinch and pan.
 */
import { clipped, moved, resized } from "../base/geometry.js";

const REACH = { mouse: 7, pen: 10, touch: 18 };
// A press that moves less than this is a click.
const SLOP = { mouse: 3, pen: 5, touch: 9 };
const CURSORS = { n: "ns-resize", s: "ns-resize", w: "ew-resize", e: "ew-resize", nw: "nwse-resize", se: "nwse-resize", ne: "nesw-resize", sw: "nesw-resize" };

export class Pointer {
  /** @param {HTMLElement} host @param {import("./editor.js").Editor} editor */
  constructor(host, editor) {
    this.host = host;
    this.editor = editor;
    /** @type {Map<number, {x: number, y: number}>} */
    this.down = new Map();
    /** @type {any} what is being done: its kind, where it began, and what it holds */
    this.gesture = null;
    this.last = null;
    const hear = (name, handler, options) => host.addEventListener(name, handler.bind(this), options);
    hear("pointerdown", this.press);
    hear("pointermove", this.move);
    hear("pointerup", this.release);
    hear("pointercancel", this.cancel);
    hear("pointerleave", this.leave);
    hear("wheel", this.wheel, { passive: false });
    hear("contextmenu", (event) => event.preventDefault());
    hear("auxclick", (event) => event.preventDefault());
  }

  at(event) {
    const bounds = this.host.getBoundingClientRect();
    return { x: event.clientX - bounds.left, y: event.clientY - bounds.top };
  }

  press(event) {
    // What lies over the picture, such as a question, has buttons of its own.
    if (!this.editor.picture || event.target.closest(".over, .conflict")) return;
    this.host.focus({ preventScroll: true });
    const point = this.at(event);
    this.down.set(event.pointerId, point);
    try {
      this.host.setPointerCapture(event.pointerId);
    } catch {
      // A pointer that is gone already.
    }
    if (this.down.size === 2) {
      this.stop();
      this.gesture = { kind: "pinch", ...this.spread() };
      return;
    }
    if (this.down.size > 2) return;
    this.gesture = this.begin(event, point);
    this.cursor();
  }

  begin(event, point) {
    const { editor } = this;
    const start = { point, picture: editor.view.toPicture(point.x, point.y), type: event.pointerType };
    if (event.button === 1 || event.button === 2 || editor.mode === "pan") return { kind: "pan", ...start };
    if (event.button !== 0) return null;
    const reach = (REACH[event.pointerType] ?? 7) / editor.view.scale;
    if (editor.mode !== "draw" && !event.shiftKey) {
      const handle = editor.grip(...start.picture, reach);
      if (handle) return { kind: "resize", handle, item: editor.selection, ...start };
      const again = this.last && Math.hypot(point.x - this.last.x, point.y - this.last.y) < 5;
      const found = editor.pick(...start.picture, reach / 3, false);
      if (found) {
        // What is selected is moved from anywhere inside it; a click goes to what lies below.
        const kept = editor.selection && editor.pick(...start.picture, 0, false) !== null && inside(editor.selection.box, start.picture);
        if (!kept) editor.select(found);
        return { kind: "move", item: editor.selection, kept, again, ...start };
      }
    }
    return { kind: "draw", ...start };
  }

  /** @param {PointerEvent} event */
  move(event) {
    const point = this.at(event);
    const { editor } = this;
    editor.cross = [point.x, point.y];
    if (!this.down.has(event.pointerId)) {
      this.hover(event, point);
      return;
    }
    this.down.set(event.pointerId, point);
    const { gesture } = this;
    if (!gesture) return;
    if (gesture.kind === "pinch") {
      this.pinch(gesture);
      return;
    }
    if (!gesture.moved && Math.hypot(point.x - gesture.point.x, point.y - gesture.point.y) < (SLOP[gesture.type] ?? 3)) return;
    if (gesture.kind === "pan") {
      const before = gesture.moved ?? gesture.point;
      gesture.moved = point;
      editor.moving = true;
      editor.view.pan(point.x - before.x, point.y - before.y);
      editor.viewed();
      return;
    }
    gesture.moved = point;
    const { width, height } = editor.picture;
    const [px, py] = editor.view.toPicture(point.x, point.y);
    const [dx, dy] = [px - gesture.picture[0], py - gesture.picture[1]];
    if (gesture.kind === "draw") {
      if (editor.session.current === null) return;
      editor.hold({ kind: "draw", item: null, box: clipped(...gesture.picture, px, py, width, height) });
    } else {
      const { item, handle } = gesture;
      const box = gesture.kind === "move" ? moved(item.box, dx, dy, width, height) : resized(item.box, handle, dx, dy, width, height);
      editor.hold({ kind: gesture.kind, item: editor.draft?.item ?? item.key, box });
    }
  }

  release(event) {
    const point = this.at(event);
    this.down.delete(event.pointerId);
    const { gesture, editor } = this;
    if (!gesture) return;
    if (gesture.kind === "pinch") {
      if (this.down.size < 2) this.stop();
      return;
    }
    const { draft } = editor;
    this.stop();
    if (gesture.kind === "pan") return;
    if (!gesture.moved) {
      this.click(gesture, point);
    } else if (gesture.kind === "draw") {
      if (editor.session.current === null) editor.onNoClass();
      else if (draft) editor.add(draft.box);
    } else if (draft) {
      const item = editor.find(draft.item);
      if (item) editor.set(item, { box: draft.box });
    }
    this.hover(event, point);
  }

  /** A press that did not move: selects what is there; again at the same place, what lies below. */
  click(gesture, point) {
    const { editor } = this;
    const reach = (REACH[gesture.type] ?? 7) / editor.view.scale;
    if (editor.mode === "draw") return;
    if (gesture.kind === "draw") editor.select(null);
    else if (gesture.kind === "resize" || (gesture.kind === "move" && gesture.kept)) {
      editor.select(editor.pick(...gesture.picture, reach / 3, gesture.again || gesture.kind === "resize"));
    }
    this.last = point;
  }

  cancel(event) {
    this.down.delete(event.pointerId);
    this.stop();
  }

  leave() {
    this.editor.cross = null;
    this.editor.stage?.draw("hand");
  }

  /** End the gesture without doing it. */
  stop() {
    const { editor } = this;
    this.gesture = null;
    if (editor.draft) editor.hold(null);
    if (editor.moving) {
      editor.moving = false;
      editor.viewed();
    }
    this.cursor();
  }

  spread() {
    const [a, b] = [...this.down.values()];
    return { middle: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 }, distance: Math.max(1, Math.hypot(a.x - b.x, a.y - b.y)) };
  }

  pinch(gesture) {
    if (this.down.size < 2) return;
    const { middle, distance } = this.spread();
    const { view } = this.editor;
    this.editor.moving = true;
    view.pan(middle.x - gesture.middle.x, middle.y - gesture.middle.y);
    view.zoomAt(middle.x, middle.y, distance / gesture.distance);
    Object.assign(gesture, { middle, distance });
    this.editor.viewed();
  }

  wheel(event) {
    event.preventDefault();
    const { editor } = this;
    if (!editor.picture) return;
    const unit = event.deltaMode === 1 ? 20 : event.deltaMode === 2 ? 400 : 1;
    const [dx, dy] = [event.deltaX * unit, event.deltaY * unit];
    const point = this.at(event);
    if (event.shiftKey) editor.view.pan(-(dx || dy), dx ? -dy : 0);
    // A pinch on a trackpad arrives as a wheel with Ctrl, in smaller steps.
    else editor.view.zoomAt(point.x, point.y, Math.exp(-dy * (event.ctrlKey ? 0.01 : 0.0016)));
    editor.moving = true;
    clearTimeout(this.rest);
    this.rest = setTimeout(() => {
      editor.moving = false;
      editor.viewed();
    }, 120);
    editor.viewed();
  }

  hover(event, point) {
    const { editor } = this;
    if (!editor.picture || event.pointerType === "touch") return;
    if (editor.mode === "draw") editor.stage?.draw("hand");
    const at = editor.view.toPicture(point.x, point.y);
    const reach = (REACH[event.pointerType] ?? 7) / editor.view.scale;
    const handle = editor.mode === "select" ? editor.grip(...at, reach) : "";
    const found = handle || editor.mode !== "select" ? null : editor.pick(...at, reach / 3, false);
    this.cursor(handle ? CURSORS[handle] : found ? (found === editor.selected ? "move" : "pointer") : null);
  }

  cursor(shape = null) {
    const { editor, gesture } = this;
    const whole = gesture?.kind === "pan" ? "grabbing" : editor.mode === "pan" ? "grab" : gesture?.kind === "move" ? "move" : gesture?.kind === "resize" ? CURSORS[gesture.handle] : null;
    this.host.style.cursor = whole ?? shape ?? "crosshair";
  }
}

const inside = ([x, y, w, h], [px, py]) => px >= x && px <= x + w && py >= y && py <= y + h;
