"""What a check of a project says: findings, each with a severity and perhaps a fix."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from core.data.store import Project

Severity = Literal["error", "serious", "notice"]
Subject = Literal["image", "annotation", "class", "project"]
SEVERITIES: tuple[Severity, ...] = ("error", "serious", "notice")
EXAMPLES = 20


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong or worth knowing.

    `ids` are the rows it is about (of the table that `subject` names) and `images` up to
    `EXAMPLES` image ids to look at. `fix` says in a few words what `core.data.health.fix` would do,
    or is None where nobody but a person can tell. `data` is what the fix needs.

    Severities: an `error` stops training or is plainly wrong, a `serious` finding makes results
    worse or metrics untrue, a `notice` is worth a look.
    """

    kind: str
    severity: Severity
    message: str
    hint: str
    subject: Subject
    ids: tuple[int, ...] = ()
    images: tuple[int, ...] = ()
    fix: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def count(self) -> int:
        """How many rows it is about."""
        return len(self.ids)

    def to_dict(self) -> dict[str, Any]:
        """Return what programs want to know; the ids only as examples of images."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "message": self.message,
            "hint": self.hint,
            "subject": self.subject,
            "count": self.count,
            "images": list(self.images),
            "fix": self.fix,
        }


@dataclass(frozen=True)
class HealthReport:
    """The findings of a check, the gravest first, and what was looked at.

    `files` says how the image files were looked at, see `core.data.health.check`.
    """

    project: str
    image_size: int
    files: str
    images: int
    annotations: int
    seconds: float
    findings: tuple[Finding, ...]

    def grave(self) -> list[Finding]:
        """Return the findings that training should not start without: errors and serious ones."""
        return [finding for finding in self.findings if finding.severity != "notice"]

    def find(self, kind: str) -> Finding | None:
        """Return the finding of that kind, or None."""
        return next((finding for finding in self.findings if finding.kind == kind), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the report for `batman check --json`."""
        return {
            "project": self.project,
            "image_size": self.image_size,
            "files": self.files,
            "images": self.images,
            "annotations": self.annotations,
            "seconds": round(self.seconds, 3),
            "findings": [finding.to_dict() for finding in self.findings],
        }


def finding_images(project: Project, finding: Finding) -> frozenset[int]:
    """Return the ids of every image that a finding is about.

    For a finding about a class, those are the images that show it.
    """
    ids = json.dumps(list(finding.ids))
    if finding.subject == "image":
        return frozenset(finding.ids) | frozenset(finding.images)
    if finding.subject == "annotation":
        query = "SELECT DISTINCT image_id FROM annotations WHERE id IN"
    elif finding.subject == "class":
        query = "SELECT DISTINCT image_id FROM v_annotations WHERE class_id IN"
    else:
        return frozenset(finding.images)
    rows = project.db.execute(f"{query} (SELECT value FROM json_each(?))", (ids,))
    return frozenset(row[0] for row in rows)
