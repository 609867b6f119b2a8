"""Two pictures that are the same or nearly so, side by side: names, splits, what differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Static
from textual.worker import get_current_worker

from batman_tui.keys import bindings
from batman_tui.pictures.decoded_pictures import DecodedPictures
from batman_tui.pictures.gallery import project_scene
from batman_tui.pictures.viewer import Viewer
from batman_tui.widgets.frame.base import BatmanScreen
from batman_tui.widgets.frame.keybar import KeyBar
from batman_tui.widgets.frame.topbar import TopBar
from batman_tui.widgets.panel.panel import Panel
from core.common.errors import BatmanError
from core.common.text import clean
from core.data.health.difference import difference, facts_differing, said
from core.data.images.rows import image_boxes, image_lines
from core.data.store import Project

MOST = 10
"""Of a larger group each is held against the first only: pairs grow with the square."""


def pairs_of(groups: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Return the pairs to look at: all of a small group, of a large one each with the first."""
    found: list[tuple[int, int]] = []
    for group in groups:
        small = len(group) <= MOST
        found += combinations(group, 2) if small else ((group[0], each) for each in group[1:])
    return found


class PairScreen(BatmanScreen):
    """Shows pairs of the groups of a finding in the project in the folder `project`."""

    HELP = "n goes to the next two. What differs is said below: splits, sizes, labels, pixels."
    BINDINGS: ClassVar[list[BindingType]] = bindings("pair")
    DEFAULT_CSS = """
    PairScreen {
        & Horizontal { height: 1fr; }
        & Panel { width: 1fr; height: 1fr; padding: 0; }
        & #pair-facts { width: 1fr; height: auto; min-height: 2; max-height: 4; padding: 0 1;
            background: $surface; }
    }
    """

    @dataclass
    class Compared(Message):
        """Two images were held against each other; `names` are what is known of each."""

        pair: tuple[int, int]
        names: tuple[tuple[str, str], tuple[str, str]]
        facts: str

    def __init__(self, project: Path, groups: Sequence[Sequence[int]], title: str) -> None:
        super().__init__()
        self.project = project
        self.pairs = pairs_of(groups)
        self._title = title
        self._at = 0
        pictures = DecodedPictures()
        self._viewers = [Viewer("Gone.", id=f"pair-{n}", pictures=pictures) for n in (1, 2)]

    def trail(self) -> str:
        """Say which finding they are of."""
        return self._title

    def compose(self) -> ComposeResult:
        """Lay two pictures side by side, what differs below them."""
        bar = TopBar()
        bar.set_reactive(TopBar.trail, self.trail())
        yield bar
        yield Horizontal(
            *(Panel(viewer, title="", id=f"{viewer.id}-panel") for viewer in self._viewers)
        )
        yield Static("", markup=False, id="pair-facts")
        yield KeyBar()

    def on_mount(self) -> None:
        """Show the first two."""
        self._show()

    def on_screen_suspend(self) -> None:
        """Make room for what comes in front."""
        for viewer in self._viewers:
            viewer.cover()

    def on_screen_resume(self) -> None:
        """Show the boxes again."""
        for viewer in self._viewers:
            viewer.uncover()

    def _show(self) -> None:
        if not self.pairs:
            return
        pair = self.pairs[self._at]
        for viewer, image in zip(self._viewers, pair, strict=True):
            viewer.show_scene(image, lambda image=image: project_scene(self.project, image))  # type: ignore[misc]
        self._compare(pair)

    @work(thread=True, exclusive=True, exit_on_error=False, group="compare")
    def _compare(self, pair: tuple[int, int]) -> None:
        with Project.open(self.project) as opened:
            lines = image_lines(opened, pair)
            boxes = [image_boxes(opened, image) for image in pair]
            files = [(opened.image_file(line.path), (line.width, line.height)) for line in lines]
        if len(lines) != 2:
            names, facts = (("", ""), ("", "")), "One of the two is not there any more."
        else:
            one, other = ((line.name, line.split or "no split") for line in lines)
            names = (one, other)
            try:
                pixels = said(difference(files[0], files[1]))
            except BatmanError as problem:
                pixels = problem.message
            differing = facts_differing(lines[0], lines[1], (boxes[0], boxes[1]))
            facts = " · ".join([*(differing or ["splits, sizes and labels are the same"]), pixels])
        if not get_current_worker().is_cancelled:
            self.post_message(self.Compared(pair, names, facts))

    @on(Compared)
    def _compared(self, message: Compared) -> None:
        if message.pair != self.pairs[self._at]:
            return
        for viewer, (name, split) in zip(self._viewers, message.names, strict=True):
            panel = self.query_one(f"#{viewer.id}-panel", Panel)
            panel.heading, panel.badge = name, split
        place = f"{self._at + 1:,} of {len(self.pairs):,}  "
        self.query_one("#pair-facts", Static).update(
            Content.assemble((place, "$foreground-muted"), clean(message.facts))
        )

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim what cannot be done."""
        if action == "turn":
            return True if len(self.pairs) > 1 else None
        return super().check_action(action, parameters)

    def action_turn(self, by: int) -> None:
        """Go to the next two, or the two before; round and round."""
        self._at = (self._at + by) % max(1, len(self.pairs))
        self._show()

    def action_hide_boxes(self) -> None:
        """Hide the boxes of both, or show them."""
        for viewer in self._viewers:
            viewer.hide_boxes()
