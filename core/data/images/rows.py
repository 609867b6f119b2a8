"""The images of a project as lists show them: what is on each, its boxes, and taking some out.

Made for projects of a hundred thousand images: what a list shows is read for the rows in sight.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from core.common.lists.columns import Column, by_key
from core.common.text import plural
from core.data.store import HistoryEntry, Project


@dataclass(frozen=True)
class ImageLine:
    """An image as a list shows it; `classes` are (name, boxes), the most frequent first.

    `review` is None (nobody looked), `done` or `later`; `open` counts its open suggestions.
    """

    id: int
    name: str
    path: str
    width: int
    height: int
    split: str | None
    group: str | None
    time: float | None
    import_id: int
    boxes: int
    classes: tuple[tuple[str, int], ...] = field(default=())
    review: str | None = None
    open: int = 0


@dataclass(frozen=True)
class Box:
    """A box in pixels of the image: left, top, width, height, and its class."""

    id: int
    class_id: int
    class_name: str
    x: float
    y: float
    w: float
    h: float


def image_lines(project: Project, ids: Sequence[int]) -> list[ImageLine]:
    """Return what a list shows of the images with `ids`, in that order, missing ones left out."""
    wanted = json.dumps(list(ids))
    classes: dict[int, list[tuple[str, int]]] = {}
    for image, name, count in project.db.execute(
        "SELECT a.image_id, c.name, count(*) AS n FROM annotations a"
        " JOIN labels l ON l.id = a.label_id JOIN classes c ON c.id = l.class_id"
        " WHERE a.deleted = 0 AND a.image_id IN (SELECT value FROM json_each(?))"
        " GROUP BY a.image_id, c.id ORDER BY n DESC, c.name",
        (wanted,),
    ):
        classes.setdefault(image, []).append((name, count))
    suggested = dict(
        project.db.execute(
            "SELECT image_id, count(*) FROM v_suggestions WHERE state = 'open'"
            " AND image_id IN (SELECT value FROM json_each(?)) GROUP BY image_id",
            (wanted,),
        ).fetchall()
    )
    found = {
        row["id"]: ImageLine(
            id=row["id"],
            name=row["name"],
            path=row["path"],
            width=row["width"],
            height=row["height"],
            split=row["split"],
            group=row["grp"],
            time=row["time"],
            import_id=row["import_id"],
            boxes=sum(count for _, count in classes.get(row["id"], ())),
            classes=tuple(classes.get(row["id"], ())),
            review=row["review"],
            open=suggested.get(row["id"], 0),
        )
        for row in project.db.execute(
            "SELECT * FROM v_images WHERE id IN (SELECT value FROM json_each(?))", (wanted,)
        )
    }
    return [found[image] for image in ids if image in found]


def image_boxes(project: Project, image_id: int) -> list[Box]:
    """Return the visible boxes of an image, the largest first."""
    rows = project.db.execute(
        "SELECT id, class_id, class_name, x, y, w, h FROM v_annotations WHERE image_id = ?"
        " ORDER BY w * h DESC, id",
        (image_id,),
    )
    return [Box(*row) for row in rows]


def image_path(project: Project, image_id: int) -> Path | None:
    """Return the file of a visible image, or None when there is no such image."""
    row = project.db.execute("SELECT path FROM v_images WHERE id = ?", (image_id,)).fetchone()
    return None if row is None else project.image_file(row["path"])


def delete_images(project: Project, ids: Sequence[int]) -> HistoryEntry | None:
    """Take images out of the project with their boxes, as one step that can be undone.

    Files stay where they are. Returns None when none of the images was there.
    """
    wanted = json.dumps(list(ids))
    with project.change("images.delete", "delete images") as change:
        images = [
            row[0]
            for row in project.db.execute(
                "SELECT id FROM v_images WHERE id IN (SELECT value FROM json_each(?))", (wanted,)
            )
        ]
        boxes = [
            row[0]
            for row in project.db.execute(
                "SELECT id FROM annotations WHERE deleted = 0"
                " AND image_id IN (SELECT value FROM json_each(?))",
                (json.dumps(images),),
            )
        ]
        change.update_many("images", ["deleted"], [(image, 1) for image in images])
        change.update_many("annotations", ["deleted"], [(box, 1) for box in boxes])
        if change.empty:
            return None
        project.describe(
            change,
            f"Deleted {plural(len(images), 'image')} with {plural(len(boxes), 'annotation')}",
            {"images": len(images), "annotations": len(boxes)},
        )
    return project.entry(change.history_id)


def _classes(line: ImageLine) -> str | None:
    """Return the classes on an image, with how many of each."""
    return ", ".join(f"{name} {count}" for name, count in line.classes) or None


def _classes_seen(line: ImageLine, now: datetime) -> str | None:
    many = (f"{name} {count}" if count > 1 else name for name, count in line.classes)
    return ", ".join(many) or None


def _review_seen(line: ImageLine, now: datetime) -> str | None:
    return {None: None, "done": "reviewed", "later": "put off"}[line.review]


IMAGE_COLUMNS = by_key(
    [
        Column[ImageLine]("name", "Name", lambda line: line.name, least=16),
        Column("split", "Split", lambda line: line.split, width=6),
        Column("boxes", "Boxes", lambda line: line.boxes, "number", 7),
        Column("classes", "Classes", _classes, from_width=56, muted=True, seen=_classes_seen),
        Column("size", "Size", lambda line: f"{line.width}×{line.height}", width=11, from_width=78),
        Column("import", "Import", lambda line: line.import_id, "number", 7, from_width=90),
        Column(
            "review",
            "Review",
            lambda line: line.review,
            width=8,
            from_width=100,
            muted=True,
            seen=_review_seen,
        ),
        Column("open", "Open", lambda line: line.open or None, "number", 7, from_width=108),
    ]
)
