"""Writes the data set that a run trains on, so that rfdetr cannot fail on it later.

The layout is what rfdetr 1.11.2 reads as "roboflow": `train`, `valid` and `test`, each with
`_annotations.coco.json` beside its images. Category ids count from 0 in the order of the names and
have no supercategory: rfdetr numbers its labels by the position in this list (`datasets/coco.py`),
drops categories that are another's supercategory, and takes the list of `train` for all splits, so
that every split has the same full list. What rfdetr stumbles over deep inside (missing or damaged
image files, boxes without area) is left out here and told in the notes.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from core.common.errors import Cancelled, ConfigError
from core.common.temporary import folder_beside, put_in_place
from core.common.text import clean, plural
from core.data.images.exif_orientation import shown_size, turn_for_boxes
from core.data.importers.clip_box import clip
from core.data.splits.assign import SPLITS, assign_splits
from core.data.versions.names import name_of
from core.data.versions.past import state_of
from core.training.config.class_balance import balance_note, capped
from core.training.config.model_advice import too_many_objects
from core.training.config.options import DatasetInfo, TrainingConfig
from core.training.launch.dataset_files import file_name, place
from core.training.launch.dataset_rows import (
    Box,
    Image,
    listed,
    read_boxes,
    read_classes,
    read_images,
)
from core.training.launch.image_check import check_images

if TYPE_CHECKING:
    from core.data.store import Project

ANNOTATIONS = "_annotations.coco.json"

_REPORT_EVERY = 500


@dataclass(frozen=True, slots=True)
class Progress:
    """How far preparing is: `done` of `total` (None: unknown) in a stage."""

    stage: str
    done: int
    total: int | None


class _Annotation(msgspec.Struct, gc=False):
    id: int
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    area: float
    iscrowd: int


Report = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class DatasetPlan:
    """What a run would train on: images by split, the classes by id, and what was decided."""

    by_split: dict[str, list[Image]]
    names: dict[int, str]
    notes: list[str]
    state: int
    version: str | None

    @property
    def labels(self) -> dict[int, int]:
        """The model's label of each class, by the class's id."""
        return {class_id: at for at, class_id in enumerate(self.names)}

    def info(self, folder: Path) -> DatasetInfo:
        """Return what the run's settings say of it, prepared in `folder`."""
        class_names = list(self.names.values())
        splits = self.by_split.items()
        return DatasetInfo(
            dir=folder,
            fingerprint=_fingerprint(self.by_split, self.labels, class_names),
            class_names=class_names,
            class_ids=list(self.names),
            state=self.state,
            version=self.version,
            images={split: len(part) for split, part in splits},
            annotations={s: sum(len(image.boxes) for image in part) for s, part in splits},
            per_class={split: _per_class(part, self.names) for split, part in splits},
            notes=self.notes,
        )


def plan_dataset(
    project: Project, config: TrainingConfig, report: Report = lambda stage, done, total: None
) -> DatasetPlan:
    """Return the data set that `config` trains on, without writing it.

    Raises ConfigError when there is nothing to learn from.
    """
    notes: list[str] = []
    report("reading", 0, None)
    state = state_of(project)
    images = read_images(project, notes, only_reviewed=config.only_reviewed)
    names = read_classes(project, config.filter_classes)
    crowded = read_boxes(project, images, names)
    if config.filter_classes is not None:
        images = _only_with(images, crowded, notes)
    images = check_files(images, notes, report)
    clip_boxes(images, notes)
    names = _used(names, images, notes)

    plan = assign_splits(
        [image.id for image in images],
        [(at, label) for at, image in enumerate(images) for label in image.classes],
        shares=config.splits,
        seed=config.seed,
        policy=config.split_policy,
        groups=[image.group for image in images],
        imported=[image.split for image in images],
    )
    notes += plan.notes
    by_split = {
        name: [image for image in images if plan.splits[image.id] == name] for name in SPLITS
    }
    by_split["train"] = _sampled(by_split["train"], config, names, notes)
    _refuse_empty(by_split)
    if not by_split["test"]:
        notes.append("There is no test split.")
    counts = Counter(
        sum(not box.crowd for box in image.boxes) for part in by_split.values() for image in part
    )
    crowded_note = too_many_objects(config.model, counts)
    if crowded_note:
        notes.append(crowded_note)
    missing = [names[i] for i in names if not any(i in im.classes for im in by_split["train"])]
    if missing:
        notes.append(f"No image of train shows {listed(missing)}: they cannot be learnt.")
    return DatasetPlan(by_split, names, notes, state, name_of(project, state))


