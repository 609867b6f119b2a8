"""What we know of the job that trains a run: `job.json` in the run folder.

It is written before the job is submitted, so that a submission whose answer was lost is found
again by its token and never made twice, and it keeps the job's end for clusters without accounting.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from core.common.errors import BatmanError, RunError
from core.common.files import read_typed_json, write_json
from core.common.text import clean
from core.common.workspace import Workspace
from core.privacy.secrets import redact_forms, redact_tree
from core.training.run.damage import JOB_FILE
from core.training.run.wait import Wait

if TYPE_CHECKING:
    from core.training.run.run import Run

SCRIPT_FILE = "job.sh"
# Which checkpoints come back beside the best weights.
CHECKPOINTS = ("none", "last", "all")


class JobRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A submitted job, or one whose submission was begun (`job_id` is empty then).

    `job_id` is SLURM's (`123`, or `123_4` for one of an array). `run_dir`, `log` and `marker` are
    absolute paths on the cluster, `log` with the job's number filled in once that is known;
    `marker` is the folder that the submission leaves its answer in. `command` is sbatch's argument
    list. `share` is how many shares of one GPU are asked for on each node (0: whole GPUs), of which
    `share_of` make one (0: not known). Times are Unix seconds, `time_limit` seconds. `state`,
    `reason` and `exit_code` are what SLURM last said of it at `seen_at`; `restarts` counts how
    often it was started again. `wait` is how it waits, while it does. `checkpoints` is which of
    them come back here beside the best weights: `none`, `last` or `all`; at `fetched_at` everything
    of an ended run had come.
    """

    cluster: str
    host: str
    token: str
    run_dir: str
    log: str
    marker: str
    submitted_at: float
    job_id: str = ""
    command: list[str] = []
    task: int | None = None
    gpu: str = ""
    num_gpus: int = 1
    num_nodes: int = 1
    share: int = 0
    share_of: int = 0
    partition: str = ""
    time_limit: int | None = None
    state: str = ""
    reason: str = ""
    exit_code: int | None = None
    restarts: int = 0
    wait: Wait | None = None
    seen_at: float | None = None
    fetched_at: float | None = None
    checkpoints: str = "none"

    def changed(self, **values: Any) -> JobRecord:
        """Return a copy with `values`."""
        return msgspec.structs.replace(self, **values)

    @property
    def gpus(self) -> float | None:
        """How many GPUs it asks for, a share as a fraction; None where that is not known."""
        if not self.share:
            return float(self.num_gpus * self.num_nodes)
        return self.share * self.num_nodes / self.share_of if self.share_of else None

    @property
    def comment(self) -> str:
        """What the job carries in its comment, by which it is found."""
        return comment_of(self.token)


def comment_of(token: str) -> str:
    """Return the comment of the job with the token `token`."""
    return f"batman:{token}"


def read_record(run_dir: Path) -> JobRecord | None:
    """Return the record in `run_dir`, None if the run was never submitted.

    Raises RunError for one that cannot be read: the run's job may be waiting or at work.
    """
    try:
        return read_typed_json(run_dir / JOB_FILE, JobRecord)
    except BatmanError as error:
        raise RunError(
            f"Which job trains the run '{clean(run_dir.name)}' is not known: {error.message}",
            "Look with batman jobs list; when no job has it, remove the file.",
        ) from None


def write_record(run_dir: Path, record: JobRecord) -> JobRecord:
    """Write the record and return it."""
    write_json(run_dir / JOB_FILE, redact_tree(msgspec.to_builtins(record), redact_forms))
    return record


def keep_checkpoints(
    runs: Iterable[Run], records: Iterable[JobRecord], wanted: str
) -> list[JobRecord]:
    """Note which checkpoints of runs that were just submitted shall come back; return the records.

    `wanted` is one of `CHECKPOINTS`.
    """
    return [
        write_record(run.path, record.changed(checkpoints=wanted))
        for run, record in zip(runs, records, strict=True)
    ]


def list_records(workspace: Workspace) -> list[tuple[Path, JobRecord]]:
    """Return every run of the workspace that was submitted, the latest submission first.

    One whose record cannot be read is left out; `damaged_records` says what is wrong with it.
    """
    kept = []
    for path in workspace.list_runs():
        with contextlib.suppress(RunError):
            if (record := read_record(path)) is not None:
                kept.append((path, record))
    return sorted(kept, key=lambda item: item[1].submitted_at, reverse=True)


def list_pass_records(workspace: Workspace) -> list[tuple[Path, JobRecord]]:
    """Return the folder of every pass that a job of a cluster makes, with its record, as above."""
    kept = []
    for path in workspace.projects_dir.glob(f"*/passes/*/{JOB_FILE}"):
        with contextlib.suppress(RunError):
            if (record := read_record(path.parent)) is not None:
                kept.append((path.parent, record))
    return sorted(kept, key=lambda item: item[1].submitted_at, reverse=True)


def damaged_records(workspace: Workspace) -> list[RunError]:
    """Return what is wrong with each record of the workspace that cannot be read."""
    errors = []
    for path in workspace.list_runs():
        try:
            read_record(path)
        except RunError as error:
            errors.append(error)
    return errors


def earlier_log(job: str) -> str:
    """Return the name that a run's log has once the job `job` begins one of its own."""
    return f"train-before-{job}.log"
