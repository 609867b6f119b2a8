/** Let a model suggest boxes: which one, on which pictures, from which score on; and what it did before. */
import { get, post } from "../base/api.js";
import { link } from "../base/route.js";
import { useWatched } from "../base/store.js";
import { number, plural } from "../base/words.js";
import { JobLine } from "../parts/job.js";
import { toasts } from "../parts/toasts.js";
import { jobs } from "../saving/jobs.js";
import { steps } from "../saving/undo.js";
import { html, useEffect, useState } from "../vendor/htm-preact.js";

const KNOWN = [
  ["sam3", "SAM 3, by phrases and examples"],
  ["owlv2", "OWLv2, by phrases"],
  ["grounding-dino", "Grounding DINO, by phrases"],
  ["coco:base", "RF-DETR's COCO weights"],
];
/** So many models are shown as buttons, those of yours first; the others are in the list of the field. */
const CHIPS = 10;

/** @param {{session: import("../labelling/session.js").Session}} props */
export function LabellersPage({ session }) {
  useWatched(session, jobs);
  const [chosen, choose] = useState("");
  const [filter, setFilter] = useState("is:unreviewed");
  const [least, setLeast] = useState("0.1");
  const [skip, setSkip] = useState(false);
  const [download, setDownload] = useState(false);
  const [weights, setWeights] = useState("");
  const [count, setCount] = useState(null);
  const [busy, setBusy] = useState(false);
  /** What the server asks before it begins something long. @type {any} */
  const [cost, setCost] = useState(null);
  // Runs are trained beside this page, and nobody tells it.
  useEffect(() => {
    session.load();
  }, [session]);
  useEffect(() => {
    const end = new AbortController();
    const timer = setTimeout(() => get(["p", session.project, "images"], { filter, n: 1 }, end.signal).then((got) => setCount(got.total), () => setCount(null)), 250);
    return () => {
      clearTimeout(timer);
      end.abort();
    };
  }, [filter]);
  const go = async (confirm) => {
    setBusy(true);
    setCost(null);
    const wish = { with: chosen.trim(), images: filter.trim(), least: Number(least), skip_labelled: skip, download, weights: weights.trim(), confirm };
    try {
      await jobs.begin(["p", session.project, "passes"], wish, `${chosen} on ${plural(count ?? 0, "picture")}`);
    } catch (error) {
      if (error.answer?.confirm) setCost(error);
      else toasts.fail(error);
    }
    setBusy(false);
  };
  const { passes = [], runs = [] } = session.info;
  const open = session.info.progress?.open_suggestions ?? 0;
  const own = runs.map((run) => [run, "a run of yours"]);
  const models = [...own.slice(0, CHIPS - KNOWN.length), ...KNOWN, ...own.slice(CHIPS - KNOWN.length)];
  const withdraw = async (each) => {
    try {
      const answer = await post(["p", session.project, "passes", each.id, "withdraw"]);
      steps.add(session.project, answer?.history, null);
      toasts.tell(`${answer?.summary ?? "Taken back."}`, { hint: "u brings it back. Labels that were made of its suggestions stay." });
    } catch (error) {
      toasts.fail(error);
    }
    session.load();
  };
  const step = async (which) => {
    const { said, hint } = await steps.go(which, session.project);
    toasts.tell(said, { hint });
    session.load();
  };
  useEffect(() => {
    const press = (event) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.target.closest("input, select, textarea, dialog")) return;
      if (event.key === "T" && passes.length) withdraw(passes[0]);
      else if (event.key === "u") step("undo");
      else if (event.key === "U") step("redo");
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, [session, passes]);
  return html`<div class="stack">
    <form class="panel" onSubmit=${(event) => { event.preventDefault(); go(false); }}>
      <h2>Let a model suggest boxes</h2>
      <p class="muted">What it finds are suggestions: nothing counts as a label until a person accepts it. Everything from the least score on is kept; how much of it is shown is a slider.</p>
      <p class="row"><label>Model <input type="text" list="labellers" required placeholder="a run, or one of the list" value=${chosen} style=${{ width: "22em" }} onFocus=${() => session.load()} onInput=${(event) => choose(event.target.value)} /></label>
        <datalist id="labellers">${models.map(([name, title]) => html`<option key=${name} value=${name}>${title}</option>`)}</datalist></p>
      <p class="row">${models.slice(0, CHIPS).map(([name, title]) => html`<button type="button" key=${name} title=${title} aria-pressed=${chosen === name} onClick=${() => choose(name)}>${name}</button>`)}${models.length > CHIPS && html`<span class="muted">and ${plural(models.length - CHIPS, "other")}</span>`}</p>
      <p class="row"><label>On pictures <input type="search" value=${filter} placeholder="all" style=${{ width: "18em" }} onInput=${(event) => setFilter(event.target.value)} /></label><span class="muted">${count === null ? "" : plural(count, "picture")}</span>
        <label class="check"><input type="checkbox" checked=${skip} onChange=${() => setSkip(!skip)} /> leave out those with labels</label></p>
      <p class="row"><label>Keep from score <input type="number" min="0" max="1" step="0.01" value=${least} style=${{ width: "6em" }} onInput=${(event) => setLeast(event.target.value)} /></label>
        <label class="check"><input type="checkbox" checked=${download} onChange=${() => setDownload(!download)} /> fetch its weights if they are missing</label></p>
      <p class="row"><label>Weights <input type="text" value=${weights} placeholder="a folder on the server, where they are not in the usual place" style=${{ width: "40em" }} onInput=${(event) => setWeights(event.target.value)} /></label></p>
      <p class="muted">It looks for the phrases of each class, which are kept under <a href=${link([session.project, "classes"])}>Classes</a>: ${session.classes.map((each) => (each.prompts?.phrases ?? [each.name]).join(", ")).join(" · ") || "there is no class yet"}.</p>
      <p class="row"><button class="primary" disabled=${busy || !chosen.trim() || !session.classes.length}>Start</button></p>
      ${cost && html`<div role="alert"><p>${cost.message} ${cost.hint}</p><p class="row"><button type="button" data-confirm onClick=${() => go(true)}>Begin all the same</button><button type="button" onClick=${() => setCost(null)}>Leave it</button></p></div>`}
    </form>
    ${jobs.all.length > 0 && html`<section class="panel"><p class="row"><h2>Work</h2>${open > 0 && html`<a href=${link([session.project, "review"])}>review ${plural(open, "suggestion")} by crops</a>`}</p>${jobs.all.map((job) => html`<${JobLine} key=${job.id} job=${job} />`)}</section>`}
    ${passes.length > 0 && html`<section><p class="row"><h2>What models did here</h2><span class="muted"><kbd>T</kbd> takes the newest back, with all that is open of it; <kbd>u</kbd> undoes that</span></p><table><thead><tr><th>When</th><th>Labeller</th><th>Model</th><th>By</th><th class="number">Pictures</th><th class="number">Found</th><th class="number">Open</th><th></th></tr></thead>
      <tbody>${passes.map((each) => html`<tr key=${each.id}><td>${when(each.at)}</td><td>${each.labeller}</td><td>${each.model}</td><td>${each.who}</td><td class="number">${number(each.images)}</td><td class="number">${number(each.found)}</td><td class="number">${number(each.open)}</td><td><button class="quiet" data-withdraw=${each.id} aria-label=${`Take back the pass of ${each.model}`} onClick=${() => withdraw(each)}>Take back</button></td></tr>`)}</tbody></table></section>`}
  </div>`;
}

function when(text) {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? text : date.toLocaleString();
}
