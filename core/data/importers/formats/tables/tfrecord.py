"""TensorFlow's TFRecord of the Object Detection API: pictures and boxes in one file of records.

Records, their checksums and their messages are read by `formats.reading.tf_examples`. The keys are
those of `research/object_detection/dataset_tools/create_coco_tf_record.py` and
`create_pascal_tf_record.py` (github.com/tensorflow/models, also written by Roboflow): the picture's
bytes in `image/encoded`, its name in `image/filename`, its sides, and lists with an entry for each
object: `image/object/bbox/xmin` … as fractions of the sides, `image/object/class/text`, and
`class/label`, which a label map beside (`item { id: 1 name: 'x' }`) names.

TensorFlow does not turn pictures by their EXIF tag, so boxes are of the picture as it is stored.
"""

from __future__ import annotations

import re
from pathlib import Path

from core.common.errors import ImportFailed
from core.common.text import clean, plural
from core.data.importers.dataset import DataSet, ends, inside
from core.data.importers.formats.look import Look
from core.data.importers.formats.reading.embedded import fitting, format_and_sides
from core.data.importers.formats.reading.pictures import Pictures
from core.data.importers.formats.reading.text_files import bytes_of
from core.data.importers.formats.reading.tf_examples import Damaged, Example, require_protobuf
from core.data.importers.formats.reading.tf_examples import examples as examples_of
from core.data.importers.image_files import Found, walk
from core.data.importers.report import Watch
from core.data.importers.split_names import split_named, split_of

_RECORD = re.compile(r"\.(tfrecords?|record)([-.].*)?$", re.IGNORECASE)
_ITEM = re.compile(r"item\s*\{(.*?)\}", re.DOTALL)
_ID = re.compile(r"\bid\s*:\s*(\d+)")
# `display_name` is what people read; the text in records is `name`.
_NAME = re.compile(r"(?<![\w])name\s*:\s*(\"[^\"]*\"|'[^']*')")
_BOX = tuple(f"image/object/bbox/{side}" for side in ("xmin", "ymin", "xmax", "ymax"))
_MASK = "image/object/mask"
_TEXT, _NUMBER = "image/object/class/text", "image/object/class/label"


def is_tfrecord(look: Look) -> bool:
    """Whether a file is called as records are: `train.tfrecord`, `x.record-00000-of-00002`."""
    return any(_is_record(name) for name in look.names)


def _is_record(name: str) -> bool:
    return bool(_RECORD.search(name.rpartition("/")[2]))


def read_tfrecord(source: Path, watch: Watch) -> DataSet:
    """Read the record files at `source`, a folder or one of them, and write out their pictures.

    Raises `ImportFailed` when there is none, when none can be read, when protobuf is not
    installed, and when pictures are to be left where they are.
    """
    pictures = Pictures("tfrecord", source, watch)
    place = clean(str(pictures.source))
    files = [pictures.source]
    if pictures.source.is_dir():
        files = [pictures.root / name for name in walk(pictures.root, _is_record)]
    if not files:
        raise ImportFailed(
            f"There is no TFRecord in '{place}'.", "Its files end in .tfrecord or .record."
        )
    require_protobuf()
    if watch.scratch is None:
        raise ImportFailed(
            "Pictures in a TFRecord cannot be left where they are: they are parts of it.",
            "Import it without --reference.",
        )
    reader = _Reader(pictures, watch.scratch(), _label_map(pictures))
    for file in files:
        reader.file(file)
    data = pictures.data
    if not data.images and data.problems.listed:
        first = data.problems.listed[0]
        raise ImportFailed(
            f"No picture was found in the TFRecord '{place}': {clean(first.detail)}.",
            "Records of the Object Detection API are read, with image/encoded and"
            " image/object/bbox/xmin; export others as COCO, or as TensorFlow's CSV.",
        )
    data.group_copies()
    return data


