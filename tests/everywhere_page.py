"""The table of docs/everywhere.md: which command is where in the app."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "everywhere.md"


def rows() -> list[tuple[list[str], str]]:
    """Return the commands of each row in full, and its cell of the app."""
    found = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            left, right = (cell.strip() for cell in line.strip("|").split("|"))
            first, *others = re.findall(r"`([^`]+)`", left)
            group = first.rpartition(" ")[0]
            found.append(
                ([first, *(o if " " in o else f"{group} {o}".strip() for o in others)], right)
            )
    return found
