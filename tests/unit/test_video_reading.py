"""Films as a player shows them: their time, their turn, and what of a damaged one can be read."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.common.errors import BatmanError
from core.data.images.video import Frame, VideoReader
from core.data.importers import import_video
from core.data.store import Project
from core.inference.annotated_film import AnnotatedFilm

av = pytest.importorskip("av", reason="needs the video extra")
RATE, COUNT = 25, 100
CODECS = {
    "mp4": "libx264", "mkv": "libx264", "ts": "libx264", "avi": "mpeg4", "webm": "libvpx-vp9",
    "wmv": "wmv2", "mpg": "mpeg2video",
}  # fmt: skip


def cells(seed: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    picture = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return np.ascontiguousarray(picture.repeat(8, axis=0).repeat(8, axis=1))


def film(path: Path, stamps: Sequence[int] = range(COUNT), base: int = RATE, **more: str) -> Path:
    """Write a film of 64×48, a picture of its own for each time stamp in 1/`base` s."""
    with av.open(str(path), "w", options=more) as container:
        codec = CODECS[path.suffix[1:]]
        stream = container.add_stream(codec, rate=RATE, options={"g": "25"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, base)
        for number, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(cells(number), format="rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, base)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def read(path: Path) -> tuple[list[Frame], list[str]]:
    reader = VideoReader(path)
    try:
        return list(reader.frames()), reader.faults
    finally:
        reader.close()


def shows(frame: Frame, seed: int) -> bool:
    wrong = np.abs(frame.pixels().astype(int) - cells(seed))
    return float(wrong[4::8, 4::8].mean()) < 25


@pytest.mark.parametrize("ending", CODECS)
def test_a_whole_film_has_no_fault(tmp_path: Path, ending: str) -> None:
    frames, faults = read(film(tmp_path / f"a.{ending}"))
    assert faults == []
    assert [frame.number for frame in frames] == list(range(COUNT))
    assert [frame.time for frame in frames] == pytest.approx(
        [number / RATE for number in range(COUNT)], abs=2e-3
    )
    assert shows(frames[0], 0)
    assert shows(frames[60], 60)


@pytest.mark.parametrize("hours", [11, 20])
def test_time_counts_from_the_first_picture(tmp_path: Path, hours: int) -> None:
    start = hours * 3600 * RATE
    source = film(tmp_path / "clock.ts", range(start, start + 50))
    frames, faults = read(source)
    assert (frames[0].time, frames[0].pts) == (0, 0)
    assert frames[-1].time == pytest.approx(49 / RATE, abs=2e-3)
    assert faults == []
    reader = VideoReader(source)
    with AnnotatedFilm(tmp_path / "out.mp4", reader) as writer:
        for frame in reader.frames():
            writer.add(frame, [])
    reader.close()
    with av.open(str(tmp_path / "out.mp4")) as written:
        times = [float(frame.time) for frame in written.decode(video=0)]
    assert times == pytest.approx([number / RATE for number in range(50)], abs=2e-3)
    # And with its colours: written from red, green and blue, which another order would swap.
    again, _ = read(tmp_path / "out.mp4")
    assert all(shows(frame, frame.number) for frame in again)


def test_a_film_on_the_clock_is_imported_from_its_beginning(tmp_path: Path) -> None:
    start = 40_000 * RATE
    source = film(tmp_path / "clock.ts", range(start, start + 50))
    with Project.create(tmp_path / "p") as project:
        import_video(project, source, every_s=0.5)
        rows = project.db.execute("SELECT time FROM v_images ORDER BY id").fetchall()
    assert [row[0] for row in rows] == pytest.approx([0, 0.52, 1, 1.52], abs=0.03)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts", "avi", "webm", "wmv", "mpg"])
@pytest.mark.parametrize("share", [0.4, 0.5, 0.8])
def test_a_film_that_was_cut_off_says_so(tmp_path: Path, ending: str, share: float) -> None:
    more: dict[str, Any] = {"movflags": "faststart"} if ending == "mp4" else {}
    raw = film(tmp_path / f"a.{ending}", **more).read_bytes()
    cut = tmp_path / f"cut.{ending}"
    cut.write_bytes(raw[: int(len(raw) * share)])
    frames, faults = read(cut)
    assert 15 < len(frames) < 90
    assert any(fault.startswith("is cut off: it ends after") for fault in faults)
    assert shows(frames[0], 0)
    with Project.create(tmp_path / "p") as project:
        report = import_video(project, cut, every_frames=10)
    assert report.images >= 2
    assert set(report.counts()) == {"damaged video"}


@pytest.mark.parametrize("ending", ["mkv", "webm"])
def test_the_last_pictures_of_matroska_are_not_lost_without_a_word(
    tmp_path: Path, ending: str
) -> None:
    """They take less time than muxers may differ by in where a film ends."""
    source = film(tmp_path / f"a.{ending}")
    with av.open(str(source)) as container:
        places = [p.pos for p in container.demux(video=0) if p.size]
    raw, cut = source.read_bytes(), tmp_path / f"cut.{ending}"
    for gone in (1, 3):
        cut.write_bytes(raw[: places[-gone] + 9])
        frames, faults = read(cut)
        assert len(frames) == COUNT - gone
        assert [fault.partition(":")[0] for fault in faults] == ["is cut off"], faults


@pytest.mark.parametrize("ending", ["mp4", "mkv", "webm"])
@pytest.mark.parametrize("hurt", [[28], [0], [99], [28, 29, 60]])
def test_a_damaged_packet_costs_its_pictures_and_no_more(
    tmp_path: Path, ending: str, hurt: list[int]
) -> None:
    source = film(tmp_path / f"a.{ending}")
    with av.open(str(source)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    raw = bytearray(source.read_bytes())
    for number in hurt:
        pos, size = packets[number]
        raw[pos + 8 : pos + size] = b"\xaa" * (size - 8)
    source.write_bytes(raw)
    frames, faults = read(source)
    # Nothing can be made of the pictures that build on the film's very first one.
    theirs = len(hurt) if hurt != [0] else 25
    assert COUNT - theirs <= len(frames) <= COUNT
    assert faults or len(frames) == COUNT
    # The time of each of the others is its own.
    assert frames[-1].time == pytest.approx((COUNT - 1) / RATE, abs=0.05)
    assert shows(next(frame for frame in frames if frame.time == pytest.approx(3.4, abs=5e-3)), 85)


@pytest.mark.parametrize(
    ("ending", "length", "said"),
    [
        ("avi", 600, "is damaged: 1 picture is not whole"),
        ("mpg", 600, "is damaged: 1 picture is not whole"),
        ("mpg", 8000, "shows nothing from "),
        ("ts", 600, "is damaged: 1 picture is not whole"),
        ("wmv", 600, "shows nothing from 2."),
        ("wmv", 8000, "shows nothing from 2."),
        ("mkv", 600, "shows nothing from "),
    ],
)
def test_damage_that_decoders_and_readers_pass_over_is_said(
    tmp_path: Path, ending: str, length: int, said: str
) -> None:
    source = film(tmp_path / f"a.{ending}")
    raw = bytearray(source.read_bytes())
    half = len(raw) // 2
    raw[half : half + length] = bytes(length)
    source.write_bytes(raw)
    frames, faults = read(source)
    assert 50 < len(frames) < COUNT
    assert any(fault.startswith(said) for fault in faults), faults
    assert not any("cut off" in fault for fault in faults)


def test_the_end_of_a_recording_that_was_cut_is_read_from_a_whole_picture_on(
    tmp_path: Path,
) -> None:
    raw = film(tmp_path / "a.mpg").read_bytes()
    cut = tmp_path / "cut.mpg"
    cut.write_bytes(raw[: int(len(raw) * 0.6)])
    frames, faults = read(cut)
    assert [fault.split(":")[0] for fault in faults] == ["is cut off"]
    assert all(shows(frame, number) for number, frame in enumerate(frames[:-1]))


@pytest.mark.parametrize("ending", ["mkv", "ts", "wmv"])
def test_a_camera_that_pauses_or_drops_a_picture_is_no_damage(tmp_path: Path, ending: str) -> None:
    pauses = [i + 40 * (i // 20) for i in range(COUNT)]
    dropped = [i for i in range(COUNT) if i != 50]
    for stamps in (pauses, dropped):
        assert read(film(tmp_path / f"a.{ending}", stamps))[1] == []


def test_what_holds_nothing_that_can_be_read_is_refused(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mkv", range(20))
    with av.open(str(source)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    raw = bytearray(source.read_bytes())
    for pos, size in packets:
        raw[pos + 8 : pos + size] = b"\xaa" * (size - 8)
    source.write_bytes(raw)
    with pytest.raises(BatmanError, match="is damaged from its first frame on"):
        read(source)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts", "wmv"])
def test_a_varying_rate_is_no_damage(tmp_path: Path, ending: str) -> None:
    stamps = [0, 33, 600, 1200, 3000, 5000, 8000, 12000]
    frames, faults = read(film(tmp_path / f"slow.{ending}", stamps, 1000))
    assert [frame.time for frame in frames] == pytest.approx(
        [stamp / 1000 for stamp in stamps], abs=2e-3
    )
    assert faults == []


# Of each display matrix (a, b, c, d) what a player shows of the picture's corners: red and green
# above, blue and white below.
MATRICES = {
    (1, 0, 0, 1): "RG/BW",
    (-1, 0, 0, 1): "GR/WB",
    (1, 0, 0, -1): "BW/RG",
    (-1, 0, 0, -1): "WB/GR",
    (0, 1, -1, 0): "BR/WG",
    (0, -1, 1, 0): "GW/RB",
    (0, 1, 1, 0): "RB/GW",
    (0, -1, -1, 0): "WG/BR",
}


def turned_film(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Write a film in MP4 whose track is shown by this matrix."""
    pixels = np.zeros((32, 64, 3), np.uint8)
    pixels[:16, :32], pixels[:16, 32:] = (255, 0, 0), (0, 255, 0)
    pixels[16:, :32], pixels[16:, 32:] = (0, 0, 255), 255
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    raw, one = path.read_bytes(), 0x10000
    same = struct.pack(">9i", one, 0, 0, 0, one, 0, 0, 0, 0x40000000)
    at = raw.index(same, raw.index(b"tkhd"))
    a, b, c, d = (one * value for value in matrix)
    wanted = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 0x40000000)
    path.write_bytes(raw[:at] + wanted + raw[at + 36 :])
    return path


