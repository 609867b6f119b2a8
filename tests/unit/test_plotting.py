"""The painter: what stands in which cell."""

from __future__ import annotations

import numpy as np
import pytest

from core.plots import ticks
from core.plots.braille import pack, raster
from core.plots.chart import Chart, Curve, Ink, Mark, Picture, zoom
from core.plots.paint import paint
from core.plots.thin_and_smooth import Spans, spans


def text_of(picture: Picture) -> str:
    """The picture without its inks, one line a row."""
    rows = range(len(picture.chars))
    return "\n".join("".join(run[0] for run in picture.runs(row)) for row in rows)


def line(size: int = 100) -> Curve:
    x = np.arange(size, dtype=np.float64)
    return Curve("loss", x, np.linspace(1.0, 0.2, size))


def test_braille_bits_follow_unicode() -> None:
    pixels = np.zeros((4, 2), dtype=bool)
    pixels[0, 0] = pixels[3, 1] = True
    assert pack(pixels).tolist() == [[0x01 | 0x80]]
    assert pack(np.ones((4, 2), dtype=bool)).tolist() == [[0xFF]]


def test_raster_fills_from_low_to_high_and_hides_what_is_outside() -> None:
    nan = np.nan
    curve = Spans(
        np.array([0.0, 5.0, nan, 20.0, -np.inf]),
        np.array([10.0, 5.0, nan, 30.0, 5.0]),
        np.ones(5, bool),
    )
    pixels = raster(curve, 0, 10, 11)
    assert pixels[:, 0].all()
    assert pixels[:, 1].sum() == 1
    assert pixels[5, 1]
    assert not pixels[:, 2].any()
    assert not pixels[:, 3].any()
    assert pixels[5:, 4].all()


def test_a_curve_has_a_dot_in_every_column_and_falls() -> None:
    picture = paint(Chart((line(),)), 60, 12)
    area = picture.inks[: picture.rows, picture.left :] == Ink.CURVE
    assert area.any(axis=0).all()
    top = area.argmax(axis=0)
    assert (np.diff(top) >= 0).all()
    assert top[0] < top[-1]


def test_a_spike_reaches_the_top() -> None:
    x = np.arange(1_000_000, dtype=np.float64)
    y = np.full(x.size, 0.5)
    y[123_456] = 40.0
    picture = paint(Chart((Curve("loss", x, y),)), 120, 40)
    column = picture.column_of(123_456)
    assert column is not None
    stroke = (picture.inks[: picture.rows, column] == Ink.CURVE).sum()
    assert stroke >= picture.rows - 3


def loss(size: int = 5000) -> Curve:
    """A falling, noisy loss from 9 to 1.3."""
    x = np.arange(size, dtype=np.float64)
    noise = np.random.default_rng(1).normal(0, 0.15, size)
    return Curve("loss", x, 8 * np.exp(-x / size * 12) + 1.3 + noise)


def test_a_spike_is_cut_where_it_would_flatten_the_rest_and_says_how_high_it_goes() -> None:
    curve = loss()
    curve.y[2500], curve.y[4000] = 40.0, 25.0
    whole = paint(Chart((curve,)), 60, 14)
    picture = paint(Chart((curve,), crop=True), 60, 14)
    assert whole.high > 40
    assert 8 < picture.high < 11, "the fall at the beginning is still whole"
    top = text_of(picture).split("\n")[0]
    assert "↑40" in top
    assert "↑25" in top
    column = picture.column_of(2500)
    assert column is not None
    assert top.index("↑40") - column in (-1, 0, 1)
    seen = picture.inks[: picture.rows, column - 1 : column + 2] == Ink.CURVE
    assert seen.any(axis=1).sum() > picture.rows * 0.7, "its line still leads there"


@pytest.mark.parametrize("at", [0, 120, 233, 239])
def test_a_cut_spike_and_its_value_stand_whole_in_the_picture(at: int) -> None:
    curve = loss(240)
    curve.y[at] = 1234.0
    text = text_of(paint(Chart((curve,), crop=True), 60, 14))
    # The newest value may be the way the curve goes on: it is never cut.
    assert ("↑1234" in text or "1234↑" in text) == (at != 239)


def test_what_is_no_short_spike_is_not_cut() -> None:
    falling, wide, few = loss(), loss(), loss(20)
    wide.y[2000:2600] = 40.0
    few.y[10] = 40.0
    rising = Curve("loss", falling.x, falling.y[::-1].copy())
    short = Curve("other", falling.x[:200], np.full(200, 90.0))
    for curves in ((falling,), (wide,), (few,), (rising,), (falling, short)):
        whole, cropped = (paint(Chart(curves, crop=crop), 60, 14) for crop in (False, True))
        assert (cropped.low, cropped.high) == (whole.low, whole.high)
        assert "↑" not in text_of(cropped)


def test_a_logarithmic_axis_has_room_for_spikes() -> None:
    curve = loss()
    curve.y[2500] = 40.0
    assert "↑" not in text_of(paint(Chart((curve,), crop=True, log=True), 60, 14))


def test_axes_are_labelled_and_marks_stand_on_them() -> None:
    chart = Chart(
        (line(),), (Mark(50, "warning", "loss is NaN"), Mark(80, "best", "epoch 3")), floor=0
    )
    rows = text_of(paint(chart, 60, 12)).split("\n")
    assert rows[-1].split() == ["step", "0", "20", "40", "60", "80"]
    assert "▲" in rows[-2]
    assert "★" in rows[-2]
    assert rows[0].count("┊") == 1
    assert any(row.startswith(("  1.0┤", " 1.00┤")) for row in rows)


