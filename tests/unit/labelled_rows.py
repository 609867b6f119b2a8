"""A project with pictures, labels, passes and suggestions, made row by row for tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.data.store import Project

Edges = tuple[float, float, float, float]


class Labelled:
    """A project of `count` pictures of 400 × 300 and some classes, to which the rest is added."""

    def __init__(self, project: Project, count: int, classes: tuple[str, ...]) -> None:
        self.project = project
        self.classes: dict[str, int] = {}
        self.labels: dict[str, int] = {}
        project.db.execute("PRAGMA synchronous = OFF")
        with project.change("import", "made") as change:
            row = {"kind": "m", "origin": "here", "at": "2026-03-14T00:00:00+00:00", "active": 1}
            change.insert("imports", row)
            for name in classes:
                self.classes[name] = of = change.insert("classes", {"name": name})
                label = {"import_id": 1, "name": name, "class_id": of}
                self.labels[name] = change.insert("labels", label)
            for number in range(1, count + 1):
                picture = {"path": f"1/p{number}.png", "name": f"p{number}.png"}
                size = {"width": 400, "height": 300}
                change.insert("images", {"import_id": 1, **picture, **size})

    def label(self, image: int, name: str, box: Edges, **row: Any) -> int:
        """Add a label and return its row."""
        with self.project.change("t", "label") as change:
            what = {"image_id": image, "label_id": self.labels[name]}
            return change.insert(
                "annotations", {**what, **dict(zip("xywh", box, strict=True)), **row}
            )

    def looked(
        self, *images: int, classes: tuple[str, ...] | None = None, model: str = "run:yard-1",
        at: str = "2026-03-15T00:00:00+00:00",
    ) -> int:  # fmt: skip
        """Add a pass that looked at `images` for `classes` (all) and return its row."""
        names = self.classes if classes is None else classes
        detail = {"classes": [self.classes[name] for name in names]}
        with self.project.change("labels.pass", "pass") as change:
            row = {"at": at, "who": "me", "labeller": "run", "model": model}
            number = change.insert("passes", {**row, "detail": json.dumps(detail)})
            self.project.db.executemany(
                "INSERT INTO pass_images VALUES (?, ?)", [(number, image) for image in images]
            )
        return number

    def found(
        self, pass_id: int, image: int, name: str, box: Edges, score: float, **row: Any
    ) -> int:
        """Add a suggestion and return its row."""
        with self.project.change("t", "suggestion") as change:
            what = {"pass_id": pass_id, "image_id": image, "class_id": self.classes[name]}
            sides = dict(zip("xywh", box, strict=True))
            return change.insert("suggestions", {**what, **sides, "score": score, **row})

    def review(
        self, image: int, state: str = "done", at: str = "2026-03-14T12:00:00+00:00"
    ) -> None:
        """Set the review of a picture."""
        with self.project.change("t", "review") as change:
            change.update("images", image, {"review": state, "reviewed_at": at})


@contextmanager
def labelled(
    folder: Path, count: int = 6, classes: tuple[str, ...] = ("crane", "vest", "hook")
) -> Iterator[Labelled]:
    """Open a project made in `folder`."""
    with Project.create(folder) as project:
        yield Labelled(project, count, classes)
