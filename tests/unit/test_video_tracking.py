"""Every Nth frame of a video, what is between, and the tracker's options; with a made detector."""

from __future__ import annotations

import csv
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.common.errors import BatmanError, ClassError
from core.inference import InferenceOptions, infer
from core.inference.tracking import Tracker
from core.models import Detector, Prediction
from core.models.detector import Floats, Pixels

av = pytest.importorskip("av", reason="needs the video extra")

SIDE, FRAMES, RATE = 96, 24, 12


class Red(Detector):
    """Finds the red square, with a score of 0.88 (a logit of 2)."""

    def __init__(self) -> None:
        super().__init__(
            Path("red.pth"), classes=["red"], model_size="none", resolution=SIDE,
            num_select=1, device="cpu", batch_size=4,
        )  # fmt: skip
        self.seen = 0

    def forward(self, batch: Pixels) -> tuple[Floats, Floats]:
        self.seen += len(batch)
        boxes = np.zeros((len(batch), 1, 4), dtype=np.float32)
        logits = np.full((len(batch), 1, 2), -9.0, dtype=np.float32)
        for index, image in enumerate(batch.astype(int)):
            ys, xs = np.nonzero(image[:, :, 0] - image[:, :, 2] > 80)
            if len(xs):
                x0, y0, x1, y1 = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
                boxes[index, 0] = np.array([x0 + x1, y0 + y1, 2 * (x1 - x0), 2 * (y1 - y0)])
                boxes[index, 0] /= 2 * SIDE
                logits[index, 0, 0] = 2.0
        return boxes, logits


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> Red:
    made = Red()
    monkeypatch.setattr("core.models.load_detector", lambda *_, **__: made)
    return made


