"""Why a key cannot work now: said by whatever part of a screen the key belongs to."""

from __future__ import annotations


class Explains:
    """A screen, a dialog or a part of a screen that says why one of its keys cannot work.

    Of a screen or a dialog it is asked what `check_action` does not let through. A part (a table, a
    plot, the label editor) is asked before each of its actions, which is not done when it answers:
    the key is told and goes no further, for to the screen it would mean something else.
    """

    def why_not(self, action: str, parameters: tuple[object, ...]) -> str:
        """Return why an action cannot be done now, empty when it can, or there is no saying."""
        return ""

    def part_for(self, action: str) -> Explains | None:
        """Return the part that an action of a screen is for, to be asked first; None for none."""
        return None
