"""A Tab in the training form with all its options, against Textual's own way of moving the focus.

    python benchmarks/form_keys.py [ROUNDS]

Processor time from the key until the app has nothing left to do, at 120×40, in rounds by turns in
one process: Batman's screens ask the style sheet for what the focus can have changed and paint
that (`batman_tui/widgets/frame/focus_styles.py`); Textual 8.2 asks for every widget in the panel
and paints the whole screen. Medians. Limits: 0.4 of Textual's way, and 100 ms.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

TABS, RATIO, LIMIT_MS = 20, 0.4, 100.0
REST_S = 0.15
"""How long the app has for a key, waited by the clock and not counted: only work is."""


async def tabs(screen: Any) -> float:
    """Press Tab so many times in the app of `screen` and return the milliseconds of each."""
    from textual import events

    spent = []
    for _ in range(TABS):
        began, before = process_time(), screen.focused
        screen.app.post_message(events.Key("tab", None))
        while screen.focused is before:
            await asyncio.sleep(0.01)
        await asyncio.sleep(REST_S)
        spent.append((process_time() - began) * 1000)
    return median(spent)


async def measure(root: Path, rounds: int) -> tuple[list[float], list[float]]:
    """Return the milliseconds of a Tab as Batman does it and as Textual does, of each round."""
    from textual.screen import Screen

    from batman_tui.app import BatmanApp
    from batman_tui.train.screen import TrainScreen
    from batman_tui.widgets.frame.focus_styles import FocusStyles
    from core.common.workspace import Workspace
    from core.data.store import Project

    path = root / "data" / "projects" / "site"
    with Project.create(path):
        pass
    ours: list[float] = []
    theirs: list[float] = []
    own = FocusStyles._update_focus_styles
    app = BatmanApp(Workspace(root))
    async with app.run_test(size=(120, 40)) as pilot:
        screen = TrainScreen(path)
        app.push_screen(screen)
        await pilot.pause()
        screen.advanced = True
        await pilot.pause(1.0)
        await tabs(screen)  # what is met for the first time
        for _ in range(rounds):
            ours.append(await tabs(screen))
            FocusStyles._update_focus_styles = Screen._update_focus_styles  # type: ignore[method-assign,assignment]
            TrainScreen.focused._repaint = True
            theirs.append(await tabs(screen))
            FocusStyles._update_focus_styles = own  # type: ignore[method-assign]
            TrainScreen.focused._repaint = False
    return ours, theirs


def main() -> int:
    """Measure, print, and return 1 beyond a limit."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as name:
        ours, theirs = asyncio.run(measure(Path(name), rounds))
    a, b = median(ours), median(theirs)
    print(f"a Tab in the training form   {a:6.1f} ms of a processor (limit {LIMIT_MS:.0f})")
    print(f"as Textual moves the focus   {b:6.1f} ms")
    print(f"ratio                        {a / b:6.2f}    (limit {RATIO})")
    return int(a > LIMIT_MS or a / b > RATIO)


if __name__ == "__main__":
    raise SystemExit(main())