def prepare(
    project: Project,
    config: TrainingConfig,
    out_dir: Path,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> DatasetInfo:
    """Write the data set that `config` trains on into `out_dir` and return what it is.

    Images are hard-linked, or copied where links do not work. The folder is written aside and
    renamed: it is whole or not there; one that is there is replaced. `progress` hears how far it
    is, `cancelled` is asked often. Raises ConfigError when there is nothing to learn from, and
    Cancelled.
    """

    def report(stage: str, done: int, total: int | None) -> None:
        if cancelled is not None and cancelled():
            raise Cancelled("Preparing the data set was cancelled.")
        if progress is not None:
            progress(Progress(stage, done, total))

    plan = plan_dataset(project, config, report)
    class_names = list(plan.names.values())
    try:
        with folder_beside(out_dir) as making:
            total = sum(len(part) for part in plan.by_split.values())
            done = 0
            for split, part in plan.by_split.items():
                if part:
                    folder = making / split
                    write_split(folder, part, plan.labels, class_names, report, done, total)
                    done += len(part)
            put_in_place(making, out_dir)
    except OSError as error:
        raise ConfigError(
            f"The data set cannot be written to '{clean(str(out_dir))}': {error.strerror}.",
            "Free some space, or choose another --output-dir.",
        ) from error
    return plan.info(out_dir.absolute())


def prepare_run(
    project: Project,
    config: TrainingConfig,
    run_dir: Path,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> TrainingConfig:
    """Prepare the data set of the run in `run_dir` in its `dataset` folder.

    Returns the config that names it, relative to the run folder so that the folder can be moved.
    Raises as `prepare` does.
    """
    info = prepare(project, config, run_dir / "dataset", progress, cancelled)
    return config.with_changes(dataset=info.model_copy(update={"dir": Path("dataset")}))


def _only_with(images: list[Image], annotated: set[int], notes: list[str]) -> list[Image]:
    """Leave out images that show only classes which were filtered away; keep empty ones."""
    kept = [image for image in images if image.boxes or image.id not in annotated]
    if len(kept) < len(images):
        notes.append(
            f"{plural(len(images) - len(kept), 'image')} without the chosen classes left out."
        )
    return kept


def check_files(
    images: list[Image], notes: list[str], report: Callable[[str, int, int | None], None]
) -> list[Image]:
    """Look at the image files and return those that can be read, with their sizes; note the rest.

    Raises ConfigError when there is none.
    """
    checks = check_images(
        [image.file for image in images], lambda done: report("checking", done, len(images))
    )
    bad: list[Image] = []
    for image, check in zip(images, checks, strict=True):
        image.check = check
        if check.problem:
            bad.append(image)
            continue
        size = (check.width, check.height)
        image.turn = turn_for_boxes(check.orientation, image.recorded, size)
        width, height = shown_size(size, image.turn)
        image.check = replace(check, width=width, height=height)
    if bad and len(bad) == len(images):
        raise ConfigError(
            f"None of the {len(images)} image files can be read "
            f"({bad[0].check.problem}: {clean(str(bad[0].file))}).",
            "Import the data set again, with --copy if its files move.",
        )
    for problem, count in sorted(Counter(image.check.problem for image in bad).items()):
        shown = [image.path for image in bad if image.check.problem == problem]
        notes.append(f"{plural(count, 'image')} left out, {problem}: {listed(shown)}.")
    turned = sum(image.turn != 1 for image in images)
    if turned:
        notes.append(f"{plural(turned, 'image')} turned upright, as the boxes are.")
    return [image for image in images if not image.check.problem]


def clip_boxes(images: list[Image], notes: list[str]) -> None:
    """Clip the boxes of checked images to them, leave out those that are outside, and note it."""
    clipped = dropped = 0
    for image in images:
        kept = []
        for class_id, x, y, w, h, crowd, area in image.boxes:
            box = clip(x, y, w, h, image.check.width, image.check.height)
            if box is None:
                dropped += 1
                continue
            if box != (x, y, w, h):
                clipped += 1
                area = None if area is None else min(area, box[2] * box[3])
            kept.append(Box(class_id, *box, crowd, area))
        image.boxes = kept
        image.classes = {box.class_id for box in kept}
    if clipped:
        notes.append(f"{plural(clipped, 'box')} clipped to the image.")
    if dropped:
        notes.append(f"{plural(dropped, 'box')} without area in the image left out.")


def _used(names: dict[int, str], images: list[Image], notes: list[str]) -> dict[int, str]:
    shown = set().union(*(image.classes for image in images))
    if not shown:
        raise ConfigError(
            "No image has a box to learn from.",
            "Import annotations, or filter by other classes.",
        )
    unused = [name for class_id, name in names.items() if class_id not in shown]
    if unused:
        notes.append(f"{plural(len(unused), 'class')} without a box left out: {listed(unused)}.")
    return {class_id: name for class_id, name in names.items() if class_id in shown}


def _sampled(
    images: list[Image], config: TrainingConfig, names: dict[int, str], notes: list[str]
) -> list[Image]:
    """Return the images of train that are learnt from, and note what the sampling will do."""
    if config.max_per_class is not None:
        kept = capped(
            [image.classes for image in images],
            [image.group for image in images],
            config.max_per_class,
            config.seed,
        )
        if len(kept) < len(images):
            notes.append(
                f"Train keeps {len(kept):,} of {plural(len(images), 'image')}, about "
                f"{config.max_per_class:,} of each class."
            )
        images = [images[at] for at in kept]
    if config.balance:
        notes.append(balance_note([image.classes for image in images], names, config.balance))
    return images


def _refuse_empty(by_split: dict[str, list[Image]]) -> None:
    for split in ("train", "valid"):
        if not any(image.boxes for image in by_split[split]):
            total = sum(len(part) for part in by_split.values())
            has = "an image" if not by_split[split] else "a box"
            raise ConfigError(
                f"The {split} split has not {has} ({plural(total, 'image')} in all).",
                "Import more images: train and valid each need one with a box."
                if total < 4
                else "Draw new splits with --split-policy random, or label more images.",
            )


def write_split(
    folder: Path,
    images: list[Image],
    labels: dict[int, int],
    class_names: list[str],
    report: Callable[[str, int, int | None], None],
    before: int,
    total: int,
) -> None:
    """Write one split: its images, each under a name of its own, and their annotations."""
    folder.mkdir()
    files = [file_name(image.id, image.name, image.path) for image in images]
    with ThreadPoolExecutor(8) as pool:
        jobs = [
            pool.submit(place, image.file, folder / name, image.turn)
            for image, name in zip(images, files, strict=True)
        ]
        try:
            for done, job in enumerate(jobs):
                job.result()
                if done % _REPORT_EVERY == 0:
                    report("writing", before + done, total)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    records: list[dict[str, Any]] = []
    annotations: list[_Annotation] = []
    for number, (image, name) in enumerate(zip(images, files, strict=True), 1):
        size = {"width": image.check.width, "height": image.check.height}
        records.append({"id": number, "file_name": name, **size})
        for class_id, x, y, w, h, crowd, area in image.boxes:
            at = len(annotations) + 1
            area = w * h if area is None else area
            annotations.append(_Annotation(at, number, labels[class_id], (x, y, w, h), area, crowd))
    categories = [
        {"id": at, "name": name, "supercategory": "none"} for at, name in enumerate(class_names)
    ]
    content = {"info": {}, "images": records, "annotations": annotations, "categories": categories}
    (folder / ANNOTATIONS).write_bytes(msgspec.json.encode(content))
    report("writing", before + len(images), total)


def _per_class(images: list[Image], names: dict[int, str]) -> dict[str, int]:
    counts = Counter(box.class_id for image in images for box in image.boxes)
    return {name: counts[class_id] for class_id, name in names.items()}


def _fingerprint(
    by_split: dict[str, list[Image]], labels: dict[int, int], class_names: list[str]
) -> str:
    """Return a SHA-256 of what is learnt: files by path and size, boxes, classes and splits.

    How often an epoch shows an image is no part of it, nor are the areas of objects, by which a
    validation only sorts them.
    """
    digest = hashlib.sha256(msgspec.json.encode(class_names))
    for split, images in by_split.items():
        digest.update(split.encode())
        for image in sorted(images, key=lambda image: image.path):
            boxes = sorted((labels[box.class_id], *box[1:6]) for box in image.boxes)
            digest.update(msgspec.json.encode((image.path, image.check.bytes, boxes)))
    return digest.hexdigest()
