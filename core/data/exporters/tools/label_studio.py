"""Label Studio: `tasks.json`, the pictures in `images/`, and `label_config.xml` with the classes.

Boxes are percent of the picture (see `core.data.importers.formats.tools.label_studio`). Pictures
are named as Label Studio's local storage has them, `/data/local-files/?d=images/train/a.jpg`: set
`LOCAL_FILES_DOCUMENT_ROOT` to the exported folder and `LOCAL_FILES_SERVING_ENABLED=true`, paste the
configuration as the labeling interface, and import the tasks. Crowd regions are left out and
counted. Where a box is from is its `origin`, in the words that Label Studio has for it (`manual`,
`prediction`, `prediction-changed`; its `RegionsMixin`), a model's score stands beside it.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import msgspec

from core.common.text import clean
from core.data.exporters.snapshot import Image, Made, Snapshot
from core.data.exporters.writing import (
    Labelled,
    Object,
    export_labels,
    objects,
    place_of,
    split_of,
)


def _write(snapshot: Snapshot, folder: Path, labelled: Labelled) -> None:
    (folder / "label_config.xml").write_text(_config(snapshot.classes), encoding="utf-8")
    made = labelled.made
    with (folder / "tasks.json").open("wb") as file:
        file.write(b"[")
        for number, (image, rows) in enumerate(snapshot.by_image(), 1):
            shown = objects(rows, labelled)
            results = [
                _result(place, image, snapshot.classes[item.number], item)
                | _origin(made.get(item.id))
                for place, item in enumerate(shown, 1)
            ]
            data = {"image": f"/data/local-files/?d={quote(place_of(snapshot, image))}"}
            if split := split_of(snapshot, image):
                data["split"] = split
            annotation = {"id": number, "was_cancelled": False, "result": results}
            task = {"id": number, "data": data, "annotations": [annotation], "predictions": []}
            file.write((b"\n" if number == 1 else b",\n") + msgspec.json.encode(task))
        file.write(b"\n]\n")


def _result(place: int, image: Image, name: str, item: Object) -> dict[str, Any]:
    _, _, box, outline = item
    across, down = 100 / image.width, 100 / image.height
    value: dict[str, Any]
    if outline:
        kind = "polygonlabels"
        pairs = zip(outline[0::2], outline[1::2], strict=True)
        value = {"points": [[x * across, y * down] for x, y in pairs], "closed": True}
    else:
        kind = "rectanglelabels"
        x, y, w, h = box
        value = {"x": x * across, "y": y * down, "width": w * across, "height": h * down}
        value["rotation"] = 0
    return {
        "id": f"b{place}",
        "type": kind,
        "from_name": "outline" if outline else "box",
        "to_name": "image",
        "origin": "manual",
        "original_width": image.width,
        "original_height": image.height,
        "image_rotation": 0,
        "value": value | {kind: [name]},
    }


def _origin(made: Made | None) -> dict[str, Any]:
    """Return where a box is from, in Label Studio's words; its track as a note on the region."""
    if made is None:
        return {}
    said: dict[str, Any] = {}
    if made.source in ("model", "interpolation"):
        said["origin"] = "prediction-changed" if made.edited else "prediction"
    if made.score is not None:
        said["score"] = made.score
    if made.track is not None:
        said["meta"] = {"text": [f"track {made.track}"]}
    return said


def _config(classes: list[str]) -> str:
    labels = "".join(
        f"    <Label value={quoteattr(name if name.isprintable() else clean(name))}/>\n"
        for name in classes
    )
    return (
        '<View>\n  <Image name="image" value="$image"/>\n'
        f'  <RectangleLabels name="box" toName="image">\n{labels}  </RectangleLabels>\n'
        f'  <PolygonLabels name="outline" toName="image">\n{labels}  </PolygonLabels>\n</View>\n'
    )


export_label_studio = partial(export_labels, _write, keeps=("origin", "score", "track"))
