"""What a job notes in the run folder about its starts and ends: the batch script calls this.

`python -m slurm.attempts begin|warn|check|next|end RUN [VALUE]` keeps `attempts.jsonl`. A run
that is started again and again without getting a step further would fill a queue for ever; two
restarts without a new step end it, and its events say so. In the folder of a pass a step is a
picture that was looked at, and the job's own words say what the events of a run would.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from core.autolabel.pass_folder import TASK, PassFolder
from core.common.files import open_plain, read_plain
from core.common.parse import ParseError, parse_json
from core.common.text import clean
from core.processes.child_process import begin_process
from core.training.run.events import (
    Checkpoint,
    Event,
    EventWriter,
    Failed,
    Step,
    Stopped,
    decode_event,
    read_events,
)
from core.training.run.summary import end_of
from core.training.run.worker_process import mark_again
from slurm.job.function import is_call

FILE = "attempts.jsonl"
# This many restarts may go without a new step.
MOST_IDLE_RESTARTS = 2
STUCK = 5
# A start of what this very job has finished before, as after a requeue by hand.
DONE = 6
# The worker's exit codes where it could not begin, and where it was stopped; see
# core.training.worker.
UNUSABLE, STOPPED = 2, 3
_TAIL = 256 * 1024


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One line: a job's `begin`, its `end` with a `code`, or the `next` job that takes its place.

    `step` is the optimiser step that the newest checkpoint holds, `job` SLURM's number.
    """

    what: str
    job: str
    token: str
    t: float
    step: int = 0
    code: int | None = None


def read_attempts(data: bytes) -> list[Attempt]:
    """Return the attempts in the bytes of `attempts.jsonl`; broken lines are left out."""
    attempts = []
    for line in data.splitlines():
        try:
            attempts.append(parse_json(line, Attempt))
        except ParseError:
            continue
    return attempts


def stuck(attempts: Sequence[Attempt], token: str, step: int) -> bool:
    """Return whether one more start at `step` would be a restart too many without a new step."""
    begins = [a.step for a in attempts if a.what == "begin" and a.token == token]
    return len(begins) >= MOST_IDLE_RESTARTS and set(begins[-MOST_IDLE_RESTARTS:]) == {step}


def finished(attempts: Sequence[Attempt], token: str) -> bool:
    """Return whether the last thing that the job of `token` noted is that it ended well."""
    own = [attempt for attempt in attempts if attempt.token == token]
    return bool(own) and own[-1].what == "end" and own[-1].code == 0


def newest_checkpoint(run_dir: Path) -> Checkpoint | None:
    """Return the newest checkpoint that the run can go on from, as its events tell it."""
    newest = None
    try:
        with open_plain(run_dir / "events.jsonl") as file:
            for line in file:
                event = decode_event(line) if b'"checkpoint"' in line else None
                if isinstance(event, Checkpoint) and event.kind != "best":
                    newest = event
    except FileNotFoundError:
        return None
    except OSError as error:
        _say(f"'events.jsonl' cannot be read: {error.strerror}")
    return newest


def saved_step(run_dir: Path) -> int:
    """Return the optimiser step that the newest resumable checkpoint holds, 0 without one.

    Of a pass, the number of pictures that were looked at.
    """
    if _is_pass(run_dir):
        return len(PassFolder(run_dir).done())
    newest = newest_checkpoint(run_dir)
    return 0 if newest is None else newest.step


def main(argv: Sequence[str] | None = None) -> int:
    """Note what `argv` says and return the exit code: 0, `STUCK` or `DONE`."""
    begin_process()
    what, folder, *rest = sys.argv[1:] if argv is None else argv
    run_dir = Path(folder)
    if not run_dir.is_dir():
        _say(f"There is no run folder '{folder}'.")
        return UNUSABLE
    token, job = os.environ.get("BATMAN_TOKEN", ""), os.environ.get("SLURM_JOB_ID", "")
    if what == "warn":
        # The worker will stop, and that is no end: the job starts it again.
        mark_again(run_dir, True)
        return 0
    step = saved_step(run_dir)
    if what in ("begin", "check"):
        if what == "begin" and finished(_known(run_dir), token):
            _say("This job has finished its work before; there is nothing left to do.")
            return DONE
        # A function has no steps: it begins anew, however often it is put back.
        if not is_call(run_dir) and stuck(_known(run_dir), token, step):
            _fail(
                run_dir,
                "no-progress",
                f"The job was started again {MOST_IDLE_RESTARTS} times without a new"
                + (
                    f" picture (still at {step:,})."
                    if _is_pass(run_dir)
                    else f" step (still at step {step})."
                ),
                _advice(run_dir),
            )
            mark_again(run_dir, False)
            return STUCK
        if what == "begin":
            _append(run_dir, Attempt(what=what, job=job, token=token, t=time.time(), step=step))
        return 0
    if what == "next":
        _append(run_dir, Attempt(what=what, job=rest[0], token=token, t=time.time(), step=step))
        return 0
    _end(run_dir, job, token, int(rest[0]), step)
    return 0


