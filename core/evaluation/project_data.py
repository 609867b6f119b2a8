"""A project as an evaluation reads it: its images and labels as they are now, for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from core.common.progress import Report, nothing
from core.common.temporary import folder_beside
from core.data.exporters import ExportReport, export_coco
from core.data.store import Project


@contextlib.contextmanager
def project_data(
    project: Project, beside: Path, *, only_reviewed: bool = False, progress: Report = nothing
) -> Iterator[ExportReport]:
    """Write the project as COCO into a folder beside `beside` that is gone after the block.

    The report names the folder. Images are hard-linked where the disk allows; `only_reviewed`
    leaves out those that nobody has reviewed. Raises `ExportFailed`, and OSError as
    `folder_beside` does.
    """
    with folder_beside(beside) as making:
        yield export_coco(
            project, making / project.name, only_reviewed=only_reviewed, progress=progress
        )
