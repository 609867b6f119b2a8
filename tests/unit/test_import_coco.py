"""COCO: the real set, every layout, and every way a file can be wrong."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from import_data import boxes, check, coco, files_below, png, put, put_coco, state

from core.common.errors import Cancelled, ImportFailed, ProjectError
from core.data import classes
from core.data.importers import Progress, import_coco, list_imports, remove_import
from core.data.importers.coco.json_lists import Parts
from core.data.store import Project


@pytest.fixture
def project(tmp_path: Path):
    with Project.create(tmp_path / "cranes") as made:
        yield made


def counts(project: Project) -> dict[str, tuple[int, int]]:
    return {row.name: (row.annotations, row.images) for row in classes.list_classes(project)}


# The real set


def test_the_blood_cells_are_imported_whole_but_for_two_named_boxes(
    project: Project, bccd: Path
) -> None:
    stages: list[Progress] = []
    report = import_coco(project, bccd, progress=stages.append)
    assert (report.images, report.annotations) == (364, 4886)
    assert report.classes == ["Platelets", "RBC", "WBC"]
    assert report.counts() == {"zero-size box": 2}
    assert [(p.where, p.action) for p in report.problems] == [
        ("train/_annotations.coco.json: annotation 2288 of BloodImage_00343.jpg", "left out"),
        ("valid/_annotations.coco.json: annotation 887 of BloodImage_00338.jpg", "left out"),
    ]
    assert report.splits == {"train": 205, "valid": 87, "test": 72}
    assert counts(project) == {
        "Platelets": (361, 201), "RBC": (4153, 349), "WBC": (372, 358),
    }  # fmt: skip
    check(project)
    # What the store has is what the files say, the two boxes apart.
    expected = []
    for split in ("test", "train", "valid"):
        value = json.loads((bccd / split / "_annotations.coco.json").read_bytes())
        names = {image["id"]: image["file_name"] for image in value["images"]}
        kinds = {category["id"]: category["name"] for category in value["categories"]}
        expected += [
            (split, names[a["image_id"]], kinds[a["category_id"]], *a["bbox"])
            for a in value["annotations"]
            if a["bbox"][2] and a["bbox"][3]
        ]
    assert sorted(boxes(project)) == sorted(expected)
    assert {stage.stage for stage in stages} == {
        "reading",
        "sizes",
        "comparing",
        "files",
        "images",
        "annotations",
    }
    first = project.image_file(project.db.execute("SELECT path FROM v_images").fetchone()[0])
    assert first.stat().st_nlink > 1 or bccd.stat().st_dev != project.path.stat().st_dev
    (row,) = list_imports(project)
    assert (row.kind, row.origin, row.images, row.annotations) == ("coco", str(bccd), 364, 4886)
    assert row.detail["problems"] == {"zero-size box": 2}
    assert row.detail["splits"] == report.splits
    assert project.history()[0].summary.startswith("Imported 364 images and 4,886 annotations")
    assert json.loads(json.dumps(report.to_dict()))["problem_counts"] == {"zero-size box": 2}


# Layouts


def split_counts(project: Project) -> dict[str | None, int]:
    rows = project.db.execute("SELECT split, count(*) FROM v_images GROUP BY split")
    return {row[0]: row[1] for row in rows}


@pytest.mark.parametrize(
    ("files", "source", "splits"),
    [
        (("train/_annotations.coco.json", "train/{}"), "", {"train": 2}),
        (("validation/_annotations.coco.json", "validation/{}"), "", {"valid": 2}),
        (("VAL/anything.json", "VAL/{}"), "", {"valid": 2}),
        (("train/_annotations.coco.json", "train/{}"), "train", {None: 2}),
        (
            ("train/_annotations.coco.json", "train/{}"),
            "train/_annotations.coco.json",
            {"train": 2},
        ),
        (("annotations/instances_val2017.json", "val2017/{}"), "", {"valid": 2}),
        (("annotations/instances_train2017.json", "images/train2017/{}"), "", {"train": 2}),
        (("annotations/x.json", "images/{}"), "", {None: 2}),
        (("labels.json", "data/{}"), "", {None: 2}),
        (("labels.json", "images/{}"), "labels.json", {None: 2}),
        (("annotations/labels.json", "images/{}"), "annotations/labels.json", {None: 2}),
        (("json/test.json", "images/{}"), "json/test.json", {"test": 2}),
        (("result.json", "{}"), "", {None: 2}),
    ],
)
def test_layouts(
    project: Project,
    tmp_path: Path,
    files: tuple[str, str],
    source: str,
    splits: dict[str | None, int],
) -> None:
    folder = tmp_path / "set"
    put(folder / files[0], json.dumps(coco()))
    for name in ("a.png", "b.png"):
        put(folder / files[1].format(name))
    report = import_coco(project, folder / source)
    assert split_counts(project) == splits
    assert (report.annotations, report.counts()) == (3, {})
    check(project)


def test_three_splits_with_the_same_file_names_stay_apart(project: Project, tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        put_coco(tmp_path / "set" / split)
    report = import_coco(project, tmp_path / "set")
    assert report.splits == {"train": 2, "valid": 2, "test": 2}
    assert counts(project) == {"boom": (3, 3), "hook": (6, 6)}
    check(project)


@pytest.mark.parametrize(
    ("make", "message", "hint"),
    [
        (lambda f: None, "There is no '", "Check the path"),
        (lambda f: f.mkdir(), "the folder is empty", "train, valid and test"),
        (lambda f: put(f / "x.txt", "x"), "it holds 1 entry (x.txt)", "instances_"),
        (
            lambda f: [put(f / "a.json", "{}"), put(f / "b.json", "{}")],
            "several annotation files",
            "Name the one",
        ),
        (
            lambda f: [put_coco(f / "val"), put_coco(f / "valid")],
            "Two folders hold the same split",
            "by its own path",
        ),
        (
            lambda f: put(f / "x.json", json.dumps(coco())),
            "None of the 2 images of 'x.json' is there: no file 'a.png'",
            "looked in",
        ),
        (
            lambda f: put(f / "x.json", json.dumps(coco(images=[], annotations=[]))),
            "no image to import",
            "another folder",
        ),
    ],
)
def test_a_wrong_folder_is_told_what_was_looked_for(
    project: Project, tmp_path: Path, make: Any, message: str, hint: str
) -> None:
    make(tmp_path / "set")
    before = state(project)
    with pytest.raises(ImportFailed) as caught:
        import_coco(project, tmp_path / "set")
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert state(project) == before


# Damaged records: each with what is reported and how many boxes are left of three


def image(**changes: Any) -> dict[str, Any]:
    return coco(images=[{**coco()["images"][0], **changes}, coco()["images"][1]])


def note(**changes: Any) -> dict[str, Any]:
    first, *others = coco()["annotations"]
    return coco(annotations=[{**first, **changes}, *others])


def without(key: str) -> dict[str, Any]:
    first, *others = coco()["annotations"]
    return coco(annotations=[{k: v for k, v in first.items() if k != key}, *others])


BASE = coco()
RECORDS: list[tuple[str, Any, dict[str, int], int]] = [
    ("nothing wrong", BASE, {}, 3),
    ("zero width", note(bbox=[1, 2, 0, 5]), {"zero-size box": 1}, 2),
    ("negative height", note(bbox=[1, 2, 5, -5]), {"zero-size box": 1}, 2),
    ("past the edge", note(bbox=[60, 40, 10, 20]), {"box past the edge": 1}, 3),
    ("before the edge", note(bbox=[-5, -5, 10, 10]), {"box past the edge": 1}, 3),
    ("a hair past the edge", note(bbox=[60, 40, 4.05, 8]), {}, 3),
    ("outside", note(bbox=[100, 100, 10, 10]), {"box outside the image": 1}, 2),
    ("half a pixel inside", note(bbox=[63.5, 2, 10, 10]), {"box outside the image": 1}, 2),
    ("tiny but inside", note(bbox=[5, 5, 0.5, 0.5]), {}, 3),
    ("NaN", note(bbox=[float("nan"), 2, 5, 5]), {"non-finite number": 1}, 2),
    ("infinite", note(bbox=[1, 2, float("inf"), 5]), {"non-finite number": 1}, 2),
    ("1e999", json.dumps(note(bbox=[1, 2, 777, 5])).replace("777", "1e999"),
     {"non-finite number": 1}, 2),
    ("a number of 5,000 digits", json.dumps(note(bbox=[1, 2, 777, 5])).replace("777", "7" * 5000),
     {"non-finite number": 1}, 2),
    ("an id of 30 digits", note(id=10**30), {}, 3),
    ("three numbers", note(bbox=[1, 2, 3]), {"wrong type": 1}, 2),
    ("five numbers", note(bbox=[1, 2, 3, 4, 5]), {"wrong type": 1}, 2),
    ("box of words", note(bbox=["a", 2, 3, 4]), {"wrong type": 1}, 2),
    ("box of numbers as text", note(bbox=["1", "2", "3", "4"]), {}, 3),
    ("box an object", note(bbox={"x": 1}), {"wrong type": 1}, 2),
    ("no box", without("bbox"), {"no box": 1}, 2),
    ("box null", note(bbox=None), {"no box": 1}, 2),
    ("no box, a polygon", note(bbox=[], segmentation=[[1, 1, 9, 1, 9, 9]]), {"no box": 1}, 3),
    ("unknown image", note(image_id=9), {"unknown image": 1}, 2),
    ("image id as text", note(image_id="1"), {}, 3),
    ("image id a list", note(image_id=[1]), {"wrong type": 1}, 2),
    ("image id true", note(image_id=True), {"wrong type": 1}, 2),
    ("image id 1.0", note(image_id=1.0), {}, 3),
    ("no image id", without("image_id"), {"wrong type": 1}, 2),
    ("unknown category", note(category_id=9), {"unknown category": 1}, 2),
    ("category id far off", note(category_id=-(2**70)), {"unknown category": 1}, 2),
    ("no category id", without("category_id"), {"wrong type": 1}, 2),
    ("duplicate annotation id", note(id=3), {"duplicate annotation id": 1}, 2),
    ("no annotation id", without("id"), {}, 3),
    ("annotation a number", coco(annotations=[7, *BASE["annotations"]]), {"wrong type": 1}, 3),
    ("annotation null", coco(annotations=[None, *BASE["annotations"]]), {"wrong type": 1}, 3),
    ("crowd of odd type", note(iscrowd="yes"), {}, 3),
    ("polygon of words", note(segmentation=[["a"]]), {"bad shape": 1}, 3),
    ("run lengths", note(segmentation={"counts": "abc", "size": [48, 64]}), {}, 3),
    ("missing image", image(file_name="none.png"), {"missing image": 1, "image left out": 2}, 1),
    ("no file name", coco(images=[{"id": 1}, BASE["images"][1]]),
     {"wrong type": 1, "unknown image": 2}, 1),
    ("unsafe ../", image(file_name="../x.png"), {"unsafe file name": 1, "image left out": 2}, 1),
    ("unsafe, but here by its end", image(file_name="x/../../a.png"), {"unsafe file name": 1}, 3),
    ("a path of another machine", image(file_name="/home/me/set/a.png"),
     {"unsafe file name": 1}, 3),
    ("absolute", image(file_name="/etc/passwd"), {"unsafe file name": 1, "image left out": 2}, 1),
    ("a drive", image(file_name="C:\\me\\a.png"), {"unsafe file name": 1}, 3),
    ("a drive, not here", image(file_name="C:\\x.png"),
     {"unsafe file name": 1, "image left out": 2}, 1),
    ("NUL in the name", image(file_name="a\0.png"),
     {"unsafe file name": 1, "image left out": 2}, 1),
    ("half a surrogate", image(file_name="\ud800.png"),
     {"unsafe file name": 1, "image left out": 2}, 1),
    ("escape code", image(file_name="\x1b[31ma.png"),
     {"unsafe file name": 1, "image left out": 2}, 1),
    ("empty name", image(file_name=""), {"unsafe file name": 1, "image left out": 2}, 1),
    ("./a.png", image(file_name="./a.png"), {}, 3),
    ("letters of another case", image(file_name="A.PNG"), {}, 3),
    ("duplicate image id", image(id=2), {"duplicate image id": 1, "unknown image": 2}, 1),
    ("the same file twice", image(file_name="b.png"), {"image listed twice": 1}, 3),
    ("size missing", coco(images=[{"id": 1, "file_name": "a.png"}, BASE["images"][1]]), {}, 3),
    ("size negative", image(width=-4, height=0), {}, 3),
    ("size NaN", image(width=float("nan")), {}, 3),
    ("size huge", image(width=10**12), {}, 3),
    ("size as text", image(width="64", height="48"), {}, 3),
    ("image id as text, too", coco(images=[{**i, "id": str(i["id"])} for i in BASE["images"]]),
     {}, 3),
    ("image id a word", image(id="one"), {"unknown image": 2}, 1),
    ("image id null", image(id=None), {"wrong type": 1, "unknown image": 2}, 1),
    ("category without a name", coco(categories=[{"id": 1}, BASE["categories"][1]]),
     {"bad category": 1, "unknown category": 2}, 1),
    ("category of blanks", coco(categories=[{"id": 1, "name": "  "}, BASE["categories"][1]]),
     {"bad category": 1, "unknown category": 2}, 1),
    ("category name twice",
     coco(categories=[*BASE["categories"], {**BASE["categories"][0], "id": 99}]),
     {"duplicate category name": 1}, 3),
    ("duplicate category id", coco(categories=[*BASE["categories"], {"id": 1, "name": "x"}]),
     {"duplicate category id": 1}, 3),
    ("category a text", coco(categories=["hook", *BASE["categories"]]), {"bad category": 1}, 3),
    ("no categories", {k: v for k, v in BASE.items() if k != "categories"},
     {"no names": 1}, 3),
    ("no annotations", {k: v for k, v in BASE.items() if k != "annotations"}, {}, 0),
    ("a byte order mark", b"\xef\xbb\xbf" + json.dumps(BASE).encode(), {}, 3),
    ("trailing blanks", json.dumps(BASE, indent=3) + "\n\n  ", {}, 3),
]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "expected", "left"), [row[1:] for row in RECORDS], ids=[row[0] for row in RECORDS]
)
def test_a_bad_record_is_reported_and_the_rest_is_taken(
    project: Project, tmp_path: Path, value: Any, expected: dict[str, int], left: int
) -> None:
    put_coco(tmp_path / "set", value)
    report = import_coco(project, tmp_path / "set")
    assert (report.counts(), report.annotations) == (expected, left)
    assert project.summary().annotations == left
    assert all(problem.where and problem.detail for problem in report.problems)
    check(project)


def test_clipping_keeps_what_is_inside(project: Project, tmp_path: Path) -> None:
    put_coco(tmp_path / "set", note(bbox=[-5, 40, 10, 20]))
    report = import_coco(project, tmp_path / "set")
    assert boxes(project)[0][3:] == (0, 40, 5, 8)
    (problem,) = report.problems
    assert (problem.action, problem.where) == (
        "clipped", "_annotations.coco.json: annotation 1 of a.png",
    )  # fmt: skip
    assert "64 × 48" in problem.detail


# Broken files: one error that names the file, and nothing changed

BROKEN: list[tuple[str, Any, str]] = [
    ("empty", b"", "is empty"),
    ("two lists", json.dumps(BASE)[:-1] + ', "annotations": []}', "more than one list of annot"),
    ("only NUL bytes", b"\0" * 100, "is empty"),
    ("cut short", json.dumps(BASE)[:-40], "not valid JSON"),
    ("cut in the middle", json.dumps(BASE)[:90], "at line 1, column"),
    ("binary", png(), "not valid JSON|not UTF-8"),
    ("Latin-1", json.dumps(BASE).replace("hook", "hök").encode("latin-1"), "is not UTF-8 text"),
    ("a list", "[1, 2]", "holds a list"),
    ("null", "null", "holds null"),
    ("a number", "17", "holds a number"),
    ("images an object", coco(images={"1": "a.png"}), "'images' is not a list"),
    ("annotations a text", coco(annotations="none"), "'annotations' is not a list"),
    ("categories null", coco(categories=None), "'categories' is not a list"),
    ("no images", {"annotations": []}, "it has no 'images'"),
    ("nested too deeply", "[" * 200_000, "nested too deeply|not valid JSON"),
    ("nested in a record", json.dumps(note(x=777)).replace("777", "[" * 200_000 + "]" * 200_000),
     "nested too deeply"),
    ("XML", "<annotation/>", "not valid JSON"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "message"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_a_broken_file_changes_nothing(
    project: Project, tmp_path: Path, value: Any, message: str
) -> None:
    # The first split is whole: it must not come in without the second.
    put_coco(tmp_path / "set" / "train")
    put_coco(tmp_path / "set" / "valid", value)
    before, files = state(project), files_below(project.images_dir)
    with pytest.raises(ImportFailed, match=message) as caught:
        import_coco(project, tmp_path / "set")
    assert "valid/_annotations.coco.json" in caught.value.message
    assert caught.value.hint
    assert state(project) == before
    assert files_below(project.images_dir) == files
    import_coco(project, tmp_path / "set" / "train")


# What is kept


def test_crowds_and_segmentations_are_kept(project: Project, tmp_path: Path) -> None:
    polygon = [[1.5, 2, 11, 2, 11, 14]]
    runs = {"counts": [0, 5, 3043], "size": [48, 64]}
    value = note(iscrowd=1, segmentation=runs)
    value["annotations"][1]["segmentation"] = polygon
    value["annotations"][2]["segmentation"] = []
    put_coco(tmp_path / "set", value)
    import_coco(project, tmp_path / "set")
    rows = project.db.execute(
        "SELECT iscrowd, segmentation FROM annotations ORDER BY id"
    ).fetchall()
    assert [(row[0], row[1] and json.loads(row[1])) for row in rows] == [
        (1, runs), (0, polygon), (0, None),
    ]  # fmt: skip


def test_names_are_stripped_and_shared_but_the_raw_one_is_remembered(
    project: Project, tmp_path: Path
) -> None:
    put_coco(tmp_path / "one")
    put_coco(
        tmp_path / "two", coco(categories=[{"id": 1, "name": " hook\n"}, {"id": 2, "name": "Hook"}])
    )
    import_coco(project, tmp_path / "one")
    report = import_coco(project, tmp_path / "two")
    assert report.classes == ["Hook", "hook"]
    assert counts(project) == {"boom": (1, 1), "hook": (4, 4), "Hook": (1, 1)}
    names = [row[0] for row in project.db.execute("SELECT name FROM labels ORDER BY id")]
    assert names == ["hook", "boom", " hook\n", "Hook"]


@pytest.mark.parametrize(
    ("categories", "expected"),
    [
        ([(0, "cells", "none"), (1, "hook", "cells"), (2, "boom", "cells")], ["boom", "hook"]),
        # Without the sign of Roboflow, a class that nothing shows is a class all the same.
        ([(0, "cells", "none"), (1, "hook", "x"), (2, "boom", "x")], ["boom", "cells", "hook"]),
        ([(5, "cells", "none"), (1, "hook", "cells"), (2, "boom", "cells")],
         ["boom", "cells", "hook"]),
        # And one that is used stays: here the root has the name of a class.
        ([(0, "hook", "none"), (1, "hook", "hook"), (2, "boom", "hook")], ["boom", "hook"]),
    ],
)  # fmt: skip
def test_roboflows_category_0_goes_when_nothing_is_labelled_with_it(
    project: Project, tmp_path: Path, categories: Any, expected: list[str]
) -> None:
    keys = ("id", "name", "supercategory")
    value = coco(categories=[dict(zip(keys, item, strict=True)) for item in categories])
    put_coco(tmp_path / "set", value)
    assert import_coco(project, tmp_path / "set").classes == expected
    assert sorted(counts(project)) == expected


def test_images_without_annotations_and_odd_names_come_too(
    project: Project, tmp_path: Path
) -> None:
    names = [
        "ä b.PNG",
        "x'; DROP TABLE images;--.png",
        "[red]x[/].png",
        "sub/dir/c.png",
        "日本.png",
    ]
    for name in names:
        put(tmp_path / "set" / name)
    images = [{"id": n, "file_name": name} for n, name in enumerate(names)]
    put(tmp_path / "set" / "a.json", json.dumps(coco(images=images, annotations=[])))
    report = import_coco(project, tmp_path / "set")
    assert (report.images, report.counts()) == (5, {})
    assert {row[0] for row in project.db.execute("SELECT name FROM v_images")} == set(names)
    check(project)


def test_lists_longer_than_a_part_are_read_whole(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With parts of some bytes, every cut falls somewhere awkward."""
    monkeypatch.setattr("core.data.importers.coco.json_lists._CHUNK", 40)
    value = coco()
    tricky = 'a "}, {" b'
    value["annotations"] = [
        {
            **value["annotations"][n % 3],
            "id": n,
            "note": tricky,
            "deep": [{"x": 1}, {"y": [{}, {}]}],
        }
        for n in range(50)
    ]
    value["annotations"][20]["bbox"] = "wrong"
    put_coco(tmp_path / "set", value)
    report = import_coco(project, tmp_path / "set")
    assert report.annotations == 49
    # Three records over and over, on two images.
    assert report.counts() == {"wrong type": 1, "same object twice": 2}
    assert report.problems[0].where.endswith("annotation 20")


