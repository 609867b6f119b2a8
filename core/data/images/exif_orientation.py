"""Pictures that only their EXIF tag turns upright: rfdetr reads them without turning them.

Programs to label with show them upright, and write boxes and sizes of what they show.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

# EXIF orientations 5 to 8 turn a picture by a quarter (CIPA DC-008, tag 0x0112).
ORIENTATION = 0x0112
QUARTER_TURNS = range(5, 9)

# As visually lossless as cameras' own files.
_QUALITY = 95


def is_turned(orientation: int, recorded: tuple[int, int], size: tuple[int, int]) -> bool:
    """Return whether boxes are of the picture as its EXIF tag turns it.

    `recorded` is the width and height that the data set says, `size` those of the file as it is:
    only where one is the other turned by a quarter is it certain.
    """
    return orientation in QUARTER_TURNS and recorded == size[::-1] != size


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
    """Return the EXIF orientation of an open picture, 1 to 8; 1 when it says none."""
    if image.format == "PNG" and "exif" not in image.info:
        # Pillow would decode the whole picture to see whether a tag comes after it.
        return 1
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception:
        # A damaged tag says nothing, and the picture may be whole.
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def write_upright(source: Path, target: Path) -> None:
    """Write the picture in `source` to `target`, turned as its EXIF tag says, in the same format.

    Raises OSError when it cannot be read or written.
    """
    import PIL.Image
    from PIL import ImageOps

    with PIL.Image.open(source) as image:
        kind = "JPEG" if image.format == "MPO" else image.format
        upright = ImageOps.exif_transpose(image)
        if kind == "JPEG":
            upright.save(target, kind, quality=_QUALITY, subsampling=0, exif=upright.getexif())
        else:
            upright.save(target, kind, exif=upright.getexif())
