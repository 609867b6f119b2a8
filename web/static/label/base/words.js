/** Numbers, times and counts as people read them. */

/** @param {number} count @param {string} one @param {string} [many] */
export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

/** @param {number} value */
export const number = (value) => (value ?? 0).toLocaleString("en-US");

/** Seconds as 1:05 or 1:02:05. @param {number} seconds */
export function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value) => String(value).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Bytes with a unit of 1000. @param {number} count */
export function size(count) {
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (count < 1000) return `${unit === "B" ? count : count.toFixed(1)} ${unit}`;
    count /= 1000;
  }
  return `${count.toFixed(1)} TB`;
}

/** A score as it is shown. @param {number|null} value */
export const score = (value) => (value === null || value === undefined ? "" : value.toFixed(2));

/** Who made a box. @param {{source: string|null, model: string|null, score: number|null, edited: any}} box */
export function provenance(box) {
  const from = { person: "drawn by a person", model: `suggested by ${box.model || "a model"}`, interpolation: "filled in between keyframes" };
  const parts = [from[box.source] ?? "imported"];
  if (box.score !== null && box.score !== undefined) parts.push(`score ${score(box.score)}`);
  if (box.edited) parts.push("put right by a person");
  return parts.join(", ");
}
