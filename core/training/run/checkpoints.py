"""Checkpoints of a run: written whole or not at all, found again, and checked before a resume.

Three kinds lie in a run folder. `checkpoint_last.pth` and `checkpoint_epoch_N.pth` hold the whole
state of training (Lightning's own format: weights, averaged weights, optimiser, schedule, loops)
and resume exactly. `best.pth` holds weights and what describes the model, for inference and for
fine-tuning. Torch is imported only by the functions that read or write them.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from core.common.errors import ConfigError, RunError
from core.common.files import link_or_copy
from core.common.text import clean, plural
from core.late import late
from core.models.checkpoint_file import arguments_of, foreign_content, load_checkpoint
from core.models.encoder_blocks import count_blocks
from core.models.sizes import get_model
from core.training.run.events import Event, Started

if TYPE_CHECKING:
    import zipfile

    from core.training.config.options import TrainingConfig
else:
    zipfile = late("zipfile")

LAST: Final = "checkpoint_last.pth"
BEST: Final = "best.pth"
_ANOTHER = "Resume from another one: checkpoint_last.pth, or the newest checkpoint_epoch_N.pth."
_PERIODIC = re.compile(r"checkpoint_epoch_(\d+)\.pth")

# Where the run's own state lies in a checkpoint: under the state key of RunRecorder.
STATE_KEY: Final = "batman"


@dataclass(frozen=True, slots=True)
class CheckpointInfo:
    """What a resumable checkpoint says about itself, without its weights.

    `epoch` counts completed epochs, `step` optimiser steps. `state` is what the run recorded about
    itself: best epoch, metrics so far, batch size; empty in checkpoints that others wrote. `blocks`
    is how many blocks its encoder has.
    """

    path: Path
    epoch: int
    step: int
    class_names: list[str]
    model_name: str | None
    resolution: int | None
    state: dict[str, Any] = field(default_factory=dict)
    blocks: int = 0


def periodic_name(epoch: int) -> str:
    """Return the name of the periodic checkpoint of `epoch` (counted from 1)."""
    return f"checkpoint_epoch_{epoch}.pth"


def named_epoch(path: Path) -> int | None:
    """Return the epoch that the name of a periodic checkpoint tells, None for any other file."""
    match = _PERIODIC.fullmatch(path.name)
    return int(match[1]) if match else None


def save_checkpoint(content: object, path: Path) -> int:
    """Write `content` with `torch.save` so that a crash leaves the old file or the new one.

    When this returns the file outlives a loss of power under its name: the folder is synchronised
    too, so that no event that tells of it outlives it. Returns the size in bytes. Raises OSError (a
    full disk, say); nothing is left behind then.
    """
    import torch

    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        temporary.replace(path)
        _sync_folder(path.parent)
    except RuntimeError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        # torch's writer hides a failed write (a full disk) behind a RuntimeError of its own.
        cause = error.__context__
        if isinstance(cause, OSError):
            raise OSError(cause.errno, cause.strerror, str(path)) from error
        raise OSError(f"writing {path.name} failed: {error}") from error
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    return size


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # some file systems take no fsync of a folder
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def duplicate(source: Path, target: Path) -> int:
    """Place `source` at `target` atomically, without a second copy where links work.

    Checkpoints are replaced, never changed in place, so a hard link stays what it was. Returns the
    size in bytes.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        link_or_copy(source, temporary, "link")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target.stat().st_size


def remove_leftovers(run_dir: Path) -> None:
    """Remove half-written checkpoints that a killed process left in `run_dir`."""
    for path in run_dir.glob(".*.pth.*.tmp"):
        path.unlink(missing_ok=True)


def periodic(run_dir: Path) -> list[Path]:
    """Return the periodic checkpoints in `run_dir`, by epoch."""
    numbered = sorted(
        (epoch, path)
        for path in run_dir.glob("checkpoint_epoch_*.pth")
        if (epoch := named_epoch(path)) is not None
    )
    return [path for _, path in numbered]


