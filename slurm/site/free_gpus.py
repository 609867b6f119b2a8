"""Free GPUs by type, and what partitions give."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from slurm.site.discover import Node
from slurm.site.gpu_kinds import gpu_type_of
from slurm.site.partitions import Partition


@dataclass(frozen=True)
class GpuPool:
    """GPUs of one type (empty where the cluster does not tell types apart), or shares of them.

    `free` can be had now, `total` are there, `away` are on nodes that take no jobs.
    `partitions` give them; `most_free` is what a single node has free.
    """

    type: str
    free: int
    total: int
    away: int
    nodes: int
    most_free: int
    partitions: tuple[str, ...]

    @property
    def name(self) -> str:
        """What to call the type."""
        return self.type or "GPU"


@dataclass(frozen=True)
class PartitionRoom:
    """A partition with the nodes in it: how many take jobs, free CPUs and free GPUs."""

    partition: Partition
    nodes: int
    usable: int
    cpus: int
    free_cpus: int
    gpus: int
    free_gpus: int


def pool_gpus(nodes: Iterable[Node]) -> list[GpuPool]:
    """Return the GPUs of the nodes by type, the type with most of them free first.

    The shares that GPUs can be had in come behind them, by kind.
    """
    nodes = list(nodes)
    whole = {gpus.type for node in nodes for gpus in node.gpus}
    shares = {part.type for node in nodes for part in node.shares}
    pools = [
        _pool(kind, [node.only(gpu_type_of(kind)) for node in nodes]) for kind in whole | shares
    ]
    return sorted(pools, key=lambda pool: (pool.type in shares, -pool.free, -pool.total, pool.type))


def _pool(kind: str, nodes: Iterable[Node]) -> GpuPool:
    having = [node for node in nodes if node.count(kind)]
    free = [node.free(kind) for node in having]
    return GpuPool(
        type=kind,
        free=sum(free),
        total=sum(node.count(kind) for node in having),
        away=sum(node.count(kind) for node in having if not node.usable),
        nodes=len(having),
        most_free=max(free),
        partitions=tuple(dict.fromkeys(p for node in having for p in node.partitions)),
    )


def partition_rooms(partitions: Iterable[Partition], nodes: Sequence[Node]) -> list[PartitionRoom]:
    """Return each partition with what its nodes have free."""
    rooms = []
    for partition in partitions:
        inside = [node for node in nodes if partition.name in node.partitions]
        usable = [node for node in inside if node.usable]
        rooms.append(
            PartitionRoom(
                partition=partition,
                nodes=len(inside),
                usable=len(usable),
                cpus=sum(node.cpus for node in inside),
                free_cpus=sum(node.free_cpus for node in usable),
                gpus=sum(gpus.count for node in inside for gpus in node.gpus),
                free_gpus=sum(node.free("") for node in usable),
            )
        )
    return rooms
