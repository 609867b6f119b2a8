/** Bring in videos and pictures: chosen or dropped, sent piece by piece, and frames taken from them. */
import { link } from "../base/route.js";
import { useWatched } from "../base/store.js";
import { size } from "../base/words.js";
import { JobLine } from "../parts/job.js";
import { toasts } from "../parts/toasts.js";
import { jobs } from "../saving/jobs.js";
import { uploads } from "../saving/uploads.js";
import { html, useRef, useState } from "../vendor/htm-preact.js";

/** @param {{session: import("../labelling/session.js").Session}} props */
export function AddPage({ session }) {
  useWatched(uploads, jobs);
  const input = useRef(null);
  const [over, setOver] = useState(false);
  const mine = uploads.all.filter((each) => each.project === session.project);
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    uploads.add(session.project, event.dataTransfer.files);
  };
  const finished = mine.filter((each) => each.state === "done" && !each.video).length;
  return html`<div class="stack">
    <div class="drop ${over ? "over" : ""}" onDragOver=${(event) => { event.preventDefault(); setOver(true); }} onDragLeave=${() => setOver(false)} onDrop=${drop}>
      <p>Drop videos or pictures here, or</p>
      <input ref=${input} class="hidden" type="file" multiple accept="video/*,image/*,.heic,.mkv" aria-label="Videos and pictures" onChange=${(event) => { uploads.add(session.project, event.target.files); event.target.value = ""; }} />
      <button class="primary" onClick=${() => input.current.click()}>Choose files</button>
      <p class="muted">They go to the machine that serves this page. One that was interrupted goes on where it stopped when it is chosen again.</p>
    </div>
    ${mine.length > 0 && html`<section class="panel"><p class="row"><h2>Files</h2>${finished > 0 && html`<a href=${link([session.project, "pictures"])}>to the pictures</a>`}<button class="quiet" onClick=${() => uploads.clear()}>Clear those that ended</button></p>
      ${mine.map((each) => html`<${FileLine} key=${each.file.name} upload=${each} session=${session} />`)}</section>`}
    ${jobs.all.length > 0 && html`<section class="panel"><h2>Work</h2>${jobs.all.map((job) => html`<${JobLine} key=${job.id} job=${job} />`)}</section>`}
  </div>`;
}

function FileLine({ upload, session }) {
  useWatched(upload);
  const { file, received, state, reason } = upload;
  return html`<div data-upload=${file.name} data-state=${state}>
    <div class="upload"><span class="name" title=${file.name}>${file.name}</span>
      <progress max=${Math.max(1, file.size)} value=${received} aria-label=${`Upload of ${file.name}`}></progress>
      <span class="muted">${size(received)} of ${size(file.size)}</span>
      ${["sending", "waiting", "retrying"].includes(state) ? html`<button onClick=${() => upload.stop()}>Stop</button>` : html`<span class=${state === "failed" ? "bad" : "muted"}>${state}</span>`}</div>
    ${reason && html`<p class=${state === "failed" ? "bad" : "muted"}>${reason}</p>`}
    ${state === "done" && upload.video && html`<${Frames} upload=${upload} session=${session} />`}
  </div>`;
}

/** Take frames of a video that has arrived. */
function Frames({ upload, session }) {
  const [every, setEvery] = useState("1");
  const [begun, setBegun] = useState(false);
  const seconds = Number(every);
  const go = async (event) => {
    event.preventDefault();
    setBegun(true);
    try {
      await jobs.begin(["p", session.project, "frames"], { upload: upload.answer.upload, every: seconds }, `Frames of ${upload.file.name}`);
    } catch (error) {
      toasts.fail(error);
      setBegun(false);
    }
  };
  if (begun) return html`<p class="muted">Its frames are being taken, see below.</p>`;
  return html`<form class="row" onSubmit=${go}><label>One frame every <input type="number" min="0.04" step="any" required value=${every} style=${{ width: "6em" }} onInput=${(event) => setEvery(event.target.value)} /> seconds</label>
    <button class="primary" disabled=${!(seconds > 0)}>Take frames</button></form>`;
}
