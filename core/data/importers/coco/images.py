"""The images of a COCO file: each record's file, where it lies or is meant to, and its size."""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from typing import Any

from core.common.errors import ImportFailed
from core.common.text import clean, plural
from core.data.importers.coco.id_map import IdMap
from core.data.importers.coco.json_lists import BadRecord, Lists
from core.data.importers.coco.layout import CocoFile
from core.data.importers.coco.own_keys import OfImage, group_of, review_of
from core.data.importers.coco.records import IMAGES, Image, image, key_of
from core.data.importers.dataset import DataSet, Picture, inside, plain_lines
from core.data.importers.find_picture import Pictures, tell
from core.data.importers.image_files import (
    LARGEST_SIDE,
    Folders,
    Found,
    is_image,
    no_size,
    plausible,
    read_size,
)
from core.data.importers.report import Watch


class CocoImages:
    """Takes the images of one file into the data set; `bad` is told of records that are none.

    `ids` has the number of each image in the data set by its id in the file, `left_out` the ids of
    those whose files are not there or cannot be read.
    """

    def __init__(
        self,
        data: DataSet,
        file: CocoFile,
        folders: Folders,
        pictures: Pictures,
        watch: Watch,
        bad: Callable[[BadRecord], None],
    ) -> None:
        self.data = data
        self.file = file
        self.folders = folders
        self.pictures = pictures
        self.watch = watch
        self.places = [str(folder) for folder in file.folders]
        self.ids = IdMap()
        self.left_out: set[Any] = set()
        self._bad = bad
        # Images that are not there by the names they have: looked for when all others are known.
        self._unmet: list[tuple[Any, Image]] = []

    def read(self, lists: Lists) -> None:
        """Take the images; raises `ImportFailed` when the file of none of them is there."""
        first = len(self.data.images)
        count = 0
        seen: dict[str, int] = {}
        for part in lists.records("images", IMAGES, image, self._bad):
            self._image_part(part, seen)
            count += len(part)
            self.watch.tick("reading", count)
        self._meant(seen)
        self.ids.build()
        if count and len(self.data.images) == first and self.data.problems.counts["missing image"]:
            looked = ", ".join(f"'{clean(place)}'" for place in self.places[:4])
            name = next(p for p in self.data.problems.listed if p.kind == "missing image").detail
            raise ImportFailed(
                f"None of the {plural(count, 'image')} of '{clean(self.file.name)}' is there:"
                f" {clean(name)}.",
                f"Put the images beside the file, or name their folder with --images; looked in"
                f" {looked}.",
            )

    def _image_part(self, part: list[Image], seen: dict[str, int]) -> None:
        """Take image records: together when nothing is odd about any of them, else one by one."""
        data, split = self.data, self.file.split
        # Nearly all images lie in the one folder in which the first was found.
        first = self._home(part)
        files = self.folders.files(first) if first else {}
        numbers, pictures = self.ids.numbers, data.images
        source, target = f"{first}/", f"{split}/" if split else ""
        keys = [record.id for record in part]
        names = [record.file_name for record in part]
        widths = [record.width for record in part]
        heights = [record.height for record in part]
        if (
            all(type(key) is int for key in keys)
            and _sides(widths)
            and _sides(heights)
            and not any(map(files.get, names, repeat(True)))
            and plain_lines(lines := "\n".join(names))
            and lines.count("\n") == len(part) - 1
            and len({*keys}) == len({*names}) == len(part)
            and numbers.keys().isdisjoint(keys)
            and seen.keys().isdisjoint(paths := [source + name for name in names])
        ):
            places = range(len(pictures), len(pictures) + len(part))
            numbers.update(zip(keys, places, strict=True))
            seen.update(zip(paths, places, strict=True))
            targets = [target + name for name in names] if target else names
            pictures.extend(map(Picture, paths, targets, names, widths, heights, repeat(split)))
            for place, record in zip(places, part, strict=True):
                if record.batman is not None:
                    _note(pictures[place], record.batman)
            return
        for record in part:
            self._image(record, seen)

    def _image(self, record: Image, seen: dict[str, int]) -> None:
        key, name = record.id, record.file_name
        problems = self.data.problems
        if type(key) is not int:
            try:
                key = key_of(key, f"image {key}")
            except BadRecord as error:
                return self._bad(error)
        if key in self.ids:
            return problems.add("duplicate image id", self._where(f"image {key}"), name)
        relative = inside(name)
        found = relative and self._find(relative)
        if not relative or not found:
            self._unmet.append((key, record))
            return None
        return self._take(key, record, name, relative, found, seen)

    def _meant(self, seen: dict[str, int]) -> None:
        """Take the images whose names mean another file than the one they spell, and say so."""
        unmet, self._unmet = self._unmet, []
        names = [record.file_name for _, record in unmet]
        met = self.pictures.all_meant(names, self.places, taken=seen, split=self.file.split)
        for key, record in unmet:
            name, where = record.file_name, self._where(f"image {key}")
            if key in self.ids:
                self.data.problems.add("duplicate image id", where, name)
                continue
            found = tell(met[name], name, where, self.data.problems)
            if found is None:
                self.left_out.add(key)
            else:
                self._take(key, record, found.name, found.name, found.found, seen)

    def _take(
        self,
        key: Any,
        record: Image,
        name: str,
        relative: str,
        found: Found,
        seen: dict[str, int],
    ) -> None:
        """Take an image whose file was found, `relative` to the place where it lies."""
        problems = self.data.problems
        path, link = found
        width, height = record.width, record.height
        if path in seen:
            detail = f"'{name}' has another record; its annotations are taken together"
            problems.add("image listed twice", self._where(f"image {key}"), detail, "kept")
            return self.ids.add(key, seen[path])
        if link or not width or not height or not plausible(width, height):
            size = read_size(path)
            if size is None:
                self.data.balance.leave(path, "it cannot be read")
                self.left_out.add(key)
                where = self._where(f"image {key}")
                return problems.add("unreadable image", where, f"'{name}': {no_size(path)}")
            if not width or not height or not plausible(width, height):
                width, height = size
        split = self.file.split
        target = self.data.target(split, relative)
        picture = Picture(path, target, name, round(width), round(height), split, link=link)
        if record.batman is not None:
            _note(picture, record.batman)
        seen[path] = number = self.data.image(picture)
        return self.ids.add(key, number)

    def _home(self, part: list[Image]) -> str:
        """Return the place of the first image, if no place that comes before it has any image."""
        name = inside(part[0].file_name) if part else None
        for place in self.places if name else ():
            if name and self.folders.find(place, name):
                return place
            if any(map(is_image, self.folders.files(place))):
                return ""
        return ""

    def _find(self, relative: str) -> Found | None:
        for place in self.places:
            if (found := self.folders.find(place, relative)) is not None:
                return found
        return None

    def _where(self, what: str) -> str:
        return f"{self.file.name}: {what}"


def _note(picture: Picture, said: OfImage) -> None:
    """Note what one of our own files says of an image."""
    picture.reviewed = review_of(said)
    picture.grp, picture.time = group_of(said)


def _sides(values: list[Any]) -> bool:
    """Whether all are widths or heights that an image can have."""
    return {*map(type, values)} == {int} and min(values) > 0 and max(values) <= LARGEST_SIDE
