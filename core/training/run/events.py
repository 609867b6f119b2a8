"""What a trainer says while it works: one JSON object a line in a run's `events.jsonl`.

The file is append-only and is the only thing that passes between a trainer and whoever watches
it, here or on a cluster. Every event has `event` (its kind) and `t` (Unix time, seconds).
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Union

import msgspec

from core.privacy.secrets import redact_json

# The settings of a run, by which a folder is known as one.
CONFIG_FILE = "training_config.json"


class _Event(msgspec.Struct, tag_field="event", kw_only=True, frozen=True):
    t: float = msgspec.field(default_factory=time.time)


class Started(_Event, tag="started", kw_only=True, frozen=True):
    """Training begins, or goes on after a stop, a crash or an out-of-memory.

    `epoch` and `step` are what is behind us: 0 and 0 for a fresh run. Whatever the file holds of
    later epochs and steps before this line was lost with the process that wrote it, and a reader
    drops it. `elapsed` is how long it trained before, in seconds.
    """

    run: str
    pid: int
    host: str
    model: str
    epochs: int
    epoch: int
    step: int
    steps_per_epoch: int
    batch_size: int
    grad_accum: int
    effective_batch: int
    image_size: int
    classes: list[str]
    device: str
    gpu: str | None = None
    resumed_from: str | None = None
    attempt: int = 1
    elapsed: float | None = None


class Step(_Event, tag="step", kw_only=True, frozen=True):
    """One optimiser step. Losses are not divided by the accumulation; times in seconds.

    A loss that is not a number is null. `elapsed` is the training time by then, in seconds.
    """

    epoch: int
    step: int
    loss: float | None
    loss_cls: float | None = None
    loss_box: float | None = None
    loss_giou: float | None = None
    lr: float
    images_per_s: float
    step_s: float
    data_s: float = 0.0
    gpu_mem_mb: float | None = None
    rss_mb: float | None = None
    elapsed: float | None = None


class Epoch(_Event, tag="epoch", kw_only=True, frozen=True):
    """An epoch is complete and its checkpoint is on disk; `train_loss` is its mean over steps."""

    epoch: int
    step: int
    train_loss: float | None
    seconds: float


class Validation(_Event, tag="validation", kw_only=True, frozen=True):
    """Metrics on the validation split, 0 to 1; `per_class` is AP at IoU 0.50:0.95 by class name.

    `ema` tells whether the averaged weights were measured, `best` whether this is the best so far.
    """

    epoch: int
    step: int
    map50_95: float
    map50: float
    map75: float
    precision: float
    recall: float
    f1: float
    loss: float | None = None
    per_class: dict[str, float] = {}
    ema: bool = False
    best: bool = False
    seconds: float = 0.0


class Checkpoint(_Event, tag="checkpoint", kw_only=True, frozen=True):
    """A checkpoint is whole on disk; `kind` is last, periodic, best or stop."""

    epoch: int
    step: int
    file: str
    kind: str
    bytes: int


class Warning_(_Event, tag="warning", kw_only=True, frozen=True):  # noqa: N801 - `Warning` is a builtin
    """Something the person should know; `command` is what to run instead, where there is one."""

    code: str
    message: str
    hint: str = ""
    command: str | None = None
    epoch: int = 0
    step: int = 0


class Oom(_Event, tag="oom", kw_only=True, frozen=True):
    """The GPU's memory ran out; training goes on with the new batch from the last checkpoint."""

    batch_size: int
    grad_accum: int
    new_batch_size: int
    new_grad_accum: int
    attempt: int
    message: str = ""
    epoch: int = 0
    step: int = 0


class Stopped(_Event, tag="stopped", kw_only=True, frozen=True):
    """Training was stopped on request, with a checkpoint to go on from.

    `seconds` as of Finished.
    """

    epoch: int
    step: int
    reason: str
    seconds: float | None = None


class Finished(_Event, tag="finished", kw_only=True, frozen=True):
    """Training is complete; `seconds` counts all attempts, `reason` is `epochs` or `patience`."""

    epoch: int
    step: int
    best_epoch: int
    best_map50_95: float
    best_map50: float
    seconds: float
    reason: str = "epochs"


class Failed(_Event, tag="failed", kw_only=True, frozen=True):
    """Training ended with an error; `kind` is a short name such as weights, data, oom, error.

    `seconds` as of Finished.
    """

    kind: str
    message: str
    hint: str = ""
    traceback: str = ""
    seconds: float | None = None


Event = Union[  # noqa: UP007 - msgspec reads the union at run time
    Started, Step, Epoch, Validation, Checkpoint, Warning_, Oom, Stopped, Finished, Failed
]

_decoder = msgspec.json.Decoder(Event)
_encoder = msgspec.json.Encoder()


def encode_event(event: Event) -> bytes:
    """Return one line of `events.jsonl`, its newline included; NaN and infinity become null.

    Texts in it hold no secrets: messages of services come with the addresses they were sent to.

    JSON has no NaN: a loss that is not a number is told by a `warning` event.
    """
    return redact_json(_encoder.encode(event).decode()).encode() + b"\n"


def decode_event(line: bytes) -> Event | None:
    """Return the event in `line`, or None for a torn, foreign or unknown line."""
    try:
        event: Event = _decoder.decode(line)
        return event
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def read_events(data: bytes) -> tuple[list[Event], int]:
    """Decode the whole lines in `data`: the events, and how many bytes they took.

    A last line without its newline is still being written and is left for the next read.
    """
    end = data.rfind(b"\n") + 1
    events = [
        event
        for line in data[:end].splitlines()
        if line and (event := decode_event(line)) is not None
    ]
    return events, end


class LineFile:
    """Appends lines to a file, each by one `write`, so that readers see whole lines.

    A torn last line left by a crash is closed first, so that the next one stands on its own. One
    that a full disk cuts short is taken back. Raises OSError where it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        length = os.lseek(self._fd, 0, os.SEEK_END)
        if length and os.pread(self._fd, 1, length - 1) != b"\n":
            os.write(self._fd, b"\n")

    def append(self, line: bytes) -> None:
        """Append a line, its newline with it; the operating system has it when this returns.

        Raises OSError (a full disk, say); the file is as it was then.
        """
        data = memoryview(line)
        begin = os.lseek(self._fd, 0, os.SEEK_END)
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError:
            os.ftruncate(self._fd, begin)
            raise

    def sync(self) -> None:
        """Force what was appended to the disk. Raises OSError."""
        os.fsync(self._fd)

    def close(self) -> None:
        """Close the file; further lines fail."""
        os.close(self._fd)


class EventWriter:
    """Appends events to a file, as `LineFile` does lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = LineFile(path)

    def write(self, event: Event) -> None:
        """Append one event; it is in the operating system's hands when this returns.

        Raises OSError (a full disk, say); the file is as it was then.
        """
        self._lines.append(encode_event(event))

    def close(self) -> None:
        """Close the file; further writes fail."""
        self._lines.close()
