"""Pictures without labels that are worth a look first: the model is unsure, or sees what is rare.

How unsure is Σ(1 − 2·|score − 0.5|) over the open suggestions of a picture, the measure of
digitalsreeni's annotator 0.9: a suggestion at 0.5 counts 1, one at 0 or 1 nothing. What is rare is
a class on few labelled pictures, seen from the least score that is shown on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from core.common.text import clean, plural
from core.data.images.images_per_class import classes_shown
from core.data.labels.least_score import SHOWN
from core.data.labels.queue.columns import columns
from core.data.store import Project
from core.late import late

if TYPE_CHECKING:
    import numpy as np
else:
    np = late("numpy")


By = Literal["unsure", "rare"]
RARE = 0.1
"""A class is rare that is on less than this share of the pictures of the commonest class."""
_SCORES = 1_000_000


@dataclass(frozen=True)
class Unsure:
    """A picture without labels: how unsure a model is, and the rarest class it may show.

    `open` counts its open suggestions, `unsure` those from 0.25 to 0.75. `rare_class` is the name
    of the rarest class that is rare, None for none, and `rare_images` on how many pictures it is
    labelled.
    """

    image_id: int
    name: str
    value: float
    open: int
    unsure: int
    rare_class: str | None = None
    rare_images: int = 0

    @property
    def why(self) -> str:
        """The reason in a few words."""
        said = [f"{self.unsure} of {plural(self.open, 'suggestion')} between 0.25 and 0.75"]
        if self.rare_class is not None:
            on = plural(self.rare_images, "picture")
            said.append(f"perhaps {clean(self.rare_class)}, on {on} so far")
        return "; ".join(said)


@dataclass(frozen=True)
class UnsureList:
    """The pictures in order, at most as many as were asked for, and how many there are."""

    entries: tuple[Unsure, ...]
    total: int


def unsure(project: Project, *, by: By = "unsure", limit: int | None = 100) -> UnsureList:
    """Return the pictures without labels that have open suggestions, those worth most first.

    Pictures that are reviewed are none. By `unsure` they are in the order of how unsure the model
    is; by `rare` only those are there on which it sees a rare class, the rarest first, and of one
    class the one it is surest of.
    """
    read = columns(
        project,
        {"image": "image_id", "class": "class_id", "score": f"round(score * {_SCORES})"},
        "FROM v_suggestions WHERE state = 'open'",
    )
    todo = columns(
        project,
        {"image": "i.id"},
        "FROM v_images i WHERE i.review IS NOT 'done'",
    )["image"]
    labelled_class, labelled_image = classes_shown(project)
    todo = np.setdiff1d(todo, labelled_image)
    kept = np.isin(read["image"], todo)
    image, of_class = read["image"][kept], read["class"][kept]
    score = read["score"][kept] / _SCORES
    images, at = np.unique(image, return_inverse=True)
    value = np.bincount(at, 1 - 2 * np.abs(score - 0.5), minlength=len(images))
    count = np.bincount(at, minlength=len(images))
    between = np.bincount(at[(score >= 0.25) & (score <= 0.75)], minlength=len(images))

    # Of each picture the rarest class that it may show, and how sure the model is of that.
    on = dict(
        zip(*map(np.ndarray.tolist, np.unique(labelled_class, return_counts=True)), strict=True)
    )
    most = max(on.values(), default=0)
    rare = {c: on.get(c, 0) for c in np.unique(of_class).tolist() if on.get(c, 0) < RARE * most}
    seen = np.flatnonzero(np.isin(of_class, list(rare)) & (score >= SHOWN))
    seen = seen[np.lexsort((-score[seen], [rare[c] for c in of_class[seen].tolist()], at[seen]))]
    first = seen[np.unique(at[seen], return_index=True)[1]]
    rarest = dict(zip(at[first].tolist(), first.tolist(), strict=True))

    if by == "rare":
        order = sorted(
            rarest, key=lambda p: (rare[int(of_class[rarest[p]])], -score[rarest[p]], -value[p])
        )
    else:
        order = np.argsort(-value, kind="stable").tolist()
    chosen = order if limit is None else order[:limit]
    names = dict(
        project.db.execute(
            "SELECT id, name FROM images WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(images[chosen].tolist()),),
        ).fetchall()
    )
    called = dict(project.db.execute("SELECT id, name FROM classes").fetchall())
    entries = []
    for place in chosen:
        found = int(of_class[rarest[place]]) if place in rarest else None
        entries.append(
            Unsure(
                image_id=int(images[place]),
                name=names[int(images[place])],
                value=round(float(value[place]), 4),
                open=int(count[place]),
                unsure=int(between[place]),
                rare_class=None if found is None else called[found],
                rare_images=0 if found is None else rare[found],
            )
        )
    return UnsureList(tuple(entries), len(order))
