"""The boxes of a video linked into tracks, as work of the server in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from core.common.text import clean
from core.data.labels.tracks.view import video_pictures
from core.data.store import Project
from core.inference.link_tracks import LinkOptions, link_in_child
from web.label.answers import Desk, Refused, read_body
from web.label.events import Events
from web.label.jobs import Ended, Jobs


class Video(msgspec.Struct):
    """Which video."""

    video: str


class Linking:
    """The handler that begins to link, once a video at a time."""

    def __init__(self, desk: Desk, events: Events, jobs: Jobs) -> None:
        self._desk = desk
        self._events = events
        self._jobs = jobs
        self._at_work: set[tuple[Path, str]] = set()

    def routes(self, one: str) -> list[web.RouteDef]:
        """Return its route below `one`, the address of a project."""
        return [web.post(one + "/tracks/link", self._link)]

    async def _link(self, request: web.Request) -> web.Response:
        body = await read_body(request, Video)

        def found(project: Project) -> Path:
            video_pictures(project, body.video)
            return project.path

        project, name = await self._desk.on_project(request, found), request.match_info["p"]
        work = (project, body.video)
        if work in self._at_work:
            raise Refused(423, f"Boxes of '{clean(body.video)}' are being linked already.", "Wait.")
        self._at_work.add(work)

        def act(report: Any, stopped: Any) -> Ended:
            try:
                made = link_in_child(LinkOptions(project, body.video), report, stopped)
            finally:
                self._at_work.discard(work)
            if made is None:
                return Ended("No boxes met that were on no track yet: nothing was linked.")
            with Project.open(project) as opened:
                summary = opened.entry(made).summary
            self._desk.tell_soon(self._events.tell, name, made, None)
            return Ended(f"{summary}.", made)

        job = self._jobs.start(f"Links in {clean(body.video)}", act)
        return web.json_response({"job": job.id})
