"""The images, classes and boxes of a project, as the data set of a run is made of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from core.common.errors import ConfigError
from core.common.text import clean, did_you_mean, sentence
from core.data.images.reviewed import count_unreviewed, left_out, none_reviewed, where
from core.data.importers.coco.shape_area import object_area
from core.training.launch.image_check import FileCheck

if TYPE_CHECKING:
    from core.data.store import Project


class Box(NamedTuple):
    """A box of a class; `area` in pixels, None for that of the box."""

    class_id: int
    x: float
    y: float
    w: float
    h: float
    crowd: int
    area: float | None


@dataclass(slots=True)
class Image:
    """An image: its row, what its file is like, and the boxes on it of the classes learnt."""

    id: int
    path: str
    name: str
    split: str | None
    group: str | None
    file: Path
    recorded: tuple[int, int]
    turn: int = 1
    check: FileCheck = field(default_factory=FileCheck)
    boxes: list[Box] = field(default_factory=list)
    classes: set[int] = field(default_factory=set)


def read_images(project: Project, notes: list[str], *, only_reviewed: bool) -> list[Image]:
    """Return the images to train on, and note what `only_reviewed` leaves out.

    Raises ConfigError when there is none.
    """
    rows = project.db.execute(
        "SELECT id, path, name, split, grp, width, height FROM v_images"
        f"{where(only_reviewed)} ORDER BY id"
    )
    images = [
        Image(row["id"], row["path"], row["name"], row["split"], row["grp"],
               project.image_file(row["path"]), (row["width"], row["height"]))
        for row in rows
    ]  # fmt: skip
    left = count_unreviewed(project) if only_reviewed else 0
    if left and not images:
        raise none_reviewed(project, ConfigError)
    if left:
        notes.append(left_out(left))
    if not images:
        raise ConfigError(
            f"The project '{clean(project.name)}' has no images.", "Import a data set first."
        )
    return images


def read_classes(project: Project, wanted: Sequence[str] | None) -> dict[int, str]:
    """Return the classes to train on by id, in the order of their names."""
    rows = project.db.execute("SELECT id, name FROM classes ORDER BY name").fetchall()
    names = {row["id"]: row["name"] for row in rows}
    if wanted is None:
        return names
    wanted = meant_classes(wanted, names.values())
    for name in wanted:
        if name not in names.values():
            guess = did_you_mean(name, names.values())
            raise ConfigError(
                f"There is no class '{clean(name)}' to filter by.",
                sentence(guess) if guess else f"Classes: {listed(list(names.values()))}.",
            )
    return {class_id: name for class_id, name in names.items() if name in wanted}


def meant_classes(wanted: Sequence[str], known: Collection[str]) -> list[str]:
    """Return the names in `wanted`; of one that is not known, its parts between bars or commas.

    A class may have either in its name: it is meant where there is one of that name, and the
    parts only where all of them are.
    """
    found: list[str] = []
    for name in wanted:
        parts = [part.strip() for part in name.split("|" if "|" in name else ",")]
        found += parts if name not in known and set(parts) <= set(known) else [name]
    return list(dict.fromkeys(found))


def read_boxes(project: Project, images: list[Image], names: dict[int, str]) -> set[int]:
    """Give the images their boxes of the classes in `names`; return ids of all that have any."""
    by_id = {image.id: image for image in images}
    annotated: set[int] = set()
    rows = project.db.execute(
        "SELECT image_id, class_id, x, y, w, h, iscrowd, area, segmentation FROM v_annotations"
        " ORDER BY image_id, id"
    )
    for image_id, class_id, x, y, w, h, crowd, area, shape in rows:
        annotated.add(image_id)
        image = by_id.get(image_id)
        if image is not None and class_id in names:
            if area is None and shape is not None:
                area = object_area(None, shape, (x, y, w, h))
            image.boxes.append(Box(class_id, x, y, w, h, crowd, area))
    return annotated


def listed(names: Sequence[str], most: int = 5) -> str:
    """Return names for a sentence: all of them, or the first few and how many more."""
    shown = ", ".join(f"'{clean(name)}'" for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
