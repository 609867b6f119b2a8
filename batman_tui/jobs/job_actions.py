"""What is asked before something is done with jobs, and why something cannot be done."""

from __future__ import annotations

from collections.abc import Sequence

from batman_tui.widgets.dialogs.dialogs import ConfirmDialog
from core.common.text import plural
from slurm.queue.arrays import JobLine

NO_CLUSTER = (
    "No cluster is known, and there is no SLURM on this machine. n adds one; in a terminal it is "
    "batman clusters add NAME --host user@login.node."
)
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


def question(verb: str, lines: Sequence[JobLine]) -> ConfirmDialog | None:
    """Return what to ask before `verb` is done to jobs: nothing for one that loses nothing."""
    if verb in ("hold", "release") and len(lines) == 1 and not lines[0].folded:
        return None
    names = [f"{line.id}  {line.job.name}  ({line.state_words})" for line in lines]
    more = [f"and {len(names) - _NAMED} more"] if len(names) > _NAMED else []
    return ConfirmDialog(
        f"{verb.capitalize()} {plural(len(lines), 'job')}?",
        [*names[:_NAMED], *more, "", _ASK[verb]],
        yes=_YES[verb],
        no="Leave them",
        danger=verb in ("cancel", "requeue"),
    )


def refusal(action: str, parameters: tuple[object, ...], cluster: bool, job: bool) -> str:
    """Return why an action cannot be done where there is a `cluster` or none, a `job` or none."""
    if not cluster:
        return NO_CLUSTER if action != "back" else ""
    if action == "cluster":
        return "Only this cluster is known; n adds another."
    if not job:
        return ""
    return {
        "act": f"SLURM cannot {parameters[0] if parameters else action} what is meant, as it is"
        " now.",
        "usage": "What has ended uses nothing, and waits for nothing.",
        "shell": "Only a running job has a node to open a shell on.",
    }.get(action, "")
