"""Keys of other people's services: kept out of texts and out of the process list."""

from __future__ import annotations

import contextlib
import ctypes
import re
import sys
import urllib.parse
from collections.abc import Sequence
from pathlib import Path

MASK = "…"
# Query parameters that hold a secret: API keys, export links, presigned storage addresses.
_PARAMETERS = re.compile(
    r"((?:api_?key|key|token|signature|x-(?:amz|goog)-[a-z-]+)=)[^&\s\"'<>)]+", re.IGNORECASE
)


def redact(text: str, secrets: Sequence[str] = ()) -> str:
    """Return `text` with the `secrets`, plain or quoted as in an address, and the values of
    parameters that hold one replaced by `…`.
    """
    for secret in secrets:
        if secret:
            for form in {secret, urllib.parse.quote(secret), urllib.parse.quote_plus(secret)}:
                text = text.replace(form, MASK)
    return _PARAMETERS.sub(rf"\1{MASK}", text)


def hide_argument(secret: str) -> None:
    """Overwrite `secret` in this process's argument list as `ps` and /proc show it.

    Linux shows the memory that holds the arguments (proc(5), `arg_start` of /proc/PID/stat), which
    a process may write to. Elsewhere nothing happens: an argument can be seen there while the
    program runs, which the environment variable and the prompt avoid. `sys.argv` loses it too.
    """
    sys.argv[:] = [item.replace(secret, MASK) if secret else item for item in sys.argv]
    if not secret or not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, ValueError, IndexError):
        raw = Path("/proc/self/cmdline").read_bytes()
        # The second field, the program's name, is in brackets and may hold spaces; `arg_start` is
        # the 48th field, so the 46th after it.
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        start, end = int(fields[45]), int(fields[46])
        wanted = secret.encode(errors="surrogateescape")
        at = raw.find(wanted)
        while start and at >= 0 and start + at + len(wanted) <= end:
            ctypes.memset(start + at, ord("*"), len(wanted))
            at = raw.find(wanted, at + len(wanted))
