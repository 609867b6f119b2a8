"""CVAT for images 1.1: `annotations.xml` and `images/`, a project with its subsets.

As CVAT 2 writes and reads it (`cvat/apps/dataset_manager/formats/cvat.py`, and
`core.data.importers.formats.tools.cvat`), but with all digits where CVAT rounds to two. Crowd
regions are left out and counted. Who made a box is CVAT's `source` (`auto`, `semi-auto` once it was
mended, `manual`); a model's score and the track are attributes of it, where there are some.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from core.common.text import clean
from core.data.exporters.snapshot import Made, Snapshot
from core.data.exporters.writing import (
    Labelled,
    Object,
    export_labels,
    objects,
    place_of,
    split_of,
)

# CVAT offers these names for subsets; a task without one is in `default`. Its images lie in folders
# of these names.
_SUBSETS: dict[str | None, str] = {
    "train": "Train",
    "valid": "Validation",
    "test": "Test",
    None: "default",
}


def _write(snapshot: Snapshot, folder: Path, labelled: Labelled) -> None:
    made = labelled.made
    with (folder / "annotations.xml").open("w", encoding="utf-8") as file:
        file.writelines(_head(snapshot, _attributes(made)))
        for number, (image, rows) in enumerate(snapshot.by_image()):
            subset = _SUBSETS[split_of(snapshot, image)]
            file.write(
                f'  <image id="{number}" name={quoteattr(plain(image.name))} subset="{subset}"'
                f' width="{image.width}" height="{image.height}">\n'
            )
            for item in objects(rows, labelled):
                file.write(_shape(snapshot.classes[item.number], item, made.get(item.id)))
            file.write("  </image>\n")
        file.write("</annotations>\n")


def _attributes(made: Mapping[int, Made]) -> str:
    """Return the attributes that labels have, in CVAT's own words for them.

    CVAT refuses an attribute that the label does not name; those nobody needs are not there.
    """
    needed = {
        "score": any(of.score is not None for of in made.values()),
        "track_id": any(of.track is not None for of in made.values()),
    }
    return "".join(
        f"<attribute><name>{name}</name><mutable>False</mutable><input_type>text</input_type>"
        "<default_value></default_value><values></values></attribute>"
        for name, wanted in needed.items()
        if wanted
    )


def _head(snapshot: Snapshot, attributes: str) -> Iterator[str]:
    """Yield the lines before the images: a project with a task for each subset."""
    sizes = Counter(_SUBSETS[split_of(snapshot, image)] for image in snapshot.images)
    name = escape(plain(snapshot.project.name))
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
            f"      <label><name>{escape(plain(label))}</name><type>any</type>"
            f"<attributes>{attributes}</attributes></label>\n"
        )
    yield "    </labels></project></meta>\n"


def _shape(name: str, item: Object, made: Made | None) -> str:
    by_model = made is not None and made.source in ("model", "interpolation")
    source = ("semi-auto" if made and made.edited else "auto") if by_model else "manual"
    common = f'label={quoteattr(plain(name))} source="{source}" occluded="0"'
    inside = "" if made is None else _values(made)
    if item.outline:
        pairs = zip(item.outline[0::2], item.outline[1::2], strict=True)
        points = ";".join(f"{x!r},{y!r}" for x, y in pairs)
        return f'    <polygon {common} points="{points}" z_order="0">{inside}</polygon>\n'
    x, y, w, h = item.box
    return (
        f'    <box {common} xtl="{x!r}" ytl="{y!r}" xbr="{x + w!r}" ybr="{y + h!r}"'
        f' z_order="0">{inside}</box>\n'
    )


def _values(made: Made) -> str:
    values = {"score": made.score, "track_id": made.track}
    return "".join(
        f'<attribute name="{name}">{value!r}</attribute>'
        for name, value in values.items()
        if value is not None
    )


def plain(text: str) -> str:
    """Return text that XML can hold."""
    # XML 1.0 has no way to write a control character.
    return text if text.isprintable() else clean(text)


export_cvat = partial(
    export_labels,
    _write,
    place=partial(place_of, subsets=_SUBSETS),
    keeps=("origin", "score", "track"),
)
