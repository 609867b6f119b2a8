"""The keys of jobs and clusters, a part of the one table of keys."""

from __future__ import annotations

from batman_tui.action import Action, Footer

JOB_TITLES = {
    "jobs": "Jobs",
    "columns": "Columns",
    "hours": "GPU hours",
    "cluster": "Cluster",
    "setup": "Setting up",
}

_F: Footer = "always"
_W: Footer = "wide"

JOB_ACTIONS: tuple[Action, ...] = (
    # Jobs
    Action("jobs.open", "enter", "open", "Open", "Open the job's run, or its log.", _F),
    Action("jobs.log", "l", "log", "Log", "Go to the job's log.", _W),
    Action("jobs.list", "escape", "list", "List", "Go back to the list."),
    Action("jobs.mark", "space", "mark", "Mark", "Mark the job, or unmark it.", _F),
    Action("jobs.filter", "slash", "filter", "Filter", "Filter the list, or search the log.", _F),
    Action("jobs.copy", "y", "copy", "Take text", "Copy or write the log, or the job and list."),
    Action("jobs.export", "Y", "export", "CSV", "Write the table that is shown as CSV."),
    Action("jobs.script", "b", "script", "Batch script", "Show the job's batch script."),
    Action("jobs.shell", "S", "shell", "Shell", "A shell on the node of a running job."),
    Action("jobs.keep", "w", "keep_filter", "Keep filter", "Keep the filter by a name."),
    Action("jobs.pin", "p", "pin", "Pin", "Keep the job on top of the list, or no longer.", _W),
    Action("jobs.hours", "H", "hours", "GPU hours", "What runs have cost, by project and month."),
    Action("jobs.cancel", "x", "act('cancel')", "Cancel", "Cancel the marked jobs.", _F),
    Action("jobs.everyone", "e", "everyone", "Mine/all", "Everyone's jobs, or only mine.", _F),
    Action("jobs.hold", "h", "act('hold')", "Hold", "Keep the jobs from starting.", _W),
    Action("jobs.release", "r", "act('release')", "Release", "Let held jobs start.", _W),
    Action("jobs.requeue", "R", "act('requeue')", "Requeue", "Back into the queue.", _W),
    Action("jobs.clone", "C", "clone", "Clone", "Submit the job's run again, with changes.", _W),
    Action("jobs.usage", "u", "usage", "Usage", "Its GPU and memory use; its priority.", _W),
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
    Action("hours.each", "space", "each", "Each run", "Each run, or each project and month.", _F),
    Action("hours.copy", "y", "copy", "Take text", "Copy the table, or write it to a file.", _F),
    Action("hours.export", "Y", "export", "CSV", "Write the table as CSV.", _F),
    Action("cluster.save", "ctrl+s", "save", "Save", "Save the cluster's profile.", _F),
    Action("cluster.ask", "f5", "ask", "Ask it", "Connect and ask what it has.", _F),
    Action("cluster.setup", "f7", "setup", "Set up", "Install Batman there, and check it.", _F),
    Action("cluster.remove", "f8", "remove", "Remove profile", "Remove it from here.", _F),
    Action("cluster.next", "down", "next_field", "Next field", "Go to the next field."),
    Action("cluster.previous", "up", "previous_field", "Field before", "Go to the one before."),
    Action("setup.begin", "ctrl+s", "begin", "Set up", "Install it and check it.", _F),
    Action("setup.steps", "f6", "steps", "Steps", "Show every step with its commands.", _F),
)
