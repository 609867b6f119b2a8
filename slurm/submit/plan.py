"""What a run asks of a cluster, held against what the cluster can give, before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence

from core.common.errors import BatmanError
from core.common.text import clean, did_you_mean, plural, sentence
from slurm.site.discover import Facts, Node, suggest_gpus
from slurm.site.profiles import GpuType, Profile, parse_time
from slurm.site.slurm_values import format_duration, parse_memory
from slurm.submit.request import JobRequest
from slurm.submit.resources import Resources


class CannotGive(BatmanError):
    """Something was asked for that the cluster cannot give; the hint says what it can."""


def gpu_table(profile: Profile, facts: Facts) -> dict[str, GpuType]:
    """Return the profile's GPU types, or what the cluster has where the profile names none."""
    return dict(profile.gpus) or suggest_gpus(facts)


def plan(
    profile: Profile, request: JobRequest, facts: Facts, num_gpus: int = 1, num_nodes: int = 1
) -> Resources:
    """Return what to ask SLURM for, with `num_gpus` on each of `num_nodes`.

    Raises `CannotGive` for what cannot be had, saying what can.
    """
    table = gpu_table(profile, facts)
    name, gpu = _choose(table, request.gpu)
    partition = _partition(request.partition or gpu.partition, facts)
    nodes = _nodes(name, gpu, partition, num_gpus, num_nodes, facts, table)
    memory = request.memory or gpu.memory
    _check_memory(memory, nodes)
    return Resources(
        gpu=name,
        gres=gpu.gres,
        partition=partition,
        memory=memory,
        time_s=_time(profile, gpu, partition, request.time_s, facts),
        nodes=num_nodes,
        gpus_per_node=num_gpus,
        cpus_per_gpu=_cpus(profile, request.cpus, num_gpus, nodes),
        account=request.account or profile.account,
        qos=request.qos or profile.qos,
        extra=(*profile.sbatch, *request.sbatch_options),
        batch=gpu.batch,
    )


def _choose(table: dict[str, GpuType], wanted: str) -> tuple[str, GpuType]:
    listed = ", ".join(
        clean(name) + (f" ({gpu.max_per_node} a node)" if gpu.max_per_node else "")
        for name, gpu in table.items()
    )
    if not wanted:
        if len(table) == 1:
            return next(iter(table.items()))
        if not table:
            return "", GpuType()
        raise CannotGive(
            "No type of GPU was chosen.",
            f"Give --gpu auto for the one free soonest, or one of: {listed}.",
        )
    for name, gpu in table.items():
        if wanted.casefold() in (name.casefold(), gpu.gres.partition(":")[2].casefold()):
            return name, gpu
    guess = did_you_mean(wanted, table)
    raise CannotGive(
        f"The cluster has no GPU '{clean(wanted)}'.",
        f"{sentence(guess)} {f'It has: {listed}.' if listed else 'It has none.'}".strip(),
    )


def _partition(name: str, facts: Facts) -> str:
    if not facts.partitions or not name:
        return name
    known = facts.partitions.get(name)
    listed = ", ".join(
        f"{clean(p.name)} ({_limit_words(p.time_limit)})" for p in facts.partitions.values() if p.up
    )
    if known is None:
        guess = did_you_mean(name, facts.partitions)
        raise CannotGive(
            f"There is no partition '{clean(name)}'.",
            f"{sentence(guess)} There are: {listed}.".strip(),
        )
    if not known.up:
        raise CannotGive(f"The partition {clean(name)} takes no jobs now.", f"There are: {listed}.")
    return name


