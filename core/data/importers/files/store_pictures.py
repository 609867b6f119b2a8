"""What is looked at in pictures just before they are taken into the store.

rfdetr, OpenCV and most programs that an export is for do not read HEIC: such a picture is stored as
JPEG. Pictures that nothing here reads are left out by name, and of a file of several pages or
frames it is said that the first is taken. Only files whose ending leaves it open are opened,
and of PNG, of which there are a hundred thousand, the first bytes are read.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from core.common.files import FileMode
from core.common.text import clean
from core.data.images.decoding_memory import decoding
from core.data.images.picture_files import (
    PLAIN,
    SEVERAL,
    has_several,
    is_animated_png,
    is_heif,
    open_picture,
    why_broken,
    why_unread,
)
from core.data.importers.dataset import DataSet, Picture
from core.data.importers.files.zip_dataset import scratch
from core.data.importers.report import Watch
from core.data.store import Project

# As visually lossless as cameras' own files.
_QUALITY = 95
_TOGETHER = 256
_OPENED = (".png", *SEVERAL)


@contextmanager
def storable_pictures(
    project: Project, sets: Sequence[DataSet], files: FileMode, watch: Watch
) -> Iterator[None]:
    """Have every picture of the data sets readable where it is stored, in the block.

    What cannot be is taken out of its set with its boxes and named among the problems.
    """
    with ExitStack() as stack:
        folder: Path | None = None
        for data in sets:
            endings = {image.source[image.source.rfind(".") :].lower() for image in data.images}
            if endings & (SEVERAL | {".png"}):
                _say_several(data, watch)
            if endings <= PLAIN:
                continue
            left: set[int] = set()
            for number, picture in enumerate(data.images):
                reason = why_unread(picture.source)
                if not reason and is_heif(picture.source):
                    if files == "reference":
                        reason = "HEIC is stored as JPEG, and this import leaves pictures in place"
                    else:
                        folder = folder or stack.enter_context(scratch(project))
                        watch.tick("converting", number, len(data.images))
                        reason = _converted(data, picture, folder / f"{id(data)}-{number}.jpg")
                if reason:
                    data.problems.add("unreadable image", picture.name, reason)
                    left.add(number)
            data.drop(left)
        yield


def _converted(data: DataSet, picture: Picture, target: Path) -> str:
    """Write a HEIC picture as JPEG, upright, and have it stored instead; return what failed."""
    try:
        with warnings.catch_warnings(), open_picture(picture.source) as image:
            warnings.simplefilter("ignore")
            with decoding(image):
                # libheif has turned it, and pillow-heif has set the tag to 1 (1.8.1, heif.py).
                image.convert("RGB").save(
                    target,
                    "JPEG",
                    quality=_QUALITY,
                    subsampling=0,
                    exif=image.getexif(),
                    icc_profile=image.info.get("icc_profile"),
                )
    except Exception as error:  # decoders raise whatever they like on damaged files
        return why_broken(picture.source) or clean(str(error))[:160]
    picture.source, picture.link = str(target), False
    picture.target = picture.target.rpartition(".")[0] + ".jpg"
    data.problems.add("HEIC picture", picture.name, "it is stored as JPEG", "kept")
    return ""


def _say_several(data: DataSet, watch: Watch) -> None:
    open_ones = [image for image in data.images if image.source.lower().endswith(_OPENED)]
    with ThreadPoolExecutor(8) as pool:
        for start in range(0, len(open_ones), _TOGETHER):
            watch.tick("pages", start, len(open_ones))
            part = open_ones[start : start + _TOGETHER]
            for picture, several in zip(part, pool.map(_several, part), strict=True):
                if several:
                    detail = "it has several pages or frames: the first is taken"
                    data.problems.add("several pages", picture.name, detail, "kept")


def _several(picture: Picture) -> bool:
    if picture.source.lower().endswith(".png"):
        return is_animated_png(picture.source)
    try:
        with warnings.catch_warnings(), open_picture(picture.source) as image:
            warnings.simplefilter("ignore")
            return has_several(image)
    except Exception:
        return False
