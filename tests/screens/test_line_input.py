"""The one line to type in: what it shows, what it means, and what is pasted into it."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import FrozenApp, settled, until, words_on
from hostile_data import EVIL, make_hostile_project
from textual import events

from batman_tui.classes.merge import MergeChoice, MergeDialog
from batman_tui.widgets.dialogs.dialogs import ConfirmDialog, PromptDialog
from batman_tui.widgets.form.line_input import LineInput
from core.common.text import clean
from core.data.classes import list_classes
from core.data.store import Project


async def test_what_was_left_alone_is_the_original(tmp_path: Path, opened) -> None:
    app = FrozenApp(tmp_path)
    async with opened(app) as pilot:
        for keys, meant in (((), EVIL), (("end", "!"), f"{EVIL}!"), (("home", "x"), f"x{EVIL}")):
            answers: list[str | None] = []
            app.push_screen(PromptDialog("Note", value=EVIL), answers.append)
            await settled(pilot)
            assert app.screen.query_one(LineInput).value == clean(EVIL)
            await pilot.press(*keys, "enter")
            await until(pilot, lambda got=answers: got)
            assert answers == [meant]


async def test_pasting_leaves_out_what_nobody_sees_and_says_so(tmp_path: Path, opened) -> None:
    app = FrozenApp(tmp_path)
    async with opened(app) as pilot:
        answers: list[str | None] = []
        app.push_screen(PromptDialog("New project"), answers.append)
        await settled(pilot)
        app.post_message(events.Paste("per\u200bson\x1b"))
        await until(pilot, lambda: app.screen.query_one(LineInput).value == "person")
        assert "cannot be seen: ⟨U+200B⟩ ⟨U+001B⟩" in words_on(app)
        await pilot.press("enter")
        await until(pilot, lambda: answers)
        assert answers == ["person"]


@pytest.mark.parametrize(
    ("pasted", "shown", "said"),
    [
        ("/data/site\n", "/data/site", ""),
        ("\r\n  one\r\n\r\ntwo\r\n", "  one two", "The 2 lines that were pasted became one."),
        ("a\rb\rc", "a b c", "The 3 lines that were pasted became one."),
        (
            "a\u200b\nb\x1b",
            "a b",
            "The 2 lines that were pasted became one. Left out of what was pasted, for it cannot be"
            " seen: ⟨U+200B⟩ ⟨U+001B⟩",
        ),
        ("a\u2028b\x0bc", "a b c", ""),
        ("\n", "old", ""),
        ("", "old", ""),
    ],
)
@pytest.mark.parametrize("way", ["terminal", "clipboard"])
async def test_of_several_lines_that_are_pasted_none_is_lost(
    tmp_path: Path, opened, pasted: str, shown: str, said: str, way: str
) -> None:
    app = FrozenApp(tmp_path)
    async with opened(app, (120, 40)) as pilot:
        app.push_screen(PromptDialog("Note", value="old"))
        await settled(pilot)
        line = app.screen.query_one(LineInput)
        line.select_all()
        if way == "terminal":
            line.post_message(events.Paste(pasted))
        else:
            app._clipboard = pasted
            await pilot.press("ctrl+v")
        await settled(pilot)
        assert line.value == shown
        assert line.cursor_position == len(shown)
        notes = [note.message for note in app._notifications]
        assert notes == ([said] if said else [])


async def test_a_class_with_a_hostile_name_is_a_target_like_any(tmp_path: Path, opened) -> None:
    with Project.open(make_hostile_project(tmp_path)) as project:
        rows = list(list_classes(project))
    app = FrozenApp(tmp_path)
    async with opened(app, (120, 40)) as pilot:
        answers: list[MergeChoice | None] = []
        chosen = [row for row in rows if row.name in ("person", "per\u200bson")]
        app.push_screen(MergeDialog(chosen, rows), answers.append)
        await settled(pilot)
        await pilot.press("down")
        line = app.screen.query_one(LineInput)
        assert line.value == "per⟨U+200B⟩son"
        await pilot.press("enter")
        await until(pilot, lambda: answers)
        assert answers[0] is not None
        assert answers[0].target == "per\u200bson"


async def test_a_project_is_deleted_by_typing_what_is_shown(tmp_path: Path, opened) -> None:
    app = FrozenApp(tmp_path)
    async with opened(app) as pilot:
        answers: list[bool | None] = []
        app.push_screen(ConfirmDialog("Delete?", ["all"], typed="a\u200bb"), answers.append)
        await settled(pilot)
        line = app.screen.query_one(LineInput)
        assert line.content_region.height == 1
        assert line.suggester is None, "one key would type the word"
        app.post_message(events.Paste("a⟨U+200B⟩b"))
        await until(pilot, lambda: line.value)
        await pilot.press("enter")
        await until(pilot, lambda: answers)
        assert answers == [True]


async def test_a_secret_is_what_was_typed(tmp_path: Path, opened) -> None:
    from batman_tui.widgets.dialogs.asker import AnswerDialog

    app = FrozenApp(tmp_path)
    async with opened(app) as pilot:
        answers: list[str | None] = []
        app.push_screen(AnswerDialog("", "Password:", secret=True), answers.append)
        await settled(pilot)
        app.post_message(events.Paste("se\u00a0cret\n"))
        await pilot.pause()
        app.post_message(events.Paste("one\ntwo"))
        await until(pilot, lambda: "A secret is one line" in words_on(app))
        await pilot.press("enter")
        await until(pilot, lambda: answers)
        assert answers == ["se\u00a0cret"]
