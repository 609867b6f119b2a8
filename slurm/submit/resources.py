"""What a job asks for, and how sbatch is told."""

from __future__ import annotations

from dataclasses import dataclass

from slurm.site.gpu_kinds import is_share, kind_of
from slurm.site.slurm_values import format_duration


@dataclass(frozen=True)
class Resources:
    """What a job asks for: see `JobSpec`. `gpu` is the table's name, `batch` its default batch.

    `gpu_option` is the option that GPUs are asked for by; `share` is how many shares of one GPU are
    asked for where `gres` is of those (0 else), of which `share_of` make one GPU (0: not known),
    and `constraint` are features of the nodes.
    """

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
    constraint: str = ""
    share: int = 0
    share_of: int = 0
    gpu_option: str = "gres"

    @property
    def of_gpu(self) -> int:
        """How much of its GPU's type it has on each node: so many GPUs, or shares of one."""
        return self.share or self.gpus_per_node


def resource_options(resources: Resources) -> list[str]:
    """Return sbatch's options that decide where and when a job may run."""
    options = {
        "partition": resources.partition,
        "account": resources.account,
        "qos": resources.qos,
        "time": "" if resources.time_s is None else format_duration(resources.time_s),
        "mem": resources.memory,
        **_gpu_option(resources),
        "constraint": resources.constraint,
        "nodes": str(resources.nodes),
        # One task on one node: the trainer starts a process for each GPU by itself there.
        "ntasks-per-node": str(resources.gpus_per_node if resources.nodes > 1 else 1),
        "cpus-per-task": str(
            resources.cpus_per_gpu * (1 if resources.nodes > 1 else resources.gpus_per_node)
        ),
    }
    return [f"--{name}={value}" for name, value in options.items() if value] + [*resources.extra]


def _gpu_option(resources: Resources) -> dict[str, str]:
    """Return the option that asks for GPUs. sbatch(1): `--gres=gpu:a100:2`, `--gpus=a100:2`.

    `--gpus` counts for the whole job, and SLURM may part them unevenly: over several nodes it is
    `--gpus-per-node`. Shares of a GPU are generic resources only.
    """
    if not resources.gres:
        return {}
    kind = kind_of(resources.gres)
    option = resources.gpu_option
    if option == "gres" or is_share(kind):
        return {"gres": f"{resources.gres}:{resources.of_gpu}"}
    name = "gpus" if option == "gpus" and resources.nodes == 1 else "gpus-per-node"
    return {name: f"{kind}:{resources.gpus_per_node}" if kind else str(resources.gpus_per_node)}