def corners(pixels: Any) -> str:
    height, width = pixels.shape[:2]
    names = {"R": (255, 0, 0), "G": (0, 255, 0), "B": (0, 0, 255), "W": (255, 255, 255)}

    def name(row: int, column: int) -> str:
        place = pixels[row * height // 4, column * width // 4].astype(int)
        return min(names, key=lambda key: int(np.abs(place - names[key]).sum()))

    return f"{name(1, 1)}{name(1, 3)}/{name(3, 1)}{name(3, 3)}"


@pytest.mark.parametrize("matrix", MATRICES)
def test_films_are_turned_and_mirrored_as_a_player_shows_them(
    tmp_path: Path, matrix: tuple[int, int, int, int]
) -> None:
    source = turned_film(tmp_path / "a.mp4", matrix)
    frames, faults = read(source)
    assert faults == []
    assert corners(frames[0].pixels()) == MATRICES[matrix]
    assert frames[0].pixels().shape == ((32, 64, 3) if matrix[0] else (64, 32, 3))
    with Project.create(tmp_path / "p") as project:
        import_video(project, source)
        path, *size = project.db.execute("SELECT path, width, height FROM v_images").fetchone()
        from PIL import Image

        with Image.open(project.image_file(path)) as image:
            assert corners(np.asarray(image)) == MATRICES[matrix]
            assert image.size == tuple(size)
