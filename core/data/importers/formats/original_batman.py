"""A project of the original Batman: frames of videos and of imports, with their labels.

Each of its imports, and each of its videos, becomes an import here, with its own date and origin,
all in one step. Nothing it says is lost: sources, confidences, approvals and the tracks of videos
come into the store's columns, and every record is kept as it was besides, for `export_original`.

A frame's file is looked for beside `frames.json`, then where `image_path` says: as it is when
that is absolute, else from the folder of the project or one above it. Sizes are read from the
images, since the format gives none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from core.common.errors import ImportFailed
from core.common.files import FileMode
from core.common.progress import Progress
from core.common.text import clean
from core.data.importers.balance.likely_mistakes import weigh_all
from core.data.importers.coco.json_lists import loads
from core.data.importers.coco.records import shape_of
from core.data.importers.commit import commit_all
from core.data.importers.dataset import DataSet, Picture, inside, storable
from core.data.importers.formats.original_terms import made_said, review_said
from core.data.importers.image_files import (
    Folders,
    Found,
    is_image,
    no_size,
    place_of,
    read_size,
)
from core.data.importers.report import ImportReport, Watch
from core.data.importers.split_names import split_named
from core.data.labels.provenance import Track
from core.data.store import Project

KIND = "original"
_NUMBER = re.compile(r"-?[1-9]\d{0,11}|0")
_NOT_DATA = {
    "exports": "copies of what is in frames and labels",
    "runs": "trained models: batman infer --run takes their folders",
    "inference": "predictions",
}
_LOOKED_FOR = (
    "A project of the original Batman is a folder with project.json,"
    " frames/<video id>/frames.json and labels/current/annotations.json."
)


def import_original(
    project: Project,
    source: Path,
    *,
    files: FileMode = "link",
    anyway: bool = False,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[ImportReport]:
    """Import the project of the original Batman in the folder `source`, in one step.

    Returns a report for each of its imports and videos, the balance of all in the first. Raises
    `ImportFailed` when it cannot be read or, unless `anyway`, looks like a mistake,
    `ProjectLocked` and `Cancelled`; the project is then as it was.
    """
    watch = Watch(progress, cancelled)
    sets = read_original(source, watch)
    place = place_of(source)
    weigh_all(sets, place.parent if place.name == "project.json" else place, watch, anyway=anyway)
    return commit_all(project, sets, files=files, progress=progress, cancelled=cancelled)


def read_original(source: Path, watch: Watch) -> list[DataSet]:
    """Read the project at `source`. Raises `ImportFailed` when it cannot be read."""
    source = place_of(source)
    if source.name == "project.json":
        source = source.parent
    if not (source / "project.json").is_file():
        raise ImportFailed(f"There is no project.json in '{clean(str(source))}'.", _LOOKED_FOR)
    return _Reader(source, watch).read()


class _Reader:
    def __init__(self, source: Path, watch: Watch) -> None:
        self.source = source
        self.watch = watch
        self.folders = Folders()
        self.about = self._object("project.json", needed=True)
        names = self.about.get("classes")
        if not isinstance(names, list):
            raise self._wrong("project.json", "'classes' is not a list")
        self.names = [
            name if isinstance(name, str) and storable(name) and name.strip() else ""
            for name in names
        ]
        self.tracks: dict[str, Any] = {}
        # Of each frame: its data set and its number there; None for one that was left out.
        self.frames: dict[str, tuple[DataSet, int] | None] = {}

    def read(self) -> list[DataSet]:
        imports = self._object("imports/imports.json")
        self.tracks = self._object("labels/current/tracks.json")
        by_video = {
            str(entry.get(name)): (key, entry)
            for key, entry in imports.items()
            if isinstance(entry, dict)
            for name in ("source_key", "video_id")
            if entry.get(name) is not None
        }
        sets = [
            self._video(folder, by_video.get(folder.name))
            for folder in sorted(self._subfolders("frames"), key=_in_order)
            if _NUMBER.fullmatch(folder.name) or (folder / "frames.json").is_file()
        ]
        if not sets:
            raise ImportFailed(f"There are no frames in '{clean(str(self.source))}'.", _LOOKED_FOR)
        first = next((data for data in sets if data.images), sets[0])
        for data in sets:
            if not data.images:
                # It will be no import of its own, but what was wrong with it is told.
                first.problems.take(data.problems)
        self._balance(first, {str(data.detail["video_id"]) for data in sets})
        annotations = self._object("labels/current/annotations.json")
        first.balance.found(len(annotations))
        for count, (key, record) in enumerate(annotations.items()):
            if not count % 5000:
                self.watch.tick("reading", count, len(annotations))
            self._annotation(first, key, record)
        for number, name in enumerate(self.names):
            if name:
                first.label(name)
            else:
                where = f"project.json: class {number}"
                first.problems.add("bad category", where, "it has no name")
        first.attachments = [
            Picture(str(file), f"videos/{file.name}", file.name, 0, 0)
            for file in self._files("videos")
            if inside(file.name) and not file.is_symlink()
        ]
        first.detail["original"] = {
            "folder": str(self.source),
            "project": {**self.about, "classes": self.names},
            "tracks": self.tracks,
            "imports": imports,
            "videos": [picture.name for picture in first.attachments],
        }
        return sets

    def _balance(self, first: DataSet, taken: set[str]) -> None:
        """Note what of the project's folder is read, and what is not and why."""
        for name in ("project.json", "imports/imports.json", "labels/current/tracks.json"):
            if (self.source / name).is_file():
                first.balance.describe(self.source / name)
        if (labels := self.source / "labels/current/annotations.json").is_file():
            first.balance.use(str(labels))
        for folder in self._subfolders("frames"):
            if folder.name not in taken:
                first.balance.leave(str(folder), "it has no frames.json")
        for folder in self._subfolders("labels"):
            if folder.name != "current":
                first.balance.leave(str(folder), "an earlier state of the labels")
        for name, why in _NOT_DATA.items():
            if (self.source / name).is_dir() and any((self.source / name).iterdir()):
                first.balance.leave(str(self.source / name), why)

    def _video(self, folder: Path, entry: tuple[str, dict[str, Any]] | None) -> DataSet:
        video = int(folder.name) if _NUMBER.fullmatch(folder.name) else folder.name
        about = entry[1] if entry else {}
        what = str(about.get("type") or ("video" if is_video(video) else "import"))
        origin = f"{self.source} ({_origin(what, about, video)})"
        at = about.get("imported_at")
        data = DataSet(KIND, origin, at=_date(at))
        # `columns`: reviews and sources were read into those of the store.
        data.detail.update({"video_id": video, "type": what, "provenance": about, "columns": True})
        data.balance.describe(folder / "frames.json")
        if entry:
            data.detail["import_id"] = entry[0]
        frames = self._object(f"frames/{folder.name}/frames.json", needed=True)
        for count, (key, record) in enumerate(frames.items()):
            if not count % 256:
                self.watch.tick("reading", count, len(frames))
            self._frame(data, folder, key, record)
        return data

    def _frame(self, data: DataSet, folder: Path, key: str, record: Any) -> None:
        where = f"frames/{folder.name}/frames.json: frame {key}"
        problems = data.problems
        self.frames[key] = None
        if not isinstance(record, dict) or not isinstance(record.get("image_path"), str):
            return problems.add("wrong type", where, "it is no frame with an image_path")
        path = record["image_path"]
        found = self._find(folder, path)
        if found is None:
            return problems.add("missing image", where, f"no file '{path}'")
        size = read_size(found.path)
        if size is None:
            return problems.add("unreadable image", where, f"'{path}': {no_size(found.path)}")
        name = record.get("original_filename")
        name = name if isinstance(name, str) and name and storable(name) else _last(path)
        split = record.get("split")
        time = _number(record.get("timestamp"))
        video = data.detail["video_id"]
        picture = Picture(
            found.path,
            data.target(None, _last(found.path)),
            name,
            *size,
            split_named(split) if isinstance(split, str) else None,
            f"{self.source.name} video {video}" if is_video(video) else None,
            time,
            found.link,
            _kept({"frame_id": key, **record}),
            review_said(record),
        )
        self.frames[key] = data, data.image(picture)
        return None

    def _find(self, folder: Path, path: str) -> Found | None:
        last = inside(_last(path))
        if last is None or not is_image(last):
            return None
        if found := self.folders.find(str(folder), last):
            return found
        if path.startswith("/"):
            parent = path.rpartition("/")[0]
            return self.folders.find(parent, last)
        relative = inside(path)
        for root in (self.source, *self.source.parents) if relative else ():
            if relative and (found := self.folders.find(str(root), relative)):
                return found
        return None

    def _annotation(self, general: DataSet, key: str, record: Any) -> None:
        where = f"annotations.json: annotation {key}"
        if not isinstance(record, dict):
            return general.problems.add("wrong type", where, "it is not an object")
        frame = str(record.get("frame_id"))
        if frame not in self.frames:
            return general.problems.add("unknown image", where, f"there is no frame {frame}")
        placed = self.frames[frame]
        if placed is None:
            return general.problems.add("image left out", where, f"frame {frame} was left out")
        data, image = placed
        number = record.get("class_label_id")
        if type(number) is not int or not 0 <= number < len(self.names) or not self.names[number]:
            return data.problems.add("unknown category", where, f"there is no class {number}")
        sides = [_number(record.get(side)) for side in ("x", "y", "width", "height")]
        x, y, w, h = (math.nan if side is None else side for side in sides)
        width, height = data.images[image].width, data.images[image].height
        box = ((x - w / 2) * width, (y - h / 2) * height, w * width, h * height)
        shape = shape_of(record.get("segmentation"))
        track = self._track(data, image, record.get("track_id"), number)
        data.box(
            image,
            data.label(self.names[number]),
            box,
            where,
            iscrowd=int(record.get("iscrowd") in (1, True)),
            segmentation=msgspec.json.encode(shape).decode() if shape else None,
            extra=_kept({"annotation_id": key, **record}),
            made=made_said(record, track),
        )
        return None

    def _track(self, data: DataSet, image: int, key: Any, number: int) -> tuple[str, str] | None:
        """Return the track of an annotation of class `number`, which is added when it is new.

        Frames of imports are of no video: what is followed through them stays in their record.
        """
        group = data.images[image].grp
        if group is None or not isinstance(key, int | str) or isinstance(key, bool):
            return None
        named = group, str(key)
        if named not in data.tracks:
            about = self.tracks.get(str(key))
            about = about if isinstance(about, dict) else {}
            of = about.get("class_label_id")
            name = ""
            if isinstance(of, int) and not isinstance(of, bool) and 0 <= of < len(self.names):
                name = self.names[of]
            label = data.label(name or self.names[number])
            data.tracks[named] = Track(label, about.get("is_approved") is True)
        return named

    # Files

    def _object(self, name: str, *, needed: bool = False) -> dict[str, Any]:
        """Return the JSON object in a file of the project; {} for one that is not there."""
        try:
            data = (self.source / name).read_bytes()
        except FileNotFoundError:
            if needed:
                raise ImportFailed(
                    f"There is no '{name}' in '{clean(str(self.source))}'.", _LOOKED_FOR
                ) from None
            return {}
        except OSError as error:
            raise ImportFailed(
                f"'{name}' cannot be read: {error.strerror}.", "Check its permissions."
            ) from None
        value = loads(data, name)
        if not isinstance(value, dict):
            raise self._wrong(name, "it is not an object")
        return value

    def _wrong(self, name: str, what: str) -> ImportFailed:
        return ImportFailed(f"'{name}' is not of the original Batman: {what}.", _LOOKED_FOR)

    def _subfolders(self, name: str) -> list[Path]:
        folder = self.source / name
        return self.folders.subfolders(folder) if folder.is_dir() else []

    def _files(self, name: str) -> list[Path]:
        folder = self.source / name
        return self.folders.listing(folder)[1] if folder.is_dir() else []


