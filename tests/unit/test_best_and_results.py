"""`results.json` and `best.pth` never speak of different epochs, wherever a kill comes."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.training.config.options import TrainingConfig
from core.training.run import checkpoints
from core.training.run.overwrite_guard import reached
from core.training.run.results import RESULTS_FILE, write_results
from core.training.run.run import CONFIG_FILE, Run
from core.training.run.summary import best_of


def record(epoch: int, value: float) -> dict[str, Any]:
    return {"epoch": epoch, "map50_95": value, "map50": value}


def tell(run: Path, epoch: int, value: float) -> None:
    """Write the results of a session whose best epoch that was."""
    write_results(
        run, TrainingConfig(model="tiny"), state="stopped", reason="SIGTERM", epoch=epoch, step=1,
        seconds=1.0, history=[record(epoch, value)], best_epoch=epoch, batch={}, device="cpu",
    )  # fmt: skip


def model(run: Path, epoch: int, value: float) -> None:
    said = {"epoch": epoch, "worth": {"map": value}, "record": record(epoch, value)}
    content = {"model": {}, checkpoints.STATE_KEY: said}
    checkpoints.save_checkpoint(content, run / checkpoints.BEST)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that was stopped: its best model and its results are of epoch 2."""
    pytest.importorskip("torch")
    TrainingConfig(model="tiny").save(tmp_path / CONFIG_FILE)
    model(tmp_path, 2, 0.5)
    tell(tmp_path, 2, 0.5)
    return tmp_path


class KillAt:
    """Kills this process at the n-th of the calls that change what is on the disk."""

    def __init__(self, number: int) -> None:
        self.left = number
        for owner, name in ((os, "replace"), (os, "rename"), (os, "unlink"), (os, "fsync")):
            setattr(owner, name, self.counted(getattr(owner, name)))

    def counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*args: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **named)

        return counting


def killed_at_each_call(work: Callable[[], None], again: Callable[[], None]) -> Iterator[int]:
    """Do `work` in processes that are killed at the first, second … call, until one comes through.

    Yields after each; `again` makes the folder what it was.
    """
    for number in range(100):
        again()
        child = os.fork()
        if not child:
            KillAt(number)
            try:
                work()
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        yield number
        if os.WIFEXITED(status):
            return
    raise AssertionError("it never came through")


class FakeTrainer:
    global_step = 7
    callbacks = ()


def test_a_new_best_model_killed_at_any_point(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resumed run finds a better model in epoch 3, and is killed somewhere on the way."""
    from core.training.worker import checkpoint_writer

    monkeypatch.setattr(checkpoint_writer, "best_content", lambda *_: {"model": {}})

    def find_better() -> None:
        files = checkpoint_writer.CheckpointFiles(run, keep=1, images=None)
        better = record(3, 0.6)
        files.save_best(FakeTrainer(), None, 3, {"map": 0.6}, better)  # type: ignore[arg-type]
        tell(run, 3, 0.6)

    def as_it_was() -> None:
        model(run, 2, 0.5)
        tell(run, 2, 0.5)

    seen = []
    for _ in killed_at_each_call(find_better, as_it_was):
        said = checkpoints.read_best(run / checkpoints.BEST)
        assert said is not None
        results = run / RESULTS_FILE
        written = json.loads(results.read_text())["best_epoch"] if results.exists() else None
        assert written in (said.epoch, None)
        assert best_of(results, []).epoch in (said.epoch, None)
        at = reached(run, 3).map50_95
        assert at == {2: 0.5, 3: 0.6}[said.epoch]
        seen.append((said.epoch, written))
    # Each of the states was met: the old pair, none of the results, and the new pair.
    assert {(2, 2), (2, None), (3, None), (3, 3)} <= set(seen)


def test_a_copy_of_two_moments_is_read_by_its_model(run: Path) -> None:
    """A run that was copied while it trained: older results beside a newer model."""
    model(run, 5, 0.7)
    old = run.joinpath(RESULTS_FILE).stat().st_mtime_ns - 10**9
    os.utime(run / RESULTS_FILE, ns=(old, old))
    summary = Run(run).summary()
    assert (summary.best_epoch, summary.best_map50_95) == (5, 0.7)
    assert reached(run, 5).map50_95 == 0.7

    from core.evaluation.evaluate import _trained
    from core.export.facts import training_of

    assert _trained(run) == 0.7
    assert training_of(run / checkpoints.BEST)["best_epoch"] == 5
    assert training_of(run / checkpoints.BEST)["metrics"]["map50_95"] == 0.7


def test_what_a_model_says_is_read_without_torch(run: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from core.training.run.checkpoints import read_best;"
        "best = read_best(Path(sys.argv[1])); assert 'torch' not in sys.modules;"
        "print(best.epoch, best.worth, best.record['map50'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(run / checkpoints.BEST)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split("\n")[0] == "2 {'map': 0.5} 0.5"


def test_patience_counts_epochs_where_not_each_is_validated(tmp_path: Path) -> None:
    recorder = pytest.importorskip("core.training.worker.recorder")
    from types import SimpleNamespace

    from core.training.config.effective_batch import Batching

    config = TrainingConfig(model="tiny", epochs=8, eval_interval=3, patience=5)
    evaluation: Any = SimpleNamespace(per_class=[])
    stop: Any = SimpleNamespace(reason=None)
    run = recorder.RunRecorder(
        tmp_path, config, Batching(1, 1, 1), stop, lambda _: None, evaluation=evaluation
    )
    trainer: Any = SimpleNamespace(current_epoch=2, global_step=3, world_size=1)
    for epoch, value, behind, over in ((3, 0.5, 0, False), (6, 0.4, 3, False), (8, 0.3, 6, True)):
        trainer.current_epoch = epoch - 1
        trainer.callback_metrics = {"val/mAP_50_95": value, "val/mAP_50": value}
        run.on_validation_end(trainer, None)
        assert run.state.since_best == behind
        assert run._out_of_patience(trainer) is over
    # After the last epoch there is a validation, whatever the interval.
    run._meter = SimpleNamespace(begin=lambda: None)
    for epoch, interval in ((7, 3), (8, 1)):
        trainer.check_val_every_n_epoch, trainer.current_epoch = 3, epoch - 1
        run.on_train_epoch_start(trainer, None)
        assert trainer.check_val_every_n_epoch == interval
