"""The pictures of an export by video: a folder for each, below its split, frames in their order.

Pictures of no video are a sequence of their own.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from core.data.exporters.snapshot import Image, Snapshot
from core.data.labels.tracks.view import picture_order

_LOOSE = "pictures"


class Frame(NamedTuple):
    """Where a picture is in the export: its sequence's folder and its number there."""

    folder: str
    number: int


@dataclass(frozen=True)
class Sequence:
    """A video in a split (None: pictures of no video), its pictures in their order."""

    video: str | None
    images: list[Image]


class Sequences:
    """The pictures of one export by sequence.

    Their files are called by `pattern`, such as `img1/{:06d}`, with their number from `first` on.
    """

    def __init__(self, pattern: str, first: int) -> None:
        self._pattern = pattern
        self._first = first
        self.frames: dict[int, Frame] = {}
        self.of: dict[str, Sequence] = {}

    def place(self, snapshot: Snapshot, image: Image) -> str:
        """Return where a picture lies."""
        if not self.frames:
            self._number(snapshot)
        frame = self.frames[image.id]
        ending = Path(image.name).suffix
        return f"{frame.folder}/{self._pattern.format(frame.number)}{ending}"

    def _number(self, snapshot: Snapshot) -> None:
        videos: dict[tuple[str, str | None], list[Image]] = defaultdict(list)
        for image in snapshot.images:
            videos[image.split, image.grp].append(image)
        taken: set[str] = set()
        for (split, video), images in sorted(videos.items(), key=lambda item: str(item[0])):
            base = re.sub(r"[^\w.() -]+", "_", video or _LOOSE).strip(". ")[:100] or "video"
            name, number = f"{split}/{base}", 1
            while name.casefold() in taken:
                number += 1
                name = f"{split}/{base}_{number}"
            taken.add(name.casefold())
            images.sort(key=lambda image: picture_order(image.time, image.original, image.id))
            self.of[name] = Sequence(video, images)
            for place, image in enumerate(images, self._first):
                self.frames[image.id] = Frame(name, place)