def film(path: Path, hidden: tuple[int, ...] = ()) -> Path:
    """A red square of 24 pixels that goes two pixels to the right with each frame."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "10"})
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        for step in range(FRAMES):
            pixels = np.full((SIDE, SIDE, 3), 40, np.uint8)
            if step not in hidden:
                pixels[30:54, 4 + 2 * step : 28 + 2 * step] = (230, 40, 40)
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "detections.csv").open() as lines:
        return list(csv.DictReader(lines))


def drawn(
    monkeypatch: pytest.MonkeyPatch, video: Path, out: Path, **options: Any
) -> list[list[float]]:
    """The left sides of what was drawn on each frame."""
    lefts: list[list[float]] = []

    def draw(pixels: Pixels, found: Prediction, *_: Any) -> Pixels:
        lefts.append([float(box[0]) for box in found.boxes])
        return pixels

    monkeypatch.setattr("core.inference.drawing.draw_predictions", draw)
    infer(InferenceOptions("any", [video], out, frame_interval=4, **options))
    return lefts


def test_only_every_nth_frame_is_looked_at(detector: Red, tmp_path: Path) -> None:
    video = film(tmp_path / "film.mp4")
    for annotate in (True, False):
        detector.seen = 0
        out = tmp_path / f"out-{annotate}"
        options = InferenceOptions("any", [video], out, annotate=annotate, frame_interval=5)
        summary = infer(options)
        assert (summary.frames, summary.videos, detector.seen) == (5, 1, 5)
        assert [row["frame"] for row in rows(out)] == ["0", "5", "10", "15", "20"]
        assert [float(row["time_s"]) for row in rows(out)] == pytest.approx(
            [n / RATE for n in (0, 5, 10, 15, 20)], abs=1e-3
        )
    with av.open(str(tmp_path / "out-True/annotated/film.mp4")) as made:
        assert len(list(made.decode(video=0))) == FRAMES


def test_between_them_the_boxes_go_on_stand_or_are_not_there(
    detector: Red, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = film(tmp_path / "film.mp4")
    going = drawn(monkeypatch, video, tmp_path / "a", track=True)
    standing = drawn(monkeypatch, video, tmp_path / "b", track=True, predict=False)
    without = drawn(monkeypatch, video, tmp_path / "c")
    assert len(going) == len(standing) == len(without) == FRAMES
    # From the fourth look on the filter knows the speed.
    for frame in range(12, FRAMES):
        (left,), (stood,) = going[frame], standing[frame]
        assert left == pytest.approx(4 + 2 * frame, abs=1.6), frame
        assert stood == pytest.approx(4 + 2 * (frame - frame % 4), abs=1.6), frame
        assert len(without[frame]) == (frame % 4 == 0)
    assert [row["frame"] for row in rows(tmp_path / "a")] == ["4", "8", "12", "16", "20"]
    assert {row["track_id"] for row in rows(tmp_path / "a")} == {"1"}


def test_a_track_waits_as_long_as_it_is_told(detector: Red, tmp_path: Path) -> None:
    # Six frames of a film of 12 a second are fifteen of one of 30.
    video = film(tmp_path / "film.mp4", hidden=tuple(range(8, 14)))
    for buffer, tracks in ((30, 1), (20, 1), (10, 2), (0, 2)):
        out = tmp_path / f"out-{buffer}"
        options = InferenceOptions("any", [video], out, track=True, track_buffer=buffer)
        assert infer(options).tracks == tracks, buffer


def test_a_track_starts_from_the_score_it_is_told(detector: Red, tmp_path: Path) -> None:
    video = film(tmp_path / "film.mp4")
    for start, tracks in ((None, 1), (0.25, 1), (0.85, 1), (0.9, 0)):
        out = tmp_path / f"out-{start}"
        options = InferenceOptions("any", [video], out, track=True, track_start=start)
        assert infer(options).tracks == tracks, start


def test_boxes_are_one_object_if_they_share_as_much_as_told() -> None:
    def seen(left: float) -> Prediction:
        box = np.array([[left, 0, left + 10, 10]], dtype=np.float32)
        return Prediction(box, np.array([0.9], np.float32), np.array([0]))

    def numbers(overlap: float) -> list[list[int]]:
        tracker = Tracker(Fraction(30), 0.5, overlap=overlap)
        # The last box shares a third of the union with the one before.
        return [tracker.update(seen(left))[1] for left in (0, 0, 0, 5)]

    assert numbers(0.2) == [[], [1], [1], [1]]
    assert numbers(0.5) == [[], [1], [1], []]


def test_without_json_there_is_none(detector: Red, tmp_path: Path) -> None:
    video = film(tmp_path / "film.mp4")
    first = infer(InferenceOptions("any", [video], tmp_path / "out", annotate=False))
    assert first.coco is not None
    assert len(json.loads(first.coco.read_text())["images"]) == FRAMES
    options = InferenceOptions(
        "any", [video], tmp_path / "out", annotate=False, frame_interval=9, coco=False
    )
    assert infer(options).coco is None
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["detections.csv"]
    assert len(rows(tmp_path / "out")) == 3


def test_spare_names_are_for_models_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def load(*_: Any, classes: Any, **__: Any) -> Detector:
        asked.append(classes)
        if classes is None:
            raise ClassError("'red.pth' does not say what its classes are called.")
        return Red()

    monkeypatch.setattr("core.models.load_detector", load)
    video = film(tmp_path / "film.mp4")
    infer(InferenceOptions("any", [video], tmp_path / "out", spare_classes=["red"]))
    assert asked == [None, ["red"]]
    with pytest.raises(ClassError, match="does not say"):
        infer(InferenceOptions("any", [video], tmp_path / "out"))


@pytest.mark.parametrize(("optimise", "traced"), [(True, 1), (False, 0)])
def test_the_network_is_left_as_it_is_when_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optimise: bool, traced: int
) -> None:
    import torch

    from core.models.pytorch import TorchDetector

    calls = []
    made = TorchDetector(
        Path("red.pth"), None, classes=["red"], model_size="none", resolution=SIDE,
        num_select=1, device="cpu", batch_size=2,
    )  # fmt: skip
    nothing = torch.zeros(2, 1, 4), torch.full((2, 1, 2), -9.0)
    monkeypatch.setattr(made, "_optimised", lambda: lambda _: nothing)
    monkeypatch.setattr(made, "_trace", calls.append)
    monkeypatch.setattr("core.models.load_detector", lambda *_, **__: made)
    video = film(tmp_path / "film.mp4")
    options = InferenceOptions("any", [video], tmp_path / "out", annotate=False, optimise=optimise)
    assert infer(options).frames == FRAMES
    assert len(calls) == traced


def test_no_interval_is_less_than_one(detector: Red, tmp_path: Path) -> None:
    with pytest.raises(BatmanError, match="interval is at least 1"):
        infer(InferenceOptions("any", [tmp_path], tmp_path / "out", frame_interval=0))
