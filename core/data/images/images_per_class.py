"""Which images show which classes, for counts over a whole project.

Read as one list of numbers a label and joined in memory: a million annotations take a tenth of the
time that the views need for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from core.data.store import Project
from core.late import late

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = late("numpy")


Ids: TypeAlias = "NDArray[np.int64]"


def boxes_shown(project: Project) -> tuple[Ids, Ids]:
    """Return class id and image id of every visible annotation (n,), by class, then image.

    An annotation on an image that was taken out is none: it was taken out with it.
    """
    classes: list[Ids] = [np.empty(0, np.int64)]
    images: list[Ids] = [np.empty(0, np.int64)]
    for class_id, listed in lists_shown(project):
        some = np.fromstring(listed, dtype=np.int64, sep=",")
        images.append(some)
        classes.append(np.full(len(some), class_id, np.int64))
    both = np.concatenate(classes), np.concatenate(images)
    # Each label's images come in order, so that there is little to sort.
    order = np.lexsort((both[1], both[0]))
    return both[0][order], both[1][order]


def lists_shown(project: Project) -> Iterator[tuple[int, str]]:
    """Yield class id and image ids, with commas between them, of every label's annotations.

    An image stands there once for each of its annotations; a class may have several labels. Those
    of images that were taken out are among them where only the image was.
    """
    for class_id, listed in project.db.execute(
        "SELECT class_id, (SELECT group_concat(image_id) FROM annotations"
        " WHERE label_id = labels.id AND deleted = 0)"
        " FROM labels JOIN imports ON imports.id = import_id"
        " WHERE active = 1 AND class_id IS NOT NULL AND annotations > 0 ORDER BY class_id"
    ):
        if listed:
            yield class_id, listed


def count_images(project: Project, labels: Sequence[int]) -> int:
    """Return on how many images any of these labels is."""
    found: list[Ids] = []
    for label in labels:
        (listed,) = project.db.execute(
            "SELECT group_concat(image_id) FROM annotations WHERE label_id = ? AND deleted = 0",
            (label,),
        ).fetchone()
        if listed:
            found.append(np.fromstring(listed, dtype=np.int64, sep=","))
    if not found:
        return 0
    seen = np.zeros(max(int(images.max()) for images in found) + 1, dtype=bool)
    for images in found:
        seen[images] = True
    return int(np.count_nonzero(seen))


def classes_shown(project: Project) -> tuple[Ids, Ids]:
    """Return class id and image id (n,) of every class that an image shows, each pair once."""
    return distinct(*boxes_shown(project))


def distinct(classes: Ids, images: Ids) -> tuple[Ids, Ids]:
    """Return the pairs of `boxes_shown` with each pair once."""
    first = np.ones(len(classes), dtype=bool)
    first[1:] = (np.diff(classes) != 0) | (np.diff(images) != 0)
    return classes[first], images[first]


def boxes_by_image(project: Project) -> dict[int, int]:
    """Return the number of visible boxes of each image that has any, by image id."""
    counts = np.bincount(boxes_shown(project)[1])
    having = np.flatnonzero(counts)
    return dict(zip(having.tolist(), counts[having].tolist(), strict=True))
