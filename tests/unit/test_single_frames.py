"""Frames of a video by their time: anywhere, in any order, also where it cannot be sought in."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from core.common.errors import BatmanError
from core.data.images.video import VideoReader
from core.data.images.video_frames import VideoFrames

av = pytest.importorskip("av", reason="needs the video extra")

SIDE, COUNT, RATE = 32, 120, 24


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every frame is grey, a little lighter than the one before, with a key frame now and then."""
    path = tmp_path_factory.mktemp("films") / "grey.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "1", "g": "30"})
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        for number in range(COUNT):
            pixels = np.full((SIDE, SIDE, 3), 2 * number, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def shade(frames: VideoFrames, file: Path, number: int) -> float:
    return float(np.asarray(frames.get(file, round(number / RATE, 4))).mean()) / 2


def test_frames_come_forwards_backwards_and_anywhere(film: Path) -> None:
    frames = VideoFrames()
    order = [*range(40), *range(39, 20, -1), 119, 118, 0, 60]
    order += random.Random(0).sample(range(COUNT), 20)
    for number in order:
        assert shade(frames, film, number) == pytest.approx(number, abs=1), number
    frames.close()


def test_a_jump_does_not_read_the_whole_film(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    pixels = VideoReader.frames
    monkeypatch.setattr(VideoReader, "frames", lambda self: read.append(1) or pixels(self))
    assert shade(VideoFrames(), film, 110) == pytest.approx(110, abs=1)
    assert not read


def test_what_cannot_be_sought_is_read_from_the_first(
    film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(VideoReader, "frames_near", lambda self, time: iter(()))
    frames = VideoFrames()
    for number in (100, 99, 5):
        assert shade(frames, film, number) == pytest.approx(number, abs=1)


def test_no_frame_and_no_video_are_said(film: Path, tmp_path: Path) -> None:
    frames = VideoFrames()
    with pytest.raises(BatmanError, match=r"'grey.mp4' has no frame at 9.00 s"):
        frames.get(film, 9.0)
    (tmp_path / "no.mp4").write_bytes(b"no video")
    with pytest.raises(BatmanError, match=r"'no.mp4' cannot be read as a video"):
        frames.get(tmp_path / "no.mp4", 0.0)
    assert shade(frames, film, 3) == pytest.approx(3, abs=1)
