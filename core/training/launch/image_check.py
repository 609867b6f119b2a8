"""Tells before training which image files could not be read in the middle of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from PIL import Image

from core.common.hardware import usable_cores
from core.data.images.decoding_memory import decoding
from core.data.images.deep_pictures import is_deep
from core.data.images.exif_orientation import orientation_of
from core.data.images.picture_files import open_picture, why_broken

# Where a JPEG's end marker is looked for: cameras append previews and padding after it.
_TAIL = 64 * 1024
_BATCH = 512


@dataclass(frozen=True, slots=True)
class FileCheck:
    """What was found: width and height in pixels and the size in bytes, or what is wrong.

    `orientation` is EXIF's, 1 to 8; width and height are those before it turns the picture.
    """

    width: int = 0
    height: int = 0
    bytes: int = 0
    problem: str = ""
    orientation: int = 1


def check_image(path: Path) -> FileCheck:
    """Return whether the image file `path` can be trained on; never raises.

    Reads the header. Whether the data is whole is told by the end marker of JPEG and PNG; a file
    without it, and files of other formats, are decoded.
    """
    try:
        size = path.stat().st_size
        if not size:
            return FileCheck(problem="empty file")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # oddities of metadata that decoding survives
            with open_picture(path) as image:
                width, height = image.size
                if is_deep(image.mode):
                    return FileCheck(problem=f"more than 8 bits a channel ({image.mode})")
                orientation = orientation_of(image)
                if not _has_end(path, image.format, size):
                    with decoding(image):
                        image.load()
                        image.close()
    except FileNotFoundError:
        return FileCheck(problem="missing")
    except Image.DecompressionBombError:
        return FileCheck(problem="too many pixels")  # 179 million, Pillow's limit
    except Exception as error:  # decoders raise nearly everything on damaged files
        return FileCheck(problem=why_broken(path) or _reason(error))
    return FileCheck(width, height, size, orientation=orientation)


def check_images(
    paths: Iterable[Path], progress: Callable[[int], None] | None = None
) -> list[FileCheck]:
    """Return `check_image` of each path in order, several at once.

    `progress` hears how many are done.
    """
    found: list[FileCheck] = []
    rest = iter(paths)
    with ThreadPoolExecutor(min(16, 2 * usable_cores() + 2)) as pool:
        while batch := list(islice(rest, _BATCH)):
            found.extend(pool.map(check_image, batch))
            if progress is not None:
                progress(len(found))
    return found


def _has_end(path: Path, kind: str | None, size: int) -> bool:
    marker = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND"}.get(kind or "")
    if marker is None:
        return False
    with path.open("rb") as file:
        file.seek(max(0, size - _TAIL))
        tail = file.read(_TAIL)
    # A marker far before the end may belong to an embedded preview.
    return marker in (tail[-64:] if kind == "PNG" else tail[-4096:])


def _reason(error: Exception) -> str:
    text = str(error)
    if "cannot identify" in text:
        return "not an image"
    return "damaged" if isinstance(error, (OSError, SyntaxError, ValueError)) else "unreadable"
