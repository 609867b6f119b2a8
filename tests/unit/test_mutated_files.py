"""A seeded slice of `benchmarks/mutated_files.py`: damaged files of every format Batman reads."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from mutated_files import cases, damage, set_limit
from mutated_formats import FORMATS

# A project is made or a video decoded for each case of these, and torch reads the last.
FEW = {
    **dict.fromkeys(("coco", "yolo", "voc", "zip", "original", "project.db"), 20),
    "video": 8, "checkpoint": 12,
}  # fmt: skip
CASES = 50
# Here one kind of end is all that is to be expected: what is broken is left out line by line or
# told beside the rest, or nothing of a film is left.
LENIENT = {
    "run", "known_hosts", "config.toml", "theme", "checkpoint", "video", "squeue", "sacct", "sinfo",
    "scontrol", "tool supervisely",
}  # fmt: skip
NEEDS = {"video": "av", "checkpoint": "torch", "truth": "numpy", "theme": "textual"}


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_end_in_a_value_or_one_error(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    monkeypatch.chdir(tmp_path)
    for variable in ("BATMAN_CONFIG_DIR", "BATMAN_CACHE_DIR"):
        (tmp_path / variable).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / variable))
    outcomes: Counter[str] = Counter()
    try:
        for seed, outcome, details in cases(name, 0, FEW.get(name, CASES), tmp_path):
            if seed < 0:
                assert outcome == "fine", f"the example itself: {outcome} {details}"
                continue
            assert outcome in ("fine", "error"), f"{name} {seed}: {outcome} {details}"
            outcomes[outcome] += 1
    finally:
        os.chdir(tmp_path)
        set_limit(0)
    assert sum(outcomes.values()) == FEW.get(name, CASES)
    assert name in LENIENT or len(outcomes) == 2, "some is read over, some is refused"


def test_the_damage_is_the_same_for_a_seed_and_of_many_kinds() -> None:
    import random

    data = b'{"a": [1, 2, {"b": "c"}], "d": 1.5}' * 3
    made = [damage("x.txt", data, random.Random(seed)) for seed in range(300)]
    assert made == [damage("x.txt", data, random.Random(seed)) for seed in range(300)]
    assert len(set(made)) > 250
    assert any(len(text) > 5_000 and text.count(b"[") > 1_000 for text in made), "nesting"
    assert any(b"9" * 5_000 in text for text in made), "numbers of thousands of digits"


@pytest.mark.parametrize(
    ("name", "seed"),
    [
        ("run", 703), ("checkpoint", 163), ("checkpoint", 179), ("checkpoint", 327),
        ("video", 153), ("video", 269), ("truth", 9), ("truth", 25),
    ],
)  # fmt: skip
def test_what_the_long_sweep_found_stays_mended(
    name: str, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BATMAN_CACHE_DIR", str(tmp_path.parent))
    try:
        found = list(cases(name, seed, seed + 1, tmp_path))
    finally:
        os.chdir(tmp_path)
        set_limit(0)
    assert {outcome for _, outcome, _ in found} <= {"fine", "error"}
