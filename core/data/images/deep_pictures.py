"""Pictures of more than 8 bits a channel: microscopes, thermal cameras, depth.

Pillow's RGB cuts their values off at 255, so that nearly all is white, and rfdetr reads them so.
Which contrast matters only a person knows: such pictures are left out of training and inference
and named. To look at, their darkest is shown black and their brightest white.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.late import late

if TYPE_CHECKING:
    import numpy as np
else:
    np = late("numpy")


if TYPE_CHECKING:
    from PIL.Image import Image

# Pillow's modes of 16 and 32 bits.
_DEEP = ("I", "F")
# Pixels that are reckoned with at one time.
_STRIP = 1024 * 1024


def is_deep(mode: str) -> bool:
    """Whether a picture of Pillow's mode `mode` has more than 8 bits a channel."""
    return mode.startswith(_DEEP)


def stretched(image: Image) -> Image:
    """Return a deep picture in 8 bits of grey, its darkest black and its brightest white."""
    from PIL import Image as Pillow

    # In strips: as numbers that can be reckoned with, pixels take four times their room.
    rows = max(1, _STRIP // image.width)
    strips = [
        (top, (0, top, image.width, min(top + rows, image.height)))
        for top in range(0, image.height, rows)
    ]
    image.load()
    low, high = np.inf, -np.inf
    for _, box in strips:
        values = np.asarray(image.crop(box))
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    scale = 255 / ((high - low) or 1.0)
    grey = Pillow.new("L", image.size)
    for top, box in strips:
        values = np.asarray(image.crop(box), dtype=np.float64)
        grey.paste(Pillow.fromarray(((values - low) * scale).astype(np.uint8)), (0, top))
    return grey
