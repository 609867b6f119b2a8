/**
 * What an edit does to a picture as the page shows it, before the server has answered; pure.
 *
 * Boxes that the server has not numbered yet have negative numbers. `mapped` puts the server's in
 * their place in whatever still waits.
 */

/**
 * @typedef {{op: string, id?: number, tmp?: number, was?: {box: number[], class: number},
 *   box?: number[], class?: number, track?: number|null, image?: number, state?: string|null}} Op
 */

let last = 0;

/** A number for a box that the server has not seen, unlike any other of this browser. */
export function temporary() {
  last = Math.max(last + 1, Date.now() * 64);
  return -last;
}

/** The picture with the operations done to it. @param {any} picture @param {Op[]} ops */
export function applied(picture, ops) {
  let { boxes, suggestions, review } = picture;
  for (const op of ops) {
    if (op.op === "add") {
      boxes = [...boxes, made(op.tmp, op.class, op.box, { source: "person", track: op.track ?? null })];
    } else if (op.op === "set") {
      boxes = boxes.map((box) => (box.id === op.id ? changed(box, op) : box));
    } else if (op.op === "delete") {
      boxes = boxes.filter((box) => box.id !== op.id);
    } else if (op.op === "accept") {
      const found = suggestions.find((each) => each.id === op.id);
      suggestions = suggestions.filter((each) => each.id !== op.id);
      if (found) {
        const edited = (op.box || op.class) ? 1 : 0;
        boxes = [...boxes, made(op.tmp, op.class ?? found.class, op.box ?? found.box,
          { source: "model", model: found.model, score: found.score, edited })];
      }
    } else if (op.op === "reject") {
      suggestions = suggestions.filter((each) => each.id !== op.id);
    } else if (op.op === "review") {
      review = op.state ?? null;
    }
  }
  return { ...picture, boxes, suggestions, review };
}

function made(id, cls, box, more) {
  return { id, class: cls, box, source: null, model: null, score: null, edited: 0, track: null, crowd: 0, outline: null, ...more };
}

function changed(box, op) {
  // The outline is of the box before: the server drops it, too.
  const moved = op.box ? { box: op.box, outline: null } : {};
  return { ...box, ...moved, class: op.class ?? box.class, track: op.track === undefined ? box.track : op.track,
    edited: box.source === "model" ? 1 : box.edited };
}

/** The operations as the server wants them: without our temporary numbers. @param {Op[]} ops */
export const worded = (ops) => ops.map(({ tmp, ...op }) => op);

/** Numbers that the server gave, by our own: of the answer to `ops`. @param {Op[]} ops */
export function numbered(ops, answer) {
  const given = new Map();
  ops.forEach((op, index) => {
    const id = answer.ids?.[index];
    if (op.tmp !== undefined && id !== null && id !== undefined) given.set(op.tmp, id);
  });
  return given;
}

/**
 * Operations that wait, after the answer to earlier ones of the same picture: they name boxes as
 * the server numbered them, and of those that `ops` touched they expect what it stored.
 * @param {Op[]} waiting @param {Op[]} ops @param {Map<number, number>} given
 * @param {any} image the picture's new state
 */
export function mapped(waiting, ops, given, image) {
  const touched = new Set([...given.values(), ...ops.map((op) => op.id)]);
  return waiting.map((op) => {
    if (op.id === undefined) return op;
    const id = given.get(op.id) ?? op.id;
    const now = touched.has(id) && op.was ? image?.boxes.find((box) => box.id === id) : null;
    return { ...op, id, ...(now ? { was: { box: now.box, class: now.class } } : {}) };
  });
}

/** The boxes that an operation needs, by number. @param {Op[]} ops */
export const needs = (ops) => new Set(ops.filter((op) => op.id !== undefined && op.op !== "accept" && op.op !== "reject").map((op) => op.id));

/**
 * Two moves of the same box, one after the other and neither sent, as one; null when they are not.
 * @param {Op[]} first @param {Op[]} second
 */
export function joined(first, second) {
  if (first.length !== 1 || second.length !== 1) return null;
  const [a, b] = [first[0], second[0]];
  const move = (op) => op.op === "set" && op.box && op.class === undefined && op.track === undefined;
  return move(a) && move(b) && a.id === b.id ? [{ ...b, was: a.was }] : null;
}
