"""Each row of *What the formats really hold* names the tests that hold it; those that are new."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path

import pytest
from import_data import png, put
from PIL import Image
from table_samples import put_crowdhuman, put_dota
from tool_data import labelme, shape

from core.data.importers.formats.tables.crowdhuman import read_crowdhuman
from core.data.importers.formats.tables.dota import read_dota
from core.data.importers.formats.tools.cvat import read_cvat
from core.data.importers.formats.voc import read_voc
from core.data.importers.formats.yolo import read_yolo
from core.data.importers.import_named import import_named
from core.data.importers.report import Watch
from core.data.store import Project

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "importing" / "what-formats-hold.md"


@cache
def named_tests(file: str) -> frozenset[str]:
    """Return the names of the tests in a file beside this one, none when there is no such file."""
    path = HERE / file
    if not path.is_file():
        return frozenset()
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return frozenset(
        node.name
        for node in body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    )


def rows_of(text: str) -> list[list[str]]:
    """Return the cells of the tables' rows, without the heads and the lines below them."""
    lines = text.splitlines()
    tables = [(n, line) for n, line in enumerate(lines) if line.startswith("|")]
    return [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for n, line in tables
        if not line.startswith("|---") and lines[n + 1 : n + 2] != ["|---|---|---|---|"]
    ]


def faults(text: str) -> list[str]:
    """Return what is wrong with the rows of a page."""
    found = []
    for cells in rows_of(text):
        row = cells[0]
        if len(cells) != 4 or not all(re.sub(r"<!--.*?-->", "", cell).strip() for cell in cells):
            found.append(f"{row}: an empty cell, or not four of them")
        comment = re.search(r"<!--(.*?)-->$", cells[-1])
        named = comment[1].split() if comment else []
        if not named:
            found.append(f"{row}: no test")
        for name in named:
            file, _, test = name.partition("::")
            if test not in named_tests(file):
                found.append(f"{row}: there is no {name}")
    return found


def test_each_row_names_tests_that_exist() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert len(rows_of(text)) == text.count("\n| ") - text.count("\n|---")
    assert len(rows_of(text)) > 40
    assert faults(text) == []


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("| a | b | c | d |", ["a: no test"]),
        ("| a | b | c | d <!-- --> |", ["a: no test"]),
        ("| a | b | c | d <!-- test_none.py::test_it --> |",
         ["a: there is no test_none.py::test_it"]),
        ("| a | b | c | d <!-- test_cvat.py::test_of_nothing --> |",
         ["a: there is no test_cvat.py::test_of_nothing"]),
        ("| a | b | c | d <!-- test_cvat.py::video --> |", ["a: there is no test_cvat.py::video"]),
        ("| a | b | | d <!-- test_table_formats.py::test_mot --> |",
         ["a: an empty cell, or not four of them"]),
        ("| a | b | c | d <!-- test_table_formats.py::test_mot --> |", []),
    ],
)  # fmt: skip
def test_a_row_without_its_test_is_found(row: str, said: list[str]) -> None:
    assert faults(f"| what | is | in | it |\n|---|---|---|---|\n{row}\n") == said


def test_labelimgs_corners_are_taken_for_the_challenges(tmp_path: Path) -> None:
    # Drawn from 0, 4.6 to 20.2, 30.9: cut, and the 0 raised.
    put(tmp_path / "a.png", png(64, 48))
    put(
        tmp_path / "a.xml",
        "<annotation><filename>a.png</filename><source><database>Unknown</database></source>"
        "<object><name>car</name><bndbox><xmin>1</xmin><ymin>4</ymin><xmax>20</xmax>"
        "<ymax>30</ymax></bndbox></object></annotation>",
    )
    assert read_voc(tmp_path, Watch()).columns()[2].tolist() == [[0, 3, 20, 27]]


