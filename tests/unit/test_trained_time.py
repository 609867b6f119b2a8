"""How long a run trained: the sum of its sessions, whatever lies between them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.training.config.options import TrainingConfig
from core.training.live.follow import RunFollower
from core.training.run.events import (
    Event,
    EventWriter,
    Failed,
    Finished,
    Oom,
    Started,
    Step,
    Stopped,
)
from core.training.run.run import CONFIG_FILE, EVENTS_FILE, Run
from core.training.run.trained_time import trained_seconds


def started(t: float, elapsed: float | None = None, step: int = 0) -> Started:
    return Started(
        t=t, run="r", pid=1, host="h", model="tiny", epochs=9, epoch=0, step=step,
        steps_per_epoch=5, batch_size=8, grad_accum=1, effective_batch=8, image_size=128,
        classes=[], device="cpu", elapsed=elapsed,
    )  # fmt: skip


def step(t: float, elapsed: float | None = None, number: int = 1) -> Step:
    return Step(
        t=t, epoch=1, step=number, loss=1.0, lr=1e-4, images_per_s=1.0, step_s=1.0, elapsed=elapsed
    )


def stopped(t: float, seconds: float | None = None) -> Stopped:
    return Stopped(t=t, epoch=0, step=1, reason="SIGTERM", seconds=seconds)


def finished(t: float, seconds: float) -> Finished:
    return Finished(
        t=t, epoch=9, step=45, best_epoch=9, best_map50_95=0.5, best_map50=0.9, seconds=seconds
    )


def oom(t: float) -> Oom:
    return Oom(t=t, batch_size=8, grad_accum=1, new_batch_size=4, new_grad_accum=2, attempt=1)


SESSIONS: dict[str, tuple[list[Event], float]] = {
    "one, going on": ([started(100, 0.0), step(103, 3.0), step(107, 7.0)], 7),
    "a stop, a pause of an hour, and more": (
        [started(100, 0.0), step(107, 7.0), stopped(108, 8.0), started(3708, 8.0), step(3710)],
        10,
    ),
    "the same by a version that did not say": (
        [started(100), step(107), stopped(108), started(3708), step(3710)],
        10,
    ),
    "lost, and gone on with a day later": (
        [started(100, 0.0), step(107, 7.0), started(86_500, 7.0), step(86_503, 10.0)],
        10,
    ),
    "lost by a version that did not say": (
        [started(100), step(107), started(86_500), step(86_503)],
        10,
    ),
    "stopped again before its first step": (
        [started(100, 0.0), step(107, 7.0), stopped(108, 8.0), stopped(500, 8.0)],
        8,
    ),
    "lost, which a cluster's record told an hour later": (
        [started(100, 0.0), step(107, 7.0), Failed(t=3707, kind="lost", message="gone")],
        7,
    ),
    "failed by a version that did not say": (
        [started(100), step(107), Failed(t=109, kind="error", message="why")],
        9,
    ),
    "refused before it began": (
        [started(100, 0.0), stopped(108, 8.0), Failed(t=900, kind="config", message="x")],
        8,
    ),
    "out of memory on the way": (
        [started(100, 0.0), step(107, 7.0), oom(109), started(130, 9.0), step(131, 10.0)],
        10,
    ),
    "finished, complete when it was lost": (
        [started(100, 0.0), step(107, 7.0), finished(5000, 7.5)],
        7.5,
    ),
    "from another's checkpoint, with its time": (
        [started(100, 50.0), step(107, 57.0), stopped(108, 58.0)],
        58,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SESSIONS)
def test_pauses_are_no_part_of_it(name: str, tmp_path: Path) -> None:
    events, expected = SESSIONS[name]
    assert trained_seconds(events) == pytest.approx(expected)
    # The list, `runs show` and whoever watches say the same.
    TrainingConfig(model="tiny").save(tmp_path / CONFIG_FILE)
    writer = EventWriter(tmp_path / EVENTS_FILE)
    for event in events:
        writer.write(event)
    writer.close()
    assert Run(tmp_path).summary().seconds == pytest.approx(expected)
    assert RunFollower(tmp_path).poll().seconds == pytest.approx(expected)


def test_the_end_of_a_long_file_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list reads the last bytes only, in which no start need be."""
    import core.training.run.run as run_module

    monkeypatch.setattr(run_module, "_TAIL_BYTES", 4096)
    TrainingConfig(model="tiny").save(tmp_path / CONFIG_FILE)
    writer = EventWriter(tmp_path / EVENTS_FILE)
    session: list[Any] = [started(100, 0.0), stopped(150, 50.0), started(9000, 50.0)]
    for event in [*session, *(step(9000 + n, 50.0 + n, n) for n in range(1, 200))]:
        writer.write(event)
    writer.close()
    assert Run(tmp_path).summary().seconds == pytest.approx(249)


def test_an_empty_run_took_no_time() -> None:
    assert trained_seconds([]) == 0
    assert trained_seconds([stopped(100, None)]) == 0
