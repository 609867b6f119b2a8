"""Pictures that are of another size than their data set says: its boxes do not fit them.

The readers of COCO, Pascal VOC and tables believe the sizes that the set has, for opening a hundred
thousand files takes minutes. A set whose pictures were made smaller, whose sizes were filled in by
a script or whose files are no pictures at all is found out by a few of them, spread over it.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from core.data.images.exif_orientation import orientation_of, shown_size
from core.data.images.picture_files import open_picture, why_unread
from core.data.importers.dataset import DataSet, Picture
from core.data.importers.image_files import no_size
from core.data.importers.report import Watch

# So many are opened first; all of them only where one of these is odd.
SAMPLE = 200
_TOGETHER = 256

Size = tuple[int, int]


def say_sizes(data: DataSet, watch: Watch) -> None:
    """Note the pictures whose files are of another size than recorded, and leave out files that
    are no pictures, with their boxes.

    A picture that its EXIF tag turns may be recorded as it is stored or as it is shown. Of more
    than `SAMPLE` pictures, so many are looked at, and all if one of those is odd.
    """
    step = max(1, len(data.images) // SAMPLE)
    odd = _odd(data, range(0, len(data.images), step), watch)
    if odd and step > 1:
        odd = _odd(data, range(len(data.images)), watch)
    broken = {number for number, size in odd.items() if size is None}
    for number, size in odd.items():
        picture = data.images[number]
        if size is None:
            data.problems.add("unreadable image", picture.name, no_size(picture.source))
            data.balance.leave(picture.source, "it cannot be read")
        else:
            said = f"the data set says {picture.width} × {picture.height}"
            detail = f"the file is {size[0]} × {size[1]}, {said}"
            data.problems.add("image of another size", picture.name, detail, "kept")
    if broken:
        for image in data.columns()[0].tolist():
            if image in broken:
                detail = "its picture cannot be read"
                data.problems.add("image left out", data.images[image].name, detail)
        data.drop(broken)


def _odd(data: DataSet, numbers: Iterable[int], watch: Watch) -> dict[int, Size | None]:
    """Return the sizes of those pictures that are of another one than recorded, None where the
    file is no picture that can be read.
    """
    odd: dict[int, Size | None] = {}
    asked = list(numbers)
    with ThreadPoolExecutor(8) as pool:
        for start in range(0, len(asked), _TOGETHER):
            watch.tick("sizes", start, len(asked))
            part = asked[start : start + _TOGETHER]
            sizes = pool.map(_sizes, (data.images[number] for number in part))
            for number, found in zip(part, sizes, strict=True):
                picture = data.images[number]
                if found is None:
                    if not why_unread(picture.source):  # else the store says so, by its ending
                        odd[number] = None
                elif (picture.width, picture.height) not in found:
                    odd[number] = found[-1]
    return odd


def _sizes(picture: Picture) -> tuple[Size, Size] | None:
    """Return the size of a picture as it is stored and as it is shown, None for no picture."""
    try:
        if not os.stat(picture.source).st_size:  # noqa: PTH116 (many times)
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with open_picture(picture.source) as image:
                return image.size, shown_size(image.size, orientation_of(image))
    # Pillow's readers let whatever a damaged header causes through.
    except Exception:
        return None
