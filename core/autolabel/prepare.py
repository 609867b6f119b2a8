"""From a wish to a pass that can be begun: which pictures, which classes, which weights."""

from __future__ import annotations

import errno
import importlib.util
import os
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec

from core.autolabel.choice import HUB, Choice, near_labeller
from core.autolabel.class_map import match_classes
from core.autolabel.cost import uses_cpu
from core.autolabel.labellers.coco_names import COCO_NAMES
from core.autolabel.labellers.pretrained import require_transformers
from core.autolabel.pass_folder import (
    TASK,
    ExampleBox,
    PassFolder,
    PassTask,
    TaskClass,
    TaskImage,
)
from core.autolabel.weights import find_weights, not_here
from core.common.errors import BatmanError, ClassError, RunError, WeightsMissing
from core.common.files import expand_user
from core.common.temporary import remove_tree
from core.common.text import clean, did_you_mean, plural, sentence
from core.common.workspace import Workspace
from core.data.labels.passes import KEPT
from core.data.labels.prompts import Example, prompts_of, set_prompts
from core.data.store import Project
from core.data.store.leftovers import PASSES
from core.data.store.project_file import now
from core.models.find import find_checkpoint
from core.models.sizes import get_model, weights_file
from core.processes.installation import how_to_install
from core.training.launch.local import require_trainer


@dataclass(frozen=True)
class AutolabelRequest:
    """What a person wishes of a labeller.

    `weights` is a folder of the hub's files, or a file in place of RF-DETR's published one;
    `images` are ids of pictures (None: all of the project's); `classes` names those to look for
    (None: all); `prompts` are phrases by the name of the class, which keeps them once the pass
    begins; `mapping` says which class of the project a class of a run or of COCO is. What
    scores below `least` is not kept. `skip_labelled` leaves out pictures that
    have labels or were reviewed.
    """

    choice: Choice
    weights: Path | None = None
    images: Sequence[int] | None = None
    classes: Sequence[str] | None = None
    prompts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    mapping: Mapping[str, str] = field(default_factory=dict)
    least: float = KEPT
    skip_labelled: bool = False
    device: str = "auto"
    batch_size: int | None = None
    backend: str = "auto"


class Unfinished(NamedTuple):
    """A pass that is not in the project yet, with how far it is; `running`: somebody is at it."""

    folder: PassFolder
    task: PassTask
    done: int
    total: int
    running: bool


def locate_weights(request: AutolabelRequest, workspace: Workspace | None = None) -> Path | None:
    """Return the file or folder of the labeller's weights on this machine, None when they would
    have to be fetched.

    Raises what keeps the labeller from being used here: packages that are not installed, a run or
    a folder that is not there, weights of another model, a device.
    """
    choice = request.choice
    _refuse_words(request)
    _refuse_batch(request)
    _refuse_least(request)
    uses_cpu(request.device)
    if choice.kind == "run":
        if request.weights is not None:
            raise BatmanError(
                "--weights is for labellers with published weights.",
                f"A run has its own: give the model's file itself, --with {choice.target}.",
            )
        path = _run_file(choice.target, workspace)
        from core.models.backend import require_backend

        require_backend(path, request.backend)
        return path
    if choice.kind == "coco":
        require_trainer()
        _require_plus(choice)
        path = expand_user(request.weights).absolute() if request.weights else _published(choice)
        if request.weights is not None and not path.is_file():
            raise WeightsMissing(
                f"There are no weights at '{clean(str(path))}'.", "Give a .pth file."
            )
        return path if path.is_file() else None
    require_transformers()
    return find_weights(choice, request.weights)


def missing_weights(choice: Choice) -> WeightsMissing:
    """Return the error that a labeller's weights are not on this machine, with the ways to them."""
    if choice.kind != "coco":
        return not_here(choice)
    path = _published(choice)
    return WeightsMissing(
        f"The weights of {choice.title} ({path.name}) are not on this machine.",
        f"Fetch them with --download, or put the file at {clean(str(path))}.",
    )


def plan_pass(
    project: Project, request: AutolabelRequest, weights: Path
) -> tuple[PassTask, list[TaskImage]]:
    """Return the task that `request` means, and its pictures, in the order of their names.

    Nothing is written. Raises ClassError for unknown classes and a mapping that fits nothing, and
    BatmanError when no picture is left.
    """
    classes = _classes(project, request)
    if request.choice.kind == "coco":
        match_classes(COCO_NAMES.values(), classes, request.mapping)
    images = _images(project, request)
    shown = {example.image for row in classes for example in row.examples}
    task = PassTask(
        key=uuid.uuid4().hex,
        name=_name(request.choice, project),
        at=now(),
        kind=request.choice.kind,
        model=_model(request.choice, weights),
        weights=str(weights),
        classes=classes,
        images=str(project.images_dir.absolute()),
        mapping=dict(request.mapping),
        example_images=tuple(_rows(project, sorted(shown))),
        least=request.least,
        device=request.device,
        batch_size=request.batch_size,
        backend=request.backend,
    )
    return task, images


