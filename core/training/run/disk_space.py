"""How much disk a run's checkpoints take: said before the start, looked after on the way.

`checkpoint_last.pth` holds weights, averaged weights and AdamW's two moments, `best.pth` weights,
all in 32 bits: for Nano 4 and 1 times 122 MB, as rfdetr's own files (480 and 120 MB). Each is
written beside the one that it replaces. `checkpoint_epoch_N.pth` is a last one that stays.
"""

from __future__ import annotations

import contextlib
import errno
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

from core.common.errors import RunError
from core.common.text import clean, plural, size
from core.models.sizes import get_model
from core.training.config.options import TrainingConfig

_BYTES = 4
_MOMENTS = 2

# Less than this is soon filled by logs and pictures.
_LOW = 500_000_000


# Holds the room for a run's last words: a failure with its traceback takes a few kilobytes.
RESERVE_FILE = ".reserve"
_RESERVE_BYTES = 64 * 1024


def is_full(error: BaseException) -> bool:
    """Tell whether `error`, or what it was raised for, says that a disk or a quota is full."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def reserve(run_dir: Path) -> None:
    """Hold a little room in `run_dir`, by which a full disk lets a run still say how it ended.

    Where there is no room already, nothing is held.
    """
    path = run_dir / RESERVE_FILE
    with contextlib.suppress(OSError):
        if path.is_file() and path.stat().st_size == _RESERVE_BYTES:
            return
        try:
            # Bytes that differ, lest a file system that compresses holds no room for them.
            path.write_bytes(random.randbytes(_RESERVE_BYTES))
        except OSError:
            path.unlink(missing_ok=True)


def release(run_dir: Path) -> None:
    """Give back what `reserve` held in `run_dir`."""
    with contextlib.suppress(OSError):
        (run_dir / RESERVE_FILE).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class CheckpointSizes:
    """Bytes of one `checkpoint_last.pth` and one `best.pth`; `kept` periodic ones at most."""

    last: int
    best: int
    kept: int

    @property
    def least(self) -> int:
        """What the first epoch writes."""
        return self.last + self.best

    @property
    def most(self) -> int:
        """What lies there at the most, while the last ones are being replaced."""
        return 2 * self.least + self.kept * self.last

    def sentence(self) -> str:
        """Return this for people."""
        kept = f", {plural(self.kept, 'periodic one')} beside it" if self.kept else ""
        return (
            f"A checkpoint takes about {size(self.last)}{kept}; best.pth {size(self.best)}; "
            f"at most {size(self.most)} in all."
        )


def checkpoint_sizes(config: TrainingConfig) -> CheckpointSizes:
    """Return how large the checkpoints of a run with `config` will be, to a few percent."""
    model = get_model(config.model)
    weights = model.params * 1e6 * _BYTES
    kept = config.epochs // config.checkpoint_interval
    if config.keep_checkpoints:
        kept = min(kept, config.keep_checkpoints)
    return CheckpointSizes(
        last=round(weights * ((2 if config.ema else 1) + _MOMENTS)), best=round(weights), kept=kept
    )


def require_room(config: TrainingConfig, run_dir: Path) -> None:
    """Raise RunError when the disk of `run_dir` cannot hold even the first epoch's checkpoints."""
    sizes = checkpoint_sizes(config)
    free = shutil.disk_usage(run_dir).free
    if free < sizes.least:
        raise RunError(
            f"The disk of '{clean(str(run_dir))}' has {size(free)} free, and the first "
            f"checkpoints of {config.model} take {size(sizes.least)}.",
            "Free some space (batman runs, old checkpoint_epoch_N.pth), or choose another disk "
            "with --output-dir.",
        )


def low_disk(run_dir: Path, last_bytes: int) -> str | None:
    """Return a sentence when the next checkpoints may not fit any more, None if they do.

    The next one, of `last_bytes`, is written before the last one goes, and a best one beside it.
    """
    free = shutil.disk_usage(run_dir).free
    if free >= max(3 * last_bytes, _LOW):
        return None
    takes = f"; a checkpoint takes {size(last_bytes)}." if last_bytes else "."
    return f"Only {size(free)} are free on the disk of the run folder{takes}"
