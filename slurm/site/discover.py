"""What a cluster says about itself, in one command: partitions, GPUs, versions, places to write."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from core.common.invisible_characters import unseen
from core.common.text import clean, whole_number
from slurm.hosts import Host, HostError
from slurm.site.profiles import EXAMPLE_GPUS, GpuType, Profile
from slurm.site.slurm_values import Gpus, format_duration, parse_duration, parse_gres

# sinfo(1) `-O`: with a separator of one's own nothing is cut (20.02 and later). StateComplete names
# every flag of a node; 20.11 leaves it empty with an error, and has StateLong.
_NODE_FIELDS = (
    "NodeList", "PartitionName", "Gres", "GresUsed", "StateComplete", "CPUsState", "Memory",
    "Time", "Available", "StateLong",
)  # fmt: skip
# Nodes in these states take no job, whatever is free on them (sinfo(1), NODE STATE CODES).
_UNUSABLE = ("down", "drain", "fail", "maint", "unk", "reboot", "power", "inval", "not_resp")


@dataclass(frozen=True)
class Node:
    """A node: its GPUs and those in use, CPUs in all and free, memory in MiB."""

    name: str
    partitions: tuple[str, ...]
    gpus: tuple[Gpus, ...]
    used: tuple[Gpus, ...]
    state: str
    cpus: int
    free_cpus: int
    memory: int

    @property
    def usable(self) -> bool:
        """Whether it takes jobs."""
        return not any(word in self.state.lower() for word in _UNUSABLE) and "*" not in self.state

    def count(self, kind: str) -> int:
        """Return how many GPUs of a type it has; any type if empty."""
        return sum(gpu.count for gpu in self.gpus if kind in ("", gpu.type))

    def free(self, kind: str) -> int:
        """Return how many GPUs of a type are free now; none where it takes no jobs."""
        if not self.usable:
            return 0
        taken = sum(gpu.count for gpu in self.used if kind in ("", gpu.type))
        return max(0, self.count(kind) - taken)


@dataclass(frozen=True)
class Partition:
    """A partition: its time limit in seconds (None: none), and whether it takes jobs."""

    name: str
    time_limit: int | None
    up: bool = True
    default: bool = False


@dataclass(frozen=True)
class Place:
    """A folder we may write to, and the bytes that are free there."""

    path: str
    free: int


@dataclass(frozen=True)
class Facts:
    """What a cluster says about itself. `accounting` is whether sacct remembers ended jobs.

    `modules` are those of its module system that a training may want: Python, CUDA, PyTorch.
    """

    version: str = ""
    user: str = ""
    nodes: tuple[Node, ...] = ()
    partitions: dict[str, Partition] = field(default_factory=dict)
    accounting: bool = False
    pythons: tuple[str, ...] = ()
    places: tuple[Place, ...] = ()
    modules: tuple[str, ...] = ()

    def nodes_with(self, kind: str, partition: str = "") -> list[Node]:
        """Return the nodes that have GPUs of a type, in a partition if one is named."""
        return [
            node for node in self.nodes if node.count(kind) and partition in ("", *node.partitions)
        ]

    def gpu_types(self) -> list[str]:
        """Return the types of GPUs there are, sorted; an empty one where types are not told."""
        return sorted({gpu.type for node in self.nodes for gpu in node.gpus})

    def limit(self, partition: str) -> int | None:
        """Return a partition's time limit in seconds; None where there is none or it is unknown."""
        known = self.partitions.get(partition)
        return known.time_limit if known else None


def discover(host: Host) -> Facts:
    """Ask the cluster behind `host` for everything at once. Raises `HostError`.

    SLURM that is not there is said as such: it is a matter of the `PATH` mostly.
    """
    # sinfo takes digits in front of a separator for a width.
    mark = f"m{secrets.token_hex(8)}"
    done = host.run(["sh", "-c", _script(mark), "sh", mark], timeout=60)
    sections: dict[str, str] = {}
    for part in done.text.split(f"{mark} ")[1:]:
        name, _, body = part.partition("\n")
        sections[name.strip()] = body
    version = re.search(r"slurm\S*\s+(\S+)", sections.get("version", ""))
    if version is None:
        raise HostError(
            f"There is no SLURM on {clean(host.name)}: sinfo does not answer"
            f" ({clean(done.stderr.decode(errors='replace').strip())[:200] or 'not found'}).",
            "If it needs a module or a PATH there, say so in the profile's prelude.",
        )
    nodes, partitions = parse_nodes(sections.get("nodes", ""), mark)
    default = sections.get("default", "")
    for name in re.findall(r"^(\S+)\*$", default, re.MULTILINE):
        if name in partitions:
            known = partitions[name]
            partitions[name] = Partition(name, known.time_limit, known.up, True)
    return Facts(
        version=version.group(1),
        user=sections.get("user", "").strip(),
        nodes=tuple(nodes),
        partitions=partitions,
        accounting="slurmdbd" in sections.get("accounting", ""),
        pythons=tuple(dict.fromkeys(filter(None, sections.get("python", "").split("\n")))),
        places=tuple(_places(sections.get("places", ""))),
        modules=tuple(_modules(sections.get("modules", ""))),
    )


# `module` is a function of login shells; here it is taken from where Lmod and Environment Modules
# leave it. A large site's list takes seconds.
_MODULES = """
limit=; command -v timeout >/dev/null 2>&1 && limit='timeout -k 2 15'
$limit sh -c '
  for file in "$LMOD_PKG/init/sh" "$MODULESHOME/init/sh" /etc/profile.d/lmod.sh \\
    /etc/profile.d/modules.sh /usr/share/lmod/lmod/init/sh /usr/share/modules/init/sh
  do [ -r "$file" ] && { . "$file"; break; }; done
  module -t avail 2>&1' 2>/dev/null | grep -iE '(^|/)(python|cuda|pytorch|.*conda|uv)[^/]*(/|$)'
"""