def prune_periodic(run_dir: Path, keep: int) -> list[Path]:
    """Remove all but the `keep` newest periodic checkpoints by epoch (0 keeps all); return them."""
    removed = periodic(run_dir)[:-keep] if keep > 0 else []
    for path in removed:
        path.unlink(missing_ok=True)
    return removed


def resume_file(path: Path) -> Path:
    """Return the checkpoint that `path`, a file or a run folder, stands for.

    Raises ConfigError when there is none.
    """
    file = path / LAST if path.is_dir() else path
    if file.is_file():
        return file
    if path.is_dir():
        raise ConfigError(
            f"There is no {LAST} in '{clean(str(path))}' to go on from.",
            "The run was lost before its first epoch ended: start it again without --resume.",
        )
    raise ConfigError(
        f"There is no checkpoint '{clean(str(path))}' to go on from.",
        "Give a checkpoint_last.pth or checkpoint_epoch_N.pth of a run, or the run's folder.",
    )


def choose_resume(
    run_dir: Path, config: TrainingConfig, earlier: Sequence[Event], config_time: float
) -> Path | None:
    """Return the checkpoint that a start in `run_dir` goes on from, None for a fresh start.

    The config's `resume` counts the first time that the config (changed at `config_time`, Unix
    seconds) is started. Afterwards the folder's own last checkpoint does, so that a job that is
    started again by a scheduler, or after running out of memory, loses nothing; and whenever there
    is one, if `resume` lies elsewhere: the run has come beyond what it began from. `earlier` are
    the events that are in the folder. Raises ConfigError when the named checkpoint is not there.
    """
    own = run_dir / LAST
    starts = [event.t for event in earlier if isinstance(event, Started)]
    elsewhere = config.resume is not None and not _lies_in(config.resume, run_dir)
    if config.resume is not None and not (elsewhere and own.is_file()):
        wanted = resume_file(config.resume)
        first = next((t for t in starts if t >= config_time), None)
        if first is None or not own.is_file() or own.stat().st_mtime < first:
            return wanted
        return own
    return own if own.is_file() else None


def _lies_in(path: Path, run_dir: Path) -> bool:
    return run_dir.resolve() in (path.resolve(), path.resolve().parent)


def require_checkpoint(path: Path) -> None:
    """Raise RunError if the file `path` is nothing that `torch.save` writes, or breaks off.

    That is a ZIP archive since 1.6, whose directory is at its end, a pickle before. Needs no torch.
    """
    try:
        with path.open("rb") as file:
            head = file.read(2)
        sound = head == b"\x80\x02" or (head == b"PK" and zipfile.is_zipfile(path))
    except OSError as error:
        raise RunError(
            f"'{clean(path.name)}' cannot be read: {error.strerror}.", "Check its permissions."
        ) from None
    if not sound:
        raise RunError(f"'{clean(path.name)}' cannot be read as a checkpoint.", _ANOTHER)


