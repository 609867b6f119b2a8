"""A model that puts boxes right, kept loaded in a child process for the app and the page."""

from __future__ import annotations

import json
import selectors
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from core.autolabel.snap.model import Box, Snapped
from core.common import errors
from core.common.errors import RunError
from core.common.progress import Cancelled, never
from core.processes.child_output import died
from core.processes.child_process import python_command, python_environment
from core.processes.job import raised_failure

MODULE = "core.autolabel.snap.model"
IDLE_S = 300.0
"""How long the child is kept when nobody asks it for anything: SAM 3 holds 3 to 4 GB."""
_PATIENCE_S = 5.0
_POLL_S = 0.1


class SnapService:
    """Starts the child with the first box, and asks it one box at a time, from any thread.

    `kind` is `sam3` (then `weights` is a folder of the hub's files) or `run` (a model file). The
    first answer waits until the model is loaded. The child ends by itself `idle_s` seconds after
    the last box, and at once with `close` or this process; the next box starts another.
    """

    def __init__(
        self, kind: str, weights: Path, device: str = "auto", *, idle_s: float = IDLE_S
    ) -> None:
        self._wish = {"kind": kind, "weights": str(weights), "device": device}
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._loaded = False
        self._noise: Any = None
        self._idle_s = idle_s
        self._idle: threading.Timer | None = None

    @property
    def ready(self) -> bool:
        """Whether the model is loaded, so that a box is answered at once."""
        process = self._process
        return self._loaded and process is not None and process.poll() is None

    def load(self, cancelled: Cancelled = never) -> None:
        """Load the model, if it is not. Blocks; raises as `snap` does, and Cancelled."""
        with self._used():
            self._start(cancelled)

    def snap(
        self, file: Path, size: tuple[int, int], box: Box, cancelled: Cancelled = never
    ) -> Snapped | None:
        """Return the object that `box` means, None where there is none; see `Snapper.snap`.

        Blocks. Raises what the model has against its weights, the device or the picture, RunError
        with the child's last words when it died, and Cancelled when `cancelled` said so, which
        ends the child.
        """
        with self._used():
            self._start(cancelled)
            wish = {"file": str(file), "size": list(size), "box": list(box)}
            said = self._ask(wish, cancelled)
        if said["box"] is None:
            return None
        x, y, w, h = said["box"]
        return Snapped((x, y, w, h), said["score"], said["class"])

    def close(self) -> None:
        """End the child, if there is one, whatever it is at."""
        process = self._process
        if process is not None:
            process.kill()  # whoever waits for its answer is told that it ended
        with self._lock:
            self._end()

    def __enter__(self) -> SnapService:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _used(self) -> Iterator[None]:
        """Nobody else asks meanwhile, and from now on it is idle."""
        with self._lock:
            if self._idle is not None:
                self._idle.cancel()
            try:
                yield
            finally:
                if self._process is not None:
                    self._idle = threading.Timer(self._idle_s, self._rest)
                    self._idle.daemon = True
                    self._idle.start()

    def _rest(self) -> None:
        with self._lock:
            if threading.current_thread() is self._idle:  # nobody came in between
                self._end()

    def _start(self, cancelled: Cancelled) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self._end()
        self._noise = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        self._process = subprocess.Popen(
            python_command(MODULE),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._noise,
            env=python_environment(),
            text=True,
            encoding="utf-8",
        )
        try:
            self._ask(self._wish, cancelled)
        except BaseException:
            self._end()
            raise
        self._loaded = True

    def _ask(self, wish: object, cancelled: Cancelled) -> dict[str, Any]:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(wish) + "\n")
            process.stdin.flush()
            # A line is one answer, so what is waited for is never in the reader's own buffer.
            with selectors.DefaultSelector() as coming:
                coming.register(process.stdout, selectors.EVENT_READ)
                while not coming.select(_POLL_S):
                    if cancelled():
                        self._end()
                        raise errors.Cancelled("The model was stopped.", "Nothing was changed.")
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            error: RunError = died("The model that snaps boxes", process.wait(), self._noise)
            self._end()
            raise error
        said: dict[str, Any] = json.loads(line)
        if said.get("event") == "failed":
            raise raised_failure(said)
        return said

    def _end(self) -> None:
        process, self._process, self._loaded = self._process, None, False
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what it still held finds nobody
                    pipe.close()
        process.terminate()  # it has nothing to save, and may be in the midst of a picture
        try:
            process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._noise.close()
