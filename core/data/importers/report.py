"""What an import tells: how far it is, what was wrong, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from core.common.errors import Cancelled
from core.common.progress import Progress
from core.privacy.secrets import redact_tree

Action = Literal["left out", "clipped", "kept"]

# A data set that is wrong throughout has a problem a record: all are counted, so many are listed.
LISTED_OF_A_KIND = 1000


@dataclass(frozen=True)
class Problem:
    """One record that could not be taken as it is: where, what is wrong, and what was done."""

    kind: str
    where: str
    detail: str
    action: Action


class Problems:
    """The problems of one import: every one counted, the first thousand of each kind listed."""

    def __init__(self) -> None:
        self.listed: list[Problem] = []
        self.counts: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()

    def add(self, kind: str, where: str, detail: str, action: Action = "left out") -> None:
        """Note one problem."""
        self.counts[kind] += 1
        if action == "left out":
            self.left_out[kind] += 1
        if self.counts[kind] <= LISTED_OF_A_KIND:
            self.listed.append(Problem(kind, where, detail, action))

    def take(self, others: Problems) -> None:
        """Take over the problems of another part of the import."""
        self.listed += others.listed
        self.counts += others.counts
        self.left_out += others.left_out


@dataclass(frozen=True)
class ImportReport:
    """What one import brought. `problems` lists at most 1,000 of a kind, `counts` counts all."""

    import_id: int
    kind: str
    origin: str
    images: int
    annotations: int
    classes: list[str]
    problems: list[Problem]
    files: str = "link"
    splits: dict[str, int] = field(default_factory=dict)
    problem_counts: dict[str, int] = field(default_factory=dict)
    balance: dict[str, Any] = field(default_factory=dict)
    """Where everything went that lay at the path, see `balance.sheet.Sheet`."""

    def counts(self) -> dict[str, int]:
        """Return how many problems of each kind there were."""
        return dict(self.problem_counts)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values, for files and programs, without secrets."""
        values = {
            "import_id": self.import_id,
            "kind": self.kind,
            "origin": self.origin,
            "images": self.images,
            "annotations": self.annotations,
            "classes": self.classes,
            "splits": self.splits,
            "files": self.files,
            "balance": self.balance,
            "problem_counts": self.problem_counts,
            "problems": [
                {"kind": p.kind, "where": p.where, "detail": p.detail, "action": p.action}
                for p in self.problems
            ],
        }
        return dict(redact_tree(values))


def together(reports: Sequence[ImportReport]) -> ImportReport:
    """Return one report of the several that one import gave, at least one; ids are the first's."""
    counts: Counter[str] = Counter()
    splits: Counter[str] = Counter()
    for report in reports:
        counts.update(report.counts())
        splits.update(report.splits)
    return replace(
        reports[0],
        images=sum(report.images for report in reports),
        annotations=sum(report.annotations for report in reports),
        classes=list(dict.fromkeys(name for report in reports for name in report.classes)),
        problems=[problem for report in reports for problem in report.problems],
        splits=dict(splits),
        problem_counts=dict(counts),
    )


class Watch:
    """Where an import or export says how far it is, and learns that the person stops it.

    `scratch` gives a reader a folder for pictures that lie within other files, which is gone once
    they are stored; None where there is no such folder, or pictures are to be left in place.
    """

    def __init__(
        self,
        progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        what: str = "import",
        scratch: Callable[[], Path] | None = None,
    ) -> None:
        self._progress = progress
        self._cancelled = cancelled
        self._what = what
        self.scratch = scratch

    def tick(self, stage: str, done: int, total: int | None = None) -> None:
        """Report progress. Raises `Cancelled` when the person stopped it."""
        if self._cancelled is not None and self._cancelled():
            raise Cancelled(f"The {self._what} was stopped.", "Everything is as it was before.")
        if self._progress is not None:
            self._progress(Progress(stage, done, total))
