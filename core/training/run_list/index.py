"""The runs of a workspace as a list shows them, read again only where something was written.

Ten thousand finished runs cost one look at each folder (its time of change), not their files. What
was read of runs at rest is kept in the cache folder, see `core.training.run_list.cache`.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from stat import S_ISDIR

import msgspec

from core.common.workspace import Workspace, entries_of, holds
from core.training.run.damage import FILES
from core.training.run.run import CONFIG_FILE, EVENTS_FILE, Run
from core.training.run.summary import RunSummary
from core.training.run.worker_process import AT_REST, Worker, read_worker
from core.training.run_list.cache import Files, Kept, RunCache, Stamp

Rows = list[RunSummary]

# All that a summary is read from. Every one but the events is replaced as a whole when it is
# written, which changes its folder too.
READ = (CONFIG_FILE, EVENTS_FILE, *FILES)

# File systems keep times as coarsely as two seconds (FAT), and a file may be written again within
# the same tick: what is that young is read again, and so is what a clock ahead of ours dates.
_TICK_NS = 2 * 10**9
_AHEAD_NS = 24 * 3600 * 10**9
# An editor may write into a file without changing its folder: the files themselves of a run at
# rest are looked at at every look within a day of its last change, later every so often.
_YOUNG_NS = 24 * 3600 * 10**9
_DEEP_S = 300.0
_SAVE_S = 60.0
# Rows to show first, and how often more are handed over while a list is read.
_FIRST = 64
_PART_S = 0.5


class _Entry(msgspec.Struct, gc=False):
    """What is known of a folder; `row` is None while it is no run."""

    path: Path
    folder: Stamp
    files: Files
    settled: bool
    worker: Worker | None
    alive: bool | None
    row: RunSummary | None
    due: float

    @property
    def resting(self) -> bool:
        return self.row is None or self.row.state in AT_REST

    @property
    def order(self) -> int:
        """When it was last active, as `Workspace.list_runs` has it."""
        stamp = self.files[1] or self.files[0]
        return stamp[0] if stamp else 0


class RunIndex:
    """The runs of a workspace. Threads may share it.

    `share` is the most that looks may take of a core, as a number between 0 and 1: within that
    time after a look `list` returns what that one found. None has every call look. With `trust`,
    what was kept of an old run whose folder has not changed is shown before its files are looked
    at, which comes within minutes, or as soon as it is in sight (`read`).
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        share: float | None = None,
        trust: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._workspace = workspace
        self._share = share
        self._trust = trust
        self._clock = clock
        self._lock = threading.Lock()
        # Whoever looks tells all of these what it has read: who comes meanwhile waits for the look.
        self._hearing: list[Callable[[Rows], None]] = []
        self._entries: dict[str, _Entry] | None = None
        self._cache = RunCache(workspace.runs_dir)
        self._rows: Rows = []
        self._stale = True
        self._next = 0.0
        self._saved = float("-inf")
        self._dirty = 0

    def list(
        self,
        *,
        fresh: bool = False,
        part: Callable[[Rows], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Rows:
        """Return all runs, the most recently active first; a run that has not changed is the same
        object as before, and so is the list while none has.

        `fresh` looks whatever `share` allows. `part` hears of what is read so far, first of as
        much as fills a screen, also while somebody else's look is waited for. When `cancelled`,
        what was found before is returned.
        """
        with self._heard(part), self._lock:
            if not fresh and time.monotonic() < self._next:
                return self._rows
            began = time.thread_time()  # of a processor: on a busy machine the clock says more
            rows = self._look(cancelled)
            if rows is not None:
                self._rows = rows
                took = time.thread_time() - began
                self._next = time.monotonic() + (took / self._share if self._share else 0.0)
                self._save()
            return self._rows

    def read(self, paths: Iterable[Path], *, keep: bool = False) -> Rows:
        """Return these runs as they are now; those that are gone are left out.

        With `keep` what was read is kept in the cache folder; so stays what is there of the
        others, without a look at them.
        """
        with self._lock:
            if self._entries is None:
                self._entries = self._load()
            found = []
            for path in paths:
                try:
                    stat = path.stat()
                except OSError:
                    continue
                ours = path.parent == self._workspace.runs_dir
                known = self._entries.get(path.name) if ours else None
                entry = self._deep(path, _stamp_of(stat), known)
                if ours:
                    self._entries[path.name] = entry
                if entry.row is not None:
                    found.append(entry.row)
            if keep:
                self._save()
            return found

    @contextlib.contextmanager
    def _heard(self, part: Callable[[Rows], None] | None) -> Iterator[None]:
        """Let `part` hear of every look while the block runs, whoever it is for."""
        if part is not None:
            self._hearing.append(part)
        try:
            yield
        finally:
            if part is not None:
                self._hearing.remove(part)

    def _look(self, cancelled: Callable[[], bool] | None) -> Rows | None:
        known = self._entries if self._entries is not None else self._load()
        runs_dir = self._workspace.runs_dir
        there = _folders(runs_dir)
        # The newest first: they are what a list shows at its top.
        there.sort(key=lambda pair: pair[1][0], reverse=True)
        entries: dict[str, _Entry] = {}
        now = self._clock()
        shown, limit = time.monotonic(), _FIRST
        for name, folder in there:
            entry = known.get(name)
            if entry is None or not (
                entry.folder == folder and entry.settled and entry.resting and now < entry.due
            ):
                path = runs_dir / name if entry is None else entry.path
                entry = self._deep(path, folder, entry)
            entries[name] = entry
            if cancelled is not None and cancelled():
                return None
            if self._hearing and len(entries) >= limit:
                moment = time.monotonic()
                if limit == _FIRST or moment - shown > _PART_S:
                    rows = _sorted(entries.values())
                    for part in tuple(self._hearing):
                        part(rows)
                    shown = moment
                limit = len(entries) + 100
        gone = len(known.keys() - entries.keys())
        self._dirty += gone
        self._entries = entries
        if not self._stale and not gone:
            return self._rows
        self._stale = False
        return _sorted(entries.values())

    def _deep(self, path: Path, folder: Stamp, known: _Entry | None) -> _Entry:
        """Return what the run in `path` is; it is read only when one of its files has changed."""
        # Stamps and life come before what they stand for: what is written meanwhile is seen next.
        now = self._clock()
        files = _files(str(path))
        if known is not None and known.settled and known.files == files:
            alive = known.worker.alive() if known.worker and not known.resting else known.alive
            if known.resting or alive == known.alive:
                known.folder, known.due = folder, self._due(path.name, files, folder, now)
                return known
        worker = read_worker(path)
        alive = worker.alive() if worker else None
        there = files[0] is not None or holds(path, CONFIG_FILE)
        row = Run(path).summary() if there else None
        self._dirty += 1
        self._stale = True
        if known is not None and known.row == row:
            row = known.row
        return _Entry(
            path=path,
            folder=folder,
            files=files,
            # A permission given back changes no stamp: what cannot be read is tried at every look.
            settled=(row is None or row.state != "unreadable") and _settled((folder, *files), now),
            worker=worker,
            alive=alive,
            row=row,
            due=self._due(path.name, files, folder, now),
        )

    def _due(self, name: str, files: Files, folder: Stamp, now: float) -> float:
        newest = max(stamp[0] for stamp in (folder, *files) if stamp)
        if now * 1e9 - newest < _YOUNG_NS:
            return 0.0
        # Spread, so that ten thousand are not due at once.
        return now + _DEEP_S * (
            0.5 + (zlib.crc32(name.encode("utf-8", "replace")) & 0xFFFF) / 131072
        )

    def _load(self) -> dict[str, _Entry]:
        entries = {}
        now = self._clock()
        for folder, files, row in map(msgspec.structs.astuple, self._cache.load()):
            if row.state in AT_REST:
                # Else due at once: what was kept is held against the files.
                due = self._due(row.name, files, folder, now) if self._trust else 0.0
                entries[row.name] = _Entry(row.path, folder, files, True, None, None, row, due)
        return entries

    def _save(self) -> None:
        now = time.monotonic()
        if not self._dirty or now - self._saved < _SAVE_S or self._entries is None:
            return
        self._cache.save(
            Kept(entry.folder, entry.files, entry.row)
            for entry in self._entries.values()
            if entry.row is not None
            and entry.settled
            and entry.resting
            and entry.row.name.isprintable()  # bytes that are no UTF-8 fit into no cache
        )
        self._saved, self._dirty = now, 0


def _sorted(entries: Iterable[_Entry]) -> Rows:
    runs = [entry for entry in entries if entry.row is not None]
    runs.sort(key=lambda entry: entry.path.name)
    runs.sort(key=lambda entry: entry.order, reverse=True)
    return [entry.row for entry in runs if entry.row is not None]


def _folders(parent: Path) -> list[tuple[str, Stamp]]:
    found = []
    for item in entries_of(parent):
        try:
            stat = item.stat()
        except OSError:
            if item.is_symlink():  # to a disk that is not there now, or to itself
                found.append((item.name, _stamp_of(item.stat(follow_symlinks=False))))
            continue
        if S_ISDIR(stat.st_mode):
            found.append((item.name, _stamp_of(stat)))
    return found


def _files(folder: str) -> Files:
    found: list[Stamp | None] = []
    for name in READ:
        try:
            found.append(_stamp_of(os.stat(f"{folder}/{name}")))  # noqa: PTH116 - fifty thousand
        except (FileNotFoundError, NotADirectoryError):
            found.append(None)
        except OSError as error:  # it is there, and cannot be looked at
            found.append((0, 0, -(error.errno or 1)))
    return tuple(found)


def _stamp_of(stat: os.stat_result) -> Stamp:
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _settled(stamps: Iterable[Stamp | None], now: float) -> bool:
    """Whether a change after `now` would show in one of the stamps."""
    ages = [int(now * 1e9) - stamp[0] for stamp in stamps if stamp]
    return not any(-_AHEAD_NS < age < _TICK_NS for age in ages)


def list_runs(workspace: Workspace) -> list[RunSummary]:
    """Return the workspace's runs, the most recently active first."""
    return RunIndex(workspace).list()
