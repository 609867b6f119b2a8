"""Frames of videos, taken at an interval in seconds or frames.

A frame knows its video (`grp`, so that splits keep the frames of one video together) and its time
in it. On request, a frame that looks like the one kept before it is passed over: at most
`SIMILAR` of the 64 bits of their difference hashes differ. Frames are stored as JPEG, upright.

Of a damaged video, or one that breaks off, the frames that can be read are taken, which is said;
one that cannot be opened is reported.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.common.errors import BatmanError, ImportFailed
from core.common.progress import Progress
from core.common.text import clean, plural
from core.data.images.video import SUFFIXES, is_video
from core.data.importers.balance.doubts import weigh
from core.data.importers.coco.layout import what_is_there
from core.data.importers.commit import commit
from core.data.importers.dataset import DataSet, Picture, inside
from core.data.importers.files.zip_dataset import scratch
from core.data.importers.image_files import Folders, place_of, walk
from core.data.importers.report import ImportReport, Watch
from core.data.store import Project

SIMILAR = 4
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
            "Install it with uv sync --extra video, or pip install 'batman-tui[video]'.",
        )
    sources = [source] if isinstance(source, str | Path) else list(source)
    videos = _videos([place_of(path) for path in sources])
    watch = Watch(progress, cancelled)
    data = DataSet("video", ", ".join(str(place_of(path)) for path in sources))
    with scratch(project) as folder:
        groups = _groups(project)
        taker = _Taker(data, folder, watch, seconds, every_frames, skip_similar, groups)
        data.detail.update({
            "every_s": seconds,
            "every_frames": every_frames,
            "skip_similar": skip_similar,
            "videos": [taker.take(video) for video in videos],
        })  # fmt: skip
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


def _groups(project: Project) -> dict[str, str]:
    """Return which video each group of the project's frames is of, by its path.

    Frames of a video that is imported twice belong together; two videos may have one name.
    """
    groups: dict[str, str] = {}
    for (text,) in project.db.execute("SELECT detail FROM imports WHERE kind = 'video'"):
        for about in json.loads(text).get("videos", []):
            if "group" in about:
                groups[str(about["group"])] = str(about["path"])
    return groups


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
        groups: Mapping[str, str],
    ) -> None:
        self.data = data
        self.folder = folder
        self.watch = watch
        self.every_s = every_s
        self.every_frames = every_frames
        self.skip_similar = skip_similar
        self.groups = dict(groups)

    def take(self, video: Path) -> dict[str, Any]:
        """Take one video's frames; return what is known of it."""
        from core.data.images.video import VideoReader

        about: dict[str, Any] = {"path": str(video), "frames": 0, "taken": 0, "similar": 0}
        try:
            reader = VideoReader(video)
        except BatmanError as error:
            if not video.is_file():
                raise
            self.data.problems.add("unreadable video", video.name, error.message)
            return about
        about["group"] = group = self._group(video)
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
        return about

    def _frame(
        self, frame: Any, group: str, before: int | None, about: dict[str, Any]
    ) -> int | None:
        """Keep a frame unless it looks like the one before; return the hash to compare with."""
        from PIL import Image

        from core.data.health.scan import dhash

        picture = Image.fromarray(frame.pixels())
        seen = dhash(picture.convert("L")) if self.skip_similar else None
        if before is not None and seen is not None and (before ^ seen).bit_count() <= SIMILAR:
            about["similar"] += 1
            return before
        name = f"{group}_{frame.number:06d}.jpg"
        file = self.folder / f"{len(self.data.images)}.jpg"
        picture.save(file, quality=_QUALITY)
        about["taken"] += 1
        self.data.image(
            Picture(str(file), f"{group}/{name}", name, *picture.size, grp=group, time=frame.time)
        )
        return seen

    def _group(self, video: Path) -> str:
        """Return a name for the video that no other video of the project has."""
        stem = inside(video.stem) or "video"
        group, number = stem, 1
        while self.groups.get(group, str(video)) != str(video):
            number += 1
            group = f"{stem} ({number})"
        self.groups[group] = str(video)
        return group
