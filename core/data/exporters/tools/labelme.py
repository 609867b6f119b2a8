"""labelme: a JSON file beside each picture, and `labels.txt` with the classes.

The keys are those of labelme 5.5.0 (see `core.data.importers.formats.tools.labelme`); it opens the
folder with `labelme images --labels labels.txt`. Crowd regions are left out and counted.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from core.data.exporters.snapshot import Snapshot
from core.data.exporters.writing import Labelled, export_labels, objects, place_of

_VERSION = "5.5.0"


def _write(snapshot: Snapshot, folder: Path, labelled: Labelled) -> None:
    # labelme reads a class a line.
    lines = [name for name in snapshot.classes if len(name.splitlines()) == 1]
    text = "".join(f"{name}\n" for name in lines)
    (folder / "labels.txt").write_text(text, encoding="utf-8")
    for image, rows in snapshot.by_image():
        shapes: list[dict[str, Any]] = [
            {
                "label": snapshot.classes[label],
                "points": _points(box, outline),
                "group_id": None,
                "description": "",
                "shape_type": "polygon" if outline else "rectangle",
                "flags": {},
                "mask": None,
            }
            for _, label, box, outline in objects(rows, labelled)
        ]
        value: dict[str, Any] = {
            "version": _VERSION,
            "flags": {},
            "shapes": shapes,
            "imagePath": image.name,
            "imageData": None,
            "imageHeight": image.height,
            "imageWidth": image.width,
        }
        file = (folder / place_of(snapshot, image)).with_name(f"{image.stem}.json")
        file.write_bytes(msgspec.json.format(msgspec.json.encode(value)))


def _points(
    box: tuple[float, float, float, float], outline: list[float] | None
) -> list[list[float]]:
    if outline:
        return [list(pair) for pair in zip(outline[0::2], outline[1::2], strict=True)]
    x, y, w, h = box
    return [[x, y], [x + w, y + h]]


export_labelme = partial(export_labels, _write)
