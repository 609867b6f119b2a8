"""The follower: one curve, whatever happens to the file and however it is cut."""

from __future__ import annotations

import math
import os
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.common.files import write_json
from core.training.config.options import TrainingConfig
from core.training.live.follow import LogTail, RunFollower, RunSnapshot, log_of
from core.training.live.series import COLUMNS
from core.training.live.tail import LineReader, LocalFiles, strip_ansi
from core.training.run.events import (
    Checkpoint,
    Epoch,
    Event,
    Failed,
    Finished,
    Oom,
    Started,
    Step,
    Stopped,
    Validation,
    Warning_,
    encode_event,
)
from core.training.run.worker_process import write_worker

PER_EPOCH = 10


class Growing:
    """A file source in memory that tells what was read."""

    def __init__(self, name: str = "events.jsonl") -> None:
        self.name = name
        self.data = b""
        self.reads = 0

    def read(self, path: str, offset: int, limit: int) -> bytes:
        if not path.endswith(self.name):
            return b""
        found = self.data[offset : offset + limit]
        self.reads += len(found)
        return found

    def size(self, path: str) -> int | None:
        return len(self.data) if path.endswith(self.name) else None


def started(epoch: int = 0, step: int = 0, epochs: int = 20, **more: Any) -> Started:
    return Started(
        run="r", pid=1, host="h", model="tiny", epochs=epochs, epoch=epoch, step=step,
        steps_per_epoch=PER_EPOCH, batch_size=8, grad_accum=1, effective_batch=8, image_size=128,
        classes=["a", "b"], device="cpu", **more,
    )  # fmt: skip


def one_step(number: int, loss: float | None = None, **more: Any) -> Step:
    return Step(
        epoch=(number - 1) // PER_EPOCH + 1,
        step=number,
        loss=1000.0 / number if loss is None else loss,
        lr=1e-4,
        images_per_s=50.0,
        step_s=0.1,
        **more,
    )


def validation(epoch: int, value: float, **more: Any) -> Validation:
    return Validation(
        epoch=epoch, step=epoch * PER_EPOCH, map50_95=value, map50=value, map75=value,
        precision=value, recall=value, f1=value, per_class={"a": value, "b": value}, **more,
    )  # fmt: skip


def epoch_end(epoch: int, **more: Any) -> Epoch:
    return Epoch(epoch=epoch, step=epoch * PER_EPOCH, train_loss=1.0, seconds=1.0, **more)


def an_epoch(epoch: int, loss: float | None = None, value: float = 0.1) -> list[Event]:
    first = (epoch - 1) * PER_EPOCH + 1
    steps: list[Event] = [one_step(first + at, loss) for at in range(PER_EPOCH)]
    return [*steps, validation(epoch, value), epoch_end(epoch)]


def encoded(*events: Event) -> bytes:
    return b"".join(map(encode_event, events))


def follow(data: bytes) -> RunSnapshot:
    source = Growing()
    source.data = data
    return RunFollower("run", source).poll()


def same(one: RunSnapshot, other: RunSnapshot) -> bool:
    names = ("started", "validations", "epochs", "checkpoints", "warnings", "ooms", "restarts",
             "ended", "last_event")  # fmt: skip
    return all(getattr(one, name) == getattr(other, name) for name in names) and all(
        np.array_equal(getattr(one.series, name), getattr(other.series, name), equal_nan=True)
        for name in COLUMNS
    )


def a_story(rng: random.Random) -> list[Event]:
    """A run that is stopped, killed and resumed at random, as its events tell it."""
    events: list[Event] = [started()]
    for epoch in range(1, 21):
        steps = epoch * PER_EPOCH
        events += an_epoch(epoch, value=rng.random())
        events.append(Checkpoint(epoch=epoch, step=steps, file="c", kind="last", bytes=9))
        chance = rng.random()
        if chance < 0.2:
            # Killed in the middle of the next epoch, which begins again.
            events += an_epoch(epoch + 1)[: rng.randrange(1, PER_EPOCH)]
            events.append(started(epoch, steps, resumed_from="c", attempt=epoch))
        elif chance < 0.3:
            events.append(Stopped(epoch=epoch, step=steps, reason="SIGTERM"))
            events.append(started(epoch, steps))
        elif chance < 0.4:
            events.append(Warning_(code="nan", message="…", epoch=epoch))
        elif chance < 0.45:
            events.append(
                Oom(batch_size=8, grad_accum=1, new_batch_size=4, new_grad_accum=2, attempt=1)
            )
    return events


# Reading


