"""Every format that lies at a path: people keep the same labels in two or three of them.

An import takes one; this says which the others are, by what is in the files. Names of files and
folders alone, of which `detect_format` makes its last guess, prove nothing here.
"""

from __future__ import annotations

import re
from pathlib import Path

from core.common.text import shell_word
from core.data.importers.dataset import DataSet
from core.data.importers.formats.look import Look
from core.data.importers.formats.registry import FORMATS

_LOOKED_AT = 20
# Formats whose files are those of another one, too, with more in them.
_PARTS_OF = {"csv": ("open-images", "via"), "coco-dir": ("azure",), "yolo": ("visdrone", "mot")}
_YOLO_LINE = re.compile(r"\d+( [01]?\.\d+([eE]-\d+)?| [01]){4,}\s*")


COCO, YOLO, VOC = "coco-dir", "yolo", "voc"


def lying_together(look: Look) -> list[str]:
    """Return the words of all formats that are read and lie there, told by what is in files.

    Never raises.
    """
    found = [item.name for item in FORMATS if item.recognise(look)]
    for word, ending, is_one in (
        (COCO, ".json", _is_coco),
        (YOLO, ".txt", _is_yolo),
        (VOC, ".xml", _is_voc),
    ):
        if any(map(is_one, look.heads(ending, most=_LOOKED_AT))):
            found.append(word)
    return [name for name in found if not set(_PARTS_OF.get(name, ())) & set(found)]


def say_others(data: DataSet, place: Path, name: str = "") -> None:
    """Note the formats that lie in a folder beside the one that was read as `data`.

    `name` is how the place is called in what is said, for one that was unpacked.
    """
    if not place.is_dir():
        return
    known = {COCO: "COCO", YOLO: "YOLO", VOC: "Pascal VOC"} | {f.name: f.title for f in FORMATS}
    taken = data.kind if data.kind in known else COCO
    for word in lying_together(Look(place)):
        if word != taken:
            way = f"batman import {word} {shell_word(name or str(place))}"
            detail = f"{known[word]} lies here too, and was not read: {way}"
            data.problems.add("another format", known[word], detail)


def _is_coco(head: str) -> bool:
    return ('"images"' in head and ('"file_name"' in head or '"categories"' in head)) or all(
        key in head for key in ('"annotations"', '"bbox"', '"category_id"', '"image_id"')
    )


def _is_yolo(head: str) -> bool:
    return bool(_YOLO_LINE.fullmatch(head.lstrip("\ufeff").partition("\n")[0].replace("\t", " ")))


def _is_voc(head: str) -> bool:
    return "<annotation" in head and "<object" in head and "<bndbox" in head
