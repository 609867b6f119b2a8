"""Which type of GPU is to be had soonest: what is free now, and what the scheduler reckons."""

from __future__ import annotations

import re
import secrets
import shlex
from dataclasses import dataclass, replace

from core.common.text import clean
from slurm.hosts import Host, HostError
from slurm.hosts.base import in_words
from slurm.site.discover import Facts
from slurm.site.profiles import GpuType, Profile
from slurm.site.suggest import free_of, nodes_of, suggest_profile
from slurm.submit.plan import gpu_table, plan
from slurm.submit.request import CannotGive, JobRequest
from slurm.submit.resources import Resources, resource_options


@dataclass(frozen=True)
class Soonest:
    """When a job could start on one type of GPU: how many are free, SLURM's estimate (Unix time).

    `why_not` says why the cluster would not take the job at all.
    """

    gpu: str
    partition: str
    free: int
    total: int
    start: int | None
    why_not: str = ""


# `sbatch --test-only` answers on standard error (sbatch(1)); the time is as SLURM_TIME_FORMAT says.
_START = re.compile(r"to start at (\d+)\b")
_ASK = """
for words do
  echo "$MARK"
  eval "set -- $words"
  sbatch --test-only "$@" --wrap=true 2>&1
done
"""


def soonest(
    host: Host,
    profile: Profile,
    request: JobRequest,
    facts: Facts,
    num_gpus: int = 1,
    num_nodes: int = 1,
) -> list[Soonest]:
    """Return when the job could start on each type of GPU that fits it, the soonest first.

    The `gpu` of `request` does not count; the job has `num_gpus` on each of `num_nodes`.
    Asks SLURM's scheduler once for each type (`--test-only` submits nothing). Raises `HostError`.
    """
    rows: list[Soonest] = []
    asked: list[tuple[str, Resources]] = []
    for name, gpu in gpu_table(profile, facts).items():
        try:
            resources = plan(profile, replace(request, gpu=name), facts, num_gpus, num_nodes)
        except CannotGive as error:
            rows.append(_row(name, gpu, gpu.partition, facts, None, error.message))
            continue
        asked.append((name, resources))
    if asked:
        mark = secrets.token_hex(8)
        words = [shlex.join(resource_options(resources)) for _, resources in asked]
        done = host.run(
            ["sh", "-c", _ASK, "sh", *words],
            timeout=60,
            env={"SLURM_TIME_FORMAT": "%s", "MARK": mark},
        )
        answers = done.text.split(f"{mark}\n")[1:]
        if len(answers) != len(asked):
            raise HostError(
                f"{clean(host.name)} did not say when jobs could start: {done.said}.",
            )
        table = gpu_table(profile, facts)
        for (name, resources), answer in zip(asked, answers, strict=True):
            match = _START.search(answer)
            reason = "" if match else _reason(answer)
            start = int(match.group(1)) if match else None
            rows.append(_row(name, table[name], resources.partition, facts, start, reason))
    return sorted(rows, key=lambda row: (row.start is None, row.start or 0, -row.free))


def suggest_accepted(
    host: Host, profile: Profile, facts: Facts, *, keep_workspace: bool = False
) -> tuple[Profile, dict[str, str]]:
    """Return a new profile whose GPUs' partitions SLURM itself takes a job for, as it says now.

    A partition that it refuses is passed by for the next best one. Where it refuses every type,
    GPUs are asked for by another option (`Profile.gpu_option`), for a site's own rules may allow
    one only (slurm.schedmd.com/job_submit_plugins.html). Types for which it refuses all
    keep the best, and are returned with SLURM's words: a node may just be away. Raises `HostError`.
    """
    first: tuple[Profile, dict[str, str]] | None = None
    usual = profile.gpu_option
    for option in dict.fromkeys((usual, "gres", "gpus", "gpus-per-node")):
        asking = profile.model_copy(update={"gpu_option": option})
        made, refused = _suggest(host, asking, facts, keep_workspace=keep_workspace)
        if not made.gpus or len(refused) < len(made.gpus):
            return made, refused
        first = first or (made, refused)
    assert first is not None
    return first


def _suggest(
    host: Host, profile: Profile, facts: Facts, *, keep_workspace: bool
) -> tuple[Profile, dict[str, str]]:
    """Return what `suggest_accepted` does, for the option that the profile asks for GPUs by."""
    passing: dict[str, set[str]] = {}
    while True:
        made = suggest_profile(profile, facts, keep_workspace=keep_workspace, passing=passing)
        rows = soonest(host, made, JobRequest(), facts) if made.gpus else []
        refused = [row for row in rows if row.start is None]
        new = [row for row in refused if row.partition not in passing.get(row.gpu, ())]
        if not new:
            return made, {row.gpu: row.why_not for row in refused}
        for row in new:
            passing.setdefault(row.gpu, set()).add(row.partition)


def _row(
    name: str, gpu: GpuType, partition: str, facts: Facts, start: int | None, why_not: str
) -> Soonest:
    free, total = free_of(nodes_of(facts, gpu, partition), gpu)
    return Soonest(
        gpu=name,
        partition=partition,
        free=free,
        total=total,
        start=start,
        why_not=why_not,
    )


def _reason(answer: str) -> str:
    lines = [line for line in answer.strip().splitlines() if line.strip()]
    text = lines[-1] if lines else "SLURM gave no answer"
    return in_words(text)
