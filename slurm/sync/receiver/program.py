"""The program that takes files on a host, as the text that is sent to it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from slurm.sync.receiver import notes, receive, shared_folder

# Of one another they know here only: there they are one text.
_OURS = re.compile(r"^from slurm\.[^(\n]*(?:\([^)]*\))?\n", re.MULTILINE)


@cache
def program() -> str:
    """Return the text, which stands alone and runs by python3 from 3.6 on."""
    parts = (Path(str(part.__file__)) for part in (shared_folder, notes, receive))
    return "".join(_OURS.sub("", part.read_text(encoding="utf-8")) for part in parts)
