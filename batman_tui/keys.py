"""Every key of the app in one table: what it does, how it is called, where it shows.

A screen takes its `BINDINGS` from here with `bindings("room")`. The identifier of an action
(`classes.merge`) is what a person writes in the `[keys]` table of the configuration to give it
another key, and what the help screen and the command palette show. Footers show the actions that
are marked for it, in this order, as many as fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from textual.binding import Binding, BindingType

from core.common.text import did_you_mean

Footer = Literal["never", "always", "wide"]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a person can do with a key.

    `id` is `room.name`; `keys` are Textual key names joined by commas; `run` is the Textual
    action; `label` goes to the footer (one or two words), `help` to F1 and the palette (a
    sentence); `footer` says whether the footer shows it: never, always, or where it is wide.
    """

    id: str
    keys: str
    run: str
    label: str
    help: str
    footer: Footer = "never"
    priority: bool = False

    def binding(self) -> Binding:
        """Return Textual's form of the action."""
        return Binding(
            self.keys,
            self.run,
            self.label,
            show=self.footer != "never",
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
    "text": "Long text",
    "confirm": "Question",
    "delete": "Delete classes",
    "projects": "Projects",
    "classes": "Classes",
    "mapping": "New names",
    "merge": "Merge",
    "suggest": "Likely duplicates",
    "images": "Images",
    "health": "Check",
    "pick": "List",
    "import": "Import",
    "imports": "Imports",
    "export": "Export",
    "train": "Train",
    "submit": "Train on a cluster",
    "runs": "Runs",
    "run": "Run",
    "compare": "Compare",
    "evaluate": "Evaluate",
    "jobs": "Jobs",
    "columns": "Columns",
    "cluster": "Cluster",
    "setup": "Setting up",
    "plot": "Plots",
    "choice": "Choices",
    "models": "Models",
    "log": "Log",
}

_F: Footer = "always"
_W: Footer = "wide"