def test_dotas_last_value_may_be_missing(tmp_path: Path) -> None:
    folder = put_dota(tmp_path)
    put(folder / "train" / "labelTxt" / "a.txt", "4 6 24 6 24 18 4 18 ship\n")
    data = read_dota(folder, Watch())
    assert data.columns()[2].tolist() == [[4, 6, 20, 12]]
    assert data.problems.counts == {"turned boxes": 1}
    assert not data.extra, "not a difficult one"


def test_crowdhumans_bodies_are_clipped(tmp_path: Path) -> None:
    folder = put_crowdhuman(tmp_path)
    line = {"ID": "273,a", "gtboxes": [{"fbox": [-10, 6, 30, 60], "tag": "person"}]}
    put(folder / "annotation_train.odgt", json.dumps(line) + "\n")
    data = read_crowdhuman(folder, Watch())
    assert data.columns()[2].tolist() == [[0, 6, 20, 42]]
    assert data.problems.counts["box past the edge"] == 1


def test_cvats_default_is_no_split(tmp_path: Path) -> None:
    for subset in ("Train", "default"):
        put(tmp_path / "images" / subset / "a.png", png(80, 60))
    images = "".join(
        f'<image id="{n}" name="a.png" subset="{subset}" width="80" height="60">'
        '<box label="car" xtl="1" ytl="1" xbr="9" ybr="9"/></image>'
        for n, subset in enumerate(("Train", "default"))
    )
    put(tmp_path / "annotations.xml", f"<annotations><version>1.1</version>{images}</annotations>")
    data = read_cvat(tmp_path, Watch())
    assert [picture.split for picture in data.images] == ["train", None]
    assert data.balance.splits == {"Train": "train", "default": None}


def test_an_empty_label_file_and_none_mean_the_same(tmp_path: Path) -> None:
    for name in "abc":
        put(tmp_path / "images" / f"{name}.png")
    put(tmp_path / "labels" / "a.txt", "0 .5 .5 .25 .5\n")
    put(tmp_path / "labels" / "b.txt", "")
    put(tmp_path / "data.yaml", "train: images\nnames: [car]\n")
    data = read_yolo(tmp_path, Watch())
    assert (len(data.images), len(data)) == (3, 1)
    assert data.problems.counts == {}


def test_a_tracks_number_is_no_part_of_a_box(tmp_path: Path) -> None:
    put(tmp_path / "images" / "a.png")
    put(tmp_path / "labels" / "a.txt", "0 .5 .5 .25 .5 7\n0 .5 .5 .25 .5\n")
    put(tmp_path / "data.yaml", "train: images\nnames: [car]\n")
    data = read_yolo(tmp_path, Watch())
    assert data.columns()[2].tolist() == [[24, 12, 16, 24]] * 2
    assert data.problems.counts == {"more than a box": 1}
    assert not data.segmentation


def test_pillow_turns_a_tiff_itself_and_leaves_the_tag_until_then(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(tmp_path / "a.tif", exif=exif)
    with Image.open(tmp_path / "a.tif") as image:
        assert (image.size, image.getexif().get(0x0112)) == ((20, 40), 6)
        image.load()
        assert (image.size, image.getexif().get(0x0112, 1)) == ((20, 40), 1)


def test_labelmes_boxes_are_of_the_turned_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    folder = tmp_path / "set"
    folder.mkdir()
    Image.new("RGB", (40, 20)).save(folder / "a.jpg", exif=exif)
    box = labelme(
        shape("rectangle", (2, 25), (18, 38)), imagePath="a.jpg", imageWidth=20, imageHeight=40
    )
    put(folder / "a.json", json.dumps(box))
    with Project.create(tmp_path / "project") as project:
        report = import_named(project, folder, "labelme")
        size = project.db.execute("SELECT width, height FROM v_images").fetchone()
        row = project.db.execute("SELECT x, y, w, h FROM annotations").fetchone()
    assert (tuple(size), tuple(row), report.counts()) == ((20, 40), (2, 25, 16, 13), {})
