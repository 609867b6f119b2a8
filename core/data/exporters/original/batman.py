"""The project folder of the original Batman.

What came from there goes back as it was: numbers of frames, videos and annotations, tracks,
confidences, approvals, and the very digits of boxes that nobody changed. What came from elsewhere
becomes an import with the next free negative number, and frames of videos a video of its own.
`image_path` is what the original itself writes, `data/projects/NAME/frames/…`: it is started where
`data` lies. A reader that finds nothing there looks beside `frames.json`, so the folder can move.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from core.common.errors import ExportFailed
from core.common.files import FileMode, expand_user
from core.common.progress import Progress
from core.common.text import clean
from core.data.exporters.original.records import (
    Video,
    box_record,
    class_source,
    frame_name,
    import_record,
    import_type,
    project_record,
    sampling,
    stamp,
)
from core.data.exporters.original.tracks import Tracks
from core.data.exporters.original.videos import LISTING, Videos
from core.data.exporters.snapshot import (
    ExportReport,
    Image,
    Snapshot,
    at_one_moment,
    staged,
    unique,
)
from core.data.importers.formats.original_batman import is_video
from core.data.importers.formats.original_terms import box_words, frame_words
from core.data.importers.past_imports import list_imports
from core.data.importers.report import Watch
from core.data.importers.split_names import split_named
from core.data.labels.provenance import Made, Reviewed, source_of
from core.data.store import Project
from core.data.store.sqlite_errors import stored_time


def export_original(
    project: Project,
    out: Path,
    *,
    files: FileMode = "link",
    only_reviewed: bool = False,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ExportReport:
    """Write the project to the new folder `out` as the original Batman had its projects.

    `only_reviewed` leaves out the images that nobody has reviewed. Raises `ExportFailed` when `out`
    is not empty or cannot be written, and `Cancelled`; nothing is left then.
    """
    out = expand_user(out).absolute()
    watch = Watch(progress, cancelled, "export")
    with staged(out) as folder:
        with at_one_moment(project):
            snapshot = Snapshot(project, watch, only_reviewed=only_reviewed)
            writer = _Writer(project, snapshot, out.name)
            writer.videos()
            writer.frames()
            count = writer.annotations()
            writer.tracks()
        writer.write(folder, files)
    return ExportReport(
        path=out,
        images=len(snapshot.images),
        annotations=count,
        classes=writer.classes,
        splits=snapshot.splits(),
        missing=snapshot.missing,
        turned=snapshot.turned,
        unreviewed=snapshot.unreviewed,
        left_out=writer.left_out,
    )


class _Writer:
    """Gathers what the files will say, then writes them."""

    def __init__(self, project: Project, snapshot: Snapshot, name: str) -> None:
        self.project = project
        self.snapshot = snapshot
        # Where the original looks for its projects.
        self.place = f"data/projects/{name}"
        # Oldest first, so that numbers given here do not depend on what came later.
        self.imports = list(reversed(list_imports(project)))
        self.rows = {row.id: row for row in self.imports}
        # Of each project of the original that came in, what was kept of it; and the one an import
        # belongs to: the first of its imports holds it.
        self.kept: list[tuple[int, dict[str, Any]]] = []
        self.part_of: dict[int, int] = {}
        for row in self.imports:
            if "original" in row.detail:
                self.kept.append((row.id, row.detail["original"]))
            if "video_id" in row.detail and self.kept:
                self.part_of[row.id] = len(self.kept) - 1
        parts = [part for _, part in self.kept]
        self.about: dict[str, Any] = parts[0]["project"] if parts else {}
        had = [name.strip() for part in parts for name in part["project"].get("classes", [])]
        known = set(snapshot.classes)
        self.classes = [name for name in dict.fromkeys(had) if name in known]
        self.classes += [name for name in snapshot.classes if name not in set(self.classes)]
        self.video_of: dict[tuple[int, str | None], Video] = {}
        self.entries: dict[str, dict[str, Any]] = {}
        self.entry_of: dict[Video, str] = {}
        self.by_frame: dict[Video, dict[str, dict[str, Any]]] = {}
        self.frame_of: dict[int, tuple[str, Image]] = {}
        self.places: list[tuple[Image, str]] = []
        self.sizes: dict[Video, tuple[int, int]] = {}
        self.boxes: dict[str, dict[str, Any]] = {}
        self.track_of = Tracks(project, self.imports, self.kept, self.part_of)
        self.kept_tracks: dict[str, Any] = {}
        self.left_out: dict[str, int] = {}

    def _part(self, image: Image) -> tuple[int, str | None]:
        """Return the import, and the video where the image is a frame of one.

        Other groups, such as copies of a picture, are none; and what came from the original is
        one video or import each.
        """
        whole = image.time is None or "video_id" in self.rows[image.import_id].detail
        return image.import_id, None if whole else image.grp

    def videos(self) -> None:
        """Give each import, and each video of an import, its number."""
        groups: dict[tuple[int, str | None], None] = {}
        for image in self.snapshot.images:
            groups[self._part(image)] = None
        taken: set[Video] = set()
        later = []
        for key in groups:
            number = self.rows[key[0]].detail.get("video_id")
            if isinstance(number, int | str) and number not in taken:
                taken.add(number)
                self.video_of[key] = number
            else:
                later.append((key, key[1] is not None or (number is not None and is_video(number))))
        for key, video in later:
            number = step = 1 if video else -1
            while number in taken:
                number += step
            taken.add(number)
            self.video_of[key] = number
        for key, number in self.video_of.items():
            row = self.rows[key[0]]
            if not is_video(number) or row.detail.get("provenance"):
                entry = str(row.detail.get("import_id") or row.id)
                while entry in self.entries:
                    entry += "-2"
                self.entries[entry] = import_record(row, number)
                self.entry_of[number] = entry

    def frames(self) -> None:
        """Number the frames and say what is known of each."""
        extras, reviews = self._extras("images"), self._reviews()
        taken: set[str] = set()
        index: Counter[Video] = Counter()
        names: dict[Video, dict[str, int]] = {}
        for image in self.snapshot.images:
            video = self.video_of[self._part(image)]
            name = unique(image.file.rpartition("/")[2], names.setdefault(video, {}))
            extra = extras.get(image.id, {})
            frame = str(extra.pop("frame_id", ""))
            while not frame or frame in taken:
                frame = frame_name(video, index[video])
                index[video] += 1
            taken.add(frame)
            frames = self.by_frame.setdefault(video, {})
            self.sizes.setdefault(video, (image.width, image.height))
            record: dict[str, Any] = {
                "frame_number": _frame_number(image, len(frames)),
                "timestamp": image.time or 0.0,
            }
            if not extra:  # what the original did not say needs not be said now
                kind = import_type(self.rows[image.import_id])
                record |= {
                    "is_approved": False,
                    "needs_review": False,
                    "source": "video" if is_video(video) else kind,
                    "import_id": None,
                    "original_filename": image.original,
                    "split": None,
                }
            record |= extra
            # A project that came in before reviews had columns of their own has them here.
            if not extra or image.id in reviews or "columns" in self.rows[image.import_id].detail:
                record |= frame_words(reviews.get(image.id), record)
            record["video_id"] = _like(extra.get("video_id"), str(video))
            record["image_path"] = f"{self.place}/frames/{video}/{name}"
            entry = self.entry_of.get(video)
            if str(record.get("import_id")) != str(entry):
                record["import_id"] = entry
            split = _split(extra.get("split"), image, self.snapshot.unsplit)
            if record.get("split") != split:
                record["split"] = split
            frames[frame] = record
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
        times = {row.id: stamp(row.at) for row in self.imports}
        sources = {
            row.id: "manual" if row.kind == "video" else import_type(row) for row in self.imports
        }
        fresh = 1
        made_of = self.snapshot.made()
        for row_id, image_id, label, x, y, w, h, crowd, shape in self.snapshot.annotations():
            if image_id not in self.frame_of:
                continue
            frame, image = self.frame_of[image_id]
            extra = extras.get(row_id, {})
            key = str(extra.pop("annotation_id", ""))
            while not key or key in self.boxes:
                key = "" if str(fresh) in used else str(fresh)
                fresh += 1
            record: dict[str, Any] = {
                "track_id": None,
                "confidence": 1.0,
                "source": sources[image.import_id],
            }
            if not extra:
                at = times[image.import_id]
                record |= {"is_exemplar": False, "created_at": at, "updated_at": at}
            record |= extra
            record["frame_id"] = _like(extra.get("frame_id"), frame)
            record["class_label_id"] = labels[label]
            record.update(box_record(extra, (image.width, image.height), (x, y, w, h)))
            now = made_of.get(row_id)
            if now is not None:
                source = source_of(now.source)
                record |= box_words(Made(source, now.model, now.score, now.edited), record)
            record["track_id"] = self.track_of.number_of(
                image.import_id, now and now.track, record["track_id"]
            )
            if crowd:
                record["iscrowd"] = crowd
            if shape is not None:
                record["segmentation"] = msgspec.Raw(shape.encode())
            self.boxes[key] = record
        return len(self.boxes)

    def tracks(self) -> None:
        """Bring the tracks up to date: the class that their boxes have now, their video's number.

        One whose class is gone with its boxes is left out, and counted.
        """
        now = {
            str(box["track_id"]): box["class_label_id"]
            for box in self.boxes.values()
            if box.get("track_id") is not None
        }
        for part, (_, kept) in enumerate(self.kept):
            had = [name.strip() for name in kept["project"].get("classes", [])]
            videos = self._videos_of(part)
            for number, track in self.track_of.came(part):
                if not isinstance(track, dict) or "class_label_id" not in track:
                    self.kept_tracks[number] = track
                    continue
                old = track["class_label_id"]
                name = had[old] if type(old) is int and 0 <= old < len(had) else None
                label = self.classes.index(name) if name in self.classes else None
                label = now.get(number, label)
                if label is None:
                    self.left_out["track"] = self.left_out.get("track", 0) + 1
                    continue
                changes: dict[str, Any] = {"class_label_id": label}
                if "track_id" in track and number != str(track["track_id"]):
                    changes["track_id"] = _like(track["track_id"], number)
                if str(track.get("video_id")) in videos:
                    changes["video_id"] = videos[str(track["video_id"])]
                self.kept_tracks[number] = {**track, **changes}
        frames = {key: record for of in self.by_frame.values() for key, record in of.items()}
        self.kept_tracks |= self.track_of.made(self.boxes, frames)

    def _videos_of(self, part: int) -> dict[str, Video]:
        """Return what the videos of a project that came in are now, by the numbers they had."""
        return {
            str(self.rows[key[0]].detail["video_id"]): number
            for key, number in self.video_of.items()
            if self.part_of.get(key[0]) == part
        }

    def write(self, folder: Path, files: FileMode) -> None:
        """Write all of it below `folder`."""
        for name in ("videos", "labels/current", "imports", "exports", "runs", "frames"):
            (folder / name).mkdir(parents=True)
        for video, frames in self.by_frame.items():
            (folder / "frames" / str(video)).mkdir()
            _json(folder / "frames" / str(video) / "frames.json", frames)
        _json(folder / "labels" / "current" / "annotations.json", self.boxes)
        _json(folder / "labels" / "current" / "tracks.json", self.kept_tracks)
        _json(folder / "imports" / "imports.json", self.entries)
        self.snapshot.place_at(
            {image.id: f"{folder}/{place}" for image, place in self.places}, files
        )
        videos = self._place_videos(folder / "videos", files)
        videos |= {str(number) for number in self.by_frame if is_video(number)}
        _json(folder / "project.json", self._project(len(videos)))

    def _place_videos(self, folder: Path, files: FileMode) -> set[str]:
        """Put the videos and what is said of them into `folder`; return their numbers."""
        videos = Videos(folder, f"{self.place}/videos", files)
        for part, (first, kept) in enumerate(self.kept):
            # By reference its files were left where they lay.
            folders = [self.project.images_dir / str(first), Path(kept.get("folder", "/"))]
            videos.bring(kept, [place / "videos" for place in folders], self._videos_of(part))
        for (import_id, group), number in self.video_of.items():
            row = self.rows[import_id]
            about = [had for had in row.detail.get("videos", []) if had.get("group") == group]
            if is_video(number) and group is not None and about:
                sampled = len(self.by_frame[number])
                videos.name(number, about[0], self.sizes[number], sampled, row.at)
        if videos.listed:
            _json(folder / LISTING, videos.listed)
        self.snapshot.missing += videos.missing
        return set(videos.listed)

    def _project(self, videos: int) -> dict[str, Any]:
        made = self.project.setting("created_at")
        return project_record(
            self.about,
            name=self.project.name,
            description=self.project.setting("description"),
            created_at=stored_time(made),
            classes=self.classes,
            source_of=lambda name: class_source(
                [row.kind for row in self.imports if name in row.classes]
            ),
            sampled=sampling(self.imports),
            counts={
                "video_count": videos,
                "frame_count": len(self.frame_of),
                "annotation_count": len(self.boxes),
            },
        )

    def _reviews(self) -> dict[int, Reviewed]:
        return {
            row[0]: Reviewed(*row[1:])
            for row in self.project.db.execute(
                "SELECT id, review, reviewed_at, reviewed_by FROM v_images WHERE review IS NOT NULL"
            )
        }

    def _extras(self, table: str) -> dict[int, dict[str, Any]]:
        rows = self.project.db.execute(f"SELECT id, extra FROM {table} WHERE extra IS NOT NULL")
        return {row[0]: json.loads(row[1]) for row in rows}


def _frame_number(image: Image, place: int) -> int:
    """Return the number in its video of a frame that `import video` took, else its place."""
    of = image.time is not None and re.fullmatch(r".*_(\d{6,12})\.jpg", image.original)
    return int(of[1]) if of else place


def _split(had: Any, image: Image, unsplit: set[int]) -> str | None:
    """Return the split as the original had it, if it is still that one."""
    if image.id in unsplit:
        return had if isinstance(had, str) and split_named(had) is None else None
    same = isinstance(had, str) and split_named(had) == image.split
    return had if same else image.split


def _like(had: Any, number: str) -> Any:
    """Return a number the way the record had it: a number, where it can be one."""
    if isinstance(had, str):
        return number
    return int(number) if number.lstrip("-").isdecimal() else number


def _json(path: Path, value: Any) -> None:
    try:
        path.write_bytes(msgspec.json.encode(value))
    except ValueError as error:
        raise ExportFailed(f"'{path.name}' cannot be written: {clean(str(error))}.", "") from error
