"""Pages of crops: how many fit, their letters, and what of them is taken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from label_data import HOOK, PERSON, make_labels

from batman_tui.crops.letters import LETTERS, Page
from batman_tui.crops.sheet import Crops
from batman_tui.widgets.picture.tiled_canvas import MOST, grid
from core.data.images import thumbnails
from core.data.images.picture_files import open_picture
from core.data.labels.bulk import decide
from core.data.labels.open_suggestions import (
    count_open,
    open_classes,
    open_of_class,
    sample_of_class,
)
from core.data.labels.prompts import Prompts, set_prompts
from core.data.store import Project


@pytest.mark.parametrize(
    ("room", "count"),
    [((90, 36), 24), ((118, 34), 24), ((198, 50), 24), ((78, 17), 12), ((40, 8), 3), ((3, 2), 1)],
    ids=str,
)
def test_as_many_as_fit_and_no_more_than_there_are_letters(room, count) -> None:
    layout = grid(*room)
    assert layout.count == count
    assert layout.columns * layout.wide <= max(room[0], 1)
    assert layout.lines * layout.high <= max(room[1], 1)


def test_larger_crops_are_fewer_until_there_is_one() -> None:
    counts = [grid(118, 34, larger).count for larger in range(30)]
    sides = [min(g.wide, 2 * g.high) for g in (grid(118, 34, larger) for larger in range(30))]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 1
    assert sides == sorted(sides)


def test_every_cell_of_a_crop_is_that_crop() -> None:
    layout = grid(118, 34)
    for number in range(layout.count):
        column, line = layout.corner(number)
        for x, y in ((0, 0), (layout.wide - 1, layout.high - 1)):
            assert layout.at(column + x, line + y, layout.count) == number
    assert layout.at(0, 0, 0) is None
    assert layout.at(layout.wide * layout.columns, 0, 24) is None


def test_each_picture_of_a_page_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def opened(file: Path) -> object:
        read.append(file.name)
        return open_picture(file)

    monkeypatch.setattr(thumbnails, "open_picture", opened)
    path = make_labels(tmp_path / "site", images=3, files=True)
    (path / "images/1/frame_003.png").unlink()
    with Project.open(path) as project:
        page = open_of_class(project, HOOK, 0.0, 24)
    crops, room = Crops(), (12, 9)
    assert len(page) == 6
    found = crops.read(page, room)
    assert sorted(read) == ["frame_001.png", "frame_002.png", "frame_003.png"]
    # Four of them are of the first picture; what a single one looks like they do too.
    for each in page:
        image = found[each.id]
        if each.image_name == "frame_003.png":
            assert image is None
            continue
        assert image is not None
        # Without the box, which is drawn over it as a line.
        plain = replace(each.crop, outline=None)
        alone = thumbnails.crop(plain, room, thumbnails.OUTLINED_MARGIN)
        assert image.tobytes() == alone.tobytes()
    read.clear()
    assert crops.read(page, room) == found
    assert read == []
    assert crops.read(page, (24, 18), lambda: True) == {}


def test_letters_strike_out_and_u_is_left_for_taking_back() -> None:
    assert len(LETTERS) == MOST == 24
    assert "u" not in LETTERS
    page = Page(range(101, 125))
    assert page.press("a") == 0
    assert page.press("y") == 23
    assert page.rejected == [101, 124]
    assert len(page.accepted) == 22
    assert page.press("a") == 0
    assert page.rejected == [124]
    assert page.press("u") is None
    assert page.press("1") is None
    assert page.press("enter") is None
    page.strike_all()
    assert page.accepted == []
    page.strike_all()
    assert page.rejected == []
    assert Page([5]).press("b") is None


@pytest.fixture
def project(tmp_path: Path):
    with Project.open(make_labels(tmp_path / "site", images=5)) as opened:
        yield opened


def test_classes_come_with_what_is_open_and_in_sight(project: Project) -> None:
    said = [(each.name, each.open, each.shown, each.least) for each in open_classes(project)]
    assert said == [("hook", 8, 7, 0.5), ("person", 4, 4, 0.5)]
    set_prompts(project, HOOK, Prompts(least=0.85))
    first, second = open_classes(project)
    assert (first.name, second.name, second.shown, second.least) == ("person", "hook", 1, 0.85)
    first, _ = open_classes(project, {HOOK: 0.1})
    assert (first.name, first.shown) == ("hook", 8)


def test_a_page_is_sorted_by_score_and_goes_on_where_it_ended(project: Project) -> None:
    page = open_of_class(project, HOOK, 0.5, 3)
    assert [each.score for each in page] == [0.9, 0.8, 0.8]
    assert page[0].crop.size == (160, 120)
    assert page[0].crop.file.name == "frame_001.png"
    least = open_of_class(project, HOOK, 0.0, 2, lowest_first=True)
    assert [each.score for each in least] == [0.2, 0.55]
    rest = open_of_class(project, HOOK, 0.5, 9, skip=3)
    assert len(rest) == 4
    assert not {each.id for each in rest} & {each.id for each in page}
    # What is decided makes room for what comes next.
    decide(project, [each.id for each in page[1:]], [page[0].id])
    assert [each.id for each in open_of_class(project, HOOK, 0.5, 9)] == [e.id for e in rest]
    assert count_open(project, HOOK, 0.5) == 4


def test_a_sample_is_by_chance_and_the_same_again(project: Project) -> None:
    ids = [each.id for each in sample_of_class(project, HOOK, 0.5, 4, seed=1)]
    assert len(set(ids)) == 4
    assert ids == [each.id for each in sample_of_class(project, HOOK, 0.5, 4, seed=1)]
    assert ids != [each.id for each in sample_of_class(project, HOOK, 0.5, 4, seed=2)]
    assert len(sample_of_class(project, PERSON, 0.5, 24)) == 4
