"""Pictures that only their EXIF tag turns upright, and the one rule of how their boxes are meant.

Boxes are of the picture as it is shown, turned by its tag. So do programs to label with: browsers
have turned every `<img>` since 2020 (CSS Images 3, `image-orientation`, whose initial value is
`from-image`), CVAT turns what is uploaded (`ImageOps.exif_transpose`; cvat-ai/cvat, pull requests
4529 and 7162), labelme (`_label_file.py`; wkentaro/labelme, 305) and labelImg (`QImageReader`;
HumanSignal/labelImg, 650) turn as they open. Ultralytics takes a JPEG's size as turned (`exif_size`
in `data/utils.py` at 00bfe34), and OpenCV's `imread` turns unless it is told otherwise (its
documentation of `IMREAD_IGNORE_ORIENTATION`). Only where a data set records the size of the lying
picture, which a quarter turn would swap, its boxes are of the picture as it is stored. A mirrored
picture, or one that stands on its head, has the same size either way: it is taken as shown.

rfdetr 1.11.2 reads pictures as they are stored (`datasets/io_utils.py`: Pillow or simplejpeg, no
`exif_transpose`), all formats but TIFF, which Pillow turns itself as it loads the pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

# EXIF orientations 5 to 8 turn a picture by a quarter (CIPA DC-008, tag 0x0112).
ORIENTATION = 0x0112
QUARTER_TURNS = range(5, 9)

# As visually lossless as cameras' own files.
_QUALITY = 95
# Where a picture's tags begin, nearly always.
_HEAD = 4096


def turn_for_boxes(
    orientation: int, recorded: tuple[int, int] | None, size: tuple[int, int]
) -> int:
    """Return the EXIF orientation by which a picture is to be turned to fit its boxes, 1 for none.

    `orientation` is the file's, `size` its width and height as it is stored, `recorded` those that
    the data set has (None or zeros: not known). See the head of this module for the rule.
    """
    if orientation not in QUARTER_TURNS or recorded is None:
        return orientation
    # Both lie, or both stand: the data set was made of the picture as it is stored.
    stored = (recorded[0] - recorded[1]) * (size[0] - size[1]) > 0
    return 1 if stored else orientation


def shown_size(size: tuple[int, int], turn: int) -> tuple[int, int]:
    """Return width and height of a picture of `size` after the turn, an EXIF orientation."""
    return size[::-1] if turn in QUARTER_TURNS else size


def turned(image: Image, orientation: int) -> Image:
    """Return a picture as an EXIF orientation (1 to 8) turns it."""
    from PIL.Image import Transpose

    way = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(orientation)
    return image if way is None else image.transpose(way)


def orientation_of(image: Image) -> int:
    """Return the EXIF orientation by which an open picture is still to be turned, 1 to 8.

    1 when it says none, and for TIFF: Pillow gives its size turned as it opens the file and turns
    the pixels as it loads them (measured with 13.0.0), the tag still being there.
    """
    if image.format == "TIFF":
        return 1
    if image.format == "PNG" and "exif" not in image.info:
        # Pillow would decode the whole picture to see whether a tag comes after it.
        return 1
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception:
        # A damaged tag says nothing, and the picture may be whole.
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def turn_of_file(path: Path | str, recorded: tuple[int, int] | None) -> tuple[int, int]:
    """Return a file's EXIF orientation and by which its boxes want it turned, (1, 1) for most.

    The first bytes tell of nearly every picture that it has no tag, at a tenth of the time that
    opening it takes. What cannot be read is not turned.
    """
    from PIL import Image

    try:
        with open(path, "rb") as file:  # noqa: PTH123 (for each image of a project)
            if _without_tag(file.read(_HEAD)):
                return 1, 1
        with Image.open(path) as image:
            orientation = orientation_of(image)
            return orientation, turn_for_boxes(orientation, recorded, image.size)
    except Exception:  # whatever a damaged header makes of Pillow's readers
        return 1, 1


def _without_tag(head: bytes) -> bool:
    """Whether a file's first bytes say that no EXIF tag turns it; False where they do not tell."""
    if head.startswith(b"\xff\xd8"):
        place = 2
        while place + 4 <= len(head) and head[place] == 0xFF:
            marker, length = head[place + 1], int.from_bytes(head[place + 2 : place + 4], "big")
            if marker == 0xDA:  # the picture itself begins
                return True
            if marker == 0xE1:  # EXIF or XMP
                return False
            place += 2 + length
        return False
    if head.startswith(b"\x89PNG"):
        data = head.find(b"IDAT")
        return data > 0 and not any(
            0 < head.find(chunk) < data for chunk in (b"eXIf", b"tEXt", b"zTXt", b"iTXt")
        )
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        # Only the extended form has room for EXIF (0x08) and XMP (0x04), by its flags.
        return head[12:16] != b"VP8X" or not head[20] & 0x0C
    # BMP, GIF and PNM have no tag; TIFF is turned by whoever reads it.
    return head.startswith((b"BM", b"GIF8", b"P", b"II*\0", b"MM\0*"))


def write_upright(source: Path, target: Path, turn: int | None = None) -> None:
    """Write the picture in `source` to `target` without its EXIF orientation, in the same format.

    It is turned by `turn` (None: by its own tag; 1: not at all). Raises OSError when it cannot be
    read or written.
    """
    import PIL.Image

    with PIL.Image.open(source) as image:
        image.load()
        kind = "JPEG" if image.format == "MPO" else image.format
        upright = turned(image, orientation_of(image) if turn is None else turn)
        upright.save(target, kind, **_kept(image, kind))


def _kept(image: Image, kind: str | None) -> dict[str, Any]:
    """Return what a copy of a picture keeps of it beside the pixels, as options to save it."""
    exif = image.getexif()
    exif.pop(ORIENTATION, None)
    options: dict[str, Any] = {"exif": exif}
    if profile := image.info.get("icc_profile"):
        options["icc_profile"] = profile
    if kind in ("JPEG", "WEBP", "AVIF"):
        options["quality"] = _QUALITY
    if kind == "JPEG":
        options["subsampling"] = 0
    return options
