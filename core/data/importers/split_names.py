"""What data sets call their splits, and what Batman calls them: one list for every format."""

from __future__ import annotations

import re

# In lower case. Roboflow and rfdetr write `valid`, Ultralytics `val`, CVAT `Validation`, KITTI
# `testing`, Open Images `validation`, Pascal VOC `trainval` (the two together: train).
SPLITS = {
    "train": "train",
    "training": "train",
    "trainval": "train",
    "val": "valid",
    "valid": "valid",
    "validation": "valid",
    "dev": "valid",
    "eval": "valid",
    "test": "test",
    "testing": "test",
}


def split_named(name: str) -> str | None:
    """Return the split that this whole word is a name of, in any case: `Validation` → `valid`."""
    return SPLITS.get(name.strip().lower())


def split_of(name: str) -> str | None:
    """Return the split that a file or folder name speaks of: `instances_val2017` → `valid`."""
    for word in re.findall(r"[a-z]+", name.lower()):
        if word in SPLITS:
            return SPLITS[word]
    return None
