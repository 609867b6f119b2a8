"""Boxes drawn into the planes of frames: as those drawn in RGB, for every kind of film."""

from __future__ import annotations

import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.data.images.draw_boxes import DrawnBox, draw_boxes
from core.data.images.video import Frame, VideoReader
from core.inference.annotated_film import AnnotatedFilm
from core.inference.yuv_drawing import BT601, Colours, draw_boxes_yuv, planes_of

av = pytest.importorskip("av", reason="needs the video extra")

RATE, COUNT = 10, 6
RED, BLUE, WHITE = (230, 25, 75), (0, 90, 200), (250, 250, 250)
BOXES = [
    DrawnBox((11.2, 30.7, 60.1, 81.9), RED, "cell 0.91"),
    DrawnBox((-5.0, -9.0, 40.0, 300.0), BLUE, "#12 square 0.50"),
    DrawnBox((41.0, 40.0, 42.0, 40.5), WHITE, "dot"),
    DrawnBox((20.0, 50.0, 90.0, 52.0), WHITE),
    DrawnBox((90.0, 60.0, 5000.0, 5000.0), RED, "at the edge, with a label that is long"),
]


def filled_up(rgb: Any) -> Any:
    height, width = rgb.shape[:2]
    return np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def planes_from(rgb: Any, colours: Colours) -> list[Any]:
    """RGB as planes in 4:2:0, by the mean of four pixels."""
    yuv = colours.from_rgb(filled_up(rgb))
    halves = yuv.reshape(yuv.shape[0] // 2, 2, yuv.shape[1] // 2, 2, 3).mean((1, 3))
    rounded = [np.rint(part).clip(0, 255) for part in (yuv[..., 0], halves[..., 1], halves[..., 2])]
    return [part.astype(np.uint8) for part in rounded]


@pytest.mark.parametrize("colours", [BT601, Colours("yuv420p", 1, False), Colours("x", 9, True)])
@pytest.mark.parametrize("size", [(128, 96), (127, 96), (128, 97), (131, 103), (640, 420), (33, 9)])
def test_planes_are_drawn_on_as_rgb_is(size: tuple[int, int], colours: Colours) -> None:
    """Lines of one pixel and of two, boxes without a hole, past the edges, at odd places."""
    grey = (120, 120, 120)
    for moved in range(4):
        boxes = [
            DrawnBox(
                tuple(side + moved % 2 + 2 * (moved // 2) for side in box.corners),  # type: ignore[arg-type]
                box.colour, box.label, below=bool(moved // 2),
            )
            for box in BOXES
        ]  # fmt: skip
        picture = Image.new("RGB", size, grey)
        y, u, v = planes = planes_from(np.asarray(picture), colours)
        draw_boxes(picture, boxes)
        draw_boxes_yuv(planes, size, boxes, colours)
        wanted = colours.from_rgb(filled_up(np.asarray(picture)))
        assert np.abs(y - wanted[..., 0]).max() <= 0.5
        # Two by two pixels have a colour of theirs, and where they have but one, that.
        rows, columns = u.shape
        by_pairs = wanted.reshape(rows, 2, columns, 2, 3)
        least, most = by_pairs.min((1, 3)), by_pairs.max((1, 3))
        for number, plane in ((1, u), (2, v)):
            assert (plane - least[..., number]).min() >= -0.51
            assert (plane - most[..., number]).max() <= 0.51


def test_lines_of_one_pixel_at_odd_places_keep_their_colour() -> None:
    y, u, v = planes = planes_from(np.full((80, 100, 3), 120, np.uint8), BT601)
    draw_boxes_yuv(planes, (100, 80), [DrawnBox((11, 13, 61, 57), RED)], BT601)
    red = np.rint(BT601.from_rgb(RED))
    assert (y[13:58, 11] == red[0]).all()
    assert (y[14:57, [10, 12, 60, 62]] != red[0]).all()
    for plane, value in ((u, red[1]), (v, red[2])):
        assert (plane[6:29, [5, 30]] == value).all()
        assert (plane[[6, 28], 5:31] == value).all()
        assert (plane[7:28, 6:30] == 128).all()


def test_only_solid_boxes_are_drawn_on_planes() -> None:
    planes = planes_from(np.zeros((20, 20, 3), np.uint8), BT601)
    with pytest.raises(ValueError, match="dashed"):
        draw_boxes_yuv(planes, (20, 20), [DrawnBox((1, 1, 9, 9), RED, pen="dashed")], BT601)


# A format of frames, the codec that keeps it, and how its colours are told: matrix, range.
FILMS = [
    ("yuv420p", "libx264", 2, 0),
    ("yuv420p", "libx264", 1, 1),
    ("yuv420p", "libx264", 9, 1),
    ("yuvj420p", "libx264", 5, 2),
    ("yuv420p", "ffv1", 8, 0),  # YCgCo, which libswscale does not convert
    ("yuv422p", "libx264", 1, 1),
    ("yuv444p", "libx264", 2, 0),
    ("yuv420p10le", "libx264", 1, 1),
    ("yuvj422p", "mjpeg", 2, 2),
    ("gray", "ffv1", 2, 0),
    ("bgr0", "ffv1", 2, 0),
    ("pal8", "png", 2, 0),
]


def scene(size: tuple[int, int], moved: int = 0) -> Any:
    """A smooth picture that goes to the right, RGB."""
    width, height = size
    random = np.random.default_rng(3)
    small = random.integers(40, 216, (4, 6, 3), dtype=np.uint8)
    large = Image.fromarray(small).resize((width + 40, height), Image.Resampling.BICUBIC)
    return np.asarray(large)[:, moved : moved + width]


def write_film(
    path: Path,
    size: tuple[int, int],
    kind: tuple[str, str, int, int] = FILMS[0],
    scenes: Any = None,
) -> Path:
    name, codec, matrix, whole = kind
    with av.open(str(path), "w") as container:
        options = {"libx264": {"qp": "4"}, "mjpeg": {"qmin": "1", "qmax": "1"}}.get(codec, {})
        stream = container.add_stream(codec, rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, name
        context = stream.codec_context
        context.colorspace, context.color_range = matrix, whole
        for number in range(COUNT):
            frame = av.VideoFrame.from_ndarray(scene(size, 2 * number), format="rgb24")
            if name == "pal8":
                frame = palette(scene(size, 2 * number))
            else:
                told = matrix if matrix != 8 else 2
                frame = frame.reformat(
                    format=name, dst_colorspace=told, dst_color_range=whole or None
                )
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def palette(rgb: Any) -> Any:
    """A frame of 256 colours."""
    few = Image.fromarray(rgb).quantize(256)
    colours = np.full((256, 4), 255, np.uint8)
    table = np.array(few.getpalette(), np.uint8).reshape(-1, 3)
    colours[: len(table), 1:] = table
    return av.VideoFrame.from_ndarray((np.asarray(few), colours), format="pal8")


def frames_of(path: Path) -> list[Frame]:
    reader = VideoReader(path)
    try:
        return list(reader.frames())
    finally:
        reader.close()


def annotate(source: Path, target: Path, boxes: list[DrawnBox]) -> list[Frame]:
    """Write the film with the boxes on each frame, and return its frames."""
    reader = VideoReader(source)
    with AnnotatedFilm(target, reader) as film:
        for frame in reader.frames():
            film.add(frame, boxes)
    reader.close()
    return frames_of(target)


@pytest.mark.parametrize("kind", FILMS, ids=lambda kind: "-".join(map(str, kind)))
@pytest.mark.parametrize("size", [(160, 120), (161, 119)])
def test_a_film_of_any_kind_keeps_its_picture_and_gets_its_boxes(
    tmp_path: Path, kind: tuple[str, str, int, int], size: tuple[int, int]
) -> None:
    if kind[1] == "libx264" and "444" not in kind[0] and size[0] % 2:
        kind = (kind[0].replace("yuvj", "yuv"), "ffv1", *kind[2:])
    source = write_film(tmp_path / ("a.mov" if kind[1] == "png" else "a.mkv"), size, kind)
    before = frames_of(source)
    assert before[0].picture.format.name == kind[0]
    red = DrawnBox((20.0, 30.0, 99.0, 90.0), RED)
    after = annotate(source, tmp_path / "out.mp4", [red, DrawnBox((70, 50, 71, 51), BLUE, "12")])
    assert len(after) == COUNT
    for was, now in zip(before, after, strict=True):
        picture = Image.fromarray(was.pixels())
        draw_boxes(picture, [red, DrawnBox((70, 50, 71, 51), BLUE, "12")])
        wanted, found = np.asarray(picture).astype(int), now.pixels().astype(int)
        assert found.shape[:2] == tuple(side + side % 2 for side in wanted.shape[:2])
        found = found[: wanted.shape[0], : wanted.shape[1]]
        # What was there is there, but for what the encoder leaves out.
        away = np.ones(wanted.shape[:2], bool)
        away[10:100, 10:140] = False
        assert np.abs(found - wanted)[away].mean() < 5
        assert np.abs((found - wanted)[away].mean(0)).max() < 2
        # The label: white on blue, or its ground between.
        assert np.abs(found - wanted)[33:50, 70:90].mean() < 15
        assert np.abs(found[36:84, 20].mean(0) - RED).max() < 15


def test_colours_that_are_not_known_are_said(tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.mkv", (64, 48), ("yuv420p", "ffv1", 8, 0))
    reader = VideoReader(source)
    first, *_ = reader.frames()
    reader.close()
    assert np.abs(first.pixels().astype(int) - scene((64, 48))).mean() < 4
    assert [fault.partition(" (")[0] for fault in reader.faults] == [
        "has colours that are not known here"
    ]


def turned(path: Path) -> Path:
    """Have the track of a film in MP4 shown turned to the right (ISO/IEC 14496-12, 8.3.2)."""
    raw, one = path.read_bytes(), 0x10000
    same = struct.pack(">9i", one, 0, 0, 0, one, 0, 0, 0, 0x40000000)
    at = raw.index(same, raw.index(b"tkhd"))
    right = struct.pack(">9i", 0, one, 0, -one, 0, 0, 0, 0, 0x40000000)
    path.write_bytes(raw[:at] + right + raw[at + 36 :])
    return path


def test_a_film_that_is_shown_turned_is_drawn_on_as_it_is_shown(tmp_path: Path) -> None:
    source = turned(write_film(tmp_path / "a.mp4", (160, 120)))
    before = frames_of(source)
    assert (before[0].size, before[0].scaled(64)) == ((120, 160), None)
    box = DrawnBox((20.0, 60.0, 99.0, 150.0), RED)
    for was, now in zip(before, annotate(source, tmp_path / "out.mp4", [box]), strict=True):
        picture = Image.fromarray(was.pixels())
        draw_boxes(picture, [box])
        assert now.size == (120, 160)
        assert np.abs(now.pixels().astype(int) - np.asarray(picture)).mean() < 4
        assert np.abs(now.pixels()[70:140, 20].mean(0) - RED).max() < 15


def test_a_film_keeps_the_size_and_the_colours_that_it_begins_with(tmp_path: Path) -> None:
    kinds = [FILMS[1], FILMS[3], ("yuv444p", "ffv1", 2, 0), FILMS[0]]
    sources = [
        write_film(tmp_path / f"{number}.mkv", (160, 120), kind)
        for number, kind in enumerate(kinds)
    ] + [write_film(tmp_path / "small.mkv", (80, 60), FILMS[1])]
    every = [frame for source in sources for frame in frames_of(source)]
    for first in range(len(sources)):
        frames = every[first * COUNT :] + every[: first * COUNT]
        reader = VideoReader(sources[first])
        target = tmp_path / f"out{first}.mp4"
        with AnnotatedFilm(target, reader) as film:
            for number, frame in enumerate(frames):
                step = round(number / RATE / reader.time_base)
                film.add(replace(frame, pts=step), [])
        reader.close()
        written = frames_of(target)
        assert len(written) == len(frames)
        for was, now in zip(frames, written, strict=True):
            assert now.size == frames[0].size
            fitting = Image.fromarray(was.pixels()).resize(now.size, Image.Resampling.BILINEAR)
            off = now.pixels().astype(int) - np.asarray(fitting)
            assert np.abs(off).mean() < 4
            assert np.abs(off.mean((0, 1))).max() < 2.5


def test_a_film_that_cannot_be_drawn_on_leaves_nothing(tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.mkv", (64, 48))
    struck = DrawnBox((1, 1, 40, 40), RED, pen="struck")
    with pytest.raises(ValueError, match="struck"):
        annotate(source, tmp_path / "out.mp4", [struck])
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]


def exact_rgb(frame: Frame) -> Any:
    """A frame in BT.601 and limited range by exact arithmetic (H.273), not rounded."""
    luma, *halves = (plane.astype(np.float64) for plane in planes_of(frame.picture))
    y = (luma - 16) * 255 / 219
    u, v = ((half.repeat(2, 0).repeat(2, 1) - 128) * 255 / 224 for half in halves)
    return np.stack([y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u], -1)


@pytest.mark.parametrize("side", [32, 96, 224])
def test_a_frame_is_scaled_as_its_pixels_are(tmp_path: Path, side: int) -> None:
    """Nearer to what exact arithmetic gives than ffmpeg's RGB of the whole frame, scaled."""
    for frame in frames_of(write_film(tmp_path / "a.mkv", (160, 120))):
        exact = exact_rgb(frame).clip(0, 255).astype(np.float32)
        channels = [
            np.asarray(
                Image.fromarray(exact[..., k]).resize((side, side), Image.Resampling.BILINEAR)
            )
            for k in range(3)
        ]
        small = frame.scaled(side)
        whole = Image.fromarray(frame.pixels()).resize((side, side), Image.Resampling.BILINEAR)
        off, by_pixels = (np.abs(made - np.stack(channels, -1)) for made in (small, whole))
        assert off.mean() < min(1.0, by_pixels.mean())
        assert off.max() < 12


@pytest.mark.parametrize("kind", FILMS, ids=lambda kind: "-".join(map(str, kind)))
def test_every_kind_of_frame_is_scaled_alike(
    tmp_path: Path, kind: tuple[str, str, int, int]
) -> None:
    source = tmp_path / ("a.mov" if kind[1] == "png" else "a.mkv")
    frame = frames_of(write_film(source, (160, 120), kind))[0]
    small = frame.scaled(64)
    if kind[0] == "pal8":
        assert small is None
        return
    whole = Image.fromarray(frame.pixels()).resize((64, 64), Image.Resampling.BILINEAR)
    off = np.abs(small - np.asarray(whole).astype(int))
    assert (off.mean() < 2, off.max() < 10) == (True, True)
