"""What is known of a picture while it is labelled: its boxes, what models propose, its review."""

from __future__ import annotations

from dataclasses import dataclass

from core.common.errors import BatmanError
from core.data.store import Project

Edges = tuple[float, float, float, float]
"""A box in pixels of the upright picture: left, top, width, height."""


class LabelError(BatmanError):
    """An edit of labels that cannot be done; nothing was changed."""


class NoPicture(LabelError):
    """A picture that is not in the project."""

    def __init__(self, image_id: int, project: str) -> None:
        super().__init__(
            f"There is no picture {image_id} in the project '{project}'.",
            "It may have been removed since; look at the list again.",
        )


@dataclass(frozen=True)
class LabelBox:
    """A label: its box and class, and where it comes from.

    `source` is `import`, `person`, `model` (then `model` and `score` say which and how sure) or
    `interpolation`; `edited` whether a person changed it afterwards; `outline` whether there is a
    polygon or mask, which a change of the box removes; `crowd` whether it stands for many objects.
    """

    id: int
    class_id: int
    box: Edges
    source: str
    model: str | None
    score: float | None
    edited: bool
    track: int | None
    crowd: bool
    outline: bool


@dataclass(frozen=True)
class SuggestionBox:
    """What a model proposes; `state` is `open`, or what became of it."""

    id: int
    class_id: int
    box: Edges
    score: float
    pass_id: int
    labeller: str
    model: str
    state: str
    track: int | None


@dataclass(frozen=True)
class PictureLabels:
    """A picture while it is labelled.

    `group` is the video it is from and `time` the second there; `review` is None (to do), `done` or
    `later`; `newest` is the number of the project's newest change.
    """

    image_id: int
    name: str
    width: int
    height: int
    split: str | None
    group: str | None
    time: float | None
    review: str | None
    boxes: tuple[LabelBox, ...]
    suggestions: tuple[SuggestionBox, ...]
    newest: int | None


@dataclass(frozen=True)
class Progress:
    """How far labelling is: pictures, those reviewed and put off, and what is open."""

    images: int
    done: int
    later: int
    open_images: int
    open_suggestions: int


def picture_labels(project: Project, image_id: int) -> PictureLabels:
    """Return what is known of a picture; its open suggestions only.

    Raises `NoPicture` when there is none of that number.
    """
    row = project.db.execute("SELECT * FROM v_images WHERE id = ?", (image_id,)).fetchone()
    if row is None:
        raise NoPicture(image_id, project.name)
    newest = project.db.execute("SELECT max(id) FROM history WHERE undone = 0").fetchone()[0]
    return PictureLabels(
        image_id=image_id,
        name=row["name"],
        width=row["width"],
        height=row["height"],
        split=row["split"],
        group=row["grp"],
        time=row["time"],
        review=row["review"],
        boxes=label_boxes(project, image_id),
        suggestions=suggestion_boxes(project, image_id),
        newest=newest,
    )


def label_boxes(project: Project, image_id: int) -> tuple[LabelBox, ...]:
    """Return the labels of a picture, the largest first, so that small ones lie on top."""
    return tuple(
        LabelBox(
            id=row["id"],
            class_id=row["class_id"],
            box=(row["x"], row["y"], row["w"], row["h"]),
            source=row["source"] or "import",
            model=row["model"],
            score=row["score"],
            edited=bool(row["edited"]),
            track=row["track"],
            crowd=bool(row["iscrowd"]),
            outline=bool(row["outline"]),
        )
        for row in project.db.execute(
            "SELECT id, class_id, x, y, w, h, source, model, score, edited, track, iscrowd,"
            " segmentation IS NOT NULL AS outline FROM v_annotations WHERE image_id = ?"
            " ORDER BY w * h DESC, id",
            (image_id,),
        )
    )


def suggestion_boxes(
    project: Project, image_id: int, states: tuple[str, ...] = ("open",)
) -> tuple[SuggestionBox, ...]:
    """Return the suggestions of a picture in the given states, the surest first."""
    return tuple(
        SuggestionBox(
            id=row["id"],
            class_id=row["class_id"],
            box=(row["x"], row["y"], row["w"], row["h"]),
            score=row["score"],
            pass_id=row["pass_id"],
            labeller=row["labeller"],
            model=row["model"],
            state=row["state"],
            track=row["track"],
        )
        for row in project.db.execute(
            "SELECT * FROM v_suggestions WHERE image_id = ?"
            f" AND state IN ({', '.join('?' * len(states))}) ORDER BY score DESC, id",
            (image_id, *states),
        )
    )


def progress(project: Project) -> Progress:
    """Return how far the labelling of a project is."""
    images, done, later = project.db.execute(
        "SELECT count(*), total(review = 'done'), total(review = 'later') FROM v_images"
    ).fetchone()
    open_images, open_suggestions = project.db.execute(
        "SELECT count(DISTINCT image_id), count(*) FROM v_suggestions WHERE state = 'open'"
    ).fetchone()
    return Progress(images, int(done), int(later), open_images, open_suggestions)
