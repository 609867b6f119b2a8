"""The picture files of a prepared data set: their names, and how they come to their place."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from core.common.files import link_or_copy
from core.data.images.exif_orientation import write_upright
from core.data.store import Project


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


def find_prepared(project: Project, file: str) -> int | None:
    """Return the id of the project's image that a prepared file was made from, by its name.

    None where the project has no such image any more, or another one under that number: a project
    that was made anew counts from 1 again. A file under an image's own name, as exports write it,
    is that image if it is the only one.
    """
    name = PurePosixPath(file).name
    numbered = re.fullmatch(r".+-(\d{1,18})\.[a-z0-9]{1,5}", name)
    if numbered:
        row = project.db.execute(
            "SELECT id, name, path FROM v_images WHERE id = ?", (int(numbered[1]),)
        ).fetchone()
        if row is not None and file_name(row["id"], row["name"], row["path"]) == name:
            return int(row["id"])
    rows = project.db.execute("SELECT id FROM v_images WHERE name = ? LIMIT 2", (file,)).fetchall()
    return int(rows[0]["id"]) if len(rows) == 1 else None
