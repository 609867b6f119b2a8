"""What was read of a long `events.jsonl`, kept beside it, so that the next look begins there.

A million steps are 280 MB of JSON, which take seconds to read, and a fifth of that as numbers,
which take a twentieth of the time. The index holds what a follower knew at an offset of the events.
It belongs to them by their first and last bytes up to there, and by their time where nothing was
added since; it is whole, or is not used: each part has a checksum. It is made by whoever has read
the run, and made anew where it is missing, damaged, of other events or of another version. Where
the folder cannot be written, there is none.
"""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from core.common.errors import BatmanError
from core.common.files import read_plain, write_atomic
from core.late import late
from core.training.live.series import COLUMNS, DTYPES
from core.training.run.events import (
    Checkpoint,
    Epoch,
    Failed,
    Finished,
    Oom,
    Started,
    Stopped,
    Validation,
    Warning_,
)
from core.training.run.run import EVENTS_FILE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = late("numpy")

INDEX_FILE = "events.index"

LEAST = 16 * 1024 * 1024
"""Bytes of events from which on an index is worth its room: fewer are read in a tenth of a second.
"""

GROWTH = 1.25
"""An index is written again when the events have grown by so much: all of it costs what is read."""

EDGE = 256
"""Bytes at the beginning and before the offset that tell one file of events from another."""

# Goes up when what is kept, or how events are read, changes.
_MAGIC = b"batman events index 1\n"
_HEAD = struct.Struct("<QI")  # bytes and CRC-32 of the header


class Known(msgspec.Struct):
    """What a follower knew when it had read `offset` bytes; `length` is the number of steps.

    `head` and `tail` are the events' first bytes and those before the offset, `changed` when they
    were written if nothing is behind it (nanoseconds). `time` is `TrainedTime.state`.
    """

    offset: int
    head: bytes
    tail: bytes
    changed: int | None
    length: int
    validations: list[Validation]
    epochs: list[Epoch]
    checkpoints: list[Checkpoint]
    warnings: list[Warning_]
    ooms: list[Oom]
    starts: list[Started]
    ended: Stopped | Finished | Failed | None
    last_event: float | None
    time: tuple[float, float, float | None, bool]


class _Header(msgspec.Struct):
    """`columns` says of each column of `Series`, in their order, what its bytes must sum up to
    (CRC-32); None stands for one that holds no number, of which nothing is kept.
    """

    known: Known
    names: list[str]
    columns: list[int | None]


_decoder = msgspec.msgpack.Decoder(_Header)


def load(
    folder: Path, read: Callable[[int, int], bytes], *, columns: bool = True
) -> tuple[Known, list[NDArray[Any]]] | None:
    """Return what is kept of the events in a run's folder, and its columns; None without it.

    Without `columns` none are returned, nor looked at. `read` returns bytes of the events from an
    offset, at most as many as it is told.
    """
    try:
        data = memoryview(read_plain(folder / INDEX_FILE))
    except OSError:
        return None
    try:
        header, at = _header(data)
        known = header.known
        if changed_at(folder, known.offset) not in (None, known.changed):
            return None
        start = known.offset - len(known.tail)
        if start < 0 or read(0, len(known.head)) != known.head:
            return None
        if read(start, len(known.tail)) != known.tail:
            return None
        return known, _columns(data[at:], known.length, header.columns) if columns else []
    except (ValueError, struct.error, msgspec.MsgspecError, RecursionError, OverflowError, OSError):
        return None


def changed_at(folder: Path, offset: int) -> int | None:
    """Return when the events were written, None where they do not end at `offset`."""
    try:
        found = (folder / EVENTS_FILE).stat()
    except OSError:
        return None
    return found.st_mtime_ns if found.st_size == offset else None


def _header(data: memoryview) -> tuple[_Header, int]:
    """Return the header and where the columns begin. Raises ValueError and what it is made of."""
    at = len(_MAGIC)
    if data[:at] != _MAGIC:
        raise ValueError("of another version")
    size, checksum = _HEAD.unpack_from(data, at)
    at += _HEAD.size
    text = data[at : at + size]
    if zlib.crc32(text) != checksum:
        raise ValueError("torn")
    header = _decoder.decode(text)
    if header.names != list(COLUMNS) or len(header.columns) != len(COLUMNS):
        raise ValueError("of other columns")
    return header, at + size


def _columns(data: memoryview, length: int, checksums: list[int | None]) -> list[NDArray[Any]]:
    """Return the columns. Raises ValueError where one of them is not what was kept."""
    columns: list[NDArray[Any]] = []
    at = 0
    for name, checksum in zip(COLUMNS, checksums, strict=True):
        kind = np.dtype(DTYPES[name])
        if checksum is None:
            columns.append(np.full(length, np.nan, kind))
            continue
        part = data[at : at + length * kind.itemsize]
        if len(part) != length * kind.itemsize or zlib.crc32(part) != checksum:
            raise ValueError("torn")
        columns.append(np.frombuffer(part, kind))
        at += len(part)
    if at != len(data):
        raise ValueError("longer than it was")
    return columns


def save(folder: Path, known: Known, columns: list[NDArray[Any]]) -> None:
    """Keep what is known beside the events; where that cannot be, nothing is kept."""
    parts: list[bytes] = []
    checksums: list[int | None] = []
    for column in columns:
        if column.dtype.kind == "f" and np.isnan(column).all():
            checksums.append(None)
            continue
        parts.append(column.tobytes())
        checksums.append(zlib.crc32(parts[-1]))
    header = msgspec.msgpack.encode(_Header(known, list(COLUMNS), checksums))
    head = _MAGIC + _HEAD.pack(len(header), zlib.crc32(header)) + header
    # What a full disk or a folder of somebody else takes away is only time.
    with contextlib.suppress(OSError, BatmanError):
        write_atomic(folder / INDEX_FILE, b"".join([head, *parts]))