def test_a_whole_run() -> None:
    story = [
        started(epochs=2),
        *an_epoch(1, value=0.3),
        Checkpoint(epoch=1, step=10, file="checkpoint_last.pth", kind="last", bytes=5),
        Warning_(code="stall", message="slow", epoch=1, step=10),
        *an_epoch(2, value=0.2),
        Finished(epoch=2, step=20, best_epoch=1, best_map50_95=0.3, best_map50=0.3, seconds=2.0),
    ]
    run = follow(encoded(*story))
    assert run.state == "finished"
    assert run.series.step.tolist() == list(range(1, 21))
    assert run.series.epoch.tolist() == [1] * 10 + [2] * 10
    assert run.series.loss[3] == pytest.approx(250.0)
    assert run.series.loss.dtype == np.float32
    assert np.isnan(run.series.gpu_mem_mb).all()
    assert (run.step, run.epoch, run.progress, run.total_steps) == (20, 2, 1.0, 20)
    assert run.best is not None
    assert run.best.epoch == 1
    assert [w.code for w in run.warnings] == ["stall"]
    assert len(run.checkpoints) == 1
    assert run.error is None


def test_nothing_there_yet(tmp_path: Path) -> None:
    run = RunFollower(tmp_path / "none").poll()
    assert (run.state, run.step, run.progress, run.eta, run.best) == (
        "preparing",
        0,
        0.0,
        None,
        None,
    )
    assert len(run.series) == 0


@pytest.mark.parametrize("seed", range(12))
def test_however_the_file_is_cut_the_run_is_the_same(seed: int) -> None:
    rng = random.Random(seed)
    data = encoded(*a_story(rng))
    whole = follow(data)
    source = Growing()
    follower = RunFollower("run", source)
    at = 0
    while at < len(data):
        # Lines torn anywhere, also within a byte sequence of UTF-8.
        at = min(len(data), at + rng.choice((1, 7, 150, 2000, 20_000)))
        source.data = data[:at]
        follower.poll()
    assert same(follower.poll(), whole)
    assert whole.series.step.tolist() == list(range(1, len(whole.series) + 1))
    assert [e.epoch for e in whole.epochs] == list(range(1, len(whole.epochs) + 1))
    assert [v.epoch for v in whole.validations] == [e.epoch for e in whole.epochs]


@pytest.mark.parametrize("limit", [1, 50, 1000, 10**9])
def test_reading_in_parts_ends_at_the_same(limit: int) -> None:
    data = encoded(*a_story(random.Random(5)))
    source = Growing()
    source.data = data
    follower = RunFollower("run", source)
    looks = 0
    while (run := follower.poll(limit)).behind:
        looks += 1
        assert looks <= len(data) / limit + 1
    assert same(run, follow(data))


def test_each_look_reads_only_what_is_new() -> None:
    source = Growing()
    source.data = encoded(started(), *an_epoch(1), *an_epoch(2))
    follower = RunFollower("run", source)
    first = follower.poll()
    source.reads = 0
    assert follower.poll() is first
    assert source.reads == 0
    new = encoded(one_step(21))
    source.data += new
    assert follower.poll().step == 21
    # The new bytes, and the head that tells whether this is still the same file.
    assert source.reads <= len(new) + 256


def test_a_snapshot_never_changes() -> None:
    source = Growing()
    source.data = encoded(started(), *an_epoch(1), *an_epoch(2))
    follower = RunFollower("run", source)
    before = follower.poll()
    steps, losses = before.series.step.copy(), before.series.loss.copy()
    with pytest.raises(ValueError, match="read-only"):
        before.series.loss[0] = 1.0
    source.data += encoded(started(1, PER_EPOCH), *an_epoch(2, loss=7.0))
    for epoch in range(3, 300):
        source.data += encoded(*an_epoch(epoch, loss=9.0))
    after = follower.poll()
    assert after.series.loss[10:20].tolist() == [7.0] * 10
    assert np.array_equal(before.series.step, steps)
    assert np.array_equal(before.series.loss, losses)
    assert len(before.validations) == 2


def test_a_resume_drops_what_was_not_kept() -> None:
    run = follow(
        encoded(
            started(),
            *an_epoch(1, value=0.5),
            *an_epoch(2, value=0.9),
            Checkpoint(epoch=2, step=20, file="x", kind="best", bytes=1),
            *an_epoch(3)[:4],
            Failed(kind="error", message="it broke", hint=""),
            started(1, PER_EPOCH, resumed_from="checkpoint_epoch_1.pth", attempt=2),
            one_step(11, loss=4.0),
        )
    )
    assert run.series.step.tolist() == list(range(1, 12))
    assert run.series.loss[-1] == 4.0
    assert [v.epoch for v in run.validations] == [1]
    assert [e.epoch for e in run.epochs] == [1]
    assert run.checkpoints == ()
    assert run.best is not None
    assert run.best.map50_95 == 0.5
    assert [r.attempt for r in run.restarts] == [2]
    assert run.ended is None
    assert run.error is None


