"""Which images and videos the given files, folders and patterns stand for."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.common.errors import BatmanError
from core.common.files import expand_user
from core.common.text import clean
from core.data.images.picture_files import is_picture
from core.data.images.video import is_video

if TYPE_CHECKING:
    from core.data.images.video import Frame, VideoReader


@dataclass(frozen=True, slots=True)
class Source:
    """An image or video to look at.

    `name` is its path below the folder that was given, with as many of the folders above as it
    takes to tell it from the others.
    """

    path: Path
    name: str
    video: bool


@dataclass(frozen=True, slots=True)
class Skipped:
    """An input that was left out, or left off part way, and why."""

    path: str
    reason: str


def find_sources(
    inputs: Sequence[str | Path], leave_out: Path | None = None
) -> tuple[list[Source], list[Skipped]]:
    """Return the images and videos that `inputs` stand for, in order, and the inputs that fail.

    An input is a file, a folder (searched to the bottom; hidden files and `leave_out`, where
    results are written, are passed over) or a pattern with `*`, `?` or `**`. What is named twice is
    taken once. Order: as given, within a folder or pattern by name, numbers by their value.
    Two of the same name get the folders before it that tell them apart.
    """
    found: dict[Path, Source] = {}
    skipped: list[Skipped] = []
    for given in inputs:
        path = expand_user(given)
        if path.is_dir():
            files = _in_folder(path, leave_out)
            sources = [_source(file, file.relative_to(path).as_posix()) for file in files]
            problem = "holds no images or videos"
        elif path.exists():
            kind = _kind(path)
            sources = [] if kind is None else [Source(path, path.name, kind == "video")]
            problem = "is neither an image nor a video by its ending"
        elif glob.has_magic(str(path)):
            hits = (Path(hit) for hit in glob.glob(str(path), recursive=True))  # noqa: PTH207 - absolute patterns
            files = sorted((hit for hit in hits if hit.is_file() and _kind(hit)), key=natural)
            sources = [_source(file, file.name) for file in files]
            problem = "matches no images or videos"
        else:
            sources, problem = [], "does not exist"
        if not sources:
            skipped.append(Skipped(str(given), problem))
        for source in sources:
            found.setdefault(source.path.absolute(), source)
    return _told_apart(list(found.values())), skipped


def _told_apart(sources: list[Source]) -> list[Source]:
    """Return the sources with names that differ: `a/x.jpg` and `b/x.jpg` for two of `x.jpg`."""
    whole = [Path(os.path.abspath(source.path)).parts[1:] for source in sources]  # noqa: PTH100 - no links followed
    lengths = [len(Path(source.name).parts) for source in sources]
    names = [source.name for source in sources]
    while True:
        count = Counter(names)
        short = [
            i for i, name in enumerate(names) if count[name] > 1 and lengths[i] < len(whole[i])
        ]
        if not short:
            break
        for i in short:
            lengths[i] += 1
            names[i] = "/".join(whole[i][-lengths[i] :])
    return [replace(source, name=name) for source, name in zip(sources, names, strict=True)]


def natural(path: Path) -> list[tuple[int, int, str]]:
    """Return a key that sorts `frame10` after `frame9`."""
    parts = re.split(r"(\d+)", path.as_posix().casefold())
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts]


def _in_folder(folder: Path, leave_out: Path | None) -> list[Path]:
    avoid = leave_out.absolute() if leave_out else None
    files: list[Path] = []
    for base, folders, names in os.walk(folder):
        here = Path(base)
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and (here / name).absolute() != avoid
        ]
        files += [here / n for n in names if not n.startswith(".") and _kind(here / n)]
    return sorted(files, key=natural)


def _source(path: Path, name: str) -> Source:
    return Source(path, name, _kind(path) == "video")


def _kind(path: Path) -> str | None:
    return "image" if is_picture(path.name) else "video" if is_video(path.name) else None


class Names:
    """Hands out names for results, each once: `a.jpg`, then `a-2.jpg`."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {name.casefold() for name in taken}

    def take(self, name: str) -> str:
        """Return `name`, with a number before its ending if it is taken already."""
        path, number, result = Path(name), 1, name
        while result.casefold() in self._taken:
            number += 1
            result = path.with_name(f"{path.stem}-{number}{path.suffix}").as_posix()
        self._taken.add(result.casefold())
        return result


def noting_damage(reader: VideoReader, skipped: list[Skipped]) -> Iterator[Frame]:
    """Yield the reader's frames; note what is wrong with the file."""
    try:
        yield from reader.frames()
    except BatmanError as error:
        skipped.append(skipped_for(reader.path, error))
    else:
        skipped += [Skipped(str(reader.path), fault) for fault in reader.faults]


def skipped_for(path: Path, error: BatmanError) -> Skipped:
    """Return what `error` says of the file, which it begins with."""
    reason = error.message.removeprefix(f"'{clean(path.name)}' ").removesuffix(".")
    return Skipped(str(path), reason)
