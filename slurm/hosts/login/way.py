"""The hosts that an `ssh` logs in to by itself on its way to another."""

from __future__ import annotations

import getopt
import shlex
from collections.abc import Callable, Mapping
from pathlib import PurePath

# ssh(1): its options; those with a colon have a value.
_OPTIONS = "1246AaCfGgKkMNnqsTtVvXxYyB:b:c:D:E:e:F:I:i:J:L:l:m:O:o:P:p:Q:R:S:W:w:"
# As many as nobody has; a configuration may send a host through itself.
_MOST = 8

Says = Callable[[str], Mapping[str, str]]


def on_the_way(says: Mapping[str, str], ask: Says) -> list[tuple[str, str]]:
    """Return name and place (`host:port`) of the hosts on the way, the first one first.

    `says` is what ssh says of the host that is wanted (`ssh -G`), `ask` has it told of another. The
    first one may have a way of its own; of the others ssh goes by the list alone.
    """
    found: list[tuple[str, str]] = []
    for _ in range(_MOST):
        hosts = jumps_of(says.get("proxyjump", ""), says.get("proxycommand", ""))
        if not hosts:
            break
        told = [ask(host) for host in hosts]
        found = [(host, place(of, host)) for host, of in zip(hosts, told, strict=True)] + found
        says = told[0]
    return found


def jumps_of(jump: str, command: str) -> list[str]:
    """Return the hosts of ProxyJump, or the one that an `ssh -W` of ProxyCommand goes by."""
    hosts = [host.strip() for host in jump.split(",")]
    if jump and jump.lower() != "none":
        return hosts
    try:
        words = shlex.split(command)
        if not words or PurePath(words[0]).name != "ssh":
            return []
        options, rest = getopt.getopt(words[1:], _OPTIONS)
    except (ValueError, getopt.GetoptError):
        return []
    given = dict(options)
    if not rest or not ("-W" in given or len(rest) > 1):
        return []
    user, port = given.get("-l"), given.get("-p")
    return [(f"{user}@" if user else "") + rest[0] + (f":{port}" if port else "")]


def place(says: Mapping[str, str], name: str) -> str:
    """Return the name and port by which a host's logins are counted."""
    return f"{says.get('hostname', name)}:{says.get('port', 22)}"
