"""Half of a long list of annotations, read by a second process while we read the other half.

`python -m core.data.importers.coco.second_process FILE BEGIN END` reads the records in that part of
the file and writes them to standard output as columns. Whatever goes wrong there only means that
the half is read here: the first process has the text, and says what is wrong with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np

from core.data.importers.coco.json_lists import Lists, Part, Parts, Split
from core.data.importers.coco.records import ANNOTATIONS, Columns, columns_of
from core.processes.child_process import begin_process, python_command, python_environment

# Below this a second process takes longer to start than it saves.
LEAST_BYTES = 64_000_000
_WAIT_S = 0.1


class _Columns(msgspec.Struct, array_like=True):
    """Columns as bytes; no `images` at all where the records have to be read one by one."""

    start: int
    stop: int
    images: bytes = b""
    categories: bytes = b""
    ids: bytes = b""
    boxes: bytes = b""
    extras: dict[int, tuple[int, str | None]] = {}


class _Answer(msgspec.Struct, array_like=True):
    file: tuple[int, int, int, int]
    parts: list[_Columns]


class Half:
    """The records from a split to the end of a list. Leaving the block ends the process."""

    def __init__(self, path: Path, lists: Lists) -> None:
        """Begin, if the list is long and there is a processor for it; `split` is None if not."""
        self.split = lists.split("annotations", LEAST_BYTES) if _processors() > 1 else None
        self._file = _identity(lists.stat)
        self._answer = b""
        self._child: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        if self.split is not None:
            self._start(path, self.split)

    def _start(self, path: Path, split: Split) -> None:
        place = [str(path), str(split.begins + split.start), str(split.begins + split.end)]
        try:
            self._child = subprocess.Popen(
                python_command("core.data.importers.coco.second_process", *place),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=python_environment(),
            )
        except OSError:
            return
        self._thread = threading.Thread(target=self._listen, name="half", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()
        if self._thread is not None:
            self._thread.join()
        if self._child is not None and self._child.stdout is not None:
            self._child.stdout.close()

    def _listen(self) -> None:
        assert self._child is not None
        assert self._child.stdout is not None
        self._answer = self._child.stdout.read()

    def parts(self, wait: Callable[[], None]) -> list[tuple[Part[Any], Columns | None]]:
        """Return the parts, each with its columns unless it has to be read one by one.

        `wait` is called now and then, and may raise. Empty when the other process failed.
        """
        if self.split is None or self._child is None or self._thread is None:
            return []
        while self._thread.is_alive():
            wait()
            self._thread.join(_WAIT_S)
        if self._child.wait():
            return []
        answer = msgspec.msgpack.decode(self._answer, type=_Answer)
        self._answer = b""
        if answer.file != self._file:
            return []
        shift = self.split.start
        return [
            (Part(shift + part.start, shift + part.stop, []), _unpacked(part))
            for part in answer.parts
        ]


def _unpacked(part: _Columns) -> Columns | None:
    if not part.images:
        return None
    return Columns(
        np.frombuffer(part.images, np.int64),
        np.frombuffer(part.categories, np.int64),
        np.frombuffer(part.ids, np.int64),
        np.frombuffer(part.boxes, np.float64).reshape(-1, 4),
        part.extras,
    )


def _packed(part: Part[Any], shift: int) -> _Columns:
    start, stop = part.start - shift, part.stop - shift
    columns = columns_of(part.records)
    try:
        images, categories, ids = (
            np.fromiter(values, np.int64, len(values)).tobytes()
            for values in (columns.images, columns.categories, columns.ids)
        )
    except (TypeError, ValueError, OverflowError):
        return _Columns(start, stop)
    return _Columns(start, stop, images, categories, ids, columns.boxes.tobytes(), columns.extras)


def _identity(stat: os.stat_result) -> tuple[int, int, int, int]:
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def main() -> int:
    """Read the half that the arguments name; return 0, or 1 when it is not as it should be."""
    begin_process()
    path, begin, end = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with Path(path).open("rb") as file:
        stat = os.fstat(file.fileno())
        file.seek(begin)
        text = b"".join((b"[", file.read(end - begin), b"]"))
    packed = []
    for part in Parts(memoryview(text), ANNOTATIONS).upto():
        if part.records and not isinstance(part.records[0], msgspec.Struct):
            return 1
        packed.append(_packed(part, 1))
    sys.stdout.buffer.write(msgspec.msgpack.encode(_Answer(_identity(stat), packed)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
