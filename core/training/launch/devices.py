"""Whether a machine has the devices that a run is to train on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from core.common.errors import ConfigError
from core.common.hardware import Gpu, find_gpus
from core.training.config.options import TrainingConfig

# GPUs that torch calls cuda and NVML does not know: AMD's (the device of their driver, ROCm), and
# the boards of NVIDIA's Jetson.
_NOT_NVML = (Path("/dev/kfd"), Path("/etc/nv_tegra_release"))


def require_devices(config: TrainingConfig, cuda: int, mps: bool) -> None:
    """Raise ConfigError unless a machine with `cuda` GPUs, and `mps` or not, can train `config`."""
    name, _, index = config.device.partition(":")
    if name == "auto" and config.num_gpus > 1 and not cuda:
        raise ConfigError(
            f"{config.num_gpus} GPUs were asked for, and this machine has none.",
            f"Leave out --num-gpus; --device cpu takes {config.num_gpus} processes on the CPU.",
        )
    if (name == "cuda" and not cuda) or (name == "mps" and not mps):
        raise ConfigError(
            f"There is no {name} device on this machine.",
            "Leave out --device, or give --device cpu.",
        )
    if name == "cuda" and index and int(index) >= cuda:
        raise ConfigError(
            f"There is no GPU {index}: this machine has {cuda}, from 0 on.",
            "Give another with --device, or leave it out.",
        )
    if name in ("auto", "cuda") and not index and cuda and config.num_gpus > cuda:
        raise ConfigError(
            f"{config.num_gpus} GPUs were asked for, and this machine has {cuda}.",
            "Give fewer with --num-gpus.",
        )


def require_devices_here(
    config: TrainingConfig, gpus: Callable[[], Sequence[Gpu]] = find_gpus
) -> None:
    """Raise ConfigError when this machine has no such device, as far as is known without torch.

    What NVML does not see is left to the trainer to find out.
    """
    if config.device == "cpu":
        return
    cuda = len(gpus())
    if not cuda and any(path.exists() for path in _NOT_NVML):
        return
    require_devices(config, cuda, mps=sys.platform == "darwin")
