"""What the list of runs does to them: note, tag, stop, go on, delete."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textual import on, work
from textual.message import Message

from batman_tui.widgets.frame.base import BatmanScreen
from batman_tui.widgets.table.table import VirtualTable
from core.common.errors import RunError
from core.common.text import plural, size
from core.training.run.notes import MEND, NOTES_FILE, change_tags, normal_tag, write_note
from core.training.run.run import Run, RunSummary
from core.training.run.worker_process import AT_REST

MOST_NAMED = 5


class RunsControl(BatmanScreen):
    """The part of `RunsScreen` that acts on runs."""

    class Read(Message):
        """Runs were read; `whole` when these are all that there are."""

        def __init__(self, rows: Sequence[RunSummary], whole: bool) -> None:
            super().__init__()
            self.rows = rows
            self.whole = whole

    @property
    def table(self) -> VirtualTable[RunSummary]:
        """The table."""
        return self.query_one("#runs", VirtualTable)

    @property
    def chosen(self) -> RunSummary | None:
        """The run with the cursor."""
        return self.table.cursor_row

    @property
    def taken(self) -> list[RunSummary]:
        """The marked runs, or without marks the one with the cursor."""
        marked = [row for row in self.table.rows() if row.path in self.table.marks]
        return marked or ([self.chosen] if self.chosen is not None else [])

    def _to_note(self) -> RunSummary | None:
        """Return the run with the cursor; one whose notes are damaged is not asked about first."""
        row = self.chosen
        if row is None or NOTES_FILE not in row.problem:
            return row
        self.batman.show_error(RunError(row.problem, MEND))
        return None

    def action_note(self) -> None:
        """Write a note on the run."""
        row = self._to_note()
        if row is None:
            return
        from batman_tui.widgets.dialogs.dialogs import PromptDialog

        path = row.path

        def answered(text: str | None) -> None:
            if text is not None:
                self._write_note(path, text)

        self.app.push_screen(
            PromptDialog(f"Note on {row.name}", value=row.note, button="Keep", optional=True),
            answered,
        )

    def action_tags(self) -> None:
        """Change the run's tags."""
        row = self._to_note()
        if row is None:
            return
        from batman_tui.widgets.dialogs.dialogs import PromptDialog

        path, before = row.path, row.tags

        def check(text: str) -> str:
            return " ".join(f"#{tag}" for tag in dict.fromkeys(map(normal_tag, text.split())))

        def answered(text: str | None) -> None:
            if text is not None:
                self._write_tags(path, before, text.split())

        self.app.push_screen(
            PromptDialog(
                f"Tags of {row.name}",
                label="Words with spaces between them",
                value=" ".join(before),
                button="Keep",
                check=check,
                optional=True,
            ),
            answered,
        )

    def action_stop(self) -> None:
        """Ask, and stop the run."""
        row = self.chosen
        if row is None:
            return
        from batman_tui.widgets.dialogs.dialogs import ConfirmDialog

        path = row.path
        lines = [f"'{row.name}' stops after its current step and writes a checkpoint."]

        def answered(agreed: bool | None) -> None:
            if agreed:
                self._stop(path)

        self.app.push_screen(
            ConfirmDialog("Stop the run?", lines, yes="Stop", no="Go on"), answered
        )

    def action_resume(self) -> None:
        """Go on with the run from its last checkpoint."""
        if self.chosen is not None:
            self._resume(self.chosen.path)

    @work(thread=True, exit_on_error=False, group="control")
    def _write_note(self, path: Path, text: str) -> None:
        write_note(path, text)
        self.post_message(self.Read(self.batman.run_index.read([path]), whole=False))

    @work(thread=True, exit_on_error=False, group="control")
    def _write_tags(self, path: Path, before: Sequence[str], after: Sequence[str]) -> None:
        wanted = {normal_tag(tag) for tag in after}
        # Only what was changed here: somebody else may have given it a tag meanwhile.
        change_tags(path, wanted - set(before), set(before) - wanted)
        self.post_message(self.Read(self.batman.run_index.read([path]), whole=False))

    @work(thread=True, exit_on_error=False, group="control")
    def _stop(self, path: Path) -> None:
        Run(path).stop()
        self.post_message(self.Read(self.batman.run_index.read([path]), whole=False))

    @work(thread=True, exit_on_error=False, group="control")
    def _resume(self, path: Path) -> None:
        from core.training.launch.local import launch_local
        from core.training.launch.plan import resume_run

        launch_local(resume_run(Run(path)))
        self.post_message(self.Read(self.batman.run_index.read([path]), whole=False))

    def action_delete(self) -> None:
        """Ask, and delete the marked runs that have ended, or the one with the cursor."""
        gone = [row for row in self.taken if row.state in AT_REST]
        if gone:
            self._measure([row.path for row in gone], len(self.taken) - len(gone))

    class Measured(Message):
        """How much room the runs take that are to go; `kept` marked ones are still going on."""

        def __init__(self, paths: Sequence[Path], bytes: int, kept: int) -> None:
            super().__init__()
            self.paths = paths
            self.bytes = bytes
            self.kept = kept

    @work(thread=True, exclusive=True, exit_on_error=False, group="measure")
    def _measure(self, paths: Sequence[Path], kept: int) -> None:
        from core.training.run.delete import room

        total = sum(room(path).total for path in paths)
        self.post_message(self.Measured(paths, total, kept))

    @on(Measured)
    def _ask(self, message: Measured) -> None:
        from batman_tui.widgets.dialogs.dialogs import ConfirmDialog

        names = [path.name for path in message.paths]
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        lines = [
            f"{', '.join(names[:MOST_NAMED])}{more}:",
            f"{size(message.bytes)}, the best {'model' if len(names) == 1 else 'models'} included.",
        ]
        if message.kept:
            still = plural(message.kept, "marked run still goes", "marked runs still go")
            lines.append(f"{still} on, and is left alone.")
        lines.append("There is no way back.")

        def answered(agreed: bool | None) -> None:
            if agreed:
                self._delete(message.paths)

        title = f"Delete {plural(len(names), 'run')}?"
        self.app.push_screen(
            ConfirmDialog(title, lines, yes="Delete", no="Keep", typed="delete"), answered
        )

    @work(thread=True, exit_on_error=False, group="control")
    def _delete(self, paths: Sequence[Path]) -> None:
        from core.training.run.delete import delete_run

        try:
            for path in paths:
                delete_run(Run(path))
        finally:
            rows = self.batman.run_index.list(fresh=True)
            self.post_message(self.Read(rows, whole=True))
