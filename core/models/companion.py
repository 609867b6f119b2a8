"""The checked ONNX of a run's best model, kept beside it so that looking needs no torch.

Beside `best.pth` lie `best.companion.onnx` and `best.companion.json`, the record: of which
checkpoint it was made, what holding it against PyTorch gave, or why there is none. The model is in
place before its record; a model that its record does not speak of counts as not there, so that a
kill at any moment leaves nothing that is taken for whole. `core.export.companion` makes both.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from core.common.errors import BatmanError
from core.common.files import open_plain, read_typed_json, write_atomic
from core.late import late
from core.processes.installation import installed_version

if TYPE_CHECKING:
    import hashlib
else:
    hashlib = late("hashlib")  # brings OpenSSL, which a file that is as it was needs not

VERSION = 1
"""What is made has changed where this is another: it is made again."""

_PART = 1 << 20


class Stamp(msgspec.Struct, frozen=True):
    """What a file was: bytes, time of its last change (ns since 1970) and SHA-256."""

    size: int
    mtime_ns: int
    sha256: str


class Companion(msgspec.Struct, frozen=True, kw_only=True):
    """The record. `model` is None where none could be made, and `failed` says why.

    `scores` and `boxes` are the largest differences to PyTorch on `images` pictures, 0 to 1, none
    above `tolerance`. `faster` says for GPUs, by name, which was the faster there when both were
    measured, torch or onnx, and `pictures_per_s` how fast each was.
    """

    version: int = VERSION
    checkpoint: Stamp
    model: Stamp | None = None
    failed: str = ""
    runtime: str = ""
    images: int = 0
    scores: float = 0.0
    boxes: float = 0.0
    tolerance: float = 0.0
    faster: Mapping[str, str] = {}
    pictures_per_s: Mapping[str, Mapping[str, float]] = {}


def model_path(checkpoint: Path) -> Path:
    """Return where the ONNX of a checkpoint belongs."""
    return checkpoint.with_name(f"{checkpoint.stem}.companion.onnx")


def record_path(checkpoint: Path) -> Path:
    """Return where its record belongs."""
    return checkpoint.with_name(f"{checkpoint.stem}.companion.json")


def stamp(path: Path) -> Stamp:
    """Return what the file `path` is now. Raises OSError."""
    digest = hashlib.sha256()
    with open_plain(path) as file:
        seen = os.fstat(file.fileno())
        while part := file.read(_PART):
            digest.update(part)
    return Stamp(seen.st_size, seen.st_mtime_ns, digest.hexdigest())


def unchanged(path: Path, known: Stamp) -> bool:
    """Tell whether a file is what it was: by size and time, else by its content.

    A copy of a run folder has other times. Raises OSError.
    """
    seen = path.stat()
    if seen.st_size != known.size:
        return False
    return seen.st_mtime_ns == known.mtime_ns or stamp(path).sha256 == known.sha256


def read_companion(checkpoint: Path) -> Companion | None:
    """Return the record of the checkpoint as it is now, None where there is none.

    That is also where it speaks of another content of the checkpoint or of the model beside it,
    or cannot be read: it is made again then. Of a failure it holds only for the runtime it met.
    """
    try:
        found = read_typed_json(record_path(checkpoint), Companion)
        if found is None or found.version != VERSION:
            return None
        if not unchanged(checkpoint, found.checkpoint):
            return None
        if found.model is None:
            return found if found.runtime == runtime_version() else None
        return found if unchanged(model_path(checkpoint), found.model) else None
    except (OSError, BatmanError):
        return None


def write_companion(checkpoint: Path, record: Companion) -> None:
    """Write the record, atomically. Raises OSError."""
    write_atomic(record_path(checkpoint), msgspec.json.format(msgspec.json.encode(record)))


def runtime_version() -> str:
    """Return the version of onnxruntime that is installed, "" without it; it is not imported."""
    return installed_version("onnxruntime") or installed_version("onnxruntime-gpu")
