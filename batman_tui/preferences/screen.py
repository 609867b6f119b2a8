"""The settings: what each is, changed here or in the file, and what is wrong in the file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.binding import BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from batman_tui.keys import bindings
from batman_tui.settings import ABOUT, CHOICES, FILE, Settings, save_setting
from batman_tui.widgets.frame.base import BatmanScreen
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.table.filter import FilterInput
from batman_tui.widgets.table.table import Column, VirtualTable
from core.common.folders import config_dir
from core.common.text import clean


@dataclass(frozen=True)
class SettingLine:
    """A setting as the list shows it."""

    name: str
    value: object
    about: str

    @property
    def shown(self) -> str:
        """The value as the file would have it."""
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        if isinstance(self.value, tuple):
            return ", ".join(map(str, self.value)) or "as many as fit"
        if isinstance(self.value, dict):
            return ", ".join(f"{name} = {key}" for name, key in self.value.items()) or "as they are"
        return str(self.value) if isinstance(self.value, str) else "see the file"

    @property
    def own(self) -> str | None:
        """A mark for what is not as it is by itself."""
        return "set" if self.value != getattr(Settings(), self.name) else None


class SettingsScreen(BatmanScreen):
    """Lists the settings over what is wrong with them."""

    HELP = (
        "Enter changes the setting with the cursor and writes it into the config file, whose other "
        "lines stay; d makes it what it is by itself. Keys and notifications are tables of the "
        "file. What was wrong in the file is told below, keys that hide each other among it."
    )
    CSS_PATH = Path(__file__).with_name("screen.tcss")
    BINDINGS: ClassVar[list[BindingType]] = bindings("settings")

    def __init__(self) -> None:
        super().__init__()
        self.table: VirtualTable[SettingLine] = VirtualTable(
            [
                Column("name", "Setting", lambda line: line.name, width=14),
                Column("value", "Value", lambda line: line.shown, width=26),
                Column("own", "", lambda line: line.own, width=4),
                Column("about", "", lambda line: line.about, from_width=70, muted=True),
            ],
            lambda line: line.name,
            id="settings-table",
        )

    def trail(self) -> str:
        """Say what this is."""
        return "Settings"

    def body(self) -> Iterable[Widget]:
        """Lay the list over what its row is for, which the list may have to cut, and problems."""
        yield Panel(FilterInput("Filter by name"), self.table, title="Settings")
        yield Static("", id="settings-about", markup=False)
        yield Static("", id="settings-problems", markup=False)

    def on_mount(self) -> None:
        """List the settings, and what is wrong with them."""
        self._list()
        self.table.focus()
        self.query_one(Panel).badge = clean(str(config_dir() / FILE))
        problems = self.batman.problems
        said = self.query_one("#settings-problems", Static)
        said.display = bool(problems)
        said.update(Content("\n").join(Content(f"! {clean(problem)}") for problem in problems))

    def _list(self) -> None:
        settings = self.batman.settings
        self.table.set_rows(
            SettingLine(name, self._now(name, settings), about) for name, about in ABOUT.items()
        )

    def _now(self, name: str, settings: Settings) -> object:
        return self.app.theme if name == "theme" else getattr(settings, name)

    @on(VirtualTable.Highlighted)
    def _moved(self) -> None:
        row = self.table.cursor_row
        self.query_one("#settings-about", Static).update(row.about if row is not None else "")

    @on(VirtualTable.Opened)
    def _clicked(self) -> None:
        self.action_change()

    @on(FilterInput.Filter)
    def _filter(self, message: FilterInput.Filter) -> None:
        self.table.filter(message.text)
        if message.done:
            self.table.focus()

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim what is to be changed elsewhere."""
        row = self.table.cursor_row
        if action in ("change", "default"):
            return True if row is not None and self._choices(row.name) else None
        return super().check_action(action, parameters)

    def why_not(self, action: str, parameters: tuple[object, ...]) -> str:
        """Say where the setting is changed."""
        row = self.table.cursor_row
        if action not in ("change", "default") or row is None:
            return ""
        return f"{row.about} It is changed in {config_dir() / FILE}."

    def _choices(self, name: str) -> tuple[Any, ...]:
        if name.endswith("theme"):
            return tuple(sorted(self.app.available_themes))
        if name == "animations":
            return (True, False)
        return CHOICES.get(name, ())

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one(FilterInput).open()

    def action_change(self) -> None:
        """Ask for another value; of two the other is taken."""
        row = self.table.cursor_row
        choices = self._choices(row.name) if row is not None else ()
        if row is None or not choices:
            return
        if isinstance(row.value, bool):
            self._set(row.name, not row.value)
            return
        from batman_tui.widgets.dialogs.pick import Item, PickDialog

        name = row.name
        items = [Item(value, value, "now" if value == row.value else "") for value in choices]
        dialog = PickDialog(name, items, text=row.about)
        self.app.push_screen(dialog, lambda value: self._set(name, value) if value else None)

    def action_default(self) -> None:
        """Make the setting what it is by itself."""
        row = self.table.cursor_row
        if row is None:
            return
        default = getattr(Settings(), row.name)
        if self._now(row.name, self.batman.settings) == default:
            self.batman.tell(f"'{row.name}' has its default already.")
        else:
            self._set(row.name, default)

    def _set(self, name: str, value: Any) -> None:
        save_setting(name, value)
        self.batman.settings = replace(self.batman.settings, **{name: value})
        if name == "theme":
            self.app.theme = value
        elif name == "animations":
            self.app.animation_level = "full" if value else "none"
        self._list()
        self.refresh_bindings()
