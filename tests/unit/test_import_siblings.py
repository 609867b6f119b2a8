"""Sets that lie or are named a little otherwise than their tools write them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from import_data import boxes, png, put, voc_xml

from core.common.errors import ImportFailed
from core.data.importers import import_voc, import_yolo
from core.data.importers.balance.likely_mistakes import LooksWrong
from core.data.importers.detect_format import guess_kind
from core.data.store import Project

BOX = "0 .5 .5 .5 .5\n"
KITTI = "Car 0.00 0 -1.57 5 5 30 30 1.5 1.6 3.9 0 0 0 0\n"
DOTA = "5.0 5.0 20.0 5.0 20.0 20.0 5.0 20.0 plane 0\n"


@pytest.fixture
def project(tmp_path: Path):
    with Project.create(tmp_path / "cranes") as made:
        yield made


def put_split(folder: Path, name: str, description: str | None) -> None:
    put(folder / f"images/{name}.png", png())
    put(folder / f"labels/{name}.txt", BOX)
    if description is not None:
        put(folder / "data.yaml", description)


def test_a_description_in_each_splits_folder_names_the_classes(
    project: Project, tmp_path: Path
) -> None:
    for split in ("train", "valid"):
        put_split(tmp_path / "set" / split, split, "names: [hook]\nnc: 1\n")
    report = import_yolo(project, tmp_path / "set")
    assert report.splits == {"train": 1, "valid": 1}
    assert {box[2] for box in boxes(project)} == {"hook"}


def test_descriptions_of_splits_that_differ_are_not_mixed(project: Project, tmp_path: Path) -> None:
    for split, name in (("train", "hook"), ("valid", "boom")):
        put_split(tmp_path / "set" / split, split, f"names: [{name}]\n")
    with pytest.raises(ImportFailed, match="classes of the splits"):
        import_yolo(project, tmp_path / "set")


def test_a_set_in_a_folder_of_its_own_keeps_its_names(project: Project, tmp_path: Path) -> None:
    inner = tmp_path / "set/cells.v3"
    put_split(inner / "train", "a", None)
    put(inner / "data.yaml", "train: ../train/images\nnames: [hook]\n")
    report = import_yolo(project, tmp_path / "set")
    assert report.splits == {"train": 1}
    assert {box[2] for box in boxes(project)} == {"hook"}


def test_versions_beside_each_other_are_told_and_not_mixed(
    project: Project, tmp_path: Path
) -> None:
    for version in ("v1", "v2"):
        put_split(tmp_path / "set" / version / "train", version, None)
        put(tmp_path / "set" / version / "data.yaml", "train: train/images\nnames: [hook]\n")
    with pytest.raises(ImportFailed) as stopped:
        import_yolo(project, tmp_path / "set")
    assert "2 data sets" in stopped.value.message
    assert "v1/data.yaml, v2/data.yaml" in stopped.value.message


def test_lists_of_voc_may_name_xml_files(project: Project, tmp_path: Path) -> None:
    for name in ("a", "b"):
        put(tmp_path / f"set/JPEGImages/{name}.png", png())
        put(tmp_path / f"set/Annotations/{name}.xml", voc_xml(f"{name}.png"))
    put(tmp_path / "set/ImageSets/Main/dev.txt", "a.xml\nb\n")
    assert import_voc(project, tmp_path / "set").splits == {"valid": 2}


def put_lines(folder: Path, lines: list[str]) -> Path:
    for number, line in enumerate(lines):
        put(folder / f"images/{number}.png", png())
        put(folder / f"labels/{number}.txt", line)
    put(folder / "data.yaml", "train: images\nnames: [hook]\n")
    return folder


OTHERS: list[tuple[str, list[str], str]] = [
    ("KITTI", [KITTI] * 3, "they are KITTI's"),
    ("DOTA", [DOTA] * 2, "they are DOTA's"),
    ("pixels", ["0 20 20 9 9\n"] * 3, "are pixels"),
    ("most of another list", [BOX] * 2 + ["3 .5 .5 .5 .5\n"] * 4, "Only 2 of 6 objects"),
    ("of another list", ["3 .5 .5 .5 .5\n"] * 4, "4 unknown category"),
]


@pytest.mark.parametrize(
    ("lines", "message"), [row[1:] for row in OTHERS], ids=[row[0] for row in OTHERS]
)
def test_a_few_boxes_that_are_another_formats_stop(
    project: Project, tmp_path: Path, lines: list[str], message: str
) -> None:
    with pytest.raises(LooksWrong) as stopped:
        import_yolo(project, put_lines(tmp_path / "set", lines))
    assert message in stopped.value.message
    assert project.summary().images == 0
    if "category" in message:
        assert "there is no class 3" in stopped.value.advice
        assert "count from 1" in stopped.value.advice


def test_one_slip_of_a_few_boxes_does_not_stop(project: Project, tmp_path: Path) -> None:
    lines = [KITTI, BOX, BOX]
    assert import_yolo(project, put_lines(tmp_path / "set", lines)).images == 3


@pytest.mark.parametrize("label", ["train/labels/a.txt", "train/a.txt"])
def test_split_folders_without_a_description_are_recognised(tmp_path: Path, label: str) -> None:
    image = label.replace("labels", "images").replace(".txt", ".png")
    put(tmp_path / "set" / image, png())
    put(tmp_path / "set" / label, BOX)
    if "labels" not in label:
        put(tmp_path / "set/train/_darknet.labels", "hook\n")
    assert guess_kind(tmp_path / "set") == "yolo"
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as packed:
        for file in sorted((tmp_path / "set").rglob("*.*")):
            packed.write(file, file.relative_to(tmp_path / "set"))
        packed.writestr("README.roboflow.txt", "x")
    assert guess_kind(tmp_path / "set.zip") == "yolo"
