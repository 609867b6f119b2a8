"""What the readers of labelling tools share: finding pictures, taking shapes as boxes, saying so.

Coordinates are pixels of the picture as it is seen, turned by its EXIF tag: the tools show it so,
and draw on what they show.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from core.common.errors import ImportFailed
from core.common.text import clean, plural
from core.data.importers.boxes import Box, around
from core.data.importers.coco.json_lists import loads
from core.data.importers.dataset import DataSet, Picture, inside, storable
from core.data.importers.find_picture import Met, Pictures, Unmet, tell
from core.data.importers.image_files import (
    Folders,
    Found,
    is_image,
    no_size,
    place_of,
    plausible,
    read_size,
    walk,
    walk_images,
)
from core.data.importers.report import Watch
from core.data.importers.split_names import split_named

# What a label file of one picture may reach: masks and whole pictures lie in some.
_MOST_BYTES = 2_000_000_000


class LabelledPictures:
    """Fills a `DataSet` from the files of a labelling tool at `source`, a folder or one file."""

    def __init__(self, kind: str, source: Path, watch: Watch) -> None:
        self.source = place_of(source)
        if not self.source.exists():
            raise ImportFailed(f"There is no '{clean(str(self.source))}'.", "Check the path.")
        self.root = self.source if self.source.is_dir() else self.source.parent
        self.data = DataSet(kind, str(self.source))
        self.folders = Folders()
        self.watch = watch
        # The number of each image file that was met, None where it cannot be read.
        self.taken: dict[str, int | None] = {}
        self._pictures = Pictures(self.root, self.folders)
        self._met: dict[tuple[str, ...], Met | None] = {}

    # Files

    def files(self, wanted: Callable[[str], bool]) -> list[Path]:
        """Return the file that was named, or those below the folder whose names are wanted."""
        if self.source.is_file():
            return [self.source]
        return [self.root / name for name in walk(self.root, wanted)]

    def name_of(self, file: Path) -> str:
        """Return a file's path from the data set's folder, as messages have it."""
        return file.relative_to(self.root).as_posix()

    def json(self, file: Path) -> Any:
        """Return what a JSON file holds. Raises `ImportFailed` when it cannot be read as JSON."""
        raw = self.read(file)
        try:
            return msgspec.json.decode(raw.removeprefix(b"\xef\xbb\xbf"))
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            # Python's reader takes NaN and Infinity, and says where a fault is.
            return loads(raw, self.name_of(file))

    def read(self, file: Path) -> bytes:
        """Return the bytes of a file. Raises `ImportFailed`."""
        try:
            if not file.is_file() or file.stat().st_size > _MOST_BYTES:
                raise ImportFailed(
                    f"'{clean(self.name_of(file))}' is no file to read.", "Check the file."
                )
            return file.read_bytes()
        except OSError as error:
            raise ImportFailed(
                f"'{clean(self.name_of(file))}' cannot be read: {error.strerror}.",
                "Check its permissions.",
            ) from None

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
        size: tuple[float, float] | None = None,
        split: str | None = None,
        extra: dict[str, Any] | None = None,
    ) -> int | None:
        """Add the image of the first of these names that is there, and return its number.

        None when there is none, which is told with `where`. A picture that was added before gives
        the number it has. `size` is what the label file says: width and height in pixels.
        """
        key = (*names, str(beside))
        if key not in self._met:
            self._met[key] = self._find(names, where, beside or self.root, split)
        met = self._met[key]
        if met is None:
            return None
        if met.found.path in self.taken:
            return self.taken[met.found.path]
        return self.add(met.found, where, size=size, split=split, extra=extra)

    def add(
        self,
        found: Found,
        where: str,
        *,
        size: tuple[float, float] | None = None,
        split: str | None = None,
        extra: dict[str, Any] | None = None,
    ) -> int | None:
        """Add an image file and return its number, None when it cannot be read."""
        problems = self.data.problems
        self.taken[found.path] = None
        real = read_size(found.path)
        if real is None:
            problems.add("unreadable image", where, no_size(found.path))
            return None
        stated = (round(size[0]), round(size[1])) if size and plausible(*size) else real
        if stated == real[::-1]:
            # The boxes are of the picture as it is stored: `core.data.images.exif_orientation`.
            real = stated
        elif stated != real:
            detail = f"the file is {real[0]} × {real[1]}, labelled as {stated[0]} × {stated[1]}"
            problems.add("image of another size", where, detail, "kept")
        below = Path(found.path)
        name = (
            below.relative_to(self.root).as_posix()
            if below.is_relative_to(self.root)
            else below.name
        )
        safe = inside(name)
        if safe is None:
            problems.add("unsafe file name", where, name)
            return None
        folder = next((part for part in below.parent.parts[::-1] if split_named(part)), None)
        if split is None and folder is not None and name != below.name:
            split = split_named(folder)
            self.data.balance.split(folder, split)
        text = msgspec.json.encode(extra).decode() if extra else None
        picture = Picture(
            *(found.path, self.data.target(None, safe), below.name, *real, split),
            link=found.link,
            extra=text,
        )
        self.taken[found.path] = number = self.data.image(picture)
        return number

    def rest(self, why: str) -> None:
        """Note the images below the folder that no label file spoke of, as left out.

        Of a file that was named itself the folder may be any: what else lies there is not its own.
        """
        if self.source.is_file():
            return
        for name in walk_images(self.root):
            path = f"{self.root}/{name}"
            if path not in self.taken:
                self.data.balance.leave(path, why)

    def _find(
        self, names: Sequence[str], where: str, beside: Path, split: str | None
    ) -> Met | None:
        """Return the picture that one of the names means; tell of a guess, and of none."""
        places = list(dict.fromkeys([str(beside), f"{beside}/images", str(self.root)]))
        places.append(f"{self.root}/images")
        for name in names:
            met = self._pictures.named(name, places) if is_image(name) else None
            if met is not None:
                return met
        met_or_not: Met | Unmet = Unmet("it names no file")
        for name in names[::-1]:
            met_or_not = self._pictures.meant(name, places, taken=self.taken, split=split)
            if isinstance(met_or_not, Met):
                break
        return tell(met_or_not, names[-1] if names else "", where, self.data.problems)

    # Shapes

    def label(self, name: Any, where: str) -> int | None:
        """Return the number of a class, None (told) when it has no name to keep."""
        if not isinstance(name, str) or not name.strip() or not storable(name):
            self.data.problems.add("bad category", where, "the object has no name")
            return None
        return self.data.label(name)

    def box(self, image: int, label: int, box: Box, where: str, said: str = "") -> None:
        """Add a box; `said` names the shape that it is around, when it is no box itself."""
        if self.data.box(image, label, box, where) and said:
            self._said(said, where)

    def outline(
        self, image: int, label: int, points: Sequence[float], where: str, said: str = ""
    ) -> None:
        """Add the box around a polygon given as x, y, x, y, …, which is kept with it."""
        if len(points) < 6 or not all(map(math.isfinite, points)):
            self.data.problems.add("bad shape", where, f"a polygon of {len(points) // 2} points")
            return
        flat = [round(value, 3) for value in points]
        shape = msgspec.json.encode([flat]).decode()
        if self.data.box(image, label, around(flat), where, segmentation=shape) and said:
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


def numbers(value: Any, count: int | None = None) -> list[float] | None:
    """Return a list of finite numbers as floats, None for anything else (or of another length)."""
    if not isinstance(value, list | tuple) or (count is not None and len(value) != count):
        return None
    found = [number(item) for item in value]
    return None if None in found else [item for item in found if item is not None]


def number(value: Any) -> float | None:
    """Return a finite number, also one written as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None
