"""Nodes with who is on them: load, memory and GPUs in use, and why one takes no jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.common.text import clean
from slurm.queue.jobs import Job
from slurm.queue.queue import QueueSnapshot
from slurm.site.discover import Node
from slurm.site.hostlist import expand_hostlist


@dataclass(frozen=True)
class NodeView:
    """A node and the jobs that run on it, as far as jobs were asked for."""

    node: Node
    jobs: tuple[Job, ...] = ()

    @property
    def users(self) -> dict[str, int]:
        """How many jobs each person has on it, who has most first."""
        names = [job.user for job in self.jobs]
        return {name: names.count(name) for name in sorted(set(names), key=names.count)[::-1]}

    @property
    def gpus(self) -> str:
        """GPUs in use of all, wholly or in shares, by type, such as `2/4 h100-96`."""
        return ", ".join(
            f"{self.node.only(gpus.type).in_use(gpus.type)}/{gpus.count}"
            f" {clean(gpus.type or 'GPU')}"
            for gpus in self.node.gpus
        )

    @property
    def memory(self) -> str:
        """Memory that jobs were given of all, in GB of 1024 MB, as SLURM counts."""
        given = "?" if self.node.memory_given is None else f"{self.node.memory_given / 1024:.0f}"
        return f"{given}/{self.node.memory / 1024:.0f}G"

    @property
    def load(self) -> str:
        """The load that its system tells, and its CPUs."""
        told = "?" if self.node.load is None else f"{self.node.load:.1f}"
        return f"{told}/{self.node.cpus}"

    @property
    def about(self) -> str:
        """Who is on it, and why it takes no jobs where somebody said so."""
        who = ", ".join(
            clean(name) + (f" ×{count}" if count > 1 else "") for name, count in self.users.items()
        )
        return "; ".join(part for part in (clean(self.node.reason), who) if part)


def node_views(snapshot: QueueSnapshot, jobs: Sequence[Job] | None = None) -> list[NodeView]:
    """Return the nodes with the jobs on them: those of the snapshot, or `jobs`.

    Nodes that take no jobs come first, then those with most GPUs free.
    """
    on: dict[str, list[Job]] = {}
    for job in snapshot.jobs if jobs is None else jobs:
        if job.state.running:
            for name in expand_hostlist(job.node_list):
                on.setdefault(name, []).append(job)
    views = [NodeView(node, tuple(on.get(node.name, ()))) for node in snapshot.nodes]
    return sorted(views, key=lambda view: (view.node.usable, -view.node.free(""), view.node.name))
