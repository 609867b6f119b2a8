/** The labelling page: which place is shown, and what is told to it. */
import { router } from "./base/route.js";
import { useWatched } from "./base/store.js";
import { Labelling } from "./labelling/labelling.js";
import { Session } from "./labelling/session.js";
import { AddPage } from "./pages/add.js";
import { ClassesPage } from "./pages/classes.js";
import { LabelPage } from "./pages/label.js";
import { LabellersPage } from "./pages/labellers.js";
import { PicturesPage } from "./pages/pictures.js";
import { Place } from "./pages/place.js";
import { ProjectsPage } from "./pages/projects.js";
import { ReviewPage } from "./pages/review.js";
import { VideosPage } from "./pages/videos.js";
import { ToastList, toasts } from "./parts/toasts.js";
import { events } from "./saving/events.js";
import { queue } from "./saving/queue.js";
import { steps } from "./saving/undo.js";
import { html, render, useEffect, useMemo } from "./vendor/htm-preact.js";

const PLACES = { pictures: PicturesPage, review: ReviewPage, classes: ClassesPage, labellers: LabellersPage, add: AddPage, videos: VideosPage };

/** What is shown now, for what comes from outside the components. */
const now = { /** @type {Session|null} */ session: null, /** @type {Labelling|null} */ labelling: null };

function Page() {
  useWatched(router);
  const { parts, query } = router.now;
  const [project] = parts;
  return html`${project ? html`<${Project} key=${project} project=${project} parts=${parts} query=${query} />` : html`<${ProjectsPage} />`}<${ToastList} />`;
}

function Project({ project, parts, query }) {
  const session = useMemo(() => new Session(project), [project]);
  useEffect(() => {
    now.session = session;
    session.load();
    return () => {
      session.end();
      now.session = null;
    };
  }, [session]);
  useEffect(() => {
    document.title = `${project} · Batman`;
  }, [project]);
  const [, place = "pictures", id] = parts;
  if (place === "label" && /^\d+$/.test(id ?? "")) return html`<${Label} session=${session} id=${Number(id)} select=${Number(query.select ?? 0)} filter=${query.filter ?? ""} order=${query.order ?? "name"} />`;
  const Shown = PLACES[place] ?? PicturesPage;
  return html`<${Place} session=${session} at=${PLACES[place] ? place : "pictures"}><${Shown} session=${session} query=${query} parts=${parts} /><//>`;
}

function Label({ session, id, select, filter, order }) {
  const labelling = useMemo(() => new Labelling(session, filter, order), [session, filter, order]);
  useEffect(() => {
    now.labelling = labelling;
    return () => {
      labelling.end();
      now.labelling = null;
    };
  }, [labelling]);
  return html`<${LabelPage} key=${`${filter}/${order}`} labelling=${labelling} id=${id} select=${select} />`;
}

queue.onSaved = (entry, answer, given) => {
  steps.add(entry.project, answer?.history, entry.image);
  now.labelling?.saved(entry, answer, given);
  if (!now.labelling) now.session?.soon();
};
queue.onRefused = (entry, error, lost) => {
  if (now.labelling) now.labelling.refused(entry, error, lost);
  else toasts.tell(`An edit${entry.name ? ` of ${entry.name}` : ""} could not be saved: ${error.message}`, { hint: error.hint, kind: "error" });
};

/** What a test, or somebody curious, may know of the page. */
/** @type {any} */ (window).batman = {
  state() {
    const editor = now.labelling?.editor;
    return {
      route: router.now,
      save: queue.state,
      waiting: queue.waiting,
      listening: events.open,
      project: now.session?.project ?? null,
      image: editor?.picture?.id ?? null,
      name: editor?.picture?.name ?? null,
      review: editor?.picture?.review ?? null,
      boxes: editor?.picture?.boxes ?? [],
      suggestions: editor?.picture?.suggestions ?? [],
      shown: editor ? editor.shown().map((item) => item.key) : [],
      selected: editor?.selected ?? null,
      mode: editor?.mode ?? null,
      hidden: editor?.hidden ?? false,
      brightness: editor?.brightness ?? 1,
      conflict: editor?.conflict?.message ?? null,
      view: editor ? { scale: editor.view.scale, x: editor.view.x, y: editor.view.y } : null,
      picture: now.labelling?.stage?.bitmap ? { width: now.labelling.stage.bitmap.width, frames: now.labelling.stage.frames } : null,
      done: steps.done.length,
    };
  },
};

queue.start();
events.begin();
render(html`<${Page} />`, document.getElementById("page"));
