"""Filters of jobs: by field, by words, turned round, and kept under a name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from test_slurm_jobs import SEP, SQUEUE, printed

from core.common.errors import BatmanError
from slurm.queue.arrays import JobLine, job_lines
from slurm.queue.job_filter import keep_filter, kept_filters, read_job_filter, require_job_filter
from slurm.queue.jobs import parse_squeue


@pytest.fixture
def lines() -> list[JobLine]:
    rest, later, running = parse_squeue(printed(SQUEUE), SEP)
    running = replace(running, node_list="n[1-3]", user="ada", qos="high")
    return job_lines([rest, later, running], fold=False)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", ["1_[3-9%2]", "3", "1_1"]),
        ("state=running", ["1_1"]),
        ("state=wait*", ["1_[3-9%2]", "3"]),
        ("state!=pending qos=HIGH", ["1_1"]),
        ("node=n2", ["1_1"]),
        ("-user=ada", ["1_[3-9%2]", "3"]),
        ("user=root later", ["3"]),
        ("reason:array", ["1_[3-9%2]"]),
        ("gpu=h100-96 partition=gpu account=r*", ["1_[3-9%2]", "1_1"]),
        ("id=1_[3-9%2]", ["1_[3-9%2]"]),
        ("at 16:30", []),
    ],
)  # fmt: skip
def test_what_is_shown(lines: list[JobLine], text: str, ids: list[str]) -> None:
    keeps = read_job_filter(text).keeps
    assert [line.id for line in lines if keeps(line)] == ids


def test_a_kept_filter_is_meant_by_its_name(
    lines: list[JobLine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATMAN_CONFIG_DIR", str(tmp_path))
    keep_filter("ada's", "user=ada state=running -qos=normal")
    keeps = require_job_filter('-"@ada\'s" gpu=*').keeps
    assert [line.id for line in lines if keeps(line)] == ["1_[3-9%2]", "3"]
    half = read_job_filter("@ad")
    assert (half.tests, len(half.problems)) == ((), 1)
    with pytest.raises(BatmanError, match="cannot name another one"):
        keep_filter("more", "@ada's x")
    with pytest.raises(BatmanError, match="no filter 'none'"):
        keep_filter("none", "")
    keep_filter("ada's", "")
    assert kept_filters() == {}
    (tmp_path / "job-filters.json").write_text("[")
    assert "cannot be read" in read_job_filter("@x").problems[0]
