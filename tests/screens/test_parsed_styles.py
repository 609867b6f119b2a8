"""What the tests keep of style sheets is what Textual would find each time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import parsed_styles
import pytest
from harness import FrozenApp, settled
from textual.css.stylesheet import Stylesheet
from textual.dom import DOMNode


async def test_what_is_kept_is_what_textual_finds(
    workspace: Path, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Screens, focus, a dialog, another theme and size, twice: all answers are held against it."""
    asked: dict[str, int] = {"again": 0, "new": 0}

    def apply(
        sheet: Stylesheet, node: DOMNode, *, animate: bool = False, cache: Any = None
    ) -> None:
        question = parsed_styles._question(sheet, node)
        kept = parsed_styles._answers.get(question)
        asked["new" if kept is None else "again"] += 1
        parsed_styles._apply_once(sheet, node, animate=animate, cache=cache)
        if kept is None:
            return
        found: list[Any] = []
        with monkeypatch.context() as patch:
            patch.setattr(
                Stylesheet, "replace_rules", lambda _, node, rules, **_k: found.append(rules)
            )
            patch.setattr(Stylesheet, "_process_component_classes", lambda sheet, node: None)
            parsed_styles._apply(sheet, node)
        assert (found or [None]) == [kept.rules], node
        assert parsed_styles._notes_of(node) == kept.notes, node

    monkeypatch.setattr(Stylesheet, "apply", apply)
    for _ in range(2):
        app = FrozenApp(workspace)
        async with opened(app, (120, 40)) as pilot:
            for key in ("down", "enter", "slash", "escape", "question_mark", "escape", "2", "1"):
                await pilot.press(key)
                await settled(pilot)
            app.theme = "textual-light"
            await pilot.resize_terminal(80, 24)
            await settled(pilot)
    assert asked["again"] > asked["new"]