def is_video(number: int | str) -> bool:
    """Whether frames under this number are of a video, not of an import.

    Imports have negative numbers. A later version of the original names folders: `video_1`,
    `roboflow_NAME_1` (github.com/jugheadjones10/batman, `docs/guides/project-folder-structure.md`).
    """
    return number > 0 if isinstance(number, int) else number.startswith("video_")


def _in_order(folder: Path) -> tuple[bool, int, str]:
    """Sort imports before videos, each in the order of their making."""
    if not _NUMBER.fullmatch(folder.name):
        return is_video(folder.name), 0, folder.name
    number = int(folder.name)
    return number > 0, abs(number), ""


def _origin(what: str, about: dict[str, Any], video: int | str) -> str:
    parts = [about.get(key) for key in ("workspace", "project", "version", "path", "split")]
    said = "/".join(str(part) for part in parts if part not in (None, ""))
    text = f"{what} {said}".strip() if said else f"{what} {video}"
    return text if storable(text) else what if storable(what) else "import"


def _date(value: Any) -> str | None:
    """Return a date of the original (UTC without a zone) as the store has it."""
    try:
        when = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).isoformat(timespec="seconds")


def _last(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _number(value: Any) -> float | None:
    """Return a finite number as such, None for anything else."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _kept(record: dict[str, Any]) -> str | None:
    """Return a record as JSON to be kept, None for one that no JSON can hold."""
    try:
        return msgspec.json.encode(record).decode()
    except (ValueError, OverflowError, TypeError, RecursionError):
        return None
