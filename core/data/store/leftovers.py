"""What killed changes leave in a project, which the next change removes: imports' half-placed files
and the hidden files and folders of `core.common.temporary`.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from core.common.temporary import remove_tree, sweep

MARK = ".importing"
"""Ends the name of the file that stands beside an import's folder until the import is recorded."""

PASSES = "passes"
"""The folder of a project's unfinished passes of labellers, each in one of its own."""


def sweep_project(path: Path, db: sqlite3.Connection) -> None:
    """Remove what dead processes left in the project at `path`, and beside it.

    Only for the holder of the project's lock: an import holds it for as long as its mark stands and
    its rows are not in the store. Raises OSError when an import's files cannot be removed.
    """
    images = path / "images"
    for folder in (path, path.parent, images, path / PASSES):
        sweep(folder)
    marks = list(images.glob(f"*{MARK}"))
    if not marks:
        return
    known = {row[0] for row in db.execute("SELECT id FROM imports")}
    for mark in marks:
        number = mark.name.removesuffix(MARK)
        if number.isdecimal() and int(number) not in known:
            remove_tree(images / number)
        mark.unlink(missing_ok=True)
