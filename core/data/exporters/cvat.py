"""CVAT for images 1.1: `annotations.xml` and `images/`, a project with its subsets.

As CVAT 2 writes and reads it (`cvat/apps/dataset_manager/formats/cvat.py`, and
`core.data.importers.formats.tools.cvat`), but with all digits where CVAT rounds to two. Crowd
regions are left out and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from core.common.text import clean
from core.data.exporters.snapshot import Snapshot
from core.data.exporters.writing import Labelled, export_labels, objects, place_of, split_of

# CVAT offers these names for subsets; a task without one is in `default`. Its images lie in folders
# of these names.
_SUBSETS: dict[str | None, str] = {
    "train": "Train",
    "valid": "Validation",
    "test": "Test",
    None: "default",
}


def _write(snapshot: Snapshot, folder: Path, labelled: Labelled) -> None:
    with (folder / "annotations.xml").open("w", encoding="utf-8") as file:
        file.writelines(_head(snapshot))
        for number, (image, rows) in enumerate(snapshot.by_image()):
            subset = _SUBSETS[split_of(snapshot, image)]
            file.write(
                f'  <image id="{number}" name={quoteattr(_plain(image.name))} subset="{subset}"'
                f' width="{image.width}" height="{image.height}">\n'
            )
            for label, box, outline in objects(rows, labelled):
                file.write(_shape(snapshot.classes[label], box, outline))
            file.write("  </image>\n")
        file.write("</annotations>\n")


def _head(snapshot: Snapshot) -> Iterator[str]:
    """Yield the lines before the images: a project with a task for each subset."""
    sizes = Counter(_SUBSETS[split_of(snapshot, image)] for image in snapshot.images)
    name = escape(_plain(snapshot.project.name))
    yield '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
    yield f"  <meta><project><name>{name}</name>\n    <tasks>\n"
    for number, (subset, size) in enumerate(sizes.items(), 1):
        yield (
            f"      <task><id>{number}</id><name>{subset}</name><size>{size}</size>"
            f"<mode>annotation</mode><subset>{subset}</subset></task>\n"
        )
    yield f"    </tasks>\n    <subsets>{chr(10).join(sizes)}</subsets>\n    <labels>\n"
    for label in snapshot.classes:
        yield (
            f"      <label><name>{escape(_plain(label))}</name><type>any</type>"
            "<attributes></attributes></label>\n"
        )
    yield "    </labels></project></meta>\n"


def _shape(name: str, box: tuple[float, float, float, float], outline: list[float] | None) -> str:
    common = f'label={quoteattr(_plain(name))} source="manual" occluded="0"'
    if outline:
        pairs = zip(outline[0::2], outline[1::2], strict=True)
        points = ";".join(f"{x!r},{y!r}" for x, y in pairs)
        return f'    <polygon {common} points="{points}" z_order="0"></polygon>\n'
    x, y, w, h = box
    return (
        f'    <box {common} xtl="{x!r}" ytl="{y!r}" xbr="{x + w!r}" ybr="{y + h!r}"'
        ' z_order="0"></box>\n'
    )


def _plain(text: str) -> str:
    # XML 1.0 has no way to write a control character.
    return text if text.isprintable() else clean(text)


export_cvat = partial(export_labels, _write, place=partial(place_of, subsets=_SUBSETS))
