"""What the app's start leaves out: not loaded before the first frame, there when it is used."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from cli.app import quick_start

PROGRAM = """
import sys
from cli.app.quick_start import quick_start
before = set(sys.modules)
quick_start()
late = sorted(sys.modules.keys() - before)
stand_ins = {name: sys.modules[name] for name in late}

import asyncio
import gc
from pathlib import Path
from batman_tui.app import BatmanApp
from core.common.workspace import Workspace
gc.enable()
loaded = []

class Seen(BatmanApp):
    async def _painted(self):
        loaded.extend(name for name in late if sys.modules[name] is not stand_ins[name])
        await super()._painted()

async def main():
    app = Seen(Workspace(Path(sys.argv[1])))
    async with app.run_test() as pilot:
        await pilot.pause()
        print("late:", *late)
        print("loaded:", *loaded)

        # The palette, ours and Textual's list of themes in it.
        await pilot.press("ctrl+p")
        await pilot.pause()
        import textual.app, textual.theme
        from textual.command import CommandPalette, Provider
        assert type(app.screen) is CommandPalette is textual.app.CommandPalette
        assert CommandPalette.is_open(app)
        assert textual.theme.Provider is Provider
        assert textual.app.ThemeProvider.__mro__[1] is Provider
        await pilot.press("escape")
        app.search_themes()
        await pilot.pause()
        await pilot.press(*"gruvbox", "enter")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert app.theme == "gruvbox", app.theme

        # A note, a mistake in a style, a tree of widgets, and so on.
        app.notify("one")
        app.notify("two")
        await pilot.pause()
        assert len({note.identity for note in app._notifications}) == 2
        try:
            app.screen.styles.layout = "heap"
        except Exception as error:
            assert type(error).__name__ == "StyleValueError", error
            assert error.help_text is not None
        else:
            raise AssertionError
        from rich.tree import Tree
        assert type(app.tree) is Tree
        import textual.design
        from rich.table import Table
        assert textual.design.Table is Table
        assert Path("/a b").as_uri() == "file:///a%20b"
        from textual.suggestions import get_suggestion
        assert get_suggestion("redu", ["red", "blue"]) == "red"
        assert not app.errors, app.errors

asyncio.run(main())
"""


def test_the_first_frame_does_without_and_the_rest_is_there(workspace: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM, str(workspace)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = dict(line.split(":", 1) for line in done.stdout.splitlines())
    # A new release: read it again, and note it in `quick_start`.
    assert version("textual") == quick_start.TEXTUAL
    assert {"textual.command", "ssl", "uuid", "platformdirs"} <= set(lines["late"].split())
    assert lines["loaded"].split() == []


def test_another_release_of_textual_is_loaded_with_its_palette() -> None:
    code = (
        "import sys\nfrom cli.app import quick_start\nquick_start.TEXTUAL = '8.2.7'\n"
        "quick_start.quick_start()\nimport batman_tui.app\n"
        "from textual.theme import ThemeProvider\n"
        "assert 'textual.widgets._input' in sys.modules\n"
        "assert ThemeProvider.__base__ is sys.modules['textual.command'].Provider\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
