"""YOLO sets as people have them: splits, names and labels wherever their programs put them."""

from __future__ import annotations

import random
import unicodedata
import zipfile
from pathlib import Path
from urllib.parse import quote

import pytest
from import_data import png, put

from core.common.errors import ImportFailed
from core.data.importers.dataset import DataSet
from core.data.importers.files.zip_dataset import _innermost
from core.data.importers.formats.yolo import read_yolo
from core.data.importers.report import Watch

LINE = "0 .5 .5 .2 .2\n"
NFD = unicodedata.normalize("NFD", "été")


def read(top: Path, *names: str, **texts: str) -> DataSet:
    """Read a set of pictures and texts; a label holds one box unless it is given."""
    for name in names:
        put(top / name, LINE if name.endswith(".txt") else png(8, 6))
    for name, text in texts.items():
        put(top / name.replace("__", "/"), text)
    return read_yolo(top, Watch())


def splits(data: DataSet) -> dict[str | None, int]:
    """Count the boxes by split."""
    images, _, _ = data.columns()
    found: dict[str | None, int] = {}
    for image in images:
        split = data.images[image].split
        found[split] = found.get(split, 0) + 1
    return found


def files(tmp_path: Path, texts: dict[str, str], *names: str) -> DataSet:
    for name, text in texts.items():
        put(tmp_path / "d" / name, text)
    return read(tmp_path / "d", *names)


CVAT = {"data.yaml": "Train: Train.txt\nValidation: Val.txt\nTest: [Test.txt]\nnames: [a]\n",
        "Train.txt": "data/images/Train/1.jpg\n", "Val.txt": "data/images/Validation/2.jpg\n",
        "Test.txt": "data/images/Test/3.jpg\n"}  # fmt: skip
DARKNET = {"obj.data": "classes = 1\nTrain = data/Train.txt\nvalid = data/v.txt\n"
                       "names = data/obj.names\nbackup = backup/\n",
           "obj.names": "a\n", "Train.txt": "data/obj_Train_data/1.jpg\n",
           "v.txt": "data/obj_v_data/2.jpg\n"}  # fmt: skip
