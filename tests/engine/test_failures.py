"""How training ends when something is wrong: in a state that the run folder explains."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_runs import CLASSES, STEPS, Runs, events_of

from core.common.errors import ConfigError
from core.training.config.options import TrainingConfig
from core.training.run import events as ev
from core.training.run.checkpoints import read_info
from core.training.run.run import Run

# A worker whose GPU, so to speak, holds four images: torch's own error, raised where it would be.
OUT_OF_MEMORY = """
import sys, torch
from pytorch_lightning import Callback
from core.training.worker import main as worker

class SmallGpu(Callback):
    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        images = len(batch[1])
        if images > 4 and trainer.global_step >= LIMIT:
            raise torch.OutOfMemoryError(f"CUDA out of memory: {images} images")

sys.exit(worker.main(callbacks=[SmallGpu()]))
"""

# A worker on a machine whose network leads nowhere.
OFFLINE = """
import sys
from core.training.launch import pretrained_weights as weights
from core.training.worker import main as worker
weights._HOST = "127.0.0.1"
sys.exit(worker.main())
"""

NOT_A_NUMBER = """
import sys
from pytorch_lightning import Callback
from core.training.worker import main as worker

class Poison(Callback):
    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        if trainer.global_step >= 2:
            for group in trainer.optimizers[0].param_groups:
                for parameter in group["params"]:
                    parameter.data.fill_(float("nan"))

sys.exit(worker.main(callbacks=[Poison()]))
"""


# A worker whose disk is full when the second epoch's checkpoint is written.
FULL_DISK = """
import errno, sys, torch
from core.training.worker import main as worker

save = torch.save

