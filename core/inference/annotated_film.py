"""Writes the film of what was found: H.264 in MP4, each frame with the boxes on it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from PIL import Image

from core.common.hardware import usable_cores
from core.common.temporary import name_beside
from core.data.images.draw_boxes import DrawnBox, draw_boxes
from core.data.images.video import Frame, VideoReader, av_library
from core.inference.yuv_drawing import BT601, Colours, draw_boxes_yuv, planes_of
from core.models.detector import Pixels
from core.models.prefetch import InTurn

# A constant quantiser, no pictures between two others and no look ahead, which cost most, and
# motion by whole pixels: 0.2 to 0.3 of the processor time of `veryfast` with `crf` 21 for 0.5 to
# 1.3 of its file, see docs/figures.md, "Inference".
_X264 = {
    "preset": "superfast",
    "qp": "23",
    "bf": "0",
    "sc_threshold": "0",
    "weightp": "0",
    "subq": "0",
}
# More threads of the encoder than this take memory and keep nothing busy that is idle. One core is
# left to the rest: on two, one thread takes a tenth less of the processor than two.
_THREADS = 4
# Frames that wait to be drawn on, and as many to be encoded: 3 MB each at 1080p.
_BESIDE = 3


class AnnotatedFilm:
    """Writes frames with boxes, with the time stamps of the video they come from.

    Frames in 4:2:0 of 8 bits that are shown as they are stored are drawn on in their own planes,
    and all else in them stays as it was decoded; others are made RGB. The file has the size and
    the colours of its first frame. Drawing and encoding go on in threads of their own, in a `with`
    block; the file takes its name when that ends without an error.
    """

    def __init__(self, path: Path, source: VideoReader) -> None:
        self._path = path
        self._temporary = name_beside(path)
        self._source = source
        self._colours: Colours | None = None
        self._container: Any = None
        self._stream: Any = None
        self._beside = ExitStack()
        self._encoding = InTurn("encode", _BESIDE)
        self._drawing = InTurn("draw", _BESIDE)

    def __enter__(self) -> AnnotatedFilm:
        self._beside.enter_context(self._encoding)
        self._beside.enter_context(self._drawing)
        return self

    def add(self, frame: Frame, boxes: Sequence[DrawnBox], pixels: Pixels | None = None) -> None:
        """Append a frame with boxes on it; it is drawn on in place where no decoder needs it.

        `pixels` are the frame's if they are at hand. Raises what an earlier one raised.
        """

        def draw() -> None:
            picture = self._drawn(frame, boxes, pixels)
            self._encoding.do(lambda: self._write(picture, frame.pts))

        self._drawing.do(draw)

    def _drawn(self, frame: Frame, boxes: Sequence[DrawnBox], pixels: Pixels | None) -> Any:
        own = Colours.of(frame.picture) if frame.as_stored else None
        if self._colours is None:
            self._colours = own or BT601
        if own is None or own != self._colours:
            return self._drawn_in_rgb(frame.pixels() if pixels is None else pixels, boxes)
        picture = _even(frame.picture)
        if boxes:
            picture.make_writable()
            size = frame.picture.width, frame.picture.height
            draw_boxes_yuv(planes_of(picture), size, boxes, own)
        return picture

    def _drawn_in_rgb(self, pixels: Pixels, boxes: Sequence[DrawnBox]) -> Any:
        import cv2

        av, colours = av_library(), self._colours
        assert colours is not None
        image = Image.fromarray(pixels)
        draw_boxes(image, boxes)
        pixels = np.asarray(image)
        height, width = pixels.shape[:2]
        # H.264 stores colour for two pixels each way: an odd side is filled up by its last line.
        if width % 2 or height % 2:
            pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        if colours == BT601:
            # By OpenCV: a third of the time of ffmpeg's scaler (OpenCV 5.0.0, PyAV 18.1.0), and no
            # further from the source.
            planes = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2YUV_I420)
            return av.VideoFrame.from_ndarray(planes, format=colours.format)
        return av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
            format=colours.format,
            dst_colorspace=colours.matrix,
            dst_color_range=2 if colours.full else 1,
        )

    def _write(self, picture: Any, pts: int) -> None:
        if self._container is None:
            self._open(picture)
        picture.pts, picture.time_base = pts, self._source.time_base
        picture.pict_type = 0  # the encoder would keep to the decoder's
        for packet in self._stream.encode(picture):
            self._container.mux(packet)

    def _open(self, picture: Any) -> None:
        av = av_library()
        codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        self._container = av.open(str(self._temporary), "w", format="mp4")
        options = _X264 if codec == "libx264" else {}
        self._stream = self._container.add_stream(codec, rate=self._source.rate, options=options)
        self._stream.width, self._stream.height = picture.width, picture.height
        self._stream.pix_fmt = picture.format.name
        context = self._stream.codec_context
        context.time_base = self._source.time_base
        context.thread_count = max(1, min(_THREADS, usable_cores() - 1))
        # Players choose by them; without any they take ones of their own choice, as for the source.
        context.color_range = picture.color_range
        context.colorspace = picture.colorspace
        context.color_primaries = picture.color_primaries
        context.color_trc = picture.color_trc

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        try:
            try:
                self._beside.__exit__(kind, error, where)
                if self._container is not None and kind is None:
                    for packet in self._stream.encode():
                        self._container.mux(packet)
            finally:
                if self._container is not None:
                    self._container.close()
            if self._container is not None and kind is None:
                self._temporary.replace(self._path)
        finally:
            self._temporary.unlink(missing_ok=True)


def _even(picture: Any) -> Any:
    """Return a frame of even sides: itself, or a copy whose last lines are there twice."""
    width, height = picture.width + picture.width % 2, picture.height + picture.height % 2
    if (width, height) == (picture.width, picture.height):
        return picture
    made = av_library().VideoFrame(width, height, picture.format.name)
    made.color_range, made.colorspace = picture.color_range, picture.colorspace
    made.color_primaries, made.color_trc = picture.color_primaries, picture.color_trc
    for source, target in zip(planes_of(picture), planes_of(made), strict=True):
        more = target.shape[0] - source.shape[0], target.shape[1] - source.shape[1]
        target[:] = np.pad(source, ((0, more[0]), (0, more[1])), mode="edge")
    return made
