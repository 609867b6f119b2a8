"""Formats of text, CSV and records: told apart, read as their tools mean them, nothing unsaid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from import_data import check, png, put
from table_samples import (
    BOX,
    KITTI,
    OTHERS,
    SAMPLES,
    put_azure_coco,
    put_bdd,
    put_crowdhuman,
    put_dota,
    put_kitti,
    put_mot,
    put_open_images,
    put_tensorflow,
    put_visdrone,
    put_wider,
)

from core.common.errors import ImportFailed
from core.data.importers.boxes import fit
from core.data.importers.commit import commit
from core.data.importers.dataset import DataSet
from core.data.importers.detect_format import recognise
from core.data.importers.formats.look import Look
from core.data.importers.formats.registry import FORMATS
from core.data.importers.import_named import import_named
from core.data.importers.report import Watch
from core.data.store import Project

DOTA = "4 6 24 6 24 18 4 18 ship 0\n"
READ = {one.name: one.read for one in FORMATS if one.name in {name for name, _ in SAMPLES.values()}}


def rows(data: DataSet) -> list[tuple[Any, ...]]:
    """Split, picture, class and box of everything, crowds marked."""
    images, labels, boxes = data.columns()
    return sorted(
        (
            data.images[image].split or "",
            data.images[image].name,
            data.labels[label].name + ("*" if place in data.iscrowd else ""),
            *(round(value, 3) for value in box),
        )
        for place, (image, label, box) in enumerate(
            zip(images.tolist(), labels.tolist(), boxes.tolist(), strict=True)
        )
    )


def read(name: str, path: Path) -> DataSet:
    return READ[name](path, Watch())


# Telling formats apart


@pytest.mark.parametrize("sample", SAMPLES)
def test_each_sample_is_recognised_as_its_own_format_alone(sample: str, tmp_path: Path) -> None:
    name, write = SAMPLES[sample]
    look = Look(write(tmp_path / "set"))
    assert [one.name for one in FORMATS if one.recognise(look)] == [name]


@pytest.mark.parametrize("sample", OTHERS)
def test_coco_yolo_and_voc_are_none_of_these(sample: str, tmp_path: Path) -> None:
    tables = {name for name, _ in SAMPLES.values()}
    look = Look(OTHERS[sample](tmp_path / "set"))
    assert [one.name for one in FORMATS if one.name in tables and one.recognise(look)] == []


@pytest.mark.parametrize(("name", "text"), [("kitti", KITTI), ("dota", DOTA)])
def test_texts_where_yolo_keeps_its_own_are_told_by_their_lines(
    name: str, text: str, tmp_path: Path
) -> None:
    for split in ("train", "val"):
        put(tmp_path / split / "images" / "a.png")
        put(tmp_path / split / "labels" / "a.txt", text)
    there = recognise(tmp_path)
    assert there is not None
    assert there.kind is not None
    assert there.kind.name == name
    assert [row[0] for row in rows(read(name, tmp_path))] == ["train", "valid"]


@pytest.mark.parametrize("text", ["", "\0\0\0", "\x89PNG\r\n", "a,b\n", "1 2 3\n", "{", "[" * 200])
@pytest.mark.parametrize("ending", ["csv", "txt", "json", "jsonl", "odgt"])
def test_recognition_never_fails(text: str, ending: str, tmp_path: Path) -> None:
    for place in ("", "gt/", "label_2/", "annotations/", "labelTxt/", "Label/"):
        put(tmp_path / f"{place}gt.{ending}", text)
    look = Look(tmp_path)
    assert [one.name for one in FORMATS if one.recognise(look)] == []


# What every format has in common


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_box_the_split_and_both_pictures_come_in(sample: str, tmp_path: Path) -> None:
    name, write = SAMPLES[sample]
    data = read(name, write(tmp_path / "set"))
    # A part of 1,000 or 1,024 of 64 pixels is as fine as those two formats are.
    near = 0.1
    first = [row for row in rows(data) if row[3:] == pytest.approx(BOX, abs=near)]
    assert len(first) == 1
    split = {
        "Florence-2": "valid",
        "Azure COCO": "",
    }.get(sample, "train")
    assert first[0][0] == split
    pictures = {"KITTI": 3, "Florence-2": 1}.get(sample, 2)
    assert len(data.images) == pictures
    assert data.balance.used
    with Project.create(tmp_path / "project") as project:
        commit(project, data)
        check(project)


@pytest.mark.parametrize("sample", SAMPLES)
def test_objects_found_are_taken_or_told(sample: str, tmp_path: Path) -> None:
    name, write = SAMPLES[sample]
    data = read(name, write(tmp_path / "set"))
    told = sum(1 for problem in data.problems.listed if problem.action == "left out")
    lanes = data.problems.counts["no box"] if name == "bdd100k" else 0
    assert data.balance.objects == len(data) + told - lanes


@pytest.mark.parametrize(
    ("sample", "described"),
    [("MOT", {"seqinfo.ini", "labels.txt"}), ("Open Images", {"class-descriptions-boxable.csv"})],
)
def test_descriptions_are_no_label_files(sample: str, described: set[str], tmp_path: Path) -> None:
    name, write = SAMPLES[sample]
    folder = write(tmp_path / "set")
    if sample == "MOT":
        put(folder / "train" / "MOT17-02" / "gt" / "labels.txt", "person\n")
    balance = read(name, folder).balance
    assert {Path(path).name for path in balance.described} == described
    assert len(balance.used) == 1


@pytest.mark.parametrize("sample", SAMPLES)
def test_pictures_that_are_gone_are_told(sample: str, tmp_path: Path) -> None:
    name, write = SAMPLES[sample]
    folder = write(tmp_path / "set")
    pictures = [p for p in folder.rglob("*") if p.suffix in (".png", ".jpg") and "a" in p.stem]
    for picture in pictures or sorted(folder.rglob("*01.jpg")):
        picture.unlink()
    data = read(name, folder)
    assert data.problems.counts["missing image"] == 1
    assert data.balance.unmet or data.balance.lines["met nothing"] or name == "mot"


@pytest.mark.parametrize("name", READ)
def test_a_folder_of_something_else_is_refused_with_what_is_looked_for(
    name: str, tmp_path: Path
) -> None:
    put(tmp_path / "set" / "a.png")
    for path in (tmp_path / "set", tmp_path / "none"):
        with pytest.raises(ImportFailed) as error:
            read(name, path)
        assert error.value.hint


# CSV


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("\ufefffilename;width;height;class;xmin;ymin;xmax;ymax", "a.png;64;48;car;4,0;6,0;24;18"),
        ("class\txmin\tymin\txmax\tymax\tfilename", "car\t4\t6\t24\t18\ta.png"),
        ('"ymax","xmin","ymin","Class","xmax","Filename"', '"18","4","6","car","24","a.png"'),
        ("image_name,label,x1,y1,x2,y2", "train/a.png, car, 4, 6, 24, 18"),
        ("label_name,bbox_x,bbox_y,bbox_width,bbox_height,image_name,image_width,image_height",
         "car,4,6,20,12,a.png,64,48"),
        ("path,class,xmin,ymin,xmax,ymax", "C:\\data\\set\\train\\a.png,car,4,6,24,18"),
        ("filename,class,xmin,ymin,xmax,ymax", "/home/me/x/a.png,car,4.0,6e0,2.4e1,18"),
        ("filename,class,xmin,ymin,xmax,ymax,split", "a.png,car,.0625,0.125,0.375,0.375,TRAIN"),
    ],
)  # fmt: skip
def test_csv_by_the_names_of_its_columns(header: str, row: str, tmp_path: Path) -> None:
    folder = put_tensorflow(tmp_path, header, row)
    assert Look(folder).names
    data = read("csv", folder)
    assert rows(data) == [("train", "a.png", "car", 4, 6, 20, 12)]


def test_csv_as_excel_writes_unicode_text(tmp_path: Path) -> None:
    folder = put_tensorflow(tmp_path)
    text = "filename\tclass\txmin\tymin\txmax\tymax\r\na.png\tВагон\t4\t6\t24\t18\r\n"
    (folder / "train" / "_annotations.csv").write_bytes(text.encode("utf-16"))
    assert rows(read("csv", folder)) == [("train", "a.png", "Вагон", 4, 6, 20, 12)]


def test_csv_with_fractions_says_so_and_ones_of_a_pixel_are_none(tmp_path: Path) -> None:
    head = "filename,class,xmin,ymin,xmax,ymax"
    data = read("csv", put_tensorflow(tmp_path / "a", head, "a.png,car,0.25,0.25,0.5,1"))
    assert data.problems.counts["fractions"] == 1
    assert rows(data) == [("train", "a.png", "car", 16, 12, 16, 36)]
    data = read("csv", put_tensorflow(tmp_path / "b", head, "a.png,car,0,0,1,1"))
    assert rows(data) == [("train", "a.png", "car", 0, 0, 1, 1)]


def test_csv_lines_that_say_no_box_are_told_and_pictures_without_lines_are_too(
    tmp_path: Path,
) -> None:
    data = read(
        "csv",
        put_tensorflow(
            tmp_path, "", "a.png,64,48,car,4,6,x,18", "a.png,64,48,,4,6,9,18", ",,,car,1,1,2,2"
        ),
    )
    assert data.problems.counts == {"bad line": 2, "bad category": 1, "image without labels": 1}
    assert [problem.where for problem in data.problems.listed][:2] == [
        "_annotations.csv: line 4",
        "_annotations.csv: line 2",
    ]


def test_tables_of_two_splits_beside_one_folder_of_pictures(tmp_path: Path) -> None:
    head = "filename,class,xmin,ymin,xmax,ymax\n"
    for name in "abc":
        put(tmp_path / "images" / f"{name}.png")
    put(tmp_path / "train_labels.csv", f"{head}a.png,car,4,6,24,18\n")
    put(tmp_path / "test_labels.csv", f"{head}b.png,car,4,6,24,18\n")
    data = read("csv", tmp_path)
    assert {(picture.name, picture.split) for picture in data.images} == {
        ("a.png", "train"),
        ("b.png", "test"),
        ("c.png", None),
    }
    assert data.problems.counts == {"image without labels": 1}


# Open Images


def test_open_images_groups_are_crowds_and_marks_are_kept(tmp_path: Path) -> None:
    folder = put_open_images(
        tmp_path,
        "a,xclick,/m/0k4j,1,0.0,0.5,0.0,0.5,1,1,1,0,-1\n",
        "b,xclick,/m/zzz,1,0.0,1.0,0.0,1.0,0,0,0,0,0\n",
        "elsewhere,xclick,/m/0k4j,1,0,1,0,1,0,0,0,0,0\n",
        "elsewhere,xclick,/m/0k4j,1,0,1,0,1,0,0,0,0,0\n",
    )
    data = read("open-images", folder)
    assert rows(data) == [
        ("train", "a.png", "Car*", 0, 0, 32, 24),
        ("train", "b.png", "/m/zzz", 0, 0, 64, 48),
    ]
    assert json.loads(data.extra[0]) == {"occluded": True, "truncated": True}
    assert data.problems.counts == {"missing image": 1, "class without a name": 1}
    assert data.balance.lines == {"met": 2, "met nothing": 2}


def test_a_picture_in_several_folders_of_the_oidv4_toolkit_is_one(tmp_path: Path) -> None:
    for name in ("Car", "Traffic light"):
        put(tmp_path / "Dataset" / "train" / name / "a.png")
        put(tmp_path / "Dataset" / "train" / name / "Label" / "a.txt", f"{name} 4 6 24 18\n")
    data = read("open-images", tmp_path)
    assert [row[1:3] for row in rows(data)] == [("a.png", "Car"), ("a.png", "Traffic light")]
    assert len(data.images) == 1


# KITTI


def test_kitti_regions_of_no_class_are_told_and_marks_kept(tmp_path: Path) -> None:
    text = KITTI.replace("0.00 0 -1.57", "0.50 2 -1.57") + KITTI.replace("Car", "Traffic sign")
    data = read("kitti", put_kitti(tmp_path, text + "DontCare" + KITTI[3:] + "Car 1 2\n"))
    assert [row[2] for row in rows(data)] == ["Car", "Traffic sign"]
    assert json.loads(data.extra[0]) == {"truncated": 0.5, "occluded": 2}
    assert data.problems.counts == {
        "ignored region": 1,
        "bad line": 1,
        "image without labels": 2,
    }
    assert {picture.name: picture.split for picture in data.images} == {
        "a.png": "train",
        "b.png": "train",
        "c.png": "test",
    }


# MOT


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("1,1,5,7,20,12,1,3,0.5\n", None, [("car", 4, 6, 20, 12)]),
        ("1, 1, 5, 7, 20, 12, -1, 3, -1, -1\n", None, [("pedestrian", 4, 6, 20, 12)]),
        ("1,1,5,7,20,12\n", None, [("pedestrian", 4, 6, 20, 12)]),
        ("1,1,4,6,20,12,1,2,1\n", "dog\ncat\n", [("cat", 4, 6, 20, 12)]),
        ("1,1,5,7,20,12,0,1,1\n", None, []),
    ],
    ids=["MOT17", "MOT15", "six values", "of CVAT", "not to be considered"],
)
def test_mot(text: str, names: str | None, expected: list[Any], tmp_path: Path) -> None:
    folder = put_mot(tmp_path, text)
    if names:
        put(folder / "train" / "MOT17-02" / "gt" / "labels.txt", names)
    data = read("mot", folder)
    assert [row[2:] for row in rows(data)] == expected
    assert {picture.grp for picture in data.images} == {"MOT17-02"}
    assert [Path(path).name for path in data.balance.left] == ["det.txt"]


def test_a_sequence_of_which_most_is_not_to_be_counted_is_taken(tmp_path: Path) -> None:
    lines = [f"{1 + n % 2},{n},5,7,20,12,{int(n < 5)},1,1" for n in range(1, 60)]
    folder = put_mot(tmp_path / "set", "".join(line + "\n" for line in lines))
    for number in range(3, 9):
        put(folder / "train" / "MOT17-02" / "img1" / f"00000{number}.jpg")
    with Project.create(tmp_path / "project") as project:
        report = import_named(project, folder, "mot")
    assert (report.images, report.annotations) == (8, 4)
    assert report.counts()["ignored object"] == 55


def test_pictures_that_were_not_downloaded_are_no_mistake(tmp_path: Path) -> None:
    rows = [f"{n},x,/m/0k4j,1,0,0.5,0,0.5,0,0,0,0,0\n" for n in range(200)]
    folder = put_open_images(
        tmp_path / "set", *rows, *[row.replace("0,x", "a,x", 1) for row in rows[:1]]
    )
    for number in range(8):
        put(folder / "train" / f"{number}.png")
    with Project.create(tmp_path / "project") as project:
        report = import_named(project, folder, "open-images")
    assert report.annotations == 9
    assert report.counts()["missing image"] == 192


def test_mot_sequences_keep_their_frames_apart(tmp_path: Path) -> None:
    put_mot(tmp_path)
    (tmp_path / "train" / "MOT17-02").rename(tmp_path / "train" / "MOT17-04")
    data = read("mot", put_mot(tmp_path))
    assert sorted(picture.name for picture in data.images) == [
        f"MOT17-0{sequence}/00000{frame}.jpg" for sequence in (2, 4) for frame in (1, 2)
    ]


def test_what_a_detector_found_is_no_truth(tmp_path: Path) -> None:
    folder = put_mot(tmp_path)
    (folder / "train" / "MOT17-02" / "gt" / "gt.txt").unlink()
    with pytest.raises(ImportFailed) as error:
        read("mot", folder)
    assert "no ground truth" in error.value.hint


# The others


def test_dota_keeps_the_corners_and_says_what_it_takes(tmp_path: Path) -> None:
    folder = put_dota(tmp_path)
    text = "30 10 40 20 30 30 20 20 ship 0\n1 2 3 4\n"
    put(folder / "train" / "labelTxt" / "b.txt", text)
    data = read("dota", folder)
    assert rows(data)[1] == ("train", "b.png", "ship", 20, 10, 20, 20)
    assert json.loads(data.segmentation[1]) == [[30, 10, 40, 20, 30, 30, 20, 20]]
    assert json.loads(data.extra[0]) == {"difficult": 1}
    assert data.problems.counts == {"turned boxes": 1, "bad line": 1}


@pytest.mark.parametrize("top", ["", "train"])
def test_dotas_label_files_are_read_once(top: str, tmp_path: Path) -> None:
    line = "4 6 24 6 24 18 4 18 ship 0\n"
    for number in range(6):
        put(tmp_path / top / "images" / f"{number}.png")
        put(tmp_path / top / "labelTxt" / f"{number}.txt", line)
        put(tmp_path / top / "labelTxt-v1.5" / f"{number}.txt", line)
    data = read("dota", tmp_path)
    assert (len(data.images), len(data), data.balance.objects) == (6, 6, 6)
    assert data.problems.counts == {"turned boxes": 1}
    assert not data.balance.unmet
    others = {str(tmp_path / top / "labelTxt-v1.5" / f"{number}.txt") for number in range(6)}
    assert set(data.balance.left) == others


def test_wider_faces_that_are_invalid_count_neither_way(tmp_path: Path) -> None:
    data = read("wider-face", put_wider(tmp_path))
    assert [row[1:3] for row in rows(data)] == [
        ("0--Parade/a.png", "face"),
        ("0--Parade/a.png", "face*"),
    ]
    assert json.loads(data.extra[0]) == {"blur": 2, "occlusion": 1}
    assert data.problems.counts == {}


def test_a_wider_list_with_too_few_lines_goes_on_with_the_next_picture(tmp_path: Path) -> None:
    text = "0--Parade/a.png\n3\n4 6 20 12 0 0 0 0 0 0\n0--Parade/b.png\n1\n1 1 5 5\n"
    data = read("wider-face", put_wider(tmp_path, text))
    assert [row[1] for row in rows(data)] == ["0--Parade/a.png", "0--Parade/b.png"]
    assert data.problems.counts == {"bad line": 1}


def test_visdrone_says_what_it_leaves_out(tmp_path: Path) -> None:
    data = read("visdrone", put_visdrone(tmp_path))
    assert data.problems.counts == {
        "ignored region": 1,
        "ignored object": 1,
        "image without labels": 1,
    }
    assert rows(data) == [("train", "a.png", "car", 4, 6, 20, 12)]


def test_a_list_of_bdd100k_in_which_nothing_is_to_be_seen_is_read_beside_another(
    tmp_path: Path,
) -> None:
    folder = put_bdd(tmp_path)
    put(folder / "images" / "100k" / "val" / "v.png")
    frames = [{"name": "v.png", "labels": []}]
    put(folder / "labels" / "det_20" / "det_val.json", json.dumps(frames))
    data = read("bdd100k", folder)
    assert sorted((p.split, p.name) for p in data.images) == [
        ("train", "a.png"),
        ("train", "b.png"),
        ("valid", "v.png"),
    ]


def test_a_clipped_box_of_one_pixel_survives_the_rounding_of_fractions() -> None:
    height = 1 - 2e-14
    taken, wrong, action = fit((53.0, 47.0, 20.0, height), 64, 48)
    assert taken == pytest.approx((53.0, 47.0, 11.0, 1))
    assert (wrong, action) == ("box past the edge", "clipped")


def test_crowdhuman_masks_are_crowds_and_the_other_boxes_are_kept(tmp_path: Path) -> None:
    data = read("crowdhuman", put_crowdhuman(tmp_path))
    assert [row[2] for row in rows(data)] == ["person", "person*"]
    assert json.loads(data.extra[0]) == {"vbox": [4, 6, 20, 8], "hbox": [8, 6, 4, 4]}


def test_azures_polygons_and_crowds(tmp_path: Path) -> None:
    put(tmp_path / "a b.png")
    shape = [[0.25, 0.25, 0.5, 0.25, 0.5, 0.75]]
    line = {
        "image_url": "AmlDatastore://x/a%20b.png",
        "label": [{"label": "car", "isCrowd": "true", "polygon": shape}, {"label": "bus"}],
    }
    put(tmp_path / "valid.jsonl", json.dumps(line) + "\nnot JSON\n")
    data = read("azure", tmp_path)
    assert rows(data) == [("valid", "a b.png", "car*", 16, 12, 16, 24)]
    assert json.loads(data.segmentation[0]) == [[16, 12, 32, 12, 32, 36]]
    assert data.problems.counts == {"bad line": 1, "no box": 1}


def test_azures_coco_is_no_plain_coco(tmp_path: Path) -> None:
    data = read("azure", put_azure_coco(tmp_path) / "export.json")
    assert rows(data) == [("", "a.png", "car", 4, 6, 20, 12)]


def test_answers_in_words_are_told(tmp_path: Path) -> None:
    put(tmp_path / "a.png", png(1000, 500))
    lines = [
        {"image": "a.png", "prefix": "describe", "suffix": "a street with cars"},
        {"image": "a.png", "prefix": "<OD>",
         "suffix": "car<loc_1><loc_2><loc_3><loc_4><loc_10><loc_20><loc_30><loc_40>"},
    ]  # fmt: skip
    put(tmp_path / "x.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    data = read("paligemma", tmp_path)
    assert data.problems.counts == {"no box": 1}
    assert rows(data) == [("", "a.png", "car", 1, 1, 2, 1), ("", "a.png", "car", 10, 10, 20, 10)]


def test_names_may_not_lead_out_of_the_set(tmp_path: Path) -> None:
    put(tmp_path / "secret.png")
    folder = put_tensorflow(tmp_path / "set", "", "../../secret.png,64,48,car,4,6,24,18")
    data = read("csv", folder)
    assert data.problems.counts["unsafe file name"] == 1
    assert all("secret" not in picture.source for picture in data.images)
