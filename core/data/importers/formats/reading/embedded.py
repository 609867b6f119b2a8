"""Pictures that lie within other files: written out under a name that fits what they are."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

from PIL import Image

_ENDINGS = {"JPEG": ".jpg", "PNG": ".png", "GIF": ".gif", "BMP": ".bmp", "WEBP": ".webp"}


def format_and_sides(raw: bytes) -> tuple[str, tuple[int, int]] | None:
    """Return the ending of a picture's format and its sides as it is stored, in pixels.

    The ending is "" for a format that nobody writes into other files; None for what is no picture.
    """
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(raw)) as image:
            warnings.simplefilter("ignore")
            return _ENDINGS.get(image.format or "", ""), image.size
    except Exception:  # decoders raise whatever they like on damaged files
        return None


def fitting(name: str, ending: str) -> str:
    """Return the name, with the ending of what it is where it has another one."""
    same = {".jpg", ".jpeg"} if ending == ".jpg" else {ending}
    return name if not ending or Path(name).suffix.lower() in same else f"{name}{ending}"
