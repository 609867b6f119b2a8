"""Pascal VOC: `Annotations`, `JPEGImages` and the splits in `ImageSets/Main`.

Corners are whole pixels, counted from 1, both within the box, as the development kit has them (see
`core.data.importers.formats.voc`): a box comes back within half a pixel on each side. Crowd regions
and classes without a box are left out and counted, for the format has none, as are outlines.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from xml.sax.saxutils import escape

from core.common.text import clean
from core.data.exporters.snapshot import Image, Row, Snapshot
from core.data.exporters.writing import Labelled, export_labels

_SETS = {"train": "train.txt", "valid": "val.txt", "test": "test.txt"}


def _write(snapshot: Snapshot, folder: Path, labelled: Labelled) -> None:
    annotations, sets = folder / "Annotations", folder / "ImageSets" / "Main"
    for part in (annotations, sets):
        part.mkdir(parents=True)
    stems: dict[str, list[str]] = {split: [] for split in _SETS}
    for image, rows in snapshot.by_image():
        stems[image.split].append(image.stem)
        text = _xml(image, labelled.boxes(rows), snapshot.classes)
        (annotations / f"{image.stem}.xml").write_text(text, encoding="utf-8")
    labelled.without_box(snapshot)
    for split, names in stems.items():
        if names:
            lines = "".join(f"{name}\n" for name in names)
            (sets / _SETS[split]).write_text(lines, encoding="utf-8")


def _xml(image: Image, rows: list[Row], classes: list[str]) -> str:
    lines = [
        "<annotation>",
        "  <folder>JPEGImages</folder>",
        f"  <filename>{_text(image.name)}</filename>",
        f"  <size><width>{image.width}</width><height>{image.height}</height>"
        "<depth>3</depth></size>",
        "  <segmented>0</segmented>",
    ]
    for _, _, number, x, y, w, h, _, _ in rows:
        left, right = _span(x, w, image.width)
        top, bottom = _span(y, h, image.height)
        lines.append(
            f"  <object><name>{_text(classes[number])}</name><pose>Unspecified</pose>"
            "<truncated>0</truncated><difficult>0</difficult>"
            f"<bndbox><xmin>{left}</xmin><ymin>{top}</ymin>"
            f"<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
        )
    return "\n".join([*lines, "</annotation>", ""])


def _span(start: float, length: float, limit: int) -> tuple[int, int]:
    """Return the first and last pixel of a side, counted from 1: at least one pixel."""
    first = min(round(start) + 1, limit)
    return first, max(round(start + length), first)


def _text(text: str) -> str:
    # XML 1.0 has no way to write a control character.
    return escape(text if text.isprintable() else clean(text))


export_voc = partial(
    export_labels, _write, place=lambda _snapshot, image: f"JPEGImages/{image.name}"
)