def require_state(path: Path) -> None:
    """Raise RunError if the file `path` holds weights only, or is no checkpoint; without torch.

    Since 1.6 `torch.save` writes a ZIP archive whose `data.pkl` names the content's keys. Files of
    another make pass: `read_info` looks at them more closely, and takes seconds for it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            described = b"".join(archive.read(name) for name in names)
    except Exception:  # zipfile raises nearly everything on a damaged archive
        return
    if b"optimizer_states" not in described:
        raise _weights_only(path)


def _weights_only(path: Path) -> RunError:
    return RunError(
        f"'{clean(path.name)}' holds weights only, so training cannot go on from it.",
        "Resume from checkpoint_last.pth or checkpoint_epoch_N.pth, "
        "or start afresh from these weights with --pretrained.",
    )


def read_info(path: Path) -> CheckpointInfo:
    """Read what a resumable checkpoint says about itself; its weights stay on disk.

    Raises RunError for a file that is no checkpoint, and for one that holds weights only.
    """
    content = load_checkpoint(path, _ANOTHER)
    if (
        not isinstance(content, dict) or "loops" not in content
        or not content.get("optimizer_states")
    ):  # fmt: skip
        raise _weights_only(path)
    hint = "Resume from another one, or start afresh from its weights with --pretrained."
    with foreign_content(path, "Batman's", hint):
        return _info(path, content)


def peek_info(path: Path) -> CheckpointInfo | None:
    """Return what `read_info` does, without torch; None for what only torch can tell about."""
    from core.models.checkpoint_header import read_header

    with contextlib.suppress(Exception):  # the trainer says what is wrong with it
        content = read_header(path)
        if content.get("optimizer_states"):
            return _info(path, content)
    return None


def _info(path: Path, content: dict[str, Any]) -> CheckpointInfo:
    arguments = arguments_of(content)
    model = content.get("model_config") or {}
    progress = content["loops"]["fit_loop"]["epoch_progress"]["current"]
    return CheckpointInfo(
        path=path,
        epoch=int(progress["processed"]),
        step=int(content.get("global_step", 0)),
        class_names=list(arguments.get("class_names") or []),
        model_name=content.get("model_name"),
        resolution=model.get("resolution"),
        state=dict(content.get("callbacks", {}).get(STATE_KEY) or {}),
        blocks=count_blocks(content.get("state_dict") or ()),
    )


@dataclass(frozen=True, slots=True)
class BestInfo:
    """What a `best.pth` says about itself.

    `epoch` is the one that it is from, 0 if the file is damaged or not ours. `worth` is what it was
    measured at by each best metric of the config, `record` its validation as `results.json` holds
    it; both are empty in files that were written before they said so.
    """

    epoch: int = 0
    worth: dict[str, float] = field(default_factory=dict)
    record: dict[str, Any] | None = None


def read_best(path: Path) -> BestInfo | None:
    """Return what the `best.pth` at `path` says about itself, None if there is none.

    Needs no torch, and takes some milliseconds. Where results and this file speak of different
    epochs, as when a run was copied while it trained, this file is what is used.
    """
    from core.models.checkpoint_header import read_header

    if not path.is_file():
        return None
    try:
        said = read_header(path)[STATE_KEY]
        worth = {str(name): float(value) for name, value in said.get("worth", {}).items()}
        return BestInfo(int(said["epoch"]), worth, said.get("record"))
    except Exception:  # cut short or foreign
        return BestInfo()


def check_resume(info: CheckpointInfo, config: TrainingConfig, finishing: bool = False) -> None:
    """Raise ConfigError if training with `config` cannot go on from the checkpoint `info`.

    Classes in their order, model and image size must be the same, and an epoch must be left to
    train. `finishing` allows that none is left: the run was lost just before it told its end.
    """
    class_name = get_model(config.model).class_name
    shown = f"'{clean(info.path.name)}'"
    classes = config.dataset.class_names if config.dataset else []
    fine_tune = "To start from its weights instead, give it with --pretrained."
    if info.epoch >= config.epochs and not finishing:
        behind = plural(info.epoch, "epoch", "epochs")
        raise ConfigError(
            f"{shown} has {behind} behind it, and --epochs is {config.epochs}: nothing is left "
            "to train.",
            f"Epochs are counted from the run's beginning: give --epochs a number above "
            f"{info.epoch}.",
        )
    if info.class_names and info.class_names != classes:
        missing = [name for name in info.class_names if name not in classes]
        extra = [name for name in classes if name not in info.class_names]
        what = "; ".join(
            f"{label} {', '.join(clean(name) for name in names[:8])}"
            for label, names in (("only in the checkpoint:", missing), ("only in the data:", extra))
            if names
        )
        raise ConfigError(
            f"{shown} was trained on other classes ({what or 'the same in another order'}).",
            fine_tune,
        )
    if info.model_name and info.model_name != class_name:
        raise ConfigError(
            f"{shown} is a {clean(info.model_name)}, and model={config.model} is a {class_name}.",
            "Resume with the model it was trained with.",
        )
    if info.resolution and info.resolution != config.image_size:
        raise ConfigError(
            f"{shown} was trained at image size {info.resolution}, not {config.image_size}.",
            f"Resume with --image-size {info.resolution}. {fine_tune}",
        )
