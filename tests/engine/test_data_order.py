"""The order in which training images come, with images of rare classes more often."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from engine_runs import STEPS, Runs, events_of

from core.training.run import events as ev


def sampler(factors: Any, total: int, rank: int = 0, world: int = 1) -> Any:
    from core.training.worker.data.order import EpochSampler

    return EpochSampler(len(factors), total, 7, rank, world, factors)


def images_of(draws: Any) -> list[int]:
    return [draw.image for draw in draws]


def test_every_epoch_shows_images_as_often_as_their_factors() -> None:
    np = pytest.importorskip("numpy")
    factors = np.array([1.0] * 8 + [2.5] * 4)
    one = sampler(factors, 18)
    first = images_of(one)
    counts = Counter(first)
    assert sorted(counts) == list(range(12))
    assert len(first) == len(one) == 18
    assert all(counts[at] == 1 for at in range(8))
    assert {counts[at] for at in range(8, 12)} == {2, 3}
    assert images_of(one) == first
    one.set_epoch(1)
    assert images_of(one) != first
    # A run that resumes within an epoch sees the rest of it.
    again = sampler(factors, 18)
    again.start_at(0, 5)
    assert images_of(again) == first[5:]
    # Two ranks share the epoch out.
    halves = [images_of(sampler(factors, 18, rank, 2)) for rank in (0, 1)]
    assert [image for pair in zip(*halves, strict=True) for image in pair] == first


def test_an_epoch_is_longer_by_what_is_repeated(runs: Runs) -> None:
    run = runs.make("balanced", balance=1.0, epochs=1, patience=0)
    assert runs.train(run) == 0, (run / "train.log").read_text()[-3000:]
    started = next(event for event in events_of(run) if isinstance(event, ev.Started))
    assert started.steps_per_epoch > STEPS
    steps = [event for event in events_of(run) if isinstance(event, ev.Step)]
    assert len(steps) == started.steps_per_epoch
