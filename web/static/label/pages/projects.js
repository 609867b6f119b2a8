/** All projects, and a new one. */
import { get, post } from "../base/api.js";
import { link, router } from "../base/route.js";
import { number, plural } from "../base/words.js";
import { TopBar } from "../parts/topbar.js";
import { toasts } from "../parts/toasts.js";
import { html, useEffect, useState } from "../vendor/htm-preact.js";

export function ProjectsPage() {
  const [projects, setProjects] = useState(null);
  const [error, setError] = useState(null);
  const load = () => get(["projects"]).then(setProjects, setError);
  useEffect(() => {
    load();
  }, []);
  return html`<div class="place"><${TopBar} trail=${[]} />
    <main class="stack">
      <h1>Projects</h1>
      ${error && html`<p class="bad">${error.message} ${error.hint}</p>`}
      ${projects?.length === 0 && html`<p class="empty">No project yet. Create one here, or import a data set with batman import.</p>`}
      <div class="cards">${(projects ?? []).map((each) => html`<a key=${each.name} class="panel" href=${link([each.name])}>
        <h2>${each.name}</h2>
        <p>${plural(each.images, "picture")} · ${plural(each.annotations, "label")} · ${plural(each.classes, "class", "classes")}</p>
        <p class="row"><progress max=${Math.max(1, each.images)} value=${each.reviewed} aria-label="reviewed"></progress><span class="muted">${number(each.reviewed)} reviewed</span></p>
        ${each.error && html`<p class="bad">${each.error} ${each.hint}</p>`}
        <p class="muted">${each.open ? `${plural(each.open, "suggestion")} to look at` : "No suggestion is open"}</p>
      </a>`)}</div>
      <${NewProject} />
    </main></div>`;
}

function NewProject() {
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [busy, setBusy] = useState(false);
  const make = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const made = await post(["projects"], { name: name.trim(), description: description.trim() });
      router.go([made?.name ?? name.trim(), "add"]);
    } catch (error) {
      toasts.fail(error);
    }
    setBusy(false);
  };
  return html`<form class="panel" onSubmit=${make}>
    <h2>New project</h2>
    <p class="row"><label>Name <input type="text" required value=${name} onInput=${(event) => setName(event.target.value)} /></label>
    <label>What it is about <input type="text" value=${description} onInput=${(event) => setDescription(event.target.value)} /></label>
    <button class="primary" disabled=${busy || !name.trim()}>Create</button></p>
  </form>`;
}