@pytest.mark.parametrize("text", ["[]", "[ ]", "[\n]", "[1]", "[{}]", "[{} , {}]", "[[],[]]"])
def test_parts_of_small_lists(text: str) -> None:
    import msgspec

    parts = list(Parts(memoryview(text.encode()), msgspec.json.Decoder(list[dict])))
    assert [item for part in parts for item in part] == json.loads(text)


# Files


@pytest.mark.parametrize("files", ["link", "copy", "move", "reference"])
def test_ways_to_take_the_files(project: Project, tmp_path: Path, files: Any) -> None:
    source = put_coco(tmp_path / "set")
    import_coco(project, source, files=files)
    check(project)
    paths = [row[0] for row in project.db.execute("SELECT path FROM v_images ORDER BY id")]
    stored = project.image_file(paths[0])
    assert stored.read_bytes().startswith(png())
    original = source / "a.png"
    assert original.exists() == (files != "move")
    if files == "reference":
        assert paths == [str(source / "a.png"), str(source / "b.png")]
        assert list(project.images_dir.iterdir()) == []
    else:
        assert paths == ["1/a.png", "1/b.png"]
        assert sorted(entry.name for entry in project.images_dir.iterdir()) == ["1"]
    if files in ("link", "copy"):
        assert original.samefile(stored) == (files == "link")