def _label_map(pictures: Pictures) -> dict[int, str]:
    """Return the names by number of the label maps that lie with the records."""
    names: dict[int, str] = {}
    for below in walk(pictures.root, lambda name: name.lower().endswith((".pbtxt", ".pbtext"))):
        file = pictures.root / below
        pictures.data.balance.describe(file)
        for item in _ITEM.findall(bytes_of(file, below).decode("utf-8-sig", "replace")):
            number, name = _ID.search(item), _NAME.search(item)
            if number and name:
                names.setdefault(int(number[1]), name[1][1:-1])
    return names


def _split(file: Path) -> str | None:
    """Return the split that a record's name or its folder speaks of: `coco_val.record-0…-of-9`."""
    return split_of(_RECORD.sub("", file.name)) or split_named(file.parent.name)


class _Reader:
    def __init__(self, pictures: Pictures, folder: Path, names: dict[int, str]) -> None:
        self.pictures = pictures
        self.data = pictures.data
        self.folder = folder
        self.names = names
        self.written = 0

    def file(self, file: Path) -> None:
        name = file.relative_to(self.pictures.root).as_posix()
        split = _split(file)
        self.data.balance.split(file.name, split)
        read = 0
        try:
            for number, example in enumerate(examples_of(file), 1):
                self.record(example, split, f"{name}: record {number}")
                read = number
        except Damaged as error:
            self.data.problems.add("damaged record", f"{name}: record {read + 1}", str(error))
            if not read:
                self.data.balance.leave(str(file), str(error))
                return
        self.data.balance.use(str(file))

    def record(self, example: Example, split: str | None, where: str) -> None:
        raw = example.raw("image/encoded")
        if not raw:
            keys = ", ".join(sorted(example.keys))[:120] or "nothing"
            self.data.problems.add("missing image", where, f"no image/encoded: it has {keys}")
            return
        ending, sides = format_and_sides(raw) or ("", None)
        name = self.name(example, ending, where)
        file = self.folder / f"record-{self.written}{Path(name).suffix}"
        file.write_bytes(raw)
        self.written += 1
        found = Found(str(file), link=False)
        image = self.pictures.take(found, split, where, name=name, size=sides)
        if image is not None:
            self.objects(example, image, where)

    def name(self, example: Example, ending: str, where: str) -> str:
        """Return the picture's path as the record has it, with an ending that fits its bytes."""
        said = example.text("image/filename") or example.text("image/source_id")
        name = inside(said) or next(iter(ends(said)[-1:]), "")
        name = name or re.sub(r"\W+", "-", where)
        return fitting(name, ending)

    def objects(self, example: Example, image: int, where: str) -> None:
        if masks := len(example.texts(_MASK)):
            detail = f"{plural(masks, 'mask')} beside the boxes, which are taken alone"
            self.data.problems.add("masks", where, detail, "kept")
        sides = [example.floats(key) for key in _BOX]
        count = max(map(len, sides))
        self.data.balance.found(count)
        texts, numbers = example.texts(_TEXT), example.integers(_NUMBER)
        crowds = example.integers("image/object/is_crowd")
        areas = example.floats("image/object/area")
        width, height = self.pictures.size(image)
        for place in range(count):
            at = f"{where}: object {place + 1}"
            if any(place >= len(values) for values in sides):
                self.data.problems.add("no box", at, "not all four of its sides are there")
                continue
            label = self.label(texts, numbers, place, at)
            if label is None:
                continue
            x1, y1, x2, y2 = (values[place] for values in sides)
            box = (x1 * width, y1 * height, (x2 - x1) * width, (y2 - y1) * height)
            crowd = int(place < len(crowds) and crowds[place] > 0)
            area = areas[place] if place < len(areas) else None
            self.data.box(image, label, box, at, iscrowd=crowd, area=area, corners=True)

    def label(self, texts: list[str], numbers: list[int], place: int, at: str) -> int | None:
        if place < len(texts) and texts[place]:
            return self.pictures.label(texts[place], at)
        if place >= len(numbers):
            return self.pictures.label(None, at)
        name = self.names.get(numbers[place])
        if name is None:
            name = f"class_{numbers[place]}"
            detail = f"class {numbers[place]} has no name here and is called '{name}'"
            self.data.problems.add("no name", at, detail, "kept")
        return self.pictures.label(name, at)
