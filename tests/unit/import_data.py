"""Small data sets that the tests of importing make, break and read back."""

from __future__ import annotations

import functools
import io
import json
from pathlib import Path
from typing import Any

from PIL import Image

from core.data.importers.import_named import import_named
from core.data.store import Project

WIDTH, HEIGHT = 64, 48


@functools.cache
def png(width: int = WIDTH, height: int = HEIGHT) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (width % 256, height % 256, 7)).save(buffer, "PNG")
    return buffer.getvalue()


def put(path: Path, data: bytes | str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    # What follows a PNG's end is passed over: no two pictures are the same file.
    raw = png() + str(path).encode() if data is None else data
    path.write_bytes(raw.encode() if isinstance(raw, str) else raw)
    return path


def coco(**changes: Any) -> dict[str, Any]:
    """Two images, two classes, three boxes; lists can be replaced."""
    return {
        "images": [
            {"id": 1, "file_name": "a.png", "width": WIDTH, "height": HEIGHT},
            {"id": 2, "file_name": "b.png", "width": WIDTH, "height": HEIGHT},
        ],
        "categories": [{"id": 1, "name": "hook"}, {"id": 2, "name": "boom"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 10, 12], "iscrowd": 0},
            {"id": 2, "image_id": 1, "category_id": 2, "bbox": [20.5, 8, 30, 30.25]},
            {"id": 3, "image_id": 2, "category_id": 1, "bbox": [0, 0, 64, 48]},
        ],
        **changes,
    }


def put_coco(folder: Path, value: Any = None, name: str = "_annotations.coco.json") -> Path:
    """Write a COCO data set of one folder; `value` may be text or bytes as they are."""
    for image in ("a.png", "b.png"):
        put(folder / image)
    if value is None:
        value = coco()
    put(folder / name, value if isinstance(value, bytes | str) else json.dumps(value))
    return folder


def put_yolo(folder: Path, **files: str | bytes) -> Path:
    """Write a YOLO data set with one image in train and one in valid; files can be replaced."""
    put(folder / "train" / "images" / "a.png")
    put(folder / "valid" / "images" / "b.png")
    texts: dict[str, str | bytes] = {
        "data.yaml": "train: ../train/images\nval: ../valid/images\nnc: 2\nnames: ['hook', boom]\n",
        "train/labels/a.txt": "0 0.5 0.5 0.25 0.5\n1 0.25 0.25 0.125 0.125\n",
        "valid/labels/b.txt": "1 0.5 0.5 1 1\n",
        **files,
    }
    for name, text in texts.items():
        put(folder / name, text)
    return folder


def voc_xml(name: str, *objects: tuple[Any, ...], size: tuple[Any, Any] = (WIDTH, HEIGHT)) -> str:
    """An annotation of an image; an object is class name, xmin, ymin, xmax, ymax."""
    parts = [
        f"<object><name>{label}</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin>"
        f"<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
        for label, left, top, right, bottom in objects
    ]
    return (
        f"<annotation><filename>{name}</filename><size><width>{size[0]}</width>"
        f"<height>{size[1]}</height><depth>3</depth></size>{''.join(parts)}</annotation>"
    )


def put_voc(folder: Path, **files: str | bytes) -> Path:
    """Write a Pascal VOC data set with one image in train and one in val."""
    put(folder / "JPEGImages" / "a.png")
    put(folder / "JPEGImages" / "b.png")
    texts: dict[str, str | bytes] = {
        "Annotations/a.xml": voc_xml("a.png", ("hook", 2, 3, 11, 14), ("boom", 21, 9, 50, 38)),
        "Annotations/b.xml": voc_xml("b.png", ("hook", 1, 1, 64, 48)),
        "ImageSets/Main/train.txt": "a\n",
        "ImageSets/Main/val.txt": "b 1\n",
        **files,
    }
    for name, text in texts.items():
        put(folder / name, text)
    return folder


def boxes(project: Project) -> list[tuple[Any, ...]]:
    """Split, image name, class and box of every annotation, in a stable order."""
    return [
        tuple(row)
        for row in project.db.execute(
            "SELECT v_images.split, v_images.name, class_name, x, y, w, h FROM v_annotations"
            " JOIN v_images ON v_images.id = image_id"
            " ORDER BY v_images.split, v_images.name, v_annotations.id"
        )
    ]


def taken(folder: Path, place: Path) -> list[tuple[Any, ...]]:
    """Image name, split, class and box of all that a new project at `place` takes of a set."""
    with Project.create(place) as project:
        import_named(project, folder)
        return sorted(
            map(
                tuple,
                project.db.execute(
                    "SELECT v_images.name, ifnull(split, ''), class_name, x, y, w, h"
                    " FROM v_annotations JOIN v_images ON v_images.id = image_id"
                ),
            )
        )


def state(project: Project) -> list[str]:
    """The whole store but for the counters of ids, as text to compare."""
    return [line for line in project.db.iterdump() if "sqlite_sequence" not in line]


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def check(project: Project) -> None:
    """Assert that the store holds together: images there, boxes inside, counts right."""
    for row in project.db.execute("SELECT path, width, height FROM v_images"):
        assert project.image_file(row["path"]).is_file()
        assert row["width"] > 0
        assert row["height"] > 0
    outside = project.db.execute(
        "SELECT count(*) FROM v_annotations a JOIN v_images i ON i.id = a.image_id"
        " WHERE NOT (x >= 0 AND y >= 0 AND w > 0 AND h > 0"
        "   AND x + w <= i.width + 1e-6 AND y + h <= i.height + 1e-6)"
    ).fetchone()[0]
    assert outside == 0
    counted = project.db.execute(
        "SELECT count(*) FROM labels JOIN imports ON imports.id = import_id"
        " WHERE active = 1 AND (annotations, images) IS NOT"
        " (SELECT count(*), count(DISTINCT image_id) FROM annotations WHERE label_id = labels.id)"
    ).fetchone()[0]
    assert counted == 0
    assert project.db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
