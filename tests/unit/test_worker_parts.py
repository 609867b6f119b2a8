"""The training process's parts that need no torch: what to resume, batches, failures, weights."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from installed import needs

from core.common.errors import ConfigError, RunError, WeightsMissing
from core.data.images.class_colours import class_colours
from core.training.config.effective_batch import Batching
from core.training.config.options import TrainingConfig
from core.training.launch import pretrained_weights
from core.training.run import checkpoints
from core.training.run.events import Started, Validation
from core.training.run.results import validation_record, write_results
from core.training.warnings.failures import Diverged, explain, is_oom
from core.training.worker.ranks import is_rank_zero, under_srun
from core.training.worker.stop import StopRequest
from core.training.worker.val_images import ValImages


def started(t: float) -> Started:
    return Started(
        t=t, run="r", pid=1, host="h", model="tiny", epochs=9, epoch=0, step=0, steps_per_epoch=5,
        batch_size=8, grad_accum=1, effective_batch=8, image_size=128, classes=[], device="cpu",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Batching(8, 1), Batching(4, 2)),
        (Batching(6, 2), Batching(3, 4)),
        (Batching(5, 1), Batching(1, 5)),
        (Batching(9, 1), Batching(3, 3)),
        (Batching(2, 3, world=4), Batching(1, 6, world=4)),
        (Batching(1, 8), None),
    ],
)
def test_a_smaller_batch_keeps_the_step(before: Batching, after: Batching | None) -> None:
    assert before.smaller() == after
    assert after is None or after.effective == before.effective


def test_a_config_resumes_once_and_then_its_own_checkpoint(tmp_path: Path) -> None:
    run, other = tmp_path / "run", tmp_path / "other"
    run.mkdir()
    other.mkdir()
    wanted = other / "checkpoint_epoch_25.pth"
    wanted.touch()
    config = TrainingConfig(model="tiny", resume=wanted)
    fresh = TrainingConfig(model="tiny")

    def choose(config: TrainingConfig, *starts: float) -> Path | None:
        return checkpoints.choose_resume(run, config, [started(t) for t in starts], 100.0)

    assert choose(fresh) is None
    assert choose(config) == wanted
    assert choose(config, 110.0) == wanted  # started, and lost before its first epoch
    own = run / "checkpoint_last.pth"
    own.touch()
    os.utime(own, (120.0, 120.0))
    assert choose(fresh) == own  # a job that the scheduler starts again
    assert choose(config, 110.0) == own
    assert choose(config, 90.0) == own  # a copied folder's config is newer than its training
    earlier = run / "checkpoint_epoch_4.pth"
    earlier.touch()
    own_config = TrainingConfig(model="tiny", resume=earlier)
    assert choose(own_config, 90.0) == earlier  # the config is newer: someone asks for it now
    assert choose(own_config, 110.0) == own
    assert choose(TrainingConfig(model="tiny", resume=run), 90.0) == own
    gone = TrainingConfig(model="tiny", resume=tmp_path / "gone.pth")
    assert choose(gone) == own, "what the run began from is needed no more"
    own.unlink()
    with pytest.raises(ConfigError, match="no checkpoint"):
        choose(gone)
    with pytest.raises(ConfigError, match=r"no checkpoint_last\.pth"):
        choose(TrainingConfig(model="tiny", resume=other))


def test_the_newest_periodic_checkpoints_are_kept(tmp_path: Path) -> None:
    for epoch in (2, 10, 9, 30):
        (tmp_path / checkpoints.periodic_name(epoch)).touch()
    (tmp_path / "checkpoint_epoch_mine.pth").touch()
    assert checkpoints.prune_periodic(tmp_path, 0) == []
    removed = checkpoints.prune_periodic(tmp_path, 2)
    assert [path.name for path in removed] == ["checkpoint_epoch_2.pth", "checkpoint_epoch_9.pth"]
    assert (tmp_path / "checkpoint_epoch_mine.pth").exists()
    assert (tmp_path / "checkpoint_epoch_30.pth").exists()


def test_a_periodic_copy_outlives_its_source_being_replaced(tmp_path: Path) -> None:
    source, target = tmp_path / "checkpoint_last.pth", tmp_path / "checkpoint_epoch_1.pth"
    source.write_bytes(b"one")
    assert checkpoints.duplicate(source, target) == 3
    newer = tmp_path / "new"
    newer.write_bytes(b"three")
    newer.replace(source)
    assert target.read_bytes() == b"one"
    (tmp_path / ".checkpoint_last.pth.77.tmp").touch()
    checkpoints.remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [target.name, source.name]


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (WeightsMissing("w", "h"), "weights"),
        (Diverged("d", "h"), "nan"),
        (ConfigError("c", "h"), "config"),
        (RunError("r", "h"), "run"),
        (OutOfMemoryError("CUDA out of memory"), "oom"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "oom"),
        (MemoryError(), "oom"),
        (ValueError("matrix contains invalid numeric entries"), "nan"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk"),
        (FileNotFoundError(errno.ENOENT, "No such file", "a.jpg"), "data"),
        (ImportError("no rfdetr"), "install"),
        (KeyError("x"), "error"),
    ],
)
def test_each_failure_has_a_kind_and_a_way_out(error: Exception, kind: str) -> None:
    failed = explain(error)
    assert failed.kind == kind
    assert failed.message
    assert failed.hint
    assert is_oom(error) == (kind == "oom")


def test_a_loader_process_that_was_killed_is_explained() -> None:
    failed = explain(RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error."))
    assert failed.kind == "workers"
    assert "--workers" in failed.hint


def test_a_failure_from_outside_cannot_write_to_the_terminal() -> None:
    assert "\x1b" not in explain(ValueError("bad \x1b[31mname\n")).message


def test_one_process_of_several_writes() -> None:
    assert is_rank_zero({})
    assert not is_rank_zero({"LOCAL_RANK": "1"})
    assert not is_rank_zero({"LOCAL_RANK": "0", "NODE_RANK": "1"})
    assert not is_rank_zero({"RANK": "3", "LOCAL_RANK": "0"})
    # sbatch without srun: one task, whatever else the job has.
    assert is_rank_zero({"SLURM_PROCID": "0", "SLURM_NTASKS": "1", "LOCAL_RANK": "0"})
    srun = {"SLURM_PROCID": "2", "SLURM_NTASKS": "4"}
    assert under_srun(srun)
    assert not is_rank_zero(srun)


def test_signals_ask_for_a_stop_and_the_first_counts() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGTERM)}
    interrupt = signal.getsignal(signal.SIGINT)
    stop = StopRequest()
    try:
        stop.listen()
        signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(signal.SIGTERM)
    finally:
        for number, handler in {**before, signal.SIGINT: interrupt}.items():
            signal.signal(number, handler)
    assert stop.reason == "SIGUSR1"


def test_weights_are_found_before_anything_heavy_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RF_HOME", str(tmp_path))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)

    def unreachable(*_args: object, **_options: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(socket, "create_connection", unreachable)
    assert pretrained_weights.start_weights(TrainingConfig(model="tiny")) is None
    assert pretrained_weights.start_weights(TrainingConfig(model="nano", from_scratch=True)) is None
    with pytest.raises(WeightsMissing, match=r"rf-detr-nano\.pth"):
        pretrained_weights.start_weights(TrainingConfig(model="nano"))
    (tmp_path / "rf-detr-nano.pth").touch()
    assert (
        pretrained_weights.start_weights(TrainingConfig(model="nano"))
        == tmp_path / "rf-detr-nano.pth"
    )
    own = tmp_path / "own.pth"
    with pytest.raises(WeightsMissing, match=r"own\.pth"):
        pretrained_weights.start_weights(TrainingConfig(model="nano", pretrained=own))
    own.touch()
    assert pretrained_weights.start_weights(TrainingConfig(model="nano", pretrained=own)) == own


def test_the_worker_starts_without_torch() -> None:
    code = (
        "import sys; import core.training.worker.main; "
        "print(sorted({'torch', 'rfdetr', 'pytorch_lightning'} & set(sys.modules)))"
    )
    root = str(Path(__file__).parents[2])
    out = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
    )
    assert out.stdout.strip() == "[]"


def test_results_name_best_and_final(tmp_path: Path) -> None:
    history = [
        validation_record(
            Validation(
                epoch=epoch, step=epoch * 5, map50_95=value, map50=value, map75=value,
                precision=value, recall=value, f1=value, per_class={"cell": value},
            ),
            train_loss=1.0 / epoch,
        )
        for epoch, value in ((1, 0.2), (2, 0.5), (3, 0.4))
    ]  # fmt: skip
    write_results(
        tmp_path, TrainingConfig(model="tiny"), state="finished", reason="epochs", epoch=3, step=15,
        seconds=12.34, history=history, best_epoch=2, batch={"batch_size": 8}, device="cpu",
    )  # fmt: skip
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["best"]["epoch"] == results["best_epoch"] == 2
    assert results["final"]["map50_95"] == 0.4
    assert results["best"]["per_class"] == {"cell": 0.5}
    assert results["duration_seconds"] == 12.3


class FakeTensor(list):
    def tolist(self) -> list:
        return list(self)


def test_pictures_show_truth_and_confident_predictions(tmp_path: Path) -> None:
    from PIL import Image

    valid = tmp_path / "valid"
    valid.mkdir()
    Image.new("RGB", (200, 100)).save(valid / "a.png")
    coco = {
        "images": [{"id": 7, "file_name": "a.png", "width": 200, "height": 100}],
        "categories": [{"id": 0, "name": "c\x1bell"}],
        "annotations": [{"image_id": 7, "category_id": 0, "bbox": [10, 10, 50, 50]}],
    }
    (valid / "_annotations.coco.json").write_text(json.dumps(coco))
    images = ValImages(tmp_path, class_colours(["cell"]), tmp_path / "out", 4)
    result = {
        "scores": FakeTensor([0.9, 0.1, 0.8]),
        "labels": FakeTensor([0, 0, 1]),  # the last is rfdetr's background class
        "boxes": FakeTensor([[100, 20, 150, 80], [0, 0, 5, 5], [160, 20, 190, 80]]),
    }
    images.collect([result, result], [{"image_id": 7}, {"image_id": 8}])
    (written,) = images.write(3)
    assert written.name == "epoch_0003_a.jpg"
    with Image.open(written) as picture:
        drawn = picture.convert("RGB")

    def bright(x: int, y: int) -> bool:
        colour: Any = drawn.getpixel((x, y))
        return max(colour) > 120

    assert bright(10, 35)  # left side of the true box
    assert bright(100, 50)  # left side of the predicted box
    assert not bright(161, 50)  # the background class is no prediction
    assert not bright(4, 2)  # too unsure to show


def test_a_best_model_of_unknown_worth_is_kept_under_a_free_name(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from core.training.worker.checkpoint_writer import CheckpointFiles, RunState

    best = tmp_path / "best.pth"
    for kept in ("best_earlier.pth", "best_earlier_2.pth", "best_earlier_3.pth"):
        best.write_bytes(kept.encode())
        state = RunState(best_epoch=4, best_value=0.5)
        files = CheckpointFiles(tmp_path, keep=1, images=None)
        files.adopt_best(None, state, "map")
        assert (state.best_epoch, state.best_value) == (0, -1.0)
        told = files.keep_unknown_best(1)
        assert told is not None
        assert kept in told.hint
        assert (tmp_path / kept).read_bytes() == kept.encode()
        assert files.keep_unknown_best(2) is None


@pytest.mark.parametrize(
    ("said", "metric", "worth"),
    [
        ({"epoch": 3, "worth": {"map": 0.7, "mar": 0.8}, "record": {"epoch": 3}}, "map", 0.7),
        ({"epoch": 3, "worth": {"map": 0.7, "mar": 0.8}, "record": {"epoch": 3}}, "mar", 0.8),
        ({"epoch": 2}, "map", 0.5),  # an older file: the checkpoint knows it, or an event does
        ({"epoch": 3}, "map", 0.6),
        ({"epoch": 3}, "mar", None),
        ({"epoch": 1}, "map", None),
    ],
)
def test_what_the_best_model_is_worth(
    tmp_path: Path, said: dict[str, Any], metric: str, worth: float | None
) -> None:
    pytest.importorskip("torch")
    from core.training.worker.checkpoint_writer import CheckpointFiles, RunState

    checkpoints.save_checkpoint({"model": {}, "batman": said}, tmp_path / "best.pth")
    told = Validation(
        epoch=3, step=9, map50_95=0.6, map50=0.6, map75=0.6, precision=0.6, recall=0.6, f1=0.6
    )
    state = RunState(best_epoch=2, best_value=0.5, since_best=1)
    CheckpointFiles(tmp_path, keep=1, images=None).adopt_best(None, state, metric, [told])
    if worth is None:
        assert (state.best_epoch, state.best_value) == (0, -1.0)
    else:
        assert (state.best_epoch, state.best_value) == (said["epoch"], worth)
        assert state.since_best == (1 if said["epoch"] == 2 else 0)


def test_what_was_imported_is_collected_at_the_end_as_ever() -> None:
    """Libraries made with nanobind write into the log what is left over then."""
    code = (
        "import atexit, gc\n"
        "from core.processes.garbage_collector import heavy_imports\n"
        "atexit.register(lambda: print(gc.get_freeze_count()))\n"
        "with heavy_imports():\n"
        "    pass\n"
        "print(gc.get_freeze_count() > 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "0"]


@needs("rfdetr")
def test_training_loads_no_signal_processing_and_leaves_it_whole() -> None:
    code = (
        "import sys\n"
        "from core.processes.light_torchmetrics import import_torchmetrics\n"
        "import_torchmetrics()\n"
        "import pytorch_lightning\n"
        "print('scipy.signal' in sys.modules, 'scipy.stats' in sys.modules)\n"
        "import scipy\n"
        "print(float(scipy.signal.medfilt([1, 9, 2])[1]), 'scipy.stats' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "2.0", "True"]


@needs("rfdetr")
@pytest.mark.parametrize("job", ["measure", "preview_augmentation", "probe_batch_size"])
def test_what_is_tried_before_training_starts_as_lightly(job: str) -> None:
    code = (
        f"import sys\nimport core.training.worker.trial.{job}\n"
        "print('rfdetr.training' in sys.modules, 'scipy.signal' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
