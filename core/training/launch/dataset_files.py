"""The picture files of a prepared data set: their names, and how they come to their place."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from core.common.files import link_or_copy
from core.data.images.exif_orientation import write_upright


def file_name(image_id: int, name: str, path: str) -> str:
    """Return the name of a prepared image: readable, unique by its id, safe everywhere."""
    stem = re.sub(r"[^\w.-]+", "_", PurePosixPath(name or path).stem)[:60].strip("._-")
    suffix = PurePosixPath(path).suffix.lower()
    suffix = suffix if re.fullmatch(r"\.[a-z0-9]{1,5}", suffix) else ".jpg"
    return f"{stem or 'image'}-{image_id}{suffix}"


def place(source: Path, target: Path, turn: int) -> None:
    """Link or copy a picture to its place, or write it turned by the EXIF orientation `turn`."""
    if turn != 1:
        return write_upright(source, target, turn)
    # A link to a link would dangle on another machine: the file itself is wanted.
    link_or_copy(source.resolve() if source.is_symlink() else source, target, "link")
    return None
