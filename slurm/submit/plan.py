"""What a run asks of a cluster, held against what the cluster can give, before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.common.text import clean, did_you_mean, plural, sentence
from slurm.site.discover import Facts, Node
from slurm.site.features import NoConstraint, feature_names, fits, joined
from slurm.site.gpu_shares import share_size
from slurm.site.partitions import Need, Partition
from slurm.site.profiles import GpuType, Profile, parse_time
from slurm.site.slurm_values import format_duration, parse_memory
from slurm.site.suggest import out_of_reach, suggest_gpus
from slurm.submit.gpu_parts import part_of_one
from slurm.submit.request import CannotGive, JobRequest
from slurm.submit.resources import Resources


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
    memory = request.memory or gpu.memory
    constraint, extra = _constraint(profile, request, gpu, facts)
    share = part_of_one(request, facts, table, name, num_gpus, num_nodes)
    need = _need(profile, request, memory, share or num_gpus, num_nodes)
    search = _Search(profile, request, facts, replace(need, constraint=constraint))
    partition = _partition(search, gpu)
    nodes = _nodes(search, name, gpu, partition, table)
    _check_memory(memory, nodes)
    return Resources(
        gpu=name,
        gres=gpu.gres,
        partition=partition,
        memory=memory,
        time_s=_time(search, gpu, partition),
        nodes=num_nodes,
        gpus_per_node=num_gpus,
        cpus_per_gpu=_cpus(profile, request.cpus, num_gpus, nodes),
        account=request.account or profile.account,
        qos=request.qos or profile.qos,
        extra=extra,
        batch=gpu.batch,
        constraint=constraint,
        share=share,
        share_of=share_size(gpu.kind, nodes) if share else 0,
        gpu_option=profile.gpu_option,
    )


def _need(
    profile: Profile, request: JobRequest, memory: str, num_gpus: int, num_nodes: int
) -> Need:
    return Need(
        gpus=num_gpus,
        nodes=num_nodes,
        time_s=request.time_s,
        memory=(parse_memory(memory) or 0) if memory else 0,
        account=request.account or profile.account,
        qos=request.qos or profile.qos,
    )


@dataclass(frozen=True)
class _Search:
    """What is looked for, and where. Of GPUs that the cluster does not tell of any node may do."""

    profile: Profile
    request: JobRequest
    facts: Facts
    need: Need

    def kind(self, gpu: GpuType) -> str | None:
        kind = gpu.kind
        return kind if gpu.gres and (kind in self.facts.gpu_types() or not kind) else None

    def places(self, gpu: GpuType, **changed: int | None) -> list[Partition]:
        """Return the partitions that would take the job on such GPUs, the preferred one first."""
        need = replace(self.need, **changed)  # type: ignore[arg-type]
        return self.facts.places_for(self.kind(gpu), need, parse_time(self.profile.time))

    def home(self, gpu: GpuType, **changed: int | None) -> str | None:
        """Return where the job would go on such GPUs and be taken; None if nowhere."""
        need = replace(self.need, **changed)  # type: ignore[arg-type]
        name = self.request.partition or gpu.partition
        known = self.facts.partitions.get(name)
        if known is not None and self.facts.takes(known, self.kind(gpu), need):
            return name
        places = [] if self.request.partition else self.places(gpu, **changed)
        return places[0].name if places else None

    def listed(self, gpu: GpuType, **changed: int | None) -> str:
        """Return in words the partitions that would take it; those that are open if none would."""
        found = self.places(gpu, **changed) or [
            partition
            for partition in self.facts.partitions.values()
            if not partition.hidden
            and not self.facts.person.why_closed(partition, self.need.account, self.need.qos)
        ]
        return ", ".join(f"{clean(p.name)} ({_limit_words(p.time_limit)})" for p in found)


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
        if wanted.casefold() in (name.casefold(), gpu.kind.casefold()):
            return name, gpu
    guess = did_you_mean(wanted, table)
    raise CannotGive(
        f"The cluster has no GPU '{clean(wanted)}'.",
        f"{sentence(guess)} {f'It has: {listed}.' if listed else 'It has none.'}".strip(),
    )


def _partition(search: _Search, gpu: GpuType) -> str:
    """Return the partition: the one asked for, else the profile's, or one that gives what it does
    not.
    """
    facts, need = search.facts, search.need
    name = search.request.partition or gpu.partition
    if not facts.partitions or not (name or gpu.gres):
        return name
    if not search.request.partition:
        name = search.home(gpu) or name
    if not name:
        return name
    known = facts.partitions.get(name)
    listed = search.listed(gpu)
    if known is None:
        guess = did_you_mean(name, facts.partitions)
        raise CannotGive(
            f"There is no partition '{clean(name)}'.",
            f"{sentence(guess)} There are: {listed}.".strip(),
        )
    why = facts.person.why_closed(known, need.account, need.qos)
    if why:
        own = [a for a in facts.person.accounts if not facts.person.why_closed(known, a, need.qos)]
        ways = [f"Take --partition {listed}"] if listed else []
        ways += [f"give --account {' or '.join(map(clean, own))}"] if own else []
        hint = ", or ".join(ways) or "Ask who runs the cluster"
        raise CannotGive(f"The partition {clean(name)} {why}.", f"{sentence(hint)}.")
    return name


def _nodes(
    search: _Search, name: str, gpu: GpuType, partition: str, table: dict[str, GpuType]
) -> list[Node]:
    """Return the nodes that could take the job, none where the cluster did not tell."""
    facts, num_gpus, num_nodes = search.facts, search.need.gpus, search.need.nodes
    kind, constraint = gpu.kind, search.need.constraint
    if not gpu.gres:
        nodes = [n for n in facts.nodes if partition in ("", *n.partitions)]
        return _with_features(nodes, constraint, "node", partition)
    # A table may name features or GRES that sinfo tells in another way: then it is believed.
    found = facts.nodes_with(kind, partition)
    if facts.nodes and not found and kind in facts.gpu_types():
        homes = [place.name for place in search.places(gpu, gpus=1, nodes=1, memory=0)]
        why = out_of_reach(facts, search.need.account, search.need.qos).get(kind or "GPU", "")
        raise CannotGive(
            f"The partition {clean(partition)} has no {clean(name)}.",
            f"It is in: {', '.join(map(clean, homes))}; choose by --partition."
            if homes
            else f"It is where you may not go: {why or 'in no partition'}.",
        )
    found = _with_features(found, constraint, f"node with {clean(name)}", partition)
    most = max((node.count(kind) for node in found), default=gpu.max_per_node)
    if gpu.max_per_node:
        most = min(most, gpu.max_per_node) if found else gpu.max_per_node
    total = num_gpus * num_nodes
    if most and num_gpus > most:
        others = [
            f"{clean(other)} ({count} a node)"
            for other, row in table.items()
            if other != name and (count := _most(search, row)) >= num_gpus
        ]
        spread = -(-total // most)
        each = -(-total // spread)
        room = [node for node in found if node.count(kind) >= each]
        can = [f"--num-gpus {most}"]
        if min(len(room), _nodes_at_most(facts, partition)) >= spread or not found:
            can.append(f"--num-nodes {spread} --num-gpus {each}")
        raise CannotGive(
            f"A node has {plural(most, 'GPU')} of type {clean(name)}"
            f" at most, and {num_gpus} were asked for.",
            f"Take {' or '.join(can)}{', or ' + ', '.join(others) if others else ''}.",
        )
    fitting = [node for node in found if node.count(kind) >= num_gpus]
    can_have = min(len(fitting), _nodes_at_most(facts, partition))
    if found and can_have < num_nodes:
        raise CannotGive(
            f"{num_nodes} nodes with {plural(num_gpus, 'GPU')} of type"
            f" {clean(name)} each were asked for, and the partition {clean(partition)}"
            f" has {can_have}."
            if can_have == len(fitting)
            else f" gives {can_have}.",
            f"Take --num-nodes {can_have}.",
        )
    return fitting


def _with_features(nodes: list[Node], constraint: str, what: str, partition: str) -> list[Node]:
    """Return the nodes that meet a constraint. Raises `CannotGive` where none of them does."""
    able = [node for node in nodes if fits(constraint, node.features)]
    if nodes and not able:
        there = sorted({name for node in nodes for name in node.features})
        raise CannotGive(
            f"No {what}{f' in the partition {clean(partition)}' if partition else ''} has"
            f" {clean(constraint)}.",
            f"There, nodes have: {', '.join(map(clean, there)) or 'no features'}.",
        )
    return able


def _constraint(
    profile: Profile, request: JobRequest, gpu: GpuType, facts: Facts
) -> tuple[str, tuple[str, ...]]:
    """Return the features that the nodes must have, and the further options without them.

    Only the last `--constraint` would count for sbatch, and an unknown feature is no more to it
    than "Invalid feature specification". Raises `CannotGive`.
    """
    options = (*profile.sbatch, *request.sbatch_options)
    flag = "--constraint="
    told = [option.removeprefix(flag) for option in options if option.startswith(flag)]
    constraint = joined((gpu.constraint, *told, request.constraint))
    known = facts.features()
    there = f"There are: {', '.join(map(clean, known))}." if known else "Nodes have none."
    try:
        names = feature_names(constraint) if constraint else []
    except NoConstraint as error:
        raise CannotGive(f"{sentence(str(error))}.", there if facts.nodes else "") from None
    for name in names if facts.nodes else ():
        if name not in known:
            guess = did_you_mean(name, known)
            raise CannotGive(
                f"No node has the feature '{clean(name)}'.", f"{sentence(guess)} {there}".strip()
            )
    return constraint, tuple(option for option in options if not option.startswith(flag))


def _most(search: _Search, row: GpuType) -> int:
    """Return how many GPUs of a type one node gives where its jobs go; 0 where none would."""
    if not search.facts.nodes or search.kind(row) is None:
        return row.max_per_node
    home = search.home(row)
    nodes = [] if home is None else search.facts.nodes_with(search.kind(row) or "", home)
    most = max((node.count(search.kind(row) or "") for node in nodes), default=0)
    return min(most, row.max_per_node) if row.max_per_node else most


def _nodes_at_most(facts: Facts, partition: str) -> float:
    known = facts.partitions.get(partition)
    return float("inf") if known is None or known.max_nodes is None else known.max_nodes


def _time(search: _Search, gpu: GpuType, partition: str) -> int | None:
    profile, facts, wanted = search.profile, search.facts, search.need.time_s
    limit = facts.limit(partition)
    if limit is None and partition == gpu.partition:
        limit = gpu.time_s
    if wanted is None:
        usual = parse_time(profile.time)
        known = [seconds for seconds in (usual, limit) if seconds is not None]
        return min(known) if known else None
    if limit is not None and wanted > limit:
        longer = [f"{clean(p.name)} ({_limit_words(p.time_limit)})" for p in search.places(gpu)]
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
