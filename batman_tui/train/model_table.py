"""The table that a model is chosen from."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Static

from batman_tui.keys import bindings
from batman_tui.widgets.frame.base import BatmanDialog
from batman_tui.widgets.frame.keybar import KeyBar
from batman_tui.widgets.table.table import Column, VirtualTable
from core.models.sizes import MODELS, ModelSize


def _columns() -> list[Column[ModelSize]]:
    def or_dash(value: float | None) -> str | None:
        return None if value is None else f"{value:.1f}"

    return [
        Column("name", "Model", lambda m: m.name, width=16),
        Column("params", "Params", lambda m: f"{m.params:.1f} M", width=7, sort=lambda m: m.params),
        Column("size", "Made for", lambda m: f"{m.resolution} px", width=8,
               sort=lambda m: m.resolution),
        Column("step", "Steps of", lambda m: f"{m.divisor} px", width=8, from_width=66,
               sort=lambda m: m.divisor),
        Column("ap", "COCO AP", lambda m: or_dash(m.coco_ap), width=7, sort=lambda m: m.coco_ap),
        Column("ms", "T4 ms", lambda m: or_dash(m.latency_ms), width=5,
               sort=lambda m: m.latency_ms),
        Column("licence", "Licence", lambda m: m.licence, width=10),
    ]  # fmt: skip


class ModelDialog(BatmanDialog[str]):
    """All models with their figures; the result is the name of the one chosen."""

    DEFAULT_CSS = """
    ModelDialog {
        & > .dialog { width: 84; padding: 0 1; }
        #models { height: auto; max-height: 14; background: $surface; }
        #model-note { height: 2; margin: 1 0; color: $foreground-muted; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings("models")

    def __init__(self, chosen: str) -> None:
        super().__init__()
        self._chosen = chosen

    def compose(self) -> ComposeResult:
        """Lay out the table, what is to be said of the model under the cursor, and the keys."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Models"
            yield VirtualTable[ModelSize](_columns(), lambda model: model.name, id="models")
            yield Static("", markup=False, id="model-note")
            yield KeyBar()

    def on_mount(self) -> None:
        """Fill the table and go to the model that is chosen now."""
        table = self.query_one(VirtualTable)
        table.set_rows(MODELS.values())
        table.move_to(self._chosen)
        table.focus()
        self._note()

    @on(VirtualTable.Highlighted)
    def _note(self) -> None:
        model = self.query_one(VirtualTable).cursor_row
        if model is not None:
            note = model.note[:1].upper() + model.note[1:]
            self.query_one("#model-note", Static).update(
                f"{note}. Image sizes are multiples of {model.divisor}. Figures are rfdetr's own."
            )

    @on(VirtualTable.Opened)
    def action_choose(self) -> None:
        """Take the model under the cursor."""
        self.dismiss(self.query_one(VirtualTable).cursor_key)
