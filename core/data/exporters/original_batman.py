"""The project folder of the original Batman.

What came from there goes back as it was: numbers of frames, videos and annotations, tracks,
confidences, approvals, and the very digits of boxes that nobody changed. What came from elsewhere
becomes an import with the next free negative number, and frames of videos a video of its own.
`image_path` is the absolute path; a reader that finds nothing there looks beside `frames.json`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from core.common.errors import ExportFailed
from core.common.files import FileMode, expand_user, link_or_copy
from core.common.progress import Progress
from core.common.text import clean
from core.data.exporters.snapshot import (
    ExportReport,
    Image,
    Snapshot,
    at_one_moment,
    staged,
    unique,
)
from core.data.importers.past_imports import ImportRow, list_imports
from core.data.importers.report import Watch
from core.data.importers.split_names import split_named
from core.data.store import Project

_CONFIG = {
    "sample_mode": "interval",
    "sample_interval": 30,
    "tracking_mode": "visual",
    "max_age": 30,
    "iou_threshold": 0.3,
    "min_hits": 3,
    "use_appearance_embedding": False,
}
_SOURCES = {"roboflow": "roboflow", "coco-zoo": "coco_zoo"}
# An import's frames are numbered from its own (negative) number times this.
_FRAMES = 1_000_000


def export_original(
    project: Project,
    out: Path,
    *,
    files: FileMode = "link",
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ExportReport:
    """Write the project to the new folder `out` as the original Batman had its projects.

    Raises `ExportFailed` when `out` is not empty or cannot be written, and `Cancelled`; nothing is
    left then.
    """
    out = expand_user(out).absolute()
    watch = Watch(progress, cancelled, "export")
    with staged(out) as folder:
        with at_one_moment(project):
            writer = _Writer(project, Snapshot(project, watch), out)
            writer.videos()
            writer.frames()
            count = writer.annotations()
        writer.write(folder, files)
    snapshot = writer.snapshot
    return ExportReport(
        path=out,
        images=len(snapshot.images),
        annotations=count,
        classes=writer.classes,
        splits=snapshot.splits(),
        missing=snapshot.missing,
        turned=snapshot.turned,
    )


class _Writer:
    """Gathers what the files will say, then writes them."""

    def __init__(self, project: Project, snapshot: Snapshot, out: Path) -> None:
        self.project = project
        self.snapshot = snapshot
        self.out = out
        # Oldest first, so that numbers given here do not depend on what came later.
        self.imports = list(reversed(list_imports(project)))
        kept = [row.detail["original"] for row in self.imports if "original" in row.detail]
        self.about: dict[str, Any] = kept[0]["project"] if kept else {}
        self.tracks = {key: track for part in kept for key, track in part["tracks"].items()}
        had = [name.strip() for part in kept for name in part["project"].get("classes", [])]
        known = set(snapshot.classes)
        self.classes = [name for name in dict.fromkeys(had) if name in known]
        self.classes += [name for name in snapshot.classes if name not in set(self.classes)]
        self.whole = {row.id for row in self.imports if "video_id" in row.detail}
        self.video_of: dict[tuple[int, str | None], int] = {}
        self.entries: dict[str, dict[str, Any]] = {}
        self.by_frame: dict[int, dict[str, dict[str, Any]]] = {}
        self.frame_of: dict[int, tuple[str, Image]] = {}
        self.places: list[tuple[Image, str]] = []
        self.boxes: dict[str, dict[str, Any]] = {}

    def _part(self, image: Image) -> tuple[int, str | None]:
        """Return the import, and the video where the image is a frame of one.

        Other groups, such as copies of a picture, are none; and what came from the original is
        one video or import each.
        """
        whole = image.time is None or image.import_id in self.whole
        return image.import_id, None if whole else image.grp

    def videos(self) -> None:
        """Give each import, and each video of an import, its number."""
        groups: dict[tuple[int, str | None], None] = {}
        for image in self.snapshot.images:
            groups[self._part(image)] = None
        rows = {row.id: row for row in self.imports}
        taken: set[int] = set()
        later = []
        for key in groups:
            number = rows[key[0]].detail.get("video_id")
            if isinstance(number, int) and number not in taken:
                taken.add(number)
                self.video_of[key] = number
            else:
                later.append(key)
        for key in later:
            step = 1 if key[1] is not None else -1
            number = step
            while number in taken:
                number += step
            taken.add(number)
            self.video_of[key] = number
        for key, number in self.video_of.items():
            row = rows[key[0]]
            if number < 0 or row.detail.get("provenance"):
                entry = str(row.detail.get("import_id") or row.id)
                while entry in self.entries:
                    entry += "-2"
                self.entries[entry] = _provenance(row, number)

    def frames(self) -> None:
        """Number the frames and say what is known of each."""
        extras = self._extras("images")
        taken: set[str] = set()
        index: dict[int, int] = {}
        names: dict[int, dict[str, int]] = {}
        for image in self.snapshot.images:
            video = self.video_of[self._part(image)]
            name = unique(image.file.rpartition("/")[2], names.setdefault(video, {}))
            extra = extras.get(image.id, {})
            frame = str(extra.pop("frame_id", ""))
            if not frame or frame in taken:
                frame = ""
            while not frame or frame in taken:
                frame = str(video * _FRAMES + index.get(video, 0))
                index[video] = index.get(video, 0) + 1
            taken.add(frame)
            record = {
                "video_id": video,
                "frame_number": index.get(video, 1) - 1,
                "timestamp": image.time or 0.0,
                "is_approved": True,
                "needs_review": False,
                "source": "video" if video > 0 else "import",
                "import_id": None,
                "original_filename": image.original,
                **extra,
                "image_path": str(self.out / "frames" / str(video) / name),
                "split": _split(extra.get("split"), image, self.snapshot.unsplit),
            }
            self.by_frame.setdefault(video, {})[frame] = record
            self.frame_of[image.id] = frame, image
            self.places.append((image, f"frames/{video}/{name}"))

    def annotations(self) -> int:
        """Say what is known of each annotation; return how many there are."""
        extras = self._extras("annotations")
        numbers = {name: number for number, name in enumerate(self.classes)}
        labels = [numbers[name] for name in self.snapshot.classes]
        used = {
            str(extra["annotation_id"]) for extra in extras.values() if "annotation_id" in extra
        }
        fresh = 1
        for row_id, image_id, label, x, y, w, h, crowd, shape in self.snapshot.annotations():
            if image_id not in self.frame_of:
                continue
            frame, image = self.frame_of[image_id]
            extra = extras.get(row_id, {})
            key = str(extra.pop("annotation_id", ""))
            while not key or key in self.boxes:
                key = "" if str(fresh) in used else str(fresh)
                fresh += 1
            record = {"track_id": None, "confidence": 1.0, "source": "import", **extra}
            record["frame_id"] = _like(extra.get("frame_id"), frame)
            record["class_label_id"] = labels[label]
            record.update(_box(extra, image, x, y, w, h))
            if crowd:
                record["iscrowd"] = crowd
            if shape is not None:
                record["segmentation"] = msgspec.Raw(shape.encode())
            self.boxes[key] = record
        return len(self.boxes)

    def write(self, folder: Path, files: FileMode) -> None:
        """Write all of it below `folder`."""
        for name in ("videos", "labels/current", "imports", "exports", "runs", "frames"):
            (folder / name).mkdir(parents=True)
        for video, frames in self.by_frame.items():
            (folder / "frames" / str(video)).mkdir()
            _json(folder / "frames" / str(video) / "frames.json", frames)
        _json(folder / "labels" / "current" / "annotations.json", self.boxes)
        _json(folder / "labels" / "current" / "tracks.json", self.tracks)
        _json(folder / "imports" / "imports.json", self.entries)
        _json(folder / "project.json", self._project())
        self.snapshot.place_at(
            {image.id: f"{folder}/{place}" for image, place in self.places}, files
        )
        for row in self.imports:
            for name in row.detail.get("original", {}).get("videos", []):
                video = self.project.images_dir / str(row.id) / "videos" / name
                if video.is_file():
                    link_or_copy(video, folder / "videos" / name, files)

    def _project(self) -> dict[str, Any]:
        now = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
        sources = self.about.get("class_sources")
        sources = sources if isinstance(sources, dict) else {}
        return {
            "description": self.project.setting("description"),
            "config": _CONFIG,
            "current_iteration": 0,
            "created_at": now,
            "name": self.project.name,
            **self.about,
            "classes": self.classes,
            "class_sources": {
                name: sources.get(name) or self._source_of(name) for name in self.classes
            },
            "video_count": len(self.by_frame),
            "frame_count": len(self.frame_of),
            "annotation_count": len(self.boxes),
            "updated_at": now,
        }

    def _source_of(self, name: str) -> str:
        kinds = [row.kind for row in self.imports if name in row.classes]
        return _SOURCES.get(kinds[0], "manual") if kinds else "manual"

    def _extras(self, table: str) -> dict[int, dict[str, Any]]:
        rows = self.project.db.execute(f"SELECT id, extra FROM {table} WHERE extra IS NOT NULL")
        return {row[0]: json.loads(row[1]) for row in rows}


def _provenance(row: ImportRow, video: int) -> dict[str, Any]:
    """Return an import's entry: the one it came with, or one made of what is known."""
    kept = row.detail.get("provenance")
    if kept:
        return {**kept, "video_id": video}
    entry: dict[str, Any] = {
        "imported_at": row.at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds"),
        "video_id": video,
    }
    known = row.detail.get
    if row.kind == "roboflow":
        named = {key: known(key) for key in ("workspace", "project", "version", "format")}
        return {"type": "roboflow", **entry, **named}
    if row.kind == "coco-zoo":
        chosen = {key: known(key) for key in ("split", "max_samples")}
        return {"type": "coco_zoo", **entry, "classes": row.classes, **chosen}
    return {"type": "local_coco", **entry, "path": row.origin}


