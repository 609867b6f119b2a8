"""What to ask for on a cluster, from what it says about itself: a new profile's GPUs and places."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from core.common.text import clean
from slurm.site.discover import Facts, Node
from slurm.site.features import fits
from slurm.site.gpu_kinds import gpu_memory as memory_told
from slurm.site.gpu_kinds import is_share
from slurm.site.partitions import Need
from slurm.site.profiles import EXAMPLE_GPUS, GpuType, Profile, parse_time
from slurm.site.slurm_values import format_duration

# What profiles ask for where nobody chooses.
USUAL_S = parse_time(str(Profile.model_fields["time"].default))


def suggest_gpus(
    facts: Facts,
    usual: int | None = USUAL_S,
    account: str = "",
    qos: str = "",
    passing: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> dict[str, GpuType]:
    """Return a GPU table for the cluster: its types, each in the partition to be preferred.

    That is one that this person's jobs run in, and where one of the `usual` time may end; see
    `Facts.places_for`. A type that no such partition has is left out: `out_of_reach` says why.
    Batch size and memory come from the example table where the type is known there. `account` and
    `qos` are those that jobs ask for, `passing` names partitions of types that are to be passed by.
    """
    table: dict[str, GpuType] = {}
    need = Need(account=account, qos=qos)
    for kind in facts.gpu_types():
        places = facts.places_for(kind, need, usual)
        chosen = [p for p in places if p.name not in passing.get(kind or "any", ())] or places
        if facts.partitions and not chosen:
            continue
        best = chosen[0] if chosen else None
        nodes = facts.nodes_with(kind, best.name if best else "")
        like = EXAMPLE_GPUS.get(kind) or next(
            (row for row in EXAMPLE_GPUS.values() if row.gres == f"gpu:{kind}"), None
        )
        limit = best.time_limit if best else None
        gpu_memory = memory_of(kind, nodes)
        share = is_share(kind)
        most = max((node.of_one(kind) if share else node.count(kind) for node in nodes), default=0)
        table[kind or "any"] = GpuType(
            gres=kind if share else f"gpu:{kind}" if kind else "gpu",
            partition=best.name if best else "",
            memory=like.memory if like and _fits(like.memory_mb, nodes) else "",
            time=format_duration(limit) if limit else "",
            batch=like.batch if like else batch_for(gpu_memory),
            max_per_node=most,
            gpu_memory=gpu_memory or 0,
            # Half of a GPU by MPS, which counts in hundredths; a shard as the site has made it.
            share=max(1, most // 2) if kind.startswith("mps") else 1,
        )
    return table


def nodes_of(facts: Facts, gpu: GpuType, partition: str = "") -> list[Node]:
    """Return the nodes that have such GPUs, in a partition if one is named."""
    if not gpu.gres:
        return []
    return [n for n in facts.nodes_with(gpu.kind, partition) if fits(gpu.constraint, n.features)]


def free_of(nodes: Iterable[Node], gpu: GpuType) -> tuple[int, int]:
    """Return how many such GPUs, or shares of them, are free on nodes, and how many there are."""
    free = total = 0
    for node in nodes:
        free, total = free + node.free(gpu.kind), total + node.count(gpu.kind)
    return free, total


def memory_of(kind: str, nodes: Iterable[Node]) -> int | None:
    """Return the memory of one GPU of a type on such nodes in GB, None where nothing tells."""
    # What a node's features say is of which of its GPUs, where it has several types?
    features = [
        name for node in nodes if len({gpu.type for gpu in node.gpus}) == 1
        for name in node.features
    ]  # fmt: skip
    return memory_told(kind, features)


def batch_for(memory: int | None) -> int | None:
    """Return the batch size for a GPU with so many GB, by the example table; None if not known.

    Its `h100-47` takes 12 and its `a100-40` 8; the smallest, `nv`, are cards of 12 GB and more.
    """
    rows = {141: "h200", 96: "h100-96", 80: "a100-80", 47: "h100-47", 40: "a100-40", 12: "nv"}
    return next(
        (EXAMPLE_GPUS[n].batch for least, n in rows.items() if (memory or 0) >= least), None
    )


def out_of_reach(facts: Facts, account: str = "", qos: str = "") -> dict[str, str]:
    """Return the types of GPUs that this person's jobs cannot have, each with why."""
    closed = {}
    for kind in facts.gpu_types():
        if not facts.partitions or facts.places_for(kind, Need(account=account, qos=qos)):
            continue
        names = dict.fromkeys(name for node in facts.nodes_with(kind) for name in node.partitions)
        reasons = []
        for name in names:
            partition = facts.partitions[name]
            why = facts.person.why_closed(partition, account, qos)
            why = why or ("is hidden" if partition.hidden else "has a name that no script can hold")
            reasons.append(f"{clean(name)} {why}")
        closed[kind or "GPU"] = "; ".join(reasons)
    return closed


def suggest_profile(
    profile: Profile,
    facts: Facts,
    *,
    keep_workspace: bool = False,
    passing: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> Profile:
    """Return a new profile with what the cluster told: its GPUs, and where there is most room.

    The workspace goes to the place with most room that is no home, if there is one: homes are
    small as a rule. On this machine, or with `keep_workspace`, it stays.
    """
    usual = parse_time(profile.time)
    table = suggest_gpus(facts, usual, profile.account, profile.qos, passing)
    updates: dict[str, object] = {"gpus": table}
    places = [place for place in facts.places if not place.path.startswith(("/home", "/root"))]
    if places and not keep_workspace and not profile.is_local:
        updates["workspace"] = f"{max(places, key=lambda place: place.free).path}/batman"
    return profile.model_copy(update=updates)


def _fits(memory: int | None, nodes: Iterable[Node]) -> bool:
    return memory is not None and any(node.memory >= memory for node in nodes)
