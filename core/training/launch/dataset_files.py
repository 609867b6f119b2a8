"""The picture files of a prepared data set: their names, and how they come to their place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from core.common.errors import BatmanError
from core.common.files import link_or_copy
from core.data.images.exif_orientation import write_upright
from core.data.store import Project
from core.training.run.run import Run

# What `file_name` makes, with the image's id; its ending may have been taken off.
_NUMBERED = re.compile(r".+-(\d{1,18})(\.[a-z0-9]{1,5})?")


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
    if numbered := _NUMBERED.fullmatch(name):
        row = project.db.execute(
            "SELECT id, name, path FROM v_images WHERE id = ?", (int(numbered[1]),)
        ).fetchone()
        if row is not None and file_name(row["id"], row["name"], row["path"]) == name:
            return int(row["id"])
    rows = project.db.execute("SELECT id FROM v_images WHERE name = ? LIMIT 2", (file,)).fetchall()
    return int(rows[0]["id"]) if len(rows) == 1 else None


def names_in_project(run: Path, files: Iterable[str]) -> dict[str, str]:
    """Return what the project of the run in the folder `run` calls prepared files.

    They are named with or without a folder and their ending. Those that the project does not have
    are left out; all are where the run names no project, or it is not to be read.
    """
    asked: dict[int, list[str]] = {}
    for file in files:
        if numbered := _NUMBERED.fullmatch(PurePosixPath(file).name):
            asked.setdefault(int(numbered[1]), []).append(file)
    found: dict[str, str] = {}
    try:
        project = Run(run).config().project if asked else None
        if project is None:
            return {}
        with Project.open(project) as opened:
            rows = opened.db.execute(
                "SELECT id, name, path FROM v_images WHERE id IN (SELECT value FROM json_each(?))",
                (json.dumps([*asked]),),
            ).fetchall()
    except (BatmanError, OSError):
        return {}
    for row in rows:
        prepared = file_name(row["id"], row["name"], row["path"])
        for file in asked[row["id"]]:
            if PurePosixPath(file).name in (prepared, PurePosixPath(prepared).stem):
                found[file] = str(row["name"] or row["path"])
    return found
