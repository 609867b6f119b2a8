"""Every key of the app in one table: what it does, how it is called, where it shows.

A screen takes its `BINDINGS` from here with `bindings("room")`. The identifier of an action
(`classes.merge`) is what a person writes in the `[keys]` table of the configuration to give it
another key, and what the help screen and the command palette show. Footers show the actions that
are marked for it, in this order, as many as fit.
"""

from __future__ import annotations

from collections.abc import Mapping

from textual.binding import BindingType
from textual.keys import _character_to_key

from batman_tui.action import Action, Footer
from batman_tui.jobs.keys import JOB_ACTIONS, JOB_TITLES
from batman_tui.label.keys import LABEL_ACTIONS, LABEL_TITLES
from batman_tui.navigation.kinds import KINDS
from batman_tui.pictures.keys import PICTURE_ACTIONS, PICTURE_TITLES
from batman_tui.runs.keys import RUN_ACTIONS, RUN_TITLES
from core.common.text import did_you_mean

TITLES = {
    "app": "Everywhere",
    "screen": "This screen",
    "table": "Tables",
    "filter": "Filter",
    "go": "Where to go",
    "settings": "Settings",
    "dialog": "Dialogs",
    "text": "Long text",
    "confirm": "Question",
    "delete": "Delete classes",
    "projects": "Projects",
    "classes": "Classes",
    "mapping": "New names",
    "merge": "Merge",
    "suggest": "Likely duplicates",
    "images": "Images",
    **LABEL_TITLES,
    **PICTURE_TITLES,
    "health": "Check",
    "pick": "List",
    "data": "Data",
    "versions": "Versions",
    "import": "Import",
    "imports": "Imports",
    "export": "Export",
    "train": "Train",
    "submit": "Train on a cluster",
    **RUN_TITLES,
    **JOB_TITLES,
    "plot": "Plots",
    "choice": "Choices",
    "models": "Models",
    "augmentation": "Augmentation",
    "log": "Log",
}

_F: Footer = "always"
_W: Footer = "wide"

