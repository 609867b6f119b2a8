"""The watchdog: silent on a run that goes well, one sentence for each thing that goes wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.common.errors import RunError
from core.training.config.command_line import resume_line
from core.training.config.effective_batch import Batching
from core.training.config.options import DatasetInfo, TrainingConfig
from core.training.run import disk_space
from core.training.run.events import Epoch, Event, Started, Step, Validation, Warning_
from core.training.warnings.failures import Diverged
from core.training.warnings.stall import PAUSE_S, SHORTEST_S, StallWatch, Ticker, stalled
from core.training.warnings.training_problems import STARVED_STEPS, Watchdog, imbalance

# Epochs of the tiny model on 64 pictures of shapes, as it wrote them:
# training loss, validation loss, mAP50-95, mAP50.
SHAPES: list[tuple[float, float, float, float]] = [
    (13.469, 11.179, 0.0, 0.0), (9.653, 6.551, 0.156, 0.56), (15.182, 8.108, 0.001, 0.006),
    (5.225, 5.636, 0.169, 0.443), (4.396, 3.7, 0.24, 0.684), (3.441, 2.912, 0.272, 0.905),
    (3.317, 2.812, 0.29, 0.88), (2.725, 2.482, 0.335, 0.887), (2.564, 2.484, 0.349, 0.867),
    (2.592, 2.562, 0.351, 0.852), (2.453, 2.492, 0.348, 0.848), (2.374, 2.425, 0.349, 0.858),
]  # fmt: skip

PROJECT = Path("/data/projects/cells")


def config(**values: Any) -> TrainingConfig:
    return TrainingConfig(**{"project": PROJECT, "model": "base", "epochs": 20, **values})


def epochs(curve: Sequence[tuple[float | None, float | None, float, float]]) -> list[Event]:
    found: list[Event] = []
    for number, (train, valid, map50_95, map50) in enumerate(curve, 1):
        found.append(
            Validation(
                epoch=number, step=8 * number, map50_95=map50_95, map50=map50, map75=0.0,
                precision=0.0, recall=0.0, f1=0.0, loss=valid,
            )
        )  # fmt: skip
        found.append(Epoch(epoch=number, step=8 * number, train_loss=train, seconds=1.0))
    return found


def step(number: int, loss: float | None = 1.0, data: float = 0.01, epoch: int = 1) -> Step:
    return Step(
        epoch=epoch, step=number, loss=loss, lr=1e-4, images_per_s=8.0, step_s=0.2, data_s=data
    )


def warnings(
    events: Sequence[Event], settings: TrainingConfig | None = None, **options: Any
) -> list[Warning_]:
    dog = Watchdog(settings or config(), Path("/w/runs/r1"), **options)  # type: ignore[arg-type]
    return [warning for event in events for warning in dog.see(event)]


def test_a_run_that_learns_is_left_in_peace() -> None:
    """Also when it goes on for as long again at the loss and the mAP that it has reached."""
    tiny = config(model="tiny", epochs=len(SHAPES))
    assert warnings(epochs(SHAPES), tiny) == []
    assert warnings(epochs([*SHAPES, *SHAPES[-4:] * 3]), tiny) == []
    steps = [step(n, epoch=1 + n // 8) for n in range(1, 200)]
    assert warnings(steps, tiny) == []


def test_a_fine_tuned_model_that_was_good_already_is_left_in_peace() -> None:
    assert warnings(epochs([(4.0, 4.1, 0.62, 0.81)] * 20)) == []


def test_a_loss_that_does_not_fall_is_told_once_with_another_rate() -> None:
    flat = [(12.0 + 0.1 * (n % 3), 12.0, 0.0, 0.001) for n in range(19)]
    (warning,) = warnings(epochs(flat), config(lr=1e-2))
    assert (warning.code, warning.epoch) == ("loss-flat", 6)
    assert warning.command == (
        "batman train --project /data/projects/cells --model base --epochs 20 --lr 0.0001"
    )
    (warning,) = warnings(epochs(flat))
    assert "--lr 0.0005" in str(warning.command)


def test_the_warm_up_does_not_count_for_a_flat_loss() -> None:
    curve = [(12.0, 12.0, 0.0, 0.0)] * 6 + [(12.0 - n, 12.0 - n, 0.0, 0.0) for n in range(6)]
    assert [w.code for w in warnings(epochs(curve))] == ["loss-flat"]
    assert warnings(epochs(curve), config(warmup_epochs=5.0)) == []


def over_fitting(valid_grows: bool = True, map_falls: bool = True) -> list[Event]:
    curve = []
    for n in range(16):
        late = max(0, n - 6)
        curve.append(
            (
                10.0 - 0.4 * n,
                8.0 + (0.3 * late if valid_grows else 0.0),
                0.05 * min(n, 6) + 0.1 - (0.02 * late if map_falls else -0.001 * late),
                0.5,
            )
        )
    return epochs(curve)


def test_over_fitting_needs_both_a_worse_loss_and_a_worse_map() -> None:
    (warning,) = warnings(over_fitting())
    assert warning.code == "over-fitting"
    assert "0.400 in epoch 7" in warning.message
    assert "--lr 5e-05" in str(warning.command) or "--lr 0.00005" in str(warning.command)
    (warning,) = warnings(over_fitting(), config(model="large"))
    assert "--model base" in str(warning.command)
    assert warnings(over_fitting(valid_grows=False)) == []
    assert warnings(over_fitting(map_falls=False)) == []


def test_over_fitting_goes_by_map_where_no_validation_loss_is_known() -> None:
    curve = [(10.0 - 0.4 * n, None, 0.4 - 0.02 * n, 0.5) for n in range(10)]
    assert [w.code for w in warnings(epochs(curve))] == ["over-fitting"]


def test_under_fitting_waits_for_half_of_the_epochs_and_a_loss_at_rest() -> None:
    curve = [(12.0 - min(n, 5), 12.0, 0.01, 0.05) for n in range(30)]
    (warning,) = warnings(epochs(curve), config(epochs=40))
    assert (warning.code, warning.epoch) == ("under-fitting", 20)
    assert "--model large" in str(warning.command)
    (warning,) = warnings(epochs(curve), config(model="large", epochs=30))
    assert "--epochs 60" in str(warning.command)
    learning = [(12.0 * 0.97**n, 12.0, 0.01, 0.05) for n in range(30)]
    assert warnings(epochs(learning), config(epochs=40)) == []


def test_a_resumed_run_is_judged_as_a_whole_and_told_nothing_twice() -> None:
    events = over_fitting()
    dog = Watchdog(config(), Path("r"))
    history = []
    for event in events[:20]:
        dog.see(event)
        if isinstance(event, Validation):
            record = {"epoch": event.epoch, "map50_95": event.map50_95, "map50": event.map50}
            history.append({**record, "val_loss": event.loss, "loss": 10.4 - 0.4 * event.epoch})
    assert [w.code for w in warnings(events[20:28], history=history)] == ["over-fitting"]
    assert warnings(events[20:28], history=history, told=["over-fitting"]) == []
    assert warnings(events[20:28]) == []  # on its own the rest shows nothing


def dataset(**counts: int) -> DatasetInfo:
    return DatasetInfo(
        dir=Path("d"), fingerprint="f", class_names=list(counts), images={}, annotations={},
        per_class={"train": counts},
    )  # fmt: skip


def started() -> Started:
    return Started(
        run="r", pid=1, host="h", model="base", epochs=9, epoch=0, step=0, steps_per_epoch=5,
        batch_size=8, grad_accum=1, effective_batch=8, image_size=640, classes=[], device="cpu",
    )  # fmt: skip


def test_rare_classes_are_told_at_the_start() -> None:
    settings = config(dataset=dataset(car=2000, bike=99, tram=3, ship=0))
    (warning,) = warnings([started(), started()], settings)
    assert warning.code == "class-imbalance"
    assert "'tram' 3, 'bike' 99 against 'car' 2,000" in warning.message
    assert "--filter-classes 'tram|bike'" in str(warning.command)
    assert "--epochs 100" in str(warning.command)
    # The blood cells' own counts.
    assert imbalance(dataset(RBC=2909, WBC=260, Platelets=243)) is None
    assert imbalance(dataset(one=5)) is None
    assert imbalance(dataset(car=2000, ship=0)) is None


def test_steps_that_wait_for_images_are_told_of() -> None:
    slow = [step(n, data=0.15) for n in range(1, 3 * STARVED_STEPS)]
    (warning,) = warnings(slow, config(workers=2))
    assert (warning.code, warning.step) == ("data-starved", STARVED_STEPS + 1)
    assert "75%" in warning.message
    assert warning.command == "batman train --resume r1 --workers 4"
    assert warnings([step(n, data=0.09) for n in range(1, 200)]) == []
    # An epoch's first step waits for the loader's processes: that is no starvation.
    first = [step(n, epoch=n, data=0.19) for n in range(1, 200)]
    assert warnings(first) == []


def test_a_loss_that_is_no_number_warns_in_each_episode_and_then_ends() -> None:
    losses = [1.0, None, None, 1.0, None, 1.0]
    found = warnings([step(n, loss) for n, loss in enumerate(losses, 1)])
    assert [(w.code, w.step) for w in found] == [("nan-loss", 2), ("nan-loss", 5)]
    assert found[0].command == "batman train --resume r1 --lr 3e-05"
    with pytest.raises(Diverged, match="3 steps"):
        warnings([step(n, None) for n in range(1, 4)])


def test_a_step_costs_the_watchdog_next_to_nothing() -> None:
    dog = Watchdog(config(), Path("r"))
    stall = StallWatch(0.0)
    events = [step(n) for n in range(5000)]
    best = 1.0
    for _ in range(3):  # the machine may be busy: the best of three counts
        begun = time.perf_counter()
        for number, event in enumerate(events):
            dog.see(event)
            stall.beat(float(number), step=True)
        best = min(best, (time.perf_counter() - begun) / len(events))
    assert best < 1e-4


def test_a_stall_is_far_longer_than_usual_and_told_once_an_episode() -> None:
    watch = StallWatch(0.0)
    for second in range(0, 100, 5):
        watch.beat(float(second), step=True)
    assert watch.check(95.0 + 99.0) is None  # twenty times five
    assert watch.check(95.0 + 101.0) == 101.0
    assert watch.check(95.0 + 500.0) is None
    watch.beat(700.0, step=True)
    assert watch.check(790.0) is None
    assert watch.check(900.0) == 200.0


def test_fast_steps_have_a_minute_and_a_validation_its_own_time() -> None:
    watch = StallWatch(0.0)
    assert watch.check(PAUSE_S - 1) is None  # the first step may compile, fetch, load
    for tenth in range(50):
        watch.beat(tenth / 10, step=True)
    assert watch.check(4.9 + SHORTEST_S - 1) is None
    assert watch.check(4.9 + SHORTEST_S + 1) is not None
    watch.beat(70.0, step=False)
    assert watch.check(70.0 + PAUSE_S - 1) is None
    watch.beat(70.0 + 500.0, step=False)
    assert watch.check(570.0 + 1400.0) is None  # it once took 500 seconds
    assert watch.check(570.0 + 1600.0) == 1600.0


def test_a_stall_comes_with_a_smaller_batch() -> None:
    warning = stalled(Batching(8, 2), Path("/w/runs/r1"), 125.0, 40)
    assert "2m 05s, since step 40" in warning.message
    assert warning.command == "batman train --resume r1 --batch-size 4 --grad-accum 4"
    assert stalled(Batching(1, 8), Path("/w/runs/r1"), 125.0, 40).command is None
    assert resume_line(Path("/w/my runs/a b")) == "batman train --resume '/w/my runs/a b'"


def test_the_clock_looks_until_it_is_closed() -> None:
    seen = threading.Event()
    looks: list[int] = []

    def look() -> None:
        looks.append(1)
        if len(looks) == 2:
            seen.set()
        raise OSError("a full disk does not end it")

    clock = Ticker(look, 0.001)
    assert seen.wait(10)
    clock.close()
    count = len(looks)
    assert not any(thread.name == "batman-watch" for thread in threading.enumerate())
    assert count >= 2


def test_the_size_of_checkpoints_is_known_before_they_are_written() -> None:
    # rfdetr's own files of Nano: 480 MB with everything, 120 MB of weights.
    nano = disk_space.checkpoint_sizes(config(model="nano", epochs=50, keep_checkpoints=3))
    assert nano.last == pytest.approx(480e6, rel=0.03)
    assert nano.best == pytest.approx(120e6, rel=0.03)
    assert nano.kept == 3
    assert nano.most == 2 * (nano.last + nano.best) + 3 * nano.last
    # Measured on a run of the engine's tests.
    tiny = disk_space.checkpoint_sizes(TrainingConfig(model="tiny", ema=True))
    assert tiny.last == pytest.approx(50_989_837, rel=0.03)
    assert tiny.best == pytest.approx(12_749_427, rel=0.03)
    assert disk_space.checkpoint_sizes(config(epochs=50, keep_checkpoints=0)).kept == 5
    assert "488.0 MB" in nano.sentence()


def test_a_disk_that_cannot_hold_one_checkpoint_refuses_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 400_000_000

    def usage(_path: Path) -> SimpleNamespace:
        return SimpleNamespace(free=free)

    monkeypatch.setattr("core.training.run.disk_space.shutil.disk_usage", usage)
    disk_space.require_room(TrainingConfig(model="tiny"), tmp_path)
    with pytest.raises(RunError, match=r"400\.0 MB free, and the first checkpoints of base"):
        disk_space.require_room(TrainingConfig(model="base"), tmp_path)
    assert disk_space.low_disk(tmp_path, 0) is not None
    free = 600_000_000
    assert disk_space.low_disk(tmp_path, 0) is None
    assert "207.0 MB" in str(disk_space.low_disk(tmp_path, 207_000_000))
