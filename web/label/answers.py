"""How requests to the labelling page are read and answered.

What is wrong is JSON with `error` and `hint`, and a status that says of which kind it is: 400 what
makes no sense, 403 what may not be written, 404 what is not there, 409 what somebody changed
meanwhile, 413 too much, 415 what is no JSON, 423 a project that another process is changing, 503 a
disk that fails, 507 no room.
"""

from __future__ import annotations

import asyncio
import errno
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from core.common.errors import BadName, BatmanError, DiskFull, ProjectLocked
from core.common.full_disk import disk_full
from core.common.text import clean
from core.common.workspace import Workspace
from core.data.labels.edit import EditConflict
from core.data.labels.view import NoPicture
from core.data.store import ChangedSince, Project
from web.label.pictures import NoSuggestion, picture_json

BODY = 1 << 20
"""The most bytes of a JSON body: an edit has a few hundred."""
# Waiting for a lock or a slow disk holds a thread for up to two seconds.
_THREADS = 16

Kind = TypeVar("Kind")
Answer = TypeVar("Answer")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Missing(BatmanError):
    """Something that was asked for by a name or number that nothing has."""


class Refused(BatmanError):
    """A request that is answered with `status`, and `more` beside the error."""

    def __init__(self, status: int, message: str, hint: str = "", **more: Any) -> None:
        super().__init__(message, hint)
        self.status = status
        self.more = more


class Desk:
    """Where requests are done: the workspace, and threads so that no request waits for another."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._threads = ThreadPoolExecutor(_THREADS, "label")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending = threading.Event()

    async def run(self, act: Callable[[], Answer]) -> Answer:
        """Return what `act` returns, done in a thread."""
        self._loop = asyncio.get_running_loop()
        return await self._loop.run_in_executor(self._threads, act)

    async def on_project(self, request: web.Request, act: Callable[[Project], Answer]) -> Answer:
        """Return what `act` does with the project that the address names, in a thread."""
        path = self.workspace.project_path(request.match_info["p"])

        def work() -> Answer:
            if not (path / "project.db").is_file():
                raise Missing(
                    f"There is no project '{clean(path.name)}'.", "Look at the list of projects."
                )
            with Project.open(path) as project:
                return act(project)

        return await self.run(work)

    def tell_soon(self, tell: Callable[..., None], *told: Any) -> None:
        """Call `tell` where requests are answered, from a thread; after the end, not at all."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(tell, *told)

    def ending(self) -> bool:
        """Whether the server ends: what takes long is to stop."""
        return self._ending.is_set()

    def close(self) -> None:
        """Start nothing new."""
        self._ending.set()
        self._threads.shutdown(wait=False, cancel_futures=True)


READING = web.AppKey("reading", set[asyncio.Task[Any]])
"""The requests whose bodies are still coming in: at the end nobody waits for what a page sends."""


@contextmanager
def reading(request: web.Request) -> Iterator[None]:
    """Let the end of the server end the block, which reads the body of a request."""
    task = asyncio.current_task()
    assert task is not None
    tasks = request.app[READING]
    tasks.add(task)
    try:
        yield
    finally:
        tasks.discard(task)


async def read_body(request: web.Request, kind: type[Kind]) -> Kind:
    """Return the JSON body of a request as `kind`.

    A form of another site can send any bytes, but not as `application/json` without asking first
    (Fetch standard, "CORS-safelisted request-header"). Raises `Refused`.
    """
    if request.content_type != "application/json":
        raise Refused(415, "The body of this request has to be JSON.", "Send application/json.")
    with reading(request):
        small = (request.content_length or 0) <= BODY
        data = await request.content.read(BODY + 1) if small else b""
        while data and len(data) <= BODY and not request.content.at_eof():
            data += await request.content.read(BODY + 1 - len(data))
    if len(data) > BODY or (request.content_length or 0) > BODY:
        raise Refused(413, "That is more than a request may hold.", f"Send up to {BODY} bytes.")
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400, f"This request makes no sense: {clean(str(error))}.") from None


def number(request: web.Request, name: str, usual: float | None = None) -> float:
    """Return a number of the address's query. Raises `Refused` where it is none or not there."""
    text = request.query.get(name)
    if text is None and usual is not None:
        return usual
    try:
        found = float(text or "")
    except ValueError:
        found = float("nan")
    if not abs(found) < 1e15:  # no number, or none that can be meant
        raise Refused(400, f"'{name}' has to be a number.")
    return found


def row(request: web.Request, name: str = "id") -> int:
    """Return the number of a row that the address names: the routes let digits through alone."""
    return int(request.match_info[name][:18])


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer what is wrong with a request to the labelling page in JSON."""
    if not request.path.startswith("/label/api/"):
        return await handler(request)
    try:
        return await handler(request)
    except EditConflict as error:
        return _error(409, error, image=picture_json(error.picture))
    except ChangedSince as error:
        return _error(409, error, newest=error.entry and error.entry.id)
    except ProjectLocked as error:
        return _error(423, error, holder=error.holder)
    except (NoPicture, NoSuggestion, Missing, BadName) as error:
        return _error(404, error)
    except DiskFull as error:
        return _error(507, error)
    except Refused as error:
        return _error(error.status, error, **error.more)
    except BatmanError as error:
        return _error(400, error)
    except OverflowError:
        return _error(400, BatmanError("A number is larger than any that is stored."))
    except sqlite3.OperationalError:
        busy = BatmanError("The project is busy.", "Try again in a moment.")
        return _error(423, busy)
    except ConnectionError:
        raise  # nobody is there any more
    except OSError as error:
        return _disk(error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _error(error.status, BatmanError(f"{error.reason}."))


def _disk(error: OSError) -> web.Response:
    """Answer what the file system refused."""
    if (full := disk_full(error)) is not None:
        return _error(507, full)
    why = clean(error.strerror or str(error))
    what = f"'{clean(str(error.filename))}' cannot be used" if error.filename else "The disk fails"
    denied = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
    hint = "Check the permissions of the project's folder." if denied else "Look at that disk."
    return _error(403 if denied else 503, BatmanError(f"{what}: {why}.", hint))


def _error(status: int, error: BatmanError, **more: Any) -> web.Response:
    content = {"error": error.message, "hint": error.hint, **more}
    headers = {"Retry-After": "2"} if status == 423 else None
    return web.json_response(content, status=status, headers=headers)
