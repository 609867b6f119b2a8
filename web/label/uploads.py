"""Videos and pictures on their way in: streamed to the disk, resumable, within limits.

A video comes in pieces (`Content-Range`, RFC 9110) into the folder that `web.label.received` tells
of. What nobody went on with for a day is removed when the next upload begins.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from core.common.errors import BadName, BatmanError
from core.common.files import safe_name
from core.common.full_disk import naming_full_disk
from core.common.text import clean, plural
from core.data.images.video import is_video
from core.data.importers.pictures import import_pictures
from core.data.importers.report import ImportReport
from core.data.importers.video.child import import_video_in_child, require_video
from core.data.store import Project
from web.label.answers import Desk, Missing, Refused, read_body, reading
from web.label.events import Events
from web.label.jobs import Jobs
from web.label.received import Received, begin_upload, find_upload, remove_upload

_PIECE = 1 << 18
_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})", re.ASCII)
_KEY = re.compile(r"[0-9a-zA-Z_-]{8,64}", re.ASCII)
_PICTURE = 200 << 20
# So many remarks of an import are said before "and n more".
_SAID = 3


class Frames(msgspec.Struct):
    """A video that has arrived, and the seconds from one frame to the next."""

    upload: str
    every: float = 1.0


class Uploads:
    """The handlers of uploads, and of taking frames from them."""

    def __init__(self, desk: Desk, events: Events, jobs: Jobs, most: int) -> None:
        self._desk = desk
        self._events = events
        self._jobs = jobs
        self._most = most
        self._held: set[tuple[Path, str]] = set()

    def routes(self, one: str) -> list[web.RouteDef]:
        """Return the routes below the project's address `one`."""
        return [
            web.post(one + "/videos", self._video),
            web.get(one + "/uploads/{key}", self._received),
            web.post(one + "/pictures", self._picture),
            web.post(one + "/frames", self._frames),
        ]

    async def _video(self, request: web.Request) -> web.Response:
        name, key = _file_name(request), _key(request.query.get("key", ""))
        if not is_video(name):
            raise Refused(415, f"'{clean(name)}' is no video by its name.", "Send MP4, MKV, …")
        first, last, total = _span(request)
        self._refuse_large(total)
        project = await self._folder(request)
        with self._holding(project, key):
            there = await self._desk.run(lambda: begin_upload(project, key, name, total))
            if first != there.have:
                raise Refused(409, "This is not the next piece.", received=there.have)
            have = await self._take(request, there, last)
            if have == total:
                await self._desk.run(lambda: self._require_video(project, key, there.file))
        answer: dict[str, Any] = {"received": have}
        return web.json_response({**answer, "upload": key} if have == total else answer)

    @contextmanager
    def _holding(self, project: Path, key: str) -> Iterator[None]:
        """Keep an upload to one request. Raises `Refused` when another is at it."""
        if (project, key) in self._held:
            raise Refused(423, "This file is being sent by another page.", "Wait, or close that.")
        self._held.add((project, key))
        try:
            yield
        finally:
            self._held.discard((project, key))

    async def _take(self, request: web.Request, part: Received, end: int) -> int:
        """Append the body of a request, up to the byte `end` of the file; return its size now."""
        have = part.have
        with naming_full_disk(part.file), part.file.open("ab") as file, reading(request):
            while data := await request.content.read(_PIECE):
                have += len(data)
                if have > end:
                    raise Refused(413, "That is more than the file was said to have.")
                await self._desk.run(lambda piece=data: file.write(piece))  # type: ignore[misc]
        return have

    def _require_video(self, project: Path, key: str, file: Path) -> None:
        """Remove a file that has arrived and is no video. Raises `Refused`.

        Without the package that reads videos nobody can tell; taking frames says what to install.
        """
        if importlib.util.find_spec("av") is None:
            return
        try:
            require_video(file, self._desk.ending)
        except BatmanError as error:
            if self._desk.ending():
                raise
            remove_upload(project, key)
            raise Refused(415, error.message, error.hint) from None

    async def _received(self, request: web.Request) -> web.Response:
        key, project = _key(request.match_info["key"]), await self._folder(request)
        part = await self._desk.run(lambda: find_upload(project, key))
        if part is None:
            raise Missing("There is no such upload.", "Begin it anew.")
        found = {"received": part.have, "total": part.total, "name": part.file.name}
        return web.json_response(found)

    async def _picture(self, request: web.Request) -> web.Response:
        name = _file_name(request)
        self._refuse_large(request.content_length or 0, _PICTURE)
        project = await self._folder(request)
        # Asked again while the first request is still at it, it would be there twice.
        with self._holding(project, f"picture {name}"):
            return await self._add_picture(request, project, name)

    async def _add_picture(self, request: web.Request, project: Path, name: str) -> web.Response:
        key, size = f"picture-{time.monotonic_ns():x}", request.content_length or 0
        try:
            part = await self._desk.run(lambda: begin_upload(project, key, name, size))
            await self._take(request, part, min(self._most, _PICTURE))

            def act(opened: Project) -> tuple[dict[str, Any], int | None]:
                return _import_picture(opened, part.file)

            answer, history = await self._desk.on_project(request, act)
        finally:
            await self._desk.run(lambda: remove_upload(project, key))
        self._events.tell(request.match_info["p"], history, None)
        return web.json_response({**answer, "history": history})

    async def _frames(self, request: web.Request) -> web.Response:
        body, project = await read_body(request, Frames), await self._folder(request)
        key = _key(body.upload)
        part = await self._desk.run(lambda: find_upload(project, key))
        if part is None:
            raise Missing("There is no such upload.", "Send the video again.")
        if not part.whole:
            raise Refused(
                409,
                f"Of '{clean(part.file.name)}' {part.have:,} of {part.total:,} bytes are here.",
                "Send the rest of it first.",
                received=part.have,
            )
        if not 0.001 <= body.every <= 86_400:
            raise Refused(400, "A frame is taken every 0.001 to 86,400 seconds.")
        if (project, key) in self._held:
            raise Refused(
                423, f"Frames of '{clean(part.file.name)}' are being taken already.", "Wait."
            )
        self._held.add((project, key))
        video, name = part.file, request.match_info["p"]

        def act(report: Any, stopped: Any) -> str:
            try:
                done = import_video_in_child(
                    project, video, every_s=body.every, progress=report, cancelled=stopped
                )
                with Project.open(project) as opened:
                    newest = opened.newest()
                remove_upload(project, key)
            finally:
                self._held.discard((project, key))
            self._desk.tell_soon(self._events.tell, name, newest and newest.id, None)
            return _what_came(done, video.name)

        job = self._jobs.start(f"Frames of {clean(video.name)}", act)
        return web.json_response({"job": job.id})

    async def _folder(self, request: web.Request) -> Path:
        return await self._desk.on_project(request, lambda project: project.path)

    def _refuse_large(self, size: int, most: int | None = None) -> None:
        most = min(self._most, most or self._most)
        if size > most:
            raise Refused(
                413,
                f"The file has {size:,} bytes; {most:,} are taken.",
                "Serve with --max-upload GIB for larger ones, or import it on this machine.",
            )


