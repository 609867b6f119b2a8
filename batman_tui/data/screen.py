"""What is in a project's data: objects by class and split, sizes, shapes, places, growth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.containers import Grid, VerticalScroll
from textual.message import Message
from textual.widget import Widget
from textual.worker import get_current_worker

from batman_tui.keys import bindings
from batman_tui.project_screen import ProjectScreen
from batman_tui.widgets.chart.bars import BarChart, HeatMap
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.panel.zoom import toggle_zoom
from core.common.errors import BatmanError
from core.common.text import plural
from core.data.stats.bars import charts
from core.data.store import Project

if TYPE_CHECKING:
    from core.data.stats import DataStats

IMAGE_SIZE = 640
# The charts in the order in which they lie; the map comes after the third.
CHARTS = ("classes", "sides", "objects", "aspects", "splits", "pictures", "growth")


class DataScreen(ProjectScreen):
    """The charts of the project in the folder `project`, for a training size."""

    HELP = (
        "All that is counted is what training would see now. s measures boxes at another training "
        "size; z enlarges the part with the focus (Tab); w writes the figures as JSON and PNG."
    )
    CSS_PATH = Path(__file__).with_name("screen.tcss")
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
    BINDINGS: ClassVar[list[BindingType]] = bindings("data")

    @dataclass
    class Counted(Message):
        """The project was counted."""

        stats: DataStats

    @dataclass
    class Written(Message):
        """The figures are in files."""

        text: str

    def __init__(self, project: Path, image_size: int = IMAGE_SIZE) -> None:
        super().__init__(project)
        self.image_size = image_size
        self.stats: DataStats | None = None
        """What was counted last."""

    def trail(self) -> str:
        """Say whose data it is."""
        return f"{self.project.name} › Data"

    def body(self) -> Iterable[Widget]:
        """Lay the charts in a grid that scrolls where it is low."""
        panels = [self._panel(BarChart(), name) for name in CHARTS]
        panels.insert(3, self._panel(HeatMap(), "heat"))
        yield VerticalScroll(Grid(*panels, id="data-grid"), id="data-body", can_focus=False)

    @staticmethod
    def _panel(chart: Widget, name: str) -> Panel:
        # What does not fit a panel is reached by scrolling in it.
        return Panel(VerticalScroll(chart, id=f"scroll-{name}"), title="", id=f"data-{name}")

    def on_mount(self) -> None:
        """Count."""
        self.query_one("#data-heat", Panel).heading = "Where boxes lie"
        self.query_one("#data-classes", Panel).heading = "Objects by class"
        self.query_one("#scroll-classes").focus()
        self.reload()

    def reload(self) -> None:
        """Count again."""
        self.query_one("#data-classes", Panel).badge = "counting …"
        self._count(self.image_size)

    @work(thread=True, exclusive=True, exit_on_error=False, group="count")
    def _count(self, image_size: int) -> None:
        from core.data.stats import collect

        with Project.open(self.project) as project:
            stats = collect(project, image_size)
        if not get_current_worker().is_cancelled:
            self.post_message(self.Counted(stats))

    @on(Counted)
    def _show(self, message: Counted) -> None:
        stats = self.stats = message.stats
        for chart in charts(stats):
            panel = self.query_one(f"#data-{chart.id}", Panel)
            panel.heading = chart.title
            panel.query_one(BarChart).bars = chart
        nothing = "" if stats.total_images else "There are no pictures yet. Press i to import some."
        classes = self.query_one("#data-classes", Panel)
        objects, kinds = stats.total_annotations, len(stats.classes)
        classes.badge = f"{plural(objects, 'box', 'boxes')}, {plural(kinds, 'class')}"
        classes.empty = nothing
        self.query_one("#data-splits", Panel).badge = f"{stats.total_images:,}"
        self.query_one(HeatMap).grid = stats.heat
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim what needs figures while there are none."""
        if action == "write":
            return True if self.stats is not None else None
        return super().check_action(action, parameters)

    def action_zoom(self) -> None:
        """Give the panel with the focus the whole screen, or go back to all of them."""
        toggle_zoom(self, *(f"data-{name}" for name in (*CHARTS, "heat")))

    def action_size(self) -> None:
        """Ask for the training size that boxes are measured at."""
        from batman_tui.widgets.dialogs.dialogs import PromptDialog

        def check(text: str) -> str:
            if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 10_000):
                raise BatmanError("A size is a number of pixels, such as 640.")
            return "Pictures are stretched to a square of this size."

        def sized(text: str | None) -> None:
            if text is not None:
                self.image_size = int(text)
                self.reload()

        size = str(self.image_size)
        self.app.push_screen(
            PromptDialog(
                "Training image size", label="Pixels", value=size, button="Measure", check=check
            ),
            sized,
        )

    def action_write(self) -> None:
        """Write the figures into the workspace's exports and say where."""
        if self.stats is not None:
            folder = self.batman.workspace.root / "exports" / f"{self.project.name}-stats"
            self._write(self.stats, folder)

    @work(thread=True, exit_on_error=False, group="save")
    def _write(self, stats: DataStats, folder: Path) -> None:
        from core.plots.data_sheet import write_stats

        try:
            write_stats(stats, folder)
        except OSError as error:
            raise BatmanError(f"'{folder}' cannot be written.", str(error)) from error
        self.post_message(self.Written(f"Written to {folder}: stats.json and stats.png"))

    @on(Written)
    def _written(self, message: Written) -> None:
        self.batman.tell(message.text)
