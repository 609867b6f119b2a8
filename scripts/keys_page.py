"""The table of all keys of the app, docs/keys.md: which key means what, and where.

    python scripts/keys_page.py

writes the page; `tests/unit/test_keys.py` fails while it is not what the table of keys says.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from batman_tui.action import key_name  # noqa: E402
from batman_tui.keys import ACTIONS, room_title  # noqa: E402

PAGE = ROOT / "docs" / "keys.md"
HEAD = """# Keys

Every key of the app, and what it means where. `F1` lists those of where you are, with the names by
which `[keys]` in the config file gives them others. A letter means one thing wherever that can be:
where it means several, the screens have other things to do. Forms and dialogs are started with
`ctrl+s`, for letters are typed there.

| key | what it does, and where |
|---|---|
"""
_NAMES = {
    "slash": "/", "comma": ",", "full_stop": ".", "colon": ":", "plus": "+", "minus": "-",
    "equals_sign": "=", "question_mark": "?", "less_than_sign": "<", "greater_than_sign": ">",
    "left_square_bracket": "[", "right_square_bracket": "]",
}  # fmt: skip


def page() -> str:
    """Return the page as the table of keys has it now."""
    table: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for action in ACTIONS.values():
        for key in action.keys.split(","):
            table[key][action.label].append(room_title(action.id))
    order = sorted(table, key=lambda key: (len(key) > 1, key.lower(), key))
    rows = [
        f"| `{key_name(_NAMES.get(key, key))}` | "
        + "; ".join(f"**{label}**: {', '.join(rooms)}" for label, rooms in table[key].items())
        + " |"
        for key in order
    ]
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
