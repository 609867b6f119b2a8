"""What was found by trying batches is remembered, and goes before the memory model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from json_shapes import holds

from cli.exits import Exit
from cli.main import main
from cli.runs import probe
from core.common.hardware import GIB, Gpu
from core.training.config.batch_size import recommend_here
from core.training.config.form import Form
from core.training.config.options import TrainingConfig
from core.training.config.probe_results import probe_key, probes_file, recall, remember

A100 = Gpu(0, "NVIDIA A100-SXM4-40GB", 40 * GIB, 39 * GIB)
BUSY = Gpu(0, "NVIDIA A100-SXM4-40GB", 40 * GIB, 20 * GIB)
T4 = Gpu(1, "Tesla T4", 15 * GIB, 15 * GIB)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATMAN_CACHE_DIR", str(tmp_path / "cache"))


def test_a_batch_is_remembered_for_all_that_memory_depends_on() -> None:
    config = TrainingConfig()
    assert recall(config, A100) is None
    remember(config, A100, 11)
    remember(config.with_changes(model="nano"), A100, 40)
    assert recall(config, A100) == 11
    # 616 is what base takes for 640: the same training.
    assert recall(config.with_changes(image_size=616, lr=1e-5, epochs=3), A100) == 11
    for change in (
        {"image_size": 560},
        {"multi_scale": False},
        {"ema": False},
        {"precision": "fp32"},
        {"gradient_checkpointing": True},
    ):
        assert recall(config.with_changes(**change), A100) is None, change
    assert recall(config, T4) is None
    assert probe_key(config, A100).startswith("NVIDIA A100-SXM4-40GB | 40 GiB | base | 616")


def test_a_broken_or_unwritable_cache_is_passed_over(tmp_path: Path) -> None:
    probes_file().parent.mkdir(parents=True)
    assert remember(TrainingConfig(), A100, 3) == ""
    for broken, what in (("{broken", "is not valid JSON"), ("[1]", "holds no batches")):
        probes_file().write_text(broken)
        assert recall(TrainingConfig(), A100) is None
        told = remember(TrainingConfig(), A100, 4)
        assert what in told
        assert "begins anew" in told
        assert recall(TrainingConfig(), A100) == 4
        # It is said once: now it is whole.
        assert remember(TrainingConfig(), A100, 4) == ""
    probes_file().write_text(json.dumps({probe_key(TrainingConfig(), A100): {"batch": "many"}}))
    assert recall(TrainingConfig(), A100) is None
    probes_file().unlink()
    probes_file().parent.rmdir()
    probes_file().parent.write_text("a file where the folder should be")
    remember(TrainingConfig(), A100, 4)
    assert recall(TrainingConfig(), A100) is None


def test_suggestions_go_by_what_was_tried() -> None:
    config = TrainingConfig()
    assert recommend_here(config, [A100]).batch_size == 8
    remember(config, A100, 5)
    advice = recommend_here(config, [A100])
    assert (advice.batch_size, advice.grad_accum) == (4, 4)
    assert "up to 5 images" in advice.reason
    # Half of its memory is somebody else's now: what fitted an idle one is no measure.
    assert "Tried" not in recommend_here(config, [BUSY]).reason
    form = Form(Path("p"), gpus=[A100])
    assert form.read().texts["batch_size"] == "4"
    remember(config, A100, 40)
    assert recommend_here(config, [A100]).batch_size == 16


def test_without_a_gpu_there_is_nothing_to_try(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(probe, "find_gpus", list)
    assert main(["probe", "--model", "nano"]) == Exit.WRONG
    assert "no NVIDIA GPU" in capsys.readouterr().err


def test_probing_remembers_and_suggests(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gpus = [A100]
    asked: list[dict[str, Any]] = []

    def child(module: str, options: dict[str, Any], *, quiet: bool) -> dict[str, Any]:
        asked.append(options)
        return {"batch": 9, "gpu": "x"}

    monkeypatch.setattr(probe, "find_gpus", lambda: gpus)
    monkeypatch.setattr(probe, "require_trainer", lambda: None)
    monkeypatch.setattr(probe, "run_child", child)
    assert main(["probe", "--model", "nano", "--image-size", "390", "--json"]) == Exit.OK
    answer = holds("probe", capsys.readouterr().out)
    assert (answer["largest_batch"], answer["image_size"], answer["remembered"]) == (9, 384, True)
    assert (answer["batch_size"], answer["grad_accum"]) == (8, 2)
    assert (asked[0]["model"], asked[0]["image_size"]) == ("nano", 384)
    assert recall(TrainingConfig(model="nano", image_size=384), A100) == 9

    gpus[:] = [BUSY]
    assert main(["probe", "--model", "small"]) == Exit.OK
    assert "the GPU is in use" in " ".join(capsys.readouterr().out.split())
    assert recall(TrainingConfig(model="small"), A100) is None
