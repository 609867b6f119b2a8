"""Generated data sets of every format come in as they were drawn, and all that differs is told.

`GENERATED_SETS=1000` in the environment draws so many of each; the suite draws a few.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from generated_sets import WRITERS, Row

from core.data.importers.coco.reader import read_coco
from core.data.importers.dataset import DataSet
from core.data.importers.detect_format import recognise
from core.data.importers.formats.registry import FORMATS
from core.data.importers.formats.voc import read_voc
from core.data.importers.formats.yolo import read_yolo
from core.data.importers.report import Watch

MANY = int(os.environ.get("GENERATED_SETS", "15"))
READ: dict[str, Callable[[Path, Watch], DataSet]] = {
    "coco-dir": read_coco,
    "yolo": read_yolo,
    "voc": read_voc,
    **{one.name: one.read for one in FORMATS},
}


def rows(data: DataSet) -> list[Row]:
    images, labels, boxes = data.columns()
    return sorted(
        (
            data.images[image].split or "",
            data.images[image].name.rpartition("/")[2],
            data.labels[label].name + ("*" if data.iscrowd.get(place) else ""),
            tuple(box),  # type: ignore[arg-type]
        )
        for place, (image, label, box) in enumerate(
            zip(images.tolist(), labels.tolist(), boxes.tolist(), strict=True)
        )
    )


def near(one: list[Row], other: list[Row]) -> bool:
    return len(one) == len(other) and all(
        a[:3] == b[:3] and all(abs(x - y) < 0.02 for x, y in zip(a[3], b[3], strict=True))
        for a, b in zip(
            *(
                [(*row[:3], tuple(round(v, 2) for v in row[3])) for row in rows]
                for rows in (one, other)
            ),
            strict=True,
        )
    )


@pytest.mark.parametrize("name", WRITERS)
def test_what_was_drawn_comes_in(name: str, tmp_path: Path) -> None:
    kind, write = WRITERS[name]
    for seed in range(MANY):
        folder = tmp_path / "set"
        expected = write(folder, Random(f"{name} {seed}"))
        there = recognise(folder)
        assert there is not None, f"seed {seed}: not recognised"
        assert there.kind is not None, f"seed {seed}: {there.title}"
        assert there.kind.name == kind, f"seed {seed}: taken for {there.title}"
        data = READ[kind](folder, Watch())
        assert near(rows(data), expected.rows), f"seed {seed}: {rows(data)} != {expected.rows}"
        pictures = sorted(
            (picture.split or "", picture.name.rpartition("/")[2]) for picture in data.images
        )
        assert pictures == expected.pictures, f"seed {seed}"
        # Each difference is told, and nothing else is.
        told = sum(data.problems.counts.values())
        assert told == expected.told, f"seed {seed}: {data.problems.counts}"
        shutil.rmtree(folder)
