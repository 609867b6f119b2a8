"""CreateML: `_annotations.createml.json` beside the pictures of each split.

Boxes are about their centres, in pixels (see `core.data.importers.formats.tools.createml`); the
file's name is Roboflow's. The format has no outlines, no crowd regions, and no class without a box:
these are left out and counted.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from core.data.exporters.snapshot import Snapshot
from core.data.exporters.writing import Labelled, export_labels, objects, place_of

_FILE = "_annotations.createml.json"


def _write(snapshot: Snapshot, folder: Path, labelled: Labelled) -> None:
    lists: dict[Path, list[dict[str, Any]]] = {}
    for image, rows in snapshot.by_image():
        shown = objects(rows, labelled, outlines=False)
        record = {
            "image": image.name,
            "annotations": [
                {
                    "label": snapshot.classes[number],
                    "coordinates": {"x": x + w / 2, "y": y + h / 2, "width": w, "height": h},
                }
                for _, number, (x, y, w, h), _ in shown
            ],
        }
        lists.setdefault((folder / place_of(snapshot, image)).parent, []).append(record)
    for place, records in lists.items():
        (place / _FILE).write_bytes(msgspec.json.encode(records) + b"\n")
    labelled.without_box(snapshot)


export_createml = partial(export_labels, _write)
