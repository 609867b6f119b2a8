"""The confusion matrix is supervision's, which is too slow to load for it."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from core.evaluation.confusion import confusion
from core.evaluation.ground_truth import Truth

CLASSES = ["a", "b", "c"]


def record(draw: random.Random, image: int) -> dict[str, Any]:
    # On a coarse grid, so that boxes are the same, touch, and have the same IoU.
    step = draw.choice([1.0, 5.0, 0.37])
    x, y = (draw.randrange(6) * step for _ in "xy")
    w, h = (draw.randrange(4) * step for _ in "wh")
    return {"image_id": image, "category_id": draw.randrange(3), "bbox": [x, y, w, h], "iscrowd": 0}


@pytest.mark.parametrize("seed", range(20))
def test_it_counts_as_supervision_does(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sv = pytest.importorskip("supervision")
    if seed % 2:  # an image or two at a time
        monkeypatch.setattr(sys.modules[confusion.__module__], "_PAIRS", 7)
    draw = random.Random(seed)
    images = [{"id": number} for number in range(150)]
    objects = [record(draw, i["id"]) for i in images for _ in range(draw.randrange(5))]
    found = [
        {**record(draw, i["id"]), "score": draw.random()}
        for i in images for _ in range(draw.randrange(7))
    ]  # fmt: skip
    # Some are near an object, of its class or of another.
    for at, one in enumerate(objects):
        moved = [value + draw.choice([0, 0, 0.1, 0.25]) for value in one["bbox"]]
        label = one["category_id"] if at % 3 else draw.randrange(3)
        found.append({**one, "bbox": moved, "category_id": label, "score": draw.random()})
    truth = SimpleNamespace(
        annotations=objects, images=images, class_of=lambda: {n: n for n in range(3)}
    )
    metrics = cast("Any", SimpleNamespace(ignored={3, 8}))
    table = confusion(cast("Truth", truth), found, metrics, CLASSES, 0.2)
    counted = [r for n, r in enumerate(found, 1) if r["score"] >= 0.2 and n not in metrics.ignored]

    def detections(records: list[dict[str, Any]], image: int) -> Any:
        own = [r for r in records if r["image_id"] == image]
        boxes = np.array([r["bbox"] for r in own], np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        return sv.Detections(
            xyxy=boxes,
            class_id=np.array([r["category_id"] for r in own], int),
            confidence=np.array([r.get("score", 1.0) for r in own]),
        )

    theirs = sv.ConfusionMatrix.from_detections(
        predictions=[detections(counted, i["id"]) for i in images],
        targets=[detections(objects, i["id"]) for i in images],
        classes=CLASSES, conf_threshold=0.0, iou_threshold=0.5,
    ).matrix  # fmt: skip
    assert table.matrix == theirs.tolist()
    off = theirs.copy()
    np.fill_diagonal(off, 0)
    assert theirs[:3, :3].trace() > 10
    assert off[:3, :3].sum() > 3, "some taken for another"


def test_measuring_does_not_load_supervision(tmp_path: Path) -> None:
    code = (
        "import sys; from core.evaluation import evaluate, confusion, pictures, coco, figures;"
        "from core.evaluation.evaluate import NEEDED_TO_COUNT;"
        "[__import__(name) for name in (*NEEDED_TO_COUNT, 'matplotlib.figure')];"
        "print('supervision' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
