"""A job in a process of its own, for work that loads torch or may not share our memory.

`run_job` starts `python -m MODULE`, which calls `serve_job`. One JSON object, the job's options,
goes to its standard input. It answers on standard output with one JSON object a line: `{"event":
"progress", "stage", "done", "total"}` as it goes, then `{"event": "finished", "result"}` or
`{"event": "failed", "kind", "message", "hint"}`, `kind` being a class of `core.common.errors`.
SIGTERM and SIGINT ask it to stop. What its libraries print goes to standard error, which is read
only when it dies. The exit code is 0, 1 when it failed, 130 when it was stopped.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import msgspec

from core.common import errors
from core.common.errors import BatmanError, Cancelled
from core.common.full_disk import disk_full
from core.common.progress import Cancelled as IsCancelled
from core.common.progress import Progress, Report, never, nothing
from core.processes.child_output import died
from core.processes.child_process import (
    begin_process,
    listen_for_stop,
    python_command,
    python_environment,
)

T = TypeVar("T")
# A job that does not end by itself after it was told to is ended.
_PATIENCE_S = 20.0
_POLL_S = 0.1


def run_job(
    module: str,
    options: object,
    report: Report = nothing,
    cancelled: IsCancelled = never,
    *,
    name: str = "",
    environment: Mapping[str, str] | None = None,
) -> Any:
    """Have `python -m module` do the job `options` and return its result as plain values.

    `options` are a dataclass or a dict, or what returns one: it is called when the process is on
    its way, and may wait. `environment` stands in for ours, and messages call the job `name` (the
    module, if none is given). When `cancelled` says so, or an exception leaves this,
    the child is asked to stop, and ended if it does not. Raises Cancelled, also when somebody else
    stopped it, the BatmanError that it tells of, and RunError with its last words when it died.
    """
    name = name or module
    with tempfile.TemporaryFile() as noise:
        process = subprocess.Popen(
            python_command(module),
            # A pipe, for options may hold keys, which belong on no disk and in no process list.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=noise,
            env=python_environment(environment),
        )
        end: dict[str, Any] = {}
        try:
            _send(process, options)
            for event in _events(process):
                if cancelled():
                    raise Cancelled(f"{name} was stopped.", "Nothing was changed.")
                if event.get("event") == "progress":
                    report(Progress(event["stage"], event["done"], event["total"]))
                elif event:
                    end = event
            code = process.wait()
        finally:
            _end(process)
        if end.get("event") == "finished" and code == 0:
            return end["result"]
        if end.get("event") == "failed":
            raise raised_failure(end)
        raise died(name, code, noise)


def serve_job(
    kind: type[T], work: Callable[[T, Report, IsCancelled], Any], *, stops: bool = True
) -> int:
    """Do the job on standard input, as the module says, and return the exit code.

    `kind` is what its options are: a dataclass, or dict. `work` returns something that msgspec
    makes plain values of. With `stops` False it never asks whether it was stopped, and a signal
    ends it at once.
    """
    begin_process()
    # Libraries print on standard output, which here is for our lines only.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    cancelled = listen_for_stop() if stops else never

    def say(event: str, **values: Any) -> None:
        out.write(json.dumps({"event": event, **values}) + "\n")

    def report(at: Progress) -> None:
        say("progress", stage=at.stage, done=at.done, total=at.total)

    options = _options(kind, json.load(sys.stdin))
    try:
        result = work(options, report, cancelled)
    except Exception as error:
        near = getattr(options, "output", None)
        say("failed", **told_failure(error, *([near] if isinstance(near, Path) else [])))
        return 130 if isinstance(error, Cancelled) else 1
    say("finished", result=msgspec.to_builtins(result, enc_hook=str))
    # Python looks through all that is there for circles, twice, before it ends: 0.2 s behind
    # matplotlib and onnxruntime, for which whoever waits for us would wait too.
    gc.freeze()
    return 0


def told_failure(error: Exception, *near: Path) -> dict[str, str]:
    """Return `kind`, `message` and `hint` of an error that a person can mend.

    `near` is where the child wrote, should a disk be full. Raises any other error again: it is a
    defect.
    """
    told = disk_full(error, near) or error
    if not isinstance(told, BatmanError):
        raise error
    known = next(one for one in type(told).__mro__ if one.__module__ == errors.__name__)
    return {"kind": known.__name__, "message": told.message, "hint": told.hint}


def raised_failure(event: Mapping[str, Any]) -> BatmanError:
    """Return the error that the line `event` of a child tells of."""
    kind = getattr(errors, str(event.get("kind")), BatmanError)
    known = isinstance(kind, type) and issubclass(kind, BatmanError)
    told: BatmanError = (kind if known else BatmanError)(
        str(event.get("message", "")), str(event.get("hint", ""))
    )
    return told


def _options(kind: type[T], given: dict[str, Any]) -> T:
    """Return the options with paths where `kind` has nothing but a path."""
    hints = get_type_hints(kind) if kind is not dict else {}
    paths = {name for name, hint in hints.items() if hint in (Path, Path | None)}
    return kind(**{
        name: Path(value) if name in paths and value is not None else value
        for name, value in given.items()
    })  # fmt: skip


def _send(process: subprocess.Popen[bytes], options: object) -> None:
    assert process.stdin is not None
    # A child that has ended is seen by what it said.
    with suppress(BrokenPipeError), process.stdin as pipe:
        given = options() if callable(options) else options
        pipe.write(json.dumps(msgspec.to_builtins(given, enc_hook=str)).encode())


def _events(process: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    """Yield what the child says until it ends, and nothing now and then while it is silent."""
    assert process.stdout is not None
    handle = process.stdout.fileno()
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(handle, selectors.EVENT_READ)
        while True:
            if not selector.select(_POLL_S):
                yield {}
                continue
            chunk = os.read(handle, 1 << 16)
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                with suppress(ValueError):  # what was printed before the job began
                    event = json.loads(line)
                    if isinstance(event, dict):
                        yield event
            if not chunk:
                return


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the child to stop if it is still there, end it if it does not."""
    try:
        if process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE_S)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
