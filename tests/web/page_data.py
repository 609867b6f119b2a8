"""A project for tests of the labelling server: pictures, classes, suggestions."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from core.data.labels.passes import Found, PassInfo, record_pass
from core.data.store import Project
from core.data.store.project_file import now


def add_pictures(project: Project, count: int, size: tuple[int, int] = (200, 100)) -> None:
    """Give an empty project two classes and so many pictures, all of one import."""
    folder = project.images_dir / "1"
    folder.mkdir(parents=True, exist_ok=True)
    with project.change("import", "Pictures") as change:
        for name in ("dog", "horse"):
            change.insert("classes", {"name": name})
        row = {"kind": "test", "origin": "test", "at": now(), "active": 1}
        number = change.insert("imports", row)
        for place in range(count):
            name = f"picture-{place:05}.png"
            Image.new("RGB", size, (place % 256, 90, 90)).save(folder / name)
            change.insert(
                "images",
                {
                    "import_id": number,
                    "path": f"{number}/{name}",
                    "name": name,
                    "width": size[0],
                    "height": size[1],
                },
            )


def suggest(
    project: Project, found: Sequence[tuple[int, int, tuple[float, float, float, float], float]]
) -> None:
    """Record a pass that found (picture, class, box, score)."""
    info = PassInfo("test", "tiny", (1, 2), {})
    rows = ((image, [Found(number, box, score)]) for image, number, box, score in found)
    record_pass(project, info, rows)
