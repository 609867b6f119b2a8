"""Edits of labels, classes and tracks, as requests ask for them: each one step of the history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import msgspec
from aiohttp import web

from core.data.classes.edit import add, merge, rename
from core.data.labels.bulk import accept_all, decide, reject_all
from core.data.labels.edit import edit
from core.data.labels.ops import Op
from core.data.labels.passes import withdraw_pass
from core.data.labels.prompts import Example, Prompts, prompts_of, set_prompts
from core.data.labels.tracks.edit import (
    approve_track,
    merge_tracks,
    reclass_track,
    split_track,
)
from core.data.labels.tracks.interpolate import interpolate_track
from core.data.labels.tracks.problems import find_problems
from core.data.labels.tracks.view import list_videos, tracks_with_boxes, video_pictures
from core.data.store import HistoryEntry, Project
from web.label.answers import Desk, Missing, Refused, read_body, row
from web.label.events import Events
from web.label.pictures import neighbours, picture_json

# Random keys of the page have 36 letters.
_KEY = 100


class Ops(msgspec.Struct):
    """Edits of a picture, and the key by which a repeated request is known."""

    ops: list[Op]
    key: str | None = None


class Step(msgspec.Struct):
    """Which change to take back or do again: it is named, so that nobody undoes another's."""

    id: int


class Bulk(msgspec.Struct):
    """Which open suggestions: of a class, from a score on (and up to one), on some pictures."""

    class_id: int | None = msgspec.field(name="class", default=None)
    least: float = 0.5
    most: float = 1.0
    images: list[int] | None = None


class Decided(msgspec.Struct):
    """Suggestions that a person took and those struck out."""

    accept: list[int] = []
    reject: list[int] = []
    key: str | None = None


class Nothing(msgspec.Struct):
    """A request whose address says all."""


class Named(msgspec.Struct):
    """A new class."""

    name: str


class GivenPrompts(msgspec.Struct):
    """What labellers are asked for a class; what is not named stays."""

    phrases: list[str] | None = None
    least: float | msgspec.UnsetType | None = msgspec.UNSET
    examples: Any = None


class ClassChange(msgspec.Struct):
    """Another name or other prompts of a class, or a label as an example of it."""

    name: str | None = None
    prompts: GivenPrompts | None = None
    example: Example | None = None


class Merge(msgspec.Struct):
    """Classes that become another, by number."""

    sources: list[int]
    target: int


class TrackChange(msgspec.Struct):
    """A track, and what a change of it needs."""

    track: int
    image: int | None = None
    other: int | None = None
    class_id: int | None = msgspec.field(name="class", default=None)
    approved: bool = True


class Edits:
    """The handlers of all that changes a project's labels."""

    def __init__(self, desk: Desk, events: Events) -> None:
        self._desk = desk
        self._events = events

    def routes(self, one: str) -> list[web.RouteDef]:
        """Return the routes below the project's address `one`."""
        return [
            web.post(one + r"/images/{id:\d+}/ops", self._ops),
            web.post(one + "/{step:undo|redo}", self._step),
            web.post(one + "/{bulk:accept|reject}", self._bulk),
            web.post(one + "/review", self._review),
            web.post(one + r"/passes/{id:\d+}/withdraw", self._withdraw),
            web.post(one + "/classes", self._add_class),
            web.patch(one + r"/classes/{id:\d+}", self._change_class),
            web.post(one + "/classes/merge", self._merge),
            web.get(one + "/tracks", self._tracks),
            web.post(one + "/tracks/{what:split|merge|class|approve|interpolate}", self._track),
        ]

    async def _ops(self, request: web.Request) -> web.Response:
        body, image = await read_body(request, Ops), row(request)
        if body.key is not None and not 0 < len(body.key) <= _KEY:
            raise Refused(400, f"A key has up to {_KEY} letters.")

        def act(project: Project) -> dict[str, Any]:
            done = edit(project, image, body.ops, body.key)
            seen = {**picture_json(done.picture), **neighbours(project, image)}
            return {"history": done.history_id, "ids": done.ids, "image": seen}

        answer = await self._desk.on_project(request, act)
        self._events.tell(request.match_info["p"], answer["history"], image)
        return web.json_response(answer)

    async def _step(self, request: web.Request) -> web.Response:
        body, undo = await read_body(request, Step), request.match_info["step"] == "undo"

        def act(project: Project) -> tuple[HistoryEntry | None, HistoryEntry | None]:
            entry: HistoryEntry | None
            if undo:
                entry = project.take_back(body.id)
            elif not _undone(project, body.id):
                # It was taken back by a change of its own, which is taken back now.
                entry = project.take_back(body.id)
            else:
                entry = project.redo(body.id)
            return entry, project.newest()

        entry, newest = await self._desk.on_project(request, act)
        if entry is None:
            raise Missing(f"There is nothing to {request.match_info['step']}.")
        image = entry.detail.get("image")
        self._events.tell(request.match_info["p"], entry.id, image)
        change = {"id": entry.id, "summary": entry.summary, "image": image}
        answer = {"undone" if undo else "redone": change, "newest": newest and newest.id}
        return web.json_response(answer)

    async def _bulk(self, request: web.Request) -> web.Response:
        body, accept = await read_body(request, Bulk), request.match_info["bulk"] == "accept"

        def act(project: Project) -> HistoryEntry | None:
            if accept:
                return accept_all(project, body.class_id, body.least, body.images)
            return reject_all(project, body.class_id, body.least, body.images, body.most)

        return await self._changed(request, act)

    async def _review(self, request: web.Request) -> web.Response:
        body = await read_body(request, Decided)
        return await self._changed(
            request, lambda project: decide(project, body.accept, body.reject, body.key)
        )

    async def _withdraw(self, request: web.Request) -> web.Response:
        await read_body(request, Nothing)
        number = row(request)
        return await self._changed(request, lambda project: withdraw_pass(project, number))

    async def _add_class(self, request: web.Request) -> web.Response:
        body = await read_body(request, Named)

        def act(project: Project) -> tuple[int, HistoryEntry]:
            return add(project, body.name)

        number, entry = await self._desk.on_project(request, act)
        self._events.tell(request.match_info["p"], entry.id, None)
        return web.json_response({"id": number, "history": entry.id})

    async def _change_class(self, request: web.Request) -> web.Response:
        body, number = await read_body(request, ClassChange), row(request)

        def act(project: Project) -> HistoryEntry | None:
            name = _class_name(project, number)
            entry = rename(project, name, body.name) if body.name is not None else None
            prompts = prompts_of(project)[number]
            wanted = prompts
            if body.prompts is not None:
                wanted = _prompts(prompts, body.prompts)
            if body.example is not None:
                wanted = msgspec.structs.replace(
                    wanted, examples=(*_without(wanted, body.example), body.example)
                )
            return (set_prompts(project, number, wanted) if wanted != prompts else None) or entry

        return await self._changed(request, act)

    async def _merge(self, request: web.Request) -> web.Response:
        body = await read_body(request, Merge)

        def act(project: Project) -> HistoryEntry | None:
            sources = [_class_name(project, number) for number in body.sources]
            return merge(project, sources, _class_name(project, body.target))

        return await self._changed(request, act)

    async def _track(self, request: web.Request) -> web.Response:
        body = await read_body(request, TrackChange)
        acts: dict[str, Callable[[Project], HistoryEntry | None]] = {
            "split": lambda project: split_track(project, body.track, _given(body.image, "image")),
            "merge": lambda project: merge_tracks(project, body.track, _given(body.other, "other")),
            "class": lambda project: reclass_track(
                project, body.track, _given(body.class_id, "class")
            ),
            "approve": lambda project: approve_track(project, body.track, body.approved),
            "interpolate": lambda project: interpolate_track(project, body.track),
        }
        return await self._changed(request, acts[request.match_info["what"]])

    async def _tracks(self, request: web.Request) -> web.Response:
        video = request.query.get("grp")
        if video is None:
            act: Callable[[Project], dict[str, Any]] = videos_json
        else:
            named = video

            def act(project: Project) -> dict[str, Any]:
                return video_json(project, named)

        return web.json_response(await self._desk.on_project(request, act))

    async def _changed(
        self, request: web.Request, act: Callable[[Project], HistoryEntry | None]
    ) -> web.Response:
        """Do a change and tell the others of it."""
        entry = await self._desk.on_project(request, act)
        if entry is not None:
            self._events.tell(request.match_info["p"], entry.id, None)
        return web.json_response(
            {"history": entry and entry.id, "summary": entry and entry.summary}
        )


