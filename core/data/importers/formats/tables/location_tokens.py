"""Boxes written as words for PaliGemma and Florence-2: JSON lines with image, prefix and suffix.

Roboflow writes `_annotations.train.jsonl` beside the pictures.

- PaliGemma: the suffix is `<loc0256><loc0128><loc0512><loc0640> class ; …`: top, left, bottom,
  right in 1,024 parts of the picture (supervision 0.31, `from_paligemma`).
- Florence-2: the prefix is `<OD>` and the suffix `class<loc_125><loc_250><loc_625><loc_500>…`:
  left, top, right, bottom in 1,000 parts, and several boxes may follow one class (supervision
  0.31, `from_florence_2`).

Coordinates are as coarse as these parts: a box comes back within one of them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from core.common.errors import ImportFailed
from core.common.text import clean
from core.data.importers.boxes import Box
from core.data.importers.dataset import DataSet
from core.data.importers.formats.look import Look
from core.data.importers.formats.reading.json_records import json_lines
from core.data.importers.formats.reading.pictures import Pictures
from core.data.importers.report import Watch

_PALIGEMMA = re.compile(r"((?:<loc\d{4}>){4})\s*([^<;]*)")
_FLORENCE = re.compile(r"([^<]*)((?:<loc_\d{1,3}>){4})")
_NUMBERS = re.compile(r"\d+")
_KEYS = re.compile(r'"(image|prefix|suffix)"\s*:')


def is_location_tokens(look: Look) -> bool:
    """Whether there are JSON lines with image, prefix and suffix."""
    return any(_is_lines(look.head(name)) for name in look.ending(".jsonl"))


def read_location_tokens(source: Path, watch: Watch) -> DataSet:
    """Read the JSON lines at `source`, a folder or one file.

    Raises `ImportFailed` when there are none.
    """
    pictures = Pictures("paligemma", source, watch)
    source, data = pictures.source, pictures.data
    root = pictures.root
    files = pictures.files(".jsonl")
    files = [file for file in files if _is_lines(Look(file).head(file.name))]
    if not files:
        raise ImportFailed(
            f"There are no lines with image, prefix and suffix in '{clean(str(source))}'.",
            "Export the data set for PaliGemma or Florence-2, or as COCO.",
        )
    for file in files:
        split = pictures.split_of(file)
        data.balance.use(str(file))
        folders = [
            base / part
            for base in dict.fromkeys([file.parent, root])
            for part in ("", "images", "dataset")
        ]
        for where, record in json_lines(file, data.problems):
            _record(pictures, record, split, folders, where)
    data.group_copies()
    return data


def _is_lines(head: str) -> bool:
    first = head.split("\n", 1)[0]
    return len(set(_KEYS.findall(first))) == 3


def _record(
    pictures: Pictures, record: dict[str, Any], split: str | None, folders: list[Path], where: str
) -> None:
    data = pictures.data
    name, prefix, suffix = (record.get(key) for key in ("image", "prefix", "suffix"))
    if not isinstance(name, str) or not name or not isinstance(suffix, str):
        data.problems.add("bad line", where, "it has no image or no suffix")
        return
    boxes = _boxes(suffix)
    found = pictures.find([name], folders, where)
    data.balance.line(found is not None)
    if found is None:
        return
    told = isinstance(prefix, str) and prefix.strip().lower().startswith(("detect", "<od>"))
    if not boxes and suffix.strip() and not told:
        data.problems.add("no box", where, f"an answer in words: {suffix[:60]}")
    image = pictures.take(found, split, where)
    if image is None:
        return
    data.balance.found(len(boxes))
    width, height = pictures.size(image)
    for name_of_class, (x, y, w, h) in boxes:
        label = pictures.label(name_of_class, where)
        if label is not None:
            box = (x * width, y * height, w * width, h * height)
            data.box(image, label, box, where, corners=True)


def _boxes(suffix: str) -> list[tuple[str, Box]]:
    """Return the classes and boxes, as fractions, that an answer speaks of."""
    found: list[tuple[str, Box]] = []
    for tokens, name in _PALIGEMMA.findall(suffix):
        top, left, bottom, right = (int(part) / 1024 for part in _NUMBERS.findall(tokens))
        found.append((name.strip(), (left, top, right - left, bottom - top)))
    last = ""
    for name, tokens in _FLORENCE.findall(suffix):
        last = name.strip() or last
        left, top, right, bottom = (int(part) / 1000 for part in _NUMBERS.findall(tokens))
        found.append((last, (left, top, right - left, bottom - top)))
    return found
