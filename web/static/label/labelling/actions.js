/**
 * All that one can do to a picture, each once: its name, its keys, and what it does. Keys, the
 * buttons of the tool bar and the list in `?` are made from this table.
 *
 * Keys are `KeyboardEvent.key`, with `Ctrl+`, `Alt+`, `Shift+` before it; Shift is only named
 * where the key prints nothing. Cmd counts as Ctrl.
 */

/**
 * @typedef {{id: string, keys: string[], title: string, group: string,
 *   run: (page: any, event?: KeyboardEvent) => void}} Action
 */

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const EDGES = { ArrowLeft: "w", ArrowRight: "e", ArrowUp: "n", ArrowDown: "s" };
const STEP = 0.05;

const arrows = (prefix) => Object.keys(ARROWS).map((key) => prefix + key);

/** @type {Action[]} */
export const ACTIONS = [
  { id: "next-box", keys: ["Tab"], title: "next box, suggestions first", group: "Select", run: ({ editor }) => editor.step(1) },
  { id: "previous-box", keys: ["Shift+Tab"], title: "box before", group: "Select", run: ({ editor }) => editor.step(-1) },
  { id: "let-go", keys: ["Escape"], title: "let go, or end drawing", group: "Select", run: ({ editor, pointer, snap }) => {
    if (editor.draft) pointer?.stop();
    else if (snap.job) snap.stop();
    else if (editor.mode !== "select") editor.setMode("select");
    else editor.select(null);
  } },

  { id: "draw", keys: ["n"], title: "draw a box, also inside another", group: "Draw and change", run: ({ editor }) => editor.setMode(editor.mode === "draw" ? "select" : "draw") },
  { id: "class", keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"], title: "class of the box, or of the next one", group: "Draw and change", run: (page, event) => {
    const found = page.session.ofKey(event.key);
    if (found) page.setClass(found.id);
  } },
  { id: "find-class", keys: ["c"], title: "class by its name", group: "Draw and change", run: (page) => page.ask("class") },
  { id: "nudge", keys: arrows(""), title: "move by 1 pixel", group: "Draw and change", run: (page, event) => {
    const [dx, dy] = ARROWS[event.key];
    if (page.editor.selection) page.editor.nudge(dx, dy);
    else if (dx) page.step(dx);
  } },
  { id: "nudge-10", keys: arrows("Shift+"), title: "move by 10 pixels", group: "Draw and change", run: ({ editor }, event) => {
    const [dx, dy] = ARROWS[event.key];
    editor.nudge(dx * 10, dy * 10);
  } },
  { id: "edge-out", keys: arrows("Alt+"), title: "that edge out by 1 pixel", group: "Draw and change", run: ({ editor }, event) => editor.nudge(...ARROWS[event.key], EDGES[event.key]) },
  { id: "edge-in", keys: arrows("Alt+Shift+"), title: "that edge in by 1 pixel", group: "Draw and change", run: ({ editor }, event) => {
    const [dx, dy] = ARROWS[event.key];
    editor.nudge(-dx, -dy, EDGES[event.key]);
  } },
  { id: "delete", keys: ["Delete", "Backspace", "d"], title: "delete the box", group: "Draw and change", run: ({ editor }) => editor.selection && editor.remove(editor.selection) },
  { id: "snap", keys: ["s"], title: "snap the box to its object", group: "Draw and change", run: ({ snap }) => snap.go() },
  { id: "snap-model", keys: ["S"], title: "which model snaps boxes", group: "Draw and change", run: (page) => page.ask("snap") },
  { id: "copy-before", keys: ["p"], title: "boxes of the picture before", group: "Draw and change", run: (page) => page.copyBefore() },

  { id: "accept", keys: ["a"], title: "accept the suggestion", group: "Suggestions", run: ({ editor }) => editor.selection && editor.accept(editor.selection) },
  { id: "reject", keys: ["r"], title: "reject the suggestion", group: "Suggestions", run: ({ editor }) => editor.selection?.suggestion && editor.remove(editor.selection) },
  { id: "accept-next", keys: ["Enter"], title: "accept all that is shown, reviewed, next picture", group: "Suggestions", run: (page) => page.acceptShown(true) },
  { id: "like", keys: ["f"], title: "find more like it: the label is an example for the next pass", group: "Suggestions", run: (page) => page.example(true) },
  { id: "unlike", keys: ["F"], title: "find none like it", group: "Suggestions", run: (page) => page.example(false) },
  { id: "reject-all", keys: ["x"], title: "reject all that is shown", group: "Suggestions", run: (page) => page.rejectShown() },
  { id: "accept-class", keys: ["A"], title: "accept all of a class in the whole project", group: "Suggestions", run: (page) => page.ask("accept") },
  { id: "lower", keys: ["["], title: "show more: threshold down", group: "Suggestions", run: (page) => page.threshold(-STEP) },
  { id: "higher", keys: ["]"], title: "show fewer: threshold up", group: "Suggestions", run: (page) => page.threshold(STEP) },
  { id: "only-low", keys: ["o"], title: "only those below the threshold", group: "Suggestions", run: ({ session }) => session.setLow(!session.low) },

  { id: "reviewed", keys: [" "], title: "reviewed as it is, next picture", group: "Pictures", run: (page) => page.review() },
  { id: "later", keys: ["l"], title: "put off for later, next picture", group: "Pictures", run: (page) => page.review("later") },
  { id: "next", keys: ["PageDown", "."], title: "next picture", group: "Pictures", run: (page) => page.step(1) },
  { id: "previous", keys: ["PageUp", ","], title: "picture before", group: "Pictures", run: (page) => page.step(-1) },
  { id: "filter", keys: ["/"], title: "filter the pictures", group: "Pictures", run: (page) => page.filter() },

  { id: "undo", keys: ["u", "Ctrl+z"], title: "take back", group: "History", run: (page) => page.undo("undo") },
  { id: "redo", keys: ["Ctrl+y", "Ctrl+Z", "U"], title: "do again", group: "History", run: (page) => page.undo("redo") },

  { id: "fit", keys: ["0"], title: "whole picture", group: "View", run: ({ editor }) => {
    editor.view.fit();
    editor.viewed();
  } },
  { id: "zoom-box", keys: ["z"], title: "zoom to the box", group: "View", run: ({ editor }) => {
    if (!editor.selection) return;
    editor.view.zoomTo(editor.selection.box);
    editor.viewed();
  } },
  { id: "follow", keys: ["Z"], title: "zoom to each box that Tab leads to, or no longer", group: "View", run: ({ editor }) => {
    editor.follow = !editor.follow;
    if (editor.follow && editor.selection) editor.view.zoomTo(editor.selection.box);
    else editor.view.fit();
    editor.viewed();
  } },
  { id: "closer", keys: ["+", "="], title: "closer", group: "View", run: ({ editor }) => zoom(editor, 1.25) },
  { id: "farther", keys: ["-"], title: "farther", group: "View", run: ({ editor }) => zoom(editor, 0.8) },
  { id: "pan", keys: ["h"], title: "hand: drag the picture", group: "View", run: ({ editor }) => editor.setMode(editor.mode === "pan" ? "select" : "pan") },
  { id: "hide", keys: ["v"], title: "hide the boxes", group: "View", run: ({ editor }) => editor.setHidden(!editor.hidden) },
  { id: "brighter", keys: ["b"], title: "brighter", group: "View", run: ({ editor }) => editor.setBrightness(editor.brightness * 1.25) },
  { id: "darker", keys: ["B"], title: "darker", group: "View", run: ({ editor }) => editor.setBrightness(editor.brightness * 0.8) },
  { id: "plain", keys: ["m"], title: "brightness as it is", group: "View", run: ({ editor }) => editor.setBrightness(1) },
  { id: "help", keys: ["?"], title: "all keys", group: "View", run: (page) => page.ask("help") },
];

