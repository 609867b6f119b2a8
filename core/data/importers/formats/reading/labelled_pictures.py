"""What the readers of labelling tools share: finding pictures, taking shapes as boxes, saying so.

Coordinates are pixels of the picture as it is seen, turned by its EXIF tag: the tools show it so,
and draw on what they show.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from core.common.errors import ImportFailed
from core.common.text import clean, plural
from core.data.importers.boxes import Box, around
from core.data.importers.dataset import DataSet, Picture
from core.data.importers.formats.reading.json_records import json_file
from core.data.importers.formats.reading.pictures import (
    Pictures,
    Size,
    as_json,
    polygon_json,
    stated,
)
from core.data.importers.formats.reading.text_files import bytes_of
from core.data.importers.image_files import Found, walk_images
from core.data.importers.report import Watch
from core.data.importers.split_names import split_named


class LabelledPictures(Pictures):
    """Fills a `DataSet` from the files of a labelling tool at `source`, a folder or one file."""

    def __init__(self, kind: str, source: Path, watch: Watch) -> None:
        super().__init__(kind, source, watch)
        self._found: dict[tuple[str, ...], Found | None] = {}

    # Files

    def name_of(self, file: Path) -> str:
        """Return a file's path from the data set's folder, as messages have it."""
        return file.relative_to(self.root).as_posix()

    def json(self, file: Path) -> Any:
        """Return what a JSON file holds. Raises `ImportFailed` when it cannot be read as JSON."""
        return json_file(file, self.name_of(file))

    def read(self, file: Path) -> bytes:
        """Return the bytes of a file. Raises `ImportFailed`."""
        return bytes_of(file, self.name_of(file))

    def each_json(self, files: Sequence[Path]) -> Iterator[tuple[Path, Any]]:
        """Yield the files with what they hold; one that is damaged is left out and told."""
        for number, file in enumerate(files):
            if not number % 32:
                self.watch.tick("reading", number, len(files))
            try:
                value = self.json(file)
            except ImportFailed as error:
                self.refuse(file, error.message)
                continue
            yield file, value

    def refuse(self, file: Path, why: str) -> None:
        """Leave out a label file that cannot be read, and tell."""
        self.data.problems.add("unreadable annotation file", self.name_of(file), why[:200])
        self.data.balance.leave(str(file), why[:200])

    def other(self, file: Path, why: str) -> None:
        """Leave out a file that is of another kind, and tell."""
        self.data.problems.add("other file", self.name_of(file), why)
        self.data.balance.leave(str(file), why)

    # Pictures

    def picture(
        self,
        names: Sequence[str],
        where: str,
        *,
        beside: Path | None = None,
        size: Size | None = None,
        split: str | None = None,
        extra: dict[str, Any] | None = None,
        instead: Callable[[], Found | None] | None = None,
    ) -> int | None:
        """Add the image of the first of these names that is there, and return its number.

        None when there is none, which is told with `where`; `instead` is asked for one first. A
        picture that was added before gives the number it has. `size` is what the label file says:
        width and height in pixels.
        """
        beside = beside or self.root
        key = (*names, str(beside))
        if key not in self._found:
            places = [beside, beside / "images", self.root, self.root / "images"]
            found = self.find(names, places, where, split=split, quiet=instead is not None)
            self._found[key] = instead() if found is None and instead is not None else found
        found = self._found[key]
        if found is None:
            return None
        if found.path in self.taken:
            return self.taken[found.path]
        return self.add(found, where, size=size, split=split, extra=extra)

    def add(
        self,
        found: Found,
        where: str,
        *,
        size: Size | None = None,
        split: str | None = None,
        extra: dict[str, Any] | None = None,
    ) -> int | None:
        """Add an image file and return its number, None when it cannot be read."""
        real = self.measure(found, where)
        if real is None:
            return None
        said = stated(size) or real
        if said == real[::-1]:
            # The boxes are of the picture as it is stored: `core.data.images.exif_orientation`.
            real = said
        elif said != real:
            detail = f"the file is {real[0]} × {real[1]}, labelled as {said[0]} × {said[1]}"
            self.data.problems.add("image of another size", where, detail, "kept")
        below = Path(found.path)
        name = self.name_of(below) if below.is_relative_to(self.root) else below.name
        folder = next((part for part in below.parent.parts[::-1] if split_named(part)), None)
        if split is None and folder is not None and name != below.name:
            split = split_named(folder)
            self.data.balance.split(folder, split)
        picture = Picture(
            found.path, name, below.name, *real, split, link=found.link, extra=as_json(extra)
        )
        return self.keep(picture, where)

    def leave_rest(self, why: str) -> None:
        """Note the images below the folder that no label file spoke of, as left out.

        Of a file that was named itself the folder may be any: what else lies there is not its own.
        """
        if self.source.is_file():
            return
        for name in walk_images(self.root):
            path = f"{self.root}/{name}"
            if path not in self.taken:
                self.data.balance.leave(path, why)

    # Shapes

    def box(
        self,
        image: int,
        label: int,
        box: Box,
        where: str,
        said: str = "",
        *,
        area: float | None = None,
    ) -> None:
        """Add a box; `said` names the shape that it is around, when it is no box itself.

        `area` is the shape's in pixels, where it is known.
        """
        if self.data.box(image, label, box, where, area=area) and said:
            self._said(said, where)

    def outline(
        self, image: int, label: int, points: Sequence[float], where: str, said: str = ""
    ) -> None:
        """Add the box around a polygon given as x, y, x, y, …, which is kept with it."""
        if len(points) < 6 or not all(map(math.isfinite, points)):
            self.data.problems.add("bad shape", where, f"a polygon of {len(points) // 2} points")
            return
        shape = polygon_json(points)
        if self.data.box(image, label, around(list(points)), where, segmentation=shape) and said:
            self._said(said, where)

    def turned(
        self, image: int, label: int, box: Box, angle: float, about: tuple[float, float], where: str
    ) -> None:
        """Add a box that is turned by `angle` degrees, clockwise as seen, about a point."""
        if not angle % 360 or not math.isfinite(angle):
            return self.box(image, label, box, where)
        x, y, w, h = box
        corners = [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
        points = [value for corner in corners for value in rotated(corner, angle, about)]
        return self.outline(image, label, points, where, "a turned box")

    def _said(self, shape: str, where: str) -> None:
        self.data.problems.add(
            "shape taken as a box", where, f"the box around {shape} is taken", "kept"
        )

    def finish(self, what: str) -> DataSet:
        """Return the data set; `what` names its label files in the plural.

        Raises `ImportFailed` when there is none of them, or no picture of any.
        """
        problems, balance = self.data.problems, self.data.balance
        place = clean(str(self.source))
        wrong = [
            p for p in problems.listed if p.kind in ("unreadable annotation file", "other file")
        ]
        if not balance.used and not balance.unmet:
            hint = f"{clean(wrong[0].where)}: {clean(wrong[0].detail)}." if wrong else ""
            raise ImportFailed(f"There are no {what} in '{place}'.", hint or "Check the path.")
        kinds = ("missing image", "unsafe file name")
        missing = [p for p in problems.listed if p.kind in kinds and p.action == "left out"]
        if not self.data.images and missing:
            count = sum(problems.counts[kind] for kind in kinds)
            raise ImportFailed(
                f"None of the {plural(count, 'picture')} of {what} in '{place}' is there:"
                f" {clean(missing[0].detail)}.",
                "Export the pictures too, or put them beside the label files.",
            )
        self.data.group_copies()
        return self.data


def rotated(
    point: tuple[float, float], angle: float, about: tuple[float, float]
) -> tuple[float, float]:
    """Return a point turned by degrees about another, clockwise where y grows downwards."""
    turn = math.radians(angle)
    x, y = point[0] - about[0], point[1] - about[1]
    return (
        about[0] + x * math.cos(turn) - y * math.sin(turn),
        about[1] + x * math.sin(turn) + y * math.cos(turn),
    )


def ellipse_box(x: float, y: float, rx: float, ry: float, angle: float) -> Box:
    """Return the box around an ellipse of half axes `rx` and `ry`, turned by degrees."""
    turn = math.radians(angle)
    across = math.hypot(rx * math.cos(turn), ry * math.sin(turn))
    down = math.hypot(rx * math.sin(turn), ry * math.cos(turn))
    return x - across, y - down, 2 * across, 2 * down
