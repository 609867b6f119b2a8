"""A few images of a project as a data set: prepared as all of them would be, in a moment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.common.errors import ConfigError
from core.common.text import clean
from core.training.config.options import DatasetInfo, TrainingConfig
from core.training.launch.dataset import check_files, clip_boxes, write_split
from core.training.launch.dataset_rows import Image, read_boxes, read_classes, read_images

if TYPE_CHECKING:
    from core.data.store import Project


def write_sample(
    project: Project, config: TrainingConfig, count: int, folder: Path, valid: int = 1
) -> tuple[DatasetInfo, list[Image]]:
    """Write `count` of the images that `config` would learn from into `folder`, as `prepare` does.

    They lie evenly in the order of the project, have boxes of the classes learnt, and are none of
    valid and test where the import has splits. valid holds the first `valid` of them, for rfdetr
    wants one.
    Returns what the run's settings would say of the set, and the images. Raises ConfigError when
    there is none.
    """
    images = read_images(project, [], only_reviewed=config.only_reviewed)
    names = read_classes(project, config.filter_classes)
    read_boxes(project, images, names)
    with_boxes = [image for image in images if image.boxes]
    learnt = [image for image in with_boxes if image.split in (None, "train")] or with_boxes
    if not learnt:
        raise ConfigError(
            f"No image of '{clean(project.name)}' has a box to learn from.",
            "Import annotations, label images, or filter by other classes.",
        )
    at = sorted({round(i * (len(learnt) - 1) / max(1, count - 1)) for i in range(count)})
    chosen = check_files([learnt[i] for i in at], [], lambda stage, done, total: None)
    clip_boxes(chosen, [])
    chosen = [image for image in chosen if image.boxes]
    if not chosen:
        raise ConfigError("None of the images that were looked at has a box inside it.")
    labels = {class_id: label for label, class_id in enumerate(names)}
    class_names = list(names.values())
    for split, part in (("train", chosen), ("valid", chosen[:valid])):
        write_split(
            folder / split, part, labels, class_names, lambda stage, done, total: None, 0, len(part)
        )
    boxes = sum(len(image.boxes) for image in chosen)
    info = DatasetInfo(
        dir=folder.absolute(),
        fingerprint="",
        class_names=class_names,
        class_ids=list(names),
        images={"train": len(chosen), "valid": len(chosen[:valid]), "test": 0},
        annotations={
            "train": boxes,
            "valid": sum(len(image.boxes) for image in chosen[:valid]),
            "test": 0,
        },
    )
    return info, chosen