_TABLE: tuple[Action, ...] = (
    # Everywhere
    Action("app.help", "f1,question_mark", "help", "Help", "Show every key that works here."),
    Action("app.palette", "ctrl+p", "command_palette", "Commands", "Find a command by its name."),
    Action("app.go", "colon", "go", "Go to", "Type where to go: runs NAME, project NAME.", _W),
    Action("app.projects", "1", "view('projects')", "Projects", "Go to the projects."),
    Action("app.runs", "2", "view('runs')", "Runs", "Go to the training runs."),
    Action("app.jobs", "3", "view('jobs')", "Jobs", "Go to the jobs of a cluster."),
    Action("app.theme", "f2", "toggle_dark", "Light/dark", "Switch between light and dark."),
    Action("app.settings", "f9", "settings", "Settings", "See and change the settings."),
    Action("app.quit", "ctrl+q", "quit", "Quit", "Leave; training goes on.", priority=True),
    # Any screen that was opened from another
    Action("screen.back", "escape,backspace", "back", "Back", "Go back to where you came from."),
    Action("screen.next", "tab", "app.focus_next", "Next part", "Go to the next part or field."),
    Action(
        "screen.before", "shift+tab", "app.focus_previous", "Part before", "Go to the one before."
    ),
    # Tables
    Action("table.down", "down,j", "cursor_down", "Down", "Next row."),
    Action("table.up", "up,k", "cursor_up", "Up", "Previous row."),
    Action("table.first", "home,g", "first", "First", "First row."),
    Action("table.last", "end,G", "last", "Last", "Last row."),
    Action("table.page_down", "pagedown,ctrl+d", "page_down", "Page down", "A page down."),
    Action("table.page_up", "pageup,ctrl+u", "page_up", "Page up", "A page up."),
    Action("table.sort", "o", "sort", "Sort", "Sort by the next column."),
    Action("table.reverse", "O", "reverse", "Reverse", "Turn the order round."),
    # The line that filters a table
    Action("filter.apply", "enter", "submit", "Keep", "Keep the filter, go to the table.", _F),
    Action("filter.down", "down", "submit", "To the table", "Keep the filter, go to the table."),
    Action("filter.clear", "escape", "clear", "Show all", "Clear the filter and go back.", _F),
    # Where to go, typed
    Action("go.next", "tab", "complete(1)", "Complete", "Take what is offered, then the next.", _F),
    Action("go.before", "shift+tab", "complete(-1)", "One before", "Take the one before."),
    Action("go.older", "up", "recall(-1)", "Older", "What was typed before."),
    Action("go.newer", "down", "recall(1)", "Newer", "What was typed after that."),
    # Settings
    Action("settings.change", "enter", "change", "Change", "Give the setting another value.", _F),
    Action("settings.default", "d", "default", "Default", "Back to what it is without you.", _F),
    Action("settings.filter", "slash", "filter", "Filter", "Show only matching settings.", _F),
    # Dialogs
    Action("dialog.cancel", "escape", "cancel", "Close", "Close it; nothing is changed.", _F),
    Action("text.copy", "c", "copy", "Copy", "Copy the text to the clipboard.", _F),
    Action("text.save", "w", "save", "Write to file", "Write the text to a file.", _F),
    Action("confirm.yes", "y", "yes", "Yes", "Do it."),
    Action("confirm.no", "n", "no", "No", "Do not do it."),
    Action("confirm.move", "left,right,h,l", "move", "Other button", "Go to the other button."),
    Action("delete.yes", "y", "yes", "Delete", "Delete the classes with their annotations."),
    Action("delete.reassign", "r", "reassign", "Reassign", "Give them to another class."),
    Action("delete.no", "n", "no", "Keep", "Delete nothing."),
    Action("delete.next", "right,l", "move(1)", "Next button", "Go to the next button."),
    Action("delete.before", "left,h", "move(-1)", "Button before", "Go to the one before."),
    # Projects
    Action("projects.open", "enter", "classes", "Classes", "Open the project's classes.", _F),
    Action("projects.train", "t", "train", "Train", "Train a model on the project.", _F),
    Action("projects.import", "i", "import", "Import", "Import a data set into it.", _F),
    Action("projects.new", "n", "new", "New", "Create a project.", _F),
    Action("projects.filter", "slash", "filter", "Filter", "Show only matching names.", _F),
    Action("projects.images", "v", "images", "Images", "Look at the project's images.", _W),
    Action("projects.label", "l", "label", "Label", "Draw boxes, review suggestions.", _W),
    Action("projects.check", "c", "check", "Check", "Find what is wrong with its data.", _W),
    Action("projects.export", "x", "export", "Export", "Write it as COCO, YOLO, VOC …", _W),
    Action("projects.data", "D", "data", "Data", "See what is in its data, as plots.", _W),
    Action("projects.delete", "d", "delete", "Delete", "Delete the project and its images.", _W),
    Action("projects.versions", "V", "versions", "Versions", "Named states, what changed.", _W),
    Action("projects.imports", "I", "imports", "Imports", "See where its images came from.", _W),
    Action("projects.reload", "r", "reload", "Reload", "Read the workspace again."),
    # Classes
    Action("classes.mark", "space", "mark", "Mark", "Mark the class, or unmark it.", _F),
    Action("classes.merge", "m", "merge", "Merge", "Merge the marked classes into one.", _F),
    Action("classes.rename", "r", "rename", "Rename", "Give the class another name.", _F),
    Action("classes.undo", "u", "undo", "Undo", "Undo the last change.", _F),
    Action("classes.filter", "slash", "filter", "Filter", "Show only matching names.", _F),
    Action("classes.delete", "d", "delete", "Delete", "Delete classes and annotations.", _W),
    Action(
        "classes.mark_all", "a", "mark_all", "Mark all", "Mark all that are shown, or none.", _W
    ),
    Action("classes.add", "A", "add", "Add", "Add a class that has no labels yet."),
    Action("classes.redo", "ctrl+r", "redo", "Redo", "Redo what was undone."),
    Action("classes.suggest", "s", "suggest", "Suggest", "Find classes that look alike.", _W),
    Action("classes.history", "h", "history", "History", "Show or hide what was changed.", _W),
    Action("classes.convention", "n", "convention", "Name style", "Write all names one way."),
    Action("classes.apply", "f", "apply_mapping", "Apply mapping", "Apply a mapping file."),
    Action("classes.write", "w", "write_mapping", "Write mapping", "Write the mapping so far."),
    Action("classes.train", "t", "train", "Train", "Train a model on the project."),
    Action("classes.import", "i", "import", "Import", "Import a data set into the project."),
    Action("classes.export", "x", "export", "Export", "Write the project for other tools."),
    Action("classes.data", "D", "data", "Data", "See what is in the data, as plots."),
    Action("classes.versions", "V", "versions", "Versions", "Named states, what changed since."),
    Action("classes.imports", "I", "imports", "Imports", "See where the images came from."),
    Action("classes.images", "v", "images", "Images", "Look at the images of the class.", _W),
    Action("classes.label", "l", "label", "Label", "Draw boxes, review suggestions.", _W),
    Action("classes.check", "c", "check", "Check", "Find what is wrong with the data.", _W),
    Action("classes.crops", "p", "crops", "Pictures", "Show or hide pictures of the class."),
    Action("classes.splits", "S", "splits", "Splits", "Count each split, or the whole again."),
    Action("mapping.apply", "ctrl+s", "send", "Apply", "Change the names as shown.", _F),
    Action("merge.next", "down", "other(1)", "Next class", "Take the next class for the target."),
    Action("merge.previous", "up", "other(-1)", "Class before", "Take the class before."),
    *LABEL_ACTIONS,
    # Classes that look alike
    Action("suggest.merge", "enter,m", "merge", "Merge", "Merge the group with the cursor.", _F),
    Action("suggest.edit", "e", "edit", "Choose", "Choose what it is merged into.", _F),
    # Images
    Action("images.mark", "space", "mark", "Mark", "Mark the image, or unmark it.", _F),
    Action("images.split", "s", "split", "Split", "Put the marked images into a split.", _F),
    Action("images.filter", "slash", "filter", "Filter", "Show only matching images.", _F),
    Action("images.narrow", "f", "narrow", "Narrow", "Choose a split, a class, a finding …", _F),
    Action("images.zoom", "z,enter", "whole", "Enlarge", "Give the picture the whole screen.", _F),
    Action("images.undo", "u", "undo", "Undo", "Undo the last change.", _F),
    Action("images.delete", "d", "delete", "Delete", "Take images out of the project.", _W),
    Action("images.mark_all", "a", "mark_all", "Mark all", "Mark all that are shown.", _W),
    Action("images.check", "c", "check", "Check", "Find what is wrong with the data.", _W),
    Action("images.label", "l", "label", "Label", "Draw and correct the image's boxes.", _W),
    Action("images.video", "F", "video", "Frames", "Only the frames of its video, or all.", _W),
    Action("images.redo", "ctrl+r", "redo", "Redo", "Redo what was undone."),
    Action("pick.choose", "enter", "choose", "Choose", "Take the one with the cursor.", _F),
    Action("pick.filter", "slash", "filter", "Filter", "Show only matching names.", _F),
    # What is wrong with the data
    Action("health.fix", "f,enter", "fix", "Fix", "Put the finding right, after asking.", _F),
    Action("health.images", "v", "images", "Images", "List all images of the finding.", _F),
    Action("health.label", "l", "label", "Label", "Label the picture that is shown.", _W),
    Action("health.next", "right,n", "example(1)", "Next example", "The next example.", _F),
    Action("health.before", "left,h,N", "example(-1)", "Example before", "The one before."),
    Action("health.zoom", "z", "whole", "Enlarge", "Give the picture the whole screen.", _W),
    Action("health.pairs", "p", "pairs", "Side by side", "Pictures nearly the same, in pairs.", _W),
    Action("health.undo", "u", "undo", "Undo", "Undo the last change.", _F),
    Action("health.stop", "X", "stop", "Stop", "Stop the check; what is found stays.", _W),
    Action("health.again", "r", "again", "Again", "Check again.", _F),
    Action("health.size", "s", "size", "Image size", "Check for another training size.", _W),
    Action("health.redo", "ctrl+r", "redo", "Redo", "Redo what was undone."),
    # What is in the data
    Action("data.zoom", "z", "zoom", "Enlarge", "Give the focused part the whole screen.", _F),
    Action("data.size", "s", "size", "Image size", "Measure boxes at another size.", _F),
    Action("data.write", "w", "write", "Write to file", "Write the figures and a PNG.", _F),
    Action("data.reload", "r", "reload", "Count again", "Count again.", _F),
    Action("data.check", "c", "check", "Check", "Find what is wrong with the data.", _W),
    Action("data.import", "i", "import", "Import", "Import a data set into the project.", _W),
    # Versions
    Action("versions.new", "n", "new", "Name", "Name the present state.", _F),
    Action("versions.mark", "space", "mark", "Mark", "Compare the others with it.", _F),
    Action("versions.back", "b", "back_to", "Go back", "Go back to it, after asking.", _F),
    Action("versions.export", "x", "export_version", "Export", "Write it as it was.", _F),
    Action("versions.undo", "u", "undo", "Undo", "Undo the last change.", _F),
    Action("versions.remove", "d", "remove", "Take away", "Take the name away.", _W),
    Action("versions.redo", "ctrl+r", "redo", "Redo", "Redo what was undone.", _W),
    # Import
    Action("import.start", "ctrl+s", "start", "Import", "Start the import.", _F),
    Action("import.way", "f3", "next_way", "Other source", "Import from elsewhere.", _F),
    Action("import.label", "l", "label", "Label", "Draw boxes on what came in.", _F),
    Action("import.save", "w", "save", "Write to file", "Write the report to a file.", _F),
    # Export
    Action("export.start", "ctrl+s", "start", "Export", "Start the export.", _F),
    Action("export.format", "f3", "next_format", "Other format", "Take the next format.", _F),
    # Imports of a project
    Action("imports.import", "i", "import", "Import", "Import images into the project.", _F),
    Action("imports.remove", "d", "remove", "Remove", "Take the import out, after asking.", _F),
    Action("imports.undo", "u", "undo", "Undo", "Undo the last change.", _F),
    Action("imports.redo", "ctrl+r", "redo", "Redo", "Redo what was undone.", _W),
    # Train
    Action("train.start", "ctrl+s", "start", "Start", "Start training.", _F),
    Action("train.model", "f3", "choose_model", "Models", "Choose the model from a table.", _F),
    Action("train.advanced", "f4", "advanced", "Advanced", "Show or hide all options.", _F),
    Action("train.command", "f6", "command", "Command", "Show the command to copy or save.", _F),
    Action("train.cluster", "f7", "cluster", "Cluster", "Train on a cluster instead.", _F),
    Action("train.measure", "f5", "measure", "Measure", "Take a few steps: how long it takes.", _W),
    Action("train.augmentation", "f12", "augmentation", "Augment", "See what chance does.", _W),
    Action("train.sweep", "f10", "sweep", "Sweep", "Try several values, one run each.", _W),
    Action("train.next", "down", "next_field", "Next field", "Go to the next field."),
    Action("train.previous", "up", "previous_field", "Field before", "Go to the field before."),
    Action("train.defaults", "f8", "defaults", "Defaults", "Set every option to its default.", _W),
    Action("submit.send", "ctrl+s", "submit", "Submit", "Submit it to the cluster.", _F),
    Action("submit.script", "f6", "script", "Script", "Show the job's script.", _F),
    Action("submit.ask", "f5", "ask", "Ask again", "Ask the cluster again.", _F),
    Action("submit.next", "down", "next_field", "Next field", "Go to the next field."),
    Action("submit.previous", "up", "previous_field", "Field before", "Go to the one before."),
    Action("models.choose", "enter", "choose", "Choose", "Take this model.", _F),
    Action("augmentation.choose", "enter", "choose", "Take", "Train with this one.", _F),
    Action("augmentation.show", "space", "start", "Try it", "Make pictures with it.", _F),
    Action("augmentation.whole", "z", "whole", "Enlarge", "Look closer at the pictures.", _F),
    # A choice in a form
    Action("choice.open", "enter,space", "show_overlay", "List", "Choose from a list."),
    Action("choice.next", "right,l", "turn(1)", "Next", "Take the next; a letter takes its own."),
    Action("choice.back", "left,h", "turn(-1)", "Before", "Take the one before."),
    *RUN_ACTIONS,
    *JOB_ACTIONS,
    # Plots
    Action("plot.cursor", "c", "cursor", "Cursor", "Read values with a cursor.", _F),
    Action("plot.hide_cursor", "escape", "hide_cursor", "Hide cursor", "Hide the cursor."),
    Action("plot.zoom_in", "plus,equals_sign", "zoom_in", "Zoom in", "Show half as much."),
    Action("plot.zoom_out", "minus", "zoom_out", "Zoom out", "Show twice as much."),
    Action("plot.reset", "0", "reset", "All", "Show everything."),
    Action("plot.left", "left,h", "left", "Left", "Move the cursor, or the view, left."),
    Action("plot.right", "right,l", "right", "Right", "Move the cursor, or the view, right."),
    Action("plot.far_left", "shift+left", "far_left", "Far left", "Ten times as far left."),
    Action("plot.far_right", "shift+right", "far_right", "Far right", "Ten times as far right."),
    Action("plot.next_mark", "n", "next_mark", "Next mark", "Cursor to the next mark."),
    Action("plot.previous_mark", "N", "previous_mark", "Mark before", "Cursor to the mark before."),
    # Log
    Action("log.next", "n", "next_match", "Next match", "Go to the next match."),
    Action("log.previous", "N", "previous_match", "Match before", "Go to the match before."),
    Action("log.top", "home,g", "top", "Top", "Go to the first line."),
    Action("log.end", "end,G", "end", "End", "Go to the last line and stay there."),
    Action("log.down", "down,j", "scroll_down", "Down", "A line down."),
    Action("log.up", "up,k", "scroll_up", "Up", "A line up."),
    *PICTURE_ACTIONS,
)

