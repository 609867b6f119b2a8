"""Every key of the app in one table: what it does, how it is called, where it shows.

A screen takes its `BINDINGS` from here with `bindings("room")`. The identifier of an action
(`classes.merge`) is what a person writes in the `[keys]` table of the configuration to give it
another key, and what the help screen and the command palette show. Footers show the actions that
are marked for it, in this order, as many as fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from textual.binding import Binding

from core.text import did_you_mean


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a person can do with a key.

    `id` is `room.name`; `keys` are Textual key names joined by commas; `run` is the Textual
    action; `label` goes to the footer (one or two words), `help` to F1 and the palette (a
    sentence); `footer` is whether the footer shows it.
    """

    id: str
    keys: str
    run: str
    label: str
    help: str
    footer: bool = False
    priority: bool = False

    def binding(self) -> Binding:
        """Return Textual's form of the action."""
        return Binding(
            self.keys,
            self.run,
            self.label,
            show=self.footer,
            tooltip=self.help,
            id=self.id,
            priority=self.priority,
        )


TITLES = {
    "app": "Everywhere",
    "screen": "This screen",
    "table": "Tables",
    "filter": "Filter",
    "dialog": "Dialogs",
    "projects": "Projects",
    "classes": "Classes",
    "import": "Import",
    "train": "Train",
    "runs": "Runs",
    "run": "Run",
    "text": "Long text",
}

_F = True  # shown in the footer

_TABLE: tuple[Action, ...] = (
    # Everywhere
    Action("app.help", "f1,question_mark", "help", "Help", "Show every key that works here."),
    Action("app.palette", "ctrl+p", "command_palette", "Commands", "Find a command by its name."),
    Action("app.projects", "1", "view('projects')", "Projects", "Go to the projects."),
    Action("app.runs", "2", "view('runs')", "Runs", "Go to the training runs."),
    Action("app.theme", "f2", "toggle_dark", "Light/dark", "Switch between light and dark."),
    Action("app.quit", "ctrl+q", "quit", "Quit", "Leave; training goes on.", priority=True),
    # Any screen that was opened from another
    Action("screen.back", "escape,backspace", "back", "Back", "Go back to where you came from."),
    # Tables
    Action("table.down", "down,j", "cursor_down", "Down", "Next row."),
    Action("table.up", "up,k", "cursor_up", "Up", "Previous row."),
    Action("table.first", "home,g", "first", "First", "First row."),
    Action("table.last", "end,G", "last", "Last", "Last row."),
    Action("table.page_down", "pagedown,ctrl+d", "page_down", "Page down", "A page down."),
    Action("table.page_up", "pageup,ctrl+u", "page_up", "Page up", "A page up."),
    Action("table.open", "enter", "open", "Open", "Open the row."),
    Action("table.sort", "o", "sort", "Sort", "Sort by the next column."),
    Action("table.reverse", "O", "reverse", "Reverse", "Turn the order round."),
    # The line that filters a table
    Action("filter.apply", "enter,down", "apply", "To the table", "Keep the filter."),
    Action("filter.clear", "escape", "clear", "Clear", "Clear the filter and go back."),
    # Dialogs
    Action("dialog.cancel", "escape", "cancel", "Cancel", "Close; nothing is changed.", _F),
    Action("dialog.copy", "c", "copy", "Copy", "Copy the text to the clipboard.", _F),
    Action("dialog.save", "w", "save", "Write to file", "Write the text to a file.", _F),
    # Projects
    Action("projects.open", "c", "classes", "Classes", "Open the project's classes.", _F),
    Action("projects.train", "t", "train", "Train", "Train a model on the project.", _F),
    Action("projects.import", "i", "import", "Import", "Import a data set into it.", _F),
    Action("projects.new", "n", "new", "New", "Create a project.", _F),
    Action("projects.filter", "slash", "filter", "Filter", "Show only matching names.", _F),
    Action("projects.delete", "d", "delete", "Delete", "Delete the project and its images."),
    Action("projects.reload", "r", "reload", "Reload", "Read the workspace again."),
    # Classes
    Action("classes.mark", "space", "mark", "Mark", "Mark the class, or unmark it.", _F),
    Action("classes.merge", "m", "merge", "Merge", "Merge the marked classes into one.", _F),
    Action("classes.rename", "r", "rename", "Rename", "Give the class another name.", _F),
    Action("classes.undo", "u", "undo", "Undo", "Undo the last change.", _F),
    Action("classes.filter", "slash", "filter", "Filter", "Show only matching names.", _F),
    Action("classes.delete", "d", "delete", "Delete", "Delete classes and annotations."),
    Action("classes.mark_all", "a", "mark_all", "Mark all", "Mark all that are shown, or none."),
    Action("classes.redo", "ctrl+r", "redo", "Redo", "Redo what was undone."),
    Action("classes.suggest", "s", "suggest", "Suggest", "Find likely duplicates."),
    Action("classes.history", "h", "history", "History", "Show or hide what was changed."),
    Action("classes.train", "t", "train", "Train", "Train a model on the project."),
    Action("classes.import", "i", "import", "Import", "Import a data set into the project."),
    # Import
    Action("import.start", "ctrl+s", "start", "Import", "Start the import.", _F),
)

ACTIONS: dict[str, Action] = {action.id: action for action in _TABLE}


def bindings(room: str) -> list[Binding]:
    """Return the bindings of `room` (`"classes"`), in the order of the table.

    Raises `KeyError` when no action belongs to the room, which is a misspelling in the code.
    """
    found = [action.binding() for action in _TABLE if action.id.partition(".")[0] == room]
    if not found:
        raise KeyError(room)
    return found


def room_title(binding_id: str | None) -> str:
    """Return the heading under which help lists a binding, such as `Classes`."""
    room = (binding_id or "").partition(".")[0]
    return TITLES.get(room, "The focused field")


def keymap(wanted: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return the usable part of a person's key table, and a sentence for each unusable entry.

    `wanted` maps action identifiers to keys (`{"classes.merge": "M,f5"}`).
    """
    usable: dict[str, str] = {}
    problems: list[str] = []
    for name, key in wanted.items():
        if name not in ACTIONS:
            guess = did_you_mean(name, ACTIONS)
            problems.append(f"keys: there is no action '{name}'; {guess}".rstrip("; "))
        elif not key.strip():
            problems.append(f"keys: '{name}' has no key")
        else:
            usable[name] = key
    return usable, problems
