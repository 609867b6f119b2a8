/** Accept or reject all suggestions of a class from a score on, in the whole project: first how many, and what the least sure look like. */
import { address, get, post } from "../base/api.js";
import { useWatched } from "../base/store.js";
import { plural } from "../base/words.js";
import { steps } from "../saving/undo.js";
import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { Dialog } from "./dialog.js";
import { toasts } from "./toasts.js";

/** @param {{session: import("../labelling/session.js").Session, cls: number|null, onClose: () => void, onDone?: () => void}} props */
export function AcceptClass({ session, cls, onClose, onDone = () => {} }) {
  useWatched(session);
  const [chosen, choose] = useState(cls ?? session.classes[0]?.id);
  const [least, setLeast] = useState(session.leastOf(chosen));
  const [found, setFound] = useState(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    if (chosen === undefined) return;
    const end = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const all = await get(["p", session.project, "crops"], { class: chosen, least, n: 0 }, end.signal);
        const weak = all.total ? await get(["p", session.project, "crops"], { class: chosen, least, most: Math.min(1, least + 0.1), n: 8 }, end.signal) : { crops: [] };
        setFound({ total: all.total, crops: weak.crops });
      } catch (error) {
        if (error.name !== "AbortError") toasts.fail(error);
      }
    }, 150);
    return () => {
      clearTimeout(timer);
      end.abort();
    };
  }, [chosen, least]);
  const go = async (which) => {
    setBusy(true);
    try {
      const answer = await post(["p", session.project, which], { class: chosen, least });
      steps.add(session.project, answer?.history, null);
      toasts.tell(`${which === "accept" ? "Accepted" : "Rejected"} ${plural(found?.total ?? 0, "suggestion")} of ${session.name(chosen)}. One undo takes it back.`);
      session.soon();
      onDone();
      onClose();
    } catch (error) {
      toasts.fail(error);
      setBusy(false);
    }
  };
  return html`<${Dialog} title="All suggestions of a class" onClose=${onClose}>
    <p class="row"><label>Class <select data-first value=${chosen} onChange=${(event) => { choose(Number(event.target.value)); setFound(null); setLeast(session.leastOf(Number(event.target.value))); }}>
      ${session.some(200, (each) => each.open > 0 || each.id === chosen).map((each) => html`<option key=${each.id} value=${each.id}>${each.name}</option>`)}</select></label>
    <label class="threshold">from score <input type="range" min="0" max="1" step="0.01" value=${least} onInput=${(event) => setLeast(Number(event.target.value))} aria-label="Least score" /><output>${least.toFixed(2)}</output></label></p>
    <p data-count>${found ? `${plural(found.total, "open suggestion")} in the whole project.` : chosen === undefined ? "There is no class yet, so that nothing was suggested." : "Counting …"}</p>
    ${found?.crops.length > 0 && html`<p class="muted">The least sure of them:</p><div class="crops small">${found.crops.map((crop) => html`<figure key=${crop.id}><img alt="" src=${address(["p", session.project, "suggestions", crop.id, "crop"], { w: 120 })} /><figcaption>${crop.score.toFixed(2)}</figcaption></figure>`)}</div>`}
    <p class="row"><button class="primary" disabled=${busy || !found?.total} onClick=${() => go("accept")}>Accept all</button>
      <button disabled=${busy || !found?.total} onClick=${() => go("reject")}>Reject all</button><button onClick=${onClose}>Leave them</button></p>
  <//>`;
}
