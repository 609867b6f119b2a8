"""Reads videos through PyAV, which is imported when it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.common.errors import BatmanError
from core.common.hardware import usable_cores
from core.common.text import clean
from core.data.images.video_damage import ENDLESS, Damage
from core.late import late
from core.processes.installation import how_to_install

if TYPE_CHECKING:
    import numpy as np

    from core.models.detector import Pixels
else:
    np = late("numpy")

SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts",
    ".wmv", ".3gp",
)  # fmt: skip
"""Endings of videos, for imports and inference alike."""

# The matrices of H.273 that libswscale 9 converts from, by number: RGB itself, BT.709, not told,
# FCC, BT.601 twice, SMPTE 240M, BT.2020. Frames of others it refuses.
_MATRICES = {0, 1, 2, 4, 5, 6, 7, 9}
_NOT_TOLD = 2
# Threads that decode; more of them take memory, each some frames.
_THREADS = 8
# How often in a row a file that cannot be read on is tried again.
_TRIES = 16
# Seconds in which a picture that stands for itself is sent, in recordings of broadcasts.
_GROUP = 10
# libswscale's bilinear scaler, which widens its filter to scale down; rounded exactly, and with U
# and V of every pixel (swscale.h: SWS_BILINEAR, SWS_ACCURATE_RND, SWS_FULL_CHR_H_INT, _INP).
_SCALER = 2 | 0x40000 | 0x2000 | 0x4000
# Beside av's own errors: numbers in a damaged header make arithmetic and conversions fail.
_UNREADABLE = (OSError, ValueError, LookupError, ArithmeticError, RuntimeError)


def is_video(name: str) -> bool:
    """Whether a file name has the ending of a video, in any case."""
    return name.lower().endswith(SUFFIXES)


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded frame: its number from 0, its time in seconds, its time stamp, the av frame.

    Time and time stamp count from the first picture: recorders begin at the time of day, and
    broadcasts at whatever their clock shows.
    """

    number: int
    time: float
    pts: int
    picture: Any

    def pixels(self) -> Pixels:
        """Return the frame as RGB, (H, W, 3), turned and mirrored as a player shows it."""
        return np.ascontiguousarray(
            _displayed(self.picture.to_ndarray(format="rgb24"), self.picture)
        )

    @property
    def size(self) -> tuple[int, int]:
        """The width and height in which a player shows the frame."""
        width, height = self.picture.width, self.picture.height
        return (height, width) if _axes(self.picture)[0] else (width, height)

    @property
    def as_stored(self) -> bool:
        """Whether a player shows the frame as it is stored, neither turned nor mirrored."""
        turned, across, down = _axes(self.picture)
        return not turned and across >= 0 and down >= 0

    def scaled(self, side: int) -> Pixels | None:
        """Return the frame as RGB of `side` by `side` pixels, None where only `pixels` has it.

        Bilinear with anti-aliasing, by libswscale from the frame's own planes: a tenth of the time
        that all its pixels in RGB and Pillow take, and nearer to exact arithmetic: 0.3 to 0.4 of a
        level off on average, where ffmpeg's conversion of whole frames is 1.1 too dark.
        None for frames that are turned or mirrored, and where a colour has a palette or fewer
        than 8 bits, which libswscale scales otherwise.
        """
        kind = self.picture.format
        if kind.has_palette or any(part.bits < 8 for part in kind.components) or not self.as_stored:
            return None
        small = self.picture.reformat(
            side, side, format="rgb24", interpolation=_SCALER, threads=1
        ).to_ndarray()
        return np.ascontiguousarray(small)


