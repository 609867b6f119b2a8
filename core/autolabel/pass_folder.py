"""The folder of an unfinished pass: what is to be looked at, and what was found so far.

In a project it is `PROJECT/passes/NAME/`; a job on a cluster has it anywhere, and the pictures and
weights beside it. It holds:

- `pass.json`: the task, see `PassTask`. Its `images` (the folder of the pictures) and `weights` are
  absolute or relative to the folder of the pass.
- `images.jsonl`: one JSON object a picture, `{"id", "path", "width", "height"}`: the project's
  number, the path below `images`, and the size in pixels that boxes are in.
- `found.jsonl`: one JSON object a line, appended and synced as it goes. What begins, and goes on,
  writes `{"begun": {"device", "classes", "notes"}}`; a picture is `{"image": id, "boxes": [[class
  id, x, y, w, h, score], ...]}` in pixels, x and y the top left corner, or `{"image": id, "error":
  "why it cannot be read"}`. A kill may tear the last line, whose picture is looked at again.
- `lock`: held by whoever labels.

A pass is complete when every picture has its line. Nothing of it is in the project until
`core.autolabel.record` takes it over.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal

import msgspec

from core.common.errors import BatmanError
from core.common.files import read_typed_json, write_atomic
from core.common.temporary import folder_beside
from core.common.text import clean
from core.data.labels.least_score import KEPT
from core.training.run.damage import JOB_FILE

TASK, IMAGES, FOUND, LOCK = "pass.json", "images.jsonl", "found.jsonl", "lock"

Kind = Literal["run", "coco", "sam3", "owlv2", "grounding-dino"]
Row = tuple[int, float, float, float, float, float]
"""A found box as it is written: class id, x, y, w, h in pixels, score."""


class ExampleBox(msgspec.Struct, frozen=True):
    """A label that shows a class (`like`) or what is none: its picture, and its box in pixels."""

    image: int
    box: tuple[float, float, float, float]
    like: bool = True


class TaskClass(msgspec.Struct, frozen=True):
    """A class of the project that is looked for, with what a labeller is asked for."""

    id: int
    name: str
    phrases: tuple[str, ...] = ()
    examples: tuple[ExampleBox, ...] = ()


class TaskImage(msgspec.Struct, frozen=True):
    """A picture to look at: its number in the project, where it lies, the size its boxes are in."""

    id: int
    path: str
    width: int
    height: int


class PassTask(msgspec.Struct, kw_only=True, frozen=True):
    """What one labeller is to do.

    `key` is the pass's own and in what is recorded of it, so that it cannot be recorded twice.
    `model` is what people know the labeller by: a run's name, `coco:base`, a repository of the hub.
    `mapping` says for classes of a run or of COCO which class of the project they are; what it does
    not name goes by its name. `weights` is a model file, or a folder of the hub's files.
    `example_images` are the pictures that examples are on, which need not be looked at.
    `backend` is what runs a run's model, one of `core.models.backend`.
    """

    key: str
    name: str
    at: str
    kind: Kind
    model: str
    weights: str
    classes: tuple[TaskClass, ...]
    images: str
    mapping: Mapping[str, str] = {}
    example_images: tuple[TaskImage, ...] = ()
    least: float = KEPT
    device: str = "auto"
    batch_size: int | None = None
    backend: str = "auto"
    version: int = 1


class Begun(msgspec.Struct, frozen=True):
    """What a labeller said when it was loaded: its device, the classes it looks for, its notes."""

    device: str
    classes: tuple[int, ...]
    notes: tuple[str, ...] = ()


class FoundLine(msgspec.Struct, omit_defaults=True, frozen=True):
    """A line of `found.jsonl`: a beginning, or what was found on a picture or kept it from that."""

    begun: Begun | None = None
    image: int | None = None
    boxes: tuple[Row, ...] = ()
    error: str | None = None


_LINES = msgspec.json.Decoder(FoundLine)


class PassFolder:
    """Reads and writes the folder at `path`, which the head of this module describes."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def create(self, task: PassTask, images: Sequence[TaskImage]) -> None:
        """Make the folder with the task and its pictures, whole or not at all.

        Raises OSError where it cannot be made, or something is in its place.
        """
        lines = b"".join(msgspec.json.encode(image) + b"\n" for image in images)
        text = json.dumps(msgspec.to_builtins(task), indent=2, ensure_ascii=False)
        with folder_beside(self.path) as making:
            write_atomic(making / IMAGES, lines)
            write_atomic(making / TASK, text + "\n")
            making.rename(self.path)

    def task(self) -> PassTask:
        """Return the task. Raises BatmanError where there is none or it cannot be read."""
        task = read_typed_json(self.path / TASK, PassTask)
        if task is None:
            raise BatmanError(
                f"'{clean(str(self.path))}' is no folder of a pass: it has no {TASK}.",
                "Begin one with batman autolabel.",
            )
        if task.version > 1:
            raise BatmanError(
                f"The pass '{clean(task.name)}' was made by a newer Batman.", "Update Batman."
            )
        return task

    def images(self) -> list[TaskImage]:
        """Return the pictures to look at. Raises BatmanError where they cannot be read."""
        try:
            text = (self.path / IMAGES).read_bytes()
            return msgspec.json.decode(
                b"[" + b",".join(text.splitlines()) + b"]", type=list[TaskImage]
            )
        except (OSError, msgspec.DecodeError) as error:
            raise BatmanError(
                f"'{clean(str(self.path / IMAGES))}' cannot be read: {clean(str(error))}.",
                "Discard the pass and begin it again.",
            ) from error

    def found(self) -> Iterator[FoundLine]:
        """Yield the lines that were written whole; a picture that has two, once."""
        seen: set[int] = set()
        try:
            file = (self.path / FOUND).open("rb")
        except FileNotFoundError:
            return
        with file:
            for raw in file:
                line = _line(raw)
                if line is None or line.image in seen:
                    continue
                if line.image is not None:
                    seen.add(line.image)
                yield line

    def done(self) -> set[int]:
        """Return the pictures that have their line, those that cannot be read among them."""
        return {line.image for line in self.found() if line.image is not None}

    def state(self) -> tuple[int, int]:
        """Return how many pictures are done, and how many there are."""
        wanted = {image.id for image in self.images()}
        return len(wanted & self.done()), len(wanted)

    def begun(self) -> Begun | None:
        """Return what the labeller said when it was loaded last, None when it never was."""
        last = None
        for line in self.found():
            last = line.begun or last
        return last

    def resolve(self, path: str) -> Path:
        """Return where a path of the task leads."""
        return self.path / path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder's lock. Raises BatmanError when another process labels here."""
        with (self.path / LOCK).open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BatmanError(
                    f"The pass '{clean(self.path.name)}' is being made by another process.",
                    "Wait until it is done, or stop it first.",
                ) from None
            except OSError:
                pass  # a file system without locks, as Lustre is at some sites
            yield

    def is_submitted(self) -> bool:
        """Tell whether a job of a cluster has the pass, or had it and was not brought back."""
        return (self.path / JOB_FILE).is_file()

    def is_locked(self) -> bool:
        """Tell whether somebody labels here at this moment, as far as the file system tells."""
        try:
            with self.locked():
                return False
        except BatmanError:
            return True
        except OSError:
            return False  # somebody else's folder, which we may only read


class FoundWriter:
    """Appends to `found.jsonl`, each call synced to the disk before it returns.

    What a kill left of a last line is cut off first.
    """

    def __init__(self, folder: PassFolder) -> None:
        self._file: BinaryIO = (folder.path / FOUND).open("a+b")
        _cut_torn(self._file)

    def __enter__(self) -> FoundWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def write(self, lines: Sequence[FoundLine]) -> None:
        """Write lines, and return when they are on the disk."""
        self._file.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        self._file.flush()
        os.fsync(self._file.fileno())


def _line(raw: bytes) -> FoundLine | None:
    """Return a line that was written whole, None for any other."""
    if not raw.endswith(b"\n"):
        return None
    try:
        return _LINES.decode(raw)
    except msgspec.DecodeError:
        return None


def _cut_torn(file: Any) -> None:
    end = file.seek(0, os.SEEK_END)
    keep = end
    while keep:
        start = max(0, keep - 65_536)
        file.seek(start)
        newline = file.read(keep - start).rfind(b"\n")
        if newline >= 0:
            keep = start + newline + 1
            break
        keep = start
    if keep != end:
        file.truncate(keep)
    file.seek(0, os.SEEK_END)
