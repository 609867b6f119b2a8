"""What is done with a run's model once there is one: looking at pictures with it, exporting it."""

from __future__ import annotations

from pathlib import Path

from batman_tui.widgets.frame.base import BatmanScreen
from core.common.errors import BatmanError, RunError
from core.common.text import clean
from core.models.find import NAMES, run_checkpoint
from core.training.run_list.outputs import Output


def has_model(run: Path) -> bool:
    """Return whether a run has written a model yet."""
    return any((run / name).exists() for name in NAMES)


def look_with(screen: BatmanScreen, run: Path) -> None:
    """Ask what to look at with the run's model, and show what it found."""
    from batman_tui.predictions.look_dialog import LookDialog
    from batman_tui.predictions.screen import PredictionsScreen

    if not _model(screen, run):
        return

    def looked(folder: Path | None) -> None:
        if folder is not None:
            screen.app.push_screen(PredictionsScreen(folder, _model(screen, run)))

    screen.app.push_screen(LookDialog(run), looked)


def export_model(screen: BatmanScreen, run: Path) -> None:
    """Ask how to export the run's model, and show how far each file agrees."""
    from batman_tui.run.export_dialog import ModelExportDialog

    if _model(screen, run):
        screen.app.push_screen(ModelExportDialog(run))


def open_output(screen: BatmanScreen, run: Path, output: Output) -> None:
    """Show what was found, or the card of what was exported."""
    from batman_tui.predictions.screen import PredictionsScreen
    from batman_tui.run.export_dialog import card_dialog

    if not output.there:
        gone = f"'{clean(output.folder)}' is no longer there."
        screen.batman.show_error(RunError(gone, "It was moved or deleted since."))
    elif output.kind == "inference":
        screen.app.push_screen(PredictionsScreen(output.path, run / output.model))
    else:
        screen.app.push_screen(card_dialog(output.path, screen.batman.workspace.logs_dir))


def _model(screen: BatmanScreen, run: Path) -> Path | None:
    try:
        return run_checkpoint(run)
    except BatmanError as error:
        screen.batman.show_error(error)
        return None
