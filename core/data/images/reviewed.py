"""Images whose labels a person has reviewed: what training and exports may be held to.

An image that was put off for later is not reviewed; one that is and has no box shows none of the
classes, and is kept as such.
"""

from __future__ import annotations

from typing import TypeVar

from core.common.errors import BatmanError
from core.common.text import clean, plural
from core.data.store import Project

Refusal = TypeVar("Refusal", bound=BatmanError)

WHERE_REVIEWED = "review = 'done'"


def where(only_reviewed: bool) -> str:
    """Return the end of a query of `v_images` that finds the reviewed images, or all of them."""
    return f" WHERE {WHERE_REVIEWED}" if only_reviewed else ""


def count_unreviewed(project: Project) -> int:
    """Return how many visible images nobody has reviewed."""
    row = project.db.execute(
        f"SELECT count(*) FROM v_images WHERE NOT coalesce({WHERE_REVIEWED}, 0)"
    ).fetchone()
    return int(row[0])


def reviewed_boxes(project: Project) -> int:
    """Return how many visible annotations are on reviewed images."""
    row = project.db.execute(
        "SELECT count(*) FROM v_annotations"
        f" WHERE image_id IN (SELECT id FROM v_images WHERE {WHERE_REVIEWED})"
    ).fetchone()
    return int(row[0])


def images_by_boxes(project: Project, only_reviewed: bool) -> dict[int, int]:
    """Return how many visible images, or reviewed ones, there are by their count of boxes.

    Crowds are no objects to find; images without a box are not counted.
    """
    rows = project.db.execute(
        "SELECT boxes, count(*) FROM (SELECT count(*) AS boxes FROM v_annotations"
        f" WHERE iscrowd = 0 AND image_id IN (SELECT id FROM v_images{where(only_reviewed)})"
        " GROUP BY image_id) GROUP BY boxes"
    )
    return {int(boxes): int(images) for boxes, images in rows}


def left_out(count: int) -> str:
    """Return the sentence about images that `--only-reviewed` leaves out."""
    were = "was" if count == 1 else "were"
    return f"{plural(count, 'image')} that {were} not reviewed left out."


def none_reviewed(project: Project, kind: type[Refusal]) -> Refusal:
    """Return the error, of the given `kind`, for a project in which nothing is reviewed."""
    total = count_unreviewed(project)
    which = f"None of the {plural(total, 'image')} has" if total > 1 else "The image has not"
    return kind(
        f"{which} been reviewed in the project '{clean(project.name)}'.",
        "Review some, or leave out --only-reviewed.",
    )
