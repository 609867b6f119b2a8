"""The pictures that labels name: found, measured and taken once each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from core.data.importers import find_picture
from core.data.importers.dataset import DataSet, Picture, inside, storable
from core.data.importers.find_picture import Met, tell
from core.data.importers.image_files import (
    Folders,
    Found,
    is_image,
    no_size,
    plausible,
    read_size,
)
from core.data.importers.report import Watch


class Pictures:
    """Finds the pictures of a data set below `root` and adds them to `data`."""

    def __init__(self, data: DataSet, root: Path, watch: Watch) -> None:
        self.data = data
        self.root = root
        self.watch = watch
        self.folders = Folders()
        # The number of each file that was met, None where it cannot be read.
        self.taken: dict[str, int | None] = {}
        self._stems: dict[str, dict[str, str]] = {}
        top = root if root.is_dir() else root.parent
        self._named = find_picture.Pictures(top, self.folders)
        self._met = 0
        # Where pictures lay that labels named, and in which splits those were.
        self._places: dict[str, set[str | None]] = {}

    def find(self, name: str, folders: Iterable[Path], where: str = "") -> Found | None:
        """Return the picture of that name or path, in one of the folders or elsewhere in the set.

        See `find_picture` for what is tried when it is not there as it is spelled; `where` names
        what speaks of it: a picture that is taken for it is then noted, and one that is missing.
        """
        places = list(dict.fromkeys(map(str, folders)))
        met = self._named.named(name, places)
        if met is not None and is_image(met.found.path):
            return met.found
        # What lies above the set is not searched: it may be somebody's whole disk.
        near = [place for place in places if not f"{self._named.top}/".startswith(f"{place}/")]
        guess = self._named.meant(name, [*near, self._named.top], taken=self.taken)
        if where:
            met = tell(guess, name, where, self.data.problems)
        else:
            met = guess if isinstance(guess, Met) else None
        return met.found if met is not None else None

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
        size: tuple[float, float] | None = None,
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
        self.taken[found.path] = None
        self._places.setdefault(found.path.rpartition("/")[0], set()).add(split)
        real = None
        if size is None or not plausible(*size) or found.link:
            real = read_size(found.path)
            if real is None:
                self.data.problems.add("unreadable image", where, no_size(found.path))
                return None
        name = name or found.path.rpartition("/")[2]
        safe = inside(name)
        if safe is None:
            self.data.problems.add("unsafe file name", where, name)
            return None
        stated = size if size is not None and plausible(*size) else real
        assert stated is not None
        target = self.data.target(split, safe)
        width, height = round(stated[0]), round(stated[1])
        picture = Picture(found.path, target, name, width, height, split, grp=grp, link=found.link)
        self.taken[found.path] = number = self.data.image(picture)
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

    def label(self, name: str, where: str) -> int | None:
        """Return the number of a class, None for a name that is none, which is noted."""
        if not name.strip() or not storable(name):
            self.data.problems.add("bad category", where, "the object has no name")
            return None
        return self.data.label(name)


def as_json(values: dict[str, object]) -> str | None:
    """Return what else a data set says of an object as JSON, None for nothing."""
    return msgspec.json.encode(values).decode() if values else None


def polygon_json(points: Sequence[float]) -> str:
    """Return a polygon given as x, y, x, y, … in pixels, as COCO writes it."""
    return msgspec.json.encode([[round(value, 3) for value in points]]).decode()
