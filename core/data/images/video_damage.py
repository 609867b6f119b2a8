"""What is wrong with a video, found while it is read: packets that are damaged, an end too soon.

What a file says of its length is held against where its last packet ends, in seconds: how many
pictures there are to be is an estimate wherever their rate varies. MPEG transport and program
streams say no length (ffmpeg reckons it from the last time in the file): such a recording was cut
where its last picture is not whole or its last packet is not.
"""

from __future__ import annotations

from collections import Counter, deque
from fractions import Fraction
from math import inf
from pathlib import Path
from typing import Any

from core.common.text import plural

# Containers without a length, by ffmpeg's names.
ENDLESS = ("mpegts", "mpeg")
# Bytes of a packet of a transport stream, ISO/IEC 13818-1; with a time before it (M2TS) 192.
_TS_PACKETS = {188, 192, 204}
# What muxers and players differ by in where a film ends, in seconds.
_SLACK = 0.25
# The last steps of a film, where a picture may be missing that others behind it were decoded from.
_LAST = 4
# Containers whose readers find the next whole packet after a damaged place without a word.
_SILENT = {"asf", "matroska", "mpegts", "mpeg"}
# So many steps alike, and no more than so many longer ones, make the longer ones holes.
_ALIKE, _HOLES = 24, 3
# The header of Matroska and the beginning of its segment lie in these.
_EBML_HEAD = 4096
# Frames that a decoder may hold back.
_HELD = 64


