"""The panes of the evaluation: classes with a curve, confusions, and the worst images."""

from __future__ import annotations

from textual.containers import Container
from textual.widgets import Static

from batman_tui.evaluate.details import Row, class_columns, image_columns, mixup_columns
from batman_tui.pictures.viewer import Viewer
from batman_tui.widgets.panel.list_layout import ListLayout
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.plot.plot import Plot
from batman_tui.widgets.table.table import VirtualTable
from core.evaluation.display import Mixup
from core.evaluation.result import ClassResult, WorstImage


def panes() -> Container:
    """Return the three panes, of which one is shown; nothing is in them yet."""
    return Container(
        ListLayout(
            Panel(
                VirtualTable[ClassResult](
                    class_columns(), lambda row: row.name, sort="ap", id="classes"
                ),
                title="",
                id="classes-panel",
                classes="-list",
            ),
            Panel(Plot(id="curve"), title="Precision and recall", id="curve-panel"),
            id="pane-classes",
        ),
        Container(
            Panel(
                VirtualTable[Row]([], lambda row: row[0], search=lambda row: row[0],
                                  id="matrix"),
                title="Confusion matrix",
                id="matrix-panel",
            ),
            Panel(
                VirtualTable[Mixup](
                    mixup_columns(), lambda row: (row.truth, row.taken),
                    search=lambda row: row.truth, id="confusion",
                ),
                title="",
                id="confusion-panel",
                classes="-list",
            ),
            id="pane-confusion",
        ),
        ListLayout(
            Panel(
                VirtualTable[WorstImage](
                    image_columns(), lambda row: row.image_id, id="images"
                ),
                title="",
                id="images-panel",
                classes="-list",
            ),
            Panel(
                Viewer("Choose an image."),
                Static("", markup=False, id="caption"),
                title="",
                id="picture-panel",
            ),
            id="pane-images",
        ),
        id="evaluate-panes",
    )  # fmt: skip
