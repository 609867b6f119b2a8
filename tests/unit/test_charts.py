"""Charts and story of a run, from the events of one that was resumed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.plots.run_charts import (
    LOSS,
    LOSS_PARTS,
    MEASURES,
    ChartMaker,
    Options,
    beginning,
    marks,
    story,
)
from core.training.live.follow import RunFollower, RunSnapshot
from core.training.run.events import (
    Checkpoint,
    Event,
    Failed,
    Oom,
    Started,
    Step,
    Validation,
    Warning_,
    encode_event,
)

T0 = 1_700_000_000.0


def start(t: float, epoch: int = 0) -> Started:
    return Started(
        t=t, run="r", pid=1, host="h", model="nano", epochs=4, epoch=epoch, step=epoch * 10,
        steps_per_epoch=10, batch_size=4, grad_accum=1, effective_batch=4, image_size=384,
        classes=["a"], device="cpu",
    )  # fmt: skip


def steps(first: int, last: int, t: float) -> list[Event]:
    return [
        Step(
            t=t + n, epoch=1 + (n - 1) // 10, step=n, loss=1.0 / n, lr=1e-4, images_per_s=3.0,
            step_s=1.0, gpu_mem_mb=None, rss_mb=512.0,
        )
        for n in range(first, last + 1)
    ]  # fmt: skip


def validation(epoch: int, t: float, loss: float | None = None) -> Validation:
    return Validation(
        t=t, epoch=epoch, step=epoch * 10, map50_95=0.1 * epoch, map50=0.2 * epoch, map75=0.1,
        precision=0.5, recall=0.4, f1=0.44, loss=loss, best=True,
    )  # fmt: skip


@pytest.fixture
def resumed(tmp_path: Path) -> RunSnapshot:
    """Two epochs, ten minutes lost, then on from epoch 2 with less memory."""
    events: list[Event] = [
        start(T0),
        *steps(1, 10, T0 + 5),
        validation(1, T0 + 16, loss=2.0),
        Checkpoint(t=T0 + 17, epoch=1, step=10, file="checkpoint_last.pth", kind="last", bytes=1),
        *steps(11, 20, T0 + 20),
        validation(2, T0 + 41),
        Checkpoint(t=T0 + 42, epoch=2, step=20, file="best.pth", kind="best", bytes=1),
        *steps(21, 27, T0 + 42),
        Oom(
            t=T0 + 80, batch_size=4, grad_accum=1, new_batch_size=2, new_grad_accum=2, attempt=1,
            epoch=3, step=27,
        ),
        start(T0 + 600, epoch=2),
        Warning_(t=T0 + 610, code="x", message="odd\x1b[2J", hint="do", epoch=3, step=22),
        *steps(21, 24, T0 + 600),
        Failed(t=T0 + 700, kind="error", message="it broke", hint="mend it"),
    ]  # fmt: skip
    (tmp_path / "events.jsonl").write_bytes(b"".join(encode_event(event) for event in events))
    return RunFollower(tmp_path).poll()


def test_one_curve_whatever_the_axis(resumed: RunSnapshot) -> None:
    maker = ChartMaker()
    by_step = maker.chart(resumed, LOSS, Options("step", 0.0))
    assert by_step.curves[0].x.tolist() == list(range(1, 25))
    assert np.allclose(by_step.curves[0].y, 1 / np.arange(1, 25))
    by_epoch = maker.chart(resumed, LOSS, Options("epoch", 0.0))
    assert by_epoch.curves[0].x[9] == 1.0
    by_time = maker.chart(resumed, LOSS, Options("time", 0.0))
    assert by_time.curves[0].x[0] == 0.0, "a resumed run counts from its first step"
    assert (np.diff(by_time.curves[0].x) > 0).all()


def test_validation_loss_is_left_out_where_there_is_none(resumed: RunSnapshot) -> None:
    chart = ChartMaker().chart(resumed, LOSS, Options())
    valid = chart.curves[-1]
    assert valid.name == "valid"
    assert valid.markers
    assert valid.y[0] == 2.0
    assert np.isnan(valid.y[1])


def test_only_what_a_run_has_is_drawn(resumed: RunSnapshot) -> None:
    maker = ChartMaker()
    drawn = {m.key: [c.name for c in maker.chart(resumed, m, Options()).curves] for m in MEASURES}
    assert drawn["memory"] == ["process"]
    assert drawn["accuracy"] == ["50-95", "50", "75"]
    assert [c.name for c in maker.chart(resumed, LOSS_PARTS, Options()).curves] == ["loss", "valid"]
    memory = next(m for m in MEASURES if m.key == "memory")
    assert maker.chart(resumed, memory, Options()).curves[0].y[0] == pytest.approx(0.512)


def test_charts_of_a_run_share_their_axis(resumed: RunSnapshot) -> None:
    maker = ChartMaker()
    for axis in ("step", "epoch", "time"):
        spans = {maker.chart(resumed, m, Options(axis)).extent() for m in (LOSS, *MEASURES)}
        assert len(spans) == 1


def test_only_what_is_told_step_by_step_may_have_its_spikes_cut(resumed: RunSnapshot) -> None:
    maker, measures = ChartMaker(), {measure.key: measure for measure in MEASURES}
    assert maker.chart(resumed, LOSS, Options()).crop
    assert maker.chart(resumed, measures["speed"], Options()).crop
    for key in ("accuracy", "lr", "memory"):
        assert not maker.chart(resumed, measures[key], Options()).crop


def test_smoothing_leaves_the_learning_rate_alone(resumed: RunSnapshot) -> None:
    maker = ChartMaker()
    assert maker.chart(resumed, LOSS, Options("step", 0.9)).curves[0].smoothed is not None
    rate = next(m for m in MEASURES if m.key == "lr")
    assert maker.chart(resumed, rate, Options("step", 0.9)).curves[0].smoothed is None


def test_marks_and_story(resumed: RunSnapshot) -> None:
    kinds = {(mark.kind, mark.x) for mark in marks(resumed, "step")}
    assert kinds == {("best", 20.0), ("warning", 22.0), ("restart", 20.0), ("oom", 27.0)}
    told = story(resumed)
    assert [h.t for h in told] == sorted(h.t for h in told)
    assert told[-1].text == "failed: it broke"
    assert all("\x1b" not in h.text for h in told)
    assert any(h.kind == "restart" and "after step 20" in h.text for h in told)


def test_a_run_that_has_not_begun(tmp_path: Path) -> None:
    nothing = RunFollower(tmp_path).poll()
    maker = ChartMaker()
    for axis in ("step", "epoch", "time"):
        assert maker.chart(nothing, LOSS, Options(axis)).extent() is None
    assert story(nothing) == []
    assert beginning(nothing) == 0.0