def begin_pass(project: Project, task: PassTask, images: Sequence[TaskImage]) -> PassFolder:
    """Write the pass into the project's folder of unfinished ones, its phrases to the classes.

    It has another name than `task` where that was taken meanwhile. Raises BatmanError when one of
    the same labeller is unfinished there: it can be gone on with, taken as it is, or discarded.
    """
    refuse_second(project.path, task)
    if task.kind in HUB:
        _keep_phrases(project, task)
    while True:
        folder = PassFolder(project.path / PASSES / task.name)
        try:
            folder.create(task, images)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY) or not folder.path.is_dir():
                raise
            # Begun by another process since this one was planned.
            refuse_second(project.path, task)
            base = task.name.rpartition("-")[0]
            task = msgspec.structs.replace(task, name=_free_name(base, project.path))
        else:
            return folder


def refuse_second(project: Path, task: PassTask) -> None:
    """Raise BatmanError when a pass of the same labeller is unfinished, with the ways out."""
    for other in unfinished(project):
        if (other.task.kind, other.task.model) == (task.kind, task.model):
            raise is_unfinished(other)


def is_unfinished(other: Unfinished) -> BatmanError:
    """Return the error that a pass of the same labeller is there, with the ways out."""
    at = f"{other.done:,} of {plural(other.total, 'picture')}"
    message = f"An unfinished pass of {clean(other.task.model)} is there ({at}): "
    if other.running:
        return BatmanError(
            f"{message}another process is at it.", "Wait until it is done, or stop it first."
        )
    name = clean(other.task.name)
    return BatmanError(
        f"{message}'{name}'.",
        f"Go on with --continue {name}, take what is there with --take {name}, "
        f"or throw it away with --discard {name}.",
    )


