"""A job again with changes: what its run was trained with and what it asked for, to begin from."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.common.errors import BatmanError, RunError
from core.common.text import clean, whole_number
from core.common.workspace import Workspace
from core.training.config.command_line import option_names
from core.training.config.form import to_text
from core.training.config.options import TrainingConfig, default_for
from core.training.run.run import Run
from slurm.job.record import SCRIPT_FILE, JobRecord, list_records, read_record
from slurm.site.features import without
from slurm.site.gpu_kinds import is_share
from slurm.site.profiles import GpuType, Profile, ProfileError, load_profile
from slurm.submit.request import JobRequest, wishes

# A clone is a new run with a data set of its own.
_NOT_CLONED = ("project", "output_dir", "resume")
# The wishes that one option of sbatch holds.
_TOLD = tuple(wish for wish in wishes() if wish.metadata["sbatch"])
# What the script says for every job (`slurm.submit.script`), and what stands for the GPU anyway.
_EVERY = (
    "job-name", "comment", "output", "open-mode", "chdir", "signal", "requeue", "array", "parsable",
    "gres", "gpus", "gpus-per-node", "nodes", "ntasks-per-node", "cpus-per-task",
    *(wish.metadata["sbatch"] for wish in _TOLD),
)  # fmt: skip


@dataclass(frozen=True)
class Clone:
    """What a job can be made again from.

    `values` are the options of its training that are not at their defaults, as a person types
    them; `cluster` is where it ran, `request` what it asked for there.
    """

    run: Path
    project: Path
    values: Mapping[str, str]
    cluster: str
    request: JobRequest


def clone_job(workspace: Workspace, job_id: str, cluster: str | None = None) -> Clone:
    """Return what the job `job_id` of ours can be made again from; asks nobody.

    Raises RunError for a job that trains no run of this workspace, and for a whole array.
    """
    found = [
        (path, record)
        for path, record in list_records(workspace)
        if cluster in (None, record.cluster)
        and job_id in (record.job_id, record.job_id.partition("_")[0], path.name)
    ]
    if not found:
        raise RunError(
            f"Job {clean(job_id)} trains no run of {clean(str(workspace.root))}: only what Batman"
            " submitted from here can be cloned.",
            "batman jobs list names the runs of jobs; another workspace is chosen by --workspace.",
        )
    if len({record.cluster for _, record in found}) > 1:
        names = ", ".join(sorted({clean(record.cluster) for _, record in found}))
        raise RunError(f"There is a job {clean(job_id)} on {names}.", "Choose one by --cluster.")
    if len(found) > 1:
        ids = sorted(record.job_id for _, record in found)
        raise RunError(
            f"Job {clean(job_id)} is an array of {len(found)} runs.",
            f"Clone one of them, such as {clean(ids[0])}.",
        )
    return clone_run(found[0][0])


def clone_run(run_dir: Path) -> Clone:
    """Return what the run in `run_dir`, which a job trains or did, can be made again from.

    Raises RunError when it was never submitted or its project is gone.
    """
    record = read_record(run_dir)
    name = clean(run_dir.name)
    if record is None:
        raise RunError(f"The run '{name}' was never submitted.", "Submit it with batman submit.")
    config = Run(run_dir).config()
    if config.project is None or not config.project.is_dir():
        where = "is not known" if config.project is None else f"'{config.project}' is gone"
        raise RunError(
            f"The project that '{name}' was trained on {clean(where)}.",
            "A clone prepares its data set anew from the project.",
        )
    profile: Profile | None = None
    with suppress(ProfileError, BatmanError):
        profile = load_profile(record.cluster)
    asked = _asked(run_dir, record)
    nodes, gpus = record.num_nodes, max(1, record.num_gpus)
    cpus = whole_number(asked.get("cpus-per-task", ""))
    usual = tuple(profile.sbatch) if profile else ()
    told: dict[str, Any] = {w.name: asked.get(w.metadata["sbatch"], "") for w in _TOLD}
    row = profile.gpus.get(record.gpu) if profile else None
    told["constraint"] = without(told["constraint"], row.constraint if row else "")
    return Clone(
        run=run_dir,
        project=config.project,
        values=_values(config, record, profile),
        cluster=record.cluster,
        request=JobRequest(
            gpu=record.gpu,
            share=_share(row, asked.get("gres", "")),
            cpus=None if cpus is None else max(1, cpus // (gpus if nodes == 1 else 1)),
            checkpoints=record.checkpoints,
            extra=tuple(
                option
                for option in _options(run_dir, record)
                if option.removeprefix("--").partition("=")[0] not in _EVERY and option not in usual
            ),
            **told,
        ),
    )


def _share(row: GpuType | None, gres: str) -> int | None:
    """Return how many shares of a GPU were asked for, None for what the profile asks for anyway."""
    name, _, count = gres.rpartition(":")
    share = whole_number(count) if is_share(name) else None
    return None if row is not None and share == row.share else share


def _values(config: TrainingConfig, record: JobRecord, profile: Profile | None) -> dict[str, str]:
    values = {"model": config.model}
    for name in option_names():
        value = getattr(config, name)
        if name not in _NOT_CLONED and value != default_for(name, config.model):
            values[name] = to_text(name, value)
    # The batch that was the GPU's own gives way to that of another GPU.
    table = profile.gpus if profile else {}
    if record.gpu in table and config.batch_size == table[record.gpu].batch:
        values.pop("batch_size", None)
    return values


def _asked(run_dir: Path, record: JobRecord) -> dict[str, str]:
    """Return the values of sbatch's options by name."""
    pairs = (word.removeprefix("--").partition("=") for word in _options(run_dir, record))
    return {name: value for name, equals, value in pairs if equals}


def _options(run_dir: Path, record: JobRecord) -> Sequence[str]:
    """Return the options that the job was submitted with, each one word."""
    words = [word for word in record.command[1:] if word.startswith("--")]
    with suppress(OSError, UnicodeDecodeError):
        text = (run_dir / SCRIPT_FILE).read_text(encoding="utf-8")
        for line in re.findall(r"^#SBATCH (--.*)$", text, re.MULTILINE):
            words += shlex.split(line)
    return words
