"""The panel that shows what is in the project with the cursor, and what to do with it next."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual.containers import Horizontal
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from batman_tui.services import services_of
from batman_tui.widgets.panel.panel import Panel

if TYPE_CHECKING:
    from batman_tui.projects.sections import Section
    from core.autolabel.loop import Standing
    from core.data.overview import Overview
    from core.data.store import ProjectSummary

EMPTY = (
    "Nothing in it yet. Press i to import a data set, images of COCO, a Roboflow project, videos, "
    "or a project of the original Batman."
)

TWO = 84
"""From this many cells on there are two columns."""

ONE_COLUMN = ("counts", "next", "runs", "classes", "imports")


@dataclass(frozen=True)
class ProjectRow:
    """A project in the list: `summary` comes later than the name, or `problem` instead of it.

    `best` is the highest mAP50-95 of its runs, None while there is none.
    """

    path: Path
    summary: ProjectSummary | None = None
    problem: str = ""
    best: float | None = None


def images_by_split(row: ProjectRow) -> str | None:
    """Return how many images are in train, valid and test, in this order, and in none."""
    found = row.summary.splits if row.summary is not None else {}
    there = " · ".join(f"{found.get(name, 0):,}" for name in ("train", "valid", "test"))
    without = f"{found[None]:,} no split" if None in found else ""
    parts = [there if found.keys() - {None} else "", without]
    return ", ".join(filter(None, parts)) or None


@dataclass(frozen=True)
class Known:
    """What was read of a project: what is in it, and where it stands with its runs."""

    overview: Overview
    standing: Standing


class _Sections(Widget):
    """Some of the sections, as many of their lines as there is room for."""

    DEFAULT_CSS = "_Sections { width: 1fr; height: 1fr; }"
    known: reactive[Known | None] = reactive(None)
    which: tuple[str, ...] = ()

    def render(self) -> Content:
        """Return the lines."""
        known = self.known
        if known is None:
            return Content("")
        # Only needed when something was read.
        from batman_tui.projects.sections import (
            classes,
            counts,
            imports,
            next_steps,
            runs,
            stacked,
        )

        width, height = self.size
        found, standing = known.overview, known.standing
        now = services_of(self.app).now()
        sections: dict[str, Section] = {
            "counts": counts(found, standing, width),
            "next": next_steps(standing, width, self._key_of),
            "runs": runs(standing, now, width),
            "classes": classes(found, width),
            "imports": imports(found, now, width),
        }
        return Content("\n").join(stacked([sections[name] for name in self.which], height))

    def _key_of(self, action: str) -> str:
        from batman_tui.keys import ACTIONS
        from batman_tui.navigation.ways import Ways

        return Ways(self.app).key_of(ACTIONS[action])


class ProjectDetails(Panel):
    """What is in one project. `show` takes the row; `known` arrives when it was read."""

    DEFAULT_CSS = """
    ProjectDetails {
        & > Horizontal { width: 1fr; height: 1fr; }
        & #project-right { margin-left: 4; }
    }
    """

    def __init__(self) -> None:
        self._left, self._right = _Sections(), _Sections(id="project-right")
        super().__init__(title="Details")
        self._deal()

    def on_mount(self) -> None:
        """Leave what nothing is known for yet out of the first frame."""
        self.call_after_refresh(self.mount, Horizontal(self._left, self._right))

    def on_resize(self) -> None:
        """Show a second column where there is room for one."""
        self._deal()

    def _deal(self) -> None:
        two = self.size.width >= TWO
        self._right.display = two
        self._left.which = ("counts", "next", "runs") if two else ONE_COLUMN
        self._right.which = ("classes", "imports")
        self._left.refresh()

    @property
    def known(self) -> Known | None:
        """What was read of the project."""
        return self._left.known

    @known.setter
    def known(self, known: Known) -> None:
        self._put(known)
        self.empty = "" if known.overview.summary.images else EMPTY

    def _put(self, known: Known | None) -> None:
        self._left.known = self._right.known = known

    def show(self, row: ProjectRow | None) -> None:
        """Show which project it is; keep its figures until the new ones come."""
        self.heading = row.path.name if row else "Details"
        if row is None:
            self._put(None)
            self.empty = "Choose a project to see what is in it."
        elif row.problem:
            self._put(None)
            self.empty = row.problem
        elif self.known and self.known.overview.summary.path != row.path:
            self._put(None)
            self.empty = ""
