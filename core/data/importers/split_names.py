"""What data sets call their splits, and what Batman calls them: one list for every format.

Roboflow and rfdetr write `valid`, Ultralytics `val`, CVAT `Train`, `Validation`, `Test` (its own
subsets; datumaro writes them as they are), KITTI `training`, `testing`, Open Images `validation`,
Pascal VOC `trainval` (both together: train), COCO `train2017`, `test-dev2017`, detectron
`minival`, Darknet's exports `obj_train_data`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

# In lower case.
SPLITS = {
    "train": "train",
    "training": "train",
    "trainval": "train",
    "trainset": "train",
    "val": "valid",
    "valid": "valid",
    "validation": "valid",
    "validate": "valid",
    "validating": "valid",
    "valset": "valid",
    "validset": "valid",
    "minival": "valid",
    "dev": "valid",
    "devset": "valid",
    "eval": "valid",
    "evaluation": "valid",
    "test": "test",
    "testing": "test",
    "testset": "test",
    "tests": "test",
}
# Words beside the split's, which do not tell another one.
_BESIDE = frozenset({
    "set", "split", "subset", "data", "dataset", "obj", "image", "images", "img", "imgs", "label",
    "labels", "annotation", "annotations", "instances", "jpeg", "voc", "coco", "yolo", "list",
})  # fmt: skip
# `trainingImages` and `TrainSet` are two words, `TRAIN` is one; digits are none.
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_]+")


@lru_cache(maxsize=10_000)
def split_named(name: str) -> str | None:
    """Return the split that this is a name of, in any case: `Validation` → `valid`.

    Years, numbers and words such as `set`, `images` or `data` beside it do not matter:
    `train2017`, `test_set`, `obj_Train_data`. A name that says anything else names no split:
    `test_track`, `train-station`.
    """
    words = [word for word in _words(name) if word not in _BESIDE]
    splits = [SPLITS.get(word) for word in words]
    return splits[0] if splits and None not in splits else None


@lru_cache(maxsize=10_000)
def split_of(name: str) -> str | None:
    """Return the split that a file or folder name speaks of: `instances_val2017` → `valid`."""
    return next((SPLITS[word] for word in _words(name) if word in SPLITS), None)


def unites(name: str) -> bool:
    """Whether a split of this name holds what two others hold: `trainval`, `train_val`."""
    words = [SPLITS.get(word) for word in _words(name)]
    return "trainval" in _words(name) or {"train", "valid"} <= {*words}


def _words(name: str) -> list[str]:
    if len(name) > 255:
        return []
    return [word.lower() for word in _WORD.findall(name)]


def split_of_file(path: Path) -> str | None:
    """Return the split that a file's name speaks of, or that the folder it lies in is called."""
    return split_of(path.stem) or split_named(path.parent.name)
