"""Which files are pictures, which of them can be read here, and why the others cannot.

One list for imports, inference and checks. Pictures that nothing here reads are in it too, so that
they are named where they are met and not passed over in silence.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

# What Pillow reads without further packages, as far as data sets hold it.
_READ = frozenset(
    {
        ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".bmp", ".webp", ".tif", ".tiff",
        ".gif", ".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".jp2",
    }
)  # fmt: skip
HEIF = frozenset({".heic", ".heif", ".hif"})
# Sensor data and formats without a reader on PyPI that is kept up.
_UNREAD = {
    ".jxl": "JPEG XL",
    **dict.fromkeys(
        (".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2", ".pef", ".srw"),
        "a camera's raw format",
    ),
}
SUFFIXES = _READ | HEIF | _UNREAD.keys()
# Formats that may hold several pictures. (An MPO's others are previews and depth maps of phones.)
SEVERAL = frozenset({".tif", ".tiff", ".gif", ".webp", ".avif", ".apng"}) | HEIF
_SEVERAL = frozenset({"TIFF", "GIF", "WEBP", "AVIF", "PNG", "HEIF"})

# Formats of which nothing has to be asked: every Pillow reads them, and they hold one picture.
PLAIN = _READ - SEVERAL - {".avif"}

# ISO/IEC 23008-12 (HEIF), 10.2: brands of HEVC-coded pictures and sequences.
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def is_picture(name: str) -> bool:
    """Whether a file name has the ending of a picture, in any case, readable here or not."""
    return _ending(name) in SUFFIXES


def is_heif(name: str) -> bool:
    """Whether a file name has the ending of HEIF (iPhones' HEIC), in any case."""
    return _ending(name) in HEIF


def why_unread(path: Path | str) -> str:
    """Return why the file cannot be read as a picture here and the way out, "" if it can be.

    Goes by the ending. After this call Pillow reads HEIF, where its package is there.
    """
    ending = _ending(str(path))
    if ending in HEIF:
        return "" if _reads_heif() else _without_reader("HEIC")
    if ending in _UNREAD:
        return f"it is {_UNREAD[ending]}, which is not read: convert it to JPEG or PNG"
    if ending == ".avif":
        from PIL import features

        return "" if features.check("avif") else "this Pillow reads no AVIF: update it (11.3 does)"
    return ""


def open_picture(path: Path | str) -> Image:
    """Open a picture with Pillow, HEIF too where its package is there. Raises as Pillow does."""
    from PIL import Image

    if is_heif(str(path)):
        _reads_heif()
    return Image.open(path)


def why_broken(path: Path | str) -> str:
    """Return what keeps a file from being read as a picture, in words; for files that were not."""
    if reason := why_unread(path):
        return reason
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            head = file.read(16)
    except OSError as error:
        return error.strerror or "it cannot be opened"
    if not head:
        return "it is empty"
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS and not is_heif(str(path)):
        return "it is HEIC, whatever its ending says: rename it, or convert it to JPEG"
    if head.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL ")):
        return "it is JPEG XL, which is not read: convert it to JPEG or PNG"
    return ""


def has_several(image: Image) -> bool:
    """Whether an open picture is followed by others: pages, or frames of an animation.

    Only the first is ever looked at, here as in rfdetr.
    """
    if image.format not in _SEVERAL:
        return False
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # what comes after the first may be damaged
        return False


def _ending(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 (for each file of a data set)


@functools.cache
def _reads_heif() -> bool:
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener()
    return True


def _without_reader(what: str) -> str:
    return f"it is {what}, which needs pip install 'batman-tui[heic]'; or convert it to JPEG"
