"""The labelled images of a split, as a model with certain classes is measured on them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.common.errors import BatmanError, ClassError
from core.common.files import read_json
from core.common.text import clean, plural
from core.data.importers.coco.id_map import meant_by, number_of
from core.data.importers.coco.json_lists import BadRecord
from core.data.importers.coco.records import flag_of, key_of, shape_of
from core.data.importers.coco.shape_area import object_area

ANNOTATIONS = "_annotations.coco.json"
_ALSO = {"valid": ("valid", "val", "validation"), "val": ("valid", "val", "validation")}


@dataclass(frozen=True, slots=True)
class Truth:
    """A split: its folder, images and objects, and how classes and COCO's categories correspond.

    `images` and `annotations` are COCO's records; `annotations` only of the model's classes.
    `category_of` is the category id by class id, for every class of the model. Ids are whole
    numbers here; what the data set calls an image or a category otherwise is in `image_names` and
    `category_names`, by those numbers.
    """

    folder: Path
    split: str
    images: list[dict[str, Any]]
    annotations: list[dict[str, Any]]
    category_of: list[int]
    notes: list[str] = field(default_factory=list)
    image_names: Mapping[int, Any] = field(default_factory=dict)
    category_names: Mapping[int, Any] = field(default_factory=dict)

    def as_named(self, predictions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return predictions (COCO results) with the ids that the data set uses."""
        images, categories = self.image_names, self.category_names
        return [
            {
                **found,
                "image_id": images.get(found["image_id"], found["image_id"]),
                "category_id": categories.get(found["category_id"], found["category_id"]),
            }
            for found in predictions
        ]

    def class_of(self) -> dict[int, int]:
        """Return the class id by category id."""
        return {category: index for index, category in enumerate(self.category_of)}


def read_truth(dataset: Path, split: str, classes: Sequence[str]) -> Truth:
    """Read `split` of the data set in the folder `dataset`, in Roboflow's COCO layout.

    Categories and `classes` belong together by name, never by number. Objects of other categories
    are left out, with a note. Ids may be written in every way that an import takes. Raises
    BatmanError when the split is missing, broken or empty,
    ClassError when it shares no class with the model.
    """
    folder = _split_folder(dataset, split)
    file = folder / ANNOTATIONS
    content = read_json(file)
    try:
        of_image, of_category = _Numbers(content["images"]), _Numbers(content["categories"])
        images = [_image(record, of_image) for record in content["images"]]
        names = {of_category[c["id"]]: str(c["name"]).strip() for c in content["categories"]}
        records = [
            _annotation(record, number, of_image, of_category)
            for number, record in enumerate(content["annotations"], 1)
        ]
    except (
        KeyError, TypeError, ValueError, AttributeError, OverflowError, BadRecord,
    ) as error:  # fmt: skip
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
    lost = 0
    for record in records:
        if record["image_id"] not in known:
            lost += 1
            continue
        record["category_id"] = same.get(record["category_id"], record["category_id"])
        if record["category_id"] in category_of:
            kept.append({**record, "id": len(kept) + 1})
        else:
            left_out.add(names.get(record["category_id"], "an undescribed one"))
    notes = []
    if left_out:
        notes.append(
            f"Left out, because the model does not know them: {_listed(sorted(left_out))}."
        )
    absent = [name for name in classes if name not in shared]
    if absent:
        notes.append(f"Classes of the model that the data set does not have: {_listed(absent)}.")
    if lost:
        notes.append(f"Left out: {plural(lost, 'annotation')} of images that are not described.")
    return Truth(folder, split, images, kept, category_of, notes, of_image.names, of_category.names)


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


class _Numbers:
    """Whole numbers for the ids of records: their own, or new ones for ids that are none.

    `names` has the ids that differ, as they are written, by number.
    """

    def __init__(self, records: Sequence[dict[str, Any]]) -> None:
        written = {key_of(record["id"], "a record"): record["id"] for record in records}
        whole = {key for key in written if isinstance(key, int) and abs(key) < 2**53}
        free = max(whole, default=0) + 1
        others = [key for key in written if key not in whole]
        self._meant = meant_by(written)
        self._numbers = {key: key for key in whole}
        self._numbers.update({key: free + place for place, key in enumerate(others)})
        self.names = {
            self._numbers[key]: value for key, value in written.items()
            if type(value) is not int or key not in whole
        }  # fmt: skip

    def __getitem__(self, written: Any) -> int:
        """Return the number of an id. Raises `BadRecord`, and KeyError for an unknown one."""
        return self._numbers[self._key(written)]

    def get(self, written: Any) -> int:
        """Return the number of an id, -1 for an unknown one. Raises `BadRecord`."""
        return self._numbers.get(self._key(written), -1)

    def _key(self, written: Any) -> Any:
        key = key_of(written, "a record")
        return key if key in self._numbers else self._meant.get(number_of(key), key)


def _image(record: dict[str, Any], of_image: _Numbers) -> dict[str, Any]:
    return {
        "id": of_image[record["id"]],
        "file_name": str(record["file_name"]),
        "width": int(float(record.get("width") or 0)),
        "height": int(float(record.get("height") or 0)),
    }


def _annotation(
    record: dict[str, Any], number: int, of_image: _Numbers, of_category: _Numbers
) -> dict[str, Any]:
    """Return the record as pycocotools needs it: an id, an area and a crowd flag in any case."""
    x, y, w, h = (float(value) for value in record["bbox"])
    if not all(map(math.isfinite, (x, y, w, h))):
        raise ValueError(f"the box of annotation {number} is not finite")
    given = record.get("area")
    area = float(given) if given else None
    return {
        "id": number,
        "image_id": of_image.get(record["image_id"]),
        "category_id": of_category.get(record["category_id"]),
        "bbox": [x, y, w, h],
        "area": object_area(area, shape_of(record.get("segmentation")), (x, y, w, h)),
        "iscrowd": int(flag_of(record.get("iscrowd"))),
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
