/**
 * The timeline of a video: a tick for each picture, a bar for each track; what lies under the
 * pointer leads to its picture. The tools of the chosen track stand beside it.
 */
import { useWatched } from "../base/store.js";
import { clock, plural } from "../base/words.js";
import { toasts } from "../parts/toasts.js";
import { html, useEffect, useRef, useState } from "../vendor/htm-preact.js";

const TICKS = 20;
const ROW = 14;

/**
 * @param {{tracks: import("./tracks.js").Tracks, session: import("../labelling/session.js").Session,
 *   image: number|null, chosen: number|null, onPicture: (image: number) => void,
 *   onTrack: (track: number|null) => void, onChanged?: () => void, rows?: number}} props
 */
export function Timeline({ tracks, session, image, chosen, onPicture, onTrack, onChanged = () => {}, rows = 4 }) {
  useWatched(tracks, session);
  const canvas = useRef(null);
  const box = useRef(null);
  const { pictures } = tracks;
  const height = TICKS + tracks.tracks.length * ROW;
  const place = tracks.places.get(image) ?? -1;
  useEffect(() => {
    const draw = () => paint(canvas.current, tracks, session, place, chosen);
    draw();
    const observer = new ResizeObserver(draw);
    observer.observe(box.current);
    return () => observer.disconnect();
  });
  useEffect(() => {
    const at = tracks.tracks.findIndex((track) => track.id === chosen);
    if (at >= 0) box.current.scrollTop = Math.max(0, TICKS + at * ROW - box.current.clientHeight / 2);
  }, [chosen, tracks.tracks.length]);
  const at = (event) => {
    const bounds = canvas.current.getBoundingClientRect();
    const column = Math.floor(((event.clientX - bounds.left) / bounds.width) * pictures.length);
    const row = Math.floor((event.clientY - bounds.top - TICKS) / ROW);
    return { picture: pictures[Math.min(pictures.length - 1, Math.max(0, column))], track: tracks.tracks[row] ?? null };
  };
  const press = (event) => {
    const found = at(event);
    if (found.track) onTrack(found.track.id);
    if (found.picture) onPicture(found.picture.id);
  };
  const drag = (event) => {
    const { picture } = at(event);
    if (event.buttons === 1 && picture && picture.id !== image) onPicture(picture.id);
    if (picture) canvas.current.title = `${picture.name}${picture.time !== null && picture.time !== undefined ? ` · ${clock(picture.time)}` : ""}`;
  };
  const key = (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, Home: -pictures.length, End: pictures.length }[event.key];
    const rowBy = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (by !== undefined && pictures.length) onPicture(pictures[Math.min(pictures.length - 1, Math.max(0, place + by))].id);
    else if (rowBy !== undefined && tracks.tracks.length) {
      const now = tracks.tracks.findIndex((track) => track.id === chosen);
      onTrack(tracks.tracks[Math.min(tracks.tracks.length - 1, Math.max(0, now + rowBy))].id);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return html`<section class="timeline" aria-label="Timeline">
    <div class="bars" ref=${box} style=${{ maxHeight: `${TICKS + rows * ROW}px` }}>
      <canvas ref=${canvas} tabindex="0" role="slider" aria-label=${`Pictures of ${tracks.video}; up and down choose a track`} aria-valuemin="1" aria-valuemax=${pictures.length} aria-valuenow=${place + 1}
        style=${{ height: `${height}px` }} onPointerDown=${press} onPointerMove=${drag} onKeyDown=${key}></canvas>
    </div>
    <${TrackTools} tracks=${tracks} session=${session} image=${image} track=${tracks.find(chosen)} onTrack=${onTrack} onPicture=${onPicture} onChanged=${onChanged} />
  </section>`;
}

function TrackTools({ tracks, session, image, track, onTrack, onPicture, onChanged }) {
  const [other, setOther] = useState("");
  const act = async (what, body, said) => {
    const answer = await tracks.change(what, body, said);
    if (answer) onChanged();
    return answer;
  };
  const place = tracks.places.get(image);
  if (tracks.error) return html`<p class="bad">${tracks.error.message} ${tracks.error.hint}</p>`;
  if (!track) {
    const [worst] = tracks.problems;
    return html`<p class="row muted">${plural(tracks.tracks.length, "track")}${place !== undefined ? ` · picture ${place + 1} of ${tracks.pictures.length}` : ""}
      ${tracks.job
        ? html`<span role="status">linking …</span><button onClick=${() => tracks.job.stop().catch((error) => toasts.fail(error))}>Stop</button>`
        : html`<button data-track="link" title="A tracker follows the objects through the video: labels, and suggestions from 0.50 on. What is linked stays so." onClick=${() => tracks.link()}>Link boxes into tracks</button>`}
      ${worst && html`<button onClick=${() => { onTrack(worst.track); onPicture(worst.image); }}>${plural(tracks.problems.length, "odd place")}, worst: ${worst.says}</button>`}</p>`;
  }
  const gaps = track.boxes.filter((box) => box.key && !box.suggested).length > 1;
  const problems = tracks.problems.filter((each) => each.track === track.id);
  return html`<div class="row tracktools" role="toolbar" aria-label="Track">
    <strong><span class="swatch" style=${{ "--colour": session.colour(track.class) }}></span> track ${track.id}</strong>
    <label><span class="hidden">Class of the track</span><select value=${track.class ?? ""} onChange=${(event) => act("class", { track: track.id, class: Number(event.target.value) }, "Class changed.")}>
      ${track.class === null && html`<option value="">no class</option>`}${session.classes.map((each) => html`<option key=${each.id} value=${each.id}>${each.name}</option>`)}</select></label>
    <button data-track="approve" aria-pressed=${Boolean(track.approved)} onClick=${() => act("approve", { track: track.id, approved: !track.approved }, track.approved ? "To be looked at again." : "Approved.")}>${track.approved ? "Approved" : "Approve"}</button>
    <button data-track="split" disabled=${place === undefined} title="This picture and those after it become a track of their own" onClick=${() => act("split", { track: track.id, image }, "Split.")}>Split here</button>
    <label><span class="hidden">Merge with</span><select data-track="merge" value=${other} onChange=${(event) => {
      const with_ = Number(event.target.value);
      setOther("");
      if (with_) act("merge", { track: track.id, other: with_ }, "Merged.");
    }}><option value="">Merge with …</option>${tracks.tracks.filter((each) => each.id !== track.id).map((each) => html`<option key=${each.id} value=${each.id}>track ${each.id}, ${session.name(each.class)}</option>`)}</select></label>
    <button data-track="interpolate" disabled=${!gaps} title="Draw the boxes between its keyframes" onClick=${() => act("interpolate", { track: track.id }, "Filled in.")}>Fill in between</button>
    ${problems.length > 0 && html`<label><span class="hidden">Odd places of the track</span><select data-track="odd" value="" onChange=${(event) => {
      onPicture(Number(event.target.value));
      event.target.value = "";
    }}><option value="">${plural(problems.length, "odd place")} …</option>${problems.map((each) => html`<option key=${`${each.image}${each.what}`} value=${each.image}>picture ${(tracks.places.get(each.image) ?? 0) + 1}: ${each.says}</option>`)}</select></label>`}
    <button class="quiet" aria-label="Let the track go" onClick=${() => onTrack(null)}>✕</button>
  </div>`;
}

/** Ticks: light where nothing is done, green where reviewed, amber where suggestions are open. */
function paint(canvas, tracks, session, place, chosen) {
  if (!canvas) return;
  const ratio = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const count = Math.max(1, tracks.pictures.length);
  const step = width / count;
  const thick = Math.max(1, step - (step > 4 ? 1 : 0));
  tracks.pictures.forEach((picture, at) => {
    context.fillStyle = picture.review === "done" ? colour("--good") : picture.review === "later" ? colour("--warn") : picture.open ? colour("--accent") : colour("--line");
    context.fillRect(at * step, 5, thick, 9);
  });
  tracks.tracks.forEach((track, row) => {
    const top = TICKS + row * ROW;
    if (track.id === chosen) {
      context.fillStyle = colour("--panel");
      context.fillRect(0, top, width, ROW);
    }
    context.fillStyle = session.colour(track.class);
    const at = track.boxes.map((box) => tracks.places.get(box.image)).filter((each) => each !== undefined);
    if (!at.length) return;
    context.globalAlpha = 0.35;
    context.fillRect(Math.min(...at) * step, top + 6, (Math.max(...at) - Math.min(...at) + 1) * step, 2);
    for (const box of track.boxes) {
      const column = tracks.places.get(box.image);
      if (column === undefined) continue;
      context.globalAlpha = box.suggested ? 0.35 : box.key ? 1 : 0.6;
      context.fillRect(column * step, top + (box.key ? 2 : 4), thick, box.key ? ROW - 4 : ROW - 8);
    }
    context.globalAlpha = 1;
    if (track.approved) {
      context.fillStyle = colour("--good");
      context.fillRect(Math.min(...at) * step, top + ROW - 2, (Math.max(...at) - Math.min(...at) + 1) * step, 1.5);
    }
  });
  if (place >= 0) {
    context.strokeStyle = colour("--foreground");
    context.lineWidth = 2;
    context.strokeRect(place * step - 1, 2, Math.max(3, step + 1), height - 3);
  }
}
