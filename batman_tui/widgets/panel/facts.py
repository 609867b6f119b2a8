"""A list of named facts, one below the other, wrapped beside their names."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from core.common.text import clean


class Facts(Vertical):
    """Names at the left, what is to be said at the right; a fact with nothing to say is hidden."""

    DEFAULT_CSS = """
    Facts {
        height: auto; width: 1fr;
        & > Horizontal { height: auto; width: 1fr; display: none; }
        & > Horizontal.-said { display: block; }
        & .facts--name { width: 9; color: $foreground-muted; }
        & .facts--text { width: 1fr; height: auto; }
        & .-wrong > .facts--text { color: $text-error; }
    }
    """

    def __init__(self, names: Sequence[str], id: str | None = None) -> None:
        super().__init__(id=id)
        self._names = tuple(names)
        self._texts = {
            name: Static("", markup=False, classes="facts--text") for name in self._names
        }

    def compose(self) -> ComposeResult:
        """Lay out a line for every name."""
        for name, text in self._texts.items():
            yield Horizontal(
                Static(name, markup=False, classes="facts--name"), text, classes=f"of-{name}"
            )

    def said(self, name: str) -> str:
        """What stands beside a name now."""
        return str(self._texts[name].content)

    def say(self, name: str, text: str, *, wrong: bool = False) -> None:
        """Set what stands beside a name."""
        if clean(text) != self.said(name):
            self._texts[name].update(clean(text))
        line = self.query_one(f".of-{name}")
        line.set_class(bool(text), "-said")
        line.set_class(wrong, "-wrong")
