"""Pictures to walk through: of a project, of an evaluation; read in threads, no widget."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Protocol

from batman_tui.pictures.scene import Kind, Scene, SceneBox
from core.common.errors import BatmanError
from core.common.text import clean
from core.data.images.class_colours import UNKNOWN, class_colour
from core.data.images.rows import ImageLine, image_boxes, image_lines
from core.data.store import Project
from core.evaluation.display import colours_of
from core.evaluation.result import Box, EvaluationResult, WorstImage


class Gallery(Protocol):
    """Pictures in their order; `scenes` reads some of them, in a thread."""

    @property
    def title(self) -> str:
        """What they are."""

    @property
    def keys(self) -> Sequence[Hashable]:
        """What each is known by, in order."""

    def scenes(self, keys: Sequence[Hashable]) -> dict[Hashable, Scene]:
        """Return the scene of each; those that are gone are left out. May raise `BatmanError`."""


def project_scene(project: Path, image_id: int) -> Scene | None:
    """Return an image of the project in the folder `project` with its labels; None: it is gone.

    Opens the project: for a thread. Raises `BatmanError` when that fails.
    """
    return ProjectGallery(project, [image_id]).scenes([image_id]).get(image_id)


class ProjectGallery:
    """Images of a project with their labels."""

    def __init__(self, project: Path, ids: Sequence[int], title: str = "") -> None:
        self.title = title
        self.keys: Sequence[Hashable] = ids
        self._project = project

    def scenes(self, keys: Sequence[Hashable]) -> dict[Hashable, Scene]:
        """Return the images with these ids that are still there."""
        ids = [key for key in keys if isinstance(key, int)]
        with Project.open(self._project) as opened:
            return {line.id: _labelled(opened, line) for line in image_lines(opened, ids)}


def _labelled(project: Project, line: ImageLine) -> Scene:
    boxes = tuple(
        SceneBox((b.x, b.y, b.w, b.h), b.class_name, class_colour(b.class_id))
        for b in image_boxes(project, line.id)
    )
    size = (line.width, line.height)
    facts = [f"{line.width}×{line.height}", line.split or "no split"]
    if line.group and line.time is not None:
        facts.append(f"{line.group} at {line.time:.2f} s")
    return Scene(project.image_file(line.path), size, boxes, line.name, " · ".join(facts))


class EvaluationGallery:
    """Images that a model got wrong, as an evaluation has them in `folder`."""

    def __init__(
        self, result: EvaluationResult, folder: Path, images: Sequence[WorstImage]
    ) -> None:
        self.title = f"{result.run} on {result.split}" if result.run else result.split
        self.keys: Sequence[Hashable] = [image.image_id for image in images]
        self._images = {image.image_id: image for image in images}
        self._result = result
        self._folder = folder

    def scenes(self, keys: Sequence[Hashable]) -> dict[Hashable, Scene]:
        """Return the images with these ids."""
        return {
            key: evaluated_scene(self._result, self._folder, self._images[key])
            for key in keys
            if isinstance(key, int) and key in self._images
        }


def evaluated_scene(result: EvaluationResult, folder: Path, image: WorstImage) -> Scene:
    """Return an image with what is there and what was predicted.

    Where the data set is gone it is the drawing in the evaluation's `folder`, which has the boxes
    drawn in. Raises `BatmanError` when there is neither.
    """
    facts = f"{image.width}×{image.height}"
    source = Path(result.dataset) / result.split / image.file
    if not source.is_file():
        drawing = folder / image.picture
        return Scene(drawing, picture_size(drawing), (), image.shown, f"{facts} · as it was drawn")
    colours = colours_of(result)

    def seen(box: Box, right: Kind, wrong: Kind) -> SceneBox:
        colour = colours.get(box.class_name, UNKNOWN)
        return SceneBox(box.bbox, box.class_name, colour, right if box.right else wrong, box.score)

    boxes = [seen(box, "found", "missed") for box in image.truth]
    boxes += [seen(box, "right", "wrong") for box in image.predictions]
    return Scene(source, (image.width, image.height), tuple(boxes), image.shown, facts)


def picture_size(file: Path) -> tuple[int, int]:
    """Return width and height of a drawing that was made of a picture. Raises `BatmanError`."""
    from PIL import Image

    try:
        with Image.open(file) as opened:
            return opened.size
    except Exception:
        raise BatmanError(
            f"Neither the picture nor its drawing, {clean(file.name)}, is there any more."
        ) from None
