"""What is in the data of 1,000,000 boxes on 100,000 pictures: `collect`, against the same by rows.

    python benchmarks/project_stats.py [BOXES]

Makes a project of 80 classes and measures, medians of 3, `core.data.stats.collect` against reading
the same columns as rows through Python's sqlite3, which is what any other way of counting has to do
first. Exits with 1 when counting takes more than 2.5 times as long as reading them, or 8 s.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from core.data.stats import collect
from core.data.store import Project

IMAGES, CLASSES = 100_000, 80
LIMIT_S = 8.0
_SIZES = ((640, 480), (1920, 1080))
_SPLITS = ("train", "train", "train", "valid", "test", None)


def make(project: Project, boxes: int) -> None:
    """Fill the project."""
    draw = np.random.default_rng(3)
    with project.change("import", "Import") as change:
        row = {"kind": "coco", "origin": "/x", "at": "2026-01-01T00:00:00+00:00", "active": 1}
        number = change.insert("imports", row)
        for place in range(CLASSES):
            class_id = change.insert("classes", {"name": f"class {place}"})
            label = {"import_id": number, "name": f"class {place}", "class_id": class_id}
            change.insert("labels", label)
        project.db.executemany(
            "INSERT INTO images(id, import_id, path, name, width, height, split)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (n, number, f"{n}.jpg", f"{n}.jpg", *_SIZES[n % 2], _SPLITS[n % 6])
                for n in range(1, IMAGES + 1)
            ],
        )
        columns = [
            np.sort(draw.integers(1, IMAGES + 1, boxes)),
            draw.integers(1, CLASSES + 1, boxes),
            *(draw.random(boxes) * most for most in (500, 380, 130, 95)),
        ]
        project.db.executemany(
            "INSERT INTO annotations(image_id, label_id, x, y, w, h) VALUES (?, ?, ?, ?, ?, ?)",
            zip(*(column.tolist() for column in columns), strict=True),
        )


def timed(act: Callable[[], Any]) -> float:
    """Return the median of 3 in seconds."""
    found = []
    for _ in range(3):
        start = time.perf_counter()
        act()
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def main() -> int:
    """Measure, print, and return 1 when a limit is broken."""
    boxes = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with (
        tempfile.TemporaryDirectory(prefix="batman-stats-") as home,
        Project.create(Path(home) / "p") as project,
    ):
        make(project, boxes)

        def rows() -> None:
            cursor = project.db.cursor()
            cursor.row_factory = None
            cursor.execute("SELECT image_id, label_id, x, y, w, h FROM annotations").fetchall()

        ours, theirs = timed(lambda: collect(project)), timed(rows)
    print(f"{boxes:,} boxes: everything counted {ours:.2f} s, rows alone {theirs:.2f} s")
    print(f"ratio {ours / theirs:.2f}, limit 2.5; limit {LIMIT_S:g} s")
    return int(ours > LIMIT_S or ours > 2.5 * theirs)


if __name__ == "__main__":
    sys.exit(main())
