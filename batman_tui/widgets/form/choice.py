"""A choice of several, told by its form as well as by its colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widgets import RadioButton


class Choice(RadioButton):
    """A radio button that is `●` when chosen and `○` when not, which 16 colours can show too."""

    BUTTON_LEFT = ""
    BUTTON_RIGHT = " "

    if not TYPE_CHECKING:

        @property
        def BUTTON_INNER(self) -> str:  # noqa: N802 - Textual's name for it.
            """The sign in front of the label."""
            return "●" if self.value else "○"
