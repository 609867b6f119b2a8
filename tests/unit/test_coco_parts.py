"""A long list of annotations is read in parts: what comes of it is the same as in one piece."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.common.errors import Cancelled, ImportFailed
from core.common.progress import Progress
from core.data.importers import import_coco
from core.data.importers.coco import json_lists
from core.data.importers.coco.json_lists import Parts
from core.data.store import Project

IMAGES = 12


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "p") as project:
        yield project


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have every list read in small parts; the numbers of records in each."""
    monkeypatch.setattr(json_lists, "_CHUNK", 400)
    sizes: list[int] = []
    real = Parts.__iter__

    def counted(self: Parts[Any]) -> Iterator[list[Any]]:
        for part in real(self):
            sizes.append(len(part))
            yield part

    monkeypatch.setattr(Parts, "__iter__", counted)
    return sizes


def records(count: int = 400, *, strange: bool = False) -> list[dict[str, Any]]:
    """Return annotations of every kind, ordinary ones and odd ones, early and late.

    `strange` ones have ids in later parts that fit into no column.
    """
    chance = random.Random(5)
    made: list[dict[str, Any]] = []
    for number in range(1, count + 1):
        x, y = chance.randrange(40), chance.randrange(30)
        made.append({
            "id": number, "image_id": chance.randrange(IMAGES), "category_id": chance.randrange(3),
            "bbox": [x, y, 1 + chance.random() * 20, 1 + chance.random() * 15], "iscrowd": 0,
        })  # fmt: skip
    odd: tuple[dict[str, Any], ...] = (
        {"bbox": [60, 40, 30, 30]}, {"bbox": [5, 5, 0, 0]}, {"image_id": 99}, {"category_id": 9},
        {"id": 7}, {"iscrowd": 1}, {"segmentation": [[1, 1, 9, 1, 9, 9]]}, {"id": None},
        {"segmentation": {"size": [48, 64], "counts": "ab"}, "iscrowd": 1}, {"id": 2**70},
        {"bbox": None, "segmentation": [[2, 2, 20, 2, 20, 12]]}, {"bbox": None},
    )  # fmt: skip
    for number, change in enumerate(odd):
        for first in (20, count - 150):
            if strange or first == 20 or change.get("id", 7) == 7:
                made[first + 9 * number] |= change
    return made


def write(folder: Path, annotations: Any) -> Path:
    """Write a data set and return its JSON file."""
    folder.mkdir()
    for number in range(IMAGES):
        Image.new("RGB", (64, 48)).save(folder / f"{number}.png")
    images = [{"id": n, "file_name": f"{n}.png", "width": 64, "height": 48} for n in range(IMAGES)]
    categories = [{"id": n, "name": f"class {n}"} for n in range(3)]
    file = folder / "set.json"
    body = {"images": images, "annotations": annotations, "categories": categories}
    file.write_text(json.dumps(body))
    return file


def taken(project: Project, source: Path) -> tuple[list[tuple[Any, ...]], list[Any], int]:
    """Import and return the rows, the problems and how many annotations the report counts."""
    report = import_coco(project, source)
    rows = project.db.execute(
        "SELECT images.name, labels.name, x, y, w, h, iscrowd, segmentation FROM annotations"
        " JOIN images ON images.id = image_id JOIN labels ON labels.id = label_id"
        " ORDER BY annotations.id"
    )
    return [tuple(row) for row in rows], report.problems, report.annotations


@pytest.mark.parametrize("strange", [False, True])
def test_the_same_comes_in(
    project: Project,
    tmp_path: Path,
    parts: list[int],
    monkeypatch: pytest.MonkeyPatch,
    strange: bool,
) -> None:
    file = write(tmp_path / "set", records(strange=strange))
    cut = taken(project, file)
    assert len(parts) > 50
    monkeypatch.setattr(json_lists, "_CHUNK", 10_000_000)
    parts.clear()
    with Project.create(tmp_path / "whole") as whole:
        assert taken(whole, file) == cut
    assert parts == [IMAGES, 400]
    assert cut[2] > 350
    assert len({problem.kind for problem in cut[1]}) >= 6


def test_a_byte_order_mark_moves_nothing(
    project: Project, tmp_path: Path, parts: list[int]
) -> None:
    file = write(tmp_path / "set", records())
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert taken(project, file)[2] > 350
    assert len(parts) > 50


def test_a_cut_inside_a_text_is_no_cut(project: Project, tmp_path: Path, parts: list[int]) -> None:
    annotations = records()[200:260]
    # A text that looks like the border of two records, many times over.
    annotations[30]["note"] = "}, {" * 20_000
    assert len(taken(project, write(tmp_path / "set", annotations))[0]) > 40
    assert sum(parts) == IMAGES + 60


@pytest.mark.parametrize("value", ["nan", "text"])
def test_what_types_cannot_hold_is_taken_or_named(
    project: Project, tmp_path: Path, parts: list[int], value: str
) -> None:
    annotations = records()
    annotations[390]["bbox"][0] = float("nan") if value == "nan" else "12.5"
    rows, problems, _ = taken(project, write(tmp_path / "set", annotations))
    assert len(rows) > 350
    assert any("391" in problem.where for problem in problems) == (value == "nan")


def test_a_break_in_a_late_part_is_named(
    project: Project, tmp_path: Path, parts: list[int]
) -> None:
    file = write(tmp_path / "set", records())
    text = file.read_text()
    place = text.index('"id": 380,')
    file.write_text(f"{text[:place]}!{text[place:]}")
    with pytest.raises(ImportFailed, match=r"set\.json") as caught:
        import_coco(project, file)
    assert f"column {place + 1}" in caught.value.message
    assert project.summary().images == 0


def test_stopping_in_the_middle_leaves_nothing(
    project: Project, tmp_path: Path, parts: list[int]
) -> None:
    ticks: list[Progress] = []

    def stop() -> bool:
        return sum(tick.stage == "reading" for tick in ticks) > 20

    with pytest.raises(Cancelled):
        import_coco(
            project, write(tmp_path / "set", records()), progress=ticks.append, cancelled=stop
        )
    assert 10 < len(parts) < 40
    assert project.summary().images == 0
