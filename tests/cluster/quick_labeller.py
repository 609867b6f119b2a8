"""Stands in for the labeller where a test is about the job: the real entry, loop and folder.

`python quick_labeller.py SECONDS_A_PICTURE …` does what `python -m core.autolabel …` does, with a
model that finds one box a picture, at the picture's number.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from core.autolabel import __main__ as entry
from core.autolabel import label
from core.autolabel.labellers.labeller import Labeller, Looked
from core.models.detector import Prediction

PAUSE = float(sys.argv[1])


class Slow(Labeller):
    def prepare(self, picture: Any) -> Any:
        return picture.size

    def look(self, prepared: Sequence[Any], pictures: Sequence[Looked]) -> list[Prediction]:
        time.sleep(PAUSE * len(pictures))
        return [
            Prediction(
                np.array([[p.id, p.id, p.id + 20, p.id + 20]], np.float32),
                np.array([0.9], np.float32),
                np.array([0]),
            )
            for p in pictures
        ]


def opened(task: Any, weights: Any, root: Any, *_: Any) -> Labeller:
    assert weights.exists(), weights
    print("loaded", weights.name, "pictures in", root.name, flush=True)
    return Slow([row.id for row in task.classes], "cpu", 1)


if __name__ == "__main__":
    label.open_labeller = opened  # type: ignore[assignment]
    sys.exit(entry.main(sys.argv[2:]))
