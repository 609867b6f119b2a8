"""Pictures of labelling in the terminal, at 80×24 and 120×40."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from harness import FrozenApp
from test_picture_snapshots import Compare, scene

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from label_data import make_labels


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return make_labels(tmp_path / "gotham/data/projects/site", images=30, files=True)


def compare(snap: Compare, path: Path, size: tuple[int, int], room: str, *keys: str) -> bool:
    app = FrozenApp(path.parent.parent.parent)
    return snap(app, terminal_size=size, run_before=scene(path, room, *keys))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=str)
def test_a_picture_with_the_ruler_of_an_edge(snap_compare, labels, size) -> None:
    assert compare(snap_compare, labels, size, "label", "tab", "e", "l")


def test_a_picture_with_the_grid_of_corners(snap_compare, labels) -> None:
    assert compare(snap_compare, labels, (80, 24), "label", "n")


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=str)
def test_a_page_of_crops(snap_compare, labels, size) -> None:
    assert compare(snap_compare, labels, size, "crops", "b", "d")


def test_the_question_before_a_class_is_accepted(snap_compare, labels) -> None:
    assert compare(snap_compare, labels, (80, 24), "crops", "A")


def test_auto_labelling(snap_compare, labels) -> None:
    assert compare(snap_compare, labels, (80, 24), "label", "m")
