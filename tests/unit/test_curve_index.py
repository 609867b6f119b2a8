"""The index beside a long run's events: the same run, read in a fraction of the time, or none."""

from __future__ import annotations

import os
import random
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.training.live import curve_index
from core.training.live.curve_index import INDEX_FILE
from core.training.live.follow import RunFollower, RunSnapshot
from core.training.live.series import COLUMNS
from core.training.live.tail import LocalFiles
from core.training.run.events import (
    Checkpoint,
    Epoch,
    Event,
    Finished,
    Oom,
    Started,
    Step,
    Stopped,
    Validation,
    Warning_,
    encode_event,
)

PER_EPOCH = 40


class Counting(LocalFiles):
    """Files of this machine, and how many bytes of events were read."""

    def __init__(self) -> None:
        self.bytes = 0

    def read(self, path: str, offset: int, limit: int) -> bytes:
        found = super().read(path, offset, limit)
        self.bytes += len(found) if path.endswith("events.jsonl") else 0
        return found


def started(epoch: int, t: float) -> Started:
    return Started(
        t=t, run="r", pid=1, host="h", model="tiny", epochs=20, epoch=epoch, step=epoch * PER_EPOCH,
        steps_per_epoch=PER_EPOCH, batch_size=2, grad_accum=1, effective_batch=2, image_size=64,
        classes=["a ⟨x⟩"], device="cpu",
    )  # fmt: skip


def epochs(first: int, last: int, t: float) -> list[Event]:
    """All that a trainer says in some epochs; a loss that is not a number among them."""
    dice = random.Random(first)
    told: list[Event] = []
    for epoch in range(first, last + 1):
        for number in range(1, PER_EPOCH + 1):
            step = (epoch - 1) * PER_EPOCH + number
            loss = None if number == 7 else dice.random() * 3
            told.append(Step(t=t + step, epoch=epoch, step=step, loss=loss, lr=1e-4,
                             images_per_s=dice.random(), step_s=0.1))  # fmt: skip
        step = epoch * PER_EPOCH
        told += [
            Validation(t=t + step, epoch=epoch, step=step, map50_95=epoch / 20, map50=epoch / 15,
                       map75=0.1, precision=0.5, recall=0.5, f1=0.5),
            Epoch(t=t + step, epoch=epoch, step=step, train_loss=1.0, seconds=4.0),
            Checkpoint(t=t + step, epoch=epoch, step=step, file="checkpoint_last.pth",
                       kind="last", bytes=9),
        ]  # fmt: skip
    return told


def write(run: Path, events: list[Event], mode: str = "ab") -> None:
    with (run / "events.jsonl").open(mode) as file:
        file.writelines(map(encode_event, events))


def facts(of: RunSnapshot) -> dict[str, Any]:
    """All that a snapshot says, to compare."""
    said = {f.name: getattr(of, f.name) for f in fields(of) if f.name != "series"}
    return said | {name: np.array(getattr(of.series, name)).tobytes() for name in COLUMNS}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that was stopped and went on from its second epoch."""
    monkeypatch.setattr(curve_index, "LEAST", 4096)
    path = tmp_path / "r"
    path.mkdir()
    write(path, [started(0, 100.0), *epochs(1, 3, 100.0)])
    slow = Warning_(t=300.0, code="slow", message="slow")
    write(path, [slow, Stopped(t=301.0, epoch=3, step=120, reason="asked")])
    oom = Oom(t=501.0, batch_size=2, grad_accum=1, new_batch_size=1, new_grad_accum=2, attempt=1)
    write(path, [started(2, 500.0), oom, *epochs(3, 5, 500.0)])
    return path


def plain(run: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The run as it is read without an index."""
    with monkeypatch.context() as patched:
        patched.setattr(curve_index, "LEAST", 1 << 40)
        return facts(RunFollower(run).poll())


