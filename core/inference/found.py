"""What a model found, read back from `detections.coco.json`, and looked at by score and class.

One pass keeps everything from a low score on; a threshold is a view of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from core.common.errors import BatmanError
from core.common.parse import ParseError, parse_json
from core.common.text import clean
from core.inference.records import COCO

KEPT_FROM = 0.05
"""The score from which on everything is kept for looking at: less is never shown to anybody."""

NO_TRACK = -1

Mask = npt.NDArray[np.bool_]


class _Category(msgspec.Struct, gc=False):
    id: int
    name: str


class _Image(msgspec.Struct, gc=False):
    id: int
    file_name: str
    width: int
    height: int
    source: str = ""
    frame: int | None = None
    time: float | None = None


class _Annotation(msgspec.Struct, gc=False):
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    score: float = 1.0
    track_id: int | None = None


class _File(msgspec.Struct, gc=False):
    categories: list[_Category]
    annotations: list[_Annotation]
    images: list[_Image]


@dataclass(frozen=True, slots=True)
class Seen:
    """An image or a video's frame that was looked at; `place` is its place in the list.

    `source` is its file, `frame` the number of the frame, from 0, and None for an image.
    """

    place: int
    name: str
    source: Path
    width: int
    height: int
    frame: int | None = None
    time: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """All that was found, one row a detection, those of an image next to each other.

    `boxes` (N, 4) are left, top, width, height in pixels; `scores` (N,) 0 to 1; `labels` (N,)
    places in `classes`; `tracks` (N,) numbers from 1, `NO_TRACK` without one; `images` (N,) places
    in `seen`; `first` (len(seen) + 1,) where an image's rows begin.
    """

    folder: Path
    classes: list[str]
    seen: list[Seen]
    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int32]
    tracks: npt.NDArray[np.int32]
    images: npt.NDArray[np.int32]
    first: npt.NDArray[np.int64] = field(repr=False)

    @property
    def lowest(self) -> float:
        """The lowest score that was kept, 1 where nothing was found."""
        return float(self.scores.min()) if len(self.scores) else 1.0

    @property
    def tracked(self) -> bool:
        """Whether objects were followed through a video."""
        return bool((self.tracks != NO_TRACK).any())

    def rows(self, place: int) -> slice:
        """Return the rows of an image."""
        return slice(int(self.first[place]), int(self.first[place + 1]))


@dataclass(frozen=True, slots=True)
class Look:
    """What of it is looked at: from the score `least` on, without the classes `off` by place.

    With `track`, only the one of that number in the video `video`.
    """

    least: float = 0.5
    off: frozenset[int] = frozenset()
    track: int | None = None
    video: Path | None = None

    def mask(self, found: Found) -> Mask:
        """Return which detections are shown, (N,)."""
        # The scores of the file are rounded to five places, as the slider's steps are.
        shown = found.scores >= np.float32(self.least - 1e-6)
        if self.off:
            shown &= ~np.isin(found.labels, sorted(self.off))
        if self.track is not None:
            there = np.array([seen.source == self.video for seen in found.seen], bool)
            shown &= (found.tracks == self.track) & there[found.images]
        return shown


@dataclass(frozen=True, slots=True)
class Track:
    """An object that was followed: its number, class and where it was seen.

    `first` and `last` are places of the frames, `frames` how many it is on, `best` its best score.
    """

    number: int
    name: str
    source: Path
    first: int
    last: int
    frames: int
    best: float


def read_found(place: Path) -> Found:
    """Read what a call of `infer` left in a folder, or the JSON that it wrote.

    Raises BatmanError if nothing good is there.
    """
    path = place if place.is_file() else place / COCO
    folder = path.parent
    try:
        content = parse_json(path.read_bytes(), _File)
    except (FileNotFoundError, NotADirectoryError):
        raise BatmanError(
            f"There is no {COCO} in '{clean(str(folder))}'.", "Look with the model again."
        ) from None
    except OSError as error:
        raise BatmanError(f"'{clean(str(path))}' cannot be read: {error.strerror}.") from error
    except ParseError as error:
        raise BatmanError(
            f"'{clean(str(path))}' is not what batman infer writes: {clean(str(error))}.",
            "Look with the model again.",
        ) from None
    label_of = {category.id: place for place, category in enumerate(content.categories)}
    place_of = {image.id: place for place, image in enumerate(content.images)}
    kept = [
        one
        for one in content.annotations
        if one.image_id in place_of and one.category_id in label_of
    ]
    if len(kept) < len(content.annotations):
        raise BatmanError(
            f"'{clean(str(path))}' speaks of images or classes that it does not list.",
            "Look with the model again.",
        )
    images = np.array([place_of[one.image_id] for one in kept], np.int32)
    order = np.argsort(images, kind="stable")
    images = images[order]
    rows = [kept[at] for at in order]
    return Found(
        folder=folder,
        classes=[category.name for category in content.categories],
        seen=[
            Seen(at, one.file_name, Path(one.source), one.width, one.height, one.frame, one.time)
            for at, one in enumerate(content.images)
        ],
        boxes=np.array([one.bbox for one in rows], np.float32).reshape(-1, 4),
        scores=np.array([one.score for one in rows], np.float32),
        labels=np.array([label_of[one.category_id] for one in rows], np.int32),
        tracks=np.array(
            [NO_TRACK if one.track_id is None else one.track_id for one in rows], np.int32
        ),
        images=images,
        first=np.searchsorted(images, np.arange(len(content.images) + 1)).astype(np.int64),
    )


class OnImages(NamedTuple):
    """How many of the detections that are shown each image has, and the best one's score.

    Both are (images,); the score is 0 where there is none.
    """

    counts: npt.NDArray[np.int64]
    best: npt.NDArray[np.float32]


def on_images(found: Found, shown: Mask) -> OnImages:
    """Return what is shown on each image."""
    images = found.images[shown]
    best = np.zeros(len(found.seen), np.float32)
    np.maximum.at(best, images, found.scores[shown])
    return OnImages(np.bincount(images, minlength=len(found.seen)).astype(np.int64), best)


def by_class(found: Found, least: float) -> list[int]:
    """Return how many detections of each class there are from a score on."""
    strong = Look(least).mask(found)
    return [int(n) for n in np.bincount(found.labels[strong], minlength=len(found.classes))]


def tracks(found: Found, shown: Mask) -> list[Track]:
    """Return the objects that were followed, of what is shown: those seen longest first.

    Their class is the one that they have most often: a tracker goes by boxes alone. Numbers begin
    anew with each video.
    """
    rows = np.flatnonzero(shown & (found.tracks != NO_TRACK))
    if not len(rows):
        return []
    videos: dict[Path, int] = {}
    video_of = np.array([videos.setdefault(seen.source, len(videos)) for seen in found.seen])
    # Groups of rows: one for each video and number.
    numbers, places = found.tracks[rows].astype(np.int64), found.images[rows].astype(np.int64)
    keys = video_of[places] * (int(numbers.max()) + 1) + numbers
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    count = len(first)
    classes = len(found.classes)
    labels = np.bincount(group * classes + found.labels[rows], minlength=count * classes)
    frames = np.bincount(np.unique(group * len(found.seen) + places) // len(found.seen))
    begins, ends = np.full(count, len(found.seen)), np.full(count, -1)
    np.minimum.at(begins, group, places)
    np.maximum.at(ends, group, places)
    best = np.zeros(count, np.float32)
    np.maximum.at(best, group, found.scores[rows])
    made = [
        Track(
            int(numbers[first[at]]), found.classes[label], found.seen[begins[at]].source,
            int(begins[at]), int(ends[at]), int(frames[at]), float(best[at]),
        )
        for at, label in enumerate(labels.reshape(count, classes).argmax(axis=1).tolist())
    ]  # fmt: skip
    return sorted(made, key=lambda track: (-track.frames, track.first, track.number))
