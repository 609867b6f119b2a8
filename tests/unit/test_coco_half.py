"""A long list of annotations is read by two processes: what comes of it is the same."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.common.errors import Cancelled, ImportFailed
from core.data.importers import import_coco
from core.data.importers.coco import json_lists, second_process
from core.data.importers.coco.second_process import Half
from core.data.store import Project

IMAGES = 12


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "p") as project:
        yield project


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Has every list read in halves, in small parts; how many parts each second half had."""
    monkeypatch.setattr(second_process, "LEAST_BYTES", 1)
    monkeypatch.setattr(second_process, "_processors", lambda: 2)
    monkeypatch.setattr(json_lists, "_CHUNK", 400)
    counts: list[int] = []
    real = Half.parts

    def parts(self: Half, wait: Any) -> Any:
        found = real(self, wait)
        counts.append(len(found))
        return found

    monkeypatch.setattr(Half, "parts", parts)
    return counts


def records(count: int = 400, *, strange: bool = False) -> list[dict[str, Any]]:
    """Return annotations of every kind, ordinary ones and odd ones, in both halves.

    `strange` ones have ids in the second half that fit into no column.
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
        for half in (20, count - 150):
            if strange or half == 20 or change.get("id", 7) == 7:
                made[half + 9 * number] |= change
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
    used: list[int],
    monkeypatch: pytest.MonkeyPatch,
    strange: bool,
) -> None:
    file = write(tmp_path / "set", records(strange=strange))
    both = taken(project, file)
    assert used == [1], "the second half came from the other process"
    monkeypatch.setattr(second_process, "_processors", lambda: 1)
    with Project.create(tmp_path / "alone") as alone:
        assert taken(alone, file) == both
    assert used == [1]
    assert both[2] > 350
    assert len({problem.kind for problem in both[1]}) >= 6


def test_a_byte_order_mark_moves_nothing(project: Project, tmp_path: Path, used: list[int]) -> None:
    file = write(tmp_path / "set", records())
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert taken(project, file)[2] > 350
    assert used == [1]


def test_a_cut_inside_a_text_is_no_cut(project: Project, tmp_path: Path, used: list[int]) -> None:
    annotations = records()[200:260]
    # The middle of the list is a text that looks like the border of two records.
    annotations[30]["note"] = "}, {" * 20_000
    assert len(taken(project, write(tmp_path / "set", annotations))[0]) > 40
    assert used == [], "the other process is not asked where the cut was none"


@pytest.mark.parametrize("value", ["nan", "text"])
def test_what_types_cannot_hold_is_read_here(
    project: Project, tmp_path: Path, used: list[int], value: str
) -> None:
    annotations = records()
    annotations[390]["bbox"][0] = float("nan") if value == "nan" else "12.5"
    rows, problems, _ = taken(project, write(tmp_path / "set", annotations))
    assert used == [0], "the other process gave up"
    assert len(rows) > 350
    assert any("391" in problem.where for problem in problems) == (value == "nan")


def test_a_break_in_the_second_half_is_named(
    project: Project, tmp_path: Path, used: list[int]
) -> None:
    file = write(tmp_path / "set", records())
    text = file.read_text()
    place = text.index('"id": 380,')
    file.write_text(f"{text[:place]}!{text[place:]}")
    with pytest.raises(ImportFailed, match=r"set\.json") as caught:
        import_coco(project, file)
    assert f"column {place + 1}" in caught.value.message
    assert project.summary().images == 0


def test_another_process_that_cannot_be_started_is_no_loss(
    project: Project, tmp_path: Path, used: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "no python here"))
    assert taken(project, write(tmp_path / "set", records()))[2] > 350
    assert used == [0]


def test_a_file_that_was_changed_meanwhile_is_not_mixed(
    project: Project, tmp_path: Path, used: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "set", records())
    real = second_process._identity
    monkeypatch.setattr(second_process, "_identity", lambda stat: (*real(stat)[:3], 12345))
    assert taken(project, file)[2] > 350
    assert used == [0]


def test_stopping_ends_the_other_process(
    project: Project, tmp_path: Path, used: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    halves: list[Half] = []
    real = Half._start

    def start(self: Half, *place: Any) -> None:
        real(self, *place)
        halves.append(self)

    monkeypatch.setattr(Half, "_start", start)
    with pytest.raises(Cancelled):
        import_coco(project, write(tmp_path / "set", records()), cancelled=lambda: len(halves) > 0)
    child = halves[0]._child
    assert child is not None
    assert child.poll() is not None
    assert project.summary().images == 0
