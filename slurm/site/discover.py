"""What a cluster says about itself, in one command: partitions, GPUs, versions, places to write."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from core.common.invisible_characters import unseen
from core.common.text import clean, whole_number
from slurm.hosts import Host, HostError
from slurm.site.features import fits
from slurm.site.gpu_kinds import (
    Slots,
    gpu_type_of,
    is_share,
    parse_shares,
    shared_devices,
    shared_slots,
)
from slurm.site.partitions import Need, Partition, Person, preferred, read_person, with_rights
from slurm.site.slurm_values import Gpus, parse_duration, parse_gres

# sinfo(1) `-O`: with a separator of one's own nothing is cut (20.02 and later). StateComplete names
# every flag of a node; 20.11 leaves it empty with an error, and has StateLong.
NODE_FIELDS = (
    "NodeList", "PartitionName", "Gres", "GresUsed", "StateComplete", "CPUsState", "Memory",
    "Time", "Available", "StateLong",
)  # fmt: skip
# The load, memory given to jobs, and why a node is away, where that is asked for too.
NODE_MORE = ("CPUsLoad", "AllocMem", "Reason")
_FEATURES = ("Features",)
# Nodes in these states take no job, whatever is free on them (sinfo(1), NODE STATE CODES).
_UNUSABLE = ("down", "drain", "fail", "maint", "unk", "reboot", "power", "inval", "not_resp")


@dataclass(frozen=True)
class Node:
    """A node: its GPUs and those in use, CPUs in all and free, memory in MiB.

    `shares` are those that its GPUs can be had in, by MPS or as shards, by kind (`shard:a100`),
    `shared` how many GPUs are in use that way, and `slots` each of those GPUs, where that is told.
    `features` are what constraints can ask for.
    `load` is its system's, `memory_given` what jobs have of the memory (None where not told), and
    `reason` why it was taken out of service.

    A kind without a type (`""`, `shard`) is of any, as it is to sbatch.
    """

    name: str
    partitions: tuple[str, ...]
    gpus: tuple[Gpus, ...]
    used: tuple[Gpus, ...]
    state: str
    cpus: int
    free_cpus: int
    memory: int
    load: float | None = None
    memory_given: int | None = None
    reason: str = ""
    shares: tuple[Gpus, ...] = ()
    shared: tuple[Gpus, ...] = ()
    slots: Mapping[str, Slots] = field(default_factory=dict)
    features: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether it takes jobs."""
        return not any(word in self.state.lower() for word in _UNUSABLE) and "*" not in self.state

    def count(self, kind: str) -> int:
        """Return how many GPUs of a kind it has, or shares of one."""
        return _count(self.shares if is_share(kind) else self.gpus, kind)

    def in_use(self, kind: str) -> int:
        """Return how many GPUs of a kind jobs have, wholly or in part; of shares their GPUs."""
        gpu = gpu_type_of(kind)
        return _count(self.used, gpu) + sum(
            one.count for one in self.shared if gpu in ("", gpu_type_of(one.type))
        )

    def free(self, kind: str) -> int:
        """Return how many GPUs of a kind are free now; none where it takes no jobs.

        A GPU is never had as a whole and in shares at once. Of shares it is what surely is: of a
        GPU that others share older releases do not tell how much.
        """
        if not self.usable:
            return 0
        if not is_share(kind):
            return max(0, self.count(kind) - self.in_use(kind))
        slots = [slot for name, told in self.slots.items() if _is(kind, name) for slot in told]
        if not slots:
            return max(0, self.count(kind) - self.in_use(kind) * self.of_one(kind))
        whole = _count(self.used, gpu_type_of(kind)) - sum(given is None for given, _ in slots)
        left = sum(size - given for given, size in slots if given is not None)
        return max(0, left - max(0, whole) * self.of_one(kind))

    def of_one(self, kind: str) -> int:
        """Return how many shares of a kind are of one and the same GPU; 1 for GPUs.

        Where its GPUs differ in that, it is the most that one of them has, or, where that is not
        told, what they have on average.
        """
        if not is_share(kind):
            return 1
        if sizes := self.share_sizes(kind):
            return max(sizes)
        return self.count(kind) // max(1, _count(self.gpus, gpu_type_of(kind)))

    def share_sizes(self, kind: str) -> set[int]:
        """Return how many shares make one GPU, several numbers where its GPUs differ in that.

        Empty where it is not known. Where they are not told one by one, SLURM's default is taken:
        it gives each GPU of a node as many (slurm.schedmd.com/gres.html#Sharding).
        """
        told = {size for name, slots in self.slots.items() if _is(kind, name) for _, size in slots}
        if told:
            return told - {0}
        found = set()
        for share in self.shares:
            gpus = _count(self.gpus, gpu_type_of(share.type))
            if _is(kind, share.type):
                found.add(share.count // gpus if gpus and share.count % gpus == 0 else 0)
        return set() if 0 in found else found

    def only(self, gpu: str) -> Node:
        """Return it with no other GPUs than those of a type (empty: those without one)."""
        return replace(
            self,
            gpus=tuple(one for one in self.gpus if one.type == gpu),
            used=tuple(one for one in self.used if one.type == gpu),
            shares=tuple(one for one in self.shares if gpu_type_of(one.type) == gpu),
            shared=tuple(one for one in self.shared if gpu_type_of(one.type) == gpu),
            slots={kind: told for kind, told in self.slots.items() if gpu_type_of(kind) == gpu},
        )


def _count(found: tuple[Gpus, ...], kind: str) -> int:
    return sum(gpus.count for gpus in found if _is(kind, gpus.type))


def _is(asked: str, kind: str) -> bool:
    """Return whether a kind is one that was asked for; one without a type is any."""
    return asked in ("", kind) or (is_share(asked) and asked == kind.partition(":")[0])


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
    person: Person = field(default_factory=Person)

    def nodes_with(self, kind: str, partition: str = "") -> list[Node]:
        """Return the nodes that have GPUs of a type, in a partition if one is named."""
        return [
            node for node in self.nodes if node.count(kind) and partition in ("", *node.partitions)
        ]

    def gpu_types(self) -> list[str]:
        """Return the types of GPUs there are, sorted; an empty one where types are not told.

        The kinds of shares of GPUs come last.
        """
        whole = sorted({gpu.type for node in self.nodes for gpu in node.gpus})
        return whole + sorted({part.type for node in self.nodes for part in node.shares})

    def features(self, kind: str | None = None, partition: str = "") -> list[str]:
        """Return the features of nodes, or of those with GPUs of a type, or in a partition."""
        nodes = self.nodes if kind is None else self.nodes_with(kind)
        return sorted(
            {name for node in nodes if partition in ("", *node.partitions)
             for name in node.features}
        )  # fmt: skip

    def limit(self, partition: str) -> int | None:
        """Return a partition's time limit in seconds; None where there is none or it is unknown."""
        known = self.partitions.get(partition)
        return known.time_limit if known else None

    def takes(self, partition: Partition, kind: str | None, need: Need) -> bool:
        """Return whether a job with GPUs of a type (None: without any) would run in a partition."""
        if self.person.why_closed(partition, need.account, need.qos):
            return False
        nodes = [
            node
            for node in self.nodes
            if partition.name in node.partitions
            and (kind is None or node.count(kind) >= need.gpus)
            and node.memory >= need.memory
            and fits(need.constraint, node.features)
        ]
        enough = partition.max_nodes is None or need.nodes <= partition.max_nodes
        return partition.gives(need.time_s) and enough and len(nodes) >= need.nodes

    def places_for(self, kind: str | None, need: Need, usual: int | None = None) -> list[Partition]:
        """Return the partitions that would run a job, the one that the cluster prefers first.

        A partition that is hidden, or whose name a job script cannot hold, is no suggestion.
        `usual` is the time in seconds that jobs take where `need` names none.
        """
        nodes = self.nodes if kind is None else self.nodes_with(kind)
        counts = {
            name: sum(name in node.partitions and node.usable for node in nodes)
            for name in self.partitions
        }
        able = [
            partition
            for partition in self.partitions.values()
            if not partition.hidden
            and not unseen(partition.name)
            and self.takes(partition, kind, need)
        ]
        return preferred(able, counts, usual)


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
            f" ({done.said if done.stderr.strip() else 'not found'}).",
            "If it needs a module or a PATH there, say so in the profile's prelude.",
        )
    nodes, partitions = parse_nodes(sections.get("nodes", ""), mark, _FEATURES)
    user = sections.get("user", "").strip()
    for name in re.findall(r"^(\S+)\*$", sections.get("default", ""), re.MULTILINE):
        if name in partitions:
            partitions[name] = replace(partitions[name], default=True)
    return Facts(
        version=version.group(1),
        user=user,
        nodes=tuple(nodes),
        partitions=with_rights(partitions, sections.get("partitions", "")),
        accounting="slurmdbd" in sections.get("accounting", ""),
        pythons=tuple(dict.fromkeys(filter(None, sections.get("python", "").split("\n")))),
        places=tuple(_places(sections.get("places", ""))),
        modules=tuple(_modules(sections.get("modules", ""))),
        person=read_person(user, sections.get("groups", ""), sections.get("accounts", "")),
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
    fields = ",".join(f"{name}:{mark}" for name in (*NODE_FIELDS, *_FEATURES))
    return f"""
unset SLURM_TIME_FORMAT SINFO_FORMAT SINFO_PARTITION SINFO_ALL
echo "$1 version"; sinfo --version
echo "$1 user"; id -un
echo "$1 nodes"; sinfo -h -N -a -O '{fields}'
echo "$1 default"; sinfo -h -o '%P'
echo "$1 partitions"; scontrol -a -o show partition 2>/dev/null
echo "$1 groups"; id -Gn
config=$(scontrol show config 2>/dev/null)
echo "$1 accounting"; echo "$config" | grep -i '^AccountingStorageType'
# Of the database's other clusters nothing is wanted.
cluster=$(echo "$config" | sed -n 's/^ClusterName *= *//p')
limit=; command -v timeout >/dev/null 2>&1 && limit='timeout -k 2 15'
echo "$1 accounts"
case $config in *accounting_storage/slurmdbd*)
  rows=$($limit sacctmgr -n -P show user "$(id -un)" withassoc where cluster="$cluster" \\
    format=account,defaultaccount,defaultqos,qos 2>/dev/null)
  echo "$rows"
  for above in 1 2 3 4 5 6; do
    names=$(echo "$rows" | cut -d'|' -f1 | sort -u | grep -vx root | paste -s -d, -)
    [ -n "$names" ] || break
    rows=$($limit sacctmgr -n -P show assoc where cluster="$cluster" account="$names" users= \\
      format=account,parentname 2>/dev/null)
    echo "$rows"
    rows=$(echo "$rows" | cut -d'|' -f2)
  done ;;
esac
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


def parse_nodes(
    text: str, sep: str, more: Sequence[str] = NODE_MORE
) -> tuple[list[Node], dict[str, Partition]]:
    """Return the nodes and partitions in what `sinfo -N -O` printed, fields ended by `sep`.

    `more` are what was asked for behind `NODE_FIELDS`. sinfo repeats a node for each of its
    partitions.
    """
    found: dict[str, Node] = {}
    partitions: dict[str, Partition] = {}
    for line in text.splitlines():
        fields = [part.strip() for part in line.split(sep)]
        if len(fields) < len(NODE_FIELDS):
            continue
        name, partition, gres, used, state, cpus, memory, limit, up, brief = fields[
            : len(NODE_FIELDS)
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
            shares=tuple(parse_shares(gres)),
            shared=tuple(shared_devices(used)),
            slots=shared_slots(used),
            **_more(dict(zip(more, fields[len(NODE_FIELDS) :], strict=False))),
        )
    return list(found.values()), partitions


def _more(told: Mapping[str, str]) -> dict[str, Any]:
    """Return what was told of a node beside `NODE_FIELDS`."""
    load, reason, features = (told.get(name, "") for name in ("CPUsLoad", "Reason", "Features"))
    return {
        "load": float(load) if re.fullmatch(r"\d+(\.\d+)?", load) else None,
        "memory_given": whole_number(told.get("AllocMem", "")),
        "reason": "" if reason.lower() in ("none", "n/a") else reason,
        "features": tuple(
            name for name in features.split(",") if name and name.lower() not in ("(null)", "n/a")
        ),
    }


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
