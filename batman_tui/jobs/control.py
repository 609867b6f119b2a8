"""What is done with jobs from their list: cancel, hold, release, requeue, clone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual import on, work
from textual.message import Message

from batman_tui.widgets.dialogs.dialogs import ConfirmDialog
from batman_tui.widgets.frame.base import BatmanScreen
from core.common.errors import BatmanError
from core.common.text import clean, plural
from slurm.hosts import Host
from slurm.queue.arrays import JobLine
from slurm.queue.job_actions import DONE, act

_ASK = {
    "cancel": "What they have not saved is lost.",
    "hold": "They wait until they are released.",
    "release": "They start when it is their turn.",
    "requeue": "They end now and wait again; a run goes on from its last checkpoint.",
}
_YES = {
    "cancel": "Cancel them",
    "hold": "Hold them",
    "release": "Release them",
    "requeue": "Requeue them",
}
# So many names are shown in the question.
_NAMED = 6


def targets(lines: Iterable[JobLine], verb: str) -> list[str]:
    """Return the ids to give SLURM for `verb` on lines, leaving out what it makes no sense for."""
    ids: list[str] = []
    for line in lines:
        live = [job for job in line.jobs if not job.state.ended]
        if verb == "cancel":
            # The whole array in one word.
            ids += [line.id] if live and line.folded else [job.id for job in live]
        elif verb == "hold":
            ids += [job.id for job in live if job.state.waiting and not is_held(job.reason)]
        elif verb == "release":
            ids += [
                job.id
                for job in live
                if job.state.waiting and (is_held(job.reason) or job.state.name != "PENDING")
            ]
        else:
            ids += [job.id for job in live if job.state.running]
    return ids


def is_held(reason: str) -> bool:
    """Return whether a reason to wait is that somebody holds the job."""
    return "JobHeld" in reason or "HoldMaxRequeue" in reason


class JobsControl(BatmanScreen):
    """The actions of the jobs screen; it gives the lines that are meant and the host."""

    class Acted(Message):
        """SLURM did what it was asked to, or raised `error`."""

        def __init__(self, verb: str, count: int, error: BatmanError | None) -> None:
            super().__init__()
            self.verb = verb
            self.count = count
            self.error = error

    def meant(self) -> Sequence[JobLine]:
        """Return the marked lines, or the one with the cursor."""
        raise NotImplementedError

    def acting_host(self) -> Host | None:
        """Return the host to act on."""
        raise NotImplementedError

    def acted(self) -> None:
        """Look at the queue again soon."""
        raise NotImplementedError

    def can(self, verb: str) -> bool:
        """Return whether `verb` makes sense for any line that is meant."""
        return any(targets([line], verb) for line in self.meant())

    def action_act(self, verb: str) -> None:
        """Ask, where something can be lost or several jobs are meant, and do it."""
        lines = self.meant()
        ids = targets(lines, verb)
        host = self.acting_host()
        if not ids or host is None:
            return
        touched = [line for line in lines if targets([line], verb)]
        if verb in ("hold", "release") and len(touched) == 1 and not touched[0].folded:
            self._act(host, verb, ids, len(touched))
            return
        names = [f"{line.id}  {line.job.name}  ({line.state_words})" for line in touched]
        more = [f"and {len(names) - _NAMED} more"] if len(names) > _NAMED else []
        title = f"{verb.capitalize()} {plural(len(touched), 'job')}?"

        def answered(agreed: bool | None) -> None:
            if agreed:
                self._act(host, verb, ids, len(touched))

        self.app.push_screen(
            ConfirmDialog(
                title,
                [*names[:_NAMED], *more, "", _ASK[verb]],
                yes=_YES[verb],
                no="Leave them",
                danger=verb in ("cancel", "requeue"),
            ),
            answered,
        )

    def action_clone(self) -> None:
        """Open the training form filled with what the job was made from, to submit it anew.

        Raises BatmanError for a job that is not one of ours.
        """
        lines = self.meant()
        if not lines:
            return
        line = lines[0]
        if line.run is None:
            raise BatmanError(
                f"Job {clean(line.id)} trains no run of this workspace.",
                "Only what Batman submitted from here can be cloned.",
            )
        from slurm.submit.clone import clone_run

        self.batman.open_clone(clone_run(line.run))

    @work(thread=True, exit_on_error=False, group="act")
    def _act(self, host: Host, verb: str, ids: list[str], count: int) -> None:
        error: BatmanError | None = None
        try:
            act(host, verb, ids)
        except BatmanError as caught:
            error = caught
        self.post_message(self.Acted(verb, count, error))

    @on(Acted)
    def _acted(self, message: Acted) -> None:
        if message.error is None:
            self.batman.tell(f"{DONE[message.verb]} {plural(message.count, 'job')}.")
        else:
            self.batman.show_error(message.error)
        self.acted()
