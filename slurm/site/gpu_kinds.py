"""Kinds of GPUs: whole ones, MIG slices, shares of one by MPS or as shards; and their memory.

A kind is what stands behind `gpu:` in a GRES name (`h100-96`, `1g.10gb`, empty where a cluster
does not tell types apart), or the whole name of a share (`shard`, `mps:a100`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from slurm.site.slurm_values import Gpus, parse_gres

# Generic resources that are parts of one GPU which several jobs use at once, neither its memory nor
# its processors kept apart (gres.conf(5), slurm.schedmd.com/gres.html#MPS_Management, #Sharding).
SHARES = ("mps", "shard")
# GPU instance's slices and its memory: `1g.10gb`, `a100_3g.20gb`, `1c.3g.20gb`, `1g.12gb+me`
# (docs.nvidia.com/datacenter/tesla/mig-user-guide, "MIG Device Names").
_MIG = re.compile(r"(?:^|[^0-9a-z])\d+g[._-](\d{1,3})gb(?:[+._-]?me(?:\.all)?)?$", re.IGNORECASE)
# What makers sell, in GB; 45 and 47, 94 and 95 are what is left of 48 and 96 to a program.
_SIZES = {
    8, 10, 11, 12, 16, 20, 24, 32, 40, 45, 47, 48, 64, 80, 94, 95, 96, 128, 141, 144, 180, 186, 192,
    256, 288,
}  # fmt: skip
_NAMED = re.compile(r"(?:^|[-_.:])(\d{1,3})(?:gb?)?$", re.IGNORECASE)
# As `gpu_mem_80` (GWDG) and `GPU_MEM:80GB` (Stanford's Sherlock) are.
_FEATURE = re.compile(r"gpu[-_]?(?:mem|vram)(?:ory)?[-_:=.]?(\d{1,3})(?:gb?)?", re.IGNORECASE)
# Models that are made with one size only, in GB (makers' data sheets).
_MODELS: Mapping[str, int] = {
    "h200": 141, "l40s": 48, "l40": 48, "l4": 24, "a40": 48, "a30": 24, "a10": 24, "a6000": 48,
    "a5000": 24, "a4000": 16, "t4": 16, "rtx3090": 24, "3090": 24, "rtx4090": 24, "4090": 24,
    "rtx5090": 32, "5090": 32, "rtx8000": 48, "rtx6000": 24, "2080ti": 11, "1080ti": 11,
    "gh200": 96, "b200": 180, "mi210": 64, "mi250": 128, "mi300x": 192,
}  # fmt: skip


def kind_of(gres: str) -> str:
    """Return the kind in a GRES name without a count: `a100` of `gpu:a100`, `shard` of `shard`."""
    name, _, kind = gres.partition(":")
    return gres if name in SHARES else kind


def is_share(kind: str) -> bool:
    """Whether a kind is a share of a GPU: MPS or shards."""
    return kind.partition(":")[0] in SHARES


def is_mig(kind: str) -> bool:
    """Whether a kind is a MIG slice of a GPU."""
    return not is_share(kind) and _MIG.search(kind) is not None


def parse_shares(text: str) -> list[Gpus]:
    """Return the shares of GPUs in a GRES or TRES text, by kind; parts of none are left out.

    Of nodes, seen with SLURM 22.05: `gpu:h100-96:4,shard:h100-96:16`,
    `mps:a100-40:100,mps:a100_1g.5gb:0`; of jobs the forms of `parse_gres`, as
    `gres/shard:nvidia_gb10=40,gres/shard=40` and `gres/shard:rtxa6000:8`.
    """
    found: dict[str, int] = {}
    for name in SHARES:
        told = parse_gres(text, name)
        found |= {f"{name}:{one.type}" if one.type else name: one.count for one in told}
    return [Gpus(kind, count) for kind, count in sorted(found.items())]


def job_gpus(text: str) -> list[Gpus]:
    """Return what a GRES or TRES text of a job names: GPUs, and shares whose size is not known.

    SLURM tells of shares only where they are asked for, or where `AccountingStorageTRES` has
    `gres/shard` or `gres/mps` (slurm.schedmd.com/gres.html#Sharding).
    """
    return parse_gres(text) + [Gpus(part.type, part.count, 0) for part in parse_shares(text)]


def gpu_type_of(kind: str) -> str:
    """Return the type of the GPU behind a kind: `a100` of `a100` and of `shard:a100`."""
    return kind.partition(":")[2] if is_share(kind) else kind


def whole_gpus(gpus: Gpus) -> float | None:
    """Return how many GPUs they are, a share as a fraction; None where that is not known."""
    if gpus.share_of is None:
        return float(gpus.count)
    return gpus.count / gpus.share_of if gpus.share_of else None


def gpu_words(gpus: Gpus) -> str:
    """Return GPUs in a few cells: `2×a100`, `0.25×a100` of a share, `3 shard:a100` of one of which
    it is not known how much of a GPU that is.
    """
    whole = whole_gpus(gpus)
    if whole is None:
        return f"{gpus.count} {gpus.type}"
    return f"{amount_words(whole)}×{gpu_type_of(gpus.type) or 'GPU'}"


def share_words(gpus: Gpus) -> str:
    """Return what a share is of, for who looks closer; empty for GPUs."""
    if gpus.share_of is None:
        return ""
    if not gpus.share_of:
        return "how many of these are one GPU, the cluster does not tell"
    name = {"shard": "shards", "mps": "MPS shares"}.get(gpus.type.partition(":")[0], "shares")
    return f"{gpus.count} of the {gpus.share_of} {name} of a GPU"


def amount_words(amount: float) -> str:
    """Return a number of GPUs: whole ones as such, of a fraction two digits that count."""
    if amount < 1:
        return f"{amount:.2g}"
    return f"{amount:.2f}".rstrip("0").rstrip(".")


# `GresUsed` of sinfo and `scontrol show node -d`, as printed by real ones:
#   22.05.8           shard:h100-96:2(IDX:0-1)                how many of the GPUs are shared, which
#   23.11.4 - 25.11.2 shard:h100-96:5(0/4,3/4,2/4,0/4)        of each GPU how many are given, of all
#   26.05.5           shard:h100-96:5(-/4,3/4,2/4,0/4)        and a dash where it is given whole
# (22.05.8 takes a GPU for free as soon as one of several jobs that share it has ended.)
# The last one is also what SLURM's own tests of 26.05 expect (ticket 25525). A kind that a GPU is
# not had in stands there with 0 (`mps:a100_1g.5gb:0(0/0,0/0)`), in 23.11 even one that the node has
# none of (`shard:a100-40:0(0/0)`).
#
# Of each GPU that is had in shares how many are given to jobs (None: it is given as a whole), and
# how many it has.
Slots = tuple[tuple[int | None, int], ...]
_USED = re.compile(r"(?:^|,)\s*(mps|shard)(?::([^:(,]+|\(null\)))?:\d+[KMGTP]?\(([^)]*)\)")


def shared_devices(text: str) -> list[Gpus]:
    """Return how many GPUs are in use by shares, by kind of share, from sinfo's `GresUsed`.

    The brackets tell of each GPU: see above.
    """
    found: dict[str, int] = {}
    for name, kind, inside in _USED.findall(text):
        if inside.startswith("IDX:"):
            count = _indices(inside.removeprefix("IDX:"))
        else:
            count = sum(bool(given) for given, _ in _slots(inside))
        full = _full(name, kind)
        found[full] = found.get(full, 0) + count
    return [Gpus(kind, count) for kind, count in sorted(found.items()) if count]


def shared_slots(text: str) -> dict[str, Slots]:
    """Return the GPUs that are had in shares, by kind, from sinfo's `GresUsed`.

    22.05 does not tell of each GPU: see above.
    """
    found: dict[str, Slots] = {}
    for name, kind, inside in _USED.findall(text):
        if "/" in inside and not inside.startswith("IDX:"):
            full = _full(name, kind)
            found[full] = found.get(full, ()) + _slots(inside)
    return found


def _slots(text: str) -> Slots:
    pairs = re.findall(r"(\d+|-)/(\d+)", text)
    return tuple((None if given == "-" else int(given), int(size)) for given, size in pairs)


def _full(name: str, kind: str) -> str:
    return f"{name}:{kind}" if kind not in ("", "(null)") else name


def _indices(text: str) -> int:
    """Return how many numbers `0-1,3` names; 0 for `N/A`."""
    count = 0
    for first, last in re.findall(r"(\d{1,6})(?:-(\d{1,6}))?", text):
        count += max(0, int(last or first) - int(first)) + 1
    return count


def gpu_memory(kind: str, features: Iterable[str] = ()) -> int | None:
    """Return the memory of one GPU of a kind in GB, by its name, `features` or its model.

    `features` are those of its node. None where nothing tells, and for shares, which keep no
    memory to themselves.
    """
    if is_share(kind):
        return None
    if slice_ := _MIG.search(kind):
        return int(slice_.group(1))
    named = _NAMED.search(kind)
    if named and int(named.group(1)) in _SIZES and named.start():
        return int(named.group(1))
    told = [int(match.group(1)) for one in features if (match := _FEATURE.fullmatch(one))]
    if told:
        return min(told)
    words = re.split(r"[-_. ]+", kind.lower())
    joined = {"".join(words[at:end]) for at in range(len(words)) for end in range(at + 1, at + 3)}
    return next((_MODELS[one] for one in sorted(joined, key=len, reverse=True) if one in _MODELS),
                None)  # fmt: skip
