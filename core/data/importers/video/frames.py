"""Frames of videos, taken at an interval in seconds or frames.

A frame knows its video (`grp`, so that splits keep the frames of one video together) and its time
in it. On request, a frame that looks like the one kept before it is passed over: at most
`SIMILAR` of the 64 bits of their difference hashes differ. Frames are stored as JPEG, upright.

A video is known again by its content, wherever it lies. Taken a second time, at another interval,
it gives the frames that the project does not have: those that are there stay as they are, with
their numbers, labels and split, and are not taken twice.

Of a damaged video, or one that breaks off, the frames that can be read are taken, which is said;
one that cannot be opened is reported.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from core.common.errors import BatmanError, ImportFailed
from core.common.progress import Progress
from core.common.text import clean, plural
from core.data.images.video import SUFFIXES, is_video
from core.data.importers.balance.likely_mistakes import weigh
from core.data.importers.coco.layout import what_is_there
from core.data.importers.commit import commit
from core.data.importers.dataset import DataSet, Picture, inside
from core.data.importers.files.zip_dataset import scratch
from core.data.importers.image_files import Folders, place_of, walk
from core.data.importers.report import ImportReport, Watch
from core.data.store import Project
from core.processes.installation import how_to_install

SIMILAR = 4
# Bytes that are looked at in each of three places of a video, to know it again.
_PART = 1 << 18
# As visually lossless as cameras' own files: subsampling off would double the size for little.
_QUALITY = 95


def import_video(
    project: Project,
    source: Path | Sequence[Path],
    *,
    every_s: float | None = None,
    every_frames: int | None = None,
    skip_similar: bool = False,
    anyway: bool = False,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ImportReport:
    """Import frames of a video, of the videos below a folder, or of several of these, in one step.

    A frame is taken every `every_s` seconds or every `every_frames` frames, one a second when
    neither is given. Raises `ImportFailed` when no frame can be had or the interval makes no sense,
    `ProjectLocked` and `Cancelled`; the project is then as it was.
    """
    if every_s is not None and every_frames is not None:
        raise ImportFailed(
            "An interval is in seconds or in frames, not both.", "Leave one of them out."
        )
    if every_frames is not None and every_frames < 1:
        raise ImportFailed("An interval is at least one frame.", "Give a number from 1.")
    seconds = 1.0 if every_s is None and every_frames is None else every_s
    if seconds is not None and not seconds > 0:
        raise ImportFailed("An interval is longer than no time.", "Give seconds above 0.")
    if importlib.util.find_spec("av") is None:
        raise ImportFailed(
            "Videos need the package av, which is not installed.",
            f"Install it with: {how_to_install('batman-tui[video]')}",
        )
    sources = [source] if isinstance(source, str | Path) else list(source)
    videos = _videos([place_of(path) for path in sources])
    watch = Watch(progress, cancelled)
    data = DataSet("video", ", ".join(str(place_of(path)) for path in sources))
    with scratch(project) as folder:
        known = _Known(project)
        taker = _Taker(data, folder, watch, seconds, every_frames, skip_similar, known)
        data.detail.update({
            "every_s": seconds,
            "every_frames": every_frames,
            "skip_similar": skip_similar,
            "videos": [taker.take(video) for video in videos],
        })  # fmt: skip
        if not data.images and taker.there:
            raise ImportFailed(
                f"All {plural(taker.there, 'frame')} at this interval are in the project already.",
                "Choose a shorter one to have more of them.",
            )
        folders = [path for path in map(place_of, sources) if path.is_dir()]
        for video in videos:
            data.balance.describe(video)
        for path in folders:
            data.balance.root(path)
        weigh(data, None, watch, anyway=anyway)
        return commit(project, data, files="link", progress=progress, cancelled=cancelled)


def _videos(sources: list[Path]) -> list[Path]:
    found: list[Path] = []
    for source in sources:
        if source.is_dir():
            inner = [source / name for name in walk(source, is_video)]
            if not inner:
                there = what_is_there(source, Folders())
                raise ImportFailed(
                    f"There is no video in '{clean(str(source))}': {there}",
                    f"Videos end in {', '.join(SUFFIXES)}.",
                )
            found += inner
        elif source.is_file():
            found.append(source)
        else:
            raise ImportFailed(f"There is no '{clean(str(source))}'.", "Check the path.")
    if not found:
        raise ImportFailed("No video was named.", "Name a video or a folder of videos.")
    return list(dict.fromkeys(found))


def fingerprint(video: Path) -> str:
    """Return what tells the content of a file from others: its size and parts of it, hashed.

    Raises OSError when it cannot be read.
    """
    size = video.stat().st_size
    seen = hashlib.sha256(str(size).encode())
    with video.open("rb") as file:
        for at in (0, max(0, size // 2 - _PART // 2), max(0, size - _PART)):
            file.seek(at)
            seen.update(file.read(_PART))
    return seen.hexdigest()


class _Known:
    """The videos whose frames the project has, by the name of their group."""

    def __init__(self, project: Project) -> None:
        self._db = project.db
        self._videos: dict[str, tuple[str, str | None]] = {}
        self._frames: dict[str, set[str]] = {}
        self._splits: dict[str, str | None] = {}
        for (text,) in project.db.execute(
            "SELECT detail FROM imports WHERE kind = 'video' ORDER BY id"
        ):
            for about in json.loads(text).get("videos", []):
                if "group" in about:
                    told = str(about["path"]), about.get("fingerprint")
                    self._videos[str(about["group"])] = told

    def group(self, video: Path, seen: str | None) -> str:
        """Return the group of a video, one that is there or a new name no other video has.

        The same content is the same video. An older import did not note it: there the path tells.
        """
        path, stem = str(video), inside(video.stem) or "video"
        known = (name for name in self._videos if self._same(name, path, seen))
        group, number = next(known, stem), 1
        while group in self._videos and not self._same(group, path, seen):
            number += 1
            group = f"{stem} ({number})"
        self._videos[group] = path, seen
        return group

    def _same(self, group: str, path: str, seen: str | None) -> bool:
        other, content = self._videos[group]
        return content == seen if content is not None and seen is not None else other == path

    def frames(self, group: str) -> set[str]:
        """Return the names of the frames of a group that the project shows; one may add to them."""
        if group not in self._frames:
            rows = self._db.execute("SELECT name FROM v_images WHERE grp = ?", (group,))
            self._frames[group] = {row[0] for row in rows}
        return self._frames[group]

    def split(self, group: str) -> str | None:
        """Return the split that all frames of a group are in, None where there is no such one."""
        if group not in self._splits:
            rows = self._db.execute("SELECT DISTINCT split FROM v_images WHERE grp = ?", (group,))
            splits = [row[0] for row in rows]
            self._splits[group] = splits[0] if len(splits) == 1 else None
        return self._splits[group]


class _Taker:
    """Takes the frames of one video after another into the data set."""

    def __init__(
        self,
        data: DataSet,
        folder: Path,
        watch: Watch,
        every_s: float | None,
        every_frames: int | None,
        skip_similar: bool,
        known: _Known,
    ) -> None:
        self.data = data
        self.folder = folder
        self.watch = watch
        self.every_s = every_s
        self.every_frames = every_frames
        self.skip_similar = skip_similar
        self.known = known
        # How many frames were in the project already.
        self.there = 0

    def take(self, video: Path) -> dict[str, Any]:
        """Take one video's frames; return what is known of it."""
        from core.data.images.video import VideoReader

        about: dict[str, Any] = {
            "path": str(video),
            "frames": 0,
            "taken": 0,
            "similar": 0,
            "there": 0,
        }
        try:
            reader = VideoReader(video)
        except BatmanError as error:
            if not video.is_file():
                raise
            self.data.problems.add("unreadable video", video.name, error.message)
            return about
        try:
            about["fingerprint"] = fingerprint(video)
        except OSError:
            about["fingerprint"] = None  # the decoder will tell
        about["group"] = group = self.known.group(video, about["fingerprint"])
        about["rate"] = float(reader.rate)
        stage = f"frames of {clean(video.name)}"
        before: int | None = None
        due = 0.0
        try:
            for frame in reader.frames():
                if not frame.number % 16:
                    self.watch.tick(stage, frame.number, reader.total)
                about["frames"] += 1
                if self.every_frames is not None:
                    if frame.number % self.every_frames:
                        continue
                # Half a time stamp's tick is no reason to miss a frame.
                elif frame.time < due - 1e-6:
                    continue
                else:
                    due += (self.every_s or 1.0) * (1 + (frame.time - due) // (self.every_s or 1.0))
                before = self._frame(frame, group, before, about)
        except BatmanError as error:
            if not isinstance(error.__cause__, OSError | ValueError):
                raise
            detail = f"{error.message}; {plural(about['taken'], 'frame')} before that"
            self.data.problems.add("damaged video", video.name, detail, "kept")
        else:
            if not about["frames"]:
                self.data.problems.add("unreadable video", video.name, "it holds no frame")
            for fault in reader.faults if about["frames"] else []:
                self.data.problems.add("damaged video", video.name, f"it {fault}", "kept")
        finally:
            reader.close()
        if about["there"]:
            self.there += about["there"]
            self.data.problems.add(
                "frames there already", video.name, plural(about["there"], "frame"), "kept"
            )
        return about

    def _frame(
        self, frame: Any, group: str, before: int | None, about: dict[str, Any]
    ) -> int | None:
        """Keep a frame unless it looks like the one before; return the hash to compare with."""
        from PIL import Image

        from core.data.health.scan import dhash

        name = f"{group}_{frame.number:06d}.jpg"
        there = name in self.known.frames(group)
        if there and not self.skip_similar:
            about["there"] += 1
            return None
        picture = Image.fromarray(frame.pixels())
        seen = dhash(picture.convert("L")) if self.skip_similar else None
        if there:
            about["there"] += 1
            return seen
        if before is not None and seen is not None and (before ^ seen).bit_count() <= SIMILAR:
            about["similar"] += 1
            return before
        self.known.frames(group).add(name)
        file = self.folder / f"{len(self.data.images)}.jpg"
        picture.save(file, quality=_QUALITY)
        about["taken"] += 1
        self.data.image(
            Picture(
                str(file),
                f"{group}/{name}",
                name,
                *picture.size,
                split=self.known.split(group),
                grp=group,
                time=frame.time,
            )
        )
        return seen
