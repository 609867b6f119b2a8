"""Labelling picture by picture in the terminal, and what the project holds after each key."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from harness import FrozenApp, screen_text, settled, until, words_on
from PIL import Image
from textual.pilot import Pilot

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from label_data import HOOK, PERSON, make_labels

from batman_tui.label import ruler
from batman_tui.label.screen import LabelScreen
from core.data.labels.edit import edit
from core.data.labels.ops import Known, Set
from core.data.labels.view import PictureLabels, picture_labels, progress
from core.data.store import Project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_labels(tmp_path / "gotham/data/projects/site", files=True)


@pytest.fixture
def app(project: Path) -> FrozenApp:
    return FrozenApp(project.parent.parent.parent)


def held(path: Path, image: int) -> PictureLabels:
    """What the project holds of a picture, read past the app."""
    with Project.open(path) as project:
        return picture_labels(project, image)


async def label(pilot: Pilot[int], path: Path, image: int | None = None) -> LabelScreen:
    app = pilot.app
    assert isinstance(app, FrozenApp)
    app.open_label(path, image_id=image)
    await settled(pilot)
    screen = app.screen
    assert isinstance(screen, LabelScreen)
    await ready(pilot, screen)
    return screen


async def ready(pilot: Pilot[int], screen: LabelScreen) -> None:
    """Wait until edits are saved and the picture is shown."""
    editor = screen.editor
    await until(pilot, lambda: editor.settled and (editor.canvas.shown or not editor.session))
    await settled(pilot)


async def press(pilot: Pilot[int], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
    if isinstance(pilot.app.screen, LabelScreen):
        await ready(pilot, pilot.app.screen)
    else:
        await settled(pilot)


def chosen(screen: LabelScreen):
    assert screen.editor.session is not None
    return screen.editor.session.thing


async def test_enter_accepts_what_is_shown_and_goes_on(app, project: Path, opened) -> None:
    async with opened(app, (120, 40)) as pilot:
        screen = await label(pilot, project)
        # The most suggestions first.
        assert "frame_001.png" in screen_text(app)
        assert "reviewed 0 of 3, 8 suggestions open" in words_on(app)
        await press(pilot, "enter")
        assert "frame_002.png" in screen_text(app)
        first = held(project, 1)
        assert first.review == "done"
        assert [box.source for box in first.boxes].count("model") == 3
        assert [each.score for each in first.suggestions] == [0.2]
        await press(pilot, "enter", "enter")
        with Project.open(project) as opened_project:
            assert progress(opened_project).done == 3
        assert screen.editor.session is not None
        assert "reviewed 3 of 3, 1 suggestion open" in words_on(app)


async def test_one_by_one_with_the_loupe(app, project: Path, opened) -> None:
    async with opened(app, (120, 40)) as pilot:
        screen = await label(pilot, project)
        whole = screen.editor.canvas.window
        # A key that cannot work yet says why, and does not reach the app: 9 is a class here.
        for key, why in (
            ("d", "Choose a box first: Tab, or a click."),
            ("a", "Choose a suggestion first: Tab, or a click."),
            ("z", "Choose a box first: Tab, or a click."),
            ("9", "The project has no class 9."),
        ):
            app.clear_notifications()
            await press(pilot, key)
            await until(pilot, lambda why=why: why in [each.message for each in app._notifications])
        assert app.screen is screen
        await press(pilot, "tab")
        assert chosen(screen).score == 0.55
        assert "suggestion 1 of 3: hook 0.55" in words_on(app)
        assert screen.editor.canvas.window.w < whole.w
        await press(pilot, "r", "a")
        assert chosen(screen).score == 0.9
        now = held(project, 1)
        assert sorted(each.score for each in now.suggestions) == [0.2, 0.9]
        assert len(now.boxes) == 2
        # Escape first lets go of the box, then of the screen.
        await press(pilot, "escape")
        assert app.screen is screen
        assert chosen(screen) is None
        assert screen.editor.canvas.window == whole
        await press(pilot, "escape")
        assert app.screen is not screen


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=str)
async def test_an_edge_is_put_right_in_four_keys(app, project: Path, opened, size) -> None:
    async with opened(app, size) as pilot:
        screen = await label(pilot, project)
        await press(pilot, "tab")
        canvas, key = screen.editor.canvas, chosen(screen).key
        for edge, want in (("l", 66.0), ("k", 36.0), ("h", 37.5), ("j", 73.0)):
            window = canvas.window
            axis = 0 if edge in ruler.ACROSS else 1
            share = window.share_of((want, want))[axis]
            keys = ("e", edge, *ruler.letters_for(share))
            assert len(keys) == 4
            await press(pilot, *keys)
            corners = chosen(screen).box
            found = {"h": corners[0], "k": corners[1], "l": corners[0] + corners[2],
                     "j": corners[1] + corners[3]}[edge]  # fmt: skip
            assert abs(found - want) <= window.pixel[axis] / 3
        # What was mended is a label now, and stays chosen.
        now = chosen(screen)
        assert now.key.kind == "label"
        assert now.key != key
        stored = next(box for box in held(project, 1).boxes if box.id == now.key.id)
        assert stored.box == pytest.approx(now.box)
        assert stored.edited
        assert stored.source == "model"
        assert stored.score == 0.55


async def test_the_ruler_is_drawn_out_for_its_second_letter(app, project: Path, opened) -> None:
    async with opened(app, (120, 40)) as pilot:
        screen = await label(pilot, project)
        await press(pilot, "tab", "e")
        canvas = screen.editor.canvas
        assert "Which edge?" in words_on(app)
        await press(pilot, "l", "m")
        assert canvas.shown_window.w == pytest.approx(canvas.window.w / 13)
        assert "the letter of the place in it" in words_on(app)
        await press(pilot, "backspace")
        assert canvas.shown_window == canvas.window
        # Digits and commands have no meaning here, and the wrong key is said.
        await press(pilot, "1")
        assert "(1 is none)" in words_on(app)
        await press(pilot, "escape")
        assert app.screen is screen
        assert not canvas.typing.active
        assert len(held(project, 1).suggestions) == 4


async def test_nudges_are_one_edit_once_keys_rest(app, project: Path, opened) -> None:
    async with opened(app, (120, 40)) as pilot:
        screen = await label(pilot, project)
        await press(pilot, "shift+tab")
        before = chosen(screen)
        assert before.key.kind == "label"
        pixel = screen.editor.canvas.window.pixel
        for key in "lllHHj":
            await pilot.press(key)
        await ready(pilot, screen)
        box = chosen(screen).box
        assert box[2] == pytest.approx(before.box[2] + 3 * pixel[0] - 2 * pixel[0])
        assert box[0] == pytest.approx(before.box[0] + 2 * pixel[0])
        assert box[3] == pytest.approx(before.box[3] + pixel[1])
        with Project.open(project) as opened_project:
            entries = [entry for entry in opened_project.history() if entry.kind == "labels.edit"]
        assert len(entries) == 1
        assert held(project, 1).boxes[0].box == pytest.approx(box)
        await press(pilot, "u")
        assert held(project, 1).boxes[0].box == before.box
        await press(pilot, "ctrl+y")
        assert held(project, 1).boxes[0].box == pytest.approx(box)


async def test_a_new_box_takes_seven_keys(app, project: Path, opened) -> None:
    async with opened(app, (120, 40)) as pilot:
        screen = await label(pilot, project)
        await press(pilot, "2")
        window = screen.editor.canvas.window
        first, second = window.share_of((90, 50)), window.share_of((110, 100))
        keys = ("n", *ruler.keys_for(first), *ruler.keys_for(second))
        assert len(keys) == 7
        await press(pilot, *keys)
        box = chosen(screen)
        assert box.class_id == PERSON
        assert box.key.kind == "label"
        for found, want in zip(box.box, (90, 50, 20, 50), strict=True):
            assert abs(found - want) <= 160 / 26 / 6 * 2 + 0.1
        assert held(project, 1).boxes[-1].source == "person" or any(
            each.source == "person" for each in held(project, 1).boxes
        )


async def test_a_drag_draws_moves_and_resizes(app, project: Path, opened) -> None:
    async with opened(app, (120, 40)) as pilot:
        screen = await label(pilot, project, image=2)
        canvas = screen.editor.canvas
        left, top = canvas.origin

        async def drag(start: tuple[int, int], end: tuple[int, int]) -> None:
            await pilot.mouse_down(canvas, offset=(left + start[0], top + start[1]))
            await pilot.hover(canvas, offset=(left + end[0], top + end[1]))
            await pilot.mouse_up(canvas, offset=(left + end[0], top + end[1]))
            await ready(pilot, screen)

        pixel = canvas.window.pixel
        await drag((60, 4), (75, 10))
        drawn = chosen(screen).box
        assert drawn == pytest.approx((60 * pixel[0], 8 * pixel[1], 15 * pixel[0], 12 * pixel[1]))
        # The right edge alone, then all of it.
        await drag((75, 7), (80, 9))
        assert chosen(screen).box == pytest.approx((*drawn[:2], 20 * pixel[0], drawn[3]))
        await drag((68, 7), (66, 8))
        assert chosen(screen).box[:2] == pytest.approx((58 * pixel[0], 10 * pixel[1]))
        stored = [box for box in held(project, 2).boxes if box.source == "person"]
        assert [box.box for box in stored] == [pytest.approx(chosen(screen).box)]
        # A click where there is none lets go; one on a box chooses it.
        await pilot.click(canvas, offset=(left + 2, top + 30))
        await ready(pilot, screen)
        assert chosen(screen) is None
        await pilot.click(canvas, offset=(left + 65, top + 10))
        await ready(pilot, screen)
        assert chosen(screen).key.id == stored[0].id


async def test_keys_that_come_while_an_edit_is_saved_wait_for_it(app, project, opened) -> None:
    async with opened(app, (120, 40)) as pilot:
        screen = await label(pilot, project)
        editor = screen.editor
        # In one breath: the first is still being saved when the others come.
        editor.action_step(1)
        editor.action_reject()
        editor.action_accept()
        editor.action_class_at(2)
        assert not editor.settled
        await ready(pilot, screen)
        now = held(project, 1)
        assert sorted(each.score for each in now.suggestions) == [0.2]
        assert sorted(box.class_id for box in now.boxes) == [HOOK, HOOK, PERSON]


async def test_what_somebody_else_changed_is_told_and_not_written_over(app, project, opened):
    async with opened(app, (120, 40)) as pilot:
        screen = await label(pilot, project)
        await press(pilot, "shift+tab")
        box = held(project, 1).boxes[0]
        with Project.open(project) as other:
            edit(other, 1, [Set(box.id, Known(box.box, HOOK), box=(11.0, 11.0, 30.0, 30.0))])
        await press(pilot, "2")
        assert held(project, 1).boxes[0].class_id == HOOK
        assert chosen(screen).box == (11, 11, 30, 30)
        assert "changed" in words_on(app)
        await press(pilot, "2")
        assert held(project, 1).boxes[0].class_id == PERSON
        # Only what was done here is taken back.
        await press(pilot, "u", "u")
        assert held(project, 1).boxes[0].box == (11, 11, 30, 30)


async def test_undo_goes_to_the_picture_it_changes(app, project: Path, opened) -> None:
    async with opened(app, (120, 40)) as pilot:
        screen = await label(pilot, project)
        await press(pilot, "enter", "right")
        assert screen.editor.session.picture.image_id == 3
        await press(pilot, "u")
        assert screen.editor.session.picture.image_id == 1
        assert held(project, 1).review is None
        assert len(held(project, 1).suggestions) == 4


async def test_boxes_of_the_picture_before(app, project: Path, opened) -> None:
    async with opened(app, (80, 24)) as pilot:
        await label(pilot, project, image=2)
        await press(pilot, "p")
        assert [box.box for box in held(project, 2).boxes] == [(10, 10, 20, 20)]
        await press(pilot, "left", "p")
        assert "no picture before this one" in words_on(app)


async def test_other_pictures_and_a_filter(app, project: Path, opened) -> None:
    async with opened(app, (80, 24)) as pilot:
        screen = await label(pilot, project)
        await press(pilot, "slash", *"003", "enter")
        assert screen.ids == [3]
        await press(pilot, "slash", *"99", "enter")
        assert "No picture matches the filter" in words_on(app)
        await press(pilot, "slash", "escape")
        assert len(screen.ids) == 3
        await press(pilot, "o", "end", "enter")
        assert screen.walk == "name"
        assert screen.ids == [1, 2, 3]


async def test_a_whole_class_after_a_look(app, project: Path, opened) -> None:
    async with opened(app, (120, 40)) as pilot:
        screen = await label(pilot, project)
        await press(pilot, "A")
        assert "5 suggestions from 0.50 on become labels" in words_on(app)
        await press(pilot, "enter")  # The button that changes nothing is the first.
        assert app.screen is screen
        assert len(held(project, 2).suggestions) == 2
        await press(pilot, "A")
        await press(pilot, "y")
        await ready(pilot, screen)
        assert [each.class_id for each in held(project, 2).suggestions] == [PERSON]
        assert len(screen.editor.session.picture.boxes) == 4
        await press(pilot, "u")
        assert len(held(project, 2).suggestions) == 2


async def test_a_project_without_pictures_says_what_to_do(tmp_path: Path, opened) -> None:
    path = tmp_path / "gotham/data/projects/empty"
    Project.create(path).close()
    app = FrozenApp(tmp_path / "gotham")
    async with opened(app) as pilot:
        screen = await label(pilot, path)
        assert "No pictures yet" in words_on(app)
        await press(pilot, *"aernxd", "enter", "tab", "space", "u", "p", "A", "z", "plus", "escape")
        assert app.screen is not screen


async def test_a_project_without_a_class_is_asked_for_its_first(app: FrozenApp) -> None:
    path = app.workspace.project_path("new")
    with Project.create(path) as project, project.change("import", "made") as change:
        change.insert("imports", {"kind": "coco", "origin": "o", "at": "2026", "active": 1})
        row = {"import_id": 1, "path": "1/a.png", "name": "a.png"}
        change.insert("images", {**row, "width": 64, "height": 48})
    file = path / "images/1/a.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 48), (70, 80, 90)).save(file)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await label(pilot, path)
        await pilot.press("n")
        await until(pilot, lambda: "There is no class yet." in words_on(app))
        await pilot.press(*"crane", "enter")
        await until(pilot, lambda: [row.name for row in screen.editor.class_rows] == ["crane"])
        await ready(pilot, screen)
        await until(pilot, lambda: "n draws a box: crane" in words_on(app))
        await pilot.press("n", *ruler.keys_for((0.2, 0.2)), *ruler.keys_for((0.6, 0.7)))
        await until(pilot, lambda: len(held(path, 1).boxes) == 1)
        assert held(path, 1).boxes[0].class_id == screen.editor.class_rows[0].id
