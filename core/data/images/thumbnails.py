"""Small pictures: an image with its boxes drawn in, and crops of what a class looks like.

All of it returns Pillow images of the size that was asked for, ready to be put on a terminal or
anywhere else. Files are read no finer than needed, which for a JPEG is most of the time saved.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from core.common.errors import ProjectError
from core.common.text import clean
from core.data.images.class_colours import Colour, class_colour
from core.data.images.decoding_memory import decoding, too_many
from core.data.images.deep_pictures import is_deep, stretched
from core.data.images.draw_boxes import Corners, DrawnBox, draw_boxes
from core.data.images.exif_orientation import (
    orientation_of,
    shown_size,
    turn_for_boxes,
    turned,
)
from core.data.images.picture_files import open_picture
from core.data.images.rows import Box
from core.data.store import Project

Size = tuple[int, int]

MARGIN = 0.12
"""How much of its surroundings a crop shows at each side, as a share of the box."""

OUTLINED_MARGIN = 0.25
"""The same where the box is drawn: whether it fits is seen by what is outside of it."""

# A box's line is this part of the crop's longer side, a pixel at least; from two pixels on it has
# a dark rim, by which it is told from what is of its colour.
_CROP_LINE = 1 / 64
_RIM: Colour = (0, 0, 0)


@dataclass(frozen=True)
class Crop:
    """Where an annotation is: a file, the size its boxes are in, and the box (x, y, w, h).

    With `outline`, its class's colour, a crop has the box drawn in, around what it is on.
    """

    file: Path
    size: Size
    box: tuple[float, float, float, float]
    outline: Colour | None = None


# Bytes a pixel of the picture as RGB, and of that turned.
_COPIES = 8


def fitted(size: Size, room: Size) -> Size:
    """Return `size` scaled, its shape kept, to fill `room` in one direction; at least 1×1."""
    scale = min(room[0] / max(1, size[0]), room[1] / max(1, size[1]))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def picture(file: Path, room: Size, recorded: Size | None = None) -> Image.Image:
    """Return the picture in `file` as RGB, as large as fits `room` (width, height in pixels).

    It is turned by its EXIF tag unless `recorded`, the size that the project knows, is that of the
    picture as it is stored: then its boxes are, and training does not turn it either. Raises
    ProjectError when the file is missing or is no picture.
    """
    with _opened(file) as image:
        turn = _turn(image, recorded)
        target = fitted(shown_size(image.size, turn), room)
        whole = image.size
        _drafted(image, shown_size(target, turn))
        with decoding(image, whole, extra=_COPIES):
            rgb = turned(_rgb(image), turn)
            return rgb.resize(target, Image.Resampling.BOX, reducing_gap=2.0)


def _turn(image: Image.Image, recorded: Size | None) -> int:
    """Return the EXIF orientation by which the picture is to be turned, 1 for not at all."""
    return turn_for_boxes(orientation_of(image), recorded, image.size)


def with_boxes(file: Path, size: Size, boxes: Iterable[Box], room: Size) -> Image.Image:
    """Return the picture with its boxes drawn in their classes' colours.

    `size` is the width and height that the boxes are in, which the file may have in another
    scale. Raises as `picture` does.
    """
    shown = picture(file, room, size)
    across, down = shown.width / max(1, size[0]), shown.height / max(1, size[1])
    draw_boxes(
        shown,
        (
            DrawnBox(
                (b.x * across, b.y * down, (b.x + b.w) * across, (b.y + b.h) * down),
                class_colour(b.class_id),
            )
            for b in boxes
        ),
    )
    return shown


def crop(wanted: Crop, room: Size, margin: float | None = None) -> Image.Image:
    """Return what is in a box and a little around it, as large as fits `room`.

    `margin` is the share of the box that is shown at each side (default: `MARGIN`, or
    `OUTLINED_MARGIN` where the box is drawn). Raises as `picture` does, and ProjectError for a box
    outside the picture.
    """
    (found,) = crops_of_picture([wanted], room, margin)
    if found is None:
        raise ProjectError("The box is outside of its picture.", "See batman check.")
    return found


def crops_of_picture(
    wanted: Sequence[Crop], room: Size, margin: float | None = None
) -> list[Image.Image | None]:
    """Return what `crop` does for boxes of one picture, which is read once for all of them.

    None for a box outside the picture. Raises as `picture` does.
    """
    with _opened(wanted[0].file) as image:
        turn = _turn(image, wanted[0].size)
        whole = shown_size(image.size, turn)
        areas = [_around(each, whole, margin) for each in wanted]
        scales = [_scale(area, room) for area in areas if area is not None]
        if not scales:
            return [None] * len(wanted)
        scale = max(scales)
        need = (max(1, int(whole[0] * scale)), max(1, int(whole[1] * scale)))
        before = image.size
        _drafted(image, shown_size(need, turn))
        with decoding(image, before, extra=_COPIES):
            rgb = turned(_rgb(image), turn)
        return [
            None if area is None else _cut(rgb, whole, each, area, room)
            for each, area in zip(wanted, areas, strict=True)
        ]


def _around(wanted: Crop, whole: Size, margin: float | None) -> Corners | None:
    """Return the corners of a crop in pixels of the file, None outside of it."""
    if margin is None:
        margin = MARGIN if wanted.outline is None else OUTLINED_MARGIN
    x, y, w, h = wanted.box
    across, down = _pixels(wanted, whole)
    left, top = max(0.0, (x - margin * w) * across), max(0.0, (y - margin * h) * down)
    right = min(float(whole[0]), (x + w * (1 + margin)) * across)
    bottom = min(float(whole[1]), (y + h * (1 + margin)) * down)
    return (left, top, right, bottom) if right - left > 0 and bottom - top > 0 else None


def box_in_crop(wanted: Crop, room: Size, margin: float) -> tuple[Size, Corners] | None:
    """Return the size of a crop and where its box is in it, in pixels of the crop.

    What `crops_of_picture` makes of `wanted` for the same `room` and `margin`; nothing is read.
    None for a box outside of its picture.
    """
    area = _around(wanted, wanted.size, margin)
    if area is None:
        return None
    size = _target(area, room)
    wide, high = size[0] / (area[2] - area[0]), size[1] / (area[3] - area[1])
    x, y, w, h = wanted.box
    left, top = (x - area[0]) * wide, (y - area[1]) * high
    return size, (left, top, left + w * wide, top + h * high)


def _pixels(wanted: Crop, whole: Size) -> tuple[float, float]:
    """Return how many pixels of the file are one that the box is in, each way."""
    return whole[0] / max(1, wanted.size[0]), whole[1] / max(1, wanted.size[1])


def _target(area: Corners, room: Size) -> Size:
    return fitted((round(area[2] - area[0]), round(area[3] - area[1])), room)


def _scale(area: Corners, room: Size) -> float:
    target = _target(area, room)
    return max(target[0] / (area[2] - area[0]), target[1] / (area[3] - area[1]))


def _cut(rgb: Image.Image, whole: Size, wanted: Crop, area: Corners, room: Size) -> Image.Image:
    left, top, right, bottom = area
    target, shrunk = _target(area, room), rgb.width / whole[0]
    box = (
        left * shrunk,
        top * shrunk,
        min(max(right * shrunk, left * shrunk + 1), rgb.width),
        min(max(bottom * shrunk, top * shrunk + 1), rgb.height),
    )
    shown = rgb.resize(target, Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)
    if wanted.outline is not None:
        x, y, w, h = wanted.box
        across, down = _pixels(wanted, whole)
        wide, high = target[0] / (right - left), target[1] / (bottom - top)
        _outline(
            shown,
            ((x * across - left) * wide, (y * down - top) * high,
             ((x + w) * across - left) * wide, ((y + h) * down - top) * high),
            wanted.outline,
        )  # fmt: skip
    return shown


def _outline(shown: Image.Image, corners: Corners, colour: Colour) -> None:
    """Draw a box around `corners`, in pixels of the crop: outside of it, so that nothing is hidden.

    A side that the picture ends at is drawn at its edge.
    """
    line = max(1, round(max(shown.size) * _CROP_LINE))
    rim = 1 if line > 1 else 0
    pen = ImageDraw.Draw(shown)
    far = (shown.width - 1, shown.height - 1)

    def rectangle(out: int, width: int, ink: Colour) -> None:
        """Draw lines of `width` whose outer side is `out` pixels from the box."""
        left, top = max(0, round(corners[0]) - out), max(0, round(corners[1]) - out)
        right = max(left, min(far[0], round(corners[2]) - 1 + out))
        bottom = max(top, min(far[1], round(corners[3]) - 1 + out))
        pen.rectangle((left, top, right, bottom), outline=ink, width=width)

    if rim:
        rectangle(line + rim, line + 2 * rim, _RIM)
    rectangle(line, line, colour)


def strip(
    tiles: Sequence[Image.Image], tile: Size, gap: int, room: int, rows: int = 1
) -> Image.Image:
    """Return tiles side by side in `rows` rows, each in the middle of its place, as RGBA.

    `tile` is the size of a place, `gap` what lies between two, `room` the width of the whole in
    pixels: tiles that do not fit are left out. What is not covered is transparent.
    """
    across = max(1, (room + gap) // (tile[0] + gap))
    rows = max(1, min(rows, -(-len(tiles) // across)))
    height = rows * (tile[1] + gap) - gap
    sheet = Image.new("RGBA", (max(1, room), height), (0, 0, 0, 0))
    for place, image in enumerate(tiles[: across * rows]):
        left, top = place % across * (tile[0] + gap), place // across * (tile[1] + gap)
        middle = (tile[0] - image.width) // 2, (tile[1] - image.height) // 2
        sheet.paste(image, (left + middle[0], top + middle[1]))
    return sheet


def class_crops(project: Project, class_id: int, count: int) -> list[Crop]:
    """Return up to `count` annotations of a class, from images all over the project.

    The same every time. They are found by the index, however many annotations the class has.
    """
    found: dict[int, tuple[int, Crop]] = {}
    labels = [
        row[0]
        for row in project.db.execute(
            "SELECT labels.id FROM labels JOIN imports ON imports.id = import_id"
            " WHERE active = 1 AND class_id = ? AND annotations > 0 ORDER BY annotations DESC"
            " LIMIT ?",
            (class_id, count),
        )
    ]
    for label in labels:
        first, last = project.db.execute(
            "SELECT min(image_id), max(image_id) FROM annotations"
            " WHERE label_id = ? AND deleted = 0",
            (label,),
        ).fetchone()
        if first is None:
            continue
        for step in range(count):
            start = first + (last - first) * step // max(1, count)
            row = project.db.execute(
                "SELECT a.id, a.image_id, a.x, a.y, a.w, a.h, i.path, i.width, i.height"
                " FROM annotations a JOIN v_images i ON i.id = a.image_id"
                " WHERE a.label_id = ? AND a.deleted = 0 AND a.image_id >= ?"
                " AND a.w > 0 AND a.h > 0"
                " AND a.id NOT IN (SELECT value FROM json_each(?)) ORDER BY a.image_id LIMIT 1",
                (label, start, json.dumps(list(found))),
            ).fetchone()
            if row is not None:
                found[row["id"]] = (
                    row["image_id"],
                    Crop(
                        project.image_file(row["path"]),
                        (row["width"], row["height"]),
                        (row["x"], row["y"], row["w"], row["h"]),
                    ),
                )
    chosen = sorted(found.items(), key=lambda item: (item[1][0], item[0]))
    # Evenly over all labels, not the first ones only.
    stride = max(1.0, len(chosen) / max(1, count))
    places = [int(number * stride) for number in range(min(count, len(chosen)))]
    return [chosen[place][1][1] for place in places]


def class_strip(
    project: Project, class_id: int, tile: Size, gap: int, room: int, rows: int = 1
) -> Image.Image | None:
    """Return a strip of crops of a class (see `strip`), None when not one could be read."""
    count = max(1, (room + gap) // (tile[0] + gap)) * rows
    tiles: list[Image.Image] = []
    crops = class_crops(project, class_id, 2 * count)
    # Every other one is in reserve, for files that cannot be read.
    for wanted in crops[::2] + crops[1::2]:
        if len(tiles) == count:
            break
        try:
            tiles.append(crop(wanted, tile))
        except ProjectError:
            continue
    return strip(tiles, tile, gap, room, rows) if tiles else None


def _opened(file: Path) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return open_picture(file)
    except FileNotFoundError:
        raise ProjectError(
            f"The file '{clean(file.name)}' is not there.", "See batman check."
        ) from None
    except Exception as error:
        raise _unreadable(file, error) from None


def _drafted(image: Image.Image, need: Size) -> Image.Image:
    """Have a JPEG decoded at the smallest scale that has `need` pixels; others are untouched."""
    if image.format == "JPEG":
        image.draft("RGB", need)
    return image


def _rgb(image: Image.Image) -> Image.Image:
    try:
        # A deep picture would be white: its darkest is shown black and its brightest white.
        return (stretched(image) if is_deep(image.mode) else image).convert("RGB")
    except Exception as error:
        # Decoders raise whatever they like on damaged files.
        raise _unreadable(Path(str(getattr(image, "filename", "") or "the file")), error) from None


def _unreadable(file: Path, error: Exception) -> ProjectError:
    if isinstance(error, Image.DecompressionBombError):
        return ProjectError(f"'{clean(file.name)}' is not shown: {too_many()}.")
    reason = clean(str(error)).split(": '")[0]
    return ProjectError(
        f"The picture '{clean(file.name)}' cannot be read: {reason[:80]}.", "See batman check."
    )
