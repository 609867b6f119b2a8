"""Look at the pictures of a pass and write down what a labeller finds, a picture a line.

Stopped or killed at any moment it goes on where it was. The heavy libraries are imported inside
functions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.autolabel.choice import Choice
from core.autolabel.labellers.labeller import Labeller, Looked
from core.autolabel.pass_folder import (
    Begun,
    FoundLine,
    FoundWriter,
    PassFolder,
    PassTask,
    Row,
    TaskImage,
)
from core.common.errors import BatmanError, Cancelled
from core.common.progress import Cancelled as IsCancelled
from core.common.progress import Progress, Report, never, nothing
from core.common.text import clean, plural
from core.data.images.picture_files import Unreadable, read_picture
from core.data.labels.passes import clipped
from core.data.labels.suppress import suppress

if TYPE_CHECKING:
    from PIL import Image

    from core.models.detector import Prediction

STAGE = "pictures"


@dataclass(frozen=True)
class LabelOptions:
    """The folder of the pass that a child goes on with."""

    folder: Path


@dataclass(frozen=True)
class Labelled:
    """How far a pass is: `done` of `total` pictures, of which `unreadable` could not be read."""

    done: int
    total: int
    unreadable: int
    objects: int


def label(
    path: Path,
    report: Report = nothing,
    cancelled: IsCancelled = never,
    *,
    images: Path | None = None,
    weights: Path | None = None,
    device: str | None = None,
) -> Labelled:
    """Go on with the pass in the folder `path` until every picture has its line.

    `images`, `weights` and `device` stand in for what its task says, for a job on another machine.
    Raises BatmanError when the folder is no pass or another process is at it, what the labeller has
    against its weights or the device, and Cancelled; what was found so far stays.
    """
    folder = PassFolder(path)
    with folder.locked():
        task = folder.task()
        wanted = folder.images()
        done = folder.done()
        left = [image for image in wanted if image.id not in done]
        if left:
            root = images.absolute() if images else folder.resolve(task.images)
            if not root.is_dir():
                raise BatmanError(
                    f"The folder of the pictures, '{clean(str(root))}', is not there.",
                    "Say where they lie with --images, or begin the pass again.",
                )
            report(Progress("loading the labeller", 0))
            labeller = open_labeller(
                task,
                weights or folder.resolve(task.weights),
                root,
                wanted,
                device or task.device,
                len(left),
            )
            # Loading takes long enough to be stopped meanwhile.
            _stop_if(cancelled, len(wanted) - len(left), len(wanted))
            _label(folder, labeller, root, left, len(wanted), report, cancelled)
    count: Counter[str] = Counter()
    for line in folder.found():
        if line.image is not None:
            count.update(done=1, unreadable=line.error is not None, objects=len(line.boxes))
    return Labelled(count["done"], len(wanted), count["unreadable"], count["objects"])


def open_labeller(
    task: PassTask,
    weights: Path,
    root: Path,
    images: Sequence[TaskImage],
    device: str,
    left: int = 1,
) -> Labeller:
    """Load the labeller of a task, `left` of whose pictures are to be looked at.

    Raises BatmanError for what is missing or does not fit.
    """
    if task.kind in ("run", "coco"):
        from core.autolabel.labellers.detectors import open_coco, open_run
        from core.models.find import find_checkpoint
        from core.models.load import many
        from core.training.launch.local import require_trainer

        if task.kind == "run":
            weights = find_checkpoint(weights)
        else:
            require_trainer()
        options: dict[str, Any] = {
            "least": task.least,
            "device": device,
            "batch_size": task.batch_size,
        }
        if task.kind == "run":
            return open_run(
                weights,
                task.classes,
                task.mapping,
                backend=task.backend,
                throughput=many(left, task.batch_size),
                **options,
            )
        size = task.model.removeprefix("coco:")
        return open_coco(weights, size, task.classes, task.mapping, **options)
    from core.autolabel.labellers.pretrained import require_transformers
    from core.autolabel.weights import require_files

    require_transformers()
    require_files(weights, Choice(task.kind, task.model))
    return _open_pretrained(task, weights, root, images, device)


def _open_pretrained(
    task: PassTask, weights: Path, root: Path, images: Sequence[TaskImage], device: str
) -> Labeller:
    if task.kind == "sam3":
        from core.autolabel.labellers.sam3 import open_sam3

        return open_sam3(weights, task.classes, least=task.least, device=device)
    if task.kind == "owlv2":
        from core.autolabel.labellers.owlv2 import open_owlv2

        crops, notes = _crops(task, root, images)
        labeller = open_owlv2(weights, task.classes, crops, least=task.least, device=device)
        labeller.notes += notes
        return labeller
    from core.autolabel.labellers.grounding_dino import open_grounding_dino

    return open_grounding_dino(weights, task.classes, least=task.least, device=device)


def _crops(
    task: PassTask, root: Path, images: Sequence[TaskImage]
) -> tuple[dict[int, list[Image.Image]], list[str]]:
    """Return the pictures of the examples of each class (its position), and of which there is none.

    Examples may lie on pictures that are not looked at: those come with the task's examples.
    """
    known = {image.id: image for image in (*images, *task.example_images)}
    crops: dict[int, list[Image.Image]] = {}
    notes = []
    for place, row in enumerate(task.classes):
        for example in row.examples:
            image = known.get(example.image)
            if image is None or not example.like:
                continue
            try:
                picture = _read(root, image)
            except Unreadable as error:
                notes.append(f"an example of '{row.name}' is left out: '{image.path}' {error}")
                continue
            across, down = picture.width / image.width, picture.height / image.height
            x, y, w, h = example.box
            area = (x * across, y * down, (x + w) * across, (y + h) * down)
            crops.setdefault(place, []).append(picture.crop(area))
    return crops, notes


def _label(
    folder: PassFolder,
    labeller: Labeller,
    root: Path,
    left: Sequence[TaskImage],
    total: int,
    report: Report,
    cancelled: IsCancelled,
) -> None:
    from core.models.prefetch import in_batches, side_by_side

    least = folder.task().least
    done = total - len(left)

    def load(image: TaskImage) -> tuple[Looked, Any] | str:
        try:
            picture = _read(root, image)
        except Unreadable as error:
            return str(error)
        # Models answer in fractions: they become pixels of the size that the project knows.
        return Looked(image.id, image.width, image.height), labeller.prepare(picture)

    def look(batch: list[tuple[TaskImage, tuple[Looked, Any] | str]]) -> list[Prediction]:
        good = [loaded for _, loaded in batch if not isinstance(loaded, str)]
        if not good:
            return []
        return labeller.look([prepared for _, prepared in good], [looked for looked, _ in good])

    with FoundWriter(folder) as writer:
        begun = Begun(labeller.device, tuple(labeller.class_ids), tuple(labeller.notes))
        writer.write([FoundLine(begun=begun)])
        report(Progress(STAGE, done, total))
        batches = in_batches(left, load, labeller.batch_size)
        for batch, found in side_by_side(batches, look, labeller.streams):
            answers = iter(found)
            lines = []
            for image, loaded in batch:
                if isinstance(loaded, str):
                    lines.append(FoundLine(image=image.id, error=loaded))
                else:
                    rows = _rows(next(answers), image, labeller.class_ids, least)
                    lines.append(FoundLine(image=image.id, boxes=rows))
            writer.write(lines)
            done += len(batch)
            report(Progress(STAGE, done, total))
            if done < total:
                _stop_if(cancelled, done, total)


def _read(root: Path, image: TaskImage) -> Image.Image:
    return read_picture(root / image.path, (image.width, image.height))[0]


def _rows(
    found: Prediction, image: TaskImage, class_ids: Sequence[int], least: float
) -> tuple[Row, ...]:
    """Return what is kept of an answer, best first: what lies on the picture and scores enough,
    without what the rules of `core.data.labels.suppress` take away.
    """
    rows: list[Row] = []
    for (x0, y0, x1, y1), score, place in zip(
        found.boxes.tolist(), found.scores.tolist(), found.class_ids.tolist(), strict=True
    ):
        box = clipped((x0, y0, x1 - x0, y1 - y0), image.width, image.height)
        if box is not None and score >= least:
            x, y, w, h = (round(value, 2) for value in box)
            rows.append((class_ids[place], x, y, w, h, round(score, 5)))
    stays = suppress([row[1:5] for row in rows], [row[5] for row in rows], [row[0] for row in rows])
    return tuple(rows[place] for place in stays)


def _stop_if(cancelled: IsCancelled, done: int, total: int) -> None:
    if cancelled():
        raise Cancelled(f"Stopped after {done:,} of {plural(total, 'picture')}.")
