"""Choosing an augmentation by what it makes of the project's own pictures."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import ContentSwitcher, Static

from batman_tui.keys import bindings
from batman_tui.pictures.picture_screen import PictureScreen
from batman_tui.pictures.scene import Scene
from batman_tui.task_dialog import TaskDialog
from batman_tui.widgets.frame.keybar import KeyBar
from batman_tui.widgets.picture.picture import Picture
from batman_tui.widgets.table.table import Column, VirtualTable
from core.common.text import plural
from core.processes.job import run_job
from core.training.config.augmentation import (
    DEFAULT,
    PRESETS,
    augmentation_text,
    augmentation_words,
)
from core.training.config.options import TrainingConfig

if TYPE_CHECKING:
    from PIL.Image import Image

    from core.common.progress import Progress

MODULE = "core.training.worker.trial.preview_augmentation"
OWN = "your own"
_TILE = 320


def _draw(file: Path, room: tuple[int, int]) -> Image:
    from core.data.images.thumbnails import picture

    return picture(file, room)


class _Sheet:
    """The picture of a preview alone, for the whole screen."""

    def __init__(self, title: str, file: Path) -> None:
        self.title = title
        self.keys: Sequence[Hashable] = [file]

    def scenes(self, keys: Sequence[Hashable]) -> dict[Hashable, Scene]:
        """Return it."""
        from PIL import Image

        found: dict[Hashable, Scene] = {}
        for key in keys:
            if isinstance(key, Path) and key.is_file():
                with Image.open(key) as opened:
                    found[key] = Scene(
                        key, opened.size, (), self.title, "as it is, then by epoch", drawn=True
                    )
        return found


class AugmentationDialog(TaskDialog[str]):
    """Shows what each augmentation does; the result is the name (or JSON) of the one taken.

    `config` are the settings as they stand, with a project: image size, seed and classes matter to
    what is seen.
    """

    HELP = (
        "Each row is a picture of the project: as it is, and as training would show it in its "
        "first epochs with the seed that is set. The code that trains makes it, in a process of "
        "its own, which takes some seconds to begin."
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings("augmentation")
    DEFAULT_CSS = """
    AugmentationDialog {
        & > .dialog { width: 100%; height: 100%; padding: 0 1; }
        ContentSwitcher, #form { height: 1fr; }
        #augmentations { height: 7; background: $surface; }
        #sheet { height: 1fr; }
        #running { height: auto; }
        #bar { width: 1fr; margin: 1 0; }
        #bar Bar { width: 1fr; }
        KeyBar { dock: none; padding: 0; background: $surface; }
    }
    """
    STOPPED = "The preview was stopped."
    ESCAPE = "Escape stops it."

    def __init__(self, config: TrainingConfig) -> None:
        assert config.project is not None
        super().__init__(config.project)
        self._config = config
        chosen = config.augmentation
        self._own = chosen if isinstance(chosen, dict) else None
        self._now = OWN if self._own else chosen or (DEFAULT if config.augment else "none")
        self._folder = tempfile.TemporaryDirectory(prefix="batman-preview-")
        self._sheets: dict[str, Path] = {}
        self._asked = ""
        self.table: VirtualTable[str] = VirtualTable(
            [
                Column("chosen", "", lambda name: "●" if name == self._now else "", width=1),
                Column("name", "Augmentation", lambda name: name, width=12),
                Column("does", "What it does", self._words, least=20),
                Column("seen", "Seen", lambda name: "yes" if name in self._sheets else "",
                       width=4, from_width=70),
            ],
            lambda name: name,
            id="augmentations",
        )  # fmt: skip
        self.sheet = Picture("Space shows what it makes of your pictures.", id="sheet")

    def _words(self, name: str) -> str:
        return augmentation_words(self._own if name == OWN else name)

    def compose(self) -> ComposeResult:
        """Lay out the names over the picture, and the bar in their place while it is made."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Augmentation"
            with ContentSwitcher(initial="form", id="phases"):
                with Vertical(id="form"):
                    yield self.table
                    yield Static("", markup=False, id="said", classes="dialog--hint")
                    yield self.sheet
                yield from self.running_part()
            yield KeyBar()

    def on_mount(self) -> None:
        """Go to what is chosen now."""
        self._list()
        self.table.move_to(self._now)
        self.table.focus()

    def on_unmount(self) -> None:
        """Remove the pictures."""
        self._folder.cleanup()

    def _list(self) -> None:
        self.table.set_rows([*PRESETS, *([OWN] if self._own else [])])
        self._show()

    @on(VirtualTable.Highlighted, "#augmentations")
    def _show(self) -> None:
        name = self.table.cursor_key
        file = self._sheets.get(str(name))
        self.sheet.show(file, functools.partial(_draw, file) if file else None)
        self.query_one("#said", Static).update(
            "Each row: a picture as it is, then as the first epochs show it."
            if file
            else self._words(str(name))  # whole: the column may be too narrow for it
        )
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done now."""
        if action in ("choose", "start", "whole"):
            if self.phase != "form":
                return False
            if action == "whole" and str(self.table.cursor_key) not in self._sheets:
                return None
        return super().check_action(action, parameters)

    def why_not(self, action: str, parameters: tuple[object, ...]) -> str:
        """Say that there is no picture to look closer at."""
        return "There is no preview of it yet: space makes one." if action == "whole" else ""

    def _value(self, name: str) -> str:
        return augmentation_text(self._own) if name == OWN else name

    @on(VirtualTable.Opened, "#augmentations")
    def action_choose(self) -> None:
        """Take the augmentation with the cursor."""
        if self.phase == "form" and self.table.cursor_key is not None:
            self.dismiss(self._value(str(self.table.cursor_key)))

    def action_start(self) -> None:
        """Make pictures of the augmentation with the cursor, unless they are there."""
        name = str(self.table.cursor_key)
        if self.phase != "form" or name in self._sheets or self.table.cursor_key is None:
            return
        self._asked = name
        settings = self._config.with_changes(augmentation=self._value(name))
        options = {
            "config": settings.model_dump(mode="json"),
            "output": str(Path(self._folder.name) / f"{name}.png"),
            **self._grid(),
        }

        def make(progress: Callable[[Progress], None], cancelled: Callable[[], bool]) -> Any:
            from core.training.launch.local import require_trainer

            require_trainer()
            return run_job(MODULE, options, progress, cancelled, name="The preview")

        self.begin_job(make, "The preview is not done.")

    def _grid(self) -> dict[str, int]:
        """Return as many images and draws as can be told apart in the room there is."""
        width, height = self.sheet.size
        across = max(3, min(7, width // 20))
        # A cell is about twice as high as it is wide.
        down = max(2, min(5, height * 2 * across // max(1, width)))
        # Of the sheet a cell shows so many pixels; lines thinner than half of one are not seen.
        cell = max(_TILE * across / max(1, width), _TILE * down / max(1, 2 * height))
        return {"images": down, "draws": across - 1, "tile": _TILE, "line": round(cell / 2)}

    def form_again(self) -> None:
        """Back to the names."""
        self.table.focus()

    def ended_well(self, report: Any) -> None:
        """Show the picture."""
        self.phase = "form"
        self._sheets[self._asked] = Path(report["file"])
        self._list()
        self.table.focus()
        self.batman.tell(f"{plural(int(report['rows']), 'picture')} of {self.project.name}.")

    def action_whole(self) -> None:
        """Give the picture the whole screen, to look closer."""
        file = self._sheets.get(str(self.table.cursor_key))
        if file is not None:
            self.app.push_screen(PictureScreen(_Sheet(str(self.table.cursor_key), file), file))
