"""The one way in for everything that lies at a path: unpack, read, weigh, take in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

from core.common.files import FileMode
from core.common.progress import Progress
from core.data.importers.balance.likely_mistakes import weigh
from core.data.importers.commit import commit
from core.data.importers.dataset import DataSet
from core.data.importers.files.zip_dataset import scratch, unpacked
from core.data.importers.formats.lying_together import say_others
from core.data.importers.image_files import place_of
from core.data.importers.report import ImportReport, Watch
from core.data.store import Project

Read = Callable[[Path, Watch], DataSet]


def import_folder(
    read: Read,
    project: Project,
    source: Path,
    *,
    files: FileMode = "link",
    anyway: bool = False,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    kind: str = "",
    origin: str = "",
    detail: Mapping[str, Any] | None = None,
) -> ImportReport:
    """Import what `read` finds at `source`, a folder, a file or a ZIP of these, in one step.

    What looks like a mistake (`balance.likely_mistakes`) stops it unless `anyway`. `kind`,
    `origin` and `detail` say where it came from when `source` is only where a download lies;
    `detail` goes into the record of the import. Raises `ImportFailed` when it cannot be read or
    looks like a mistake, `ProjectLocked` and `Cancelled`; the project is then as it was.
    """
    with (
        unpacked(project, source, files, progress, cancelled) as (place, mode),
        ExitStack() as stack,
    ):
        folder = cache(lambda: stack.enter_context(scratch(project)))
        watch = Watch(progress, cancelled, scratch=None if files == "reference" else folder)
        data = read(place, watch)
        data.kind = kind or data.kind
        data.origin = origin or str(place_of(source))
        data.detail.update(detail or {})
        if not origin:
            say_others(data, place, "" if place == place_of(source) else source.name)
        weigh(data, place, watch, anyway=anyway)
        return commit(project, data, files=mode, progress=progress, cancelled=cancelled)
