"""A file on a host that grows, copied here as it does: nothing lost, nothing doubled.

What was copied is noted after it was written, so a process that is killed in between leaves more
here than it noted; the next one compares that with the original and goes on behind it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.training.live.tail import CHUNK
from slurm.hosts import Host


@dataclass
class Grown:
    """How much of the file has been copied, and how long the copy was then; in bytes.

    The copy may be longer than what was copied where something was added to it here. Its length is
    None where it is not known.
    """

    there: int = 0
    here: int | None = None


def grow(
    host: Host,
    there: str,
    here: Path,
    grown: Grown,
    save: Callable[[], None],
    *,
    whole_lines: bool = False,
    size: int | None = None,
) -> None:
    """Append what is new of the file `there` to the one `here`, and keep `grown` up to date.

    `save` is called after each part. With `whole_lines` a line that is still being written is left
    for the next time. A file that got shorter is another one under the same name: the copy begins
    anew. `size` is how long it was a moment ago, where that is known: so much is copied, and its
    size is not asked for. Raises `HostError`; the next call goes on from there.
    """
    # One that was longer when we copied last may be another file, or the size may be old.
    if size is None or size < grown.there:
        size = host.size(there)
    if size is None:
        return
    if size < grown.there:
        if here.exists():
            os.truncate(here, 0)
        grown.there, grown.here = 0, 0
    _catch_up(host, there, here, grown)
    while grown.there < size:
        data = host.read(there, grown.there, CHUNK)
        if whole_lines:
            data = data[: data.rfind(b"\n") + 1]
        if not data:
            break
        with here.open("ab") as file:
            file.write(data)
            grown.here = file.tell()
        grown.there += len(data)
        save()


def _catch_up(host: Host, there: str, here: Path, grown: Grown) -> None:
    """Count what was appended and never noted; what was added here otherwise is left alone."""
    length = here.stat().st_size if here.exists() else 0
    if grown.here is not None and length > grown.here:
        with here.open("rb") as file:
            file.seek(grown.here)
            more = file.read()
        if host.read(there, grown.there, len(more)) == more:
            grown.there += len(more)
    grown.here = length