class Damage:
    """What was met of one video, for a verdict at its end."""

    def __init__(self, container: Any, stream: Any) -> None:
        self._container, self._stream = container, stream
        self._start = (container.start_time or 0) / 1_000_000
        self._packets = self._frames = self._unread = 0
        self._end = 0.0
        # Seconds from picture to picture: the last ones, and the bounds of those before.
        self._steps: deque[float] = deque()
        self._least, self._gap = inf, 0.0
        self._before: float | None = None
        # How often a step of so many milliseconds came, and the longest ones with their beginning.
        self._lengths: Counter[int] = Counter()
        self._longest: list[tuple[float, float]] = []
        self._corrupt_packets = self._corrupt_frames = 0
        self._corrupt_last = False
        self._first_packet: int | None = None
        self._last_packet: int | None = None
        self._shown: deque[int | None] = deque(maxlen=_HELD)
        self._last: Any = None
        self._broke = ""
        self.error: Exception | None = None

    def packet(self, packet: Any) -> None:
        """Note a packet of any stream of the file."""
        at = packet.pts if packet.pts is not None else packet.dts
        if at is not None and packet.time_base:
            end = float((at + (packet.duration or 0)) * packet.time_base) - self._start
            self._end = max(self._end, end)
        # An edit list (a film that was trimmed) has packets that are decoded and never shown.
        if packet.stream is self._stream and packet.size and not packet.is_discard:
            if not self._packets:
                self._first_packet = packet.pts
            self._packets += 1
            # Counted once another follows: the last one of a file that was cut off is not whole.
            self._corrupt_packets += self._corrupt_last
            self._corrupt_last = packet.is_corrupt
            self._last_packet = packet.pts

    def unread(self, error: Exception) -> None:
        """Note a packet of the film that could not be decoded."""
        self._unread += 1
        self.error = error

    def broke(self, error: Exception, why: str) -> None:
        """Note that the file could not be read on, and why in words."""
        self._broke = why
        self.error = error

    def frame(self, picture: Any) -> None:
        """Note a picture that was decoded."""
        self._frames += 1
        self._corrupt_frames += self._last is not None and self._last.is_corrupt
        self._last = picture
        self._shown.append(picture.pts)
        if picture.pts is not None:
            time = float(picture.pts * (self._stream.time_base or 0))
            if self._before is not None:
                self._steps.append(time - self._before)
                if len(self._steps) > _LAST:
                    step = self._pass(time)
                    self._least = min(self._least, step)
                    self._gap = max(self._gap, step)
            self._before = time

    def _pass(self, time: float) -> float:
        """Take the first of the last steps, which end at `time`, to those before."""
        begin = time - sum(self._steps)
        step = self._steps.popleft()
        self._lengths[round(step * 1000)] += 1
        self._longest = sorted([*self._longest, (step, begin)])[-_HOLES - 1 :]
        return step

    def start(self, pts: int) -> int:
        """Return the time stamp of the film's first picture; `pts` is that of the first one read.

        Where pictures before it could not be read, the film begins with its first packet.
        """
        if self.error is None or self._first_packet is None:
            return pts
        return min(pts, self._first_packet)

    @property
    def shown(self) -> int | None:
        """The latest time stamp of a picture so far, None without any."""
        return max((pts for pts in self._shown if pts is not None), default=None)

    @property
    def lacks_last(self) -> bool:
        """Whether the last packet so far has given no picture."""
        return self._last_packet is not None and self._last_packet not in self._shown

    def verdict(self, total: int | None) -> list[str]:
        """Return what is wrong, a sentence without its subject each; call it at the film's end.

        `total` is about how many pictures there should be, None when that is not known.
        """
        found = []
        if self._unread:
            packets = plural(self._unread, "packet")
            theirs = "its pictures are" if self._unread == 1 else "their pictures are"
            found.append(f"is damaged in {packets}: {theirs} missing")
        if lost := self._lost():
            found.append(f"is damaged: {plural(lost, 'picture')} could not be decoded")
        elif wrong := max(self._corrupt_packets if self._counted else 0, self._corrupt_frames):
            are = "picture is" if wrong == 1 else "pictures are"
            found.append(f"is damaged: {wrong:,} {are} not whole")
        end = self._early_end()
        found += self._holes()
        if end or self._broke:
            of = f" of about {total:,}" if total and total > self._frames else ""
            why = f" ({self._broke})" if self._broke else ""
            found.append(
                f"is cut off: it ends after {self._frames:,}{of} frames, {end or 'too early'}{why}"
            )
        return found

    def _early_end(self) -> str:
        """Return how the file shows that it ends too soon, "" when it does not."""
        if set(self._container.format.name.split(",")) & set(ENDLESS):
            return "in the middle of a picture" if self._half_a_picture() else ""
        declared = (self._container.duration or 0) / 1_000_000
        declared = max(declared, _seconds(self._stream.metadata.get("DURATION", "")))
        if self._container.format.name == "avi" and self._stream.frames and self._rate:
            # ffmpeg shortens an AVI's duration to what is there, not the number of its frames.
            declared = max(declared, float(self._stream.frames / self._rate))
        step = max(self._gap, *self._steps, 0.0)
        slack = max(_SLACK, 2 * step)
        if "matroska" in self._container.format.name and _is_short(Path(self._container.name)):
            slack = step / 2  # nothing but what is not there ends sooner
        if declared and self._end < declared - slack:
            places = 1 if declared - self._end >= 0.1 else 2
            return f"at {self._end:.{places}f} of {declared:.{places}f} s"
        return "in the middle of a picture" if self._unfinished else ""

    @property
    def _counted(self) -> bool:
        """Whether packets of the file are numbered, so that one that is not whole lacks some.

        Elsewhere a packet that is not whole is one at which the file ends
        (libavformat's `av_get_packet`).
        """
        return bool(self._container.format.name == "mpegts")

    @property
    def _unfinished(self) -> bool:
        if not self._counted and (self._corrupt_packets or self._corrupt_last):
            return True
        return bool(self._last is not None and self._last.is_corrupt)

    def _half_a_picture(self) -> bool:
        if self._unfinished:
            return True
        path = Path(self._container.name)
        if self._container.format.name == "mpegts":
            size = path.stat().st_size
            if all(size % packet for packet in _TS_PACKETS):
                return True
        # Where all steps are alike, one at the end that is not lacks the picture in between.
        alike = self._least < inf and self._gap < 1.1 * self._least
        if alike and any(step > 1.5 * self._gap for step in self._steps):
            return True
        # Of interlaced films each half of a picture may be a packet.
        return self.lacks_last and not self._interlaced and not self._unread

    @property
    def _interlaced(self) -> bool:
        return bool(getattr(self._last, "interlaced_frame", False))

    def _lost(self) -> int:
        """Return how many packets gave no picture and no error: a decoder waits for the next
        picture that stands for itself. VP8 has packets that are no pictures.
        """
        if self._interlaced or self._stream.codec_context.name.startswith(("vp8", "libvpx")):
            return 0
        lost = self._packets - self._frames - self._unread
        if lost == 1 and self.lacks_last and "vp9" in self._stream.codec_context.name:
            return 1  # each of its packets shows a picture, and of the last one it says nothing
        return lost if lost > 1 and lost > self._packets // 100 else 0

    def _holes(self) -> list[str]:
        """Return what is said of long steps in a film whose other ones are all alike.

        A film of a varying rate has no usual step; a camera that pauses does so often.
        """
        formats = set(self._container.format.name.split(","))
        while self._steps and not formats & set(ENDLESS):  # those show by it where they were cut
            self._pass(self._before or 0.0)
        if not _SILENT & formats or not self._lengths:
            return []
        usual, _ = self._lengths.most_common(1)[0]
        near = range(usual - max(1, usual // 10), usual + max(1, usual // 10) + 1)
        alike = sum(self._lengths[length] for length in near)
        # A single picture is dropped while recording too.
        holes = sorted((at, step) for step, at in self._longest if step * 1000 > 2.5 * usual)
        if not holes or alike < _ALIKE or self._lengths.total() - alike > _HOLES:
            return []
        first = (self._first_packet or 0) * float(self._stream.time_base or 0)
        places = " and ".join(f"from {at - first:.2f} to {at - first + s:.2f} s" for at, s in holes)
        count = plural(sum(round(step * 1000 / usual) - 1 for _, step in holes), "picture")
        return [f"shows nothing {places}, where about {count} would be: it may be damaged"]

    @property
    def _rate(self) -> Fraction | None:
        rate: Fraction | None = self._stream.average_rate
        return rate


def _seconds(text: str) -> float:
    """Return the seconds of Matroska's tag of a track's length, `00:00:04.000000000`, or 0."""
    try:
        hours, minutes, seconds = map(float, text.split(":"))
    except ValueError:
        return 0.0
    return 3600 * hours + 60 * minutes + seconds


def _is_short(path: Path) -> bool:
    """Whether a Matroska or WebM file ends before its segment does, by the size that this tells.

    RFC 8794 (EBML), section 4: the number of leading zero bits of the first byte is that of the
    bytes that follow; a size of ones only is one that the writer of a stream did not know.
    """
    with path.open("rb") as file:
        head, end = file.read(_EBML_HEAD), path.stat().st_size
    at = 0
    for name in (b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"):
        if head[at : at + 4] != name or at + 5 > len(head) or not head[at + 4]:
            return False
        length = 9 - head[at + 4].bit_length()
        bits = 7 * length
        size = int.from_bytes(head[at + 4 : at + 4 + length], "big") & (1 << bits) - 1
        at += 4 + length
        if name == b"\x18\x53\x80\x67":
            return size != (1 << bits) - 1 and at + size > end
        at += size
    return False
