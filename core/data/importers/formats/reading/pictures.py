"""A data set as it is read: its label files, and the pictures that they name, taken once each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from core.common.errors import ImportFailed
from core.common.text import clean
from core.data.importers import find_picture
from core.data.importers.dataset import DataSet, Picture, inside, storable
from core.data.importers.find_picture import Met, Unmet, tell
from core.data.importers.image_files import (
    Folders,
    Found,
    is_image,
    no_size,
    place_of,
    plausible,
    read_size,
    walk,
)
from core.data.importers.report import Watch
from core.data.importers.split_names import split_of_file

# Width and height in pixels, as a data set says them: what is no number may be None or NaN.
Size = tuple[float | None, float | None]


class Pictures:
    """Fills a `DataSet` from what is at `source`: finds its pictures and takes each once.

    Raises `ImportFailed` when there is nothing at `source`, or, of a `folder`, no folder.
    """

    def __init__(self, kind: str, source: Path, watch: Watch, *, folder: bool = False) -> None:
        self.source = place_of(source)
        if not (self.source.is_dir() if folder else self.source.exists()):
            what = "folder " if folder else ""
            raise ImportFailed(f"There is no {what}'{clean(str(self.source))}'.", "Check the path.")
        self.root = self.source if self.source.is_dir() else self.source.parent
        self.data = DataSet(kind, str(self.source))
        self.watch = watch
        self.folders = Folders()
        # The number of each file that was met, None where it cannot be read.
        self.taken: dict[str, int | None] = {}
        self._stems: dict[str, dict[str, str]] = {}
        self._named = find_picture.Pictures(self.root, self.folders)
        self._met = 0
        # Where pictures lay that labels named, and in which splits those were.
        self._places: dict[str, set[str | None]] = {}

    def files(self, *endings: str) -> list[Path]:
        """Return the file that was named, or those below the folder with one of these endings."""
        if self.source.is_file():
            return [self.source]
        names = walk(self.root, lambda name: name.lower().endswith(endings))
        return [self.root / name for name in names]

    def split_of(self, file: Path) -> str | None:
        """Return, and note, the split by which a list or label file or its folder is called."""
        split = split_of_file(file)
        self.data.balance.split(file.name, split)
        return split

    def find(
        self,
        names: Sequence[str],
        folders: Iterable[Path],
        where: str,
        *,
        split: str | None = None,
        quiet: bool = False,
    ) -> Found | None:
        """Return the picture of the first of these names or paths, in one of the folders or
        elsewhere in the set.

        See `find_picture` for what is tried when none is there as it is spelled; `where` names what
        speaks of it: that another is taken for it is then noted, and, unless `quiet`, that it is
        missing.
        """
        places = list(dict.fromkeys(map(str, folders)))
        for name in names:
            met = self._named.named(name, places)
            if met is not None and is_image(met.found.path):
                return met.found
        # What lies above the set is not searched: it may be somebody's whole disk.
        top = self._named.top
        near = [place for place in places if not f"{top}/".startswith(f"{place}/")]
        guess: Met | Unmet = Unmet("it names no file")
        for name in names[::-1]:
            guess = self._named.meant(name, [*near, top], taken=self.taken, split=split)
            if isinstance(guess, Met):
                break
        if quiet and isinstance(guess, Unmet):
            return None
        told = tell(guess, names[-1] if names else "", where, self.data.problems)
        return told.found if told is not None else None

    def with_stem(self, stem: str, folders: Iterable[Path]) -> Found | None:
        """Return the picture whose name without ending is `stem`, in one of the folders."""
        for folder in folders:
            stems = self._stems.get(str(folder))
            if stems is None:
                stems = {}
                for name in sorted(self.folders.files(str(folder))):
                    if is_image(name) and not name.startswith("."):
                        bare = os.path.splitext(name)[0]  # noqa: PTH122 (a million times)
                        stems.setdefault(bare.casefold(), name)
                self._stems[str(folder)] = stems
            there = stems.get(stem.casefold())
            if there is not None:
                return self.folders.find(str(folder), there)
        return None

    def take(
        self,
        found: Found,
        split: str | None,
        where: str,
        *,
        name: str = "",
        size: Size | None = None,
        grp: str | None = None,
    ) -> int | None:
        """Add a picture and return its number; None when it cannot be read, which is noted.

        `size` is what the data set says of it, in pixels; without one, it is that of the picture
        as its EXIF tag turns it, as programs to label with show it. `name` is its path in the data
        set where that tells more than the file's name.
        """
        if found.path in self.taken:
            return self.taken[found.path]
        if not self._met % 64:
            self.watch.tick("reading", self._met)
        self._met += 1
        self._places.setdefault(found.path.rpartition("/")[0], set()).add(split)
        sides = stated(size)
        if sides is None or found.link:
            real = self.measure(found, where)
            if real is None:
                return None
            sides = sides or real
        name = name or found.path.rpartition("/")[2]
        picture = Picture(found.path, name, name, *sides, split, grp=grp, link=found.link)
        return self.keep(picture, where, folder=split)

    def measure(self, found: Found, where: str) -> tuple[int, int] | None:
        """Return the sides of a picture in pixels, None when it cannot be read, which is noted."""
        self.taken[found.path] = None
        sides = read_size(found.path)
        if sides is None:
            self.data.problems.add("unreadable image", where, no_size(found.path))
        return sides

    def keep(self, picture: Picture, where: str, *, folder: str | None = None) -> int | None:
        """Add a picture, whose target is still its path in the data set, and return its number.

        None when that path leads out of the data set, which is noted.
        """
        self.taken[picture.source] = None
        safe = inside(picture.target)
        if safe is None:
            self.data.problems.add("unsafe file name", where, picture.target)
            return None
        picture.target = self.data.target(folder, safe)
        self.taken[picture.source] = number = self.data.image(picture)
        return number

    def size(self, image: int) -> tuple[int, int]:
        """Return the width and height of a picture that was taken, in pixels."""
        picture = self.data.images[image]
        return picture.width, picture.height

    def missing(self, where: str, wanted: str) -> None:
        """Note that a label's picture is not there."""
        self.data.problems.add("missing image", where, f"no file '{wanted}'")

    def rest_everywhere(self) -> None:
        """Take the pictures beside those that labels named, as by `rest`, once all labels are read.

        Where pictures of several splits lie together, it is not known of which the others are.
        """
        for folder, splits in sorted(self._places.copy().items()):
            self.rest(Path(folder), next(iter(splits)) if len(splits) == 1 else None)

    def rest(self, folder: Path, split: str | None) -> None:
        """Take the pictures in a folder that no label named, as ones that show nothing; say so."""
        for name in sorted(self.folders.files(str(folder))):
            path = f"{folder}/{name}"
            if is_image(name) and not name.startswith(".") and path not in self.taken:
                found = self.folders.find(str(folder), name)
                if found is not None and self.take(found, split, name) is not None:
                    self.data.problems.add(
                        "image without labels", name, "taken as one that shows nothing", "kept"
                    )

    def label(self, name: Any, where: str) -> int | None:
        """Return the number of a class, None for a name that is none, which is noted.

        A whole number is a name too: classes of digits, and ids for which nobody wrote names.
        """
        if isinstance(name, int) and not isinstance(name, bool):
            name = str(name)
        if not isinstance(name, str) or not name.strip() or not storable(name):
            self.data.problems.add("bad category", where, "the object has no name")
            return None
        return self.data.label(name)


def stated(size: Size | None) -> tuple[int, int] | None:
    """Return the sides that a data set says in whole pixels, None where they can be none."""
    width, height = size or (None, None)
    if width is None or height is None or not plausible(width, height):
        return None
    return round(width), round(height)


def as_json(values: dict[str, Any] | None) -> str | None:
    """Return what else a data set says of an object as JSON, None for nothing."""
    return msgspec.json.encode(values).decode() if values else None


def polygon_json(points: Sequence[float]) -> str:
    """Return a polygon given as x, y, x, y, … in pixels, as COCO writes it."""
    return msgspec.json.encode([[round(value, 3) for value in points]]).decode()
