"""Handing a script to sbatch exactly once, however often the answer is lost on the way.

The command runs on the host in a folder of its own, made first (the marker): what is begun twice
finds the folder and does nothing. There it leaves its answer. Where even that is missing, the job
is looked for by the token in its comment.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from core.common.errors import BatmanError, DiskFull
from core.common.progress import Cancelled, never
from core.common.text import clean, whole_number
from slurm.hosts import Completed, Host, HostError, NeedsPerson, NotConnected
from slurm.job.record import comment_of
from slurm.queue.jobs import new_separator
from slurm.sync.patience import persist

_TIMEOUT_S = 90.0
# A submission without an answer may still be under way for this long.
_UNDER_WAY_S = _TIMEOUT_S + 15.0
_BEGUN = 75
_NO_ROOM = 74
_TRIES = 10


class SubmitError(BatmanError):
    """SLURM did not take the job; there is none."""


class NotNoted(DiskFull):
    """There is a job, and no room to note which; it is found again by its token."""


class SubmitUnknown(HostError):
    """Whether there is a job is not known, because the cluster is out of reach."""


# Options in the environment go before those in a script (sbatch(1), INPUT ENVIRONMENT VARIABLES).
_RUN = """
marker=$1; shift
mkdir -p -- "${marker%/*}" || exit 1
mkdir -- "$marker" || { [ -d "$marker" ] && exit 75; exit 1; }
# Room for the answer: without it a job would be queued that nobody knows of.
for file in out err code; do
  printf '%4096s' '' >"$marker/$file.new" || { rm -rf -- "$marker"; exit 74; }
done
for name in $(env | sed -n 's/^\\(SBATCH_[A-Za-z0-9_]*\\)=.*/\\1/p'); do unset "$name"; done
mv -- "$marker/out.new" "$marker/out"; mv -- "$marker/err.new" "$marker/err"
"$@" 1<>"$marker/out" 2<>"$marker/err" </dev/null
code=$?
echo $code 1<>"$marker/code.new"; mv -- "$marker/code.new" "$marker/code"
cat "$marker/out"; cat "$marker/err" >&2; exit $code
"""

_LOOK = """
if [ -f "$1/code" ]; then
  echo "answered $(cat "$1/code")"; cat "$1/out"; cat "$1/err" >&2
elif [ -d "$1" ]; then
  echo begun; squeue -h -u "$(id -un)" -o "$2"
else
  echo nothing
fi
"""


def submit_once(
    host: Host,
    command: Sequence[str],
    marker: str,
    token: str,
    cancelled: Cancelled = never,
    patience_s: float = 300.0,
) -> str:
    """Run sbatch's `command` on the host and return the job's number.

    `marker` is a folder on the host that is not there yet. A connection that breaks is waited for.
    Raises `SubmitError` with SLURM's reason when there is no job, and `SubmitUnknown` when the host
    stays out of reach: call `find_job` later, never this again.
    """
    begun = time.monotonic()
    for _ in range(_TRIES):
        try:
            done = host.run(["sh", "-c", _RUN, "sh", marker, *command], timeout=_TIMEOUT_S)
        except NeedsPerson:
            raise
        except HostError:
            pass  # the answer was lost, or sbatch hangs: the host will tell
        else:
            if done.code == _NO_ROOM:
                raise SubmitError(
                    f"The disk is full on {clean(host.name)}: SLURM's answer would find no room in"
                    f" '{clean(marker.rpartition('/')[0])}', so the job was not submitted.",
                    "These make room and need none: batman runs delete RUN --checkpoints, batman"
                    " runs delete RUN.",
                )
            if done.code != _BEGUN:
                return _number(done, done.code, done.text)
        found = _settle(host, marker, token, begun, cancelled, patience_s)
        if found is not None:
            return found
    raise HostError(
        f"The connection to {clean(host.name)} broke {_TRIES} times before sbatch was begun.",
        "Nothing was submitted; try again when the network is better.",
    )


def find_job(host: Host, marker: str, token: str) -> tuple[str, str]:
    """Look for a submission: `("found", number)`, `("begun", "")` or `("nothing", "")`.

    `nothing` is that it was never begun; `begun` that it is under way, or ended without a trace.
    Raises `SubmitError` when SLURM refused it, and `HostError`.
    """
    sep = new_separator()
    done = host.run(["sh", "-c", _LOOK, "sh", marker, f"%F{sep}%k{sep}"])
    kind, _, rest = done.text.partition("\n")
    if kind.startswith("answered"):
        code = kind.split()[-1]
        return "found", _number(done, 1 if (number := whole_number(code)) is None else number, rest)
    if kind == "begun":
        for line in rest.splitlines():
            fields = line.split(sep)
            if len(fields) >= 2 and fields[1] == comment_of(token):
                return "found", fields[0]
        return "begun", ""
    if kind != "nothing":
        raise HostError(
            f"{clean(host.name)} did not say whether the job was submitted: {done.said}."
        )
    return "nothing", ""


def _settle(
    host: Host, marker: str, token: str, begun: float, cancelled: Cancelled, patience_s: float
) -> str | None:
    """Find out what became of a submission; None if it never began and may be tried again."""
    while True:
        try:
            kind, number = persist(lambda: find_job(host, marker, token), cancelled, patience_s)
        except (NeedsPerson, NotConnected) as error:
            raise SubmitUnknown(
                f"Whether the job was submitted is not known: {error.message}",
                "It is looked for when you next watch the run; nothing is submitted twice.",
            ) from None
        if kind == "found":
            return number
        if kind == "nothing":
            return None
        if time.monotonic() - begun > _UNDER_WAY_S:
            raise SubmitUnknown(
                "sbatch was started and neither answered nor left a job.",
                "Look at squeue on the cluster; if there is none, submit the run again.",
            )
        time.sleep(1.0)


def _number(done: Completed, code: int, output: str) -> str:
    """Return the job's number from what `sbatch --parsable` printed. Raises `SubmitError`."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    # `id` or `id;cluster`, behind whatever the site's plugins print.
    match = re.fullmatch(r"(\d+)(;.*)?", lines[-1]) if lines else None
    if code == 0 and match:
        return match.group(1)
    text = done.said if done.stderr.strip() else f"exit code {code}"
    raise SubmitError(f"SLURM did not take the job: {text}.", _hint(text))


def _hint(text: str) -> str:
    lower = text.lower()
    for word, hint in (
        ("account", "Give --account, or set it in the cluster's profile."),
        ("qos", "Give --qos, or set it in the cluster's profile."),
        ("partition", "Choose another by --partition."),
        ("limit", "Ask for less; see batman clusters show for what there is."),
        ("node configuration", "No node has all of it together: ask for less."),
        ("not found", "sbatch is not on the PATH there: load it in the profile's prelude."),
    ):
        if word in lower:
            return hint
    return "See the script with --dry-run."
