"""A run whose job waits in a queue: when it counts as queued, and how that is put in words."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from cli.runs.run_lines import Story, wait_line
from core.training.live.follow import RunSnapshot
from core.training.run.wait import Wait, wait_parts, wait_words, waiting
from core.training.run.worker_process import Worker
from slurm.queue.jobs import Place
from slurm.queue.line import parse_places

WAIT = Wait(job="7", cluster="hpc", since=100.0, why="it is\x1b next", seen_at=500.0)
EXPECTED = Worker(pid=0, host="hpc", create_time=100.0, since=100.0)


def note(folder: Path, wait: Wait | None, state: str = "") -> None:
    told = {"cluster": "hpc", "job_id": "7", "state": state, "submitted_at": 90.0,
            "wait": msgspec.to_builtins(wait), "token": "t"}  # fmt: skip
    (folder / "job.json").write_text(json.dumps(told))


def test_it_waits_until_something_newer_is_known(tmp_path: Path) -> None:
    assert waiting(tmp_path, "preparing", EXPECTED, None) is None, "no job is known"
    note(tmp_path, None)
    unseen = waiting(tmp_path, "preparing", EXPECTED, None)
    assert unseen == Wait(job="7", cluster="hpc", since=90.0)
    note(tmp_path, None, "RUNNING")
    assert waiting(tmp_path, "preparing", EXPECTED, None) is None, "it loads"
    note(tmp_path, WAIT, "PENDING")
    assert waiting(tmp_path, "preparing", EXPECTED, None) == WAIT
    assert waiting(tmp_path, "running", EXPECTED, 400.0) == WAIT, "put back, it waits again"
    assert waiting(tmp_path, "running", EXPECTED, 501.0) is None, "it has begun since"
    begun = msgspec.structs.replace(EXPECTED, pid=5, since=501.0)
    assert waiting(tmp_path, "preparing", begun, 400.0) is None
    assert waiting(tmp_path, "finished", EXPECTED, 400.0) is None
    (tmp_path / "job.json").write_text("{")
    assert waiting(tmp_path, "preparing", EXPECTED, None) is None


def test_words_say_what_tells_most_first() -> None:
    full = msgspec.structs.replace(WAIT, place=3, line=14, start=4000.0, restarts=1)
    parts = wait_parts(full, 400.0)
    assert parts[:3] == ["queued for 5m 00s", "it is⟨U+001B⟩ next", "place 3 of 14"]
    assert parts[3].startswith("starts about ")
    assert parts[4] == "put back 1 time"
    assert wait_words(full, 400.0).startswith(
        "queued for 5m 00s as job 7 on hpc; it is⟨U+001B⟩ next; "
    )
    assert "place" not in wait_line(full, 50)
    assert "next" in wait_line(full, 50)
    assert len(wait_parts(full, 9000.0)) == 4, "a time that is over is no estimate"


def test_a_change_is_told_once() -> None:
    story = Story()
    (line,) = story.news(RunSnapshot("r", state="queued", wait=WAIT))
    assert line.text.startswith("Queued for ")
    later = msgspec.structs.replace(WAIT, seen_at=600.0, start=9000.0)
    assert story.news(RunSnapshot("r", state="queued", wait=later)) == []
    moved = msgspec.structs.replace(later, place=2, line=5)
    assert "place 2 of 5" in story.news(RunSnapshot("r", state="queued", wait=moved))[0].text


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("31 2 4\n30_[1-3%1] 1 4\nsqueue: error: no\n",
         {"31": Place(2, 4), "30_[1-3%1]": Place(1, 4)}),
        ("", {}),
    ],
)  # fmt: skip
def test_places_are_read(text: str, places: dict[str, Place]) -> None:
    assert parse_places(text) == places
