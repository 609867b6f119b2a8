"""After the focus has moved the style sheet is asked for little, and everything looks right."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import FrozenApp, settled
from sample_data import SITE, make_project
from textual.css.stylesheet import Stylesheet

from batman_tui.train.screen import TrainScreen
from batman_tui.widgets.form.field import Field


async def test_a_tab_in_a_long_form_asks_for_few_widgets_and_all_look_right(
    tmp_path: Path, opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(tmp_path / "data" / "projects" / "site", SITE, images=1480)
    app = FrozenApp(tmp_path)
    async with opened(app, (120, 40)) as pilot:
        app.push_screen(TrainScreen(project))
        await settled(pilot)
        screen = app.screen
        screen.advanced = True
        await settled(pilot)
        assert len(list(screen.query(Field))) > 40
        widgets = list(screen.walk_children(with_self=True))
        asked = []
        apply = Stylesheet.apply

        def counted(sheet: Stylesheet, node, **how) -> None:
            asked.append(node)
            apply(sheet, node, **how)

        monkeypatch.setattr(Stylesheet, "apply", counted)
        for key in ("tab", "tab", "shift+tab", "tab", "tab"):
            asked.clear()
            before = screen.focused
            await pilot.press(key)
            assert screen.focused is not before
            assert 0 < len(asked) < len(widgets) / 8
            looks = [dict(widget.styles.base.get_rules()) for widget in widgets]
            app.stylesheet.update(screen)
            assert looks == [dict(widget.styles.base.get_rules()) for widget in widgets]
