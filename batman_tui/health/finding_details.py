"""The panel of one finding: what it means, what to do, and examples to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from batman_tui.pictures.gallery import project_scene
from batman_tui.pictures.viewer import Viewer
from batman_tui.widgets.panel.panel import Panel
from core.common.text import clean

if TYPE_CHECKING:
    from core.data.health import Finding

COLOURS = {"error": "$text-error", "serious": "$text-warning", "notice": "$foreground-muted"}


class FindingDetails(Panel):
    """Explains `finding` and shows one of its examples; `turn` goes to another."""

    DEFAULT_CSS = """
    FindingDetails {
        & > Container { layout: vertical; width: 1fr; height: 1fr; }
        & VerticalScroll { height: auto; max-height: 12; width: 1fr; }
        & Static { width: 1fr; height: auto; }
        & Viewer { margin-top: 1; }
        &.-low > Container { layout: horizontal; }
        &.-low VerticalScroll { width: 3fr; height: 1fr; max-height: 100%; }
        &.-low Viewer { width: 2fr; margin: 0 0 0 2; }
        &.-pictureless Viewer { display: none; }
    }
    """

    finding: reactive[Finding | None] = reactive(None)

    def __init__(self, project: Path, id: str | None = None) -> None:
        self.picture = Viewer()
        self._project = project
        self._text = Static("")
        self._place = 0
        super().__init__(
            Container(VerticalScroll(self._text, can_focus=False), self.picture),
            title="Finding",
            id=id,
            classes="-of-row",
        )

    def on_resize(self) -> None:
        """Put the picture beside the text where the panel is low."""
        self.set_class(self.size.height < 18, "-low")

    def watch_finding(self, before: Finding | None, finding: Finding | None) -> None:
        """Explain the finding and show its first example."""
        if finding is None:
            self.heading, self.badge = "Finding", ""
            self._text.update("")
            self.picture.show_scene(None, None)
            return
        self.heading = finding.kind
        parts: list[str | tuple[str, str]] = [
            (finding.severity.upper(), f"{COLOURS[finding.severity]} bold"),
            f"  {clean(finding.message)}\n\n",
            (clean(finding.hint), "$foreground-muted"),
        ]
        if finding.fix:
            parts += ["\n\n", ("Fix (f)  ", "bold"), clean(finding.fix), "."]
        self._text.update(Content.assemble(*parts))
        if before is None or before.kind != finding.kind or before.images != finding.images:
            self._place = 0
        # The same finding of another check: what is on its pictures may be something else.
        self.picture.forget()
        self.set_class(not finding.images, "-pictureless")
        self._show()

    @property
    def image_id(self) -> int | None:
        """The image that is shown as an example."""
        finding = self.finding
        return finding.images[self._place] if finding is not None and finding.images else None

    def turn(self, step: int) -> None:
        """Go `step` examples on, round and round."""
        if self.finding is not None and self.finding.images:
            self._place = (self._place + step) % len(self.finding.images)
            self._show()

    def _show(self) -> None:
        finding = self.finding
        if finding is None or not finding.images:
            self.picture.show_scene(None, None)
            self.badge = ""
            return
        image = finding.images[self._place]
        self.badge = f"example {self._place + 1} of {len(finding.images)}"
        self.picture.show_scene(image, lambda: project_scene(self._project, image))

    @property
    def image(self) -> int | None:
        """The example that is shown."""
        images = self.finding.images if self.finding is not None else ()
        return images[self._place] if images else None

    def go_to(self, image: object) -> None:
        """Show an example, if the image is one."""
        if self.finding is not None and image in self.finding.images:
            self._place = self.finding.images.index(image)
            self._show()
