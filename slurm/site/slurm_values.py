"""SLURM's way of writing times, memory and GPUs."""

from __future__ import annotations

import re
from dataclasses import dataclass

_UNLIMITED = {"UNLIMITED", "INFINITE", "PARTITION_LIMIT", "NOT_SET", "INVALID", "N/A", "NONE", ""}
_UNITS = {"": 1, "K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2, "P": 1024**3}


@dataclass(frozen=True, order=True)
class Gpus:
    """GPUs of one type; `type` is empty where the cluster does not tell types apart.

    Where `share_of` is not None they are shares of a GPU (`type` is `shard:a100`, `mps`), of which
    so many are one GPU; 0 where that is not known.
    """

    type: str
    count: int
    share_of: int | None = None


def parse_duration(text: str) -> int | None:
    """Return seconds from `M`, `M:S`, `H:M:S`, `D-H`, `D-H:M` or `D-H:M:S`, None for no limit.

    The forms of sbatch(1) `--time`: a lone number is minutes, and behind days the first number is
    hours. What squeue prints (`1:05`, `2-03:00:00`) is among them. Raises `ValueError`.
    """
    text = text.strip()
    if text.upper() in _UNLIMITED:
        return None
    match = re.fullmatch(r"(?:(\d{1,9})-)?(\d{1,9}(?::\d{1,9}){0,2})(?:\.\d+)?", text)
    if match is None:
        raise ValueError(f"no time: {text!r}")
    parts = [int(part) for part in match.group(2).split(":")]
    if match.group(1) is not None:
        hours, minutes, seconds = [*parts, 0, 0][:3]
        return int(match.group(1)) * 86400 + hours * 3600 + minutes * 60 + seconds
    if len(parts) == 1:
        return parts[0] * 60
    if len(parts) == 2:
        return parts[0] * 60 + parts[1]
    return parts[0] * 3600 + parts[1] * 60 + parts[2]


def format_duration(seconds: int) -> str:
    """Return seconds as `D-HH:MM:SS` or `HH:MM:SS`, which every SLURM takes."""
    days, rest = divmod(max(0, seconds), 86400)
    clock = f"{rest // 3600:02d}:{rest % 3600 // 60:02d}:{rest % 60:02d}"
    return f"{days}-{clock}" if days else clock


def parse_memory(text: str) -> int | None:
    """Return mebibytes from `256G`, `4000M`, `1.5T`, `4000` (M), `2Gn`, `2Gc`; None for nothing."""
    match = re.fullmatch(r"(\d{1,12}(?:\.\d+)?)([KMGTP]?)i?B?[nc]?", text.strip(), re.IGNORECASE)
    if match is None:
        return None
    return int(float(match.group(1)) * _UNITS[match.group(2).upper()])


def parse_gres(text: str, name: str = "gpu") -> list[Gpus]:
    """Return the GPUs in a GRES or TRES text, several types apart; anything else is left out.

    `name` may be that of another generic resource. Seen in the field: `gpu:4`,
    `gpu:a100:4(S:0-1)`, `gres:gpu:a100:2` (up to 22.05), `gres/gpu:a100:2` (since), `gres/gpu=2`,
    `gres/gpu:a100=2`, `gpu:a100:2(IDX:0,3)`, `(null)`, several joined by commas. Where a TRES text
    names the total and the types (`gres/gpu=2,gres/gpu:a100=2`), the types are taken. A node's
    multiple of 1024 is written `shard:1K` (`_get_suffix` in src/interfaces/gres.c of 23.02).
    """
    found: dict[str, int] = {}
    # GPUs in use without a type are `gpu:(null):2(IDX:0-1)` from 21.08 on.
    text = text.replace(f"{name}:(null)", name)
    # Commas in brackets (`IDX:0,3`) part nothing.
    for part in re.split(r",(?![^(]*\))", re.sub(r"\([^)]*\)", "", text)):
        match = re.fullmatch(
            rf"(?:gres[:/])?{name}(?::([^:=]+?))??(?::no_consume)?(?:[:=](\d{{1,9}})([KMGTP]?))?",
            part.strip(),
            re.IGNORECASE,
        )
        if match:
            kind, count = match.group(1) or "", int(match.group(2) or 1)
            count *= 1024 ** " KMGTP".index((match.group(3) or " ").upper())
            found[kind] = found.get(kind, 0) + count
    typed = {kind: count for kind, count in found.items() if kind}
    if typed and "=" in text:
        found = typed
    return [Gpus(kind, count) for kind, count in sorted(found.items()) if count]


def gpu_count(text: str) -> int:
    """Return how many GPUs a GRES or TRES text names, of any type."""
    return sum(gpus.count for gpus in parse_gres(text))
