"""Free GPUs by type, and what partitions give."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from slurm.site.discover import Node
from slurm.site.partitions import Partition


@dataclass(frozen=True)
class GpuPool:
    """GPUs of one type (empty where the cluster does not tell types apart).

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
    """Return the GPUs of the nodes by type, the type with most of them free first."""
    nodes = list(nodes)
    pools = []
    for kind in sorted({gpus.type for node in nodes for gpus in node.gpus}):
        having = [node for node in nodes if any(gpus.type == kind for gpus in node.gpus)]
        total = sum(_count(node, kind) for node in having)
        free = [_free(node, kind) for node in having]
        pools.append(
            GpuPool(
                type=kind,
                free=sum(free),
                total=total,
                away=sum(_count(node, kind) for node in having if not node.usable),
                nodes=len(having),
                most_free=max(free),
                partitions=tuple(dict.fromkeys(p for node in having for p in node.partitions)),
            )
        )
    return sorted(pools, key=lambda pool: (-pool.free, -pool.total, pool.type))


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


def _count(node: Node, kind: str) -> int:
    # Not `Node.count`, to which an empty type means any.
    return sum(gpus.count for gpus in node.gpus if gpus.type == kind)


def _free(node: Node, kind: str) -> int:
    if not node.usable:
        return 0
    # One that jobs share is not to be had as a whole.
    shared = sum(part.count for part in node.shared if part.type.partition(":")[2] == kind)
    return max(0, _count(node, kind) - shared - sum(g.count for g in node.used if g.type == kind))
