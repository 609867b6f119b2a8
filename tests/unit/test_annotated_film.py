"""Boxes drawn into the planes of frames: as those drawn in RGB, for every kind of film."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.data.images.draw_boxes import DrawnBox, draw_boxes
from core.data.images.video import Frame, VideoReader
from core.inference.annotated_film import AnnotatedFilm
from core.inference.yuv_drawing import BT601, Colours, draw_boxes_yuv

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
        # One that is drawn on does not keep the picture's colour.
        drawn = (np.abs(wanted - colours.from_rgb(grey)).max(-1) > 1).reshape(rows, 2, columns, 2)
        kept = (np.abs(np.stack([u, v]) - 128.0) <= 1).all(0) & drawn.any((1, 3))
        assert not kept[(np.abs(by_pairs[..., 1:] - 128) > 8).any(-1).all((1, 3))].any()


def test_only_solid_boxes_are_drawn_on_planes() -> None:
    planes = planes_from(np.zeros((20, 20, 3), np.uint8), BT601)
    with pytest.raises(ValueError, match="dashed"):
        draw_boxes_yuv(planes, (20, 20), [DrawnBox((1, 1, 9, 9), RED, pen="dashed")], BT601)
