"""Which files are pictures, which of them can be read here, and why the others cannot.

One list for imports, inference and checks. Pictures that nothing here reads are in it too, so that
they are named where they are met and not passed over in silence.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

from core.common.text import clean
from core.data.images.exif_orientation import orientation_of, turn_for_boxes, turned
from core.processes.installation import how_to_install

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

_PNG_HEAD = 4096

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
    """Open a picture with Pillow, HEIF too where its package is there. Raises as Pillow does.

    HEIF under another ending is refused, whether or not its reader is there: whatever goes by the
    ending later, such as rfdetr, could not read it.
    """
    from PIL import Image, UnidentifiedImageError

    if is_heif(str(path)):
        _reads_heif()
    image = Image.open(path)
    if image.format == "HEIF" and not is_heif(str(path)):
        image.close()
        raise UnidentifiedImageError(why_broken(path))
    return image


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


def is_animated_png(path: Path | str) -> bool:
    """Whether a file is a PNG with several frames, by its first bytes; never raises.

    Its chunk `acTL` lies before the first picture's (W3C, PNG 3, 11.3.4.1).
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (for each file of a data set)
            head = file.read(_PNG_HEAD)
    except OSError:
        return False
    return head.startswith(b"\x89PNG") and b"acTL" in head.partition(b"IDAT")[0]


class Unreadable(Exception):
    """A picture that cannot be looked at; the text says why, as the end of a sentence about it."""


def read_picture(path: Path, recorded: tuple[int, int] | None = None) -> tuple[Image, bool]:
    """Return the picture in a file, and whether others follow it there, which are passed over.

    It is turned by its EXIF tag unless `recorded`, the size that a project knows, is that of the
    picture as it is stored. Raises `Unreadable`.
    """
    from core.data.images.deep_pictures import is_deep  # loads numpy

    try:
        with open_picture(path) as opened:
            if is_deep(opened.mode):
                raise Unreadable(
                    f"has more than 8 bits a channel ({opened.mode}) and would be seen white: "
                    "convert it with the contrast that matters"
                )
            several = has_several(opened)
            turn = turn_for_boxes(orientation_of(opened), recorded, opened.size)
            return turned(opened.convert("RGB"), turn), several
    except Unreadable:
        raise
    except Exception as error:  # Pillow raises many kinds for damaged and oversized files
        text = why_broken(path) or str(error) or type(error).__name__
        text = "it is none" if "cannot identify" in text else text
        raise Unreadable(f"cannot be read as an image: {clean(text)[:200]}") from error


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
    install = how_to_install("batman-tui[heic]")
    return f"it is {what}, which needs {install}; or convert it to JPEG"