def test_an_unknown_way_to_take_files_is_refused(project: Project, tmp_path: Path) -> None:
    with pytest.raises(ImportFailed, match="no way 'steal'"):
        import_coco(project, put_coco(tmp_path / "set"), files="steal")  # type: ignore[arg-type]


def test_links_across_file_systems_become_copies(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    import_coco(project, put_coco(tmp_path / "set"), files="move")
    check(project)
    assert not (tmp_path / "set" / "a.png").exists()


def test_symbolic_links_to_pictures_are_followed_and_to_others_not(
    project: Project, tmp_path: Path
) -> None:
    source = put_coco(tmp_path / "set")
    real = put(tmp_path / "elsewhere" / "real.png")
    secret = put(tmp_path / "elsewhere" / "secret", "password")
    (source / "a.png").unlink()
    (source / "a.png").symlink_to(real)
    (source / "b.png").unlink()
    (source / "b.png").symlink_to(secret)
    report = import_coco(project, source, files="move")
    assert report.counts() == {"unreadable image": 1, "image left out": 1}
    stored = project.image_file(project.db.execute("SELECT path FROM v_images").fetchone()[0])
    assert not stored.is_symlink()
    assert stored.read_bytes().startswith(png())
    assert real.exists(), "a move takes the link and leaves what it points to"
    assert not (source / "a.png").is_symlink()
    assert secret.read_bytes() not in files_below(project.images_dir).values()


def test_a_pipe_called_like_an_image_is_not_opened(project: Project, tmp_path: Path) -> None:
    source = put_coco(tmp_path / "set", image(width=0))
    (source / "a.png").unlink()
    os.mkfifo(source / "a.png")
    assert import_coco(project, source).counts()["missing image"] == 1


def test_a_file_that_goes_while_importing_is_reported(project: Project, tmp_path: Path) -> None:
    source = put_coco(tmp_path / "set")

    def remove(at: Progress) -> None:
        if at.stage == "images":
            (source / "a.png").unlink(missing_ok=True)

    report = import_coco(project, source, progress=remove)
    assert (report.images, report.annotations) == (1, 1)
    assert report.counts() == {"unreadable image": 1}
    check(project)


def test_a_full_disk_leaves_nothing(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    before = state(project)
    with pytest.raises(ImportFailed, match="No space left"):
        import_coco(project, put_coco(tmp_path / "set"))
    assert state(project) == before
    assert list(project.images_dir.iterdir()) == []


@pytest.mark.parametrize("stage", ["reading", "images", "annotations"])
def test_stopping_leaves_the_project_as_it_was(
    project: Project, tmp_path: Path, stage: str
) -> None:
    source = put_coco(tmp_path / "set")
    at: list[str] = []
    before = state(project)
    with pytest.raises(Cancelled):
        import_coco(
            project,
            source,
            files="move",
            progress=lambda p: at.append(p.stage),
            cancelled=lambda: stage in at,
        )
    assert state(project) == before
    assert list(project.images_dir.iterdir()) == []
    assert (source / "a.png").exists()


# Undo, redo, removal, leftovers


def test_an_import_is_one_step_back_and_forth(project: Project, tmp_path: Path) -> None:
    import_coco(project, put_coco(tmp_path / "set"))
    after = (boxes(project), counts(project))
    entry = project.undo()
    assert entry is not None
    assert entry.kind == "import"
    assert (boxes(project), counts(project), list_imports(project)) == ([], {}, [])
    project.redo()
    assert (boxes(project), counts(project)) == after
    check(project)


def test_an_import_is_removed_as_a_whole_and_comes_back_by_undo(
    project: Project, tmp_path: Path
) -> None:
    import_coco(project, put_coco(tmp_path / "one"))
    import_coco(project, put_coco(tmp_path / "two", coco(categories=[
        {"id": 1, "name": "hook"}, {"id": 2, "name": "sling"},
    ])))  # fmt: skip
    before, classes_before = boxes(project), counts(project)
    entry = remove_import(project, 2)
    assert entry.kind == "import.remove"
    assert entry.summary.startswith("Removed the import of")
    assert counts(project) == {"boom": (1, 1), "hook": (2, 2)}
    assert [row.id for row in list_imports(project)] == [1]
    project.undo()
    assert (boxes(project), counts(project)) == (before, classes_before)
    with pytest.raises(ProjectError, match="no import 7") as caught:
        remove_import(project, 7)
    assert "2, 1" in caught.value.hint
    check(project)


def test_what_a_crash_left_goes_and_what_is_unknown_is_kept(
    project: Project, tmp_path: Path
) -> None:
    put(project.images_dir / "1" / "half.png")
    put(project.images_dir / "1.importing", "")
    put(project.images_dir / "2" / "whose.png")
    source = put_coco(tmp_path / "set")
    import_coco(project, source)
    assert sorted(entry.name for entry in project.images_dir.iterdir()) == ["1", "2"]
    assert not (project.images_dir / "1" / "half.png").exists()
    # The number 2 comes up: the folder of that name has no mark, so it is moved aside.
    import_coco(project, source)
    assert sorted(entry.name for entry in project.images_dir.iterdir()) == [
        "1", "2", "2.unknown-1",
    ]  # fmt: skip
    check(project)


def test_any_change_removes_what_a_killed_import_left(project: Project, tmp_path: Path) -> None:
    """Gigabytes of half an import must not wait for the next import."""
    import_coco(project, put_coco(tmp_path / "set"))
    dead = f".incoming.batman-{socket.gethostname()}-999999999-1-0123abcd.tmp"
    put(project.images_dir / dead / "data" / "unpacked.png")
    put(project.images_dir / "2" / "half.png")
    put(project.images_dir / "2.importing", "")
    put(project.images_dir / "1.importing", "")  # it was killed after its commit
    classes.rename(project, "hook", "crane")
    assert sorted(entry.name for entry in project.images_dir.iterdir()) == ["1"]
    check(project)


def test_many_problems_are_counted_and_a_thousand_listed(project: Project, tmp_path: Path) -> None:
    bad = [{"id": n, "image_id": 1, "category_id": 1, "bbox": [0, 0, 0, 0]} for n in range(1500)]
    put_coco(tmp_path / "set", coco(annotations=bad))
    report = import_coco(project, tmp_path / "set")
    assert report.counts() == {"zero-size box": 1500}
    assert len(report.problems) == 1000


@pytest.mark.parametrize("spread", [1, 10**9])
def test_large_imports_rebuild_the_indexes(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spread: int
) -> None:
    monkeypatch.setattr("core.data.importers.commit._REBUILD", 50)
    images = [{**item, "id": item["id"] * spread} for item in coco()["images"]]
    many = [
        {"id": 500 - n, "image_id": (1 + n % 2) * spread, "category_id": 1 + n % 2,
         "bbox": [n % 53, n % 40, 5, 5]}
        for n in range(333)
    ]  # fmt: skip
    indexes = project.db.execute("SELECT sql FROM sqlite_master WHERE type = 'index'").fetchall()
    put_coco(tmp_path / "set", coco(images=images, annotations=many))
    report = import_coco(project, tmp_path / "set")
    assert (report.annotations, report.counts()) == (333, {})
    assert counts(project) == {"hook": (167, 1), "boom": (166, 1)}
    now = project.db.execute("SELECT sql FROM sqlite_master WHERE type = 'index'").fetchall()
    assert sorted(map(str, map(tuple, now))) == sorted(map(str, map(tuple, indexes)))
    check(project)
