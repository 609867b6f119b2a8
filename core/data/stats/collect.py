"""Counts a project: objects by class and split, sizes, shapes, places, and how it grew."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.overview import import_lines
from core.data.stats.columns import BoxColumns, ImageColumns, read_boxes, read_images
from core.data.store import Project
from core.data.store.summary import SPLITS

NO_SPLIT = "none"
ALL_SPLITS = (*SPLITS, NO_SPLIT)

GRID = 24
"""Cells a side of the map that shows where boxes lie."""

MOST_SIZES = 12
"""Sizes of pictures that are listed, the most frequent ones."""

# COCO's own bounds of small and medium objects, as the root of their area in pixels
# (cocoapi, PythonAPI/pycocotools/cocoeval.py, Params.setDetParams: areaRng of 32² and 96²).
SMALL, MEDIUM = 32, 96
_SIDES = (0, 4, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512)
# Width by height, as people write it.
_ASPECTS = (0.0, 1 / 8, 1 / 4, 1 / 2, 2 / 3, 4 / 5, 5 / 4, 3 / 2, 2.0, 4.0, 8.0)
_ASPECT_NAMES = (
    *("< 1:8", "1:8 – 1:4", "1:4 – 1:2", "1:2 – 2:3", "2:3 – 4:5", "4:5 – 5:4", "5:4 – 3:2"),
    *("3:2 – 2:1", "2:1 – 4:1", "4:1 – 8:1", "≥ 8:1"),
)
_OBJECTS = (0, 1, 2, 3, 5, 9, 17, 33, 65, 129)


@dataclass(frozen=True)
class ClassCount:
    """A class: its objects and the pictures that show it, by split, "none" among them."""

    name: str
    annotations: dict[str, int]
    images: dict[str, int]

    @property
    def total(self) -> int:
        """Objects in all splits."""
        return sum(self.annotations.values())


@dataclass(frozen=True)
class Bins:
    """A histogram: names of the bins and how many are in each."""

    names: tuple[str, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Growth:
    """An import: what it is, when it came, what is seen of it, and the sums up to it."""

    import_id: int
    kind: str
    origin: str
    at: str
    images: int
    annotations: int
    images_so_far: int
    annotations_so_far: int


@dataclass(frozen=True)
class DataStats:
    """What is in a project's data.

    Attributes:
        name: The project.
        image_size: The training size in pixels that `box_sides` are reckoned for: rfdetr stretches
            a picture to a square of it, so that a box's sides scale each by its own factor.
        images: Pictures by split, "none" among them.
        annotations: Boxes by split.
        empty: Pictures without a box, by split.
        classes: Most objects first.
        picture_sizes: Width, height and how many, the most frequent `MOST_SIZES`.
        other_sizes: How many pictures have another size than those.
        box_sides: Roots of the areas of boxes, in pixels at the training size.
        small: Boxes below 32 pixels there, COCO's "small"; `medium` below 96, `large` the others.
        aspects: Widths of boxes by their heights, in pixels of the picture.
        heat: Boxes whose middle is in each cell of a `GRID` × `GRID` map of the picture, by row.
        objects: Pictures by their number of objects.
        growth: The imports, in the order in which they came.
    """

    name: str
    image_size: int
    images: dict[str, int]
    annotations: dict[str, int]
    empty: dict[str, int]
    classes: tuple[ClassCount, ...]
    picture_sizes: tuple[tuple[int, int, int], ...]
    other_sizes: int
    box_sides: Bins
    small: int
    medium: int
    large: int
    aspects: Bins
    heat: tuple[tuple[int, ...], ...]
    objects: Bins
    growth: tuple[Growth, ...]

    @property
    def total_images(self) -> int:
        """Pictures in all splits."""
        return sum(self.images.values())

    @property
    def total_annotations(self) -> int:
        """Boxes in all splits."""
        return sum(self.annotations.values())

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON takes it."""
        return asdict(self)


def collect(project: Project, image_size: int = 640) -> DataStats:
    """Count what is visible in `project`; boxes are measured at a training size of `image_size`.

    A million boxes on a hundred thousand pictures take about two seconds
    (`benchmarks/project_stats.py`).
    """
    images = read_images(project, SPLITS)
    boxes = read_boxes(project, images)
    box_split = images.split[boxes.image]
    having = np.bincount(boxes.image, minlength=len(images.ids))
    width, height = images.width[boxes.image], images.height[boxes.image]
    sound = (boxes.w > 0) & (boxes.h > 0) & (width > 0) & (height > 0)
    side = _sides(boxes, width, height, sound, image_size)
    small, medium = int((side < SMALL).sum()), int((side < MEDIUM).sum())
    sizes, others = _picture_sizes(images)
    return DataStats(
        name=project.name,
        image_size=image_size,
        images=_by_split(images.split),
        annotations=_by_split(box_split),
        empty=_by_split(images.split[having == 0]),
        classes=_classes(project, boxes, box_split, images),
        picture_sizes=sizes,
        other_sizes=others,
        box_sides=Bins(_ranges(_SIDES), _histogram(side, _SIDES)),
        small=small,
        medium=medium - small,
        large=len(side) - medium,
        aspects=Bins(_ASPECT_NAMES, _histogram(boxes.w[sound] / boxes.h[sound], _ASPECTS)),
        heat=_heat(boxes, width, height, sound),
        objects=Bins(_ranges(_OBJECTS), _histogram(having, _OBJECTS)),
        growth=_growth(project, images, boxes),
    )


