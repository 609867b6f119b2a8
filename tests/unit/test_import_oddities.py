"""Data sets as programs and people really leave them: each is taken, and what was odd is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from import_data import boxes, check, coco, png, put, put_coco
from PIL import Image

from core.common.errors import ImportFailed
from core.data.health import check as check_health
from core.data.importers import import_coco, import_voc, import_yolo
from core.data.importers.dataset import ends
from core.data.store import Project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "cranes") as made:
        yield made


def names(project: Project) -> list[str]:
    return [row[0] for row in project.db.execute("SELECT name FROM v_images ORDER BY name")]


POLYGONS = "0 .1 .1 .5 .1 .5 .5\n3 .2 .2 .3 .2 .3 .3 .2 .3\n"


@pytest.mark.parametrize(
    ("files", "expected", "told"),
    [
        ({"data.yaml": "train: images/train\nval: images/val\n"}, ["class_0", "class_3"], True),
        ({"data.yaml": "train: images/train\nval: images/val\nnc: 4\n"},
         ["class_0", "class_1", "class_2", "class_3"], True),
        ({}, ["class_0", "class_3"], True),
        ({"labels/classes.txt": "cat\ndog\n\nyes\n"}, ["cat", "dog", "yes"], False),
        ({"data.yaml": "train: images/train\nval: images/val\n", "classes.txt": "a\nb\nc\nd\n"},
         ["a", "b", "c", "d"], False),
    ],
)  # fmt: skip
def test_yolo_polygons_without_names(
    project: Project, tmp_path: Path, files: dict[str, str], expected: list[str], told: bool
) -> None:
    source = tmp_path / "set"
    for split, name in (("train", "a"), ("val", "b")):
        put(source / "images" / split / f"{name}.png")
        put(source / "labels" / split / f"{name}.txt", POLYGONS)
    for name, text in files.items():
        put(source / name, text)
    report = import_yolo(project, source)
    assert sorted(report.classes) == expected
    assert ("no names" in report.counts()) == told
    found = boxes(project)
    assert [row[:2] for row in found[::2]] == [("train", "a.png"), ("valid", "b.png")]
    assert found[0][3:] == pytest.approx((6.4, 4.8, 25.6, 19.2))
    shapes = project.db.execute("SELECT segmentation FROM annotations").fetchall()
    assert len(json.loads(shapes[0][0])[0]) == 6
    check(project)


def test_a_list_of_images_from_another_machine(project: Project, tmp_path: Path) -> None:
    source = tmp_path / "set"
    for name in ("a", "b"):
        put(source / "data" / "obj" / f"{name}.png")
        put(source / "data" / "obj" / f"{name}.txt", "0 .5 .5 .2 .2\n")
    put(source / "train.txt", "/content/set/data/obj/a.png\nC:\\set\\data\\obj\\b.png\n")
    put(source / "data.yaml", "train: train.txt\nnames: [hook]\n")
    report = import_yolo(project, source)
    assert (report.images, report.annotations) == (2, 2)
    assert report.counts() == {"unsafe file name": 2}
    assert {problem.action for problem in report.problems} == {"kept"}


def test_windows_paths_capitals_and_words_that_yaml_knows(project: Project, tmp_path: Path) -> None:
    source = tmp_path / "set"
    for split, name in (("train", "ünï code"), ("valid", "b c")):
        put(source / split / "images" / f"{name}.PNG")
        put(source / split / "labels" / f"{name}.txt", "1 .5 .5 .25 .25\n")
    put(
        source / "data.yaml",
        "path: C:\\sets\\x\ntrain: train\\images\nval: ..\\valid\\images\nnames:\n- yes\n- no\n",
    )
    report = import_yolo(project, source)
    assert report.counts() == {}
    assert [row[:3] for row in boxes(project)] == [
        ("train", "ünï code.PNG", "no"), ("valid", "b c.PNG", "no"),
    ]  # fmt: skip


def test_coco_with_windows_paths_and_a_name_in_two_splits(project: Project, tmp_path: Path) -> None:
    source = tmp_path / "set"
    put(source / "train" / "sub" / "a.PNG")
    put(source / "valid" / "sub" / "a.PNG", png(60, 40))
    rle = {"counts": [10, 20, 3042], "size": [48, 64]}
    train = coco(
        images=[{"id": 1, "file_name": "sub\\a.png", "width": 64, "height": 48}],
        annotations=[
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9], "iscrowd": 1,
             "segmentation": rle},
            {"id": 2, "image_id": 1, "category_id": 2, "bbox": ["1", "2", 10.5, 10]},
        ],
    )  # fmt: skip
    put(source / "train" / "_annotations.coco.json", json.dumps(train))
    valid = coco(
        images=[{"id": 1, "file_name": "sub/a.PNG", "width": 60, "height": 40}],
        annotations=[{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9]}],
    )
    put(source / "valid" / "_annotations.coco.json", json.dumps(valid))
    report = import_coco(project, source)
    assert report.counts() == {}
    files = [project.image_file(row[0]) for row in project.db.execute("SELECT path FROM v_images")]
    assert sorted(Image.open(file).size for file in files) == [(60, 40), (64, 48)]
    crowd = project.db.execute("SELECT segmentation FROM annotations WHERE iscrowd").fetchall()
    assert [json.loads(row[0]) for row in crowd] == [rle]
    check(project)


def test_a_way_round_another_folder_is_not_kept(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_coco(tmp_path / "set")
    (tmp_path / "here").mkdir()
    (tmp_path / "elsewhere" / "in").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "in")
    monkeypatch.chdir(tmp_path / "here")
    import_coco(project, Path("../set"), files="reference")
    # What is beside a link is not what is beside the folder it leads to.
    put_coco(tmp_path / "elsewhere" / "set")
    import_coco(project, tmp_path / "link" / ".." / "set", files="reference")
    origins = [row[0] for row in project.db.execute("SELECT origin FROM imports ORDER BY id")]
    assert origins == [f"{tmp_path}/set", f"{tmp_path}/link/../set"]
    (tmp_path / "here").rmdir()
    first = project.db.execute("SELECT path FROM images WHERE import_id = 1").fetchone()[0]
    assert project.image_file(first).is_file()


@pytest.mark.parametrize("compressed", [True, False])
def test_coco_masks_without_boxes(project: Project, tmp_path: Path, compressed: bool) -> None:
    masks = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(5)
    shapes: list[object] = []
    expected = []
    for number in range(40):
        pixels = np.zeros((48, 64), np.uint8, order="F")
        left, top = rng.integers(0, 60), rng.integers(0, 44)
        pixels[top : top + rng.integers(1, 40), left : left + rng.integers(1, 50)] = 1
        if number % 2:
            pixels &= rng.integers(0, 2, pixels.shape, dtype=np.uint8)
        mask = masks.encode(pixels)
        expected.append(masks.toBbox(mask).tolist())
        turns = np.flatnonzero(np.diff(pixels.ravel("F"), prepend=0, append=0))
        runs = np.diff(turns, prepend=0).tolist()
        counts = mask["counts"].decode() if compressed else runs
        shapes.append({"counts": counts, "size": [48, 64]})
    expected = [box for box in expected if box[2]]
    broken: tuple[Any, ...] = (
        {"counts": "P", "size": [48, 64]},
        {"counts": [1, 9], "size": [2, 2]},
        {"counts": []},
    )
    annotations = [
        {"id": number, "image_id": 1, "category_id": 1, "segmentation": shape}
        for number, shape in enumerate([*shapes, *broken], 1)
    ]
    put(tmp_path / "a.png")
    put(tmp_path / "a.json", json.dumps(coco(annotations=annotations, images=coco()["images"][:1])))
    report = import_coco(project, tmp_path / "a.json")
    rows = project.db.execute("SELECT x, y, w, h FROM annotations ORDER BY id")
    assert [list(row) for row in rows] == expected
    assert len([p for p in report.problems if p.action == "left out"]) == 43 - len(expected)


def test_lvis_names_its_images_by_address(project: Project, tmp_path: Path) -> None:
    value = coco()
    for image in value["images"]:
        image["coco_url"] = f"http://images.cocodataset.org/val2017/{image.pop('file_name')}"
    for name in ("a.png", "b.png"):
        put(tmp_path / "set" / "val2017" / name)
    put(tmp_path / "set" / "lvis_v1_val.json", json.dumps(value))
    report = import_coco(project, tmp_path / "set")
    assert (report.images, report.annotations, report.counts()) == (2, 3, {})
    assert report.splits == {"valid": 2}
    check(project)


def test_a_set_without_any_good_record_names_one(project: Project, tmp_path: Path) -> None:
    put(tmp_path / "a.json", json.dumps(coco(images=[{"id": 1}])))
    with pytest.raises(ImportFailed) as failed:
        import_coco(project, tmp_path / "a.json")
    assert "such as a.json: image 1: it has no file name" in failed.value.hint


def test_coco_without_categories_keeps_what_is_labelled(project: Project, tmp_path: Path) -> None:
    value = coco()
    del value["categories"]
    value["annotations"][2]["category_id"] = "boom"
    put_coco(tmp_path / "set", value)
    report = import_coco(project, tmp_path / "set")
    assert report.counts() == {"no names": 1}
    assert [row[2] for row in boxes(project)] == ["class_1", "class_2", "boom"]
    check(project)


def test_voc_with_fractions_and_paths_of_another_machine(project: Project, tmp_path: Path) -> None:
    source = tmp_path / "set"
    text = (
        "<annotation><folder>x</folder><filename>{}</filename><path>C:\\x</path>"
        "<size><width>64</width><height>48</height></size><object><name>cat</name>"
        "<difficult>1</difficult><bndbox><xmax>20.75</xmax><xmin>1.5</xmin><ymin>2.25</ymin>"
        "<ymax>30.5</ymax></bndbox></object></annotation>"
    )
    put(source / "JPEGImages" / "ä b.PNG")
    put(source / "Annotations" / "ä b.xml", text.format("ä b.png"))
    put(source / "JPEGImages" / "c.png")
    put(source / "Annotations" / "c.xml", text.format("C:\\data\\c.png"))
    report = import_voc(project, source)
    assert report.counts() == {"unsafe file name": 1}
    assert names(project) == ["c.png", "ä b.PNG"]
    assert [row[3:] for row in boxes(project)] == [(1.5, 2.25, 19.25, 28.25)] * 2


VOC = (
    "<annotation><filename>{}</filename><object><name>{}</name><bndbox><xmin>1</xmin>"
    "<ymin>1</ymin><xmax>{}</xmax><ymax>9</ymax></bndbox></object></annotation>"
)


@pytest.mark.parametrize("encoding", ["gb2312", "GBK", "Shift_JIS", "big5", "utf-16", "latin-1"])
def test_voc_in_old_encodings(project: Project, tmp_path: Path, encoding: str) -> None:
    name = "é" if encoding == "latin-1" else "本"
    put(tmp_path / "set" / "a.png")
    text = f'<?xml version="1.0" encoding="{encoding}"?>\r\n' + VOC.format("a.png", name, 9)
    put(tmp_path / "set" / "a.xml", text.encode(encoding))
    report = import_voc(project, tmp_path / "set")
    assert (report.counts(), report.classes) == ({}, [name])


def test_voc_files_that_name_another_image_lose_nothing(project: Project, tmp_path: Path) -> None:
    source = tmp_path / "set"
    # b was made of a, and c has no picture of its own.
    for name, right in (("a", 9), ("b", 19), ("c", 29)):
        put(source / f"{name}.xml", VOC.format("a.png", name, right))
    put(source / "a.png")
    put(source / "b.png")
    report = import_voc(project, source)
    assert report.counts() == {"name of another image": 1, "image listed twice": 1}
    assert {problem.action for problem in report.problems} == {"kept"}
    assert [(row[1], row[2]) for row in boxes(project)] == [
        ("a.png", "a"), ("a.png", "c"), ("b.png", "b"),
    ]  # fmt: skip
    check(project)


@pytest.mark.parametrize("root", ["/content/datasets/cells/", "C:\\cells\\", "~/x/../cells/"])
def test_yolo_paths_of_another_machine(project: Project, tmp_path: Path, root: str) -> None:
    source = tmp_path / "set"
    slash = "\\" if "\\" in root else "/"
    for split in ("train", "valid"):
        put(source / split / "images" / f"{split}.png")
        put(source / split / "labels" / f"{split}.txt", "0 .5 .5 .5 .5\n")
    put(source / "images" / "other.png")
    lines = [f"{key}: {root}{key}{slash}images" for key in ("train", "valid", "test")]
    put(source / "data.yaml", "\r\n".join([*lines, "names: [a]"]))
    report = import_yolo(project, source)
    assert report.splits == {"train": 1, "valid": 1}
    assert report.counts() == {"missing folder": 3}
    assert sorted(problem.action for problem in report.problems) == ["kept", "kept", "left out"]
    assert report.annotations == 2


def test_yolo_boxes_are_of_the_upright_picture(project: Project, tmp_path: Path) -> None:
    source = tmp_path / "set"
    exif = Image.Exif()
    exif[0x0112] = 6
    for split, name in (("train", "turned"), ("val", "straight")):
        folder = source / "images" / split
        folder.mkdir(parents=True)
        more: dict[str, Any] = {"exif": exif} if name == "turned" else {}
        Image.effect_noise((64, 48), 99).convert("RGB").save(folder / f"{name}.jpg", **more)
        put(source / "labels" / split / f"{name}.txt", "0 .5 .25 .5 .5\n")
    put(source / "data.yaml", "train: images/train\nval: images/val\nnames: [cat]\n")
    import_yolo(project, source)
    sizes = dict(project.db.execute("SELECT name, width || 'x' || height FROM v_images").fetchall())
    assert sizes == {"turned.jpg": "48x64", "straight.jpg": "64x48"}
    assert {row[1]: row[3:] for row in boxes(project)} == {
        "turned.jpg": (12, 0, 24, 32), "straight.jpg": (16, 0, 32, 24),
    }  # fmt: skip
    # Other programs would read it on its side; the check says so, and has a way out.
    found = {finding.kind: finding for finding in check_health(project, 640).findings}
    assert len(found["image-turned"].ids) == 1
    assert found["image-turned"].fix


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("/home/me/set/images/a.jpg", ["me/set/images/a.jpg", "set/images/a.jpg", "images/a.jpg",
                                       "a.jpg"]),
        ("C:\\x\\a b.jpg", ["x/a b.jpg", "a b.jpg"]),
        ("../../a.jpg", ["a.jpg"]),
        ("..", []),
        ("/", []),
        ("/x/a\0.jpg", []),
    ],
)  # fmt: skip
def test_ends_of_a_path(name: str, expected: list[str]) -> None:
    assert ends(name) == expected


def test_augmented_copies_stay_together(project: Project, tmp_path: Path) -> None:
    from core.data.exporters import export_original
    from core.data.splits.edit import draw_splits

    names = [f"p{n}_jpg.rf.{copy}.png" for n in range(12) for copy in ("a1", "b2", "c3")]
    names += [f"alone{n}_jpg.rf.d4.png" for n in range(8)]
    for name in names:
        put(tmp_path / "set" / "train" / name)
    value = coco(
        images=[
            {"id": n, "file_name": name, "width": 64, "height": 48} for n, name in enumerate(names)
        ],
        annotations=[
            {"id": n, "image_id": n, "category_id": 1, "bbox": [1, 1, 9, 9]}
            for n in range(len(names))
        ],
    )
    put(tmp_path / "set" / "train" / "_annotations.coco.json", json.dumps(value))
    import_coco(project, tmp_path / "set")
    groups = dict(project.db.execute("SELECT name, grp FROM v_images").fetchall())
    assert groups["p3_jpg.rf.b2.png"] == "p3_jpg.rf"
    assert groups["alone3_jpg.rf.d4.png"] is None
    draw_splits(project, (0.6, 0.4, 0.0), seed=3)
    found = project.db.execute(
        "SELECT grp, count(DISTINCT split) FROM v_images WHERE grp IS NOT NULL GROUP BY grp"
    ).fetchall()
    assert [row[1] for row in found] == [1] * 12
    # They are no videos to the original.
    export_original(project, tmp_path / "out")
    assert [folder.name for folder in (tmp_path / "out" / "frames").iterdir()] == ["-1"]


def test_key_points_after_a_box_are_no_polygon(project: Project, tmp_path: Path) -> None:
    source = tmp_path / "set"
    for split, name in (("train", "a"), ("val", "b")):
        put(source / "images" / split / f"{name}.png")
    put(source / "labels" / "train" / "a.txt", "0 .5 .5 .25 .5 .1 .1 .9 .9\n")
    # An oriented box in a set of its own kind, which has no kpt_shape, is a polygon.
    put(source / "labels" / "val" / "b.txt", "0 .1 .1 .5 .1 .5 .5 .1 .5\n")
    put(
        source / "data.yaml",
        "train: images/train\nval: images/val\nnames: [cat]\nkpt_shape: [2, 2]\n",
    )
    import_yolo(project, source)
    assert boxes(project)[0][3:] == (24, 12, 16, 24)
    project.undo()
    put(source / "data.yaml", "train: images/train\nval: images/val\nnames: [cat]\n")
    import_yolo(project, source)
    assert boxes(project)[1][3:] == pytest.approx((6.4, 4.8, 25.6, 19.2))
