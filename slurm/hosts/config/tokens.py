"""Tokens and variables in ssh's configuration (ssh_config(5), TOKENS, ENVIRONMENT VARIABLES)."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path

from core.common.errors import BatmanError
from core.common.text import clean


def client_tokens(
    *, typed: str, host: str, port: str, user: str, alias: str | None, local_user: str
) -> dict[str, str]:
    """Return what is known without a connection: `typed` is the host as it was given.

    `alias` is HostKeyAlias. %C and %j, which stand for a connection, are not there.
    """
    name = socket.gethostname()
    return {
        "%": "%", "d": str(Path.home()), "h": host, "k": alias or typed, "l": name,
        "L": name.partition(".")[0], "n": typed, "p": port, "r": user, "u": local_user,
        "i": str(os.getuid()),
    }  # fmt: skip


def expand(text: str, tokens: Mapping[str, str], *, variables: bool = False) -> str:
    """Return `text` with its tokens, and `${VARIABLE}`, replaced. Raises `BatmanError`."""

    def value(match: re.Match[str]) -> str:
        if match[1] is not None:
            if match[1] not in tokens:
                raise BatmanError(f"There is no token %{clean(match[1])}.", "See man ssh_config.")
            return tokens[match[1]]
        if not variables:
            return match[0]
        if match[2] not in os.environ:
            raise BatmanError(f"There is no variable {clean(match[2])}.", "Set it, or name a file.")
        return os.environ[match[2]]

    return re.sub(r"%(.)|\$\{([^}]*)\}", value, text, flags=re.DOTALL)