def _by_split(splits: NDArray[np.int64]) -> dict[str, int]:
    counts = np.bincount(splits, minlength=len(ALL_SPLITS)).tolist()
    return dict(zip(ALL_SPLITS, counts, strict=True))


def _sides(
    boxes: BoxColumns,
    width: NDArray[np.int64],
    height: NDArray[np.int64],
    sound: NDArray[np.bool_],
    image_size: int,
) -> NDArray[np.float64]:
    area = (boxes.w[sound] / width[sound]) * (boxes.h[sound] / height[sound])
    found: NDArray[np.float64] = np.sqrt(area) * image_size
    return found


def _classes(
    project: Project, boxes: BoxColumns, split: NDArray[np.int64], images: ImageColumns
) -> tuple[ClassCount, ...]:
    names = dict(project.db.execute("SELECT id, name FROM classes").fetchall())
    parts = len(ALL_SPLITS)
    most = max(names, default=0) + 1

    def table(classes: NDArray[np.int64], splits: NDArray[np.int64]) -> list[list[int]]:
        found = np.bincount(classes * parts + splits, minlength=most * parts)
        return [list(row) for row in found.reshape(-1, parts).tolist()]

    objects = table(boxes.class_id, split)
    # Each pair of class and image once.
    pairs = np.unique(boxes.class_id * max(1, len(images.ids)) + boxes.image)
    on = table(pairs // max(1, len(images.ids)), images.split[pairs % max(1, len(images.ids))])
    rows = [
        ClassCount(
            name,
            dict(zip(ALL_SPLITS, objects[class_id], strict=True)),
            dict(zip(ALL_SPLITS, on[class_id], strict=True)),
        )
        for class_id, name in names.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.total, row.name)))


def _picture_sizes(images: ImageColumns) -> tuple[tuple[tuple[int, int, int], ...], int]:
    pairs, counts = np.unique(
        np.stack([images.width, images.height], axis=1), axis=0, return_counts=True
    )
    order = np.lexsort((pairs[:, 1], pairs[:, 0], -counts))
    listed = tuple((int(pairs[n, 0]), int(pairs[n, 1]), int(counts[n])) for n in order[:MOST_SIZES])
    return listed, int(counts[order[MOST_SIZES:]].sum())


def _heat(
    boxes: BoxColumns,
    width: NDArray[np.int64],
    height: NDArray[np.int64],
    sound: NDArray[np.bool_],
) -> tuple[tuple[int, ...], ...]:
    def cell(at: NDArray[np.float64], of: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.clip(at * GRID / of, 0, GRID - 1).astype(np.int64)

    column = cell((boxes.x + boxes.w / 2)[sound], width[sound])
    row = cell((boxes.y + boxes.h / 2)[sound], height[sound])
    counts = np.bincount(row * GRID + column, minlength=GRID * GRID).reshape(GRID, GRID)
    return tuple(tuple(line) for line in counts.tolist())


def _histogram(values: NDArray[Any], edges: tuple[float, ...]) -> tuple[int, ...]:
    """Return how many values are from each edge up to below the next, the last without an end."""
    places = np.searchsorted(np.array(edges), values, side="right") - 1
    return tuple(np.bincount(np.clip(places, 0, None), minlength=len(edges)).tolist())


def _ranges(edges: tuple[int, ...]) -> tuple[str, ...]:
    """Return names of bins of whole numbers, such as 1, 3 – 4 and 129 or more as ≥ 129."""
    names = [
        f"{low}" if high - low == 1 else f"{low} – {high - 1}"
        for low, high in itertools.pairwise(edges)
    ]
    return (*names, f"≥ {edges[-1]}")


def _growth(project: Project, images: ImageColumns, boxes: BoxColumns) -> tuple[Growth, ...]:
    lines = sorted(import_lines(project), key=lambda line: (line.at, line.id))
    most = max((line.id for line in lines), default=0) + 1
    pictures = np.bincount(images.imports, minlength=most)
    objects = np.bincount(images.imports[boxes.image], minlength=most)
    found, so_far, boxed = [], 0, 0
    for line in lines:
        count, there = int(pictures[line.id]), int(objects[line.id])
        so_far, boxed = so_far + count, boxed + there
        found.append(
            Growth(
                line.id, line.kind, line.origin, line.at.isoformat(), count, there, so_far, boxed
            )
        )
    return tuple(found)