def _script(mark: str) -> str:
    fields = ",".join(f"{name}:{mark}" for name in _NODE_FIELDS)
    return f"""
unset SLURM_TIME_FORMAT SINFO_FORMAT SINFO_PARTITION SINFO_ALL
echo "$1 version"; sinfo --version
echo "$1 user"; id -un
echo "$1 nodes"; sinfo -h -N -a -O '{fields}'
echo "$1 default"; sinfo -h -o '%P'
echo "$1 accounting"; scontrol show config 2>/dev/null | grep -i '^AccountingStorageType'
echo "$1 python"
for name in python3 python3.9 python3.10 python3.11 python3.12 python3.13 python3.14; do
  place=$(command -v "$name") && said=$("$place" -V 2>&1) && echo "$said $place"
done
echo "$1 places"
for place in "$SCRATCH" "$WORK" "$PROJECT" "/scratch/$USER" "/scratch/users/$USER" "/work/$USER" \\
  "$HOME"
do
  [ -n "$place" ] && [ -d "$place" ] && [ -w "$place" ] || continue
  echo "$(df -Pk "$place" 2>/dev/null | awk 'NR == 2 {{print $4}}') $place"
done
echo "$1 modules"
{_MODULES}
exit 0
"""


def parse_nodes(text: str, sep: str) -> tuple[list[Node], dict[str, Partition]]:
    """Return the nodes and partitions in what `sinfo -N -O` printed, fields ended by `sep`.

    sinfo repeats a node for each of its partitions.
    """
    found: dict[str, Node] = {}
    partitions: dict[str, Partition] = {}
    for line in text.splitlines():
        fields = [part.strip() for part in line.split(sep)]
        if len(fields) < len(_NODE_FIELDS):
            continue
        name, partition, gres, used, state, cpus, memory, limit, up, brief = fields[
            : len(_NODE_FIELDS)
        ]
        partitions.setdefault(partition, Partition(partition, _limit(limit), up == "up"))
        if name in found:
            node = found[name]
            partitions_of = (*node.partitions, partition)
            found[name] = Node(**{**vars(node), "partitions": partitions_of})
            continue
        # CPUsState is allocated/idle/other/total.
        counts = [whole_number(part) or 0 for part in cpus.split("/")] + [0] * 4
        found[name] = Node(
            name=name,
            partitions=(partition,),
            gpus=tuple(parse_gres(gres)),
            used=tuple(parse_gres(used)),
            state=state or brief,
            cpus=counts[3],
            free_cpus=counts[1],
            memory=whole_number(memory) or 0,
        )
    return list(found.values()), partitions


def suggest_gpus(facts: Facts) -> dict[str, GpuType]:
    """Return a GPU table for the cluster: its types, each where it may run longest.

    Of several as good the default one, or the first. Batch size and memory come from the example
    table where the type is known there.
    """
    table: dict[str, GpuType] = {}
    for kind in facts.gpu_types():
        nodes = facts.nodes_with(kind)
        names = list(dict.fromkeys(name for node in nodes for name in node.partitions))
        # A partition whose name a job script cannot hold is no suggestion.
        usable = [
            facts.partitions[name]
            for name in names
            if facts.partitions[name].up and not unseen(name)
        ]
        best = max(usable, key=_room, default=None)
        like = EXAMPLE_GPUS.get(kind) or next(
            (row for row in EXAMPLE_GPUS.values() if row.gres == f"gpu:{kind}"), None
        )
        limit = best.time_limit if best else None
        table[kind or "any"] = GpuType(
            gres=f"gpu:{kind}" if kind else "gpu",
            partition=best.name if best else "",
            memory=like.memory if like and _fits(like.memory_mb, nodes) else "",
            time=format_duration(limit) if limit else "",
            batch=like.batch if like else None,
            max_per_node=max((node.count(kind) for node in nodes), default=0),
        )
    return table


def suggest_profile(profile: Profile, facts: Facts, *, keep_workspace: bool = False) -> Profile:
    """Return a new profile with what the cluster told: its GPUs, and where there is most room.

    The workspace goes to the place with most room that is no home, if there is one: homes are
    small as a rule. On this machine, or with `keep_workspace`, it stays.
    """
    updates: dict[str, object] = {"gpus": suggest_gpus(facts)}
    places = [place for place in facts.places if not place.path.startswith(("/home", "/root"))]
    if places and not keep_workspace and not profile.is_local:
        updates["workspace"] = f"{max(places, key=lambda place: place.free).path}/batman"
    return profile.model_copy(update=updates)


def _room(partition: Partition) -> tuple[float, bool]:
    limit = float("inf") if partition.time_limit is None else float(partition.time_limit)
    return limit, partition.default


def _fits(memory: int | None, nodes: Iterable[Node]) -> bool:
    return memory is not None and any(node.memory >= memory for node in nodes)


def _limit(text: str) -> int | None:
    try:
        return parse_duration(text)
    except ValueError:
        return None


def _modules(text: str) -> list[str]:
    """Return the modules in a terse list; headings (paths with a colon) and marks are left out."""
    names = (line.strip().removesuffix("(default)").strip() for line in text.splitlines())
    return [n for n in dict.fromkeys(names) if n and not n.endswith((":", "/")) and " " not in n]


def _places(text: str) -> list[Place]:
    places: dict[str, Place] = {}
    for line in text.splitlines():
        free, _, path = line.partition(" ")
        blocks = whole_number(free)
        if blocks is not None and path:
            places.setdefault(path, Place(path, blocks * 1024))
    return list(places.values())
