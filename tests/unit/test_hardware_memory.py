"""GPUs without torch, and the batch that is recommended for them."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from core.common.hardware import GIB, Gpu, find_gpus
from core.models.sizes import MODELS
from core.training.config.batch_size import memory_needed, recommend, recommend_here
from core.training.config.options import TrainingConfig


class FakeNvml:
    """NVML with the GPUs it is given: name (bytes in old bindings), total and free bytes."""

    def __init__(self, gpus: list[Any], fail: str = "") -> None:
        self.gpus = gpus
        self.fail = fail
        self.open = 0

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            if name == self.fail:
                raise RuntimeError("NVML says no")
            gpu = self.gpus[arguments[0]] if arguments else None
            if isinstance(gpu, Exception):
                raise gpu
            match name:
                case "nvmlInit":
                    self.open += 1
                case "nvmlShutdown":
                    self.open -= 1
                case "nvmlDeviceGetCount":
                    return len(self.gpus)
                case "nvmlDeviceGetHandleByIndex":
                    return arguments[0]
                case "nvmlDeviceGetName":
                    return gpu[0]
                case "nvmlDeviceGetMemoryInfo":
                    return SimpleNamespace(total=gpu[1], free=gpu[2])
                case "nvmlDeviceGetUtilizationRates":
                    return SimpleNamespace(gpu=37)
                case _:
                    raise AttributeError(name)
            return None

        return call


A100 = ("NVIDIA A100-SXM4-40GB", 40 * GIB, 39 * GIB)
OLD = (b"Tesla T4", 15 * GIB, 2 * GIB)


@pytest.fixture(autouse=True)
def _all_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_gpus_are_read() -> None:
    nvml = FakeNvml([A100, OLD])
    assert find_gpus(nvml) == [
        Gpu(0, "NVIDIA A100-SXM4-40GB", 40 * GIB, 39 * GIB, 37),
        Gpu(1, "Tesla T4", 15 * GIB, 2 * GIB, 37),
    ]
    assert nvml.open == 0
    assert find_gpus(nvml)[0].label == "NVIDIA A100-SXM4-40GB · 40 GiB"


@pytest.mark.parametrize("call", ["nvmlInit", "nvmlDeviceGetCount"])
def test_a_failing_driver_means_no_gpus(call: str) -> None:
    assert find_gpus(FakeNvml([A100], fail=call)) == []


def test_one_lost_gpu_does_not_hide_the_others() -> None:
    found = find_gpus(FakeNvml([RuntimeError("GPU is lost"), A100]))
    assert [gpu.index for gpu in found] == [1]
    assert find_gpus(FakeNvml([A100], fail="nvmlDeviceGetUtilizationRates"))[0].utilisation is None


@pytest.mark.parametrize(
    ("visible", "indices"),
    [("1", [1]), ("1,0", [1, 0]), ("", []), ("-1", []), ("0,7,1", [0]), ("GPU-3f", [0, 1])],
)
def test_hidden_gpus_are_not_offered(
    visible: str, indices: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [gpu.index for gpu in find_gpus(FakeNvml([A100, OLD]))] == indices


def test_the_machine_is_read_without_torch() -> None:
    code = (
        "import sys, core.common.hardware as h, core.training.config.batch_size, "
        "core.training.live.follow, "
        "core.training.launch.local, core.training.launch.dataset, "
        "core.training.config.command_line\n"
        "assert h.usable_cores() > 0 and h.find_gpus() is not None\n"
        "heavy = {'torch', 'rfdetr', 'scipy', 'cv2', 'textual', 'paramiko'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# What the driver reports is a little less than what is printed on the box.
@pytest.mark.parametrize(
    ("memory", "lowest", "highest"), [(95.1, 16, 16), (79.2, 12, 16), (39.4, 8, 8), (23.6, 4, 4)]
)
def test_the_guides_table(memory: float, lowest: int, highest: int) -> None:
    found = recommend(TrainingConfig(), memory_gib=memory)
    assert lowest <= found.batch_size <= highest
    assert found.batch_size * found.grad_accum == 16


@pytest.mark.parametrize("name", [name for name in MODELS if name != "tiny"])
def test_more_memory_or_smaller_images_never_mean_a_smaller_batch(name: str) -> None:
    for size in (384, 640, 1024):
        batches = [
            recommend(TrainingConfig(model=name, image_size=size), memory_gib=gib).batch_size
            for gib in range(4, 160, 4)
        ]
        assert batches == sorted(batches)
    for gib in (8, 24, 80):
        batches = [
            recommend(TrainingConfig(model=name, image_size=size), memory_gib=gib).batch_size
            for size in range(320, 1600, 64)
        ]
        assert batches == sorted(batches, reverse=True)


def test_what_is_recommended_fits() -> None:
    for name in ("nano", "base", "2xlarge"):
        config = TrainingConfig(model=name)
        for gib in (16, 24, 48, 80):
            found = recommend(config, memory_gib=gib)
            fits = memory_needed(config, found.batch_size) <= gib
            assert fits or (found.batch_size == 1 and "smaller model" in found.reason)


def test_saving_memory_allows_more() -> None:
    base = recommend(TrainingConfig(), memory_gib=23.6).batch_size
    savings: list[dict[str, Any]] = [{"multi_scale": False}, {"gradient_checkpointing": True}]
    for saving in savings:
        assert recommend(TrainingConfig(**saving), memory_gib=23.6).batch_size > base
    assert recommend(TrainingConfig(precision="fp32"), memory_gib=23.6).batch_size < base


def test_gpus_share_the_effective_batch() -> None:
    found = recommend(TrainingConfig(num_gpus=2), memory_gib=23.6)
    assert (found.batch_size, found.grad_accum) == (4, 2)


def test_without_a_gpu_the_batch_is_small() -> None:
    assert recommend_here(TrainingConfig(), gpus=[]).batch_size == 2
    tiny = recommend_here(TrainingConfig(model="tiny"), gpus=[])
    assert (tiny.batch_size, tiny.grad_accum) == (8, 1)


def test_the_tightest_gpu_that_is_used_decides() -> None:
    gpus = [
        Gpu(0, "NVIDIA A100-SXM4-40GB", 40 * GIB, 39 * GIB),
        Gpu(1, "NVIDIA GeForce RTX 3090", 24 * GIB, 23 * GIB),
    ]
    assert recommend_here(TrainingConfig(), gpus).batch_size == 8
    both = recommend_here(TrainingConfig(num_gpus=2), gpus)
    assert both.batch_size == 4
    assert "3090" in both.reason
    assert recommend_here(TrainingConfig(device="cuda:1"), gpus).batch_size == 4
    assert recommend_here(TrainingConfig(device="cpu"), gpus).batch_size == 2
    # Somebody else holds most of it.
    busy = [Gpu(0, "NVIDIA A100-SXM4-40GB", 40 * GIB, 10 * GIB)]
    assert recommend_here(TrainingConfig(), busy).batch_size == 1
