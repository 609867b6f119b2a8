"""The images of a project: find them, look at them, move them between splits, take them out."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, cast

from textual import on, work
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.worker import get_current_worker

from batman_tui.images.details import ImageDetails, ImageFacts
from batman_tui.keys import bindings
from batman_tui.pictures.gallery import Gallery, ProjectGallery
from batman_tui.pictures.picture_keys import PictureKeys
from batman_tui.project_screen import ProjectScreen
from batman_tui.widgets.panel.list_layout import ListLayout
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.table.filter import FilterInput
from batman_tui.widgets.table.lazy_table import LazyTable
from batman_tui.widgets.table.table import Column, VirtualTable
from core.common.text import plural
from core.data.classes import class_ids
from core.data.images.filter import filter_problems, find_images, parse_filter
from core.data.images.rows import IMAGE_COLUMNS, ImageLine, image_lines
from core.data.store import Project

if TYPE_CHECKING:
    from batman_tui.widgets.dialogs.pick import Item
    from core.data.images.filter import Order

NOTHING_YET = "No images yet. Press Escape, then i to import a data set."
NO_MATCH = "No image matches. Press / and Escape to show all."
PLACEHOLDER = "a name, class:crane, split:valid, import:2, is:unlabelled"


def columns(now: Callable[[], datetime]) -> list[Column[ImageLine]]:
    """Return the columns of the list of images; `now` tells the time, with its zone."""
    return [column.on_screen(now) for column in IMAGE_COLUMNS.values()]


class ImagesScreen(ProjectScreen, PictureKeys):
    """The table of images beside the picture with its boxes."""

    HELP = (
        "Type / to find images by name, or by class:crane, split:valid, import:2, is:unlabelled; "
        "f lists what there is. s puts the marked images into a split. z gives the picture the "
        "whole screen, t shows all as thumbnails; b hides boxes, . shows one class alone."
    )
    CSS_PATH = Path(__file__).with_name("screen.tcss")
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("images"), *bindings("picture")]

    @dataclass
    class Found(Message):
        """The images that the filter means were found."""

        ids: Sequence[int]
        total: int
        problem: str

    @dataclass
    class RowsRead(Message):
        """What the list shows of some images was read."""

        lines: Sequence[ImageLine]
        colours: dict[str, tuple[int, int, int]]
        generation: int

    @dataclass
    class Choices(Message):
        """What images can be narrowed to, or put into, was counted."""

        what: Literal["narrow", "split"]
        items: Sequence[Item]
        grouped: bool = False
        """Whether some of the project's images belong together, as the frames of a video do."""

    def __init__(self, project: Path, narrow: str = "", image_id: int | None = None) -> None:
        """Make the screen for a project; `narrow` is a filter to begin with, `image_id` where."""
        super().__init__(project)
        self._narrow = narrow
        self._wanted_image = image_id
        self._total = 0
        # Rows that were asked for before a change are not taken after it.
        self._generation = 0
        self.table: LazyTable[ImageLine] = LazyTable(
            columns(self.batman.now),
            lambda line: line.id,
            sortable=("name", "split", "boxes", "import"),
            id="images-table",
        )

    def trail(self) -> str:
        """Say whose images these are."""
        return f"{self.project.name} › Images"

    def body(self) -> Iterable[Widget]:
        """Lay the table beside the picture, or above it where it is narrow."""
        yield ListLayout(
            Panel(
                FilterInput(PLACEHOLDER),
                self.table,
                title="Images",
                id="images-panel",
                classes="-list",
            ),
            ImageDetails(self.project, id="image-details"),
            id="images-body",
        )

    @property
    def chosen(self) -> list[int]:
        """The ids of the marked images, or of the one with the cursor when none is marked."""
        if self.table.marks:
            return sorted(self.table.marks)
        return [] if self.table.cursor_key is None else [self.table.cursor_key]

    # Reading, in threads

    def on_mount(self) -> None:
        """Give the keys to the table, and begin with the filter that was asked for."""
        if self._narrow:
            self._narrow_to(self._narrow)
        self.table.focus()

    def on_screen_resume(self) -> None:
        """Read the project, again when one comes back."""
        self.reload()

    def reload(self) -> None:
        """Read everything anew, pictures too: boxes and classes may be others."""
        self._generation += 1
        self.table.forget()
        self.query_one(ImageDetails).picture.forget()
        self._look_up()

    def _look_up(self) -> None:
        order, reverse = self.table.order
        self._find(self.query_one(FilterInput).value, cast("Order", order or "id"), reverse)

    @work(thread=True, exclusive=True, exit_on_error=False, group="find")
    def _find(self, text: str, order: Order, reverse: bool) -> None:
        findings = self.batman.findings.get(self.project)
        wanted = parse_filter(text, findings)
        with Project.open(self.project) as project:
            ids = find_images(project, wanted, order=order, reverse=reverse)
            total = project.summary().images
            problems = [] if ids else list(filter_problems(project, text, findings))
        if not get_current_worker().is_cancelled:
            problem = " ".join(problems[0]) if problems else ""
            self.post_message(self.Found(ids, total, problem))

    @work(thread=True, exit_on_error=False, group="rows")
    def _read(self, ids: Sequence[int], generation: int) -> None:
        from core.data.images.class_colours import class_colour

        with Project.open(self.project) as project:
            lines = image_lines(project, ids)
            classes = class_ids(project)
        colours = {name: class_colour(number) for name, number in classes.items()}
        self.post_message(self.RowsRead(lines, colours, generation))

    @on(Found)
    def _found(self, message: Found) -> None:
        self._total = message.total
        self.table.nothing = NO_MATCH
        self.table.set_keys(message.ids)
        if self._wanted_image is not None and self.table.move_to(self._wanted_image):
            self._wanted_image = None
        panel = self.query_one("#images-panel", Panel)
        panel.empty = "" if message.total else NOTHING_YET
        panel.border_subtitle = Content.styled(message.problem, "$text-warning")
        self._details()

    @on(LazyTable.Wanted)
    def _wanted(self, message: LazyTable.Wanted) -> None:
        self._read(message.keys, self._generation)

    @on(RowsRead)
    def _rows(self, message: RowsRead) -> None:
        if message.generation == self._generation:
            self.query_one(ImageFacts).colours = message.colours
            self.table.put_rows(message.lines)
            self._details()

    @on(LazyTable.Ordered)
    def _ordered(self) -> None:
        self._look_up()

    # The table and its filter

    @on(VirtualTable.Highlighted)
    def _details(self) -> None:
        self.query_one(ImageDetails).show(self.table.cursor_key, self.table.cursor_row)

    @on(VirtualTable.Shown)
    def _counted(self) -> None:
        shown = self.table.row_count
        badge = f"{shown:,} of {self._total:,}" if shown != self._total else f"{shown:,}"
        if self.table.marks:
            badge += f" · {len(self.table.marks):,} marked"
        self.query_one("#images-panel", Panel).badge = badge
        self.refresh_bindings()

    @on(VirtualTable.Opened)
    def _clicked(self) -> None:
        self.action_mark()

    @on(FilterInput.Filter)
    def _filter(self, message: FilterInput.Filter) -> None:
        self._look_up()
        if message.done:
            self.table.focus()

    def _narrow_to(self, text: str) -> None:
        line = self.query_one(FilterInput)
        line.value = f"{line.value} {text}".strip()
        line.set_class(bool(line.value), "-shown")

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim what needs an image while there is none."""
        if action == "video":
            row = self.table.cursor_row
            return True if row is not None and row.group else None
        if action == "draw":
            return True if self._total else None
        if action in ("mark", "mark_all", "split", "delete", "label"):
            return True if self.table.cursor_key is not None else None
        return super().check_action(action, parameters)

    def why_not(self, action: str, parameters: tuple[object, ...]) -> str:
        """Say what there is no image for."""
        if action == "video" and self.table.cursor_key is not None:
            return "The image is no frame of a video."
        if action == "filter" or self.table.cursor_key is not None:
            return ""
        return NO_MATCH if self._total else NOTHING_YET

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one(FilterInput).open()

    def action_mark(self) -> None:
        """Mark the image with the cursor, or unmark it."""
        self.table.toggle_mark()

    def action_mark_all(self) -> None:
        """Mark every image that the filter shows, or unmark them."""
        self.table.toggle_all()

    # The pictures, for the keys of pictures

    def gallery(self) -> Gallery:
        """Return the images that the filter shows."""
        return ProjectGallery(self.project, list(self.table.visible_keys), self.trail())

    def here(self) -> int | None:
        """Return the image with the cursor."""
        key: int | None = self.table.cursor_key
        return key

    def go_to(self, key: Hashable) -> None:
        """Put the cursor on an image."""
        if isinstance(key, int):
            self.table.move_to(key)

    def marked(self) -> set[Hashable]:
        """Return the marked images."""
        return set(self.table.marks)

    def mark_in_list(self, key: Hashable) -> bool:
        """Mark an image, or unmark it."""
        self.table.marks = self.table.marks ^ {key}
        return True

    def action_label(self) -> None:
        """Label the image with the cursor."""
        if self.table.cursor_key is not None:
            self.batman.open_label(self.project, image_id=self.table.cursor_key)

    def action_video(self) -> None:
        """Show only the frames of the image's video, or all again."""
        line, row = self.query_one(FilterInput), self.table.cursor_row
        if row is None or not row.group:
            return
        from batman_tui.images.choices import quoted

        term = quoted("video", row.group)
        before, self._wanted_image = line.value, row.id
        line.value = before.replace(term, "").strip() if term in before else f"{before} {term}"
        line.set_class(bool(line.value.strip()), "-shown")

    def action_narrow(self) -> None:
        """Count what images can be narrowed to, and ask."""
        self._count("narrow")

    def action_split(self) -> None:
        """Ask for the split of the chosen images."""
        self._count("split")

    @work(thread=True, exclusive=True, exit_on_error=False, group="choices")
    def _count(self, what: Literal["narrow", "split"]) -> None:
        from batman_tui.images.choices import narrowings, splits

        with Project.open(self.project) as project:
            if what == "split":
                items = splits(project)
            else:
                items = narrowings(project, self.batman.findings.get(self.project) or {})
            row = project.db.execute("SELECT 1 FROM v_images WHERE grp IS NOT NULL LIMIT 1")
            grouped = row.fetchone() is not None
        if not get_current_worker().is_cancelled:
            self.post_message(self.Choices(what, items, grouped))

    @on(Choices)
    def _ask(self, message: Choices) -> None:
        from batman_tui.widgets.dialogs.pick import PickDialog

        if message.what == "narrow":
            dialog = PickDialog("Show only", message.items, noun="Images")
            self.app.push_screen(dialog, lambda text: self._narrow_to(text) if text else None)
            return
        chosen = self.chosen
        dialog = PickDialog(
            f"Put {plural(len(chosen), 'image')} into",
            message.items,
            text="The other frames of the same video go along." if message.grouped else "",
            noun="Images",
        )
        self.app.push_screen(dialog, lambda split: self._put_into(chosen, split))

    def _put_into(self, ids: Sequence[int], split: str | None) -> None:
        from batman_tui.images.choices import DRAW

        if split is None:
            return
        if split == DRAW:
            self.action_draw()
            return
        from core.data.splits.edit import NO_SPLIT, set_splits

        wanted = None if split == NO_SPLIT else split
        self.table.clear_marks()
        self.change(lambda project: set_splits(project, ids, wanted), "They are there already.")

    def action_draw(self) -> None:
        """Ask for shares, and draw the split of every image anew."""
        from batman_tui.images.choices import DEFAULT_DRAW, read_shares
        from batman_tui.widgets.dialogs.dialogs import PromptDialog

        def check(text: str) -> str:
            (train, valid, test), seed = read_shares(text)
            return (
                f"Every image is drawn anew: {train:.0%} train, {valid:.0%} valid, "
                f"{test:.0%} test, seed {seed}. u takes it back."
            )

        self.app.push_screen(
            PromptDialog(
                "Draw new splits",
                label="Shares of train, valid and test, and a seed",
                value=DEFAULT_DRAW,
                button="Draw",
                check=check,
            ),
            self._draw,
        )

    def _draw(self, text: str | None) -> None:
        if text is None:
            return
        from batman_tui.images.choices import read_shares
        from core.data.splits.edit import draw_splits

        shares, seed = read_shares(text)
        self.change(
            lambda project: draw_splits(project, shares, seed)[0], "They are drawn so already."
        )

    def action_delete(self) -> None:
        """Ask, and take the chosen images out of the project."""
        chosen = self.chosen
        if not chosen:
            return
        from batman_tui.widgets.dialogs.dialogs import ConfirmDialog
        from core.data.images.rows import delete_images

        lines = [
            f"{plural(len(chosen), 'image')} and the boxes on "
            f"{'it' if len(chosen) == 1 else 'them'} will be taken out of the project.",
            "Files stay where they are; u brings everything back.",
        ]

        def agreed(yes: bool | None) -> None:
            if yes:
                self.table.clear_marks()
                self.change(lambda project: delete_images(project, chosen), "Nothing to delete.")

        title = f"Delete {plural(len(chosen), 'image')}?"
        self.app.push_screen(ConfirmDialog(title, lines, yes="Delete", no="Keep"), agreed)
