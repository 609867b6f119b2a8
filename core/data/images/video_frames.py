"""Single frames of videos, for looking at one after the other: forwards, backwards, anywhere."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from core.common.errors import BatmanError
from core.common.text import clean
from core.data.images.video import Frame, VideoReader

if TYPE_CHECKING:
    from PIL.Image import Image

# Frames in hand, for going back; of 2 megapixels 6 MB each.
_KEPT = 24
# So many seconds ahead it is quicker to read on than to begin at a key frame, of which there is one
# every few seconds.
_READ_ON = 2.0


class VideoFrames:
    """Reads frames by their time, of one video at a time; to be used from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._reader: VideoReader | None = None
        self._frames: Iterator[Frame] = iter(())
        self._at = 0.0
        self._kept: OrderedDict[tuple[Path, int], Image] = OrderedDict()

    def get(self, file: Path, time: float) -> Image:
        """Return the frame of the video in `file` that is shown at `time` (seconds), as RGB.

        Times are those of `VideoReader.frames`. Raises BatmanError when the video cannot be read,
        or has no such frame.
        """
        with self._lock:
            kept = self._kept.get((file, _key(time)))
            if kept is not None:
                self._kept.move_to_end((file, _key(time)))
                return kept
            reader = self._reader
            if reader is None or reader.path != file or not 0 < time - self._at <= _READ_ON:
                return self._sought(file, time) or self._read_from_first(file, time)
            return self._next(file, time) or self._read_from_first(file, time)

    def close(self) -> None:
        """Close the video, and forget its frames."""
        with self._lock:
            self._shut()
            self._kept.clear()

    def _sought(self, file: Path, time: float) -> Image | None:
        """Begin at a key frame before; None where that does not lead to the frame."""
        reader = self._open(file)
        # Those just before are as likely to be asked for next, going back.
        early = max(0.0, time - _KEPT / 2 / float(reader.rate))
        self._frames = reader.frames_near(early)
        return self._next(file, time)

    def _read_from_first(self, file: Path, time: float) -> Image:
        self._frames = self._open(file).frames()
        found = self._next(file, time)
        if found is None:
            self._shut()
            raise BatmanError(f"'{clean(file.name)}' has no frame at {time:.2f} s.")
        return found

    def _next(self, file: Path, time: float) -> Image | None:
        """Read on to the frame at `time`; None when there is none."""
        from PIL import Image

        assert self._reader is not None
        rate = float(self._reader.rate)
        for frame in self._frames:
            self._at = frame.time
            if frame.time < time - _KEPT / 2 / rate:
                continue
            self._kept[file, _key(frame.time)] = Image.fromarray(frame.pixels())
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            if _key(frame.time) >= _key(time):
                break
        return self._kept.get((file, _key(time)))

    def _open(self, file: Path) -> VideoReader:
        self._shut()
        self._reader = VideoReader(file)
        return self._reader

    def _shut(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._reader, self._frames, self._at = None, iter(()), 0.0


def _key(time: float) -> int:
    """Return a time as frames are known by: in milliseconds, for files round them."""
    return round(time * 1000)
