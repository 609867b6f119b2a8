"""Which type of GPU is to be had soonest: what is free now, and what the scheduler reckons."""

from __future__ import annotations

import re
import secrets
import shlex
from dataclasses import dataclass, replace

from core.common.text import clean
from slurm.hosts import Host, HostError
from slurm.site.discover import Facts
from slurm.site.profiles import GpuType, Profile
from slurm.submit.plan import CannotGive, gpu_table, plan
from slurm.submit.request import JobRequest
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
                f"{clean(host.name)} did not say when jobs could start:"
                f" {clean(done.stderr.decode(errors='replace'))[:200]}.",
            )
        table = gpu_table(profile, facts)
        for (name, resources), answer in zip(asked, answers, strict=True):
            match = _START.search(answer)
            reason = "" if match else _reason(answer)
            start = int(match.group(1)) if match else None
            rows.append(_row(name, table[name], resources.partition, facts, start, reason))
    return sorted(rows, key=lambda row: (row.start is None, row.start or 0, -row.free))


def _row(
    name: str, gpu: GpuType, partition: str, facts: Facts, start: int | None, why_not: str
) -> Soonest:
    nodes = facts.nodes_with(gpu.gres.partition(":")[2], partition) if gpu.gres else []
    kind = gpu.gres.partition(":")[2]
    return Soonest(
        gpu=name,
        partition=partition,
        free=sum(node.free(kind) for node in nodes),
        total=sum(node.count(kind) for node in nodes),
        start=start,
        why_not=why_not,
    )


def _reason(answer: str) -> str:
    lines = [line for line in answer.strip().splitlines() if line.strip()]
    text = lines[-1] if lines else "SLURM gave no answer"
    return clean(re.sub(r"^(sbatch: )?(error: )?(allocation failure: )?", "", text.strip()))
