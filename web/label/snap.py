"""Rough boxes put right by a model: which one, its loading, which is shown, and the answers."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from core.autolabel.snap.service import SnapService
from core.autolabel.snap.which_model import (
    NoSnapper,
    SnapChoice,
    SnapModel,
    find_snap_model,
    keep_snap_choice,
    snap_choice,
    snap_models,
)
from core.common.errors import BatmanError, WeightsMissing
from core.common.progress import Progress
from core.common.text import sentence
from core.data.images.rows import image_path
from core.data.labels.view import NoPicture, picture_labels
from core.data.store import Project
from web.label.answers import Desk, Refused, read_body, row
from web.label.jobs import Job, Jobs


class Chosen(msgspec.Struct):
    """Which model snaps from now on, and the folder of its files."""

    model: str = msgspec.field(name="with")
    weights: str = ""


class Rough(msgspec.Struct):
    """A box that means an object: x, y, w, h in pixels."""

    box: tuple[float, float, float, float]


class Snaps:
    """The handlers of snapping. One model is kept at a time, and it answers one box at a time."""

    def __init__(self, desk: Desk, jobs: Jobs) -> None:
        self._desk = desk
        self._jobs = jobs
        self._model: SnapModel | None = None
        self._service: SnapService | None = None
        self._loading: Job | None = None
        # A picture may take minutes without a GPU: nobody else waits for it.
        self._thread = ThreadPoolExecutor(1, "snap")

    def routes(self, one: str) -> list[web.RouteDef]:
        """Return the routes; those of a picture are below the project's address `one`."""
        return [
            web.get("/label/api/snap", self._chosen),
            web.post("/label/api/snap", self._choose),
            web.post(one + r"/images/{id:\d+}/snap", self._snap),
        ]

    def close(self) -> None:
        """End the model's process."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        if self._service is not None:
            self._service.close()

    async def _chosen(self, _request: web.Request) -> web.Response:
        def act() -> dict[str, Any]:
            chosen, problem = snap_choice(), None
            try:
                title = find_snap_model(chosen, self._desk.workspace).title
            except BatmanError as error:
                title, problem = None, f"{error.message} {error.hint}".strip()
            return {
                "with": chosen.model,
                "weights": chosen.weights,
                "title": title,
                "problem": problem,
                "models": snap_models(self._desk.workspace),
            }

        return web.json_response(await self._desk.run(act))

    async def _choose(self, request: web.Request) -> web.Response:
        body = await read_body(request, Chosen)
        choice = SnapChoice(body.model, body.weights)
        found = await self._desk.run(lambda: keep_snap_choice(choice, self._desk.workspace))
        return web.json_response({"title": found.title})

    async def _snap(self, request: web.Request) -> web.Response:
        body, image = await read_body(request, Rough), row(request)

        def act(project: Project) -> tuple[Path, tuple[int, int]]:
            seen, file = picture_labels(project, image), image_path(project, image)
            if file is None:
                raise NoPicture(image, project.name)
            return file, (seen.width, seen.height)

        file, size = await self._desk.on_project(request, act)
        model = await self._desk.run(self._wanted)
        service = await self._kept(model)
        if not service.ready:
            return web.json_response({"job": self._load(model, service).id}, status=202)
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._thread, lambda: service.snap(file, size, body.box))
        answer = {
            "box": found and found.box,
            "score": found and found.score,
            "class": found and found.class_name,
            "model": sentence(model.title),
        }
        return web.json_response(answer)

    def _wanted(self) -> SnapModel:
        """Return the model that is chosen. Raises `Refused` with `choose` where it has to be."""
        try:
            return find_snap_model(snap_choice(), self._desk.workspace)
        except (NoSnapper, WeightsMissing) as error:
            raise Refused(409, error.message, error.hint, choose=True) from None

    async def _kept(self, model: SnapModel) -> SnapService:
        """Return the service of a model; that of another is ended."""
        if self._service is None or self._model != model:
            before = self._service
            self._model, self._service = model, SnapService(model.kind, model.weights)
            self._loading = None
            if before is not None:
                await self._desk.run(before.close)
        return self._service

    def _load(self, model: SnapModel, service: SnapService) -> Job:
        """Return the work that loads the model; there is one, however often it is asked for."""

        def act(report: Any, stopped: Any) -> str:
            report(Progress("loading", 0))
            service.load(stopped)
            return sentence(f"{model.title} is ready.")

        if self._loading is None or self._loading.state != "running":
            self._loading = self._jobs.start(sentence(f"{model.title} is loading"), act)
        return self._loading
