"""YOLO as Ultralytics reads it: `data.yaml` and, for each split, `images` and `labels`.

A line is the class number and the box's centre, width and height as fractions of the image, with
six decimals. The format has no crowd regions; they are left out and counted. Of polygons the
boxes are written, which is counted, since this is for detectors.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import yaml

from core.data.exporters.snapshot import Snapshot
from core.data.exporters.writing import Labelled, export_labels

_KEYS = {"train": "train", "valid": "val", "test": "test"}


def _write(snapshot: Snapshot, folder: Path, labelled: Labelled) -> None:
    splits = snapshot.splits()
    for split in splits:
        (folder / split / "labels").mkdir()
    for image, rows in snapshot.by_image():
        width, height = image.width, image.height
        lines = [
            f"{number} {(x + w / 2) / width:.6f} {(y + h / 2) / height:.6f}"
            f" {w / width:.6f} {h / height:.6f}\n"
            for _, _, number, x, y, w, h, _, _ in labelled.boxes(rows)
        ]
        file = folder / image.split / "labels" / f"{image.stem}.txt"
        file.write_text("".join(lines), encoding="ascii")
    description = {
        **{_KEYS[split]: f"{split}/images" for split in splits},
        "nc": len(snapshot.classes),
        "names": dict(enumerate(snapshot.classes)),
    }
    text = yaml.safe_dump(description, sort_keys=False, allow_unicode=True, width=1000)
    (folder / "data.yaml").write_text(text, encoding="utf-8")


export_yolo = partial(
    export_labels, _write, place=lambda _snapshot, image: f"{image.split}/images/{image.name}"
)
