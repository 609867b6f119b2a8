"""Review by pages of crops: the keys it takes, and what the project holds after them."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from harness import FrozenApp, screen_text, settled, until, words_on
from textual.pilot import Pilot

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from label_data import HOOK, PERSON, RUN, make_labels

from batman_tui.autolabel.passes import PassesDialog
from batman_tui.crops.screen import NOTHING, CropsScreen
from core.data.labels.passes import Found, record_pass
from core.data.labels.view import progress, suggestion_boxes
from core.data.store import Project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_labels(tmp_path / "gotham/data/projects/site", images=12, files=True)


@pytest.fixture
def app(project: Path) -> FrozenApp:
    return FrozenApp(project.parent.parent.parent)


def by_state(path: Path) -> dict[str, int]:
    """How many suggestions there are in each state, read past the app."""
    with Project.open(path) as project:
        rows = project.db.execute("SELECT state, count(*) FROM v_suggestions GROUP BY state")
        return dict(rows.fetchall())


async def crops(pilot: Pilot[int], path: Path) -> CropsScreen:
    app = pilot.app
    assert isinstance(app, FrozenApp)
    app.open_crops(path)
    await settled(pilot)
    screen = app.screen
    assert isinstance(screen, CropsScreen)
    await ready(pilot, screen)
    return screen


async def ready(pilot: Pilot[int], screen: CropsScreen) -> None:
    await until(pilot, lambda: screen.settled and screen.crop_page.settled)
    await settled(pilot)


async def press(pilot: Pilot[int], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        if isinstance(pilot.app.screen, CropsScreen):
            await ready(pilot, pilot.app.screen)
        else:
            await settled(pilot)


async def test_letters_strike_out_and_enter_takes_the_rest(app, project: Path, opened) -> None:
    async with opened(app, (120, 40)) as pilot:
        screen = await crops(pilot, project)
        assert "hook 1-14 of 14 from 0.50, surest first" in words_on(app)
        assert "a .90" in screen_text(app)
        assert "▀" in screen_text(app)
        wrong = [screen.crop_page.page.ids[n] for n in (1, 3)]
        await press(pilot, "b", "d", "e", "e")
        assert "2 struck out" in words_on(app)
        await press(pilot, "enter")
        assert by_state(project) == {"accepted": 12, "rejected": 2, "open": 12}
        with Project.open(project) as opened_project:
            rejected = {
                each.id
                for image in range(1, 13)
                for each in suggestion_boxes(opened_project, image, ("rejected",))
            }
            assert rejected == set(wrong)
            assert opened_project.history(1)[0].kind == "labels.review"
        # The class is through: the next one is there.
        assert "person 1-11 of 11" in words_on(app)
        await press(pilot, "u")
        assert by_state(project) == {"open": 26}
        await press(pilot, "ctrl+y")
        assert by_state(project) == {"accepted": 12, "rejected": 2, "open": 12}
        await press(pilot, "2")  # the class again, with what is open of it below the score
        assert screen.class_id == HOOK
        assert "0.8-0.9 ███████░ 9/11" in screen_text(app)


async def test_a_pass_is_taken_back_after_a_question_and_u_brings_it(
    app, project: Path, opened
) -> None:
    async with opened(app, (80, 24)) as pilot:
        screen = await crops(pilot, project)
        before = by_state(project)
        await press(pilot, "T")
        dialog = app.screen
        assert isinstance(dialog, PassesDialog)
        await until(pilot, lambda: dialog.table.cursor_row is not None)
        await press(pilot, "T")
        assert "Take back the pass of site-1?" in screen_text(app)
        await press(pilot, "n")
        assert (app.screen, by_state(project)) == (dialog, before), "no is the first answer"
        await press(pilot, "enter", "y")
        await until(pilot, lambda: app.screen is screen and screen.settled)
        assert by_state(project) == {}
        assert "No suggestions to review" in words_on(app)
        await press(pilot, "u")
        assert by_state(project) == before
        # The same on the other screen, where the key is as well.
        app.open_label(project)
        await settled(pilot)
        await press(pilot, "T")
        await until(pilot, lambda: app.screen.table.cursor_row is not None)
        await press(pilot, "enter", "y")
        await until(pilot, lambda: by_state(project) == {})
        await settled(pilot)
        await press(pilot, "u")
        await until(pilot, lambda: by_state(project) == before)


async def test_the_threshold_is_live_and_kept_for_each_class(app, project, opened) -> None:
    async with opened(app, (120, 40)) as pilot:
        screen = await crops(pilot, project)
        await press(pilot, *[">"] * 5)
        assert "1-12 of 12 from 0.75" in words_on(app)
        await press(pilot, "tab")
        assert screen.class_id == PERSON
        assert "from 0.50" in words_on(app)
        await press(pilot, "1")
        assert screen.class_id == HOOK
        assert "1-12 of 12 from 0.75" in words_on(app)
        await press(pilot, *["<"] * 12)
        assert "1-15 of 15 from 0.15" in words_on(app)
        await press(pilot, "O")
        assert "least sure first" in words_on(app)
        assert "a .20" in screen_text(app)
        await press(pilot, "tab", *[">"] * 3)
        assert "Nothing of this class scores so high" in words_on(app)


async def test_pages_are_looked_at_without_being_decided(app, project, opened) -> None:
    async with opened(app, (80, 24)) as pilot:
        screen = await crops(pilot, project)
        count = screen.crop_page.grid.count
        assert count < 14
        first = screen.crop_page.page.ids
        await press(pilot, "right")
        assert f"{count + 1}-14 of 14" in words_on(app)
        assert by_state(project) == {"open": 26}
        said: list[str] = []
        app.tell = said.append
        await press(pilot, "right", "left")
        assert screen.crop_page.page.ids == first
        await press(pilot, "left")
        assert said == ["This is the last page.", "This is the first page."]
        # Fewer and larger, and back.
        await press(pilot, "+")
        assert len(screen.crop_page.page.ids) < count
        await press(pilot, "minus")
        assert screen.crop_page.page.ids == first


async def test_a_click_strikes_out(app, project, opened) -> None:
    async with opened(app, (120, 40)) as pilot:
        screen = await crops(pilot, project)
        page = screen.crop_page
        column, line = page.grid.corner(2)
        left, top = page.origin
        await pilot.click(page, offset=(left + column + 2, top + line + 2))
        await ready(pilot, screen)
        assert page.page.rejected == [page.page.ids[2]]


async def test_only_the_lines_of_a_crop_are_painted_for_its_letter(app, project, opened) -> None:
    async with opened(app, (120, 40)) as pilot:
        screen = await crops(pilot, project)
        await press(pilot, "a")
        assert screen.crop_page.drawn_lines == screen.crop_page.grid.high


async def test_all_of_a_class_is_one_step(app, project: Path, opened) -> None:
    async with opened(app, (120, 40)) as pilot:
        screen = await crops(pilot, project)
        await press(pilot, "A")
        assert "14 suggestions from 0.50 on become labels" in words_on(app)
        await press(pilot, "y")
        await ready(pilot, screen)
        assert by_state(project) == {"accepted": 14, "open": 12}
        await press(pilot, "u")
        assert by_state(project) == {"open": 26}


async def test_a_project_without_suggestions_says_what_to_do(tmp_path, opened) -> None:
    path = tmp_path / "gotham/data/projects/empty"
    Project.create(path).close()
    async with opened(FrozenApp(tmp_path / "gotham")) as pilot:
        await crops(pilot, path)
        assert "No suggestions to review" in words_on(pilot.app)
        said: list[str] = []
        pilot.app.tell = said.append
        await press(pilot, "enter", "A", "tab", "X", "right", "O", "3", "less_than_sign")
        assert said == [NOTHING] * 8, "each key says why nothing came of it"
        await press(pilot, "a", "u")


async def test_a_key_a_page_and_one_for_each_wrong_box(tmp_path: Path, opened) -> None:
    """A tenth of 144 wrong, and a person that sees which: counted key by key.

    Of 900 it would be 38 pages and 90 letters, 128 keys; `benchmarks/label_terminal.py` presses
    them all.
    """
    path = make_labels(tmp_path / "gotham/data/projects/site", images=48)
    dice = random.Random(11)
    with Project.open(path) as project:
        project.undo()
        record_pass(
            project,
            RUN,
            (
                (n, [Found(HOOK, (5.0 + 30 * k, 40 + k, 20, 20), dice.uniform(0.5, 1))
                     for k in range(3)])
                for n in range(1, 49)
            ),
        )  # fmt: skip
        ids = [row[0] for row in project.db.execute(
            "SELECT id FROM v_suggestions WHERE state = 'open'")]  # fmt: skip
        assert len(ids) == 144
    wrong = set(dice.sample(ids, 14))
    keys = 0
    app = FrozenApp(path.parent.parent.parent)
    async with opened(app, (120, 40)) as pilot:
        screen = await crops(pilot, path)
        # Pictures are not there: what is counted are keys and what they do.
        while screen.crop_page.page.ids:
            page = screen.crop_page.page
            letters = [page.letter(n) for n, number in enumerate(page.ids) if number in wrong]
            for key in (*letters, "enter"):
                await pilot.press(key)
                keys += 1
            await until(pilot, lambda: screen.settled and screen.crop_page.page is not page)  # noqa: B023
            if screen.current is None:
                break
    assert by_state(path) == {"accepted": 130, "rejected": 14}
    with Project.open(path) as project:
        assert {row[0] for row in project.db.execute(
            "SELECT id FROM v_suggestions WHERE state = 'rejected'")} == wrong  # fmt: skip
        assert progress(project).open_suggestions == 0
    assert keys == 6 + 14