class VideoReader:
    """A video file: `rate` frames a second, about `total` of them (None: not known).

    After `frames` has ended, `faults` says what was wrong with the file, a sentence without its
    subject each. Raises BatmanError when it cannot be opened or holds no video.
    """

    def __init__(self, path: Path) -> None:
        av = av_library()
        self.path = path
        self.faults: list[str] = []
        self._unreadable = (av.FFmpegError, *_UNREADABLE)
        shown = f"'{clean(path.name)}'"
        try:
            self._container = av.open(str(path))
        except self._unreadable as error:
            raise BatmanError(f"{shown} cannot be read as a video: {_why(error)}.") from error
        if not self._container.streams.video:
            self._container.close()
            raise BatmanError(f"{shown} holds no video.")
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        # One core is left to what is done with the frames: on two, a decoder of one thread takes a
        # fifth less of the processor than ffmpeg's three (PyAV 18.1, H.264 at 1080p).
        self._stream.codec_context.thread_count = max(1, min(_THREADS, usable_cores() - 1))
        self.time_base: Fraction = self._stream.time_base or Fraction(1, 90000)
        self.rate: Fraction = self._stream.average_rate or Fraction(30)
        self.total: int | None = self._stream.frames or None
        if self.total is None:
            length = self._stream.duration
            seconds = (
                length * self.time_base
                if length
                else Fraction(self._container.duration or 0, 1_000_000)
            )
            if seconds:
                self.total = max(1, round(seconds * self.rate))

    def frames(self) -> Iterator[Frame]:
        """Yield the frames in the order they are shown, over damaged places, see `faults`.

        Raises BatmanError when not one can be read for damage.
        """
        damage = Damage(self._container, self._stream)
        first, last, number, strange = 0, -1, 0, 0
        for pictures in self._decoded(damage):
            for picture in pictures:
                damage.frame(picture)
                strange = _told_matrix(picture) or strange
                pts = picture.pts
                if pts is not None and not number:
                    first = damage.start(pts)
                pts = None if pts is None else pts - first
                if pts is None or pts <= last:
                    # No time stamp, or one that goes back: the next place a frame may have.
                    step = max(1, round(1 / (self.rate * self.time_base)))
                    pts = last + step if number else 0
                last = pts
                yield Frame(number, float(pts * self.time_base), pts, picture)
                number += 1
        self.faults = damage.verdict(self.total)
        if strange:
            self.faults.append(
                f"has colours that are not known here (matrix {strange} of ITU-T H.273): "
                "they are taken for BT.601"
            )
        if damage.error is not None and not number:
            shown, why = f"'{clean(self.path.name)}'", _why(damage.error)
            raise BatmanError(
                f"{shown} is damaged from its first frame on: {why}."
            ) from damage.error

    def frames_near(self, time: float) -> Iterator[Frame]:
        """Yield the frames from a key frame before `time` (seconds) on; of a fresh reader only.

        Their numbers are not known: -1. Ends early, or at once, where the file cannot be sought in,
        is damaged or has no time stamps.
        """
        try:
            pictures = self._container.decode(self._stream)
            first = next((picture.pts for picture in pictures), None)
            if first is None:
                return
            self._container.seek(first + int(time / self.time_base), stream=self._stream)
            for picture in self._container.decode(self._stream):
                if picture.pts is None:
                    return
                _told_matrix(picture)
                pts = picture.pts - first
                yield Frame(-1, float(pts * self.time_base), pts, picture)
        except self._unreadable:
            return

    def _decoded(self, damage: Damage) -> Iterator[list[Any]]:
        """Yield the pictures of one packet after another.

        A packet that cannot be decoded costs its own pictures; the next one is tried.
        """
        tries = 0
        packets = self._container.demux()
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except self._unreadable as error:
                # What follows a damaged place may be whole; at the end nothing does.
                tries += 1
                if tries > _TRIES:
                    return damage.broke(error, _why(error))
                packets = self._container.demux()
                continue
            damage.packet(packet)
            if packet.stream is not self._stream:
                continue
            try:
                pictures = packet.decode()
            except self._unreadable as error:
                pictures = []
                if packet.size:
                    damage.unread(error)
            tries = 0 if pictures else tries
            yield pictures
            if not packet.size and damage.lacks_last:
                # At its end a decoder of several threads drops all it holds back for one fault.
                yield list(self._held_back(damage))

    def _held_back(self, damage: Damage) -> Iterator[Any]:
        """Yield the pictures after the last one shown, read anew by one thread."""
        after = damage.shown
        with av_library().open(str(self.path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "SLICE"
            if after is not None:
                # Transport and program streams are sought by time, not to a picture that stands
                # for itself: one lies within the seconds before, pictures of which are passed over.
                early = after - int(_GROUP / (stream.time_base or self.time_base))
                endless = not set(container.format.name.split(",")).isdisjoint(ENDLESS)
                container.seek(early if endless else after, stream=stream)
            for packet in container.demux(stream):
                try:
                    pictures = packet.decode()
                except self._unreadable as error:
                    if packet.pts is not None and (after is None or packet.pts > after):
                        damage.unread(error)
                    continue
                for picture in pictures:
                    if picture.pts is not None and (after is None or picture.pts > after):
                        yield picture

    def close(self) -> None:
        """Close the file."""
        self._container.close()


def _told_matrix(picture: Any) -> int:
    """Return the number of a frame's colour matrix if it is not known, which it then has no more.

    0 otherwise.
    """
    told = int(picture.colorspace)
    if told in _MATRICES:
        return 0
    picture.colorspace = _NOT_TOLD
    return told


def _displayed(array: Pixels, picture: Any) -> Pixels:
    """Return pixels as the frame's display matrix has them shown.

    The matrix (ISO/IEC 14496-12, 8.2.2; ffmpeg's `AV_FRAME_DATA_DISPLAYMATRIX`, nine 32-bit
    numbers a b u c d v x y w) takes a stored place (p, q) to (ap + cq, bp + dq), y pointing down.
    Quarter turns and mirrorings are what cameras write; another angle is taken as the nearest.
    """
    turned, across, down = _axes(picture)
    if turned:
        array = array.transpose(1, 0, 2)
    return array[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]


def _axes(picture: Any) -> tuple[bool, int, int]:
    """Return whether a frame's sides change places when it is shown, and the signs of both axes."""
    data = picture.side_data.get("DISPLAYMATRIX")
    if data is None:
        return False, 1, 1
    a, b, _, c, d = np.frombuffer(bytes(data), dtype="=i4")[:5].tolist()
    return (False, a, d) if abs(a) + abs(d) >= abs(b) + abs(c) else (True, c, b)


def _why(error: Exception) -> str:
    """Return ffmpeg's own words without the number and the path around them."""
    return clean(getattr(error, "strerror", None) or str(error))


def av_library() -> Any:
    """Return the package av. Raises BatmanError, with a hint, when it is not installed."""
    try:
        import av
    except ImportError:
        raise BatmanError(
            "Videos need the package av, which is not installed.",
            f"Install it with: {how_to_install('batman-tui[video]')}",
        ) from None
    return av
