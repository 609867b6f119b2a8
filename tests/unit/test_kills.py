"""A small part of `benchmarks/kills.py`: commands killed at any moment, seeded."""

from __future__ import annotations

import random
import sys
from collections import Counter
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_commands_killed_at_any_moment_are_before_or_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name in ("BATMAN_CONFIG_DIR", "BATMAN_CACHE_DIR", "BATMAN_WORKSPACE"):
        monkeypatch.setenv(name, str(tmp_path / "unused"))
    path = list(sys.path)
    import kills
    import writing

    chosen = [
        command
        for command in writing.COMMANDS
        if command.words[:2]
        in (("classes", "merge"), ("images", "delete"), ("runs", "note"), ("export", "voc"))
    ]
    assert len(chosen) == 4
    made = writing.template(tmp_path / "made")
    writing.warm(made, tmp_path, chosen)
    total: Counter[str] = Counter()
    for command in chosen:
        count, wrong = kills.sweep(made, tmp_path, command, 5, random.Random(8))
        assert wrong == []
        assert count["before"] + count["after"] == 5
        total += count
    # When a kill falls is the machine's affair: a busy one may need more of them, of the command
    # whose transaction is the longest and of the one that leaves the most behind.
    by_name = {command.words[:2]: command for command in chosen}
    missing = {"inside": by_name["images", "delete"], "hid": by_name["export", "voc"]}
    for seed in range(60):
        for kind in [kind for kind in missing if not total[kind]]:
            count, wrong = kills.sweep(made, tmp_path, missing[kind], 5, random.Random(seed))
            assert wrong == []
            total += count
    assert total["inside"], "some kills fell inside a transaction"
    assert total["killed"] > 5
    assert total["hid"], "some kills left what the next command removed"
    assert not total["left"]
    sys.path[:] = path
