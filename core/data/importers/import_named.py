"""Importing by the name of a format, and saying which format it is when it is another one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from core.common.errors import ImportFailed
from core.common.text import clean, shell_word
from core.data.importers.balance.likely_mistakes import LooksWrong
from core.data.importers.coco.reader import import_coco
from core.data.importers.detect_format import (
    COCO,
    KINDS,
    ORIGINAL,
    PICTURES,
    VIDEO,
    VOC,
    YOLO,
    Recognised,
    find_out,
    recognise,
)
from core.data.importers.formats.look import Look
from core.data.importers.formats.original_batman import import_original
from core.data.importers.formats.registry import FORMATS
from core.data.importers.formats.voc import import_voc
from core.data.importers.formats.yolo import import_yolo
from core.data.importers.import_folder import import_folder
from core.data.importers.nothing_recognised import part_of_a_set, what_lies_there
from core.data.importers.pictures import import_images
from core.data.importers.report import ImportReport, together
from core.data.store import Project

AUTO = "auto"


def import_named(project: Project, source: Path, name: str = AUTO, **how: Any) -> ImportReport:
    """Import what lies at `source` as the format of that name, in one step.

    `name` is a word of `batman import`: one of `KINDS`, `original`, `images`, `video`, or `auto`
    for whatever is recognised; `how` is what `import_coco` and its like take, `images` COCO alone.
    Raises `ImportFailed` when it cannot be read: when another format is recognised there, the error
    names it and how to read it. Raises `ProjectLocked` and `Cancelled` too; the project is then as
    it was.
    """
    if name == AUTO:
        found = _recognised(source)
        if "images" in how and found != COCO.name:
            title = next((kind.title for kind in KINDS if kind.name == found), ORIGINAL.title)
            raise ImportFailed(
                f"'{clean(str(source))}' looks like {title}, and --images is for COCO alone.",
                "Leave out --images; other formats say where their pictures are.",
            )
        try:
            return _importer(found)(project, source, **how)
        except ImportFailed as error:
            raise _whole(error, source) from None
    try:
        return _importer(name)(project, source, **how)
    except ImportFailed as error:
        other = recognise(source)
        if other is None or (other.kind and other.kind.name == name):
            raise _whole(error, source) from None
        raise _another(error, other, source) from None


def _whole(error: ImportFailed, source: Path) -> ImportFailed:
    """Return the error, with the way to the whole data set where only its labels were named."""
    if isinstance(error, LooksWrong) or not source.is_dir():
        return error
    part = part_of_a_set(Look(source))
    if part is None:
        return error
    return ImportFailed(f"{error.message} But {part[0]}.", part[1])


def _importer(name: str) -> Callable[..., ImportReport]:
    importers: dict[str, Callable[..., ImportReport]] = {
        COCO.name: import_coco,
        YOLO.name: import_yolo,
        VOC.name: import_voc,
        ORIGINAL.name: _original,
        PICTURES.name: import_images,
        VIDEO.name: _video,
        **{item.name: partial(import_folder, item.read) for item in FORMATS},
    }
    if name not in importers:
        raise ImportFailed(f"There is no format '{clean(name)}'.", _known())
    return importers[name]


def _original(project: Project, source: Path, **how: Any) -> ImportReport:
    taken = {key: how[key] for key in ("files", "anyway", "progress", "cancelled") if key in how}
    return together(import_original(project, source, **taken))


def _video(project: Project, source: Path, **how: Any) -> ImportReport:
    from core.data.importers import import_video

    taken = {key: how[key] for key in ("anyway", "progress", "cancelled") if key in how}
    return import_video(project, source, **taken)


def _recognised(source: Path) -> str:
    """Return the name of the format at `source`. Raises `ImportFailed` when none is read."""
    place = clean(str(source))
    if not source.exists():
        raise ImportFailed(f"There is no '{place}'.", "Check the path.")
    found = find_out(source)
    if found is None or found.kind is PICTURES:
        there = what_lies_there(Look(source))
        if there is not None:
            what, way = there
            raise ImportFailed(f"No data set is recognised in '{place}': {what}.", way)
    if found is None:
        raise ImportFailed(f"No data set is recognised in '{place}'.", _known())
    if found.kind is None:
        raise ImportFailed(f"'{place}' looks like {found.title}, which is not read.", found.instead)
    return found.kind.name


def _another(error: ImportFailed, other: Recognised, source: Path) -> ImportFailed:
    """Return the error with the format that was recognised, and how that is read."""
    if other.kind is None:
        return ImportFailed(
            f"{error.message} It looks like {other.title}, which is not read.", other.instead
        )
    way = f"batman import {other.kind.name} {shell_word(str(source))}"
    looks = f"{error.message} It looks like {other.title}"
    if isinstance(error, LooksWrong):
        return LooksWrong(f"{looks}.", f"Read it with {way}. {error.advice}".strip())
    if other.sure:
        return ImportFailed(f"{looks}.", f"Read it with {way}")
    return ImportFailed(f"{looks}: {way}", error.hint)


def _known() -> str:
    names = ", ".join(kind.name for kind in (*KINDS, ORIGINAL))
    return f"These are read: {names}. Name the format if you know it: batman import NAME PATH."
