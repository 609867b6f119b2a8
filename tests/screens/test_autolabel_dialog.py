"""The dialog that lets a model propose boxes: what it answers while what is typed is looked at."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Any

import pytest
from harness import FrozenApp, settled, until
from textual.widgets import Static

from batman_tui.autolabel import dialog as dialog_module
from batman_tui.autolabel.choices import Wish
from batman_tui.autolabel.dialog import AutolabelDialog
from batman_tui.widgets.form.line_input import LineInput
from core.common.errors import BatmanError


async def test_what_was_typed_last_is_looked_at_before_it_is_refused(
    workspace: Path, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, began = Event(), Event()

    def slowly(_project: Path, wish: Wish, _workspace: object) -> None:
        if wish.images != "is:unlabelled":
            raise BatmanError("This was said of what stood there before.")
        began.set()
        assert go.wait(30)
        raise BatmanError("This [is] said of what stands there now.")

    monkeypatch.setattr(dialog_module, "planned", slowly)
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        await settled(pilot)
        dialog = AutolabelDialog(workspace / "data/projects/blood-cells")
        app.push_screen(dialog)
        said = "This was said of what stood there before."
        await until(pilot, lambda: dialog.query("#said"))
        await until(pilot, lambda: str(dialog.query_one("#said", Static).visual) == said)
        dialog.query_one("#images", LineInput).value = "is:unlabelled"
        await until(pilot, began.is_set)
        await pilot.press("ctrl+s")
        assert not app._notifications, "nothing is said before it is known"
        go.set()
        await until(pilot, lambda: app._notifications)
        told = [note.message for note in app._notifications]
        assert told == ["This [is] said of what stands there now."]
