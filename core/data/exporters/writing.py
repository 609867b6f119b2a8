"""The common head of exports: one moment of the project, one folder, one report."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from core.common.files import FileMode
from core.common.progress import Progress
from core.data.exporters.snapshot import (
    SPLITS,
    ExportReport,
    Image,
    Made,
    Row,
    Snapshot,
    at_one_moment,
    staged,
)
from core.data.importers.boxes import around
from core.data.importers.report import Watch
from core.data.store import Project

_SUBSETS: Mapping[str | None, str] = {split: split for split in SPLITS} | {None: ""}
# Outlines are written with three decimals; a box that differs by more was changed by itself.
_SAME = 0.002
# What is said of a format without a place for them.
OUTLINES = "outlines, whose boxes are written"

Kept = Literal["origin", "model", "score", "track"]
"""What a format may say of where a box is from (`core.data.exporters.snapshot.Made`)."""
_NOT_KEPT: Mapping[Kept, str] = {
    "origin": "origins of boxes (by a person or a model, changed by hand)",
    "model": "names of models",
    "score": "scores of models",
    "track": "tracks of boxes",
}
_REVIEWS = "reviews of images"


@dataclass
class Labelled:
    """What a format wrote: how many annotations, and what it could not hold."""

    annotations: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    made: Mapping[int, Made] = field(default_factory=dict)
    keeps: Collection[Kept] = ()

    def kept(self, rows: list[Row]) -> list[Row]:
        """Return the rows without crowd regions, which most formats have none of; count both."""
        kept = [row for row in rows if not row[7]]
        self.lost("crowd regions", len(rows) - len(kept))
        self.count(kept)
        return kept

    def count(self, rows: list[Row]) -> None:
        """Count rows that are written, and what of their origin there is no place for."""
        self.annotations += len(rows)
        self.seen.update(row[2] for row in rows)
        if self.made:
            self._origins([of for row in rows if (of := self.made.get(row[0])) is not None])

    def _origins(self, made: list[Made]) -> None:
        """Count what is known of boxes and the format has no place for."""
        said: Mapping[Kept, int] = {
            "origin": sum(of.source is not None or of.edited for of in made),
            "model": sum(of.model is not None for of in made),
            "score": sum(of.score is not None for of in made),
            "track": sum(of.track is not None for of in made),
        }
        for what, count in said.items():
            if what not in self.keeps:
                self.lost(_NOT_KEPT[what], count)

    def boxes(self, rows: list[Row]) -> list[Row]:
        """Return the rows that `kept` does, for a format of boxes; count outlines too."""
        kept = self.kept(rows)
        self.lost(OUTLINES, sum(row[8] is not None for row in kept))
        return kept

    def without_box(self, snapshot: Snapshot) -> None:
        """Count the classes without a box, for a format that names those of its boxes only."""
        self.lost("classes without a box", len(snapshot.classes) - len(self.seen))

    def lost(self, what: str, count: int = 1) -> None:
        """Note that something could not be written."""
        if count:
            self.left_out[what] = self.left_out.get(what, 0) + count


def split_of(snapshot: Snapshot, image: Image) -> str | None:
    """Return the split of an image, None when it has none."""
    return None if image.id in snapshot.unsplit else image.split


def place_of(snapshot: Snapshot, image: Image, subsets: Mapping[str | None, str] = _SUBSETS) -> str:
    """Return where an image lies in the export: `images/train/a.jpg`, without a split `images/`."""
    subset = subsets[split_of(snapshot, image)]
    return f"images/{subset}/{image.name}" if subset else f"images/{image.name}"


# Writes the labels into a folder.
Write = Callable[[Snapshot, Path, Labelled], None]
# Where below the export's folder an image lies.
Place = Callable[[Snapshot, Image], str]


def export_labels(
    write: Write,
    project: Project,
    out: Path,
    *,
    place: Place = place_of,
    keeps: Collection[Kept] = (),
    files: FileMode = "link",
    only_reviewed: bool = False,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ExportReport:
    """Write the project to the new folder `out`: labels by `write`, images where `place` says.

    `place` says where below the folder an image lies, `keeps` what of the origin of a box `write`
    says: the rest is counted, and so are reviews, which none of these formats has.
    Images are hard-linked where the file system allows, or copied with `files="copy"`;
    `only_reviewed` leaves out those that nobody has reviewed. Raises
    `ExportFailed` when `out` is not empty or cannot be written, and `Cancelled`; nothing is left
    then.
    """
    watch = Watch(progress, cancelled, "export")
    labelled = Labelled(keeps=keeps)
    with staged(out) as folder:
        with at_one_moment(project):
            snapshot = Snapshot(project, watch, only_reviewed=only_reviewed)
            targets = {image.id: folder / place(snapshot, image) for image in snapshot.images}
            for parent in {target.parent for target in targets.values()}:
                parent.mkdir(parents=True, exist_ok=True)
            labelled.made = snapshot.made()
            write(snapshot, folder, labelled)
            labelled.lost(_REVIEWS, snapshot.reviews())
        snapshot.place_at({key: str(target) for key, target in targets.items()}, files)
    return ExportReport(
        path=Path(out),
        images=len(snapshot.images),
        annotations=labelled.annotations,
        classes=snapshot.classes,
        splits=snapshot.splits(),
        missing=snapshot.missing,
        turned=snapshot.turned,
        unreviewed=snapshot.unreviewed,
        left_out=labelled.left_out,
    )


def decimal(value: float) -> str:
    """Return a number of pixels with as many digits as it has, at most ten: `4`, `20.5`."""
    return f"{value:.10g}" if abs(value) < 1e9 else str(round(value))


class Object(NamedTuple):
    """What an image shows: the annotation, its class's number, box, and outline if it has one.

    An outline is x, y, x, y, … in pixels.
    """

    id: int
    number: int
    box: tuple[float, float, float, float]
    outline: list[float] | None


def objects(rows: list[Row], labelled: Labelled, *, outlines: bool = True) -> list[Object]:
    """Return what an image shows.

    Crowd regions are left out, for no labelling program has them; an outline of several parts, one
    as run lengths, or one that the box no longer is around gives way to the box. Both are noted.
    """
    found = []
    for row_id, _, number, x, y, w, h, _, shape in labelled.kept(rows):
        outline = _outline(shape, (x, y, w, h)) if outlines else None
        if shape is not None and outline is None:
            labelled.lost(OUTLINES)
        found.append(Object(row_id, number, (x, y, w, h), outline))
    return found


def _outline(shape: str | None, box: tuple[float, float, float, float]) -> list[float] | None:
    parts = msgspec.json.decode(shape) if shape else None
    if not isinstance(parts, list) or len(parts) != 1 or len(parts[0]) < 6:
        return None
    points: list[float] = parts[0]
    same = all(abs(a - b) <= _SAME for a, b in zip(around(points), box, strict=True))
    return points if same else None
