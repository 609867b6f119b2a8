/** Which model snaps boxes: chosen once, for all projects and for the app too. */
import { get, post } from "../base/api.js";
import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { Dialog } from "./dialog.js";
import { toasts } from "./toasts.js";

/** @param {{onClose: () => void, onDone: () => void}} props */
export function SnapModel({ onClose, onDone }) {
  const [model, setModel] = useState("");
  const [weights, setWeights] = useState("");
  const [models, setModels] = useState([]);
  const [said, setSaid] = useState("");
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    get(["snap"]).then((now) => {
      setModel(now.with || "sam3");
      setWeights(now.weights);
      setModels(now.models);
      setSaid(now.problem ?? `Now it is ${now.title}.`);
    }, (error) => toasts.fail(error));
  }, []);
  const save = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const { title } = await post(["snap"], { with: model.trim(), weights: weights.trim() });
      toasts.tell(`Boxes are snapped by ${title} from now on.`);
      onClose();
      onDone();
    } catch (error) {
      setSaid(`${error.message} ${error.hint ?? ""}`.trim());
      setBusy(false);
    }
  };
  return html`<${Dialog} title="Which model snaps boxes" onClose=${onClose}>
    <form class="stack" onSubmit=${save}>
      <p class="muted">SAM 3 finds the object in any box. A run of yours gives the box that it found nearest to yours.</p>
      <p class="row"><label>Model <input data-first type="text" required list="snappers" value=${model} onInput=${(event) => setModel(event.target.value)} /></label>
        <datalist id="snappers">${models.map((each) => html`<option key=${each} value=${each}></option>`)}</datalist></p>
      <p class="row"><label>Weights <input type="text" value=${weights} placeholder="where they are kept; or a folder on the server" style=${{ width: "24em" }} onInput=${(event) => setWeights(event.target.value)} /></label></p>
      <p role="status" data-said>${said}</p>
      <p class="row"><button class="primary" disabled=${busy || !model.trim()}>Take it</button><button type="button" onClick=${onClose}>Leave it</button></p>
    </form>
  <//>`;
}
