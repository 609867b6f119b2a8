"""What a reader found in a data set, before any of it is in the project.

Readers of formats only fill a `DataSet`; `core.data.importers.commit` takes it into the store. A
broken file therefore fails before anything is touched, and the store is locked for the writing
only.
"""

from __future__ import annotations

import math
import re
from array import array
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from core.common.errors import BadName
from core.common.files import safe_relative
from core.data.importers.balance import Balance
from core.data.importers.boxes import Box, describe, fit
from core.data.importers.report import Problems
from core.data.labels.provenance import Made, Reviewed, Track
from core.late import late

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = late("numpy")


Value = TypeVar("Value")
# What nearly every file name is; the others are looked at more closely.
_PLAIN = r"[A-Za-z0-9_][A-Za-z0-9_. ()+-]{0,200}"
plain = re.compile(_PLAIN).fullmatch
# Nearer than this, relative, an area is that of the box: sums of floating point numbers differ.
AREA_DIGITS = 1e-9
# Many names at once, a line each.
plain_lines = re.compile(rf"{_PLAIN}(?:\n{_PLAIN})*+").fullmatch


class Picture(msgspec.Struct, gc=False):
    """One image: where its file lies now, and where below the import's folder it shall lie.

    `link` says that `source` is a symbolic link; `name` is the file name as the data set had it;
    `extra` is what else it said of the image, as JSON; `reviewed` what it said of its review.
    """

    source: str
    target: str
    name: str
    width: int
    height: int
    split: str | None = None
    grp: str | None = None
    time: float | None = None
    link: bool = False
    extra: str | None = None
    reviewed: Reviewed | None = None


class Label(msgspec.Struct, gc=False):
    """A class name as the data set has it. An `idle` one goes when it has no annotation."""

    name: str
    supercategory: str | None = None
    idle: bool = False


