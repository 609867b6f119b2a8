"""How much of a GPU the shares of jobs are, by what nodes tell of themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from slurm.site.discover import Node
from slurm.site.gpu_kinds import gpu_type_of, is_share
from slurm.site.slurm_values import Gpus


def share_size(kind: str, nodes: Iterable[Node]) -> int:
    """Return how many shares of a kind make one GPU on all of the nodes that have any.

    0 where they differ in that, or it is not told: see `Node.share_sizes`.
    """
    sizes = [node.share_sizes(kind) for node in nodes if node.count(kind)]
    every = set().union(*sizes)
    return every.pop() if len(every) == 1 and all(sizes) else 0


def measured(gpus: Iterable[Gpus], nodes: Iterable[Node]) -> tuple[Gpus, ...]:
    """Return GPUs with the size of shares, and the type of their GPU, as far as nodes tell both.

    `nodes` are those that they are on, or may be.
    """
    nodes = list(nodes)
    return tuple(_measured(one, nodes) if is_share(one.type) else one for one in gpus)


def _measured(share: Gpus, nodes: list[Node]) -> Gpus:
    kind = share.type
    if not gpu_type_of(kind):
        name = f"{kind}:"
        types = {one.type for node in nodes for one in node.shares if one.type.startswith(name)}
        kind = types.pop() if len(types) == 1 else kind
    return replace(share, type=kind, share_of=share_size(kind, nodes) or share.share_of)