def test_a_fresh_start_in_the_same_folder_drops_everything() -> None:
    run = follow(encoded(started(), *an_epoch(1), started(), one_step(1, loss=3.0)))
    assert run.series.loss.tolist() == [3.0]
    assert run.validations == ()


def test_going_on_from_another_folder_counts_its_epochs() -> None:
    run = follow(encoded(started(25, 250, epochs=50)))
    assert (run.epoch, run.step, run.progress) == (25, 250, 0.5)


def test_lines_that_are_no_events_are_passed_over() -> None:
    good = encoded(started(), *an_epoch(1))
    lines = good.splitlines(keepends=True)
    garbage = [b"\n", b"{\n", b"null\n", b"\xff\xfe\x00\n", b"[1]\n", b'"},{"\n', b"1],[2\n"]
    garbage += [b'{"event":"step","step":3}\n', b'{"event":"of tomorrow","t":1}\n']
    rng = random.Random(0)
    for line in garbage:
        lines.insert(rng.randrange(1, len(lines)), line)
    assert same(follow(b"".join(lines)), follow(good))


def test_a_line_torn_by_a_crash_stands_alone() -> None:
    torn = encode_event(one_step(3))[:40] + b"\n"
    run = follow(encoded(started(), one_step(1), one_step(2)) + torn + encoded(one_step(3)))
    assert run.series.step.tolist() == [1, 2, 3]


def test_a_file_that_was_replaced_is_read_anew() -> None:
    source = Growing()
    source.data = encoded(started(), *an_epoch(1), *an_epoch(2))
    follower = RunFollower("run", source)
    follower.poll()
    # Shorter.
    source.data = encoded(started(epochs=5), one_step(1, loss=2.0))
    run = follower.poll()
    assert run.series.loss.tolist() == [2.0]
    assert run.validations == ()
    # Longer, with another beginning.
    source.data = encoded(started(epochs=7, t=5.0), *an_epoch(1), *an_epoch(2), *an_epoch(3))
    run = follower.poll()
    assert run.started is not None
    assert run.started.epochs == 7
    assert len(run.series) == 30
    # Gone.
    source.data = b""
    assert follower.poll().started is None


def test_a_loss_that_is_not_a_number_is_a_gap() -> None:
    run = follow(encoded(started(), one_step(1), one_step(2, math.nan), one_step(3)))
    assert np.isnan(run.series.loss).tolist() == [False, True, False]


def test_a_huge_loss_does_not_warn() -> None:
    assert follow(encoded(started(), one_step(1, 1e300))).series.loss.tolist() == [math.inf]


# Time left


def timed(number: int) -> Step:
    return one_step(number, t=1000.0 + 2.0 * number)


def test_time_left_follows_the_latest_pace(tmp_path: Path) -> None:
    write_worker(tmp_path, since=0.5)
    file = tmp_path / "events.jsonl"
    file.write_bytes(encoded(started(epochs=6, t=1000.0), timed(1)))
    follower = RunFollower(tmp_path)
    assert follower.poll().eta is None
    with file.open("ab") as out:
        out.write(encoded(*(timed(n) for n in range(2, 21))))
    run = follower.poll()
    assert run.state == "running"
    assert run.eta == pytest.approx(40 * 2.0)
    # From now on ten times as fast; after two epochs only that counts.
    with file.open("ab") as out:
        out.write(encoded(*(one_step(n, t=1040.0 + 0.2 * n) for n in range(21, 41))))
    assert follower.poll().eta == pytest.approx(20 * 0.2)
    with file.open("ab") as out:
        out.write(encoded(started(3, 30, epochs=6, t=2000.0)))
    assert follower.poll().eta is None


