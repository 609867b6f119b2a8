"""The balance of an import: everything that lay at the path is taken, or it is said why not."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from import_data import HEIGHT, WIDTH, coco, put, put_coco
from test_original_layout import original

from cli.exits import Exit
from cli.main import main
from core.common.errors import ImportFailed
from core.data.importers import (
    ImportReport,
    import_coco,
    import_original,
    import_voc,
    import_yolo,
    list_imports,
)
from core.data.importers.balance.likely_mistakes import LooksWrong
from core.data.importers.balance.words import all_well, in_short, rows, warnings
from core.data.importers.dataset import DataSet
from core.data.importers.formats.yolo import read_yolo
from core.data.importers.import_folder import import_folder
from core.data.importers.report import Watch
from core.data.store import Project

BOX = "0 .5 .5 .2 .2\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    with Project.create(tmp_path / "project") as made:
        yield made


def yolo(folder: Path, labels: dict[str, str], images: int = 6, names: str = "car\n") -> Path:
    """A YOLO set with so many pictures 0, 1, … in `images`, and label files by their stem."""
    for number in range(images):
        put(folder / f"images/{number}.png")
    for stem, text in labels.items():
        put(folder / f"labels/{stem}.txt", text)
    put(folder / "classes.txt", names)
    return folder


def each(count: int, text: str = BOX) -> dict[str, str]:
    return {str(number): text for number in range(count)}


def voc(folder: Path, images: int, corners: str = "5 5 20 20", files: int | None = None) -> Path:
    """A Pascal VOC set; "" as corners makes XML files without an object."""
    for number in range(images):
        put(folder / f"JPEGImages/{number}.png")
    for number in range(images if files is None else files):
        four = zip(("xmin", "ymin", "xmax", "ymax"), corners.split(), strict=False)
        box = "".join(f"<{key}>{value}</{key}>" for key, value in four)
        found = f"<object><name>car</name><bndbox>{box}</bndbox></object>" if corners else ""
        size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>"
        put(
            folder / f"Annotations/{number}.xml",
            f"<annotation><filename>{number}.png</filename>{size}{found}</annotation>",
        )
    return folder


def many(count: int, **changes: Any) -> dict[str, Any]:
    """A COCO file of so many pictures with a box each."""
    return {
        "images": [
            {"id": n, "file_name": f"{n}.png", "width": WIDTH, "height": HEIGHT}
            for n in range(count)
        ],
        "categories": [{"id": 1, "name": "car"}],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1, "bbox": [4, 4, 9, 9]} for n in range(count)
        ],
        **changes,
    }


def coco_set(folder: Path, value: dict[str, Any], images: int = 6) -> Path:
    for number in range(images):
        put(folder / f"{number}.png")
    put(folder / "_annotations.coco.json", json.dumps(value))
    return folder


def part(report: ImportReport, name: str) -> tuple[int, int, dict[str, int]]:
    found = report.balance[name]
    return found["found"], found["taken"], found["left"]


# What the report says


def test_a_set_that_is_well_is_told_in_one_sentence(project: Project, tmp_path: Path) -> None:
    source = yolo(tmp_path / "set", {**each(4), "4": ""})
    put(source / "README.md", "about")
    put(source / "labels/notes.txt", "these are the labels of 12 pictures")
    put(source / "images/.DS_Store", "x")
    report = import_yolo(project, source)
    assert part(report, "images") == (6, 6, {})
    assert part(report, "labels") == (5, 5, {})
    assert part(report, "objects") == (4, 4, {})
    assert report.balance["other"] == {".md": 1, ".txt": 1}
    assert all_well(report.balance)
    assert in_short(report.balance) == (
        "All that lay there came in: 6 images (2 without an annotation), 5 label files"
        " (1 empty), 4 annotations; 2 other files: README.md, labels/notes.txt."
    )
    assert warnings(report.balance) == []


def test_names_that_nothing_is_labelled_with_are_told(project: Project, tmp_path: Path) -> None:
    named = [
        {"id": 0, "name": "cells", "supercategory": "none"},
        {"id": 1, "name": "hook", "supercategory": "cells"},
        {"id": 2, "name": "boom", "supercategory": "cells"},
        {"id": 3, "name": "jib", "supercategory": "cells"},
    ]
    report = import_coco(project, put_coco(tmp_path / "set", coco(categories=named)))
    assert report.classes == ["boom", "hook", "jib"]
    said = (
        "1 class without annotations: jib;"
        " 1 category without annotations, not taken as a class: cells"
    )
    assert in_short(report.balance) == (
        f"All that lay there came in: 2 images, 3 annotations; {said}."
    )
    told = next(row for row in rows(report.balance) if row.what == "classes")
    assert (told.found, told.taken, told.rest) == (3, 2, said)


def test_pictures_that_are_not_read_and_their_labels_are_said(
    project: Project, tmp_path: Path
) -> None:
    source = yolo(tmp_path / "set", each(8), images=5)
    for number in range(5, 8):
        put(source / f"images/{number}.CR2", b"raw")
    report = import_yolo(project, source)
    assert part(report, "images") == (8, 5, {".cr2 is not read": 3})
    assert part(report, "labels") == (8, 5, {"its picture cannot be read": 3})
    told = "\n".join(warnings(report.balance))
    assert "3 left out: .cr2 is not read (images/5.CR2, images/6.CR2, images/7.CR2)" in told


def test_label_files_without_a_picture_are_said_and_stop_nothing(
    project: Project, tmp_path: Path
) -> None:
    report = import_yolo(project, yolo(tmp_path / "set", each(6), images=2))
    assert part(report, "labels") == (6, 2, {"without a picture": 4})
    assert "labels/2.txt" in warnings(report.balance)[0]


def test_what_a_file_of_coco_does_not_name_is_said(project: Project, tmp_path: Path) -> None:
    source = coco_set(tmp_path / "set", many(5), images=7)
    put(source / "film.mp4", "video")
    report = import_coco(project, source)
    assert part(report, "images") == (7, 5, {"named by nothing": 2})
    assert report.balance["images"]["examples"]["named by nothing"] == ["5.png", "6.png"]
    assert "batman import video" in rows(report.balance)[-1].rest


def test_a_licence_beside_a_file_of_coco_is_no_label_file(project: Project, tmp_path: Path) -> None:
    source = coco_set(tmp_path / "set", many(6))
    put(source / "LICENSE", "MIT")
    report = import_coco(project, source)
    assert part(report, "labels") == (0, 0, {})
    assert report.balance["other"] == {"without ending": 1}
    assert in_short(report.balance).endswith("1 other file: LICENSE.")


def test_of_many_other_files_some_are_named(project: Project, tmp_path: Path) -> None:
    source = coco_set(tmp_path / "set", many(6))
    for number in range(5):
        put(source / f"logs/{number}.log", "x")
    for name in ("a.cfg", "b.cfg", "LICENSE"):
        put(source / name, "x")
    report = import_coco(project, source)
    assert rows(report.balance)[-1].rest == "5 .log (logs/0.log, …), 2 .cfg (a.cfg, …), LICENSE"
    kept = {key: value for key, value in report.balance.items() if key != "other_names"}
    assert rows(kept)[-1].rest == "5 .log, 2 .cfg, 1 without ending", "an import of before"


def test_objects_that_do_not_come_in_are_counted_by_reason(
    project: Project, tmp_path: Path
) -> None:
    value = many(6)
    value["annotations"] += [
        {"id": 90, "image_id": 0, "category_id": 1, "bbox": [500, 500, 9, 9]},
        {"id": 91, "image_id": 0, "category_id": 7, "bbox": [5, 5, 9, 9]},
        {"id": 92, "image_id": 77, "category_id": 1, "bbox": [5, 5, 9, 9]},
        {"id": 93, "image_id": 1, "category_id": 1, "bbox": "none"},
    ]
    report = import_coco(project, coco_set(tmp_path / "set", value))
    found, taken, left = part(report, "objects")
    assert (found, taken, sum(left.values())) == (10, 6, 4)
    assert left == {
        "unknown image": 1, "box outside the image": 1, "unknown category": 1, "wrong type": 1,
    }  # fmt: skip


def test_classes_and_lines_of_lists(project: Project, tmp_path: Path) -> None:
    source = yolo(tmp_path / "set", each(4), images=4, names="car\ndog\n")
    (source / "classes.txt").unlink()
    listed = "".join(f"images/{n}.png\n" for n in (0, 1, 2, 3, 9))
    put(source / "train.txt", listed)
    put(source / "data.yaml", "train: train.txt\nnames: [car, dog]\n")
    report = import_yolo(project, source)
    assert part(report, "lines") == (5, 4, {"met nothing": 1})
    assert (report.balance["classes"], report.balance["unused"]) == (2, ["dog"])


def test_a_picture_that_went_before_it_was_copied_is_no_taken_one(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = coco_set(tmp_path / "set", many(6))
    from core.data.importers import commit, import_folder

    def vanishing(*args: Any, **how: Any) -> ImportReport:
        (source / "3.png").unlink()
        return commit.commit(*args, **how)

    monkeypatch.setattr(import_folder, "commit", vanishing)
    report = import_coco(project, source)
    assert part(report, "images") == (6, 5, {"it cannot be read": 1})
    assert part(report, "objects") == (6, 5, {"image left out": 1})
    assert list_imports(project)[0].detail["balance"] == report.balance


def test_the_balance_stays_with_the_import(project: Project, tmp_path: Path) -> None:
    report = import_yolo(project, yolo(tmp_path / "set", each(6), images=2))
    (row,) = list_imports(project)
    assert row.detail["balance"] == report.balance
    assert rows(row.detail["balance"]) == rows(report.balance)
    assert rows({}) == [] == rows({"images": "of another version"})


def test_an_archive_and_linked_folders_are_weighed_too(project: Project, tmp_path: Path) -> None:
    source = yolo(tmp_path / "set", each(6), images=2)
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for file in sorted(source.rglob("*.*")):
            archive.write(file, f"wrapped/{file.relative_to(source)}")
    report = import_yolo(project, tmp_path / "set.zip")
    assert report.balance["labels"]["examples"]["without a picture"][0] == "labels/2.txt"
    linked = tmp_path / "linked"
    linked.mkdir()
    for name in ("images", "labels"):
        (linked / name).symlink_to(source / name)
    (linked / "circle").symlink_to(linked)
    put(linked / "classes.txt", "car\n")
    put(linked / "data.yaml", "train: images\nnames: [car]\n")
    report = import_yolo(project, linked)
    assert part(report, "labels") == (6, 2, {"without a picture": 4})


def test_all_parts_of_a_project_of_the_original_are_weighed_together(
    project: Project, tmp_path: Path
) -> None:
    source = original(tmp_path / "yard")
    put(source / "frames" / "stray.png")
    reports = import_original(project, source)
    taken = sum(report.images for report in reports)
    balances = [report.balance for report in reports if report.balance]
    assert len(balances) == 1
    assert balances[0]["images"]["taken"] == taken
    assert balances[0]["images"]["left"]["named by nothing"] >= 1


def test_a_split_whose_name_is_not_known_is_said(project: Project, tmp_path: Path) -> None:
    source = tmp_path / "set"

    def read(place: Path, watch: Watch) -> DataSet:
        data = read_yolo(place, watch)
        for name, split in (("set", None), ("images", None), ("Part7", None), ("Dev", "valid")):
            data.balance.split(name, split)
        return data

    report = import_folder(read, project, yolo(source, each(6)))
    assert report.balance["splits"] == {"Part7": None, "Dev": "valid"}
    assert warnings(report.balance) == ["Splits: 1 of 2; no split: Part7; Dev is valid."]


# What stops


def kitti(count: int) -> dict[str, str]:
    return each(count, "Car 0.00 0 -1.57 5.0 5.0 20.0 20.0 1.65 1.67 3.64 -0.65 1.71 46.70 -1.59\n")


def dota(count: int) -> dict[str, str]:
    return each(count, "5.0 5.0 20.0 5.0 20.0 20.0 5.0 20.0 plane 0\n")


def mismatched(folder: Path) -> Path:
    labels = {f"{n}_gt": BOX for n in range(3)} | {str(n): BOX for n in range(3, 6)}
    return yolo(folder, labels)


def renamed(folder: Path) -> Path:
    """A COCO file that calls two of six pictures by names that they no longer have."""
    for number in range(4, 6):
        put(folder / f"picture-{number}-final.png")
    return coco_set(folder, many(6), images=4)


def fractions(folder: Path) -> Path:
    value = many(6)
    for record in value["annotations"]:
        record["bbox"] = [0.25, 0.25, 0.5, 0.5]
    return coco_set(folder, value)


def two_corners(folder: Path) -> Path:
    """COCO boxes as x, y, x, y instead of x, y, width, height."""
    value = many(6)
    for record in value["annotations"]:
        record["bbox"] = [40, 30, 60, 44]
    return coco_set(folder, value)


def damaged(folder: Path) -> Path:
    source = voc(folder, 6)
    for number in range(2):
        put(source / f"Annotations/{number}.xml", "<annotation><filename>")
    return source


def other_ids(folder: Path) -> Path:
    value = many(6)
    for record in value["annotations"]:
        record["image_id"] += 1000
    return coco_set(folder, value)


def twelve(folder: Path, line: str) -> Path:
    return yolo(folder, each(12, BOX + line), images=12)


MISTAKES: list[tuple[str, Callable[..., Any], Callable[[Path], Path], str]] = [
    ("labels of other names", import_yolo, mismatched, "3 of 6 pictures would lose their labels"),
    ("KITTI as YOLO", import_yolo, lambda p: yolo(p, kitti(6)), "they are KITTI's, such as 'Car"),
    ("DOTA as YOLO", import_yolo, lambda p: yolo(p, dota(6)), "they are DOTA's, such as '5.0"),
    ("words as YOLO", import_yolo, lambda p: yolo(p, each(6, "car at 5 5 20 20\n")), "no boxes of"),
    ("pixels as YOLO", import_yolo, lambda p: yolo(p, each(6, "0 20 20 9 9\n")), "are pixels"),
    ("every label empty", import_yolo, lambda p: yolo(p, each(6, " \n")), "label files are empty"),
    ("no object in VOC", import_voc, lambda p: voc(p, 6, ""), "All 6 label files are empty"),
    ("unknown classes", import_yolo, lambda p: twelve(p, "7 .5 .5 .2 .2\n"), "Only 12 of 24"),
    ("fractions in COCO", import_coco, fractions, "6 of 6 boxes lie within the first pixel"),
    ("fractions in VOC", import_voc, lambda p: voc(p, 6, ".2 .2 .7 .7"), "within the first pixel"),
    ("boxes outside", import_voc, lambda p: voc(p, 6, "700 500 720 510"), "outside their pictures"),
    ("two corners in COCO", import_coco, two_corners, "6 of 6 boxes lie outside their pictures"),
    ("damaged XML", import_voc, damaged, "2 of 6 label files cannot be taken: it is not XML"),
    ("other ids", import_coco, other_ids, "left out are: 6 unknown image"),
    ("other names", import_coco, renamed, "2 of 6 pictures are not there by the names"),
    ("no label file", import_yolo, lambda p: yolo(p, {}), "None of the 6 images has a label file"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "make", "message"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES]
)
def test_what_looks_like_a_mistake_stops_before_anything_is_written(
    project: Project,
    tmp_path: Path,
    call: Callable[..., Any],
    make: Callable[[Path], Path],
    message: str,
) -> None:
    source = make(tmp_path / "set")
    with pytest.raises(LooksWrong) as stopped:
        call(project, source)
    assert message in stopped.value.message
    assert "--anyway" in stopped.value.hint
    assert "--anyway" not in stopped.value.advice
    assert project.summary().images == 0
    assert not any(project.images_dir.iterdir())
    assert call(project, source, anyway=True).images > 0


FINE: list[tuple[str, Callable[..., Any], Callable[[Path], Path]]] = [
    ("background in YOLO", import_yolo, lambda p: yolo(p, each(2))),
    ("empty labels for most", import_yolo, lambda p: yolo(p, {**each(6, ""), "0": BOX})),
    ("images without annotations", import_coco, lambda p: coco_set(p, many(6, annotations=[]))),
    ("part of the pictures", import_coco, lambda p: coco_set(p, many(60), images=6)),
    ("pictures without XML", import_voc, lambda p: voc(p, 6, files=2)),
    ("a slip", import_yolo, lambda p: yolo(p, {**each(5), "5": "car 1 2\n"})),
    ("boxes a little past", import_voc, lambda p: voc(p, 6, "50 30 66 52")),
    ("boxes of one pixel", import_voc, lambda p: voc(p, 6, "5 5 6 6")),
    ("three pictures, all wrong", import_yolo, lambda p: yolo(p, each(3, "0 a b c d\n"), images=3)),
    ("three empty labels", import_yolo, lambda p: yolo(p, each(3, ""), images=3)),
    ("one of three misnamed", import_yolo, lambda p: yolo(p, {**each(2), "x": BOX}, images=3)),
]


@pytest.mark.parametrize(("call", "make"), [row[1:] for row in FINE], ids=[row[0] for row in FINE])
def test_what_is_meant_so_is_not_stopped(
    project: Project, tmp_path: Path, call: Callable[..., Any], make: Callable[[Path], Path]
) -> None:
    assert call(project, make(tmp_path / "set")).images >= 3


def test_a_split_that_is_not_asked_for_loses_nothing(project: Project, tmp_path: Path) -> None:
    """Pictures and labels of a split that `data.yaml` does not name belong together."""
    source = tmp_path / "set"
    for split, count in (("train", 6), ("extra", 6)):
        for number in range(count):
            put(source / split / f"images/{number}.png")
            if split == "extra" or number < 3:
                put(source / split / f"labels/{number}.txt", BOX)
    put(source / "data.yaml", "train: train/images\nnames: [car]\n")
    report = import_yolo(project, source)
    assert part(report, "images") == (12, 6, {"named by nothing": 6})
    assert part(report, "labels") == (9, 3, {"its image is in no split": 6})


def test_reasons_are_counted_and_those_that_are_no_fault_stop_nothing(
    project: Project, tmp_path: Path
) -> None:
    source = yolo(tmp_path / "set", {**each(6), **{f"x{n}": BOX for n in range(6)}})

    def read(place: Path, watch: Watch) -> DataSet:
        data = read_yolo(place, watch)
        for n in range(6):
            data.balance.leave(f"{place}/labels/x{n}.txt", f"its image 'x{n}.png' is in no split")
        return data

    report = import_folder(read, project, source)
    assert part(report, "labels") == (12, 6, {"its image is in no split": 6})


@pytest.mark.parametrize("call", [import_yolo, import_voc])
def test_labels_without_any_picture_say_that_pictures_are_missing(
    project: Project, tmp_path: Path, call: Callable[..., Any]
) -> None:
    source = yolo(tmp_path / "set", each(4), images=0)
    (source / "images").mkdir()
    if call is import_voc:
        source = voc(tmp_path / "other", 0, files=4)
        (source / "JPEGImages").mkdir()
    with pytest.raises(ImportFailed) as stopped:
        call(project, source)
    assert stopped.value.message.startswith("The pictures are missing: there are 4 label files")
    assert str(source) in stopped.value.hint
    assert "data.yaml" not in stopped.value.message + stopped.value.hint


def test_pictures_of_no_kind_that_is_read_are_named(project: Project, tmp_path: Path) -> None:
    source = yolo(tmp_path / "set", each(2), images=0)
    for number in range(2):
        put(source / f"images/{number}.NEF", b"raw")
    with pytest.raises(ImportFailed, match=r"of no kind that is read: 2 \.nef"):
        import_yolo(project, source)


# The command line


def test_the_command_line_stops_tells_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    words = ["import", "yolo", str(mismatched(tmp_path / "set")), "--project", "p", "--create"]
    assert main(words) == Exit.WRONG
    told = capsys.readouterr()
    assert "3 of 6 pictures would lose their labels" in told.err
    assert "--anyway" in told.err
    assert not (tmp_path / "work/data/projects/p").exists(), "nothing was made"
    file = tmp_path / "report.json"
    assert main([*words, "--anyway", "--report", str(file)]) == Exit.OK
    out = capsys.readouterr().out
    assert "of what lay there" in out
    assert "3 left out: without a picture (labels/0_gt.txt, labels/1_gt.txt" in out
    balance = json.loads(file.read_text())["balance"]
    assert (balance["labels"]["found"], balance["labels"]["taken"]) == (6, 3)
    assert main(["import", "show", "1", "--project", "p"]) == Exit.OK
    assert "3 left out: without a picture" in capsys.readouterr().out
    assert main(["import", "show", "1", "--project", "p", "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["balance"] == balance
    put_coco(tmp_path / "good", coco())
    assert main(["import", "coco-dir", str(tmp_path / "good"), "--project", "p"]) == Exit.OK
    assert "All that lay there came in: 2 images, 3 annotations." in capsys.readouterr().out


@pytest.mark.parametrize(
    "way", ["auto", "coco-dir", "yolo", "voc", "coco", "roboflow", "video", "original"]
)
def test_every_way_in_can_go_on_anyway(way: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", way, "--help"]) == Exit.OK
    assert "--anyway" in capsys.readouterr().out
