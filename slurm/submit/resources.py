"""What a job asks for, and how sbatch is told."""

from __future__ import annotations

from dataclasses import dataclass

from slurm.site.slurm_values import format_duration


@dataclass(frozen=True)
class Resources:
    """What a job asks for: see `JobSpec`. `gpu` is the table's name, `batch` its default batch."""

    gpu: str
    gres: str
    partition: str
    memory: str
    time_s: int | None
    nodes: int
    gpus_per_node: int
    cpus_per_gpu: int
    account: str
    qos: str
    extra: tuple[str, ...]
    batch: int | None = None


def resource_options(resources: Resources) -> list[str]:
    """Return sbatch's options that decide where and when a job may run."""
    options = {
        "partition": resources.partition,
        "account": resources.account,
        "qos": resources.qos,
        "time": "" if resources.time_s is None else format_duration(resources.time_s),
        "mem": resources.memory,
        "gres": f"{resources.gres}:{resources.gpus_per_node}" if resources.gres else "",
        "nodes": str(resources.nodes),
        # One task on one node: the trainer starts a process for each GPU by itself there.
        "ntasks-per-node": str(resources.gpus_per_node if resources.nodes > 1 else 1),
        "cpus-per-task": str(
            resources.cpus_per_gpu * (1 if resources.nodes > 1 else resources.gpus_per_node)
        ),
    }
    return [f"--{name}={value}" for name, value in options.items() if value] + [*resources.extra]
