"""The panel beside the list of projects: what is in the one with the cursor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from batman_tui.services import services_of
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.table.cells import bar, fit
from core.common.text import ago, clean, plural

if TYPE_CHECKING:
    from core.data.overview import ImportLine, Overview
    from core.data.store import ProjectSummary

EMPTY = (
    "Nothing in it yet. Press i to import a data set, images of COCO, a Roboflow project, videos, "
    "or a project of the original Batman."
)
SPLIT_NAMES = {"train": "train", "valid": "valid", "test": "test", None: "no split"}


@dataclass(frozen=True)
class ProjectRow:
    """A project in the list: `summary` comes later than the name, or `problem` instead of it."""

    path: Path
    summary: ProjectSummary | None = None
    problem: str = ""


class _Facts(Widget):
    """The text of the panel, laid out for its width and cut at its height."""

    DEFAULT_CSS = "_Facts { width: 1fr; height: 1fr; }"
    found: reactive[Overview | None] = reactive(None)

    def render(self) -> Content:
        """Return splits, largest classes and imports."""
        found = self.found
        if found is None:
            return Content("")
        width, height = self.size
        lines = [self._splits(found, width)]
        imports = [self._import(item, width) for item in found.imports]
        # The classes take what is left, but not at the price of the newest import.
        room = height - len(lines) - 2 - (2 + min(len(imports), 3) if height > 12 else 0)
        most = max((row.annotations for row in found.largest), default=0)
        counts = max((len(f"{row.annotations:,}") for row in found.largest), default=1)
        name = max(10, (width - counts - 4) // 2)
        if height > 12:
            lines.append(Content(""))
        lines.append(Content.styled(self._classes_title(found), "$foreground-muted"))
        for row in found.largest[: max(1, room + 1)]:
            lines.append(
                Content.assemble(
                    fit(row.name, name),
                    "  ",
                    (
                        bar(row.annotations / most if most else 0, width - name - counts - 4),
                        "$secondary",
                    ),
                    "  ",
                    f"{row.annotations:,}".rjust(counts),
                )
            )
        if height > 12 and imports:
            lines += [Content(""), Content.styled("Imports", "$foreground-muted"), *imports]
        return Content("\n").join(lines[:height])

    @staticmethod
    def _classes_title(found: Overview) -> str:
        there = found.summary.classes
        if there > len(found.largest):
            return f"The {len(found.largest)} largest of {plural(there, 'class', 'classes')}"
        return plural(there, "class", "classes")

    @staticmethod
    def _splits(found: Overview, width: int) -> Content:
        parts = [
            Content.assemble((SPLIT_NAMES[name], "$foreground-muted"), f" {count:,}")
            for name, count in found.splits.items()
        ]
        return Content("   ").join(parts).truncate(width, ellipsis=True)

    def _import(self, item: ImportLine, width: int) -> Content:
        when = ago(item.at, services_of(self.app).now())
        kind = clean(item.kind)
        origin = clean(item.origin)
        room = width - len(kind) - len(when) - 4
        if len(origin) > room:
            # The end of a path tells more than its beginning.
            origin = "…" + origin[-max(1, room - 1) :]
        return Content.assemble(
            kind, "  ", fit(origin, max(1, room)), "  ", (when, "$foreground-muted")
        )


class ProjectDetails(Panel):
    """What is in one project. `show` takes the row; `found` arrives when it was read."""

    def __init__(self) -> None:
        self._facts = _Facts()
        super().__init__(self._facts, title="Details")

    @property
    def found(self) -> Overview | None:
        """What was read of the project."""
        return self._facts.found

    @found.setter
    def found(self, found: Overview) -> None:
        self._facts.found = found
        self.empty = "" if found.summary.images else EMPTY

    def show(self, row: ProjectRow | None) -> None:
        """Show which project it is; keep its figures until the new ones come."""
        self.heading = row.path.name if row else "Details"
        if row is None:
            self._facts.found = None
            self.empty = "Choose a project to see what is in it."
        elif row.problem:
            self._facts.found = None
            self.empty = row.problem
        elif self._facts.found and self._facts.found.summary.path != row.path:
            self._facts.found = None
            self.empty = ""