def save_or_fail(content, file):
    if "loops" in content and content["loops"]["fit_loop"]["epoch_progress"]["total"]["ready"] > 1:
        file.write(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")
    save(content, file)

torch.save = save_or_fail
sys.exit(worker.main())
"""


def script(folder: Path, name: str, text: str) -> list[str]:
    path = folder / name
    path.write_text(text)
    return [str(path)]


def test_out_of_memory_goes_on_with_half_the_batch(runs: Runs, tmp_path: Path) -> None:
    """After the first epoch eight images no longer fit: 2 × 4 from its checkpoint on."""
    run = runs.make("oom", epochs=2)
    (small_gpu,) = script(tmp_path, "small_gpu.py", OUT_OF_MEMORY.replace("LIMIT", str(STEPS + 2)))
    process = runs.start(run, script=small_gpu)
    assert process.wait(timeout=240) == 0, (run / "train.log").read_text()[-3000:]
    events = events_of(run)
    oom = next(e for e in events if isinstance(e, ev.Oom))
    assert (oom.batch_size, oom.grad_accum) == (8, 1)
    assert (oom.new_batch_size, oom.new_grad_accum, oom.attempt) == (4, 2, 1)
    first, second = [e for e in events if isinstance(e, ev.Started)]
    assert first.pid == second.pid == process.pid
    assert (second.batch_size, second.grad_accum, second.effective_batch) == (4, 2, 8)
    assert (second.epoch, second.step, second.attempt) == (1, STEPS, 2)
    assert second.steps_per_epoch == first.steps_per_epoch == STEPS
    assert [e.epoch for e in events if isinstance(e, ev.Epoch)] == [1, 2]
    after = [e.step for e in events[events.index(second) :] if isinstance(e, ev.Step)]
    assert after == list(range(STEPS + 1, 2 * STEPS + 1))
    assert Run(run).state() == "finished"


def test_missing_weights_name_the_file_and_its_place(runs: Runs, tmp_path: Path) -> None:
    home = tmp_path / "models"
    run = runs.make("weights", model="nano", image_size=128)
    command = script(tmp_path, "offline.py", OFFLINE)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "ROBOFLOW_HOME"):
        os.environ.pop(name, None)
    os.environ["RF_HOME"] = str(home)
    try:
        assert runs.train(run, command) == 1
    finally:
        del os.environ["RF_HOME"]
    (failed,) = events_of(run)
    assert isinstance(failed, ev.Failed)
    assert failed.kind == "weights"
    assert "rf-detr-nano.pth" in failed.message
    assert str(home / "rf-detr-nano.pth") in failed.hint
    assert "--from-scratch" in failed.hint
    assert Run(run).state() == "failed"


def test_weights_of_another_model_and_what_is_none_are_named(trained: Path, tmp_path: Path) -> None:
    import torch

    from core.training.config.effective_batch import Batching
    from core.training.worker import build

    config = TrainingConfig.load(trained / "training_config.json")
    train = build.train_config(config, tmp_path, CLASSES, Batching(1, 1, 1))
    cut, foreign = tmp_path / "cut.pth", tmp_path / "foreign.pth"
    cut.write_bytes((trained / "best.pth").read_bytes()[:1_000_000])
    torch.save({"weights": torch.zeros(1)}, foreign)
    nano = config.with_changes(model="nano")
    for settings, file, said in (
        (nano, trained / "best.pth", "'best.pth' are of another model size than RFDETRNano"),
        (config, cut, "'cut.pth' cannot be read as weights"),
        (config, foreign, "'foreign.pth' cannot be read as weights"),
    ):
        model = build.model_config(settings, CLASSES, file)
        with pytest.raises(ConfigError, match=said) as caught:
            build.build_module(model, train)
        assert "leave out --pretrained" in caught.value.hint


def test_a_loss_that_is_not_a_number_ends_with_an_explanation(runs: Runs, tmp_path: Path) -> None:
    run = runs.make("nan", epochs=2)
    assert runs.train(run, script=script(tmp_path, "poison.py", NOT_A_NUMBER)[0]) == 1
    events = events_of(run)
    last = events[-1]
    assert isinstance(last, ev.Failed)
    assert last.kind == "nan"
    assert "earning rate" in last.hint


def test_a_full_disk_loses_nothing_that_was_told(runs: Runs, tmp_path: Path) -> None:
    """An epoch without its checkpoint is not told, and the one before it is whole."""
    run = runs.make("disk", epochs=3)
    assert runs.train(run, script=script(tmp_path, "full_disk.py", FULL_DISK)[0]) == 1
    events = events_of(run)
    last = events[-1]
    assert isinstance(last, ev.Failed)
    assert last.kind == "disk", (run / "train.log").read_text()[-3000:]
    assert [e.epoch for e in events if isinstance(e, (ev.Epoch, ev.Validation))] == [1, 1]
    assert read_info(run / "checkpoint_last.pth").epoch == 1
    assert not list(run.glob(".*.tmp"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 100 MB: the first epoch's checkpoints fit, 13 and 51 MB, and no more."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100M", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.xfail(f"a file system cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_is_really_full_ends_a_run_that_goes_on_with_more_room(
    runs: Runs, small_disk: Path
) -> None:
    made = runs.make("full", epochs=2, tensorboard=False)
    run = Path(shutil.move(made, small_disk / "full"))
    assert runs.train(run) == 1
    events = events_of(run)
    last = events[-1]
    assert isinstance(last, ev.Failed)
    assert (last.kind, Run(run).state()) == ("disk", "failed")
    assert "No space left" in last.message
    assert "resume" in last.hint
    # It was told in time.
    assert "disk-low" in [event.code for event in events if isinstance(event, ev.Warning_)]
    assert read_info(run / "checkpoint_last.pth").epoch == 1
    more = ["mount", "-o", "remount,size=2G", str(small_disk)]
    subprocess.run(more, check=True)
    assert runs.train(run) == 0
    assert [e.epoch for e in events_of(run) if isinstance(e, ev.Epoch)] == [1, 2]
    assert Run(run).state() == "finished"


def test_a_data_set_that_vanishes_ends_a_run_that_goes_on_when_it_is_back(
    runs: Runs, tmp_path: Path
) -> None:
    shutil.copytree(runs.dataset, tmp_path / "dataset")
    # Kept in memory, it would not be missed.
    run = runs.make("vanishing", epochs=2, image_cache=0)
    config = TrainingConfig.load(run / "training_config.json")
    assert config.dataset is not None
    info = config.dataset.model_copy(update={"dir": tmp_path / "dataset"})
    config.with_changes(dataset=info).save(run / "training_config.json")
    process = runs.start(run)
    deadline = time.monotonic() + 240
    while not any(isinstance(event, ev.Checkpoint) for event in events_of(run)):
        assert process.poll() is None, (run / "train.log").read_text()[-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    (tmp_path / "dataset").rename(tmp_path / "elsewhere")
    assert process.wait(timeout=120) == 1
    last = events_of(run)[-1]
    assert isinstance(last, ev.Failed)
    assert (last.kind, Run(run).state()) == ("data", "failed")
    assert "Bring the data set back" in last.hint
    (tmp_path / "elsewhere").rename(tmp_path / "dataset")
    assert runs.train(run) == 0
    assert Run(run).state() == "finished"


def test_a_missing_checkpoint_fails_at_once(runs: Runs, tmp_path: Path) -> None:
    run = runs.make("no-checkpoint", resume=tmp_path / "gone.pth")
    assert runs.train(run) == 1
    (failed,) = events_of(run)
    assert isinstance(failed, ev.Failed)
    assert failed.kind == "config"
    assert "gone.pth" in failed.message


def test_two_workers_never_share_a_run_folder(runs: Runs) -> None:
    run = runs.make("locked")
    with (run / ".worker.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert runs.train(run) == 2
    assert events_of(run) == []
    assert "being trained already" in (run / "train.log").read_text()


def test_a_folder_that_is_no_run_is_refused(runs: Runs, tmp_path: Path) -> None:
    assert runs.train(tmp_path) == 2
    assert "training_config.json" in (tmp_path / "train.log").read_text()