def _split(had: Any, image: Image, unsplit: set[int]) -> str | None:
    """Return the split as the original had it, if it is still that one."""
    if image.id in unsplit:
        return had if isinstance(had, str) and split_named(had) is None else None
    same = isinstance(had, str) and split_named(had) == image.split
    return had if same else image.split


def _box(
    extra: dict[str, Any], image: Image, x: float, y: float, w: float, h: float
) -> dict[str, float]:
    """Return a box as centre and size in fractions; its first digits if it is still the same."""
    box = {
        "x": (x + w / 2) / image.width,
        "y": (y + h / 2) / image.height,
        "width": w / image.width,
        "height": h / image.height,
    }
    same = all(
        isinstance(extra.get(key), int | float) and abs(extra[key] - value) < 1e-9
        for key, value in box.items()
    )
    return {key: extra[key] for key in box} if same else box


def _like(had: Any, frame: str) -> Any:
    """Return a frame's number the way the record had it: a number, where it can be one."""
    if isinstance(had, str):
        return frame
    return int(frame) if frame.lstrip("-").isdecimal() else frame


def _json(path: Path, value: Any) -> None:
    try:
        path.write_bytes(msgspec.json.encode(value))
    except ValueError as error:
        raise ExportFailed(f"'{path.name}' cannot be written: {clean(str(error))}.", "") from error
