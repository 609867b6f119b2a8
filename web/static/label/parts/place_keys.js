/** The keys of a project's places, and the words of the filter. */
import { html } from "../vendor/htm-preact.js";
import { Dialog } from "./dialog.js";

/** @type {Record<string, [string, string][]>} */
const KEYS = {
  pictures: [
    ["/", "filter; Enter looks, an empty one shows all"],
    ["Tab, Enter", "to a picture, and open it"],
  ],
  review: [
    ["a – x", "strike out that crop, or take it in again"],
    ["Enter", "accept the rest, reject what is struck out, next page"],
    ["<  >", "threshold down, up; also [ and ]"],
    ["← →", "page before, next page, nothing decided; also PgUp, PgDn"],
    ["A", "all of this class, in the whole project"],
    ["Ctrl+Z", "take back the last page"],
    ["Ctrl+Y", "do it again"],
  ],
  videos: [
    ["← →", "on the timeline: the picture before, the next; also Home, End"],
    ["↑ ↓", "on the timeline: the track before, the next"],
  ],
  classes: [
    ["Enter", "in a field: keep what was typed"],
    ["Esc", "in a field: as it was"],
  ],
  labellers: [
    ["↓", "in Model: the list of them"],
    ["T", "take the newest pass back"],
    ["u", "undo that; U does it again"],
  ],
  add: [],
};

/** @type {[string, string][]} */
const FILTERS = [
  ["hook_0", "a part of the name"],
  ["is:open", "suggestions are open; also is:rejected"],
  ["is:unreviewed", "nobody looked at it; also is:reviewed, is:later"],
  ["is:unlabelled", "without labels; also is:edited"],
  ["class:hook", "with a label or suggestion of the class"],
  ["score:<0.6", "of such a score; also score:0.3-0.5"],
  ["model:night", "a label or suggestion of that model"],
  ["source:person", "a label from there; also source:model, source:import"],
];

const List = ({ of }) => html`<dl>${of.map(([key, does]) => html`<div key=${key}><dt><kbd>${key}</kbd></dt><dd>${does}</dd></div>`)}</dl>`;

/** @param {{at: string, onClose: () => void}} props */
export const PlaceKeys = ({ at, onClose }) => html`<${Dialog} title="Keys" onClose=${onClose}>
  <div class="keys one">
    <${List} of=${[...KEYS[at], ["Tab", "the next link, button or field; Shift+Tab the one before"], ["?", "these keys; a picture has more"]]} />
    ${at === "pictures" && html`<section><h3>Filter, one or several of</h3><${List} of=${FILTERS} /></section>`}
  </div>
<//>`;
