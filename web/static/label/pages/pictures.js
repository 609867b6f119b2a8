/** The pictures of a project, filtered and in an order; each leads to its labels. */
import { address } from "../base/api.js";
import { link, router } from "../base/route.js";
import { useWatched } from "../base/store.js";
import { number, plural } from "../base/words.js";
import { Listing } from "../labelling/listing.js";
import { html, useEffect, useMemo, useRef, useState } from "../vendor/htm-preact.js";

const ORDERS = [["name", "by name"], ["time", "by time"], ["queue", "worth a look first"], ["unsure", "where a model is unsure"], ["differ", "where model and labels differ"]];

/** @param {{session: import("../labelling/session.js").Session, query: Record<string, string>}} props */
export function PicturesPage({ session, query }) {
  const { filter = "", order = "name", focus = "" } = query;
  const listing = useMemo(() => new Listing(session.project, filter, order), [session, filter, order]);
  useWatched(listing);
  const [text, setText] = useState(filter);
  const search = useRef(null);
  const end = useRef(null);
  useEffect(() => {
    listing.more();
    const watcher = new IntersectionObserver((seen) => seen.some((each) => each.isIntersecting) && listing.more(), { rootMargin: "600px" });
    watcher.observe(end.current);
    return () => watcher.disconnect();
  }, [listing]);
  useEffect(() => {
    setText(filter);
    if (focus === "filter") search.current?.focus();
    const press = (event) => {
      if (event.key !== "/" || event.target.closest("input, select, textarea, dialog")) return;
      event.preventDefault();
      search.current?.focus();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, [filter]);
  const go = (change) => router.go([session.project, "pictures"], { filter, order: order === "name" ? "" : order, ...change });
  const apply = (event) => {
    event.preventDefault();
    go({ filter: text.trim() });
  };
  const asked = { filter, order: order === "name" ? "" : order };
  const first = listing.images[0];
  return html`<div>
    <form class="bar" role="search" onSubmit=${apply}>
      <input ref=${search} type="search" aria-label="Filter" placeholder="is:open class:hook" value=${text} onInput=${(event) => setText(event.target.value)} />
      <label>Order <select value=${order} onChange=${(event) => go({ order: event.target.value })}>${ORDERS.map(([name, title]) => html`<option key=${name} value=${name}>${title}</option>`)}</select></label>
      ${["is:open", "is:unreviewed", "is:reviewed", "is:later", "is:unlabelled"].map((each) => html`<button type="button" key=${each} aria-pressed=${filter === each} onClick=${() => go({ filter: filter === each ? "" : each })}>${each}</button>`)}
      <span class="muted">${listing.total === null ? "" : plural(listing.total, "picture")}</span>
      ${first && html`<a class="button" href=${link([session.project, "label", first.id], asked)}>Label from the first</a>`}
    </form>
    ${listing.error && html`<p class="bad" role="alert">${listing.error.message} ${listing.error.hint}</p>`}
    ${listing.total === 0 && !listing.error && html`<p class="empty">${filter ? "No picture is like that. Clear the filter to see all." : html`No picture yet. <a href=${link([session.project, "add"])}>Add a video or pictures</a>.`}</p>`}
    <div class="grid">${listing.images.map((image) => html`<a key=${image.id} class="thumb" href=${link([session.project, "label", image.id], asked)} title=${image.name}>
      <img loading="lazy" decoding="async" alt="" onError=${(event) => event.target.parentNode.classList.add("unseen")} src=${address(["p", session.project, "images", image.id, "picture"], { w: 400 })} />
      ${image.review && html`<span class="state ${image.review}">${image.review === "done" ? "reviewed" : "later"}</span>`}
      <span class="told"><span class="name">${image.name}</span>${image.open > 0 && html`<span class="open">+${number(image.open)}</span>`}<span class="muted">${number(image.boxes)}</span></span>${image.why && html`<span class="told muted why" title=${image.why}>${image.why}</span>`}</a>`)}</div>
    <div ref=${end} class="muted">${listing.loading ? "…" : ""}</div>
  </div>`;
}
