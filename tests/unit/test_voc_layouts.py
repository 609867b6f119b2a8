"""Pascal VOC as people have it: XML in any folder, lists of any name, corners of any kind."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from import_data import png, put

from core.data.importers.dataset import DataSet
from core.data.importers.formats.voc import read_voc
from core.data.importers.report import Watch


def xml(filename: str, *boxes: tuple[object, ...]) -> str:
    objects = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax>"
        f"<ymax>{d}</ymax></bndbox></object>"
        for name, a, b, c, d in boxes
    )
    size = "<size><width>64</width><height>48</height></size>"
    return f"<annotation><filename>{filename}</filename>{size}{objects}</annotation>"


def read(top: Path, xmls: dict[str, str], *images: str, **lists: str) -> DataSet:
    """Read a set of XML files, each with the name of its image and one box, and of images."""
    for path, filename in xmls.items():
        put(top / path, xml(filename, ("car", 5, 6, 20, 30)))
    for path in images:
        put(top / path, png(64, 48))
    for name, text in lists.items():
        put(top / "ImageSets" / "Main" / f"{name}.txt", text)
    return read_voc(top, Watch())


def boxes(data: DataSet) -> list[tuple[str, str | None, list[float]]]:
    images, _, rows = data.columns()
    return sorted(
        (Path(data.images[image].source).as_posix(), data.images[image].split, row)
        for image, row in zip(images.tolist(), rows.tolist(), strict=True)
    )


LAYOUTS: list[tuple[str, dict[str, str], tuple[str, ...], dict[str, str], list[str | None]]] = [
    ("CVAT's subsets", {"Annotations/a.xml": "a.jpg", "Annotations/b.xml": "b.jpg"},
     ("JPEGImages/a.jpg", "JPEGImages/b.jpg"), {"Train": "a\n", "Validation": "b\n"},
     ["train", "valid"]),
    ("folders below Annotations", {"Annotations/a.xml": "a.jpg", "Annotations/c/a.xml": "c/a.jpg"},
     ("JPEGImages/a.jpg", "JPEGImages/c/a.jpg"), {"train": "a\n", "Testing": "c/a\n"},
     ["train", "test"]),
    ("the same name in two folders",
     {"Annotations/x/1.xml": "1.jpg", "Annotations/y/1.xml": "1.jpg"},
     ("JPEGImages/x/1.jpg", "JPEGImages/y/1.jpg"), {"default": "x/1\ny/1\n"}, [None, None]),
    ("endings in lists", {"Annotations/a.xml": "a.jpg"}, ("JPEGImages/a.jpg",),
     {"val": "A.JPG\n", "car_val": "a  1\n"}, ["valid"]),
    ("a folder a split below Annotations",
     {"Annotations/Train/a.xml": "a.jpg", "Annotations/dev/b.xml": "b.jpg"},
     ("JPEGImages/a.jpg", "JPEGImages/b.jpg"), {}, ["train", "valid"]),
    ("XML in labels", {"train/labels/a.xml": "a.jpg", "validation/labels/b.xml": "b.jpg"},
     ("train/images/a.jpg", "validation/images/b.jpg"), {}, ["train", "valid"]),
    ("XML elsewhere too", {"Annotations/a.xml": "a.jpg", "more/b.xml": "b.jpg"},
     ("JPEGImages/a.jpg", "more/b.jpg"), {}, [None, None]),
    ("another ending and a path of another machine", {"Annotations/a.xml": "C:\\x\\old.bmp"},
     ("JPEGImages/a.webp",), {}, [None]),
    ("percent-encoded", {"Annotations/q.xml": "a%20b.jpg"}, ("JPEGImages/a b.jpg",), {}, [None]),
    ("train, val and both", {"Annotations/a.xml": "a.jpg", "Annotations/b.xml": "b.jpg"},
     ("JPEGImages/a.jpg", "JPEGImages/b.jpg"),
     {"train": "a\n", "trainval": "a\nb\n", "val": "b\n"}, ["train", "valid"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("xmls", "images", "lists", "splits"),
    [row[1:] for row in LAYOUTS],
    ids=[row[0] for row in LAYOUTS],
)
def test_every_xml_finds_its_image_and_split(
    tmp_path: Path,
    xmls: dict[str, str],
    images: tuple[str, ...],
    lists: dict[str, str],
    splits: list[str | None],
) -> None:
    data = read(tmp_path, xmls, *images, **lists)
    met = boxes(data)
    assert [source for source, _, _ in met] == sorted(f"{tmp_path}/{image}" for image in images)
    by_image = {source.removeprefix(f"{tmp_path}/"): split for source, split, _ in met}
    assert [by_image[image] for image in images] == splits
    assert {problem.action for problem in data.problems.listed} <= {"kept"}
    assert data.balance.used == {f"{tmp_path}/{path}" for path in xmls}
    assert not data.balance.unmet
    assert set(data.balance.lines) <= {"met"}


def test_lists_of_other_names_are_noted_and_their_lines_count(tmp_path: Path) -> None:
    xmls = {"Annotations/a.xml": "a.jpg", "Annotations/b.xml": "b.jpg"}
    lists = {"aside": "a\nb\ngone\n", "train": "a\n", "car_train": "a 1\n"}
    data = read(tmp_path, xmls, "JPEGImages/a.jpg", "JPEGImages/b.jpg", **lists)
    assert data.balance.splits == {"aside": None, "train": "train"}
    assert data.balance.lines == {"met": 2, "met nothing": 1}
    assert [picture.split for picture in data.images] == ["train", None]
    main = tmp_path / "ImageSets" / "Main"
    assert data.balance.described == {f"{main}/{name}.txt" for name in lists}


def test_a_list_of_no_split_leaves_folders_their_word(tmp_path: Path) -> None:
    xmls = {"Annotations/train/a.xml": "a.jpg"}
    data = read(tmp_path, xmls, "JPEGImages/train/a.jpg", default="train/a\n")
    assert [picture.split for picture in data.images] == ["train"]
    assert data.balance.splits == {"default": None, "train": "train"}
    assert data.balance.lines == {"met": 1}


def test_a_list_that_cannot_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Path.read_bytes

    def refused(path: Path) -> bytes:
        if path.suffix == ".txt":
            raise PermissionError(13, "Permission denied")
        return whole(path)

    monkeypatch.setattr(Path, "read_bytes", refused)
    data = read(tmp_path, {"Annotations/a.xml": "a.jpg"}, "JPEGImages/a.jpg", train="a\n")
    assert data.problems.counts == {"unreadable list": 1}
    assert data.balance.left == {f"{tmp_path}/ImageSets/Main/train.txt": "it cannot be read"}


def test_an_xml_without_its_image_is_noted(tmp_path: Path) -> None:
    xmls = {"Annotations/a.xml": "a.jpg", "Annotations/b.xml": "b.jpg"}
    data = read(tmp_path, xmls, "JPEGImages/a.jpg", train="a\nzz\n")
    assert set(data.balance.unmet) == {f"{tmp_path}/Annotations/b.xml"}
    assert data.balance.lines == {"met": 1, "met nothing": 1}
    assert [(p.kind, p.detail) for p in data.problems.listed] == [
        ("missing image", "no file 'b.jpg'")
    ]


def test_images_in_folders_without_an_xml_show_nothing(tmp_path: Path) -> None:
    data = read(tmp_path, {"Annotations/a.xml": "a.jpg"}, "JPEGImages/a.jpg", "JPEGImages/n/b.jpg")
    assert sorted(picture.name for picture in data.images) == ["a.jpg", "n/b.jpg"]


@pytest.mark.parametrize(
    ("corners", "box"),
    [
        ([(5, 6, 20, 30)], [4, 5, 16, 25]),
        ([(0, 6, 20, 30)], [0, 6, 20, 24]),
        ([(5.25, 6.5, 20.25, 30.5)], [5.25, 6.5, 15, 24]),
        ([("5.0", "6.0", "20.0", "30.0")], [5, 6, 15, 24]),
        ([(20, 30, 5, 6)], [4, 5, 16, 25]),
        # A few files of the challenge have fractions, and count from 1.
        ([(5, 6, 20, 30)] * 150 + [(5.5, 6.5, 20.5, 30.5)], [4, 5, 16, 25]),
    ],
)
def test_where_a_box_begins(
    tmp_path: Path, corners: list[tuple[object, ...]], box: list[float]
) -> None:
    put(tmp_path / "a.jpg", png(64, 48))
    put(tmp_path / "a.xml", xml("a.jpg", *(("car", *four) for four in corners)))
    data = read_voc(tmp_path, Watch())
    assert data.columns()[2].tolist()[0] == box
    assert len(data) == len(corners)


# Made sets against what was put into them.


@pytest.mark.parametrize("seed", range(40))
def test_made_sets_come_in_as_they_were_made(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    layout = rng.choice(["kit", "folders", "flat"])
    whole = rng.random() < 0.5
    truth, lists = [], {}
    for word, split in (("Train", "train"), ("dev", "valid"), ("TEST", "test")):
        names = [rng.choice(["a b", "é", "x.y", "cam/1"]) + f"{split}{n}" for n in range(3)]
        lists[word] = [name + rng.choice(["", ".jpg"]) for name in names]
        for name in names:
            images, xmls = {"kit": ("JPEGImages", "Annotations"),
                            "folders": (f"{word}/images", f"{word}/labels"),
                            "flat": (word, word)}[layout]  # fmt: skip
            # XML beside images lies in the folder itself.
            name = name.replace("/", "_") if layout == "flat" else name
            corners = []
            for _ in range(rng.randint(1, 3)):
                a, b = rng.randint(2, 20), rng.randint(2, 20)
                c, d = a + rng.randint(2, 20), b + rng.randint(2, 20)
                add = 0 if whole else 0.5
                box = (
                    [a - 1, b - 1, c - a + 1, d - b + 1]
                    if whole
                    else [a + add, b + add, c - a, d - b]
                )
                truth.append((f"{tmp_path}/{images}/{name}.jpg", split, [float(v) for v in box]))
                four = [v + add for v in (a, b, c, d)]
                corners.append(("car", *(four if rng.random() < 0.8 else four[2:] + four[:2])))
            put(tmp_path / images / f"{name}.jpg", png(64, 48))
            said = rng.choice([f"{name}.jpg", "", f"/home/me/{name}.jpg", f"{name}.jpg".upper()])
            put(tmp_path / xmls / f"{name}.xml", xml(said, *corners))
    if layout == "kit":
        for word, entries in lists.items():
            put(tmp_path / "ImageSets" / "Main" / f"{word}.txt", "\n".join(entries))
    data = read_voc(tmp_path, Watch())
    assert boxes(data) == sorted(truth)
    assert not data.balance.unmet
    assert not data.balance.left