def test_log_axis_has_powers_of_ten() -> None:
    x = np.arange(50, dtype=np.float64)
    text = text_of(paint(Chart((Curve("loss", x, 10.0 ** -(x / 10)),), log=True), 60, 14))
    for label in ("1┤", "0.1┤", "0.01┤", "0.001┤"):
        assert label in text


@pytest.mark.parametrize("value", [0.0, 3.0, -2.5])
def test_a_constant_curve_is_drawn(value: float) -> None:
    picture = paint(Chart((Curve("c", np.arange(5.0), np.full(5, value)),)), 40, 10)
    assert (picture.inks == Ink.CURVE).any()


@pytest.mark.parametrize("size", [(0, 0), (1, 1), (11, 3), (12, 1), (14, 4), (300, 100)])
@pytest.mark.parametrize("points", [0, 1, 2, 500])
def test_any_size_can_be_painted(size: tuple[int, int], points: int) -> None:
    picture = paint(Chart((line(points),), log=points == 2), *size)
    assert picture.chars.shape == (size[1], size[0])
    assert all(len(row) == size[0] for row in text_of(picture).split("\n") if size[1])


def test_only_gaps_or_no_logarithm_leave_an_empty_plot() -> None:
    x = np.arange(5.0)
    for y, log in ((np.full(5, np.nan), False), (np.full(5, -1.0), True)):
        picture = paint(Chart((Curve("c", x, y),), log=log), 40, 10)
        assert not (picture.inks >= Ink.CURVE).any()


def test_markers_stand_on_sparse_points_only() -> None:
    few = Curve("mAP", np.arange(8.0), np.arange(8.0), markers=True)
    many = Curve("mAP", np.arange(500.0), np.arange(500.0), markers=True)
    assert text_of(paint(Chart((few,)), 60, 12)).count("●") == 8
    assert "●" not in text_of(paint(Chart((many,)), 60, 12))


def test_smoothing_draws_the_raw_curve_behind() -> None:
    rng = np.random.default_rng(0)
    x = np.arange(500.0)
    curve = Curve("loss", x, rng.normal(size=500), smoothed=np.zeros(500))
    picture = paint(Chart((curve,)), 60, 12)
    assert (picture.inks == Ink.RAW).any()
    drawn = (picture.inks[:, picture.left :] == Ink.CURVE).any(axis=0)
    assert drawn.all(), "the smoothed curve is never covered by its shadow"


def test_runs_join_to_the_rows() -> None:
    picture = paint(Chart((line(),)), 60, 12)
    for row in range(12):
        runs = picture.runs(row)
        assert "".join(run[0] for run in runs) == text_of(picture).split("\n")[row]
        assert next(run[2] for run in runs) == 0


def test_zoom_stays_inside_and_ends_at_everything() -> None:
    extent = (0.0, 100.0)
    assert zoom((0, 100), 0.5, 100, extent, 1) == (50, 100)
    assert zoom((50, 100), 0.5, 60, extent, 1) == (55, 80)
    assert zoom((55, 80), 2, 60, extent, 1) == (50, 100)
    assert zoom((90, 100), 4, 95, extent, 1) == (60, 100)
    assert zoom((50, 100), 2, 60, extent, 1) is None
    assert zoom((50, 52), 0.1, 51, extent, 1) == (50.5, 51.5)


def test_ticks_are_round_and_few() -> None:
    assert ticks.linear_ticks(0.03, 0.97, 6) == [0.2, 0.4, 0.6, 0.8]
    assert ticks.whole_ticks(0, 3, 9) == [0, 1, 2, 3]
    assert ticks.time_ticks(0, 5400, 5) == [0, 1800, 3600, 5400]
    assert ticks.linear_ticks(2.0, 2.0, 5) == [2.0]
    rng = np.random.default_rng(5)
    for _ in range(500):
        low = float(rng.normal() * 10.0 ** rng.integers(-6, 9))
        high = low + float(abs(rng.normal()) * 10.0 ** rng.integers(-5, 9)) + 1e-9 * abs(low)
        found = ticks.linear_ticks(low, high, 6)
        slack = (high - low) * 1e-6
        assert len(found) <= 6
        assert all(low - slack <= v <= high + slack for v in found)
        assert len(set(found)) == len(found)


def test_log_ticks_of_a_narrow_range_are_still_two() -> None:
    assert len(ticks.log_ticks(0.01, 0.2, 6)) >= 2
    assert ticks.log_ticks(-3, 2, 6) == [-3, -2, -1, 0, 1, 2]
    assert len(ticks.log_ticks(-12, 12, 5)) <= 5


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.53121, "0.5312"),
        (12345.0, "12.35k"),
        (1234.5, "1234"),
        (3.1e-5, "3.1e-5"),
        (1e-4, "1e-4"),
        (2_500_000.0, "2.5M"),
        (0.0, "0"),
        (float("nan"), "–"),
        (float("-inf"), "-∞"),
        (-0.25, "-0.25"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert ticks.number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(45, "0:45"), (200, "3:20"), (3723, "1:02:03"), (187200, "2d 4h"), (-5, "-0:05")],
)
def test_clock(seconds: float, text: str) -> None:
    assert ticks.clock(seconds) == text


def test_spans_line_up_with_the_pixels_that_are_painted() -> None:
    x = np.arange(10_000, dtype=np.float64)
    y = np.where(x < 5000, 0.0, 1.0)
    curve = spans(x, y, 0, 9999, 100)
    pixels = raster(curve, 0, 1, 8)
    assert pixels[-1, :50].all()
    assert pixels[0, 50:].all()
    assert not pixels[0, :49].any()
