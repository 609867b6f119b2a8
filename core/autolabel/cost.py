"""How long labelling takes where there is no GPU, said before it begins."""

from __future__ import annotations

from typing import Final, NamedTuple

from core.autolabel.pass_folder import Kind, PassTask
from core.common.errors import ConfigError
from core.common.hardware import find_gpus, usable_cores


class _Cost(NamedTuple):
    """Processor seconds for each picture, and for each phrase or class of it."""

    picture: float
    prompt: float


# Measured with full-size models of random weights (transformers 5.23, torch 2.15, one thread of a
# server's CPU): SAM 3 at 1008 pixels, OWLv2 base at 960, Grounding DINO tiny at 800 x 1066.
_COSTS: Final[dict[Kind, _Cost]] = {
    "sam3": _Cost(80.7, 6.4),
    "owlv2": _Cost(11.9, 0.0),
    "grounding-dino": _Cost(0.0, 17.2),
}


def uses_cpu(device: str) -> bool:
    """Tell whether `device` comes down to the CPU here, as far as it can be known without torch.

    Raises ConfigError when a GPU is asked for that is not here.
    """
    kind = device.partition(":")[0]
    gpus = find_gpus()
    if kind == "cuda" and not gpus:
        raise ConfigError(
            "There is no NVIDIA GPU on this machine.",
            "Leave out --device, or submit the pass to a cluster.",
        )
    return kind == "cpu" or (kind == "auto" and not gpus and not _apple())


def cpu_seconds(task: PassTask, pictures: int) -> float | None:
    """Return about how many seconds a pass takes on this machine's CPU, None for detectors, which
    are quick.
    """
    cost = _COSTS.get(task.kind)
    if cost is None:
        return None
    if task.kind == "grounding-dino":
        prompts = len(task.classes)
    else:
        prompts = sum(len(row.phrases) for row in task.classes)
    return pictures * (cost.picture + cost.prompt * prompts) / usable_cores()


def _apple() -> bool:
    import platform

    return platform.system() == "Darwin" and platform.machine() == "arm64"
