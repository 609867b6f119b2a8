"""A list and what belongs to its row: what the one does not need, the other has."""

from __future__ import annotations

from textual import on
from textual.containers import Container
from textual.widget import Widget

from batman_tui.widgets.table.table import VirtualTable

FEW = 0.35
"""A list that needs no more than this share of the height leaves most of it black: it lies above

what belongs to its row, which then has the whole width and all other lines.
"""

ROOMY, LEAST_SPARE = 28, 10
"""What can be done without is shown from so many lines on, or where the list leaves so many."""


class ListLayout(Container):
    """Lays the list, its child of the class `-list`, beside the others, or above them.

    It lies above (the class is then `-stacked`, else `-beside`) where the terminal is narrow, where
    its rows are few, or always, with `beside` False. Stacked it has the lines that all its rows
    need, a filter or not, and at most half of them: a style sheet may say another `max-height`.
    Where everything else is hidden it has all (`-alone`); a child of the class `-spare` is hidden
    where the list would be too short for it, one of the class `-of-row` while the list says that
    it is empty: there is no row to tell of. How wide they are beside each other is up
    to the style sheet of the screen.
    """

    DEFAULT_CSS = """
    ListLayout {
        width: 1fr; height: 1fr; layout: horizontal;
        & > * { width: 1fr; height: 1fr; }
        &.-stacked {
            layout: vertical;
            & > .-list { height: auto; max-height: 50%; min-height: 4; }
            & > .-list VirtualTable { height: auto; max-height: 100%; }
            & > .-list FilterInput { dock: top; }
        }
    }
    """

    def __init__(self, *children: Widget, id: str, beside: bool = True) -> None:
        super().__init__(*children, id=id, classes="-beside" if beside else "-stacked")
        self._beside = beside
        self._known = False

    def on_resize(self) -> None:
        """Arrange the children for the new size."""
        self.share_out()

    @on(VirtualTable.Shown)
    def _rows_came(self) -> None:
        self._known = True
        self.share_out()

    def share_out(self) -> None:
        """Lay the list where it is best; to be called when a child was hidden or shown."""
        lists = [child for child in self.children if child.has_class("-list")]
        height, need = self.size.height, sum(map(_need, lists))
        for child in [child for child in self.children if child.has_class("-spare")]:
            child.display = height >= ROOMY or (self._known and height - need >= LEAST_SPARE)
        rows = not any(getattr(panel, "empty", "") for panel in lists)
        for child in [child for child in self.children if child.has_class("-of-row")]:
            child.display = rows
        others = [child for child in self.children if child.display and child not in lists]
        # Until rows were read nobody knows how many there will be.
        few = self._known and 0 < need <= FEW * height
        stacked = not self._beside or self.screen.has_class("-narrow") or few
        self.set_class(stacked, "-stacked")
        self.set_class(not stacked, "-beside")
        self.set_class(not others, "-alone")


def _need(panel: Widget) -> int:
    tables = [table for table in panel.query(VirtualTable) if table.display]
    return panel.gutter.height + sum(table.wanted_lines for table in tables)
