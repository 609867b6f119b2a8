"""What is asked before something is done with a run, and what is done in a thread."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batman_tui.widgets.dialogs.dialogs import ConfirmDialog, PromptDialog
from core.common.errors import BatmanError
from core.common.text import plural, size, whole_number
from core.training.live.follow import RunSnapshot
from core.training.run.notes import change_tags, normal_tag
from core.training.run.run import Run
from core.training.run.summary import RunSummary

if TYPE_CHECKING:
    from batman_tui.widgets.dialogs.text_dialog import TextDialog

MOST_NAMED = 5


def stop_question(name: str, *more: str) -> ConfirmDialog:
    """Return what to ask before a run is stopped; `more` are lines below."""
    first = f"'{name}' stops after its current step and writes a checkpoint."
    return ConfirmDialog("Stop the run?", [first, *more], yes="Stop", no="Go on")


def delete_question(paths: Sequence[Path], room: int, kept: int) -> ConfirmDialog:
    """Return what to ask before runs are deleted, which take `room` bytes.

    `kept` is how many of the marked ones still go on.
    """
    names = [path.name for path in paths]
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    lines = [
        f"{', '.join(names[:MOST_NAMED])}{more}:",
        f"{size(room)}, the best {'model' if len(names) == 1 else 'models'} included.",
    ]
    if kept:
        still = plural(kept, "marked run still goes", "marked runs still go")
        lines.append(f"{still} on, and is left alone.")
    lines.append("There is no way back.")
    title = f"Delete {plural(len(names), 'run')}?"
    return ConfirmDialog(title, lines, yes="Delete", no="Keep", typed="delete")


def note_prompt(row: RunSummary) -> PromptDialog:
    """Return the dialog for the note on a run."""
    return PromptDialog(f"Note on {row.name}", value=row.note, button="Keep", optional=True)


def tags_prompt(row: RunSummary) -> PromptDialog:
    """Return the dialog for a run's tags."""

    def check(text: str) -> str:
        return " ".join(f"#{tag}" for tag in dict.fromkeys(map(normal_tag, text.split())))

    return PromptDialog(
        f"Tags of {row.name}",
        label="Words with spaces between them",
        value=" ".join(row.tags),
        button="Keep",
        check=check,
        optional=True,
    )


def epochs_prompt(done: int, epochs: int) -> PromptDialog:
    """Return the dialog that asks how long to go on with a run that has finished its `epochs`."""

    def check(text: str) -> str:
        if (whole_number(text) or 0) <= done:
            raise BatmanError(f"Give a whole number above the {done} epochs that are done.")
        return f"{int(text) - done} more"

    return PromptDialog(
        "Train for more epochs",
        label="Epochs in all",
        value=str(2 * epochs),
        button="Go on",
        check=check,
    )


def problem_dialog(run: RunSnapshot, file: Path) -> TextDialog | None:
    """Return the whole error of a run to read, copy or save as `file`; None without one."""
    error = run.error
    if error is None:
        return None
    text = "\n\n".join(filter(None, (error.message, error.hint, error.traceback)))
    from batman_tui.widgets.dialogs.text_dialog import TextDialog

    return TextDialog("Why the run failed", text, file=file, error=True)


def set_tags(path: Path, before: Sequence[str], text: str) -> None:
    """Give a run the tags in `text` instead of those it had `before`.

    Only what was changed here: somebody else may have given it a tag meanwhile.
    """
    wanted = {normal_tag(tag) for tag in text.split()}
    change_tags(path, wanted - set(before), set(before) - wanted)


def resume(path: Path, epochs: int | None = None) -> None:
    """Go on with a run from its last checkpoint, to `epochs` in all. It blocks: for a thread."""
    from core.training.launch.local import resume_local

    changes: dict[str, Any] = {} if epochs is None else {"epochs": epochs}
    resume_local(Run(path), **changes)
