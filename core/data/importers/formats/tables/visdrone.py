"""VisDrone-DET: a text file for each picture in `annotations` beside `images`.

A line is left, top, width, height, score, category, truncation, occlusion, with commas between (the
kit's readme, as its readers quote it). Categories are 0, ignored regions, 1 to 10, and 11, others.
A score of 0 says that the evaluation ignores the box; ignored regions are of no class. Both are
left out, which is said (Ultralytics' `VisDrone.yaml` does so too). Folders are called
`VisDrone2019-DET-train`, `-val`, `-test-dev`.
"""

from __future__ import annotations

import math
from pathlib import Path

from core.common.errors import ImportFailed
from core.common.text import clean
from core.data.importers.dataset import DataSet
from core.data.importers.formats.look import Look
from core.data.importers.formats.reading.label_files import looks_like, read_folder
from core.data.importers.formats.reading.pictures import Pictures, as_json
from core.data.importers.formats.reading.text_files import number
from core.data.importers.image_files import Folders
from core.data.importers.report import Watch
from core.data.importers.split_names import split_of

_CLASSES = (
    "ignored regions", "pedestrian", "people", "bicycle", "car", "van", "truck", "tricycle",
    "awning-tricycle", "bus", "motor", "others",
)  # fmt: skip


def is_visdrone(look: Look) -> bool:
    """Whether text files in `annotations` have eight whole numbers with commas on a line."""
    return looks_like(look, ("annotations",), lambda line: _row(line) is not None)


def read_visdrone(source: Path, watch: Watch) -> DataSet:
    """Read the data set in the folder `source`. Raises `ImportFailed` when there is none."""
    pictures = Pictures("visdrone", source, watch, folder=True)
    source, data = pictures.source, pictures.data
    groups = _groups(source, pictures.folders)
    if not groups:
        raise ImportFailed(
            f"There are no VisDrone annotations in '{clean(str(source))}'.",
            "VisDrone-DET has annotations/*.txt and images, in VisDrone2019-DET-train and others.",
        )
    for labels, images in groups:
        split = split_of(labels.parent.name)
        data.balance.split(labels.parent.name, split)
        read_folder(pictures, labels, [images], split, _line)
    return data


def _groups(source: Path, listed: Folders) -> list[tuple[Path, Path]]:
    found = []
    for folder in [source, *listed.subfolders(source)]:
        inner = {sub.name.lower(): sub for sub in listed.subfolders(folder)}
        if "annotations" in inner and listed.with_ending(inner["annotations"], ".txt"):
            found.append((inner["annotations"], inner.get("images", folder)))
    return found


def _line(pictures: Pictures, image: int, line: str, where: str) -> None:
    data = pictures.data
    row = _row(line)
    if row is None:
        data.problems.add("bad line", where, f"not eight numbers: {line[:80]}")
        return
    x, y, w, h, score, category, truncation, occlusion = row
    number_of_class = int(category)
    if number_of_class == 0:
        data.problems.add("ignored region", where, "a region of no class")
        return
    if number_of_class >= len(_CLASSES) or number_of_class < 0:
        data.problems.add("unknown category", where, f"there is no class {number_of_class}")
        return
    if score == 0:
        data.problems.add("ignored object", where, "marked as not to be considered")
        return
    extra: dict[str, object] = {}
    if truncation > 0:
        extra["truncated"] = int(truncation)
    if occlusion > 0:
        extra["occluded"] = int(occlusion)
    label = data.label(_CLASSES[number_of_class])
    data.box(image, label, (x, y, w, h), where, extra=as_json(extra))


def _row(line: str) -> list[float] | None:
    # Some of the files end their lines with a comma.
    values = [number(part) for part in line.strip().rstrip(",").split(",")]
    return values if len(values) == 8 and all(map(math.isfinite, values)) else None
