"""What a person should know of the data before training starts on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from core.health.check import check
from core.health.report import Finding
from core.store import Project


def before_training(
    project: Path, image_size: int, *, cancelled: Callable[[], bool] | None = None
) -> list[Finding]:
    """Return the errors and serious findings of the project in the folder `project`.

    The content of image files is not read: on a large project this takes seconds, not minutes.
    Raises ProjectError and Cancelled.
    """
    with Project.open(project) as opened:
        return check(opened, image_size, files="look", cancelled=cancelled).grave()


def one_line(finding: Finding) -> str:
    """Return a finding as one line that names its kind, for `batman check --fix`."""
    message = finding.message.rstrip(".")
    return f"{finding.severity.capitalize()}: {message} ({finding.kind})"