ACTIONS: dict[str, Action] = {action.id: action for action in _TABLE}


def bindings(room: str) -> list[BindingType]:
    """Return the bindings of `room` (`"classes"`), in the order of the table.

    Raises `KeyError` when no action belongs to the room, which is a misspelling in the code.
    """
    found: list[BindingType] = [action.binding() for action in _TABLE if action.room == room]
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
    return usable, problems + hidden(usable)


def hidden(changed: Mapping[str, str]) -> list[str]:
    """Return a sentence for each key that a changed one hides, or that hides a changed one.

    `changed` maps identifiers of actions to keys, as `keymap` returns them.
    """
    if not changed:
        return []
    keys = {
        name: {_long(key) for key in changed.get(name, action.keys).split(",")}
        for name, action in ACTIONS.items()
    }
    found: dict[tuple[str, str], str] = {}
    for name in changed:
        room = name.partition(".")[0]
        for other, action in ACTIONS.items():
            shared = keys[name] & keys[other]
            pair = min(name, other), max(name, other)
            if name == other or not shared or pair in found:
                continue
            # What was on one key before is so on purpose: the inner part has it while it is used.
            if shared <= {*ACTIONS[name].keys.split(",")} & {*action.keys.split(",")}:
                continue
            if _together(room, other.partition(".")[0]):
                found[pair] = (
                    f"keys: '{name}' and '{other}' are both on '{', '.join(sorted(shared))}', "
                    "so that one hides the other; give one of them another key"
                )
    return list(found.values())


def _long(key: str) -> str:
    key = key.strip()
    return _character_to_key(key) if len(key) == 1 else key


def _together(one: str, other: str) -> bool:
    """Tell whether the keys of two rooms can work at the same time."""
    if one == other:
        return True
    everywhere = {"app", "screen"}
    for kind in KINDS.values():
        rooms = {kind.name, *kind.rooms}
        if kind.name not in ("label", "crops", "import", "export", "train"):
            rooms.add("table")
        rooms |= everywhere
        if one in rooms and other in rooms:
            return True
    return False
