"""A key that cannot work yet says why."""

from __future__ import annotations

from typing import Any

from textual.actions import parse
from textual.app import App
from textual.dom import DOMNode

from batman_tui.keys import ACTIONS
from batman_tui.services import services_of
from batman_tui.widgets.frame.base import BatmanDialog, BatmanScreen
from batman_tui.widgets.frame.explains import Explains

Whole = BatmanScreen | BatmanDialog[Any]
_WHOLES = (BatmanScreen, BatmanDialog)


class Refusals:
    """What was refused of the actions of one key, for the app that owns it.

    One key may belong to the focused part, the screen and the app: nothing is said when any of
    them did something.
    """

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._refused: list[tuple[str, Whole]] = []

    def by_part(self, action: object, owner: DOMNode | None = None) -> bool:
        """Say why a part of a screen cannot do its action now; return whether it cannot."""
        if not isinstance(owner, Explains) or not isinstance(action, str):
            return False
        where, name, given = parse(action)
        part = owner.part_for(name) if isinstance(owner, _WHOLES) else owner
        why = "" if where or part is None else part.why_not(name, given)
        if why:
            services_of(self._app).tell(why)
        return bool(why)

    def noted(self, done: bool, action: object, owner: DOMNode | None = None) -> bool:
        """Note whether an action of `owner` was done, and return it."""
        if done:
            self._refused.clear()
        elif isinstance(action, str) and isinstance(owner, _WHOLES):
            self._refused.append((action, owner))
        return done

    def tell(self) -> None:
        """Say why nothing came of the key, when there is something to say."""
        refused, self._refused = self._refused, []
        for action, screen in refused:
            if screen is self._app.screen and (why := why_not(screen, action)):
                services_of(self._app).tell(why)
                return


def why_not(screen: Whole, action: str) -> str:
    """Return why `action` cannot be done on `screen` now; empty for one that is not offered there.

    What the screen says itself comes first, then what its empty list says, which tells what to do.
    """
    _, name, given = parse(action)
    why = screen.why_not(name, given)
    if why or isinstance(screen, BatmanDialog) or screen.check_action(name, given) is not None:
        return why
    for panel in screen.query("Panel"):
        if empty := getattr(panel, "empty", ""):
            return str(empty)
    label = next((each.label for each in ACTIONS.values() if each.run == action), name)
    return f"{label}: there is nothing here for that now."
