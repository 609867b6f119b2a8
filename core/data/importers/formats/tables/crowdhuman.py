"""CrowdHuman: `annotation_train.odgt`, a JSON object a line, and the pictures in `Images`.

A line has `ID`, the picture's name without ending, and `gtboxes`: each has a `tag`, `person` or
`mask`, the boxes of the whole body `fbox`, its visible part `vbox` and the head `hbox` as left,
top, width, height, and `extra.ignore` (crowdhuman.org, "Download"; arXiv 1805.00123). The whole
body is taken, which may go past the picture's edge and is clipped there; the other two are kept
beside it. A mask, and a person to be ignored, is a region that counts neither way (`iscrowd`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.common.errors import ImportFailed
from core.common.text import clean
from core.data.importers.dataset import DataSet
from core.data.importers.formats.look import Look
from core.data.importers.formats.reading.json_records import json_lines, numbers, records
from core.data.importers.formats.reading.pictures import Pictures, as_json
from core.data.importers.report import Watch


def is_crowdhuman(look: Look) -> bool:
    """Whether there is an `.odgt` file with `gtboxes`."""
    return any('"gtboxes"' in look.head(name) for name in look.ending(".odgt"))


def read_crowdhuman(source: Path, watch: Watch) -> DataSet:
    """Read the `.odgt` files at `source`, a folder or one of them.

    Raises `ImportFailed` when there is none.
    """
    pictures = Pictures("crowdhuman", source, watch)
    source, data = pictures.source, pictures.data
    root = pictures.root
    files = pictures.files(".odgt")
    if not files:
        raise ImportFailed(
            f"There is no .odgt file in '{clean(str(source))}'.",
            "CrowdHuman has annotation_train.odgt beside the folder Images.",
        )
    for file in files:
        split = pictures.split_of(file)
        data.balance.use(str(file))
        folders = [
            base / part
            for base in dict.fromkeys([file.parent, root, root.parent])
            for part in (
                "Images",
                "images",
                f"CrowdHuman_{file.stem.rpartition('_')[2]}/Images",
                "",
            )
        ]
        for where, record in json_lines(file, data.problems):
            _record(pictures, record, split, folders, where)
    return data


def _record(
    pictures: Pictures, record: dict[str, Any], split: str | None, folders: list[Path], where: str
) -> None:
    data = pictures.data
    name = record.get("ID")
    boxes = records(record.get("gtboxes"))
    if not isinstance(name, str) or not name:
        data.problems.add("bad line", where, "it has no ID")
        return
    found = pictures.with_stem(name, folders) or pictures.find([f"{name}.jpg"], folders, where)
    data.balance.line(found is not None)
    if found is None:
        return
    image = pictures.take(found, split, where)
    if image is None:
        return
    data.balance.found(len(boxes))
    for place, entry in enumerate(boxes, 1):
        at = f"{where}: box {place}"
        box = numbers(entry.get("fbox"), 4)
        if box is None:
            data.problems.add("no box", at, "it has no fbox of four numbers")
            continue
        more = entry.get("extra")
        ignored = entry.get("tag") != "person" or (
            isinstance(more, dict) and more.get("ignore") in (1, True)
        )
        extra: dict[str, object] = {
            key: entry[key] for key in ("vbox", "hbox") if numbers(entry.get(key), 4) is not None
        }
        x, y, w, h = box
        data.box(
            image,
            data.label("person"),
            (x, y, w, h),
            at,
            iscrowd=int(ignored),
            extra=as_json(extra),
        )
