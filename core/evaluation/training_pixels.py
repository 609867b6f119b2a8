"""Pictures decoded as rfdetr decodes them for training and validation, without importing it.

rfdetr 1.11.2 (`datasets/io_utils.py`, `decode_pil_image`): simplejpeg, where it is installed, for
whatever begins as a JPEG and is whole; Pillow for all else. Both wrap libjpeg-turbo and differ by
rounding at most.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

_JPEG = b"\xff\xd8"


def decode_for_training(path: Path, opened: Image) -> Image:
    """Return the picture in `path` as RGB, as it is stored: not turned. Raises as Pillow does.

    `opened` is the same file, opened by Pillow: for most formats its header is read once only.
    """
    pixels = _simplejpeg(path)
    if pixels is None:
        return opened.convert("RGB")
    from PIL import Image

    return Image.fromarray(pixels)


def _simplejpeg(path: Path) -> Any:
    """Return the pixels (H, W, 3) of a JPEG, None for what Pillow is to read."""
    try:
        import simplejpeg
    except ImportError:
        return None
    with path.open("rb") as file:
        if file.read(len(_JPEG)) != _JPEG:
            return None
        file.seek(0)
        data = file.read()
    try:
        return simplejpeg.decode_jpeg(data, colorspace="RGB")
    except ValueError:  # damaged, or of a kind that it does not know: Pillow's to say
        return None
