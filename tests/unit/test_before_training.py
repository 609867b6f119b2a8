"""What is told before a training starts: how long it takes, and which model fits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.common.hardware import GIB, Gpu
from core.training.config.model_advice import advice_sentence, advise_model
from core.training.config.options import DatasetInfo, TrainingConfig
from core.training.run.events import Started, encode_event
from core.training.run.summary import RunSummary
from core.training.run_list.time_estimate import (
    estimate,
    measured_sentence,
    measured_time,
    on_gpu_type,
    time_sentence,
)

IMAGES = {"train": 200, "valid": 60, "test": 20}


def run(tmp_path: Path, name: str, seconds: float, epoch: int, **settings: Any) -> RunSummary:
    gpu = settings.pop("gpu", None)
    info = DatasetInfo(
        dir=Path("dataset"),
        fingerprint="",
        class_names=["a"],
        images=settings.pop("images", IMAGES),
        annotations={},
    )
    config = TrainingConfig(dataset=info, **settings)
    folder = tmp_path / name
    folder.mkdir()
    started = Started(
        t=0, run=name, pid=1, host="h", model=config.model, epochs=5, epoch=0, step=0,
        steps_per_epoch=1, batch_size=1, grad_accum=1, effective_batch=1, image_size=1,
        classes=[], device="cuda:0" if gpu else "cpu", gpu=gpu,
    )  # fmt: skip
    (folder / "events.jsonl").write_bytes(encode_event(started))
    return RunSummary(
        name,
        folder,
        "finished",
        model=config.model,
        epoch=epoch,
        seconds=seconds,
        settings=config.model_dump_json().encode(),
    )


def test_a_run_of_twice_the_pictures_takes_twice_as_long(tmp_path: Path) -> None:
    runs = [run(tmp_path, "one", 220.0, 2)]
    twice = {split: 2 * count for split, count in IMAGES.items()}
    (found,) = estimate(runs, TrainingConfig(epochs=10), twice)
    assert (found.epoch_s, found.run_s) == (pytest.approx(220), pytest.approx(2200))
    assert (found.runs, found.device) == (("one",), "cpu")
    assert "going by one on cpu" in found.sentence()
    # Pictures that are only validated count a third.
    (found,) = estimate(runs, TrainingConfig(epochs=1), {"train": 0, "valid": 660})
    assert found.epoch_s == pytest.approx(110)


def test_other_models_sizes_devices_and_unfinished_runs_say_nothing(tmp_path: Path) -> None:
    runs = [
        run(tmp_path, "other model", 1.0, 1, model="nano"),
        run(tmp_path, "other size", 1.0, 1, image_size=1288),
        run(tmp_path, "no epoch", 1.0, 0),
        run(tmp_path, "two GPUs", 1.0, 1, num_gpus=2, gpu="A100"),
        run(tmp_path, "there", 44.0, 1, gpu="A100"),
        run(tmp_path, "nothing", 9.0, 1, images={"train": 0}),
    ]
    (tmp_path / "no epoch" / "events.jsonl").unlink()
    assert [each.device for each in estimate(runs, TrainingConfig(), IMAGES)] == ["A100"]
    assert estimate(runs, TrainingConfig(), IMAGES, "cpu") == []
    assert "unknown" in time_sentence([], 3, "--estimate")


def test_the_middle_of_several_runs_counts(tmp_path: Path) -> None:
    runs = [run(tmp_path, f"r{n}", seconds, 1) for n, seconds in enumerate((100, 110, 900))]
    (found,) = estimate(runs, TrainingConfig(epochs=1), IMAGES)
    assert found.epoch_s == pytest.approx(110)
    assert found.sentence().endswith("going by r0, r1 and 1 more on cpu.")


def test_the_model_follows_gpu_and_data() -> None:
    def gpu(gib: int) -> list[Gpu]:
        return [Gpu(0, "G", gib * GIB, gib * GIB)]

    assert advise_model([], 10_000)[0] == "nano"
    assert advise_model(gpu(8), 10_000)[0] == "small"
    assert advise_model(gpu(40), 100)[0] == "small"
    assert advise_model(gpu(40), 10_000)[0] == "medium"
    assert advise_model(gpu(40), 10_000, 0.6)[0] == "large"
    assert advise_model(gpu(16), 10_000, 0.6)[0] == "medium"
    assert advise_model(gpu(40), 10_000, device="cpu")[0] == "nano"
    assert advice_sentence("medium", "medium", "x") == ""
    assert advice_sentence("nano", "medium", "why") == (
        "medium would fit here (54.7 COCO AP, nano has 48.4): why."
    )
    assert "base has" not in advice_sentence("base", "medium", "why")


def test_a_few_steps_tell_time_and_memory() -> None:
    took = {"train_s": 0.5, "valid_s": 0.1, "memory": 3_000_000_000, "batch": 4, "steps": 5,
            "device": "NVIDIA T4"}  # fmt: skip
    config = TrainingConfig(epochs=10, batch_size=4, grad_accum=2, patience=0)
    # 200 images are 25 steps of 8.
    found = measured_time(config, IMAGES, took)
    assert (found.epoch_s, found.run_s) == (pytest.approx(106), pytest.approx(1060))
    words = measured_sentence(config, IMAGES, took)
    assert "5 steps of 4 images on NVIDIA T4" in words
    assert "3.0 GB" in words
    assert "patience" not in words
    assert "patience" in measured_sentence(TrainingConfig(patience=3), IMAGES, took)
    # An epoch has five steps at least; where no validation was done it is reckoned; GPUs share.
    config = TrainingConfig(batch_size=4, grad_accum=2, num_gpus=2)
    few = measured_time(config, {"train": 3, "valid": 6}, {**took, "valid_s": None})
    assert few.epoch_s == pytest.approx((5 * 16 * 0.5 + 6 * 0.5 / 3) / 2)


def test_a_clusters_short_name_of_a_gpu_finds_its_runs(tmp_path: Path) -> None:
    names = {"a": "NVIDIA A100-SXM4-40GB", "b": "NVIDIA GeForce RTX 4090"}
    runs = [run(tmp_path, name, 220.0, 2, gpu=gpu) for name, gpu in names.items()]
    found = estimate(runs, TrainingConfig(), IMAGES)
    for short, name in (("a100", "a"), ("rtx_4090", "b"), ("A100-SXM4-40GB", "a")):
        one = on_gpu_type(found, short)
        assert one is not None
        assert one.runs == (name,)
    assert on_gpu_type(found, "h100") is None
    assert on_gpu_type(found, "") is None


def test_before_the_first_run_the_first_epoch_is_said_to_tell() -> None:
    assert "; the first of the 50 epochs will tell; F5 takes" in time_sentence([], 50, "F5")
    said = time_sentence([], 1, "--estimate")
    assert "; the first will tell; --estimate takes" in said
    assert "F5" not in said, "a key of the app is none of the shell"