def unfinished(project: Path) -> list[Unfinished]:
    """Return the unfinished passes of the project in the folder `project`, the oldest first.

    A folder that cannot be read as a pass is passed over.
    """
    found = []
    try:
        folders = sorted((project / PASSES).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    for path in folders:
        folder = PassFolder(path)
        if not (path / TASK).is_file():
            continue
        try:
            task = folder.task()
            done, total = folder.state()
        except BatmanError:
            continue
        found.append(Unfinished(folder, task, done, total, folder.is_locked()))
    return sorted(found, key=lambda item: item.task.at)


def damaged(project: Path) -> dict[str, BatmanError]:
    """Return what is wrong with the unfinished passes that cannot be read, by their names."""
    found = {}
    for path in sorted((project / PASSES).glob("[!.]*")):
        try:
            PassFolder(path).task()
            PassFolder(path).state()
        except BatmanError as error:
            found[path.name] = error
    return found


def find_unfinished(project: Path, name: str | None) -> Unfinished:
    """Return the unfinished pass `name`, or the only one.

    Raises BatmanError when there is none, it cannot be read, or several and none is named.
    """
    there = unfinished(project)
    names = [item.task.name for item in there]
    damage = damaged(project)
    if name in damage or (damage and not name and not there):
        name = name or next(iter(damage))
        raise BatmanError(
            f"The pass '{clean(name)}' cannot be read: {damage[name].message}",
            f"Throw it away with --discard {clean(name)}, and begin it again.",
        )
    if name:
        for item in there:
            if name in (item.task.name, item.folder.path.name):
                return item
        listed = f"There are: {', '.join(map(clean, names))}." if names else ""
        guess = sentence(did_you_mean(name, names))
        raise BatmanError(
            f"There is no unfinished pass '{clean(name)}'.",
            guess or listed or "Begin one with batman autolabel --with LABELLER.",
        )
    if not there:
        raise BatmanError(
            "There is no unfinished pass.", "Begin one with batman autolabel --with LABELLER."
        )
    if len(there) > 1:
        raise BatmanError(
            f"There are {len(there)} unfinished passes.",
            f"Name one of them: {', '.join(map(clean, names))}.",
        )
    return there[0]


def discard(folder: PassFolder) -> None:
    """Remove an unfinished pass. Raises BatmanError when another process is at it."""
    with folder.locked():
        remove_tree(folder.path)


def _run_file(target: str, workspace: Workspace | None) -> Path:
    try:
        return find_checkpoint(target, workspace)
    except RunError as error:
        guess = near_labeller(target)
        if guess and guess not in error.hint:
            error.hint = f"{guess} {error.hint}".strip()
        raise


def _published(choice: Choice) -> Path:
    path = weights_file(choice.target)
    assert path is not None  # sizes without weights are no choice
    return path


def _require_plus(choice: Choice) -> None:
    if get_model(choice.target).needs_plus and importlib.util.find_spec("rfdetr_plus") is None:
        raise RunError(
            f"{choice.title} needs the package rfdetr-plus, which is not installed.",
            f"Mind its licence, PML-1.0. Install it with: {how_to_install('rfdetr[plus]')}; or"
            " choose a smaller size.",
        )


def _model(choice: Choice, weights: Path) -> str:
    """Return what is recorded as the model: for a run its name, wherever it was found."""
    if choice.kind != "run":
        return choice.model
    target = Path(choice.target)
    return weights.parent.name if target.name != weights.name else weights.name


def _refuse_words(request: AutolabelRequest) -> None:
    """Raise ClassError for phrases to a labeller of classes, and for a map to one of phrases."""
    if request.prompts and request.choice.kind in ("run", "coco"):
        raise ClassError(
            f"{sentence(request.choice.title)} looks for its own classes, not for phrases.",
            "Leave out --prompt, or say with --map which of its classes is which.",
        )
    if request.mapping and request.choice.kind not in ("run", "coco"):
        raise ClassError(
            f"{request.choice.title} has no classes of its own to map.",
            'Say what it is to look for with --prompt, such as --prompt hook="yellow crane hook".',
        )


def _refuse_least(request: AutolabelRequest) -> None:
    if not 0 <= request.least <= 1:
        raise BatmanError(f"A least score of {request.least:g} is none.", "Give one from 0 to 1.")


def _refuse_batch(request: AutolabelRequest) -> None:
    if request.batch_size is not None and request.choice.kind in HUB:
        raise BatmanError(
            f"{request.choice.title} looks at one picture at a time.", "Leave out --batch-size."
        )


def _classes(project: Project, request: AutolabelRequest) -> tuple[TaskClass, ...]:
    names = request.classes
    if names is not None and not names:
        raise ClassError("No class is named to look for.", "Name one, or leave that out for all.")
    rows = project.db.execute("SELECT id, name FROM classes ORDER BY name").fetchall()
    known = {row["name"]: row["id"] for row in rows}
    if not known:
        raise ClassError(
            "The project has no classes to look for.",
            "Import labelled images, or add classes first.",
        )
    for name in (*(names or ()), *request.prompts):
        if name not in known:
            raise ClassError(
                f"The project has no class '{clean(name)}'.",
                sentence(did_you_mean(name, known)) or "See batman classes list.",
            )
    prompts = prompts_of(project)
    return tuple(
        TaskClass(
            class_id,
            name,
            tuple(request.prompts.get(name, prompts[class_id].phrases)),
            tuple(_examples(project, prompts[class_id].examples)),
        )
        for name, class_id in known.items()
        if names is None or name in names
    )


def _keep_phrases(project: Project, task: PassTask) -> None:
    """Keep the phrases of a task with their classes, those that are new, beside what else is kept
    there: they are the first guess of the next pass.
    """
    there = prompts_of(project)
    for row in task.classes:
        if row.id in there and row.phrases and row.phrases != there[row.id].phrases:
            kept = msgspec.structs.replace(there[row.id], phrases=row.phrases)
            set_prompts(project, row.id, kept)


def _examples(project: Project, examples: Sequence[Example]) -> list[ExampleBox]:
    """Return the boxes of examples whose labels are still there."""
    found = []
    for example in examples:
        row = project.db.execute(
            "SELECT image_id, x, y, w, h FROM v_annotations WHERE id = ?",
            (example.annotation_id,),
        ).fetchone()
        if row is not None:
            found.append(ExampleBox(row[0], (row[1], row[2], row[3], row[4]), example.like))
    return found


def _images(project: Project, request: AutolabelRequest) -> list[TaskImage]:
    images = _rows(project, request.images)
    if request.skip_labelled:
        labelled = {
            row[0]
            for row in project.db.execute(
                "SELECT image_id FROM v_annotations UNION SELECT id FROM images"
                " WHERE review = 'done'"
            )
        }
        images = [image for image in images if image.id not in labelled]
    if not images:
        raise BatmanError(
            "There is no picture to look at.",
            "Leave out --skip-labelled, or choose other --images."
            if request.skip_labelled or request.images is not None
            else "Import images first.",
        )
    return images


def _rows(project: Project, ids: Sequence[int] | None) -> list[TaskImage]:
    wanted = None if ids is None else set(ids)
    return [
        TaskImage(row["id"], row["path"], row["width"], row["height"])
        for row in project.db.execute(
            "SELECT id, path, width, height FROM v_images ORDER BY name COLLATE NOCASE, id"
        )
        if wanted is None or row["id"] in wanted
    ]


def _name(choice: Choice, project: Project) -> str:
    base = re.sub(r"[^A-Za-z0-9]+", "-", os.path.basename(choice.model)).strip("-")[:60] or "pass"  # noqa: PTH119
    return _free_name(base, project.path)


def _free_name(base: str, project: Path) -> str:
    """Return a name for the folder of a pass that none there has."""
    taken = {path.name for path in (project / PASSES).glob("*")}
    number = 1
    while f"{base}-{number}" in taken:
        number += 1
    return f"{base}-{number}"
