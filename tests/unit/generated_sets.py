"""Data sets drawn by a seed, with odd but valid features, in every format that has a writer here.

`draw` makes up pictures and objects; a writer puts them on disk as the format's tools do and
returns what a reader must find. Nothing of the product is used.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from import_data import png, put, voc_xml

Box = tuple[float, float, float, float]
# Split ("" for none), name of the picture without its folders, class, box; `*` marks a crowd.
Row = tuple[str, str, str, Box]

STEMS = (
    "a",
    "IMG 0001",
    "é-Ünï",
    "0007",
    "x.y.z",
    "photo (1)",
    "_under",
    "日本",
    "UPPER",
    "a+b",
    "%41",
)
NAMES = (
    "car",
    "Person",
    "traffic light",
    "ячейка",
    "0",
    "a-b_c",
    "class (old)",
    "Über",
    "x,y",
    "nan",
)
WORDS = ("car", "Person", "large-vehicle", "ячейка", "a-b_c", "Über")
SPLITS = ("train", "valid", "test")
SIZES = ((64, 48), (31, 97), (200, 100), (8, 8))


@dataclass
class Thing:
    """One object; `kind` says what is odd about its box."""

    name: str
    box: Box
    crowd: bool = False
    kind: str = ""


@dataclass
class Drawn:
    """One picture."""

    stem: str
    split: str
    size: tuple[int, int]
    things: list[Thing] = field(default_factory=list)


@dataclass
class Expected:
    """What a reader must find: boxes, pictures by split, and whether anything is to be told."""

    rows: list[Row]
    pictures: list[tuple[str, str]]
    told: int = 0


def draw(random: Random, *, whole: bool = False, names: tuple[str, ...] = NAMES) -> list[Drawn]:
    """Draw one to four pictures of one to three splits, each with up to four objects."""
    splits = random.sample(SPLITS, random.randint(1, 3))
    pictures = []
    for stem in random.sample(STEMS, random.randint(1, 4)):
        size = random.choice(SIZES)
        picture = Drawn(stem, random.choice(splits), size)
        for _ in range(random.choice((0, 1, 1, 2, 4))):
            kind = random.choice(("", "", "", "", "past", "empty", "whole"))
            picture.things.append(
                Thing(
                    random.choice(names),
                    _box(random, size, kind, whole),
                    random.random() < 0.15,
                    kind,
                )
            )
        pictures.append(picture)
    # A set without an object is no set that any of the formats can be told by.
    if not any(thing.kind != "empty" for picture in pictures for thing in picture.things):
        pictures[0].things.append(Thing(names[0], (1, 2, 3, 4)))
    return pictures


def _box(random: Random, size: tuple[int, int], kind: str, whole: bool) -> Box:
    width, height = size
    if kind == "whole":
        return (0, 0, width, height)
    x, y = random.randint(0, width - 4), random.randint(0, height - 4)
    w, h = random.randint(1, width - x), random.randint(1, height - y)
    if kind == "past":
        return (x, y, width - x + random.randint(2, 9), h)
    if kind == "empty":
        return (x, y, 0, h)
    if whole:
        return (x, y, w, h)
    # Fractions of pixels, inside.
    return (x + 0.25, y + 0.5, max(w - 0.75, 0.25), max(h - 0.5, 0.5))


def expected(
    pictures: list[Drawn],
    *,
    splits: bool = True,
    crowds: bool = False,
    ending: str = ".png",
    name: Callable[[str], str] = str,
) -> Expected:
    """Return what must be found of these pictures by the rules that `boxes` states."""
    rows: list[Row] = []
    told = 0
    for picture in pictures:
        width, height = picture.size
        for thing in picture.things:
            x, y, w, h = thing.box
            if w <= 0 or h <= 0:
                told += 1
                continue
            told += x + w > width + 0.1
            box = (x, y, min(x + w, width) - x, min(y + h, height) - y)
            mark = "*" if crowds and thing.crowd else ""
            split = picture.split if splits else ""
            rows.append((split, picture.stem + ending, name(thing.name) + mark, box))
    listed = [(p.split if splits else "", p.stem + ending) for p in pictures]
    return Expected(sorted(rows), sorted(listed), told)


def _corners(box: Box) -> Box:
    x, y, w, h = box
    return (x, y, x + w, y + h)


def _image(path: Path, picture: Drawn) -> None:
    # What follows a PNG's end is passed over: no two pictures are the same file.
    put(path, png(*picture.size) + str(path).encode())


def _csv(random: Random, rows: list[list[object]]) -> bytes:
    """Write a table in one of the dialects of Excel and others."""
    text = io.StringIO()
    delimiter = random.choice(",;\t")
    quoting: Any = random.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    end = random.choice(("\n", "\r\n"))
    csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows(rows)
    encoding = random.choice(("utf-8", "utf-8-sig", "utf-16"))
    return text.getvalue().encode(encoding)


def tensorflow_csv(folder: Path, random: Random) -> Expected:
    pictures = draw(random)
    order = ["filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax"]
    random.shuffle(order)
    header = [random.choice((name, name.upper(), name.title())) for name in order]
    unlabelled = 0
    for split in {picture.split for picture in pictures}:
        rows: list[list[object]] = [list(header)]
        inside = [picture for picture in pictures if picture.split == split]
        if not any(picture.things for picture in inside):
            inside[0].things.append(Thing("car", (1, 1, 3, 3)))
        for picture in inside:
            _image(folder / split / f"{picture.stem}.png", picture)
            unlabelled += not picture.things
            for thing in picture.things:
                corners = dict(
                    zip(("xmin", "ymin", "xmax", "ymax"), _corners(thing.box), strict=True)
                )
                cells = {"filename": f"{picture.stem}.png", "width": picture.size[0],
                         "height": picture.size[1], "class": thing.name, **corners}  # fmt: skip
                rows.append([cells[name] for name in order])
        put(folder / split / "_annotations.csv", _csv(random, rows))
    found = expected(pictures)
    found.told += unlabelled
    return found


def retinanet_csv(folder: Path, random: Random) -> Expected:
    pictures = draw(random, whole=True)
    for split in {picture.split for picture in pictures}:
        rows: list[list[object]] = []
        for picture in pictures:
            if picture.split == split:
                name = f"images/{picture.stem}.png"
                _image(folder / name, picture)
                rows += [[name, *_corners(thing.box), thing.name] for thing in picture.things] or [
                    [name, "", "", "", "", ""]
                ]
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        put(folder / f"{split}.csv", text.getvalue())
    return expected(pictures)


def open_images(folder: Path, random: Random) -> Expected:
    pictures = draw(random)
    codes = {name: f"/m/0{number}" for number, name in enumerate(NAMES)}
    head = ["ImageID", "Source", "LabelName", "Confidence", "XMin", "XMax", "YMin", "YMax",
            "IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside"]  # fmt: skip
    unlabelled = 0
    for split in {picture.split for picture in pictures}:
        word = {"valid": "validation"}.get(split, split)
        rows: list[list[object]] = [list(head)]
        inside = [picture for picture in pictures if picture.split == split]
        if not any(picture.things for picture in inside):
            inside[0].things.append(Thing("car", (1, 1, 3, 3)))
        for picture in inside:
            _image(folder / word / f"{picture.stem}.png", picture)
            unlabelled += not picture.things
            width, height = picture.size
            for thing in picture.things:
                left, top, right, bottom = _corners(thing.box)
                rows.append(
                    [picture.stem, "xclick", codes[thing.name], 1, left / width, right / width,
                     top / height, bottom / height, random.choice((-1, 0, 1)), 0,
                     int(thing.crowd), 0, 0]
                )  # fmt: skip
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        put(folder / f"{word}-annotations-bbox.csv", text.getvalue())
    text = io.StringIO()
    described = [[code, name] for name, code in codes.items()]
    header = [["LabelName", "DisplayName"]] if random.random() < 0.5 else []
    csv.writer(text, lineterminator="\n").writerows([*header, *described])
    put(folder / "class-descriptions-boxable.csv", text.getvalue())
    found = expected(pictures, crowds=True)
    found.told += unlabelled
    return found


def kitti(folder: Path, random: Random) -> Expected:
    pictures = draw(random, names=tuple(name for name in NAMES if name != "0"))
    words = {"train": "training", "valid": "validation", "test": "testing"}
    regions = 0
    for picture in pictures:
        place = folder / words[picture.split]
        _image(place / "image_2" / f"{picture.stem}.png", picture)
        lines = [
            f"{thing.name} {random.choice(('0.00', '-1', '1'))} {random.randint(-1, 3)} -1.57 "
            + " ".join(f"{value:.2f}" for value in _corners(thing.box))
            + " 1.5 1.6 3.7 1.0 1.7 13.2 -1.6"
            + random.choice(("", " 0.98"))
            for thing in picture.things
        ]
        if random.random() < 0.3:
            regions += 1
            lines.insert(0, "DontCare -1 -1 -10 1 1 5 5 -1 -1 -1 -1000 -1000 -1000 -10")
        end = random.choice(("\n", "\r\n"))
        put(place / "label_2" / f"{picture.stem}.txt", "".join(line + end for line in lines))
    found = expected(pictures)
    found.told += regions
    return found


def mot(folder: Path, random: Random) -> Expected:
    drawn = draw(random, whole=True, names=("pedestrian", "car", "bicycle"))
    numbers = {"pedestrian": 1, "car": 3, "bicycle": 4}
    # A sequence has one split; frames have one size.
    size, split = drawn[0].size, drawn[0].split
    pictures = [Drawn(f"{number:06d}", split, size, []) for number in range(1, len(drawn) + 1)]
    place = folder / {"valid": "val"}.get(split, split) / "SEQ-01"
    lines, ignored = [], 0
    for number, picture in enumerate(pictures, 1):
        put(place / "img1" / f"{picture.stem}.jpg", png(*size))
        for track in range(random.randint(0, 3)):
            thing = Thing(
                random.choice(tuple(numbers)),
                _box(random, size, random.choice(("", "past", "empty")), True),
            )
            counts = random.choice((1, 1, 1, 0))
            x, y, w, h = thing.box
            lines.append(
                f"{number},{track + 1},{x + 1},{y + 1},{w},{h},{counts},{numbers[thing.name]},0.5"
            )
            ignored += not counts
            if counts:
                picture.things.append(thing)
    lines.append(f"1,9,1,1,{size[0]},{size[1]},1,1,1")
    pictures[0].things.append(Thing("pedestrian", (0, 0, *size)))
    random.shuffle(lines)
    put(place / "gt" / "gt.txt", "".join(line + "\n" for line in lines))
    found = expected(pictures, ending=".jpg")
    found.told += ignored
    return found


def dota(folder: Path, random: Random) -> Expected:
    pictures = draw(random, names=WORDS)
    for picture in pictures:
        picture.things = [thing for thing in picture.things if thing.kind != "empty"]
    if not any(picture.things for picture in pictures):
        pictures[0].things.append(Thing("car", (1, 1, 3, 3)))
    words = {"valid": "val"}
    for picture in pictures:
        place = folder / words.get(picture.split, picture.split)
        _image(place / "images" / f"{picture.stem}.png", picture)
        lines = ["imagesource:GoogleEarth", "gsd:0.15"] if random.random() < 0.5 else []
        for thing in picture.things:
            left, top, right, bottom = _corners(thing.box)
            corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
            turn = random.randrange(4)
            values = [value for point in corners[turn:] + corners[:turn] for value in point]
            ends = random.choice(("", " 0", " 1", " 2"))
            lines.append(" ".join(map(str, values)) + f" {thing.name}{ends}")
        put(place / "labelTxt" / f"{picture.stem}.txt", "".join(line + "\n" for line in lines))
    found = expected(pictures)
    found.told += any(picture.things for picture in pictures)
    return found


def wider_face(folder: Path, random: Random) -> Expected:
    pictures = draw(random, whole=True, names=("face",))
    for split in {picture.split for picture in pictures}:
        word = {"valid": "val"}.get(split, split)
        text = ""
        for picture in pictures:
            if picture.split == split:
                name = f"0--Parade/{picture.stem}.png"
                _image(folder / f"WIDER_{word}" / "images" / name, picture)
                text += f"{name}\n{len(picture.things)}\n"
                for thing in picture.things:
                    text += " ".join(map(str, thing.box)) + f" 0 1 0 {int(thing.crowd)} 0 0 \n"
                text += "" if picture.things else "0 0 0 0 0 0 0 0 0 0 \n"
        put(folder / "wider_face_split" / f"wider_face_{word}_bbx_gt.txt", text)
    return expected(pictures, crowds=True)


def visdrone(folder: Path, random: Random) -> Expected:
    classes = ("pedestrian", "people", "bicycle", "car", "van")
    pictures = draw(random, whole=True, names=classes)
    ignored = 0
    for picture in pictures:
        word = {"valid": "val", "test": "test-dev"}.get(picture.split, picture.split)
        place = folder / f"VisDrone2019-DET-{word}"
        _image(place / "images" / f"{picture.stem}.png", picture)
        lines = [
            ",".join(map(str, (*thing.box, 1, classes.index(thing.name) + 1, 0, 1)))
            for thing in picture.things
        ]
        if random.random() < 0.4:
            ignored += 1
            lines.insert(0, random.choice(("1,1,4,4,0,0,0,0", "1,1,4,4,0,11,0,0")))
        comma = random.choice(("", ","))
        put(
            place / "annotations" / f"{picture.stem}.txt",
            "".join(f"{line}{comma}\n" for line in lines),
        )
    found = expected(pictures)
    found.told += ignored
    return found


def bdd100k(folder: Path, random: Random) -> Expected:
    pictures = draw(random)
    lanes = 0
    for split in {picture.split for picture in pictures}:
        word = {"valid": "val"}.get(split, split)
        frames = []
        for picture in pictures:
            if picture.split == split:
                _image(folder / "images" / "100k" / word / f"{picture.stem}.png", picture)
                labels: list[dict[str, object]] = [
                    {"category": thing.name, "attributes": {"crowd": thing.crowd},
                     "box2d": dict(zip(("x1", "y1", "x2", "y2"), _corners(thing.box), strict=True))}
                    for thing in picture.things
                ]  # fmt: skip
                if random.random() < 0.3:
                    lanes += 1
                    labels.append({"category": "lane", "poly2d": []})
                frame: dict[str, object] = {"name": f"{picture.stem}.png", "labels": labels}
                if not labels and random.random() < 0.5:
                    frame = {"name": f"{picture.stem}.png", "labels": None}
                frames.append(frame)
        value = {"frames": frames} if random.random() < 0.3 else frames
        put(folder / "labels" / "det_20" / f"det_{word}.json", json.dumps(value))
    found = expected(pictures, crowds=True)
    found.told += lanes
    return found


def crowdhuman(folder: Path, random: Random) -> Expected:
    pictures = draw(random, whole=True, names=("person",))
    for split in {picture.split for picture in pictures}:
        word = {"valid": "val"}.get(split, split)
        lines = []
        for picture in pictures:
            if picture.split == split:
                _image(folder / "Images" / f"{picture.stem}.png", picture)
                boxes = []
                for thing in picture.things:
                    box: dict[str, object] = {"fbox": list(thing.box), "tag": "person"}
                    if thing.crowd:
                        box.update(random.choice(({"tag": "mask"}, {"extra": {"ignore": 1}})))
                    boxes.append(box)
                lines.append(json.dumps({"ID": picture.stem, "gtboxes": boxes}))
        put(folder / f"annotation_{word}.odgt", "".join(line + "\n" for line in lines))
    return expected(pictures, crowds=True)


def azure(folder: Path, random: Random) -> Expected:
    pictures = draw(random)
    for split in {picture.split for picture in pictures}:
        lines = []
        for picture in pictures:
            if picture.split == split:
                _image(folder / "images" / f"{picture.stem}.png", picture)
                width, height = picture.size
                objects = []
                for thing in picture.things:
                    left, top, right, bottom = _corners(thing.box)
                    crowd = int(thing.crowd)
                    objects.append(
                        {"label": thing.name, "topX": left / width, "topY": top / height,
                         "bottomX": right / width, "bottomY": bottom / height,
                         "isCrowd": random.choice((crowd, bool(crowd), str(crowd)))}
                    )  # fmt: skip
                details = random.choice(
                    (None, {"width": width, "height": height},
                     {"format": "png", "width": f"{width}px", "height": f"{height}px"})
                )  # fmt: skip
                name = picture.stem.replace("%", "%25")
                line = {"image_url": f"AmlDatastore://images/{name}.png", "label": objects}
                lines.append(json.dumps({**line, "image_details": details} if details else line))
        put(folder / f"{split}_annotations.jsonl", "".join(line + "\n" for line in lines))
    return expected(pictures, crowds=True)


def _tokens(folder: Path, random: Random, *, florence: bool) -> Expected:
    parts = 1000 if florence else 1024
    pictures = draw(random, names=("car", "Person", "traffic light", "ячейка", "a-b_c"))
    for split in {picture.split for picture in pictures}:
        lines = []
        for picture in pictures:
            if picture.split == split:
                _image(folder / f"{picture.stem}.png", picture)
                width, height = picture.size
                said = []
                # Nothing past the edge can be said in parts of the picture.
                picture.things = [
                    thing for thing in picture.things if thing.kind not in ("past", "empty")
                ]
                for thing in picture.things:
                    left, top, right, bottom = _corners(thing.box)
                    ends = [
                        int(value * parts)
                        for value in (left / width, top / height, right / width, bottom / height)
                    ]
                    x1, y1, x2, y2 = (min(value, parts - 1) for value in ends)
                    thing.box = (x1 / parts * width, y1 / parts * height,
                                 (x2 - x1) / parts * width, (y2 - y1) / parts * height)  # fmt: skip
                    if florence:
                        said.append(f"{thing.name}<loc_{x1}><loc_{y1}><loc_{x2}><loc_{y2}>")
                    else:
                        said.append(
                            f"<loc{y1:04}><loc{x1:04}><loc{y2:04}><loc{x2:04}> {thing.name}"
                        )
                prefix = "<OD>" if florence else "detect car ; Person"
                suffix = ("" if florence else " ; ").join(said)
                lines.append(
                    json.dumps({"image": f"{picture.stem}.png", "prefix": prefix, "suffix": suffix})
                )
        put(folder / f"_annotations.{split}.jsonl", "".join(line + "\n" for line in lines))
    return expected(pictures)


def paligemma(folder: Path, random: Random) -> Expected:
    return _tokens(folder, random, florence=False)


def florence(folder: Path, random: Random) -> Expected:
    return _tokens(folder, random, florence=True)


def coco(folder: Path, random: Random) -> Expected:
    pictures = draw(random)
    for split in {picture.split for picture in pictures}:
        images: list[Any] = []
        annotations: list[Any] = []
        for number, picture in enumerate(pictures, random.choice((0, 1, 900))):
            if picture.split == split:
                _image(folder / split / f"{picture.stem}.png", picture)
                images.append({"id": number, "file_name": f"{picture.stem}.png",
                               "width": picture.size[0], "height": picture.size[1]})  # fmt: skip
                annotations += [
                    {"id": len(annotations) + place, "image_id": number, "bbox": list(thing.box),
                     "category_id": NAMES.index(thing.name) * 7, "iscrowd": int(thing.crowd)}
                    for place, thing in enumerate(picture.things)
                ]  # fmt: skip
        random.shuffle(images)
        random.shuffle(annotations)
        categories = [{"id": number * 7, "name": name} for number, name in enumerate(NAMES)]
        parts = [("images", images), ("annotations", annotations), ("categories", categories)]
        random.shuffle(parts)
        put(folder / split / "_annotations.coco.json", json.dumps(dict(parts)))
    return expected(pictures, crowds=True)


def yolo(folder: Path, random: Random) -> Expected:
    pictures = draw(random)
    flat = random.random() < 0.5
    for picture in pictures:
        parts = (picture.split, "{}") if flat else ("{}", picture.split)
        image, label = ("/".join(parts).format(name) for name in ("images", "labels"))
        _image(folder / image / f"{picture.stem}.png", picture)
        width, height = picture.size
        lines = []
        for thing in picture.things:
            x, y, w, h = thing.box
            values = ((x + w / 2) / width, (y + h / 2) / height, w / width, h / height)
            lines.append(
                f"{NAMES.index(thing.name)} " + " ".join(f"{value:.9f}" for value in values)
            )
        if lines or random.random() < 0.5:
            end = random.choice(("\n", "\r\n"))
            put(folder / label / f"{picture.stem}.txt", "".join(line + end for line in lines))
    keys = {"train": "train", "valid": random.choice(("val", "valid")), "test": "test"}
    used = {picture.split for picture in pictures}
    paths = {keys[s]: f"{s}/images" if flat else f"images/{s}" for s in sorted(used)}
    names: object = list(NAMES) if random.random() < 0.5 else dict(enumerate(NAMES))
    # JSON is YAML.
    put(
        folder / "data.yaml",
        json.dumps({**paths, "nc": len(NAMES), "names": names}, ensure_ascii=False),
    )
    return expected(pictures)


def voc(folder: Path, random: Random) -> Expected:
    pictures = draw(random, whole=True, names=tuple(name for name in NAMES if name != "nan"))
    lists: dict[str, list[str]] = {}
    for picture in pictures:
        _image(folder / "JPEGImages" / f"{picture.stem}.png", picture)
        objects = []
        # A box without a side cannot be said in whole pixels that both belong to it.
        picture.things = [thing for thing in picture.things if thing.kind != "empty"]
        for thing in picture.things:
            x, y, w, h = thing.box
            objects.append((thing.name, x + 1, y + 1, x + w, y + h))
        text = voc_xml(f"{picture.stem}.png", *objects, size=picture.size)
        put(folder / "Annotations" / f"{picture.stem}.xml", text)
        lists.setdefault(picture.split, []).append(picture.stem)
    for split, stems in lists.items():
        word = {"valid": random.choice(("val", "valid"))}.get(split, split)
        put(folder / "ImageSets" / "Main" / f"{word}.txt", "\n".join(stems) + "\n")
    return expected(pictures)


# The word of the command line and the writer of each.
WRITERS: dict[str, tuple[str, Callable[[Path, Random], Expected]]] = {
    "coco": ("coco-dir", coco),
    "yolo": ("yolo", yolo),
    "voc": ("voc", voc),
    "tensorflow-csv": ("csv", tensorflow_csv),
    "retinanet-csv": ("csv", retinanet_csv),
    "open-images": ("open-images", open_images),
    "kitti": ("kitti", kitti),
    "mot": ("mot", mot),
    "dota": ("dota", dota),
    "wider-face": ("wider-face", wider_face),
    "visdrone": ("visdrone", visdrone),
    "bdd100k": ("bdd100k", bdd100k),
    "crowdhuman": ("crowdhuman", crowdhuman),
    "azure": ("azure", azure),
    "paligemma": ("paligemma", paligemma),
    "florence": ("paligemma", florence),
}
