/** The signs of the tool bar, drawn on a grid of 20: no font has all of them. */
import { html } from "../vendor/htm-preact.js";

const PATHS = {
  draw: "M3 5h14v10H3z M10 7.5v5 M7.5 10h5",
  pan: "M10 2v16 M2 10h16 M7.5 4.5 10 2l2.5 2.5 M7.5 15.5 10 18l2.5-2.5 M4.5 7.5 2 10l2.5 2.5 M15.5 7.5 18 10l-2.5 2.5",
  delete: "M5 5l10 10 M15 5 5 15",
  snap: "M3 7V3h4 M13 3h4v4 M17 13v4h-4 M7 17H3v-4 M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7z",
  "copy-before": "M7 7h10v10H7z M13 7V3H3v10h4",
  accept: "M3.5 10.5 8 15l8.5-10",
  reject: "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14z M5 5l10 10",
  "accept-next": "M1.5 10.5 5 14.5 11 6 M8.5 13 10 14.5 17.5 5",
  previous: "M12.5 4 6.5 10l6 6",
  next: "M7.5 4l6 6-6 6",
  reviewed: "M3 3h14v14H3z M6 10l3 3.5L14.5 6.5",
  undo: "M7 4 3 8l4 4 M3 8h8.5a4.5 4.5 0 0 1 0 9H8",
  redo: "M13 4l4 4-4 4 M17 8H8.5a4.5 4.5 0 0 0 0 9H12",
  fit: "M3 7V3h4 M13 3h4v4 M17 13v4h-4 M7 17H3v-4",
  closer: "M10 4v12 M4 10h12",
  farther: "M4 10h12",
  hide: "M2 10s3-5.5 8-5.5S18 10 18 10s-3 5.5-8 5.5S2 10 2 10z M4 16.5 16 3.5",
  brighter: "M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7z M10 1.5v2 M10 16.5v2 M1.5 10h2 M16.5 10h2 M4 4l1.5 1.5 M14.5 14.5 16 16 M16 4l-1.5 1.5 M5.5 14.5 4 16",
  help: "M7 7.5a3 3 0 1 1 4.3 2.7c-.9.5-1.3 1-1.3 2.1 M10 15.2v.3",
};

/** @param {{name: string}} props */
export const Icon = ({ name }) => html`<svg viewBox="0 0 20 20" width="20" height="20" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