LAYOUTS: list[tuple[str, dict[str, str], tuple[str, ...], dict[str | None, int]]] = [
    ("CVAT's Ultralytics YOLO", CVAT,
     ("images/Train/1.jpg", "labels/Train/1.txt", "images/Validation/2.jpg",
      "labels/Validation/2.txt", "images/Test/3.jpg", "labels/Test/3.txt"),
     {"train": 1, "valid": 1, "test": 1}),
    ("CVAT's YOLO 1.1", DARKNET,
     ("obj_Train_data/1.jpg", "obj_Train_data/1.txt", "obj_v_data/2.jpg", "obj_v_data/2.txt"),
     {"train": 1, "valid": 1}),
    ("Roboflow's Darknet", {"train/_darknet.labels": "a\n", "valid/_darknet.labels": "a\n"},
     ("train/1.jpg", "train/1.txt", "valid/2.jpg", "valid/2.txt"), {"train": 1, "valid": 1}),
    ("no YAML, split folders", {},
     ("Train/images/1.jpg", "Train/labels/1.txt", "dev/images/2.jpg", "dev/labels/2.txt"),
     {"train": 1, "valid": 1}),
    ("no YAML, images in split folders", {},
     ("images/train2017/1.jpg", "labels/train2017/1.txt", "images/Val/2.jpg", "labels/Val/2.txt"),
     {"train": 1, "valid": 1}),
    ("no YAML, no split", {}, ("1.jpg", "1.txt", "2.jpg"), {None: 1}),
    ("a split without a known name", {"classes.txt": "a\n"},
     ("images/train/1.jpg", "labels/train/1.txt", "images/night/2.jpg", "labels/night/2.txt"),
     {"train": 1, None: 1}),
    ("a key without a known name", {"data.yaml": "train: images/t\nholdout: images/h\nnames: [a]"},
     ("images/t/1.jpg", "labels/t/1.txt", "images/h/2.jpg", "labels/h/2.txt"),
     {"train": 1, None: 1}),
    ("lists in ImageSets", {"ImageSets/train.txt": "1\n", "ImageSets/val.txt": "2\n"},
     ("images/1.jpg", "labels/1.txt", "images/2.jpg", "labels/2.txt"), {"train": 1, "valid": 1}),
    ("a YAML that lists images", {"data.yml": "train: [images/1.jpg, 'C:\\x\\images\\2.jpg']\n"
                                  "names: [a]\n"},
     ("images/1.jpg", "labels/1.txt", "images/2.jpg", "labels/2.txt"), {"train": 2}),
    ("letters of folders", {"classes.txt": "a\n"},
     ("Images/1.jpg", "LABELS/1.txt", "Images/été/2.jpg", f"LABELS/{NFD}/2.txt"), {None: 2}),
    ("images within images", {"data.yaml": "train: images\nnames: [a]"},
     ("images/x/images/1.jpg", "labels/x/images/1.txt", "images/y/images/2.jpg",
      "images/y/labels/2.txt", "images/z/images/3.jpg", "images/z/images/3.txt"), {"train": 3}),
    ("endings kept in labels' names", {"classes.txt": "a\n"},
     ("images/1.jpg", "labels/1.jpg.txt"), {None: 1}),
    ("labels flat, images in folders", {"data.yaml": "train: images\nnames: [a]"},
     ("images/s/1.jpg", "labels/1.txt"), {"train": 1}),
    ("percent-encoded labels", {"classes.txt": "a\n"},
     ("images/é b.jpg", f"labels/{quote('é b')}.txt"), {None: 1}),
    ("percent-encoded images", {"classes.txt": "a\n"},
     (f"images/{quote('é b')}.jpg", "labels/é b.txt"), {None: 1}),
    ("settings of a training beside it",
     {"hyp.yaml": "lr0: 0.01\n", "site.yaml": "train: images\nnames: [a]", "args.yaml": "lr: 1\n"},
     ("images/1.jpg", "labels/1.txt"), {"train": 1}),
    ("train, val and both of them", {"train.txt": "images/1.jpg\n", "val.txt": "images/2.jpg\n",
                                     "trainval.txt": "images/1.jpg\nimages/2.jpg\n"},
     ("images/1.jpg", "labels/1.txt", "images/2.jpg", "labels/2.txt"), {"train": 1, "valid": 1}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("texts", "names", "expected"), [row[1:] for row in LAYOUTS], ids=[row[0] for row in LAYOUTS]
)
def test_every_label_finds_its_picture_and_split(
    tmp_path: Path, texts: dict[str, str], names: tuple[str, ...], expected: dict[str | None, int]
) -> None:
    data = files(tmp_path, texts, *names)
    assert splits(data) == expected
    kinds = {problem.kind for problem in data.problems.listed}
    assert kinds <= {"no names", "guessed file name", "unsafe file name"}
    assert {problem.action for problem in data.problems.listed} <= {"kept"}
    assert not data.balance.unmet
    assert {f"{tmp_path}/d/{name}" for name in names if name.endswith(".txt")} <= data.balance.used
    for split in expected:
        if split is not None:
            assert split in data.balance.splits.values()


def test_what_meets_nothing_is_noted(tmp_path: Path) -> None:
    data = files(
        tmp_path,
        {"data.yaml": "train: list.txt\nnames: [a]\n", "README.roboflow.txt": "Hello\n",
         "list.txt": "images/1.jpg\nimages/none.jpg\n"},
        "images/1.jpg", "labels/1.txt", "labels/lost.txt", "images/2.jpg", "labels/2.txt",
    )  # fmt: skip
    top = f"{tmp_path}/d"
    assert set(data.balance.unmet) == {f"{top}/labels/lost.txt"}
    assert set(data.balance.left) == {f"{top}/README.roboflow.txt", f"{top}/labels/2.txt"}
    assert data.balance.lines == {"met": 1, "met nothing": 1}
    assert [problem.kind for problem in data.problems.listed] == ["missing image"]


def test_a_split_of_another_name_is_noted(tmp_path: Path) -> None:
    data = files(
        tmp_path, {"classes.txt": "a\n"},
        "images/train/1.jpg", "labels/train/1.txt", "images/night/2.jpg", "labels/night/2.txt",
    )  # fmt: skip
    assert data.balance.splits == {"train": "train", "images/night": None}


def test_oriented_boxes_are_said(tmp_path: Path) -> None:
    data = files(
        tmp_path, {"classes.txt": "a\n", "labels/1.txt": "0 .25 .5 .5 .25 .75 .5 .5 .75\n"},
        "images/1.jpg",
    )  # fmt: skip
    assert [(p.kind, p.action) for p in data.problems.listed] == [("oriented box", "kept")]
    assert data.columns()[2].tolist() == [[2, 1.5, 4, 3]]


def test_two_lists_of_names_that_differ_are_refused(tmp_path: Path) -> None:
    texts = {"train/_darknet.labels": "a\nb\n", "valid/_darknet.labels": "b\na\n"}
    with pytest.raises(ImportFailed, match="name different classes"):
        files(tmp_path, texts, "train/1.jpg", "train/1.txt", "valid/2.jpg", "valid/2.txt")


def test_a_readme_beside_the_only_folder_of_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("README.md", "license.txt", "job/obj.names", "job/1.txt", "__MACOSX/job/x"):
            archive.writestr(name, "")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        archive.extractall(tmp_path / "d")
    assert _innermost(tmp_path / "d") == tmp_path / "d" / "job"
    put(tmp_path / "d" / "classes.txt", "a")
    assert _innermost(tmp_path / "d") == tmp_path / "d"
    put(tmp_path / "e" / "README.md", "x")
    put(tmp_path / "e" / "images" / "1.jpg")
    assert _innermost(tmp_path / "e") == tmp_path / "e"


# Made sets against what was put into them.

WORDS = {"train": ["train", "Train", "training"], "valid": ["val", "valid", "Validation", "dev"],
         "test": ["test", "Test", "testing"]}  # fmt: skip


@pytest.mark.parametrize("seed", range(40))
def test_made_sets_come_in_as_they_were_made(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    top = tmp_path / "d"
    layout = rng.choice(["split/images", "images/split", "flat", "lists", "darknet"])
    texts, truth = {}, set()
    for split, words in WORDS.items():
        word, lines = rng.choice(words), []
        for number in range(rng.randint(1, 4)):
            name = rng.choice(["a b", "é", "x.y", "F", "cam/1"]) + f"{split}{number}"
            ending = rng.choice([".jpg", ".PNG", ".jpeg"])
            image, label = {
                "split/images": (f"{word}/images/{name}", f"{word}/labels/{name}"),
                "images/split": (f"images/{word}/{name}", f"labels/{word}/{name}"),
                "flat": (f"{word}/{name}", f"{word}/{name}"),
                "lists": (f"images/{name}", f"labels/{name}"),
                "darknet": (f"obj_{word}_data/{name}", f"obj_{word}_data/{name}"),
            }[layout]
            put(top / f"{image}{ending}", png(40, 20))
            lines.append(rng.choice(["", "./", "data/", "C:\\set\\", "/home/me/"]) + image + ending)
            boxes = [
                (rng.randrange(2), rng.randrange(5, 20), rng.randrange(4, 10),
                 2 * rng.randint(1, 4), 2 * rng.randint(1, 3))
                for _ in range(rng.randint(0, 3))
            ]  # fmt: skip
            truth |= {(f"{image}{ending}", split, *box) for box in boxes}
            texts[f"{label}.txt"] = "".join(
                f"{c} {x / 40} {y / 20} {w / 40} {h / 20}\n" for c, x, y, w, h in boxes
            )
        if layout in ("lists", "darknet"):
            texts[f"{word}.txt"] = "\n".join(lines)
    texts["classes.txt"] = "c0\nc1\n"
    for name, text in texts.items():
        put(top / name, text)
    if not truth:
        return
    data = read_yolo(top, Watch())
    images, labels, rows = data.columns()
    met = set()
    for image, label, (x, y, w, h) in zip(images, labels, rows.tolist(), strict=True):
        picture = data.images[image]
        box = (round(x + w / 2), round(y + h / 2), round(w), round(h))
        source = picture.source.removeprefix(f"{top}/")
        met.add((source, picture.split, int(data.labels[label].name[1]), *box))
    assert met == truth
    assert not data.balance.unmet
    assert not data.balance.left
