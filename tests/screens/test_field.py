"""A field of a form: it tells what a person types, and nothing that the program sets."""

from __future__ import annotations

from textual import on
from textual.app import App, ComposeResult

from batman_tui.widgets.form.field import Field


class FormApp(App[None]):
    """A line to type in and a choice."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, str]] = []

    def compose(self) -> ComposeResult:
        yield Field("epochs", "Epochs", "20")
        yield Field("model", "Model", "base", options=["tiny", "base", "large"])

    @on(Field.Typed)
    def _typed(self, message: Field.Typed) -> None:
        self.told.append((message.field.option, message.text))


async def test_only_what_a_person_changes_is_told() -> None:
    app = FormApp()
    async with app.run_test() as pilot:
        epochs, model = app.query(Field)
        await pilot.pause()
        assert app.told == [], "what the fields begin with"
        epochs.show("30")
        model.show("tiny")
        await pilot.pause()
        assert app.told == [], "what the program sets"
        epochs.editor.focus()
        await pilot.press("end", "backspace", "backspace", "3", "0")
        assert app.told == [("epochs", text) for text in ("3", "", "3", "30")]
        model.editor.focus()
        await pilot.press("right", "left")
        await pilot.pause()
        assert app.told[4:] == [("model", "base"), ("model", "tiny")]
        assert (epochs.text, model.text) == ("30", "tiny")


async def test_letters_find_an_option_in_the_open_list() -> None:
    app = FormApp()
    async with app.run_test() as pilot:
        model = app.query(Field)[1]
        model.editor.focus()
        await pilot.press("enter", "l", "a", "enter")
        assert app.told == [("model", "large")]


async def test_a_letter_takes_the_next_option_that_begins_with_it() -> None:
    app = FormApp()
    async with app.run_test() as pilot:
        model = app.query(Field)[1]
        model.editor.focus()
        await pilot.press("t", "B", "l")
        assert [text for _, text in app.told] == ["tiny", "base", "large"]
        # Nothing else begins so: the letters turn, as they do in lists.
        await pilot.press("l", "h", "x")
        assert [text for _, text in app.told[3:]] == ["tiny", "large"]
