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
    """Return the shares of GPUs in a node's GRES, by kind; parts of none are left out.

    Seen with SLURM 22.05: `gpu:h100-96:4,shard:h100-96:16`, `mps:a100-40:100,mps:a100_1g.5gb:0`.
    """
    found: dict[str, int] = {}
    for name in SHARES:
        # One name at a time is read as GPUs are.
        told = parse_gres(_as_gpus(text, name))
        found |= {f"{name}:{one.type}" if one.type else name: one.count for one in told}
    return [Gpus(kind, count) for kind, count in sorted(found.items())]


def _as_gpus(text: str, name: str) -> str:
    parts = re.split(r",(?![^(]*\))", text)
    return ",".join(
        f"gpu{part.strip()[len(name) :]}" for part in parts if re.match(rf"\s*{name}\b", part)
    )


def shared_devices(text: str) -> list[Gpus]:
    """Return how many GPUs are in use by shares, by kind of share, from sinfo's `GresUsed`.

    The brackets tell of each GPU: `shard:h100-96:1(IDX:0)` up to 22.05, which does not say how much
    of it, and `shard:h100-96:3(3/4,0/4,0/4,0/4)` later (gres_shared_common.c of SLURM).
    """
    found: dict[str, int] = {}
    for name, kind, inside in re.findall(
        r"(?:^|,)\s*(mps|shard)(?::([^:(,]+|\(null\)))?:\d+\(([^)]*)\)", text
    ):
        if inside.startswith("IDX:"):
            count = _indices(inside.removeprefix("IDX:"))
        else:
            count = sum(part.partition("/")[0] not in ("", "0") for part in inside.split(","))
        full = f"{name}:{kind}" if kind not in ("", "(null)") else name
        found[full] = found.get(full, 0) + count
    return [Gpus(kind, count) for kind, count in sorted(found.items()) if count]


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
