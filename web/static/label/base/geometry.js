/**
 * Boxes, in pixels of the upright picture: `[x, y, w, h]` with x and y of the top left corner, as
 * the project stores them. All of it is pure.
 */

/** @typedef {[number, number, number, number]} Box */
/** The handles of a box, as the edges they move: north, south, west, east. */
export const HANDLES = ["nw", "ne", "sw", "se", "n", "s", "w", "e"];
const LEAST = 1;

/** Two decimals are a hundredth of a pixel, and survive JSON unchanged.
 * @param {number} value */
const round = (value) => Math.round(value * 100) / 100;

/** The box between two corners, inside a picture, at least one pixel wide and high.
 * @returns {Box} */
export function clipped(x0, y0, x1, y1, width, height) {
  const left = clamp(Math.min(x0, x1), 0, width - LEAST);
  const top = clamp(Math.min(y0, y1), 0, height - LEAST);
  const right = clamp(Math.max(x0, x1), left + LEAST, width);
  const bottom = clamp(Math.max(y0, y1), top + LEAST, height);
  const [x, y] = [round(left), round(top)];
  return [x, y, Math.min(round(right - x), width - x), Math.min(round(bottom - y), height - y)];
}

/** A box moved by so much, stopped by the picture's edges. @param {Box} box @returns {Box} */
export function moved([x, y, w, h], dx, dy, width, height) {
  return [round(clamp(x + dx, 0, Math.max(0, width - w))), round(clamp(y + dy, 0, Math.max(0, height - h))), w, h];
}

/** A box with the edges of `handle` moved by so much; an edge may pass the opposite one.
 * @param {Box} box @param {string} handle @returns {Box} */
export function resized([x, y, w, h], handle, dx, dy, width, height) {
  const left = x + (handle.includes("w") ? dx : 0);
  const right = x + w + (handle.includes("e") ? dx : 0);
  const top = y + (handle.includes("n") ? dy : 0);
  const bottom = y + h + (handle.includes("s") ? dy : 0);
  return clipped(left, top, right, bottom, width, height);
}

/** @param {Box} box */
export const area = ([, , w, h]) => w * h;

/** @param {Box} box @param {number} margin how far outside still counts, in pixels */
export const holds = ([x, y, w, h], px, py, margin = 0) =>
  px >= x - margin && px <= x + w + margin && py >= y - margin && py <= y + h + margin;

/** Intersection over union. @param {Box} a @param {Box} b */
export function overlap(a, b) {
  const w = Math.min(a[0] + a[2], b[0] + b[2]) - Math.max(a[0], b[0]);
  const h = Math.min(a[1] + a[3], b[1] + b[3]) - Math.max(a[1], b[1]);
  if (w <= 0 || h <= 0) return 0;
  return (w * h) / (area(a) + area(b) - w * h);
}

/** What is below a point, the smallest first. @template {{box: Box}} T @param {T[]} items
 * @returns {T[]} */
export function below(items, px, py, margin) {
  return items.filter((item) => holds(item.box, px, py, margin)).sort((a, b) => area(a.box) - area(b.box));
}

/** The handle of `box` at a point, or "": corners win over edges.
 * @param {Box} box @param {number} reach in pixels of the picture */
export function handleAt([x, y, w, h], px, py, reach) {
  // In a small box the handles leave its middle to moving.
  const inside = Math.min(reach, w / 4, h / 4);
  const near = (value, edge, outward) => {
    const past = (value - edge) * outward;
    return past >= -inside && past <= reach;
  };
  if (!holds([x, y, w, h], px, py, reach)) return "";
  const up = near(py, y, -1) ? "n" : near(py, y + h, 1) ? "s" : "";
  const across = near(px, x, -1) ? "w" : near(px, x + w, 1) ? "e" : "";
  return up + across;
}

/** @param {Box} a @param {Box} b */
export const same = (a, b) => a.every((value, index) => Math.abs(value - b[index]) < 1e-6);

export function clamp(value, least, most) {
  return Math.min(Math.max(value, least), most);
}
