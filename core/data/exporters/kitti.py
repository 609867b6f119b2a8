"""KITTI: `image_2` and `label_2` in `training`, `validation` and `testing`.

A line has the 15 values of the object development kit's readme; those of three dimensions are what
the kit writes for unknown ones (alpha -10, sizes -1, place -1000, rotation -10; as its `DontCare`
lines have). Values are separated by spaces, so that a class name's own become `_`, which is
counted. Crowd regions are left out; `DontCare` is of no class.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from core.data.exporters.snapshot import Image, Snapshot
from core.data.exporters.writing import Labelled, decimal, export_labels

_FOLDERS = {"train": "training", "valid": "validation", "test": "testing"}
_UNKNOWN = "-1 -1 -1 -1000 -1000 -1000 -10"


def _place(_snapshot: Snapshot, image: Image) -> str:
    return f"{_FOLDERS[image.split]}/image_2/{image.name}"


def _write(snapshot: Snapshot, folder: Path, labelled: Labelled) -> None:
    for split in snapshot.splits():
        (folder / _FOLDERS[split] / "label_2").mkdir()
    names = _names(snapshot.classes)
    changed = sum(name != written for name, written in zip(snapshot.classes, names, strict=True))
    labelled.lost("space in a class name (written as _)", changed)
    for image, rows in snapshot.by_image():
        text = "".join(
            f"{names[number]} 0 0 -10 {decimal(x)} {decimal(y)} {decimal(x + w)} {decimal(y + h)}"
            f" {_UNKNOWN}\n"
            for _, _, number, x, y, w, h, _, _ in labelled.boxes(rows)
        )
        labels = folder / _FOLDERS[image.split] / "label_2"
        (labels / f"{image.stem}.txt").write_text(text, encoding="utf-8")
    labelled.without_box(snapshot)


def _names(classes: Sequence[str]) -> list[str]:
    """Return the names that are written: two that differ by spaces alone stay two."""
    taken = {name for name in classes if name == _name(name)}
    written = []
    for name in classes:
        plain, number = _name(name), 1
        while plain != name and plain in taken:
            number += 1
            plain = f"{_name(name)}_{number}"
        taken.add(plain)
        written.append(plain)
    return written


def _name(name: str) -> str:
    return "_".join(name.split())


export_kitti = partial(export_labels, _write, place=_place)
