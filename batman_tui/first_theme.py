"""The colour themes there are, and the one that the app wears from the first frame on."""

from __future__ import annotations

from typing import Any

from textual.app import App

import themes
from core.common.folders import config_dir
from core.common.text import clean, did_you_mean


def register_themes(app: App[Any]) -> list[str]:
    """Let `app` have our themes and the person's; return what is wrong with files of theirs."""
    problems: list[str] = []
    for folder in (themes.OWN, config_dir() / "themes"):
        found, wrong = themes.load(folder)
        problems += wrong
        for theme in found:
            app.register_theme(theme)
    return problems


def begin_with(app: App[Any], wanted: str) -> tuple[str, list[str]]:
    """Have an `app` that is not running yet wear the theme `wanted`, or ours where there is none.

    Return the theme's name and what there is to say of it. Textual reads every style sheet anew for
    a theme that is set as others are, twice when that is before the first frame.
    """
    problems = []
    if wanted not in app.available_themes:
        guess = did_you_mean(wanted, app.available_themes)
        problems.append(
            f"There is no theme '{clean(wanted)}'; {guess}".rstrip("; ") + " (ctrl+p, Theme)"
        )
        wanted = themes.DARK
    app.set_reactive(App.theme, wanted)
    # What Textual's own watcher of the theme does besides.
    dark = app.current_theme.dark
    app.set_class(dark, "-dark-mode", update=False)
    app.set_class(not dark, "-light-mode", update=False)
    app.add_class(f"-theme-{wanted}", update=False)
    app._refresh_truecolor_filter(app.ansi_theme)
    app.stylesheet.set_variables(app.get_css_variables())
    return wanted, problems
