"""SLURM's short way of writing many host names: `n[1-3,07],gpu-a` (scontrol(1), hostnames)."""

from __future__ import annotations

import itertools
import re

# No list that a cluster prints is longer; a range of billions would only fill the memory.
MOST = 100_000
_PART = re.compile(r"\[([^\]]*)\]")


def expand_hostlist(text: str) -> list[str]:
    """Return the names in a host list, at most `MOST`; what cannot be read stays as it is."""
    names: list[str] = []
    for word in re.split(r",(?![^\[]*\])", text.strip()):
        if not word:
            continue
        pieces = _PART.split(word)
        # Texts and the insides of brackets by turns.
        choices = [
            _numbers(piece) if number % 2 else [piece] for number, piece in enumerate(pieces)
        ]
        names += ["".join(parts) for parts in itertools.islice(itertools.product(*choices), MOST)]
        if len(names) >= MOST:
            return names[:MOST]
    return names


def _numbers(inside: str) -> list[str]:
    found: list[str] = []
    for part in inside.split(","):
        first, dash, last = part.partition("-")
        if dash and first.isdigit() and last.isdigit() and len(last) < 10:
            # `08-11` keeps its zeros.
            count = range(int(first), min(int(last), int(first) + MOST) + 1)
            found += [f"{number:0{len(first)}d}" for number in count]
        else:
            found.append(part)
    return found
