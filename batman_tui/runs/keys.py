"""The keys of runs: the list, one, several, and what a model is good for; a part of the table."""

from __future__ import annotations

from batman_tui.action import Action, Footer

RUN_TITLES = {
    "runs": "Runs",
    "run": "Run",
    "compare": "Compare",
    "sweep": "Sweep",
    "sweep_begin": "Begin a sweep",
    "evaluate": "Evaluate",
    "predictions": "Predictions",
    "look": "Look with a model",
    "model_export": "Export a model",
}

_F: Footer = "always"
_W: Footer = "wide"

RUN_ACTIONS: tuple[Action, ...] = (
    # Runs
    Action("runs.open", "enter", "open", "Open", "Watch the run.", _F),
    Action("runs.mark", "space", "mark", "Mark", "Mark the run, to compare it.", _F),
    Action("runs.compare", "c", "compare", "Compare", "Put the marked runs side by side.", _F),
    Action("runs.filter", "slash", "filter", "Filter", "Words, or model=base map50>0.5.", _F),
    Action("runs.stop", "s", "stop", "Stop", "Stop the run after its current step.", _F),
    Action("runs.resume", "r", "resume", "Resume", "Go on from the last checkpoint.", _F),
    Action("runs.evaluate", "E", "evaluate", "Evaluate", "How good the model is.", _W),
    Action("runs.look", "i", "look", "Look", "Look at pictures and videos with the model.", _W),
    Action("runs.export", "x", "export", "Export", "Export the model: ONNX and others.", _W),
    Action("runs.note", "n", "note", "Note", "Write a note on the run.", _W),
    Action("runs.columns", "v", "columns", "Columns", "Choose the columns of the list."),
    Action("runs.tags", "T", "tags", "Tags", "Change the run's tags.", _W),
    Action("runs.sweep", "S", "sweep", "Sweep", "Show the sweep the run belongs to."),
    Action("runs.delete", "d", "delete", "Delete", "Delete the marked runs, or this one.", _W),
    # Run
    Action("run.stop", "s", "stop", "Stop", "Stop after this step, with a checkpoint.", _F),
    Action("run.resume", "r", "resume", "Resume", "Go on from the last checkpoint.", _F),
    Action("run.evaluate", "E", "evaluate", "Evaluate", "How good the model is.", _F),
    Action("run.look", "i", "look", "Look", "Look at pictures and videos with the model.", _F),
    Action("run.export", "x", "export", "Export", "Export the model: ONNX and others.", _F),
    Action("run.parts", "p", "parts", "Parts", "Show the loss's parts, or the total only.", _F),
    Action("run.measure", "v", "measure", "Next plot", "Accuracy, rates, speed, memory.", _F),
    Action("run.axis", "X", "axis", "Axis", "Count x in steps, epochs or time.", _W),
    Action("run.smooth", "m", "smooth(1)", "Smooth", "Smooth the curves more.", _W),
    Action("run.rough", "M", "smooth(-1)", "Smooth less", "Smooth the curves less."),
    Action("run.log_scale", "L", "log_scale", "Log y", "Logarithmic y axis, or linear.", _W),
    Action("run.tab", "right_square_bracket", "tab(1)", "Next tab", "Log, classes, events …", _W),
    Action("run.tab_back", "left_square_bracket", "tab(-1)", "Tab before", "The tab before."),
    Action("run.zoom", "z", "zoom", "Enlarge", "Give the focused part the whole screen.", _W),
    Action("run.search", "slash", "search", "Search", "Search the log.", _W),
    Action("run.goto", "enter", "goto", "Show", "Go to the event, open what was made."),
    Action("run.problem", "e", "problem", "Error", "Show the whole error."),
    # Several runs
    Action("compare.open", "enter", "open", "Open", "Watch the run with the cursor.", _F),
    Action("compare.metric", "v", "metric(1)", "Next plot", "Plot the next metric.", _F),
    Action("compare.metric_back", "V", "metric(-1)", "Plot before", "Plot the metric before."),
    Action("compare.axis", "X", "axis", "Axis", "Count x in steps, epochs or time.", _F),
    Action("compare.tab", "right_square_bracket", "tab", "Next tab", "Results, settings …", _F),
    Action("compare.smooth", "m", "smooth(1)", "Smooth", "Smooth the curves more.", _W),
    Action("compare.rough", "M", "smooth(-1)", "Smooth less", "Smooth the curves less."),
    Action("compare.log_scale", "L", "log_scale", "Log y", "Logarithmic y axis, or linear.", _W),
    Action("compare.zoom", "z", "zoom", "Enlarge", "Give the plot the whole screen.", _W),
    # A sweep
    Action("sweep.open", "enter", "open", "Open", "Watch the run with the cursor.", _F),
    Action("sweep.compare", "c", "compare", "Compare", "Its runs side by side, best first.", _F),
    Action("sweep.stop", "s", "stop", "Stop", "Stop after this step; begin no other run.", _F),
    Action("sweep.resume", "r", "resume", "Resume", "Go on where it stopped.", _F),
    Action("sweep.cancel_rest", "d", "cancel_rest", "Cancel rest", "Give up what waits.", _F),
    Action("sweep_begin.start", "ctrl+s", "start", "Start", "Prepare all runs and begin.", _F),
    # How good a model is
    Action("evaluate.start", "E,e", "start", "Evaluate", "Evaluate the model on the split.", _F),
    Action("evaluate.stop", "X", "stop", "Stop", "Stop the evaluation.", _F),
    Action("evaluate.split", "s", "split", "Split", "Take valid, test or train.", _F),
    Action("evaluate.tab", "right_square_bracket", "tab(1)", "Next tab", "Classes, images …", _F),
    Action("evaluate.tab_back", "left_square_bracket", "tab(-1)", "Tab before", "The tab before."),
    Action("evaluate.next", "n,down,j", "move(1)", "Next row", "The next class or image."),
    Action("evaluate.before", "N,up,k", "move(-1)", "Row before", "The class or image before."),
    Action(
        "evaluate.goto",
        "enter",
        "goto",
        "Pictures",
        "See pictures with the mistake.",
        _F,
    ),
    Action("evaluate.label", "l", "label", "Label", "Label the picture in its project.", _F),
    Action("evaluate.project", "v", "project", "In project", "Go to it among all images.", _W),
    Action("evaluate.zoom", "z", "zoom", "Enlarge", "Give the picture the whole screen.", _W),
    # What a model found
    Action("predictions.less", "left,h", "confidence(-5)", "Lower", "Lower the confidence.", _F),
    Action("predictions.more", "right,l", "confidence(5)", "Higher", "Raise the confidence.", _F),
    Action("predictions.bit_less", "shift+left,H", "confidence(-1)", "A bit lower", "By 0.01."),
    Action("predictions.bit_more", "shift+right,L", "confidence(1)", "A bit higher", "By 0.01."),
    Action("predictions.toggle", "space", "switch", "On/off", "Switch the class off, or on.", _F),
    Action("predictions.all", "a", "all", "Alone/all", "Only this class, or all again.", _F),
    Action("predictions.goto", "enter", "goto", "Go there", "Go to its first frame.", _F),
    Action("predictions.track", "T", "track", "Alone", "Show the object alone, or all.", _F),
    Action("predictions.tab", "right_square_bracket", "tab(1)", "Next tab", "Classes, tracks.", _F),
    Action(
        "predictions.tab_back", "left_square_bracket", "tab(-1)", "Tab before", "The tab before."
    ),
    Action("predictions.next", "n,down,j", "move(1)", "Next picture", "The next picture or frame."),
    Action("predictions.before", "N,up,k", "move(-1)", "Picture before", "The one before."),
    Action("predictions.every", "e", "every", "Empty ones", "List all, or those with finds.", _W),
    Action("predictions.zoom", "z", "zoom", "Enlarge", "Give the picture the whole screen.", _W),
    Action("predictions.grid", "t", "grid", "Thumbnails", "All of them as thumbnails.", _W),
    Action("predictions.suggest", "s", "suggest", "Suggest", "Take it as suggestions.", _F),
    Action("predictions.boxes", "b", "hide_boxes", "Boxes", "Hide the boxes, or show them."),
    Action("predictions.files", "w", "files", "Files", "Say which files were written.", _W),
    Action("look.start", "ctrl+s", "start", "Look", "Look at what is typed.", _F),
    # Handing a model on
    Action("model_export.start", "ctrl+s", "start", "Export", "Write the chosen formats.", _F),
    Action(
        "model_export.toggle", "space,enter", "choose", "Choose", "Choose the format, or not.", _F
    ),
    Action("model_export.card", "c", "card", "Model card", "Read the model card.", _F),
)