_TABLE: tuple[Action, ...] = (
    # Everywhere
    Action("app.help", "f1,question_mark", "help", "Help", "Show every key that works here."),
    Action("app.palette", "ctrl+p", "command_palette", "Commands", "Find a command by its name."),
    Action("app.projects", "1", "view('projects')", "Projects", "Go to the projects."),
    Action("app.runs", "2", "view('runs')", "Runs", "Go to the training runs."),
    Action("app.jobs", "3", "view('jobs')", "Jobs", "Go to the jobs of a cluster."),
    Action("app.theme", "f2", "toggle_dark", "Light/dark", "Switch between light and dark."),
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
    Action("projects.check", "c", "check", "Check", "Find what is wrong with its data.", _W),
    Action("projects.imports", "I", "imports", "Imports", "See where its images came from.", _W),
    Action("projects.export", "x", "export", "Export", "Write it as COCO, YOLO, VOC …", _W),
    Action("projects.delete", "d", "delete", "Delete", "Delete the project and its images.", _W),
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
    Action("classes.redo", "ctrl+r", "redo", "Redo", "Redo what was undone."),
    Action("classes.suggest", "s", "suggest", "Suggest", "Find classes that look alike.", _W),
    Action("classes.history", "h", "history", "History", "Show or hide what was changed.", _W),
    Action("classes.convention", "n", "convention", "Name style", "Write all names one way."),
    Action("classes.apply", "f", "apply_mapping", "Apply mapping", "Apply a mapping file."),
    Action("classes.write", "w", "write_mapping", "Write mapping", "Write the mapping so far."),
    Action("classes.train", "t", "train", "Train", "Train a model on the project."),
    Action("classes.import", "i", "import", "Import", "Import a data set into the project."),
    Action("classes.export", "x", "export", "Export", "Write the project for other tools."),
    Action("classes.imports", "I", "imports", "Imports", "See where the images came from."),
    Action("classes.images", "v", "images", "Images", "Look at the images of the class.", _W),
    Action("classes.check", "c", "check", "Check", "Find what is wrong with the data.", _W),
    Action("classes.crops", "p", "crops", "Pictures", "Show or hide pictures of the class."),
    Action("classes.splits", "S", "splits", "Splits", "Count each split, or the whole again."),
    Action("mapping.apply", "ctrl+s", "send", "Apply", "Change the names as shown.", _F),
    Action("merge.next", "down", "other(1)", "Next class", "Take the next class for the target."),
    Action("merge.previous", "up", "other(-1)", "Class before", "Take the class before."),
    # Classes that look alike
    Action("suggest.merge", "enter,m", "merge", "Merge", "Merge the group with the cursor.", _F),
    Action("suggest.edit", "e", "edit", "Choose", "Choose what it is merged into.", _F),
    # Images
    Action("images.mark", "space", "mark", "Mark", "Mark the image, or unmark it.", _F),
    Action("images.split", "s", "split", "Split", "Put the marked images into a split.", _F),
    Action("images.filter", "slash", "filter", "Filter", "Show only matching images.", _F),
    Action("images.narrow", "f", "narrow", "Narrow", "Choose a split, a class, a finding …", _F),
    Action("images.zoom", "z,enter", "zoom", "Enlarge", "Make the picture large, or small.", _F),
    Action("images.undo", "u", "undo", "Undo", "Undo the last change.", _F),
    Action("images.delete", "d", "delete", "Delete", "Take images out of the project.", _W),
    Action("images.mark_all", "a", "mark_all", "Mark all", "Mark all that are shown.", _W),
    Action("images.check", "c", "check", "Check", "Find what is wrong with the data.", _W),
    Action("images.redo", "ctrl+r", "redo", "Redo", "Redo what was undone."),
    Action("pick.choose", "enter", "choose", "Choose", "Take the one with the cursor.", _F),
    Action("pick.filter", "slash", "filter", "Filter", "Show only matching names.", _F),
    # What is wrong with the data
    Action("health.fix", "f,enter", "fix", "Fix", "Put the finding right, after asking.", _F),
    Action("health.images", "v", "images", "Images", "List all images of the finding.", _F),
    Action("health.next", "right,l,n", "example(1)", "Next example", "The next example.", _F),
    Action("health.before", "left,h,N", "example(-1)", "Example before", "The one before."),
    Action("health.undo", "u", "undo", "Undo", "Undo the last change.", _F),
    Action("health.stop", "x", "stop", "Stop", "Stop the check; what is found stays.", _W),
    Action("health.again", "r", "again", "Again", "Check again.", _F),
    Action("health.size", "s", "size", "Image size", "Check for another training size.", _W),
    Action("health.redo", "ctrl+r", "redo", "Redo", "Redo what was undone."),
    # Import
    Action("import.start", "ctrl+s", "start", "Import", "Start the import.", _F),
    Action("import.way", "f3", "next_way", "Other source", "Import from elsewhere.", _F),
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
    Action("train.start", "ctrl+s,f5", "start", "Start", "Start training.", _F),
    Action("train.model", "f3", "choose_model", "Models", "Choose the model from a table.", _F),
    Action("train.advanced", "f4", "advanced", "Advanced", "Show or hide all options.", _F),
    Action("train.command", "f6", "command", "Command", "Show the command to copy or save.", _F),
    Action("train.cluster", "f7", "cluster", "Cluster", "Train on a cluster instead.", _F),
    Action("train.next", "down", "next_field", "Next field", "Go to the next field."),
    Action("train.previous", "up", "previous_field", "Field before", "Go to the field before."),
    Action("train.defaults", "f8", "defaults", "Defaults", "Set every option to its default."),
    Action("submit.send", "ctrl+s", "submit", "Submit", "Submit it to the cluster.", _F),
    Action("submit.script", "f6", "script", "Script", "Show the job's script.", _F),
    Action("submit.ask", "f5", "ask", "Ask again", "Ask the cluster again.", _F),
    Action("submit.next", "down", "next_field", "Next field", "Go to the next field."),
    Action("submit.previous", "up", "previous_field", "Field before", "Go to the one before."),
    Action("models.choose", "enter", "choose", "Choose", "Take this model.", _F),
    # A choice in a form
    Action("choice.open", "enter,space", "show_overlay", "List", "Choose from a list."),
    Action("choice.next", "right,l", "turn(1)", "Next", "Take the next one."),
    Action("choice.back", "left,h", "turn(-1)", "Before", "Take the one before."),
    # Runs
    Action("runs.open", "enter", "open", "Open", "Watch the run.", _F),
    Action("runs.mark", "space", "mark", "Mark", "Mark the run, to compare it.", _F),
    Action("runs.compare", "c", "compare", "Compare", "Put the marked runs side by side.", _F),
    Action("runs.filter", "slash", "filter", "Filter", "Words, or model=base map50>0.5.", _F),
    Action("runs.stop", "s", "stop", "Stop", "Stop the run after its current step.", _F),
    Action("runs.resume", "r", "resume", "Resume", "Go on from the last checkpoint.", _F),
    Action("runs.evaluate", "E", "evaluate", "Evaluate", "How good the model is.", _W),
    Action("runs.note", "n", "note", "Note", "Write a note on the run.", _W),
    Action("runs.columns", "v", "columns", "Columns", "Choose the columns of the list."),
    Action("runs.tags", "T", "tags", "Tags", "Change the run's tags.", _W),
    Action("runs.delete", "d", "delete", "Delete", "Delete the marked runs, or this one.", _W),
    # Run
    Action("run.stop", "s", "stop", "Stop", "Stop after this step, with a checkpoint.", _F),
    Action("run.resume", "r", "resume", "Resume", "Go on from the last checkpoint.", _F),
    Action("run.parts", "p", "parts", "Parts", "Show the loss's parts, or the total only.", _F),
    Action("run.measure", "v", "measure", "Next plot", "Accuracy, rates, speed, memory.", _F),
    Action("run.axis", "x", "axis", "X axis", "Count x in steps, epochs or time.", _W),
    Action("run.smooth", "m", "smooth(1)", "Smooth", "Smooth the curves more.", _W),
    Action("run.rough", "M", "smooth(-1)", "Smooth less", "Smooth the curves less."),
    Action("run.log_scale", "L", "log_scale", "Log y", "Logarithmic y axis, or linear.", _W),
    Action("run.tab", "right_square_bracket", "tab(1)", "Next tab", "Log, classes, events …", _W),
    Action("run.tab_back", "left_square_bracket", "tab(-1)", "Tab before", "The tab before."),
    Action("run.zoom", "z", "zoom", "Enlarge", "Give the focused part the whole screen.", _W),
    Action("run.search", "slash", "search", "Search", "Search the log.", _W),
    Action("run.goto", "enter", "goto", "Show", "Put the plots' cursor on the event."),
    Action("run.problem", "e", "problem", "Error", "Show the whole error."),
    Action("run.evaluate", "E", "evaluate", "Evaluate", "How good the model is.", _W),
    # Several runs
    Action("compare.open", "enter", "open", "Open", "Watch the run with the cursor.", _F),
    Action("compare.metric", "v", "metric(1)", "Next plot", "Plot the next metric.", _F),
    Action("compare.metric_back", "V", "metric(-1)", "Plot before", "Plot the metric before."),
    Action("compare.axis", "x", "axis", "X axis", "Count x in steps, epochs or time.", _F),
    Action("compare.tab", "right_square_bracket", "tab", "Next tab", "Results, settings …", _F),
    Action("compare.smooth", "m", "smooth(1)", "Smooth", "Smooth the curves more.", _W),
    Action("compare.rough", "M", "smooth(-1)", "Smooth less", "Smooth the curves less."),
    Action("compare.log_scale", "L", "log_scale", "Log y", "Logarithmic y axis, or linear.", _W),
    Action("compare.zoom", "z", "zoom", "Enlarge", "Give the plot the whole screen.", _W),
    # How good a model is
    Action("evaluate.start", "e", "start", "Evaluate", "Evaluate the model on the split.", _F),
    Action("evaluate.stop", "X", "stop", "Stop", "Stop the evaluation.", _F),
    Action("evaluate.split", "s", "split", "Split", "Take valid, test or train.", _F),
    Action("evaluate.tab", "right_square_bracket", "tab(1)", "Next tab", "Classes, images …", _F),
    Action("evaluate.tab_back", "left_square_bracket", "tab(-1)", "Tab before", "The tab before."),
    Action("evaluate.next", "n,down,j", "move(1)", "Next row", "The next class or image."),
    Action("evaluate.before", "N,up,k", "move(-1)", "Row before", "The class or image before."),
    Action("evaluate.zoom", "z", "zoom", "Enlarge", "Give the picture the whole screen.", _W),
    # Jobs
    Action("jobs.open", "enter", "open", "Open", "Open the job's run, or its log.", _F),
    Action("jobs.log", "l", "log", "Log", "Go to the job's log.", _W),
    Action("jobs.list", "escape", "list", "List", "Go back to the list."),
    Action("jobs.mark", "space", "mark", "Mark", "Mark the job, or unmark it.", _F),
    Action("jobs.filter", "slash", "filter", "Filter", "Filter the list, or search the log.", _F),
    Action("jobs.cancel", "x", "act('cancel')", "Cancel", "Cancel the marked jobs.", _F),
    Action("jobs.everyone", "e", "everyone", "Mine/all", "Everyone's jobs, or only mine.", _F),
    Action("jobs.hold", "h", "act('hold')", "Hold", "Keep the jobs from starting.", _W),
    Action("jobs.release", "r", "act('release')", "Release", "Let held jobs start.", _W),
    Action("jobs.requeue", "R", "act('requeue')", "Requeue", "Back into the queue.", _W),
    Action("jobs.clone", "C", "clone", "Clone", "Submit the job's run again, with changes.", _W),
    Action("jobs.usage", "u", "usage", "Usage", "Ask its nodes for GPU and memory use.", _W),
    Action("jobs.tab", "right_square_bracket", "tab(1)", "Next tab", "Job, log, what is free.", _W),
    Action("jobs.tab_back", "left_square_bracket", "tab(-1)", "Tab before", "The tab before."),
    Action("jobs.fold", "f", "fold", "Unfold", "Every task of an array, or arrays in a line.", _W),
    Action("jobs.mark_all", "a", "mark_all", "Mark all", "Mark all that are shown, or none."),
    Action("jobs.look", "f5", "look", "Ask now", "Ask the cluster now, and connect again."),
    Action("jobs.cluster", "c", "cluster", "Cluster", "Show the next cluster.", _W),
    Action("jobs.output", "E", "output", "Errors", "The error output, or the output again."),
    Action("jobs.columns", "v", "columns", "Columns", "Choose the columns of the list."),
    Action("jobs.about", "i", "about", "About", "What the cluster has, and its profile.", _W),
    Action("jobs.new", "n", "new_cluster", "Add cluster", "Add a cluster.", _W),
    Action("jobs.zoom", "z", "zoom", "Enlarge", "Give the focused part the whole screen.", _W),
    Action("columns.mark", "space", "mark", "Show/hide", "Show the column, or hide it.", _F),
    Action("columns.up", "K", "move(-1)", "Up", "Move the column to the left.", _F),
    Action("columns.down", "J", "move(1)", "Down", "Move the column to the right.", _F),
    Action("columns.choose", "enter", "choose", "Take", "Show the marked columns.", _F),
    Action("cluster.save", "ctrl+s", "save", "Save", "Save the cluster's profile.", _F),
    Action("cluster.ask", "f5", "ask", "Ask it", "Connect and ask what it has.", _F),
    Action("cluster.setup", "f7", "setup", "Set up", "Install Batman there, and check it.", _F),
    Action("cluster.next", "down", "next_field", "Next field", "Go to the next field."),
    Action("cluster.previous", "up", "previous_field", "Field before", "Go to the one before."),
    Action("setup.begin", "ctrl+s", "begin", "Set up", "Install it and check it.", _F),
    Action("setup.steps", "f6", "steps", "Steps", "Show every step with its commands.", _F),
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
)

ACTIONS: dict[str, Action] = {action.id: action for action in _TABLE}


def bindings(room: str) -> list[BindingType]:
    """Return the bindings of `room` (`"classes"`), in the order of the table.

    Raises `KeyError` when no action belongs to the room, which is a misspelling in the code.
    """
    found: list[BindingType] = [
        action.binding() for action in _TABLE if action.id.partition(".")[0] == room
    ]
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