class DataSet:
    """Images, class names, boxes in columns, and the problems met on the way.

    `at` is when it was imported first, if that was not now (ISO 8601, UTC). `attachments` are
    files that come along with the images and are no images, such as videos.
    """

    def __init__(self, kind: str, origin: str, at: str | None = None) -> None:
        self.kind = kind
        self.origin = origin
        self.at = at
        self.images: list[Picture] = []
        self.attachments: list[Picture] = []
        self.labels: list[Label] = []
        self.problems = Problems()
        self.balance = Balance()
        # The balance as it is reported, and how many images and boxes it counts of this set.
        self.weighed: tuple[dict[str, Any], int, int] | None = None
        self.detail: dict[str, Any] = {}
        self.iscrowd: dict[int, int] = {}
        self.segmentation: dict[int, str] = {}
        self.extra: dict[int, str] = {}
        self.area: dict[int, float] = {}
        self.made: dict[int, Made] = {}
        self.tracks: dict[tuple[str, str], Track] = {}
        self._label_ids: dict[str, int] = {}
        self._image = array("i")
        self._label = array("i")
        self._box = array("d")

    def __len__(self) -> int:
        return len(self._image)

    def label(self, name: str, supercategory: str | None = None, *, idle: bool = False) -> int:
        """Return the number of the class name, which is added when it is new."""
        number = self._label_ids.setdefault(name, len(self.labels))
        if number == len(self.labels):
            self.labels.append(Label(name, supercategory, idle))
        elif not idle:
            self.labels[number].idle = False
        return number

    def image(self, picture: Picture) -> int:
        """Add an image and return its number."""
        self.images.append(picture)
        return len(self.images) - 1

    def target(self, split: str | None, name: str) -> str:
        """Return where below the import's folder an image of this name shall lie."""
        return f"{split}/{name}" if split else name

    def group_copies(self) -> None:
        """Put copies of a picture that Roboflow augmented into one group.

        It calls them `NAME.rf.HASH.jpg`. A split that was drawn anew would else put one into train
        and its brother into valid.
        """
        copies: dict[str, list[Picture]] = {}
        for picture in self.images:
            if ".rf." in picture.name and picture.grp is None:
                stem = picture.name.rpartition("/")[2].partition(".rf.")[0]
                copies.setdefault(stem, []).append(picture)
        for stem, pictures in copies.items():
            if len(pictures) > 1 and stem:
                for picture in pictures:
                    picture.grp = f"{stem}.rf"

    def part_targets(self) -> None:
        """Give images that would lie at the same place, in any case, places of their own."""
        pictures = [*self.images, *self.attachments]
        taken: set[str] = {picture.target.casefold() for picture in pictures}
        if len(taken) == len(pictures):
            return
        seen: set[str] = set()
        for picture in pictures:
            key = picture.target.casefold()
            if key in seen:
                stem, dot, suffix = picture.target.rpartition(".")
                number = 1
                while (wanted := f"{stem}~{number}{dot}{suffix}").casefold() in taken:
                    number += 1
                picture.target = wanted
                key = wanted.casefold()
                taken.add(key)
            seen.add(key)

    def box(
        self,
        image: int,
        label: int,
        box: Box,
        where: str,
        *,
        iscrowd: int = 0,
        segmentation: str | None = None,
        extra: str | None = None,
        area: float | None = None,
        made: Made | None = None,
        corners: bool = False,
    ) -> bool:
        """Add a box by the rules of `boxes`; `where` names it should it be at fault.

        With `corners` the data set has two corners of it: a width or height below zero says that
        they are swapped, as who draws from the lower right makes them, and they are put in order.
        `area` is the object's in pixels as the data set gave it, None when it did not; `made` what
        it said of where the box is from.
        """
        picture = self.images[image]
        if corners and (box[2] < 0 or box[3] < 0):
            x, y, w, h = box
            box = (min(x, x + w), min(y, y + h), abs(w), abs(h))
            detail = f"x {x:g} to {x + w:g}, y {y:g} to {y + h:g}: put in order"
            self.problems.add("corners swapped", where, detail, "kept")
        taken, wrong, action = fit(box, picture.width, picture.height)
        if wrong:
            size = f"the image is {picture.width} × {picture.height}"
            self.problems.add(wrong, where, f"{describe(box)}; {size}", action)
        if taken is None:
            return False
        if wrong:
            if 2 * taken[2] * taken[3] < box[2] * box[3]:
                self.balance.suspect("cut")
            # What is no box may be two corners within the picture.
            x, y, w, h = box
            if not (0 <= x < w <= picture.width and 0 <= y < h <= picture.height):
                self.balance.suspect("no corners")
        row = len(self._image)
        self._image.append(image)
        self._label.append(label)
        self._box.extend(taken)
        if iscrowd:
            self.iscrowd[row] = iscrowd
        if segmentation is not None:
            self.segmentation[row] = segmentation
        if extra is not None:
            self.extra[row] = extra
        if area is not None and area_counts(area, box, taken):
            self.area[row] = area
        if made is not None:
            self.made[row] = made
        return True

    def rows(
        self, images: NDArray[np.int32], labels: NDArray[np.int32], boxes: NDArray[np.float64]
    ) -> int:
        """Add boxes that obey the rules already, (n,), (n,) and (n, 4); return the first's row."""
        first = len(self._image)
        self._image.frombytes(np.ascontiguousarray(images, np.int32).tobytes())
        self._label.frombytes(np.ascontiguousarray(labels, np.int32).tobytes())
        self._box.frombytes(np.ascontiguousarray(boxes, np.float64).tobytes())
        return first

    def areas(self, areas: NDArray[np.float64], boxes: NDArray[np.float64], first: int) -> None:
        """Note the areas (n,) that the data set gave for `boxes` (n, 4), the rows from `first` on.

        Not a number where it gave none.
        """
        of_box = boxes[:, 2] * boxes[:, 3]
        with np.errstate(invalid="ignore"):
            told = (areas > 0) & (areas < np.inf)
            told &= np.abs(areas - of_box) > AREA_DIGITS * np.maximum(areas, of_box)
        for row in np.flatnonzero(told).tolist():
            self.area[first + row] = float(areas[row])

    def drop(self, images: set[int]) -> None:
        """Take out images, by number, with their boxes; the others are numbered anew."""
        if not images:
            return
        of_image, of_label, boxes = self.columns()
        kept = [number for number in range(len(self.images)) if number not in images]
        renumbered = np.full(len(self.images), -1, np.int32)
        renumbered[kept] = np.arange(len(kept))
        rows = np.flatnonzero(renumbered[of_image] >= 0)
        of_image, of_label, boxes = renumbered[of_image[rows]], of_label[rows], boxes[rows]
        self.images = [self.images[number] for number in kept]
        self._image, self._label, self._box = array("i"), array("i"), array("d")
        self.rows(of_image, of_label, boxes)
        self.iscrowd = _at(self.iscrowd, rows)
        self.segmentation = _at(self.segmentation, rows)
        self.extra = _at(self.extra, rows)
        self.area = _at(self.area, rows)
        self.made = _at(self.made, rows)

    def columns(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
        """Return image numbers (n,), label numbers (n,) and boxes (n, 4), in the order added."""
        return (
            np.frombuffer(self._image, np.int32),
            np.frombuffer(self._label, np.int32),
            np.frombuffer(self._box, np.float64).reshape(-1, 4),
        )


def area_counts(area: float, box: Box, taken: Box) -> bool:
    """Whether an area that a data set gave says more than the box that was taken.

    It does when it is a number above zero and not the area of the box. Of a box that was clipped
    it may be too large: then it is not believed.
    """
    if not 0 < area < math.inf or math.isclose(area, box[2] * box[3], rel_tol=AREA_DIGITS):
        return False
    return taken == box or area <= taken[2] * taken[3]


def _at(column: dict[int, Value], rows: NDArray[np.int64]) -> dict[int, Value]:
    """Return what a sparse column has at these rows, by their places."""
    return {at: column[row] for at, row in enumerate(rows.tolist()) if row in column}


def storable(text: str) -> bool:
    """Whether SQLite and the terminal world can hold `text`: valid Unicode without NUL."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def inside(name: str) -> str | None:
    """Return a file name from a data set as a relative path with slashes, None for unsafe ones."""
    if plain(name):
        return name
    try:
        return str(safe_relative(name)) if storable(name) else None
    except (BadName, UnicodeError):
        return None


def ends(name: str) -> list[str]:
    """Return the safe ends of a path that leads elsewhere, the longest (of four parts) first.

    `/home/me/set/images/a.jpg` and `C:\\set\\images\\a.jpg`, as another machine wrote them, may
    mean the `images/a.jpg` that came along.
    """
    parts = [part for part in re.split(r"[\\/]+", name) if part not in ("", ".", "..")][-4:]
    found = (inside("/".join(parts[start:])) for start in range(len(parts)))
    return [end for end in found if end is not None]
