"""Pictures as the page gets them: what is on them, and the pixels."""

from __future__ import annotations

import io
from typing import Any

from core.common.errors import BatmanError
from core.data.images.class_colours import class_colour
from core.data.images.rows import image_path
from core.data.images.thumbnails import Crop, crop, picture
from core.data.labels.view import NoPicture, PictureLabels, picture_labels
from core.data.store import Project

# As good as what a camera stores, at a fraction of the bytes for what is looked at on a screen.
_QUALITY = 88
_WIDEST = 16_384


class NoSuggestion(BatmanError):
    """A suggestion that is not there."""


def picture_json(found: PictureLabels) -> dict[str, Any]:
    """Return a picture, its boxes and open suggestions as the page gets them."""
    return {
        "id": found.image_id,
        "name": found.name,
        "width": found.width,
        "height": found.height,
        "split": found.split,
        "grp": found.group,
        "time": found.time,
        "review": found.review,
        "newest": found.newest,
        "boxes": [
            {
                "id": box.id,
                "class": box.class_id,
                "box": box.box,
                "source": box.source,
                "model": box.model,
                "score": box.score,
                "edited": box.edited,
                "track": box.track,
                "crowd": box.crowd,
                "outline": box.outline,
            }
            for box in found.boxes
        ],
        "suggestions": [
            {
                "id": each.id,
                "class": each.class_id,
                "box": each.box,
                "score": each.score,
                "pass": each.pass_id,
                "labeller": each.labeller,
                "model": each.model,
                "track": each.track,
            }
            for each in found.suggestions
        ],
    }


def neighbours(project: Project, image_id: int) -> dict[str, int | None]:
    """Return the pictures before and after one, in the order in which they came."""
    before, after = project.db.execute(
        "SELECT (SELECT max(id) FROM v_images WHERE id < :id),"
        " (SELECT min(id) FROM v_images WHERE id > :id)",
        {"id": image_id},
    ).fetchone()
    return {"previous": before, "next": after}


def one_picture(project: Project, image_id: int) -> dict[str, Any]:
    """Return a picture with its neighbours. Raises `NoPicture`."""
    found = picture_json(picture_labels(project, image_id))
    return {**found, **neighbours(project, image_id)}


def picture_bytes(project: Project, image_id: int, width: int | None) -> bytes:
    """Return the upright picture as JPEG, `width` pixels wide, or as large as it is.

    Raises `NoPicture`, and ProjectError when its file is missing or damaged.
    """
    seen = picture_labels(project, image_id)
    file = image_path(project, image_id)
    if file is None:
        raise NoPicture(image_id, project.name)
    wide = min(width or seen.width, seen.width, _WIDEST)
    room = (max(1, wide), max(1, round(seen.height * wide / max(1, seen.width))))
    return _jpeg(picture(file, room, (seen.width, seen.height)))


def suggestion_bytes(project: Project, suggestion_id: int, width: int) -> bytes:
    """Return a suggestion's box and what is in and around it, as JPEG in a square of `width`.

    Raises `NoSuggestion`, and as `picture_bytes`.
    """
    row = project.db.execute(
        "SELECT s.class_id, s.x, s.y, s.w, s.h, i.path, i.width, i.height FROM v_suggestions s"
        " JOIN images i ON i.id = s.image_id WHERE s.id = ?",
        (suggestion_id,),
    ).fetchone()
    if row is None:
        raise NoSuggestion(f"There is no suggestion {suggestion_id}.", "Its pass may be undone.")
    wanted = Crop(
        project.image_file(row["path"]),
        (row["width"], row["height"]),
        (row["x"], row["y"], row["w"], row["h"]),
        class_colour(row["class_id"]),
    )
    side = max(16, min(width, 1024))
    return _jpeg(crop(wanted, (side, side)))


def _jpeg(image: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
