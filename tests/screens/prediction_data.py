"""What `infer` writes, for the screens' tests: pictures and frames with boxes of many scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from core.inference.records import RecordWriter
from core.models.detector import Prediction

CLASSES = ["person [front]", "hard hat", "crane_hook"]
SIZE = (320, 240)


def found(*rows: tuple[int, float, float, float]) -> Prediction:
    """Detections of 60 by 80 pixels: class, score, left and top, the best first."""
    boxes = [(x, y, x + 60, y + 80) for _, _, x, y in rows]
    return Prediction(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array([score for _, score, *_ in rows], np.float32),
        np.array([label for label, *_ in rows], np.int64),
    )


def make_predictions(
    root: Path, *, name: str = "site", classes: list[str] | None = None, video: Path | None = None
) -> Path:
    """Write what was found in three pictures, and in six frames of `video` with tracks."""
    folder = root / "predictions" / f"{name}-1"
    photos = root / "photos"
    for made in (folder, photos):
        made.mkdir(parents=True, exist_ok=True)
    with RecordWriter(folder, classes or CLASSES) as records:
        for number, rows in enumerate(
            (
                [(0, 0.91, 20, 40), (1, 0.62, 120, 20), (0, 0.44, 200, 90), (2, 0.07, 5, 5)],
                [(1, 0.33, 60, 60)],
                [],
            )
        ):
            file = photos / f"{name}_{number}.png"
            Image.new("RGB", SIZE, (40 + 60 * number, 90, 120)).save(file)
            records.add(file.name, SIZE, found(*rows), source=file)
        for frame in range(6 if video is not None else 0):
            assert video is not None
            boxes = found((2, 0.8, 10 + 20 * frame, 30), (0, 0.55 - 0.05 * frame, 150, 100))
            records.add(
                video.name, SIZE, boxes, source=video, frame=frame, time=frame / 12,
                tracks=[None if frame == 0 else 3, 7 if frame in (2, 3) else None],
            )  # fmt: skip
    return folder
