"""A small project with labels and suggestions, for what labels pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageDraw

from core.data.labels.passes import Found, PassInfo, record_pass
from core.data.store import Project

HOOK, PERSON = 1, 2
SIZE = (160, 120)
RUN = PassInfo("run", "site-1", (HOOK, PERSON))


def make_labels(path: Path, *, images: int = 3, files: bool = False) -> Path:
    """Make a project; return `path`.

    Picture 1 has a hook labelled at 10, 10, 20, 20, and hooks suggested with 0.55, 0.7, 0.9 and
    0.2. Every other picture has a hook with 0.8 and a person with 0.6 suggested. All are frames of
    one video. With `files` there are pictures to look at.
    """
    with Project.create(path) as project:
        with project.change("import", "Import") as change:
            change.insert("imports", {"kind": "coco", "origin": "o", "at": "2026", "active": 1})
            for name in ("hook", "person"):
                change.insert("classes", {"name": name})
                change.insert("labels", {"import_id": 1, "name": name, "class_id": HOOK})
            change.update("labels", 2, {"class_id": PERSON})
            for number in range(1, images + 1):
                name = f"frame_{number:03}.png"
                row = {"import_id": 1, "path": f"1/{name}", "name": name, "grp": "site.mp4"}
                change.insert(
                    "images",
                    {**row, "time": number * 0.5, "width": SIZE[0], "height": SIZE[1]},
                )
                if files:
                    _draw(project.images_dir / "1" / name, number)
            box = {"x": 10.0, "y": 10.0, "w": 20.0, "h": 20.0}
            change.insert("annotations", {"image_id": 1, "label_id": 1, **box})
        record_pass(project, RUN, found(images))
    return path


def found(images: int) -> Iterator[tuple[int, list[Found]]]:
    """Yield what the pass of `make_labels` found."""
    scores = (0.55, 0.7, 0.9, 0.2)
    yield 1, [Found(HOOK, (40.0 + 30 * n, 40, 20, 30), s) for n, s in enumerate(scores)]
    for number in range(2, images + 1):
        yield (
            number,
            [
                Found(HOOK, (20.0 + number % 7, 20, 30, 25), 0.8),
                Found(PERSON, (90.0, 50, 20, 50), 0.6),
            ],
        )


def _draw(file: Path, number: int) -> None:
    file.parent.mkdir(exist_ok=True)
    image = Image.new("RGB", SIZE, (60, 70, 80))
    pen = ImageDraw.Draw(image)
    pen.rectangle((10, 10, 29, 29), fill=(200, 160, 40))
    pen.rectangle((20 + number % 7, 20, 49 + number % 7, 44), fill=(40, 160, 200))
    pen.ellipse((90, 50, 109, 99), fill=(200, 80, 90))
    image.save(file)
