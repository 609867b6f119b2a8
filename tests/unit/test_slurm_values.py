"""How SLURM writes states, reasons, times and GPUs, in all the forms seen in the field."""

from __future__ import annotations

import pytest

from slurm.job.reasons import _BRIEF, _REASONS, BRIEF_CELLS, reason_brief, reason_words
from slurm.job.states import parse_state
from slurm.site.slurm_values import (
    Gpus,
    format_duration,
    gpu_count,
    parse_duration,
    parse_gres,
    parse_memory,
)


@pytest.mark.parametrize(
    ("text", "name", "way"),
    [
        ("RUNNING", "RUNNING", "running"), ("R", "RUNNING", "running"),
        ("PD", "PENDING", "waiting"), ("CANCELLED by 1000", "CANCELLED", "ended"),
        ("CA", "CANCELLED", "ended"), ("COMPLETED", "COMPLETED", "ended"),
        ("OOM", "OUT_OF_MEMORY", "ended"), ("RUNNING+COMPLETING", "COMPLETING", "running"),
        ("COMPLETED,COMPLETING", "COMPLETING", "running"),
        ("PENDING+REQUEUED", "REQUEUED", "waiting"),
        ("PREEMPTED", "PREEMPTED", "ended"), ("RQ", "REQUEUED", "waiting"),
        ("SOMETHING_NEW", "SOMETHING_NEW", None), ("", "UNKNOWN", None), ("TO", "TIMEOUT", "ended"),
    ],
)  # fmt: skip
def test_states(text: str, name: str, way: str | None) -> None:
    state = parse_state(text)
    assert state.name == name
    assert state.words
    assert [which for which in ("waiting", "running", "ended") if getattr(state, which)] == (
        [way] if way else []
    )


def test_reasons_are_said_in_words_with_their_detail() -> None:
    assert reason_words("(Priority)") == "jobs with higher priority are ahead"
    assert reason_words("ReqNodeNotAvail, UnavailableNodes:n1") == (
        "a node it needs is down, drained or reserved (UnavailableNodes:n1)"
    )
    assert reason_words("Brand_New_Reason") == "Brand New Reason"
    assert reason_words("None") == ""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 1800), ("1:05", 65), ("03:00:00", 10800), ("2-03:00:00", 183600), ("1-12", 129600),
        ("1-12:30", 131400), ("UNLIMITED", None), ("INVALID", None), ("", None), ("0:00", 0),
        ("00:00:12.345", 12),
    ],
)  # fmt: skip
def test_durations(text: str, seconds: int | None) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["soon", "1:2:3:4", "-5", "1d"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="no time"):
        parse_duration(text)


def test_durations_go_round() -> None:
    for seconds in (0, 59, 60, 3599, 86400, 259200 + 61):
        assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "mebibytes"),
    [("256G", 262144), ("4000M", 4000), ("4000", 4000), ("2Gn", 2048), ("1.5T", 1572864),
     ("512K", 0), ("?", None), ("", None)],
)  # fmt: skip
def test_memory(text: str, mebibytes: int | None) -> None:
    assert parse_memory(text) == mebibytes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gpu:4", [Gpus("", 4)]),
        ("gpu", [Gpus("", 1)]),
        ("gpu:a100:4(S:0-1)", [Gpus("a100", 4)]),
        ("gpu:h100-96:2(IDX:0,1)", [Gpus("h100-96", 2)]),
        ("gres:gpu:a100:2", [Gpus("a100", 2)]),
        ("gres/gpu:a100=2", [Gpus("a100", 2)]),
        ("cpu=8,mem=1G,node=1,billing=8,gres/gpu=2", [Gpus("", 2)]),
        ("cpu=8,gres/gpu=3,gres/gpu:a100=2,gres/gpu:v100=1", [Gpus("a100", 2), Gpus("v100", 1)]),
        ("gpu:a100:2(S:0),gpu:v100:1(S:1),lustre:1", [Gpus("a100", 2), Gpus("v100", 1)]),
        ("gpu:a100:0(IDX:N/A)", []),
        ("(null)", []), ("N/A", []), ("", []),
    ],
)  # fmt: skip
def test_gpus(text: str, expected: list[Gpus]) -> None:
    assert parse_gres(text) == expected
    assert gpu_count(text) == sum(gpus.count for gpus in expected)


def test_reasons_in_a_few_words_fit_their_column() -> None:
    assert set(_BRIEF) <= set(_REASONS)
    for code in _BRIEF:
        assert 0 < len(reason_brief(code)) <= BRIEF_CELLS, code
    assert reason_brief("(Priority)") == "others are first"
    assert reason_brief("Resources,JobHeldUser") == "you hold it"
    assert reason_brief("ReqNodeNotAvail, UnavailableNodes:n1") == "node unavailable"
    # Short enough as they are, or not known to us.
    assert reason_brief("JobHeldUser") == "you hold it"
    assert reason_brief("Brand_New_Reason") == "Brand New Reason"


def test_numbers_beyond_all_bounds_are_none() -> None:
    assert parse_memory("9" * 400 + "G") is None
    assert parse_memory("1e999G") is None
    assert parse_gres("gpu:a100:" + "9" * 5_000) == []
    for text in ("9" * 400, "9" * 400 + "-00:00:00", "1:" + "9" * 5_000):
        with pytest.raises(ValueError, match="no time"):
            parse_duration(text)
