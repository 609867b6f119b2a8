"""The labelling page on a server: its address `/label/`, and its API below `/label/api/`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from core.autolabel.choice import parse_choice
from core.autolabel.job import AutolabelJob, plan_autolabel
from core.autolabel.prepare import AutolabelRequest
from core.autolabel.record import Recorded
from core.common.errors import BadName, WeightsMissing
from core.common.text import clean, plural, sentence
from core.common.workspace import Workspace
from core.data.images.filter import find_images, parse_filter
from core.data.labels.passes import KEPT
from core.data.store import Project
from web.label.answers import READING, Desk, Missing, Refused, answer_errors, number, read_body, row
from web.label.edits import Edits
from web.label.events import Events
from web.label.jobs import Jobs
from web.label.linking import Linking
from web.label.pictures import one_picture, picture_bytes, suggestion_bytes
from web.label.projects import crops_json, list_all, list_pictures, project_json
from web.label.snap import Snaps
from web.label.uploads import Uploads
from web.pages import STATIC

# From so many seconds on a pass without a GPU is asked about before it begins.
_ASK_S = 60.0
# What was asked once may be shown again, but only to this person's browser.
_PRIVATE = {"Cache-Control": "private, max-age=3600"}


class NewProject(msgspec.Struct):
    """A project to make."""

    name: str
    description: str = ""


class NewPass(msgspec.Struct):
    """A pass to begin: which labeller, on the pictures of a filter, from which score on.

    `weights` is a folder on this machine, instead of the hub's cache; `confirm` says that a person
    knows how long it takes without a GPU.
    """

    labeller: str = msgspec.field(name="with")
    images: str = ""
    least: float = KEPT
    skip_labelled: bool = False
    download: bool = False
    confirm: bool = False
    weights: str = ""
    classes: list[str] | None = None
    mapping: dict[str, str] = {}


class LabelPage:
    """Adds the labelling page to an application that a door guards."""

    def __init__(self, workspace: Workspace, max_upload: int) -> None:
        """Make the page of the projects in `workspace`; `max_upload` is in bytes."""
        self._workspace = workspace
        self._desk = Desk(workspace)
        self._events = Events(self._desk)
        self._jobs = Jobs()
        self._edits = Edits(self._desk, self._events)
        self._uploads = Uploads(self._desk, self._events, self._jobs, max_upload)
        self._snaps = Snaps(self._desk, self._jobs)
        self._linking = Linking(self._desk, self._events, self._jobs)

    def join(self, app: web.Application) -> None:
        """Add the routes to `app`, and end with it."""
        app.middlewares.append(answer_errors)
        app[READING] = set()
        one = "/label/api/p/{p}"
        app.add_routes(
            [
                web.get("/label", _to_page),
                web.get("/label/", _page),
                web.get("/label/api/projects", self._projects),
                web.post("/label/api/projects", self._create),
                web.get("/label/api/events", self._events.stream),
                web.get("/label/api/jobs/{id}", self._job),
                web.delete("/label/api/jobs/{id}", self._stop),
                web.get(one, self._project),
                web.get(one + "/images", self._images),
                web.get(one + r"/images/{id:\d+}", self._image),
                web.get(one + r"/images/{id:\d+}/picture", self._picture),
                web.get(one + "/crops", self._crops),
                web.get(one + r"/suggestions/{id:\d+}/crop", self._crop),
                web.post(one + "/passes", self._pass),
                *self._edits.routes(one),
                *self._uploads.routes(one),
                *self._snaps.routes(one),
                *self._linking.routes(one),
            ]
        )
        app.on_shutdown.append(self._end)

    async def _projects(self, _request: web.Request) -> web.Response:
        return web.json_response(await self._desk.run(lambda: list_all(self._workspace)))

    async def _create(self, request: web.Request) -> web.Response:
        body = await read_body(request, NewProject)

        def act() -> str:
            try:
                path = self._workspace.project_path(body.name)
            except BadName as error:
                raise Refused(400, error.message, error.hint) from None
            if path.exists():
                raise Refused(409, f"There is a project '{clean(path.name)}'.", "Name another.")
            path.parent.mkdir(parents=True, exist_ok=True)
            with Project.create(path, body.description) as project:
                return project.name

        return web.json_response({"name": await self._desk.run(act)}, status=201)

    async def _project(self, request: web.Request) -> web.Response:
        def act(project: Project) -> dict[str, Any]:
            return project_json(project, _runs(self._workspace))

        return web.json_response(await self._desk.on_project(request, act))

    async def _images(self, request: web.Request) -> web.Response:
        text, order = request.query.get("filter", ""), request.query.get("order", "")
        if order not in ("", "id", "name", "time", "queue", "unsure", "differ"):
            raise Refused(400, f"There is no order '{clean(order)}'.")
        after, count = _after(request), int(number(request, "n", 100))
        answer = await self._desk.on_project(
            request, lambda project: list_pictures(project, text, order, after, count)
        )
        return web.json_response(answer)

    async def _image(self, request: web.Request) -> web.Response:
        image = row(request)
        answer = await self._desk.on_project(request, lambda project: one_picture(project, image))
        return web.json_response(answer)

    async def _picture(self, request: web.Request) -> web.Response:
        image = row(request)
        width = int(number(request, "w")) if "w" in request.query else None
        if width is not None and width < 1:
            raise Refused(400, "A picture is at least one pixel wide.")
        data = await self._desk.on_project(
            request, lambda project: picture_bytes(project, image, width)
        )
        return web.Response(body=data, content_type="image/jpeg", headers=_PRIVATE)

    async def _crops(self, request: web.Request) -> web.Response:
        of_class = int(number(request, "class"))
        least, most = number(request, "least", 0), number(request, "most", 1)
        after, count = _after(request), int(number(request, "n", 24))
        answer = await self._desk.on_project(
            request, lambda project: crops_json(project, of_class, least, most, after, count)
        )
        return web.json_response(answer)

    async def _crop(self, request: web.Request) -> web.Response:
        suggestion, width = row(request), int(number(request, "w", 160))
        data = await self._desk.on_project(
            request, lambda project: suggestion_bytes(project, suggestion, width)
        )
        return web.Response(body=data, content_type="image/jpeg", headers=_PRIVATE)

    async def _pass(self, request: web.Request) -> web.Response:
        body = await read_body(request, NewPass)
        choice = parse_choice(body.labeller)

        def plan(project: Project) -> AutolabelJob:
            images = find_images(project, parse_filter(body.images)) if body.images else None
            wish = AutolabelRequest(
                choice,
                weights=Path(body.weights) if body.weights else None,
                images=images,
                classes=body.classes,
                mapping=body.mapping,
                least=body.least,
                skip_labelled=body.skip_labelled,
            )
            try:
                return plan_autolabel(
                    project.path, wish, download=body.download, workspace=self._workspace
                )
            except WeightsMissing as error:
                # In the words of the form, which has no --download.
                raise WeightsMissing(
                    error.message,
                    "Mark that its weights are fetched, or name the folder on the server that has"
                    " them.",
                ) from None

        planned = await self._desk.on_project(request, plan)
        seconds = planned.cpu_seconds()
        if seconds is not None and seconds > _ASK_S and not body.confirm:
            raise Refused(
                409,
                f"Without a GPU {choice.title} takes about {seconds / 3600:.1f} hours for"
                f" {plural(planned.pictures, 'picture')}.",
                "Begin it all the same, or choose fewer pictures or another model.",
                confirm=True,
            )
        name = request.match_info["p"]

        def act(report: Any, stopped: Any) -> str:
            done = planned.run(report, stopped)
            with Project.open(planned.project) as project:
                newest = project.newest()
            self._desk.tell_soon(self._events.tell, name, newest and newest.id, None)
            return _what_came(done)

        job = self._jobs.start(f"{choice.title} on {plural(planned.pictures, 'picture')}", act)
        return web.json_response({"job": job.id})

    async def _job(self, request: web.Request) -> web.Response:
        job = self._jobs.get(request.match_info["id"])
        if job is None:
            raise Missing("There is no such work.", "The server may have been started anew.")
        return web.json_response(job.json())

    async def _stop(self, request: web.Request) -> web.Response:
        job = self._jobs.get(request.match_info["id"])
        if job is None:
            raise Missing("There is no such work.", "It may have ended.")
        job.stop.set()
        return web.json_response(job.json())

    async def _end(self, app: web.Application) -> None:
        sending = app[READING]
        for task in list(sending):
            task.cancel()
        self._jobs.stop_all()
        await self._events.close()
        await self._desk.run(self._snaps.close)
        self._desk.close()


async def _page(_request: web.Request) -> web.StreamResponse:
    page: Path = STATIC / "label" / "index.html"
    return web.FileResponse(page, headers={"Cache-Control": "no-store"})


async def _to_page(_request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("label/")


def _what_came(done: Recorded) -> str:
    """Return what became of a pass in words, with what was passed over."""
    found = done.report.open if done.report is not None else 0
    said = [f"{plural(found, 'suggestion')} of {clean(done.model)}", *done.passed_over()]
    if done.unreadable:
        name, why = done.unreadable[0]
        count = plural(len(done.unreadable), "picture")
        said.append(f"{count} could not be read, such as {clean(name)}: it {clean(why)}.")
    said += [sentence(f"{clean(note)}.") for note in done.notes]
    return said[0] if len(said) == 1 else f"{said[0]}. {' '.join(said[1:])}"


def _after(request: web.Request) -> int | None:
    return int(number(request, "after")) if "after" in request.query else None


def _runs(workspace: Workspace) -> list[str]:
    """Return the runs that have weights to label with, by name."""
    if not workspace.runs_dir.is_dir():
        return []
    return sorted(
        path.name for path in workspace.runs_dir.iterdir() if (path / "best.pth").is_file()
    )
