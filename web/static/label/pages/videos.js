/** The videos of a project: how far each is, its timeline and its tracks. */
import { get } from "../base/api.js";
import { link, router } from "../base/route.js";
import { clock, number } from "../base/words.js";
import { Timeline } from "../video/timeline.js";
import { Tracks } from "../video/tracks.js";
import { html, useEffect, useMemo, useState } from "../vendor/htm-preact.js";

/** @param {{session: import("../labelling/session.js").Session, query: Record<string, string>}} props */
export function VideosPage({ session, query }) {
  const [videos, setVideos] = useState(null);
  const [error, setError] = useState(null);
  useEffect(() => {
    get(["p", session.project, "tracks"]).then((got) => setVideos(got.videos), setError);
  }, [session, session.info]);
  if (error) return html`<p class="bad" role="alert">${error.message} ${error.hint}</p>`;
  if (!videos) return null;
  if (!videos.length) return html`<p class="empty">No video yet. <a href=${link([session.project, "add"])}>Add one</a> and take frames from it.</p>`;
  const chosen = videos.some((video) => video.name === query.video) ? query.video : videos[0].name;
  return html`<div class="stack">
    <table><thead><tr><th>Video</th><th class="number">Pictures</th><th class="number">Reviewed</th><th class="number">Length</th><th class="number">Tracks</th><th class="number">Approved</th></tr></thead>
    <tbody>${videos.map((video) => html`<tr key=${video.name}><td><a href=${link([session.project, "videos"], { video: video.name })} aria-current=${video.name === chosen}>${video.name}</a></td>
      <td class="number">${number(video.pictures)}</td><td class="number">${number(video.reviewed)}</td><td class="number">${video.seconds === null ? "" : clock(video.seconds)}</td><td class="number">${number(video.tracks)}</td><td class="number">${number(video.approved)}</td></tr>`)}</tbody></table>
    <${OneVideo} key=${chosen} session=${session} video=${chosen} />
  </div>`;
}

function OneVideo({ session, video }) {
  const tracks = useMemo(() => new Tracks(session.project, video), [session, video]);
  const [chosen, choose] = useState(null);
  useEffect(() => {
    tracks.load();
    return () => tracks.end();
  }, [tracks]);
  return html`<section><h2>${video}</h2>
    <${Timeline} tracks=${tracks} session=${session} image=${null} chosen=${chosen} rows=${24} onTrack=${choose} onPicture=${(image) => router.go([session.project, "label", image])} />
  </section>`;
}
