"""What a person should know of the data before training starts on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from core.data.health.check import check
from core.data.health.report import Finding
from core.data.health.scan import Files
from core.data.store import Project

# So many images are read in a second or two.
READ_AT_ONCE = 2_000


def before_training(
    project: Path, image_size: int, *, cancelled: Callable[[], bool] | None = None
) -> list[Finding]:
    """Return the errors and serious findings of the project in the folder `project`.

    Image files are read when there are few. Of many only those are known that an earlier check has
    read, and that have not changed since: training does not wait minutes for it.
    Raises ProjectError and Cancelled.
    """
    with Project.open(project) as opened:
        few = opened.summary().images <= READ_AT_ONCE
        files: Files = "read" if few else "known"
        return check(opened, image_size, files=files, cancelled=cancelled).grave()


def one_line(finding: Finding) -> str:
    """Return a finding as one line that names its kind, for `batman check --fix`."""
    message = finding.message.rstrip(".")
    return f"{finding.severity.capitalize()}: {message} ({finding.kind})"
