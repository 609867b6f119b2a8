"""What can end a training run, and what to tell people about it."""

from __future__ import annotations

from core.common.errors import BatmanError, ConfigError, RunError, WeightsMissing
from core.common.text import clean
from core.processes.installation import how_to_install
from core.processes.tracebacks import traceback_text
from core.training.run.disk_space import is_full
from core.training.run.events import Failed

# How torch says that memory ran out where it does not raise its OutOfMemoryError.
_OOM_TEXTS = ("out of memory", "cublas_status_alloc_failed", "can't allocate memory")
# What rfdetr's matcher (scipy) says when predictions are not numbers.
_NAN_TEXTS = ("invalid numeric entries",)


# How torch says that a process which loads images was killed; in most cases the kernel ended it,
# because /dev/shm, through which images pass (64 MB in a Docker container), or memory was full.
_LOADER_TEXTS = ("dataloader worker", "insufficient shared memory")


class Diverged(RunError):
    """The loss is not a number any more."""


def is_oom(error: BaseException) -> bool:
    """Tell whether `error` says that memory ran out, on a GPU or on the host."""
    # By name: torch.OutOfMemoryError, without importing torch for it.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(
        text in str(error).lower() for text in _OOM_TEXTS
    )


def explain(error: Exception) -> Failed:
    """Return the `failed` event for `error`: what happened, and the way out where one is known."""
    lines = traceback_text(error)
    text = clean(str(error))[:1000] or type(error).__name__
    if isinstance(error, BatmanError):
        kinds: list[tuple[type[BatmanError], str]] = [
            (WeightsMissing, "weights"),
            (Diverged, "nan"),
            (ConfigError, "config"),
        ]
        kind = next((name for cls, name in kinds if isinstance(error, cls)), "run")
        return Failed(kind=kind, message=error.message, hint=error.hint)
    if is_oom(error):
        return Failed(
            kind="oom",
            message=f"The memory ran out: {text}",
            hint="Take a smaller batch or image size, switch off multi-scale, "
            "or switch on gradient checkpointing.",
            traceback=lines,
        )
    if any(part in text for part in _NAN_TEXTS):
        return Failed(
            kind="nan",
            message="Training has diverged: the model's predictions are not numbers any more.",
            hint="Lower the learning rate, and resume from the last checkpoint.",
            traceback=lines,
        )
    if isinstance(error, RuntimeError) and any(part in text.lower() for part in _LOADER_TEXTS):
        return Failed(
            kind="workers",
            message=f"A process that loads images has died: {text}",
            hint="Resume with fewer --workers (0 loads them in the trainer itself), or give more "
            "shared memory (docker run --shm-size).",
            traceback=lines,
        )
    if is_full(error):
        return Failed(
            kind="disk",
            message=f"The disk is full: {text}",
            hint="Free some space, then resume the run: what it has written is whole.",
            traceback=lines,
        )
    if isinstance(error, FileNotFoundError):
        return Failed(
            kind="data",
            message=f"A file that training needs has gone: {text}",
            hint="Bring the data set back where it was, then resume the run.",
            traceback=lines,
        )
    if isinstance(error, ImportError):
        return Failed(
            kind="install",
            message=f"Something that training needs is not installed: {text}",
            hint=f"Install it with: {how_to_install('batman-tui[train]')}",
            traceback=lines,
        )
    return Failed(
        kind="error",
        message=f"{type(error).__name__}: {text}",
        hint="train.log has what came before; the last checkpoint can be resumed.",
        traceback=lines,
    )
