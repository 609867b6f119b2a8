"""The labelled images of a split, as a model with certain classes is measured on them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.common.errors import BatmanError, ClassError
from core.common.files import read_json
from core.common.text import clean, plural

ANNOTATIONS = "_annotations.coco.json"
_ALSO = {"valid": ("valid", "val", "validation"), "val": ("valid", "val", "validation")}


@dataclass(frozen=True, slots=True)
class Truth:
    """A split: its folder, images and objects, and how classes and COCO's categories correspond.

    `images` and `annotations` are COCO's records; `annotations` only of the model's classes.
    `category_of` is the category id by class id, for every class of the model.
    """

    folder: Path
    split: str
    images: list[dict[str, Any]]
    annotations: list[dict[str, Any]]
    category_of: list[int]
    notes: list[str] = field(default_factory=list)

    def class_of(self) -> dict[int, int]:
        """Return the class id by category id."""
        return {category: index for index, category in enumerate(self.category_of)}


def read_truth(dataset: Path, split: str, classes: Sequence[str]) -> Truth:
    """Read `split` of the data set in the folder `dataset`, in Roboflow's COCO layout.

    Categories and `classes` belong together by name, never by number. Objects of other categories
    are left out, with a note. Raises BatmanError when the split is missing, broken or empty,
    ClassError when it shares no class with the model.
    """
    folder = _split_folder(dataset, split)
    file = folder / ANNOTATIONS
    content = read_json(file)
    try:
        images = [_image(record) for record in content["images"]]
        names = {int(c["id"]): str(c["name"]).strip() for c in content["categories"]}
        records = [
            _annotation(record, number) for number, record in enumerate(content["annotations"], 1)
        ]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BatmanError(
            f"'{clean(str(file))}' is not in COCO's format: {clean(repr(error))}.",
            "Export the data set again with batman export coco.",
        ) from None
    if not images:
        raise BatmanError(
            f"The split '{clean(split)}' has no images.", "Evaluate on another with --split."
        )
    by_name: dict[str, int] = {}
    for number, name in sorted(names.items()):
        by_name.setdefault(name, number)
    shared = [name for name in classes if name.strip() in by_name]
    if not shared:
        raise ClassError(
            f"The data set and the model have no class in common: "
            f"{_listed(sorted(set(names.values())))} there, {_listed(classes)} in the model.",
            "Evaluate the model on the data set it was trained on, or rename the classes.",
        )
    unused = max([0, *names]) + 1
    category_of = []
    for name in classes:
        category_of.append(by_name.get(name.strip(), unused))
        unused += name.strip() not in by_name
    known = {image["id"] for image in images}
    same = {number: by_name[name] for number, name in names.items()}
    kept: list[dict[str, Any]] = []
    left_out: set[str] = set()
    for record in records:
        if record["image_id"] not in known:
            continue
        record["category_id"] = same.get(record["category_id"], record["category_id"])
        if record["category_id"] in category_of:
            kept.append({**record, "id": len(kept) + 1})
        else:
            left_out.add(names.get(record["category_id"], str(record["category_id"])))
    notes = []
    if left_out:
        notes.append(
            f"Left out, because the model does not know them: {_listed(sorted(left_out))}."
        )
    absent = [name for name in classes if name not in shared]
    if absent:
        notes.append(f"Classes of the model that the data set does not have: {_listed(absent)}.")
    return Truth(folder, split, images, kept, category_of, notes)


def _split_folder(dataset: Path, split: str) -> Path:
    for name in _ALSO.get(split, (split,)):
        if (dataset / name / ANNOTATIONS).is_file():
            return dataset / name
    there = sorted(file.parent.name for file in dataset.glob(f"*/{ANNOTATIONS}"))
    raise BatmanError(
        f"There is no split '{clean(split)}' in '{clean(str(dataset))}'.",
        f"There is {_listed(there)}: choose one with --split."
        if there
        else "Give a folder with train, valid or test, each with _annotations.coco.json.",
    )


def _image(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": int(record["id"]),
        "file_name": str(record["file_name"]),
        "width": int(record.get("width") or 0),
        "height": int(record.get("height") or 0),
    }


def _annotation(record: dict[str, Any], number: int) -> dict[str, Any]:
    """Return the record as pycocotools needs it: an id, an area and a crowd flag in any case."""
    x, y, w, h = (float(value) for value in record["bbox"])
    area = float(record.get("area") or w * h)
    if not all(map(math.isfinite, (x, y, w, h, area))):
        raise ValueError(f"the box of annotation {number} is not finite")
    return {
        "id": number,
        "image_id": int(record["image_id"]),
        "category_id": int(record["category_id"]),
        "bbox": [x, y, w, h],
        "area": area,
        "iscrowd": int(record.get("iscrowd") or 0),
    }


def _listed(names: Sequence[str], most: int = 6) -> str:
    text = ", ".join(f"'{clean(name)}'" for name in names[:most])
    more = len(names) - most
    return f"{text} and {plural(more, 'more', 'more')}" if more > 0 else text or "nothing"


def by_image(records: Iterable[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    """Return COCO records by the id of their image, in their order."""
    grouped: dict[int, list[dict[str, Any]]] = {}
    for record in records:
        grouped.setdefault(record["image_id"], []).append(record)
    return grouped
