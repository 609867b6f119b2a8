/** The frame of a project's places: the bar, the tabs, and the place itself. */
import { link } from "../base/route.js";
import { useWatched } from "../base/store.js";
import { number } from "../base/words.js";
import { PlaceKeys } from "../parts/place_keys.js";
import { TopBar } from "../parts/topbar.js";
import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { Progress } from "./label.js";

export const PLACES = [["pictures", "Pictures"], ["review", "Review by crops"], ["videos", "Videos"], ["classes", "Classes"], ["labellers", "Auto-label"], ["add", "Add pictures"]];

/** @param {{session: import("../labelling/session.js").Session, at: string, children?: any}} props */
export function Place({ session, at, children }) {
  useWatched(session);
  const [help, setHelp] = useState(false);
  useEffect(() => {
    const press = (event) => {
      const target = /** @type {HTMLElement} */ (event.target);
      if (event.key !== "?" || event.defaultPrevented || document.querySelector("dialog[open]") || target.closest("input:not([type=checkbox]):not([type=range]), textarea")) return;
      event.preventDefault();
      setHelp(true);
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
  const open = session.info?.progress?.open_suggestions ?? 0;
  return html`<div class="place">
    <${TopBar} trail=${[{ text: session.project }]}><${Progress} session=${session} /><//>
    <nav class="tabs" aria-label="Places of the project">${PLACES.map(([name, title]) => html`<a key=${name} href=${link([session.project, name])} aria-current=${at === name ? "page" : undefined}>${title}${name === "review" && open ? ` (${number(open)})` : ""}</a>`)}<button class="quiet last" onClick=${() => setHelp(true)} aria-label="Keys" title="Keys (?)">?</button></nav>
    <main>${session.error && html`<p class="bad" role="alert">${session.error.message} ${session.error.hint} ${!session.info && html`<a href=${link([])}>All projects</a>`}</p>`}${session.info && children}</main>
    ${help && html`<${PlaceKeys} at=${at} onClose=${() => setHelp(false)} />`}
  </div>`;
}
