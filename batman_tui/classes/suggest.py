"""The dialog of classes that look alike: each group is one key away from merged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical

from batman_tui.keys import bindings
from batman_tui.widgets.frame.base import BatmanDialog
from batman_tui.widgets.frame.keybar import KeyBar
from batman_tui.widgets.table.table import Column, VirtualTable
from core.common.text import plural

if TYPE_CHECKING:
    from core.data.classes.similar_names import Suggestion

REASONS = {"spelling": "spelling", "typo": "typing error?"}


class SuggestDialog(BatmanDialog[None]):
    """Lists the groups; `merge` is called with the names and the target of each that is merged.

    `edit` is called with a group that the person wants to look at before it is merged, and with
    what is to be called once it is. The list stays below that, and is there again after it.
    """

    BINDINGS = bindings("suggest")
    DEFAULT_CSS = """
    SuggestDialog {
        & > .dialog { width: 100; height: auto; max-height: 80%; padding: 1 1 0 1; }
        VirtualTable { background: $surface; height: auto; max-height: 100%; }
        KeyBar { background: $surface; }
    }
    """

    def __init__(
        self,
        groups: Sequence[Suggestion],
        merge: Callable[[Sequence[str], str], object],
        edit: Callable[[Suggestion, Callable[[], None]], object],
    ) -> None:
        super().__init__()
        self._merge = merge
        self._edit = edit
        self._groups = list(groups)
        columns: list[Column[Suggestion]] = [
            Column("sources", "Merge", lambda group: ", ".join(group.sources), least=20),
            Column("target", "into", lambda group: group.target),
            Column("annotations", "Annotations", lambda group: group.annotations, "number", 11),
            Column("reason", "Why", lambda group: REASONS[group.reason], width=13, muted=True),
        ]
        self.table: VirtualTable[Suggestion] = VirtualTable(columns, lambda group: group.target)

    def compose(self) -> ComposeResult:
        """Lay out the groups and the keys."""
        with Vertical(classes="dialog"):
            yield self.table
            yield KeyBar()

    def on_mount(self) -> None:
        """List the groups."""
        self._list()
        self.table.focus()

    def _list(self) -> None:
        self.table.set_rows(self._groups)
        dialog = self.query_one(".dialog")
        dialog.border_title = f"{plural(len(self._groups), 'group')} of classes that look alike"

    def action_merge(self) -> None:
        """Merge the group with the cursor."""
        group = self.table.cursor_row
        if group is None:
            return
        names = (group.target, *group.sources)
        self._merge(names, group.target)
        self._merged(group)

    def _merged(self, group: Suggestion) -> None:
        """Take a group off the list, and close with the last one."""
        self._groups.remove(group)
        if self._groups:
            self._list()
        else:
            self.dismiss(None)

    def action_edit(self) -> None:
        """Have the group with the cursor looked at before it is merged."""
        group = self.table.cursor_row
        if group is not None:
            self._edit(group, lambda: self._merged(group))