def videos_json(project: Project) -> dict[str, Any]:
    """Return the videos of a project."""
    return {"videos": [asdict(video) for video in list_videos(project)]}


def video_json(project: Project, video: str) -> dict[str, Any]:
    """Return the pictures of a video, its tracks, and what is odd about them."""
    pictures = video_pictures(project, video)
    about = {
        row["id"]: row
        for row in project.db.execute(
            "SELECT i.id, i.review,"
            " (SELECT count(*) FROM v_annotations a WHERE a.image_id = i.id) AS boxes,"
            " (SELECT count(*) FROM v_suggestions s WHERE s.image_id = i.id"
            " AND s.state = 'open') AS open FROM v_images i WHERE i.grp = ?",
            (video,),
        )
    }
    return {
        "pictures": [
            {
                "id": each.id,
                "name": each.name,
                "time": each.time,
                "review": about[each.id]["review"],
                "boxes": about[each.id]["boxes"],
                "open": about[each.id]["open"],
            }
            for each in pictures
            if each.id in about
        ],
        "tracks": [
            {
                "id": track.id,
                "class": track.class_id,
                "approved": track.approved,
                "boxes": [
                    {
                        "id": box.id,
                        "image": box.picture.id,
                        "key": box.key,
                        "suggested": box.suggested,
                    }
                    for box in boxes
                ],
            }
            for track, boxes in tracks_with_boxes(project, video)
        ],
        "problems": [
            {
                "track": each.track_id,
                "image": each.picture.id,
                "what": each.what,
                "severity": each.severity,
                "says": each.says,
            }
            for each in find_problems(project, video)
        ],
    }


def _undone(project: Project, history_id: int) -> bool:
    """Return whether a change is undone; one that is gone is not."""
    row = project.db.execute("SELECT undone FROM history WHERE id = ?", (history_id,)).fetchone()
    return row is None or bool(row[0])


def _class_name(project: Project, number: int) -> str:
    found = project.db.execute("SELECT name FROM classes WHERE id = ?", (number,)).fetchone()
    if found is None:
        raise Missing(f"There is no class {number}.", "It may have been merged since.")
    return str(found[0])


def _prompts(have: Prompts, given: GivenPrompts) -> Prompts:
    phrases = have.phrases if given.phrases is None else tuple(given.phrases)
    least = have.least if given.least is msgspec.UNSET else given.least
    return Prompts(phrases, have.examples, least)


def _without(prompts: Prompts, example: Example) -> list[Example]:
    return [each for each in prompts.examples if each.annotation_id != example.annotation_id]


def _given(value: int | None, name: str) -> int:
    if value is None:
        raise Refused(400, f"'{name}' is missing.")
    return value
