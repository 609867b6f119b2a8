"""What comes in twice: pictures in several splits, byte for byte, objects on themselves, names."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from core.data.importers.dataset import DataSet, Picture
from core.data.importers.report import Watch
from core.late import late

if TYPE_CHECKING:
    import numpy as np
else:
    np = late("numpy")


_TOGETHER = 256


def say_copies(sets: Sequence[DataSet], watch: Watch) -> None:
    """Note each picture whose bytes another split has too, among the problems of its set.

    Sizes are compared first, so that only files that could be equal are read.
    """
    named = [(data, picture) for data in sets for picture in data.images if picture.split]
    if len({picture.split for _, picture in named}) < 2:
        return
    sized: dict[int, list[tuple[DataSet, Picture]]] = defaultdict(list)
    for data, picture in named:
        try:
            sized[os.stat(picture.source).st_size].append((data, picture))  # noqa: PTH116 (a million times)
        except OSError:
            continue
    maybe = [pair for pairs in sized.values() if _in_several(pairs) for pair in pairs]
    equal: dict[bytes, list[tuple[DataSet, Picture]]] = defaultdict(list)
    for number, (data, picture) in enumerate(maybe):
        if number % _TOGETHER == 0:
            watch.tick("comparing", number, len(maybe))
        if digest := _digest(picture.source):
            equal[digest].append((data, picture))
    for pairs in equal.values():
        if _in_several(pairs):
            first = pairs[0][1]
            for data, picture in pairs[1:]:
                if picture.split != first.split:
                    detail = f"the same picture is in {first.split}: '{first.name}'"
                    data.problems.add("same picture in two splits", picture.target, detail, "kept")


def say_twice(data: DataSet) -> None:
    """Note in how many pictures an object lies exactly on another of its class; they are kept."""
    images, labels, boxes = data.columns()
    if len(images) < 2:
        return
    rows = np.column_stack((images, labels, boxes))
    rows = np.ascontiguousarray(rows).view(np.uint64).reshape(len(rows), -1)
    # One number for each object: odd factors mix the bits, and equal rows stay equal.
    mixed = np.zeros(len(rows), np.uint64)
    for column in rows.T:
        mixed = (mixed ^ column) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    order = np.argsort(mixed, kind="stable")
    same = (rows[order][1:] == rows[order][:-1]).all(axis=1)
    twice = order[1:][same]
    for image, count in sorted(Counter(images[twice].tolist()).items()):
        picture = data.images[image]
        times = "an object lies" if count == 1 else f"{count:,} objects lie"
        detail = f"{times} exactly on another of the same class"
        data.problems.add("same object twice", picture.name, detail, "kept")


def say_one_class(data: DataSet) -> None:
    """Note class names that differ by spaces around them alone: the store has one class of them."""
    first: dict[str, str] = {}
    for label in data.labels:
        name = first.setdefault(label.name.strip(), label.name)
        if name != label.name:
            detail = f"it is the class '{name.strip()}', for spaces around a name do not count"
            data.problems.add("duplicate category name", f"'{label.name}'", detail, "kept")


def _in_several(pairs: Iterable[tuple[DataSet, Picture]]) -> bool:
    return len({picture.split for _, picture in pairs}) > 1


def _digest(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (a million times)
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()
    except OSError:
        return b""
