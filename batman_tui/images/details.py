"""The panel of one image: the picture with its boxes, and what is known of it."""

from __future__ import annotations

from pathlib import Path

from textual.containers import Container
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from batman_tui.pictures.gallery import project_scene
from batman_tui.pictures.viewer import Viewer
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.table.cells import fit
from core.common.text import clean
from core.data.images.class_colours import UNKNOWN, Colour, hex_colour
from core.data.images.rows import ImageLine


class ImageFacts(Widget):
    """Size, split, import and classes of an image, laid out for its width and height."""

    DEFAULT_CSS = "ImageFacts { width: 1fr; height: 1fr; }"
    line: reactive[ImageLine | None] = reactive(None)

    def __init__(self) -> None:
        super().__init__()
        self.colours: dict[str, Colour] = {}
        """The colour of each class's boxes."""

    def render(self) -> Content:
        """Return a line for each fact, the classes with the colour of their boxes."""
        line, (width, height) = self.line, self.size
        if line is None or not height:
            return Content("")
        facts = [
            ("size", f"{line.width:,} × {line.height:,}"),
            ("split", line.split or "none"),
            ("import", str(line.import_id)),
        ]
        if line.group:
            facts.append(("group", line.group))
        if line.time is not None:
            facts.append(("time", f"{line.time:.2f} s"))
        rows: list[Content] = []
        # Side by side where they fit, so that the classes have the lines.
        row, used = Content(""), 0
        for name, value in facts:
            piece = Content.assemble((f"{name} ", "$foreground-muted"), clean(value))
            if used and used + 3 + piece.cell_length > width:
                rows.append(row)
                row, used = Content(""), 0
            row = Content.assemble(row, "   " if used else "", piece)
            used = row.cell_length
        rows.append(row)
        if not line.classes:
            rows.append(Content.styled("no boxes", "$foreground-muted"))
        room = max(1, height - len(rows))
        shown = line.classes if len(line.classes) <= room else line.classes[: room - 1]
        counts = max((len(f"{count:,}") for _, count in line.classes), default=1)
        for name, count in shown:
            rows.append(
                Content.assemble(
                    ("■ ", hex_colour(self.colours.get(name, UNKNOWN))),
                    fit(name, max(4, min(28, width - counts - 4))),
                    " ",
                    f"{count:,}".rjust(counts),
                )
            )
        if len(shown) < len(line.classes):
            more = len(line.classes) - len(shown)
            rows.append(Content.styled(f"and {more:,} more", "$foreground-muted"))
        return Content("\n").join(part.truncate(width, ellipsis=True) for part in rows[:height])


class ImageDetails(Panel):
    """The picture above the facts, or beside them where the panel is low."""

    DEFAULT_CSS = """
    ImageDetails {
        & > Container { layout: vertical; width: 1fr; height: 1fr; }
        & ImageFacts { height: 7; margin-top: 1; }
        &.-low > Container { layout: horizontal; }
        &.-low ImageFacts { height: 1fr; width: 30; margin: 0 0 0 2; }
    }
    """

    def __init__(self, project: Path, id: str | None = None) -> None:
        self.picture = Viewer()
        self.facts = ImageFacts()
        self._project = project
        super().__init__(Container(self.picture, self.facts), title="Image", id=id)

    def on_resize(self) -> None:
        """Put the facts beside the picture where the panel is low and wide."""
        self.set_class(self.size.height < 16 or self.size.width > 4 * self.size.height, "-low")

    def show(self, image_id: int | None, line: ImageLine | None) -> None:
        """Show an image; what the list says of it may come later than its number."""
        self.facts.line = line
        self.heading = line.name if line else "Image"
        if image_id is None:
            self.picture.show_scene(None, None)
            return
        self.picture.show_scene(image_id, lambda: project_scene(self._project, image_id))
