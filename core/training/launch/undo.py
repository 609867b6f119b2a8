"""Takes back what a start has made in run folders when it is refused before anybody trains there.

A new run's folder goes; a folder that was there, and a run that was to go on, become what they
were: settings, data set, and the records of the process and the job that trained it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from core.common.errors import BatmanError
from core.common.files import write_atomic
from core.common.temporary import name_beside, remove_tree
from core.common.text import clean
from core.training.run.damage import JOB_FILE
from core.training.run.run import CONFIG_FILE, EVENTS_FILE
from core.training.run.worker_process import WORKER_FILE, read_worker

# Written by whoever sets a trainer to work, or expects one to: then the run is no longer ours.
_RECORDS = (WORKER_FILE, JOB_FILE)


class Undo:
    """What the folders of a start held before; see `undone_when_refused`."""

    def __init__(self) -> None:
        self._before: dict[Path, _Folder] = {}
        self._begun = False

    def watch(self, path: Path, *, made: bool = False) -> None:
        """Note what the run folder `path` holds before it is touched: nothing if it was `made`."""
        self._before.setdefault(path, _Folder(path, made))

    def put_aside(self, run: Path, name: str) -> None:
        """Take the folder `name` in the watched folder `run` out of the way, to be given back."""
        target = run / name
        if target.exists() and run in self._before:
            aside = name_beside(target, was=True)
            target.rename(aside)
            self._before[run].aside[name] = aside

    def begun(self) -> None:
        """Say that a trainer was started: from here on everything stays."""
        self._begun = True

    def restore(self) -> list[Path]:
        """Make the folders what they were, unless a trainer has begun there.

        Returns those where that did not succeed; never raises an Exception.
        """
        return [
            folder.path
            for folder in self._before.values()
            if not (self._begun or folder.is_taken() or folder.restore())
        ]

    def drop(self) -> None:
        """Remove what was put aside and is still there."""
        for folder in self._before.values():
            for aside in folder.aside.values():
                with contextlib.suppress(OSError):
                    remove_tree(aside)


@contextlib.contextmanager
def undone_when_refused(*unknown: type[BaseException]) -> Iterator[Undo]:
    """Take back what the block made in the folders that it lets `Undo` watch, when it raises.

    Errors of the types in `unknown` say that a trainer may have begun: everything stays. What goes
    wrong while undoing is added to the hint of the error that ended the block, which is raised.
    """
    undo = Undo()
    try:
        yield undo
    except BaseException as error:
        left = [] if isinstance(error, unknown) else undo.restore()
        if not left:
            undo.drop()
        elif isinstance(error, BatmanError):
            shown = ", ".join(f"'{clean(str(path))}'" for path in left)
            error.hint = f"{error.hint} What was made for it could not all be removed: {shown}."
            error.hint = error.hint.strip()
        raise
    undo.drop()


class _Folder:
    """What a run folder held."""

    def __init__(self, path: Path, made: bool) -> None:
        self.path = path
        self.aside: dict[str, Path] = {}
        self._names: set[str] | None = None
        if not made:
            with contextlib.suppress(FileNotFoundError):
                self._names = {entry.name for entry in path.iterdir()}
        self._files = {name: self._read(name) for name in (CONFIG_FILE, *_RECORDS)}

    def is_taken(self) -> bool:
        """Tell whether somebody has begun to train here, or is expected to."""
        if any(self._read(name) not in (None, self._files[name]) for name in _RECORDS):
            return True
        worker = read_worker(self.path)
        events = (self.path / EVENTS_FILE).exists() and EVENTS_FILE not in (self._names or ())
        return events or (worker is not None and worker.alive() is True)

    def restore(self) -> bool:
        """Make the folder what it was, as far as that is possible; tell whether it is."""
        failed: list[Exception] = []

        @contextlib.contextmanager
        def step() -> Iterator[None]:
            try:
                yield
            except Exception as error:
                failed.append(error)

        with step():
            if self._names is None:
                remove_tree(self.path)
                return True
            asides = {path.name for path in self.aside.values()}
            for entry in list(self.path.iterdir()):
                if entry.name not in self._names | asides or entry.name in self.aside:
                    with step():
                        remove_tree(entry)
        for name, aside in list(self.aside.items()):
            with step():
                aside.rename(self.path / name)
                del self.aside[name]
        # Last, for a full disk has room again by now.
        for name, data in self._files.items():
            with step():
                if data is not None and data != self._read(name):
                    write_atomic(self.path / name, data)
        return not failed

    def _read(self, name: str) -> bytes | None:
        try:
            return (self.path / name).read_bytes()
        except OSError:
            return None