def test_an_ended_run_has_no_time_left(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(
        encoded(started(), *an_epoch(1), Stopped(epoch=1, step=10, reason="x"))
    )
    assert RunFollower(tmp_path).poll().eta is None


# What lies beside the events


def test_the_config_is_read_and_read_again_after_a_resume(tmp_path: Path) -> None:
    follower = RunFollower(tmp_path)
    assert follower.poll().config is None
    TrainingConfig(epochs=20).save(tmp_path / "training_config.json")
    run = follower.poll()
    assert run.config is not None
    assert run.config.epochs == 20
    (tmp_path / "events.jsonl").write_bytes(encoded(started()))
    follower.poll()
    TrainingConfig(epochs=40).save(tmp_path / "training_config.json")
    with (tmp_path / "events.jsonl").open("ab") as out:
        out.write(encoded(started(0, 0, epochs=40)))
    run = follower.poll()
    assert run.config is not None
    assert run.config.epochs == 40


def test_a_process_that_ends_changes_the_state_alone(tmp_path: Path) -> None:
    write_worker(tmp_path, since=0.5)
    (tmp_path / "events.jsonl").write_bytes(encoded(started(), *an_epoch(1)))
    follower = RunFollower(tmp_path)
    before = follower.poll()
    assert before.state == "running"
    write_json(tmp_path / "worker.json", {"pid": 2**22 + 1, "host": os.uname().nodename,
                                          "create_time": 5.0, "since": 0.5})  # fmt: skip
    after = follower.poll()
    assert after.state == "lost"
    assert after.series is before.series


def test_a_remote_process_is_not_looked_for_here(tmp_path: Path) -> None:
    class Remote(LocalFiles):
        pass

    class OverSsh:
        """As `slurm.hosts` reads: the process numbers are another machine's."""

        def __init__(self) -> None:
            self.files = LocalFiles()

        def read(self, path: str, offset: int, limit: int) -> bytes:
            return self.files.read(path, offset, limit)

        def size(self, path: str) -> int | None:
            return self.files.size(path)

    write_json(tmp_path / "worker.json", {"pid": 2**22 + 1, "host": os.uname().nodename,
                                          "create_time": 5.0, "since": 0.5})  # fmt: skip
    (tmp_path / "events.jsonl").write_bytes(encoded(started()))
    assert RunFollower(tmp_path, OverSsh()).poll().state == "running"
    assert RunFollower(tmp_path, Remote()).poll().state == "lost"


# Speed


def test_many_steps_are_read_fast(tmp_path: Path) -> None:
    count = 200_000
    line = encode_event(one_step(1, data_s=0.01, gpu_mem_mb=9000.0, rss_mb=2000.0))
    with (tmp_path / "events.jsonl").open("wb") as out:
        out.write(encode_event(started(epochs=count)))
        for number in range(1, count + 1):
            out.write(line.replace(b'"step":1,', b'"step":%d,' % number))
    follower = RunFollower(tmp_path)
    start = time.process_time()
    run = follower.poll()
    took = time.process_time() - start
    assert int(run.series.step[-1]) == len(run.series) == count
    # 0.3 s on one idle core of two: a million in a second and a half. Room for a busy machine.
    assert took < 2.0


# Logs


def test_a_log_is_followed_by_lines(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    tail = log_of(tmp_path)
    assert tail.poll() == []
    log.write_bytes(b"first\nsec")
    assert tail.poll() == ["first"]
    with log.open("ab") as out:
        out.write(b"ond\r\n\x1b[31mred\x1b[0m \x1b]0;title\x07\x07bell\n10%\r20%\r30%\n\xff\n")
    assert tail.poll() == ["second", "red ⟨U+0007⟩bell", "30%", "\ufffd"]
    log.write_bytes(b"anew\n")
    assert tail.poll() == ["anew"]


def test_a_long_log_is_shown_from_near_its_end(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_text("".join(f"line {n}\n" for n in range(100_000)))
    tail = LogTail(log, start_bytes=1000, max_lines=20)
    lines = tail.poll()
    assert lines == [f"line {n}" for n in range(99_980, 100_000)]
    log.write_text("x" * 5000 + "\n")
    tail = LogTail(log, start_bytes=10_000, max_width=100)
    assert tail.poll() == ["x" * 100]


def test_a_flood_of_lines_is_passed_over(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_text("first\n")
    tail = LogTail(log, start_bytes=1000)
    assert tail.poll() == ["first"]
    with log.open("a") as out:
        out.writelines(f"line {n}\n" for n in range(10_000))
    lines = tail.poll()
    assert lines[-1] == "line 9999"
    assert len(lines) < 120
    assert all(line.startswith("line ") for line in lines)
    with log.open("a") as out:
        out.write("next\n")
    assert tail.poll() == ["next"]


def test_a_line_reader_tells_of_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "f"
    reader = LineReader(str(file), LocalFiles())
    assert reader.read() == b""
    file.write_bytes(b"a\nb")
    assert (reader.read(), reader.restarted) == (b"a\n", False)
    file.write_bytes(b"z\n")
    assert (reader.read(), reader.restarted) == (b"z\n", True)
    file.unlink()
    assert (reader.read(), reader.restarted) == (b"", True)
    assert reader.behind() == 0


def test_escape_sequences_are_taken_out() -> None:
    assert strip_ansi("\x1b[1;31mloss\x1b[0m \x1b[2K\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\") == (
        "loss link"
    )