def _advice(run_dir: Path) -> str:
    """Return what to do about starts that get no further.

    A run that was warned before its first step needs a later warning, not an earlier one.
    """
    more = "ask for more with --time"
    begun = max((a.t for a in _known(run_dir) if a.what == "begin"), default=0.0)
    events = read_events(_tail(run_dir / "events.jsonl"))[0]
    stepped = any(isinstance(event, Step) and event.t >= begun for event in events)
    if stepped or _is_pass(run_dir):
        return (
            f"Its time limit is too short to load, train and write a checkpoint: {more}, or warn"
            " earlier with the profile's signal_seconds."
        )
    return (
        f"It was warned of its time limit before its first step: {more}, or warn later with fewer"
        " signal_seconds in the profile."
    )


def _end(run_dir: Path, job: str, token: str, code: int, step: int) -> None:
    """Note the trainer's exit code; if it died without saying why, say that it did."""
    begun = max((a.t for a in _known(run_dir) if a.what == "begin"), default=0.0)
    _append(run_dir, Attempt(what="end", job=job, token=token, t=time.time(), step=step, code=code))
    mark_again(run_dir, False)
    if _is_pass(run_dir) or is_call(run_dir):  # what they leave says how it went
        return
    if code == UNUSABLE:  # no training was begun, perhaps because another job has the run
        return
    events = read_events(_tail(run_dir / "events.jsonl"))[0]
    if end_of(events) is not None and events[-1].t >= begun:
        return
    if code == STOPPED:  # before it could take the signal, or write anything
        newest = newest_checkpoint(run_dir)
        _tell(
            run_dir,
            Stopped(epoch=newest.epoch if newest else 0, step=step, reason="before it had begun"),
        )
        return
    signal = f" (signal {code - 128})" if code > 128 else ""
    _fail(
        run_dir,
        "job",
        f"Training ended without a word, with exit code {code}{signal}.",
        "The memory may have run out; train.log has the last lines."
        if code == 137
        else "train.log has the last lines.",
    )


def _fail(run_dir: Path, kind: str, message: str, hint: str) -> None:
    _say(f"{message} {hint}")
    if _is_pass(run_dir):
        return
    _tell(run_dir, Failed(kind=kind, message=message, hint=hint))


def _is_pass(folder: Path) -> bool:
    return (folder / TASK).is_file()


def _tell(run_dir: Path, event: Event) -> None:
    writer = EventWriter(run_dir / "events.jsonl")
    writer.write(event)
    writer.close()


def _append(run_dir: Path, attempt: Attempt) -> None:
    try:
        with (run_dir / FILE).open("ab") as file:
            file.write(msgspec.json.encode(attempt) + b"\n")
    except OSError as error:  # a full disk: the job's own words are what is left
        _say(f"'{attempt.what}' could not be noted: {error.strerror}")


def _say(text: str) -> None:
    """Print a line into the job's log, without secrets and what a terminal would obey."""
    sys.stdout.write(f"batman: {clean(text)}\n")


def _known(run_dir: Path) -> list[Attempt]:
    try:
        return read_attempts(read_plain(run_dir / FILE))
    except FileNotFoundError:
        pass
    except OSError as error:  # the job goes on without what it noted before
        _say(f"'{FILE}' cannot be read: {error.strerror}")
    return []


def _tail(path: Path) -> bytes:
    try:
        with open_plain(path) as file:
            start = max(0, file.seek(0, os.SEEK_END) - _TAIL)
            file.seek(start)
            data = file.read()
    except OSError:
        return b""
    return data[data.find(b"\n") + 1 :] if start else data