def _nodes(
    name: str,
    gpu: GpuType,
    partition: str,
    num_gpus: int,
    num_nodes: int,
    facts: Facts,
    table: dict[str, GpuType],
) -> list[Node]:
    """Return the nodes that could take the job, none where the cluster did not tell."""
    kind = gpu.gres.partition(":")[2]
    if not gpu.gres:
        return [n for n in facts.nodes if partition in ("", *n.partitions)]
    # A table may name features or GRES that sinfo tells in another way: then it is believed.
    found = facts.nodes_with(kind, partition)
    if facts.nodes and not found and kind in facts.gpu_types():
        homes = sorted({p for node in facts.nodes_with(kind) for p in node.partitions})
        raise CannotGive(
            f"The partition {clean(partition)} has no {clean(name)}.",
            f"It is in: {', '.join(map(clean, homes))}; choose by --partition.",
        )
    most = max((node.count(kind) for node in found), default=gpu.max_per_node)
    if gpu.max_per_node:
        most = min(most, gpu.max_per_node) if found else gpu.max_per_node
    total = num_gpus * num_nodes
    if most and num_gpus > most:
        others = [
            f"{clean(other)} ({row.max_per_node} a node)"
            for other, row in table.items()
            if row.max_per_node >= num_gpus
        ]
        spread = -(-total // most)
        each = -(-total // spread)
        room = [node for node in found if node.count(kind) >= each]
        can = [f"--num-gpus {most}"]
        if len(room) >= spread or not found:
            can.append(f"--num-nodes {spread} --num-gpus {each}")
        raise CannotGive(
            f"A node has {plural(most, 'GPU')} of type {clean(name)}"
            f" at most, and {num_gpus} were asked for.",
            f"Take {' or '.join(can)}{', or ' + ', '.join(others) if others else ''}.",
        )
    fitting = [node for node in found if node.count(kind) >= num_gpus]
    if found and len(fitting) < num_nodes:
        raise CannotGive(
            f"{num_nodes} nodes with {plural(num_gpus, 'GPU')} of type"
            f" {clean(name)} each were asked for, and the partition {clean(partition)}"
            f" has {len(fitting)}.",
            f"Take --num-nodes {len(fitting)}.",
        )
    return fitting


def _time(
    profile: Profile, gpu: GpuType, partition: str, wanted: int | None, facts: Facts
) -> int | None:
    limit = facts.limit(partition)
    if limit is None and partition == gpu.partition:
        limit = gpu.time_s
    if wanted is None:
        usual = parse_time(profile.time)
        known = [seconds for seconds in (usual, limit) if seconds is not None]
        return min(known) if known else None
    if limit is not None and wanted > limit:
        longer = [
            f"{clean(p.name)} ({_limit_words(p.time_limit)})"
            for p in facts.partitions.values()
            if p.up
            and (p.time_limit is None or p.time_limit >= wanted)
            and (not gpu.gres or facts.nodes_with(gpu.gres.partition(":")[2], p.name))
        ]
        raise CannotGive(
            f"The partition {clean(partition)} gives {format_duration(limit)} at most, and"
            f" {format_duration(wanted)} were asked for.",
            "Leave out --time: a run that is not done by then goes on by itself."
            + (f" Or take --partition {' or '.join(longer)}." if longer else ""),
        )
    return wanted


def _check_memory(memory: str, nodes: Sequence[Node]) -> None:
    wanted = parse_memory(memory) if memory else None
    if memory and wanted is None:
        raise CannotGive(f"'{clean(memory)}' is no amount of memory.", "Write 64G.")
    most = max((node.memory for node in nodes), default=0)
    if wanted and most and wanted > most:
        raise CannotGive(
            f"A node has {most // 1024}G of memory at most, and {clean(memory)} were asked for.",
            f"Take --mem {most // 1024}G, or put the cluster's profile right.",
        )


def _cpus(profile: Profile, wanted: int | None, num_gpus: int, nodes: Sequence[Node]) -> int:
    """Return the CPUs for each GPU: those asked for, else the profile's if a node has as many."""
    most = max((node.cpus for node in nodes), default=0) // num_gpus
    if wanted is None:
        return max(1, min(profile.cpus_per_gpu, most)) if nodes else profile.cpus_per_gpu
    if nodes and wanted > most:
        raise CannotGive(
            f"A node has {most} CPUs for each of {plural(num_gpus, 'GPU')} at most, and"
            f" {wanted} were asked for.",
            f"Take --cpus {most}.",
        )
    return wanted


def _limit_words(seconds: int | None) -> str:
    return "no limit" if seconds is None else format_duration(seconds)
