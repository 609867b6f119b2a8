"""Pictures that only their EXIF tag turns upright: rfdetr reads them without turning them.

Programs to label with show them upright, and write boxes and sizes of what they show.
"""

from __future__ import annotations

from pathlib import Path

# EXIF orientations 5 to 8 turn a picture by a quarter (CIPA DC-008, tag 0x0112).
ORIENTATION = 0x0112
QUARTER_TURNS = range(5, 9)

# As visually lossless as cameras' own files.
_QUALITY = 95


def is_turned(orientation: object, recorded: tuple[int, int], size: tuple[int, int]) -> bool:
    """Return whether boxes are of the picture as its EXIF tag turns it.

    `recorded` is the width and height that the data set says, `size` those of the file as it is:
    only where one is the other turned by a quarter is it certain.
    """
    return orientation in QUARTER_TURNS and recorded == size[::-1] != size


def write_upright(source: Path, target: Path) -> None:
    """Write the picture in `source` to `target`, turned as its EXIF tag says, in the same format.

    Raises OSError when it cannot be read or written.
    """
    from PIL import Image, ImageOps

    with Image.open(source) as image:
        kind = "JPEG" if image.format == "MPO" else image.format
        upright = ImageOps.exif_transpose(image)
        if kind == "JPEG":
            upright.save(target, kind, quality=_QUALITY, subsampling=0, exif=upright.getexif())
        else:
            upright.save(target, kind, exif=upright.getexif())
