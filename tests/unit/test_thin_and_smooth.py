"""Decimation and smoothing against the plain loops they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from core.plots.thin_and_smooth import Smoother, as_curve, ema, nearest, recurrence, spans


def brute_force(x, y, x0, x1, columns):
    """Smallest and largest value of the points in each column, by a loop."""
    low, high = np.full(columns, np.nan), np.full(columns, np.nan)
    for px, py in zip(x, y, strict=True):
        if not x0 <= px <= x1 or np.isnan(py):
            continue
        column = min(int((px - x0) / (x1 - x0) * columns), columns - 1)
        low[column] = np.fmin(low[column], py)
        high[column] = np.fmax(high[column], py)
    return low, high


def test_every_column_covers_its_points() -> None:
    rng = np.random.default_rng(1)
    for size, columns in ((1000, 64), (50, 64), (64, 64), (7, 200), (1, 10)):
        x = np.sort(rng.uniform(0, 100, size))
        y = rng.normal(size=size)
        found = spans(x, y, 0, 100, columns)
        low, high = brute_force(x, y, 0, 100, columns)
        has = ~np.isnan(low)
        assert (found.low[has] <= low[has]).all()
        assert (found.high[has] >= high[has]).all()
        assert np.array_equal(found.filled, has)


def test_a_single_spike_in_a_million_points_stays() -> None:
    x = np.arange(1_000_000, dtype=np.float64)
    y = np.zeros_like(x)
    y[777_777] = 9.0
    found = spans(x, y, 0, 999_999, 200)
    assert np.nanmax(found.high) == 9.0
    assert int(np.nanargmax(found.high)) == 777_777 * 200 // 1_000_000
    # One column only: joining to the neighbours must not widen it to a plateau.
    assert (found.high > 4.6).sum() == 1


def test_neighbouring_columns_touch() -> None:
    x = np.linspace(0, 10, 5000)
    y = np.sin(x * 3) * 10
    found = spans(x, y, 0, 10, 60)
    touching = (found.low[1:] <= found.high[:-1] + 1e-9) & (found.high[1:] >= found.low[:-1] - 1e-9)
    assert touching.all()


def test_a_line_between_few_points_is_straight() -> None:
    found = spans(np.array([0.0, 10.0]), np.array([0.0, 10.0]), 0, 10, 100)
    middle = (found.low + found.high) / 2
    assert not np.isnan(middle).any()
    assert np.abs(np.diff(middle)).max() < 0.2


def test_nan_is_a_gap() -> None:
    x = np.arange(30, dtype=np.float64)
    y = np.ones(30)
    y[10:20] = np.nan
    found = spans(x, y, 0, 29, 30)
    assert np.isnan(found.high[11:19]).all()
    assert not np.isnan(found.high[:10]).any()
    assert not np.isnan(found.high[20:]).any()


def test_one_nan_between_sparse_points_is_a_gap() -> None:
    found = spans(np.array([0.0, 5.0, 10.0]), np.array([1.0, np.nan, 1.0]), 0, 10, 50)
    assert np.isnan(found.high[1:-1]).all()
    assert found.high[0] == found.high[-1] == 1.0


def test_a_line_leaving_the_window_is_drawn_to_its_edge() -> None:
    found = spans(np.array([0.0, 100.0]), np.array([0.0, 100.0]), 40, 60, 20)
    assert not np.isnan(found.low).any()
    assert not found.filled.any()
    assert 40 <= found.low[0] <= 42
    assert 58 <= found.high[-1] <= 60


def test_log_joins_and_leaves_out_what_has_no_logarithm() -> None:
    x = np.arange(4, dtype=np.float64)
    found = spans(x, np.array([1.0, 10.0, 0.0, 1000.0]), 0, 4, 4, log=True)
    assert found.high[1] == 1.0
    assert np.isnan(found.high[2])
    assert found.high[3] == 3.0
    both = spans(np.array([0.0, 0.1]), np.array([-1.0, 10.0]), 0, 1, 1, log=True)
    assert both.low[0] == -np.inf
    assert both.high[0] == 1.0


def test_nothing_to_draw() -> None:
    nothing = np.empty(0)
    assert spans(nothing, nothing, 0, 1, 10).bounds() is None
    assert spans(np.ones(3), np.ones(3), 5, 5, 10).bounds() is None
    assert nearest(nothing, 3.0) is None


def test_as_curve_sorts_and_turns_infinity_into_a_gap() -> None:
    x, y = as_curve([3, 1, 2, np.nan], [30, 10, np.inf, 5])
    assert x.tolist() == [1, 2, 3]
    assert y[0] == 10
    assert np.isnan(y[1])
    assert y[2] == 30
    with pytest.raises(ValueError, match="holds 1 values"):
        as_curve([1], [1, 2])


def loop_ema(y, weight):
    state, count, out = 0.0, 0, []
    for value in y:
        if not np.isfinite(value):
            out.append(np.nan)
            continue
        count += 1
        state = weight * state + (1 - weight) * value
        out.append(state / (1 - weight**count))
    return np.array(out)


@pytest.mark.parametrize("weight", [0.0, 0.6, 0.97, 0.999])
@pytest.mark.parametrize("size", [1, 63, 64, 65, 5000])
def test_ema_equals_the_loop(weight: float, size: int) -> None:
    y = np.random.default_rng(2).normal(size=size)
    if size > 60:
        y[20:25] = np.nan
    assert np.allclose(ema(y, weight), loop_ema(y, weight), atol=1e-12, equal_nan=True)


def test_a_smoother_that_grows_equals_one_pass() -> None:
    y = np.random.default_rng(3).normal(size=3000)
    y[700] = np.nan
    smoother = Smoother(0.9)
    for size in (1, 2, 60, 701, 702, 2500, 3000):
        grown = smoother.update(y[:size])
    assert np.allclose(grown, loop_ema(y, 0.9), equal_nan=True)


def test_a_smoother_starts_again_when_the_past_changed() -> None:
    """A resumed run drops the steps that were lost, and writes other ones in their place."""
    first = np.arange(100.0)
    smoother = Smoother(0.9)
    before = smoother.update(first)
    kept = before.copy()
    other = np.concatenate((first[:50], first[:60] + 7))
    assert np.allclose(smoother.update(other), loop_ema(other, 0.9))
    assert np.array_equal(before, kept), "what was handed out must not change"
    assert np.allclose(smoother.update(first[:10]), loop_ema(first[:10], 0.9))


def test_recurrence_carries_its_start() -> None:
    v = np.ones(1000)
    assert recurrence(v, 0.5, start=8.0)[0] == 5.0
    assert np.isclose(recurrence(v, 0.5, start=8.0)[-1], 2.0)