/** What the mouse does, for the list in `?`. */
export const MOUSE = [
  ["drag on free ground", "draw a box"],
  ["Shift + drag", "draw inside another box"],
  ["click", "select the smallest box; again: the next below"],
  ["drag a box, an edge, a corner", "move, resize"],
  ["wheel, pinch", "zoom at the cursor"],
  ["right or middle button, two fingers", "move the picture"],
];

const BY_KEY = new Map(ACTIONS.flatMap((action) => action.keys.map((key) => [key, action])));

/** The action of a stroke, or undefined. @param {KeyboardEvent} event @returns {Action|undefined} */
export const actionOf = (event) => BY_KEY.get(keyOf(event));

/** @param {string} id @returns {Action} */
export const action = (id) => ACTIONS.find((each) => each.id === id);

/** A stroke as the table words it. @param {KeyboardEvent} event */
export function keyOf(event) {
  const printed = event.key.length === 1;
  const ctrl = event.ctrlKey || event.metaKey ? "Ctrl+" : "";
  const alt = event.altKey && !printed ? "Alt+" : "";
  const shift = event.shiftKey && !printed ? "Shift+" : "";
  return ctrl + alt + shift + event.key;
}

const NAMES = { " ": "Space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", Delete: "Del", Backspace: "⌫", PageDown: "PgDn", PageUp: "PgUp", "Ctrl+Z": "Ctrl+Shift+Z" };

/** A key as people read it; all four arrows are one. @param {string[]} keys */
export function shownKeys(keys) {
  const read = keys.map((key) => NAMES[key] ?? key.replace(/Arrow(Left|Right|Up|Down)$/, "arrow"));
  if (read.join("") === "←→↑↓") return ["arrow"];
  if (keys.join("") === "123456789") return ["1 – 9"];
  return [...new Set(read)].map((key) => (key.length === 6 && key.startsWith("Ctrl+") ? key.toUpperCase().replace("CTRL", "Ctrl") : key));
}

function zoom(editor, factor) {
  editor.view.zoomAt(editor.view.width / 2, editor.view.height / 2, factor);
  editor.viewed();
}