def _file_name(request: web.Request) -> str:
    try:
        return safe_name(request.query.get("name", ""))
    except BadName as error:
        raise Refused(400, error.message, error.hint) from None


def _key(text: str) -> str:
    if not _KEY.fullmatch(text):
        raise Refused(400, "An upload's key has 8 to 64 letters and digits.")
    return text


def _span(request: web.Request) -> tuple[int, int, int]:
    """Return where the body begins in the file, where it ends, and the file's size."""
    text = request.headers.get("Content-Range")
    if text is None:
        if request.content_length is None:
            raise Refused(411, "The size of the file is missing.", "Send Content-Length.")
        return 0, request.content_length, request.content_length
    found = _RANGE.fullmatch(text)
    if found is None:
        raise Refused(400, "That is no range of bytes.", "Such as: bytes 0-999/5000.")
    first, last, total = (int(part) for part in found.groups())
    # A file of no bytes has no last one; any other has its range within it (RFC 9110, 14.4).
    if not first <= last < max(1, total):
        raise Refused(400, "That is no range of the file's bytes.", "Such as: bytes 0-999/5000.")
    return first, min(last + 1, total), total


def _import_picture(project: Project, file: Path) -> tuple[dict[str, Any], int | None]:
    """Import a picture that has arrived; return the answer and the number of the change.

    One that came under this name before is not taken twice: an answer may have been lost.
    """
    with file.open("rb") as opened:
        seen = hashlib.file_digest(opened, "sha256").hexdigest()
    there = project.db.execute(
        "SELECT 1 FROM v_images JOIN imports ON imports.id = import_id"
        " WHERE name = ? AND json_extract(imports.detail, '$.sha256') = ?",
        (file.name, seen),
    ).fetchone()
    if there is not None:
        return {"images": 0, "note": f"'{clean(file.name)}' is in the project already."}, None
    report = import_pictures(project, [file], detail={"sha256": seen})
    newest = project.newest()
    return {"images": report.images}, newest.id if newest else None


def _what_came(report: ImportReport, name: str) -> str:
    """Return what came of a video in words, with what was wrong with it."""
    said = [f"{plural(report.images, 'frame')} of {clean(name)}"]
    said += [f"{each.kind}: {clean(each.detail)}" for each in report.problems[:_SAID]]
    more = sum(report.counts().values()) - _SAID
    return "; ".join(said) + (f"; and {more:,} more" if more > 0 else "")
