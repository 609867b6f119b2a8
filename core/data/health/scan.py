"""Reads image files: are they there and whole, what are they, and which look alike."""

from __future__ import annotations

import hashlib
import io
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Literal, Protocol

from PIL import Image

from core.common.errors import Cancelled
from core.common.hardware import usable_cores
from core.common.text import clean
from core.data.images.decoding_memory import decoding, too_many
from core.data.images.deep_pictures import is_deep, stretched
from core.data.images.exif_orientation import orientation_of
from core.data.images.picture_files import has_several, why_broken
from core.late import late

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = late("numpy")


Files = Literal["read", "known", "look", "skip"]
State = Literal["good", "missing", "bad"]

SIDE = 16
_BATCH = 256
_MOST_THREADS = 8
# Files up to this many bytes are held whole while they are read.
_WHOLE = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ScannedImage:
    """What an image file is.

    `digest` is of its bytes; `dhash` 64 bits that say where it grows brighter to the right; `thumb`
    its `SIDE`×`SIDE` grey picture as bytes. `orientation` is EXIF's, 1 to 8; `several` says that
    pages or frames follow.
    """

    id: int
    state: State
    reason: str = ""
    width: int = 0
    height: int = 0
    mode: str = ""
    orientation: int = 1
    digest: bytes = b""
    dhash: int = 0
    thumb: bytes = b""
    several: bool = False

    def of(self, image_id: int) -> ScannedImage:
        """Return the same for the image with another id."""
        return replace(self, id=image_id)


class Known(Protocol):
    """Remembers what files are."""

    def get(self, image_id: int, path: Path, stat: os.stat_result) -> ScannedImage | None:
        """Return what an unchanged file is, None for any other."""
        ...

    def add(self, path: Path, stat: os.stat_result, image: ScannedImage) -> None:
        """Note what a file is."""
        ...


def scan(
    files: Sequence[tuple[int, Path]],
    *,
    read: bool,
    known: Known | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    threads: int | None = None,
) -> list[ScannedImage]:
    """Return what each file of `(image id, path)` is, in the same order.

    Files that are `known` and have not changed are not read. With `read` false the others are only
    looked for. `threads` do it, by default two more than there are cores, 8 at most. Raises
    `Cancelled`.
    """
    threads = threads or min(_MOST_THREADS, usable_cores() + 2)
    found: list[ScannedImage | None] = [None] * len(files)
    batches = iter(range(0, len(files), _BATCH))
    lock = threading.Lock()
    stop = threading.Event()
    failures: list[BaseException] = []
    done = 0

    def work() -> None:
        nonlocal done
        try:
            while not stop.is_set():
                with lock:
                    start = next(batches, None)
                if start is None:
                    return
                for at in range(start, min(start + _BATCH, len(files))):
                    if stop.is_set() or (cancelled is not None and cancelled()):
                        stop.set()
                        return
                    found[at] = _one(*files[at], read, known)
                    with lock:
                        done += 1
                        if progress is not None and (done % 16 == 0 or done == len(files)):
                            progress(done, len(files))
        except BaseException as error:
            failures.append(error)
            stop.set()

    crew = [threading.Thread(target=work, name=f"scan-{n}") for n in range(threads)]
    for thread in crew:
        thread.start()
    try:
        for thread in crew:
            thread.join()
    except BaseException:  # Ctrl+C
        stop.set()
        for thread in crew:
            thread.join()
        raise
    if failures:
        raise failures[0]
    if stop.is_set():
        raise Cancelled("The check was stopped.", "Nothing was changed.")
    return [item for item in found if item is not None]


def _one(image_id: int, path: Path, read: bool, known: Known | None) -> ScannedImage:
    try:
        stat = path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return ScannedImage(image_id, "missing")
    except OSError as error:
        return ScannedImage(image_id, "bad", error.strerror or str(error))
    if not S_ISREG(stat.st_mode):
        return ScannedImage(image_id, "missing")
    image = known.get(image_id, path, stat) if known is not None else None
    if image is not None or not read:
        return image or ScannedImage(image_id, "good")
    image = _read(image_id, path)
    if known is not None and image.state == "good":
        known.add(path, stat, image)
    return image


def _read(image_id: int, path: Path) -> ScannedImage:
    try:
        with path.open("rb") as file:
            image = _read_open(image_id, file)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ScannedImage(image_id, "missing")
    except OSError as error:
        return ScannedImage(image_id, "bad", error.strerror or str(error))
    if image.state == "bad" and (why := why_broken(path)):
        return replace(image, reason=why)
    return image


def _read_open(image_id: int, file: io.BufferedReader | io.BytesIO) -> ScannedImage:
    size = os.fstat(file.fileno()).st_size
    if not size:
        return ScannedImage(image_id, "bad", "it is empty")
    if size <= _WHOLE:
        # Read once: most pictures are small, and file systems may be far away.
        file = io.BytesIO(file.read())
    digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _decode(image_id, file, digest)
    except Exception as error:
        # Decoders raise whatever they like on damaged files.
        reason = clean(str(error).replace("<_io.BytesIO object", "").split(" at 0x")[0].strip())
        if "cannot identify" in reason:
            reason = "it is not an image"
        if isinstance(error, Image.DecompressionBombError):
            reason = too_many()
        return ScannedImage(image_id, "bad", reason[:160] or type(error).__name__)


def _decode(image_id: int, file: io.BufferedReader | io.BytesIO, digest: bytes) -> ScannedImage:
    with Image.open(file) as image:
        width, height, mode = *image.size, image.mode
        orientation = orientation_of(image)
        several = has_several(image)
        # A JPEG is read at a fraction of its size; every byte of it is still looked at.
        image.draft("L", (SIDE * 4, SIDE * 4))
        with decoding(image, (width, height), extra=1):
            grey = _grey(image)
            # BOX is the mean over each cell, so noise and compression hardly move it.
            thumb = grey.resize((SIDE, SIDE), Image.Resampling.BOX)
            looks = dhash(grey)
            # Inside: the next one may begin when this one's pixels are gone.
            del grey
            image.close()
    return ScannedImage(
        id=image_id,
        state="good",
        width=width,
        height=height,
        mode=mode,
        several=several,
        orientation=orientation,
        digest=digest,
        dhash=looks,
        thumb=thumb.tobytes(),
    )


def _grey(image: Image.Image) -> Image.Image:
    return stretched(image) if is_deep(image.mode) else image.convert("L")


def dhash(grey: Image.Image) -> int:
    """Return the 64-bit difference hash: is each of 9×8 cells darker than its right neighbour?

    The idea is N. Krawetz's ("Kind of Like That", 2013).
    """
    cells = np.asarray(grey.resize((9, 8), Image.Resampling.BOX), dtype=np.int16)
    bits = (cells[:, 1:] > cells[:, :-1]).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def thumbs(images: Sequence[ScannedImage]) -> NDArray[np.uint8]:
    """Return the thumbnails as one array of shape (images, SIDE²)."""
    joined = b"".join(item.thumb for item in images)
    return np.frombuffer(joined, dtype=np.uint8).reshape(len(images), SIDE * SIDE)


def good(images: Sequence[ScannedImage]) -> Iterator[ScannedImage]:
    """Yield the images that were read whole."""
    return (item for item in images if item.state == "good" and item.digest)