def test_a_run_is_the_same_read_from_its_index(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = plain(run, monkeypatch)
    assert not (run / INDEX_FILE).exists()
    assert facts(RunFollower(run).poll()) == whole
    index = (run / INDEX_FILE).read_bytes()
    size = (run / "events.jsonl").stat().st_size
    assert len(index) < size / 2

    source = Counting()
    follower = RunFollower(run, source)
    assert facts(follower.poll()) == whole
    assert source.bytes <= 2 * curve_index.EDGE, "its beginning and its end, to know it by"

    # It goes on, with a line that is still being written; a little is no reason for a new index.
    more = epochs(6, 6, 500.0)
    write(run, more)
    end = Finished(t=900.0, epoch=6, step=240, best_epoch=6, best_map50_95=0.3, best_map50=0.4,
                   seconds=9.0)  # fmt: skip
    with (run / "events.jsonl").open("ab") as file:
        file.write(encode_event(end)[:-9])
    grown = facts(follower.poll())
    assert grown == facts(RunFollower(run).poll()) == plain(run, monkeypatch)
    assert len(grown["validations"]) == 6
    assert (run / INDEX_FILE).read_bytes() == index
    # Many more are: the new one holds the whole lines, and what was dropped is not in it.
    with (run / "events.jsonl").open("ab") as file:
        file.write(encode_event(end)[-9:])
    write(run, [started(4, 700.0), *epochs(5, 12, 700.0)])
    grown = facts(follower.poll())
    assert (run / INDEX_FILE).read_bytes() != index
    assert facts(RunFollower(run).poll()) == grown == plain(run, monkeypatch)


def test_parts_of_a_first_look_are_the_whole_at_once(run: Path) -> None:
    whole = facts(RunFollower(run).poll())
    follower = RunFollower(run)
    assert facts(follower.poll(max_bytes=100)) == whole


def test_an_index_that_is_not_right_is_made_anew(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = facts(RunFollower(run).poll())
    index = run / INDEX_FILE
    good = index.read_bytes()
    dice = random.Random(5)
    wrong = [
        b"", good[:10], good[:-1], good + b"\0", b"batman events index 0\n" + good[22:],
        b"\xff" * len(good), good[: len(good) // 2],
    ]  # fmt: skip
    for _ in range(40):  # a bit anywhere: the header, a column, a sum
        at = dice.randrange(len(good))
        wrong.append(good[:at] + bytes([good[at] ^ 1 << dice.randrange(8)]) + good[at + 1 :])
    for data in wrong:
        index.write_bytes(data)
        source = Counting()
        assert facts(RunFollower(run, source).poll()) == whole
        assert source.bytes > 10_000, "it was taken, and it is wrong"
        assert index.read_bytes() == good


def test_an_index_of_other_events_is_not_taken(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    RunFollower(run).poll()
    events = run / "events.jsonl"
    data = events.read_bytes()
    at = data.rfind(b'"lr"')
    others = {
        "another end": data[: at - 20].replace(b'"epoch":5', b'"epoch":4') + data[at - 20 :],
        "another beginning": data.replace(b'"host":"h"', b'"host":"i"', 1),
        "fewer": data[: data.find(b"\n", len(data) // 2) + 1],
    }
    for what, other in others.items():
        index = (run / INDEX_FILE).read_bytes()
        events.write_bytes(other)
        os.utime(events, ns=(0, 0))
        assert facts(RunFollower(run).poll()) == plain(run, monkeypatch), what
        events.write_bytes(data)
        (run / INDEX_FILE).write_bytes(index)
    # While it is followed, too.
    follower = RunFollower(run)
    follower.poll()
    write(run, [started(0, 9000.0), *epochs(1, 8, 9000.0)], "wb")
    assert facts(follower.poll()) == plain(run, monkeypatch)
    assert facts(RunFollower(run).poll()) == plain(run, monkeypatch)


def test_without_a_place_for_it_the_run_is_read_as_ever(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run / INDEX_FILE).mkdir()  # as good as a folder that may not be written: root may write all
    whole = plain(run, monkeypatch)
    for _ in range(2):
        assert facts(RunFollower(run).poll()) == whole
    assert (run / INDEX_FILE).is_dir()
    assert sorted(path.name for path in run.iterdir()) == [INDEX_FILE, "events.jsonl"]
