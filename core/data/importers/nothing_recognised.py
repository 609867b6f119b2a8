"""What to say of a path at which no data set is recognised: what lies there, and the way out."""

from __future__ import annotations

import contextlib
import re
import zipfile
from collections import Counter
from pathlib import Path, PurePosixPath

from core.common.text import clean, plural, shell_word
from core.data.images.picture_files import is_picture
from core.data.importers.detect_format import Recognised, recognise
from core.data.importers.formats.look import Look
from core.data.importers.split_names import split_named

_PACKED = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar")
_PARTS = frozenset({"images", "imgs", "img", "jpegimages", "data", "pictures", "frames",
                    "image_2"})  # fmt: skip
_LABELS = frozenset({"labels", "annotations", "label", "annotation", "xml", "xmls", "ann",
                     "label_2", "labeltxt"})  # fmt: skip
# Endings of files that each speak of one picture, or of the names of the set.
_OF_ONE = (".txt", ".xml", ".names", ".data")
_OF_LABELS = (".json", ".jsonl", ".xml", ".txt", ".csv", ".tsv", ".mat", ".pkl", ".yaml", ".yml")
# What lies beside pictures and says something about them, not what is in them.
_ABOUT = re.compile(r"(?i)(read.?me|licen[cs]e|notes?|about|changelog)\b")
_MASKS = frozenset({"masks", "mask", "segmentation", "segmentations", "labels_masks", "gt"})


def what_lies_there(look: Look) -> tuple[str, str] | None:
    """Return what lies at a path, as the end of a sentence, and the way out.

    None if that is unclear, or pictures alone. Goes by names and beginnings of files; never raises.
    """
    if not look.path.is_dir() and not look.packed and look.path.name.lower().endswith(_PACKED):
        return "it is packed in a way that is not read", _UNPACK
    if look.packed and not zipfile.is_zipfile(look.path):
        return "it is no whole ZIP archive", "It may be cut short: download or export it again."
    if not look.names:
        return "the archive is empty" if look.packed else "the folder is empty", "Check the path."
    if (part := part_of_a_set(look)) is not None:
        return part
    pictures = [name for name in look.names if is_picture(name)]
    others = [name for name in look.names if not is_picture(name)]
    packed = [name for name in others if name.lower().endswith(_PACKED)]
    if packed and (not pictures or len(packed) == len(others)):
        return f"the data set seems to be packed within it, in '{clean(packed[0])}'", _UNPACK
    if any(_is_results(look.head(name)) for name in look.ending(".json")[:5]):
        return (
            "there are detections in COCO's form for results, a list that names no pictures",
            "Put the list under the key annotations of a COCO file, beside its images and"
            " categories, and import that.",
        )
    if any(name.rpartition("/")[2] == "_classes.csv" for name in others):
        return _OF_CLASSES
    if not pictures:
        return None
    masks = [name for name in pictures if _MASKS & set(name.lower().split("/")[:-1])]
    if masks and len(masks) < len(pictures):
        return (
            f"there are pictures, and {plural(len(masks), 'mask')} of pixels, such as"
            f" '{clean(masks[0])}'",
            "Masks of classes do not part one object from the next: export polygons or boxes, as"
            " COCO 1.0 or CVAT for images.",
        )
    folders = Counter(_class_folder(name) for name in pictures)
    if "" not in folders and len(folders) > 1:
        return _OF_CLASSES
    beside = [
        name
        for name in others
        if name.lower().endswith(_OF_LABELS) and not _ABOUT.match(PurePosixPath(name).name)
    ]
    if beside:
        endings = ", ".join(sorted({PurePosixPath(name).suffix.lower() for name in beside}))
        return (
            f"there are pictures, and {plural(len(beside), 'file')} ({endings}) of a form that is"
            f" not known here, such as '{clean(beside[0])}'",
            "Export the data set as COCO, YOLO or Pascal VOC; batman import --help lists all that"
            " is read, and batman import images takes the pictures alone.",
        )
    return None


def part_of_a_set(look: Look) -> tuple[str, str] | None:
    """Return what is only a part of a data set, a label file or a folder of labels or of their
    pictures, as the end of a sentence, and the way out; None for anything else.
    """
    path = look.path.absolute()
    if look.packed:
        return None
    if path.is_file():
        whole = _whole(path.parent) if path.suffix.lower() in _OF_ONE else None
        what = f"it is one file of a data set ({whole[1].title})" if whole else ""
    else:
        whole = _whole(path.parent) if _beside(path) else None
        title = whole[1].title if whole else ""
        what = f"it is a part of a data set ({title}), whose other files lie beside it"
    if whole is None or whole[1].kind is None:
        return None
    way = f"Read it whole with batman import {whole[1].kind.name} {shell_word(str(whole[0]))}"
    if path.is_dir() and look.images:
        way += f"; batman import images {shell_word(str(path))} takes the pictures alone"
    return what, f"{way}."


def _beside(path: Path) -> bool:
    """Whether a folder of pictures or of labels has its counterpart beside it, or a folder up."""
    for place in (path, path.parent):
        if place.name.lower() in _PARTS | _LABELS:
            wanted = _LABELS if place.name.lower() in _PARTS else _PARTS
            with contextlib.suppress(OSError):
                return any(
                    other.name.lower() in wanted and other.is_dir()
                    for other in place.parent.iterdir()
                )
        if not split_named(place.name):
            return False
    return False


def _whole(path: Path) -> tuple[Path, Recognised] | None:
    """Return the nearest folder at or above `path` that is a data set, None for none.

    It is looked for further up as long as a folder is called as a part of a set is.
    """
    for folder in (path, *path.parents)[:3]:
        if folder in (Path.home(), Path(folder.anchor)):
            return None
        found = recognise(folder)
        if found is not None and found.kind is not None and Look(folder).images:
            return folder, found
        name = folder.name.lower()
        if name not in _PARTS | _LABELS and not split_named(name):
            return None
    return None


_UNPACK = "Unpack it, and import the folder; a ZIP archive of the data set is read as it is."
_OF_CLASSES = (
    "there are pictures by class, without boxes, as classification has them",
    "Detection needs boxes: export the data set as object detection, or take the pictures alone"
    " (batman import images) and label them here.",
)


def _is_results(head: str) -> bool:
    return head.lstrip().startswith("[") and all(
        key in head for key in ('"image_id"', '"category_id"', '"bbox"')
    )


def _class_folder(name: str) -> str:
    """Return the folder that may name a picture's class, "" for none."""
    folder = PurePosixPath(name).parent.name
    return "" if folder.lower() in _PARTS or split_named(folder) else folder
