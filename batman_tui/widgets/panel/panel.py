"""A round panel: title and badge in the border, and a sentence when there is nothing in it."""

from __future__ import annotations

from typing import Self

from textual.containers import Vertical
from textual.content import Content
from textual.geometry import Region
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Static

from core.common.text import clean


class Panel(Vertical):
    """A part of a screen. The border is dim, and the accent while something in it has the focus.

    `badge` is a count or state shown beside the title. `empty`, when not an empty string, hides
    the children and shows that sentence, which says what to do next.
    """

    DEFAULT_CSS = """
    Panel {
        border: round $border-blurred; border-title-color: $foreground;
        border-subtitle-color: $foreground-muted; padding: 0 1; background: $background;
        &:focus-within { border: round $border; border-title-color: $accent; }
        & > .panel--empty { display: none; color: $foreground-muted; padding: 1 1; height: auto; }
        &.-empty > * { display: none; }
        &.-empty > .panel--empty { display: block; }
    }
    """

    heading: reactive[str] = reactive("", repaint=False)
    badge: reactive[str] = reactive("", repaint=False)
    empty: reactive[str] = reactive("", repaint=False)

    def __init__(
        self,
        *children: Widget,
        title: str,
        badge: str = "",
        empty: str = "",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        self._only_title = False
        self._focused_before: Widget | None = None
        self._empty = Static("", markup=False, classes="panel--empty")
        super().__init__(*children, id=id, classes=classes)
        self.set_reactive(Panel.heading, title)
        self.set_reactive(Panel.badge, badge)
        self.set_reactive(Panel.empty, empty)

    def on_mount(self) -> None:
        """Show what the constructor was given."""
        self._title()
        if self.empty:
            self.watch_empty("", self.empty)

    def watch_heading(self) -> None:
        """Show the new title."""
        self._title()

    def watch_badge(self) -> None:
        """Show the new badge."""
        self._title()

    def watch_empty(self, before: str, empty: str) -> None:
        """Show the sentence, or the children again; the focus comes back to where it was."""
        if empty and self._empty.parent is None:
            self.mount(self._empty)
        self._empty.update(clean(empty))
        self.set_class(bool(empty), "-empty")
        if empty:
            self._let_go()
        elif before and not empty and self._focused_before is not None:
            self.call_after_refresh(self._focus_again, self._focused_before)
            self._focused_before = None

    def on_descendant_focus(self) -> None:
        """Refuse the focus that a screen gives to its first widget after it was hidden."""
        if self.empty:
            self._let_go()

    def _let_go(self) -> None:
        # What is hidden cannot hold the focus.
        focused = self.screen.focused
        if focused is not None and self in focused.ancestors:
            self._focused_before = focused
            self.screen.set_focus(self._elsewhere())

    def _elsewhere(self) -> Widget | None:
        """Return the screen's list, which has the keys now; None when that is what was hidden."""
        found = next(iter(self.screen.query("VirtualTable").results(Widget)), None)
        if found is None or not found.focusable or self in found.ancestors:
            return None
        nodes = [node for node in found.ancestors_with_self if isinstance(node, Widget)]
        return found if all(node.display for node in nodes) else None

    def _focus_again(self, widget: Widget) -> None:
        if widget.is_attached and self.screen.focused is None:
            # A filter that nobody opened hides itself, and would take every key meanwhile.
            inside = [widget, *self.query("*").results(Widget)]
            self.screen.set_focus(next((w for w in inside if w.focusable and w.display), None))

    def _title(self) -> None:
        title = Content(clean(self.heading))
        if self.badge:
            title = Content.assemble(title, " ", (clean(self.badge), "$foreground-muted not bold"))
        self._only_title = True
        self.border_title = title
        self._only_title = False

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> Self:
        """Paint anew; for a new title only the top line, not all that is inside.

        The badge of a list changes with every mark and every letter of a filter.
        """
        if self._only_title and self.size:
            left, top = self.content_offset
            regions = (Region(-left, -top, self.outer_size.width, 1),)
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)
