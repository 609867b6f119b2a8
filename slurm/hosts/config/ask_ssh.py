"""What the system's own `ssh` makes of its configuration for a host: `ssh -G`."""

from __future__ import annotations

from collections.abc import Sequence

from core.common.text import clean
from slurm.hosts.base import HostError
from slurm.hosts.pump import Clock, pump

# Looking names up for CanonicalizeHostname, or a program of `Match exec`, may take a while.
_ANSWER_S = 30.0


def ask_ssh(argv: Sequence[str]) -> dict[str, list[str]]:
    """Return each option's values, names in small letters, as `ssh -G` prints them.

    Raises `NotStarted` where there is no ssh, and `HostError` with its own words for a
    configuration that it does not take.
    """
    out = bytearray()
    try:
        code, errors = pump(argv, (), out.extend, Clock(_ANSWER_S))
    except TimeoutError:
        raise HostError(
            f"'{clean(' '.join(argv))}' did not answer in {_ANSWER_S:g} s.",
            "Look at the Match exec lines of ssh's configuration, and at name lookup.",
        ) from None
    if code:
        lines = [line.strip() for line in errors.decode(errors="replace").splitlines()]
        why = next((line for line in lines if line), f"code {code}")
        raise HostError(
            f"ssh does not take its configuration: {clean(why.rstrip('.'))[:300]}.",
            f"Put it right; '{clean(' '.join(argv))}' shows what ssh makes of it.",
        )
    told: dict[str, list[str]] = {}
    for line in out.decode(errors="surrogateescape").splitlines():
        name, _, value = line.partition(" ")
        told.setdefault(name.lower(), []).append(value)
    return told
