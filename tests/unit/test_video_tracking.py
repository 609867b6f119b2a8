"""Every Nth frame of a video, what is between, and the tracker's options; with a made detector."""

from __future__ import annotations

import csv
import json
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.common.errors import BatmanError, ClassError
from core.data.images.draw_boxes import DrawnBox
from core.inference import InferenceOptions, infer
from core.inference.found import Look, by_class, on_images, read_found
from core.inference.found import tracks as tracks_of
from core.inference.tracking import Tracker
from core.models.backend import Opened
from core.models.detector import Detector, Floats, Pixels, Prediction

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
    monkeypatch.setattr("core.models.backend.open_model", lambda *_, **__: Opened(made, []))
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

    def draw(found: Prediction, *_: Any) -> list[DrawnBox]:
        lefts.append([float(box[0]) for box in found.boxes])
        return []

    monkeypatch.setattr("core.inference.drawing.predicted_boxes", draw)
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
    found = [(row["frame"], row["track_id"]) for row in rows(tmp_path / "a")]
    assert found == [("0", "1"), ("4", "1"), ("8", "1"), ("12", "1"), ("16", "1"), ("20", "1")]
    images = json.loads((tmp_path / "a" / "detections.coco.json").read_text())["annotations"]
    assert [image.get("track_id") for image in images] == [1] * 6


def test_tracking_leaves_no_detection_out(
    detector: Red, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the first of a track nor what was found twice, which has the number of its object."""
    once = detector.forward

    def twice(batch: Pixels) -> tuple[Floats, Floats]:
        boxes, logits = once(batch)
        return np.repeat(boxes, 2, axis=1), np.repeat(logits, 2, axis=1)

    detector.forward, detector.num_select = twice, 4  # type: ignore[method-assign]
    video = film(tmp_path / "film.mp4", hidden=(9,))
    plain = infer(InferenceOptions("any", [video], tmp_path / "a", annotate=False))
    tracked = infer(InferenceOptions("any", [video], tmp_path / "b", annotate=True, track=True))
    assert plain.detections == tracked.detections == 2 * (FRAMES - 1)
    assert tracked.tracks == 1
    without = [{**row, "track_id": ""} for row in rows(tmp_path / "b")]
    assert without == rows(tmp_path / "a")
    numbers = Counter(row["track_id"] for row in rows(tmp_path / "b"))
    assert numbers == {"1": 2 * (FRAMES - 1)}


def test_what_is_seen_once_is_on_no_track(detector: Red, tmp_path: Path) -> None:
    """It is written without a number, in the JSON too; so is the last frame's newcomer."""
    video = film(tmp_path / "film.mp4", hidden=(*range(1, 23),))
    options = InferenceOptions("any", [video], tmp_path / "out", annotate=False, track=True)
    assert infer(options).tracks == 0
    assert [(row["frame"], row["track_id"]) for row in rows(tmp_path / "out")] == [
        ("0", ""),
        ("23", ""),
    ]
    found = json.loads((tmp_path / "out" / "detections.coco.json").read_text())["annotations"]
    assert [one.get("track_id") for one in found] == [None, None]


def test_a_track_is_known_from_its_first_box_on() -> None:
    """Also when others begin and end beside it; and what is found twice shares its number."""

    def seen(*boxes: tuple[int, float]) -> Prediction:
        sides = np.array([[left, 0, left + 10, 10] for left, _ in boxes], np.float32)
        scores = np.array([score for _, score in boxes], np.float32)
        return Prediction(sides.reshape(-1, 4), scores, np.zeros(len(boxes), np.int64))

    frames = [
        seen((0, 0.9)),
        seen((100, 0.95), (0, 0.9), (50, 0.8)),  # 50 is there once
        seen((100, 0.95), (0, 0.9), (101, 0.7)),  # 101 is 100, found twice
        seen((0, 0.9)),
    ]
    for doubles, second in ((True, 2), (False, None)):
        tracker = Tracker(Fraction(30), 0.5, doubles=doubles)
        told = [tracker.update(frame) for frame in frames]
        assert [one.now for one in told] == [
            [None], [None, 1, None], [2, 1, second], [1],
        ]  # fmt: skip
        assert [one.before for one in told] == [[], [1], [2, 1, None], [2, 1, second]]


def test_weaker_ones_are_kept_for_looking_at(
    detector: Red, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written, but neither drawn nor counted; they begin no track."""
    once = detector.forward

    def weak_too(batch: Pixels) -> tuple[Floats, Floats]:
        boxes, logits = once(batch)
        away = boxes.copy()
        away[..., 1] = 0.1
        # A score of 0.12.
        return np.concatenate([boxes, away], 1), np.concatenate([logits, logits - 4], 1)

    detector.forward, detector.num_select = weak_too, 4  # type: ignore[method-assign]
    drawn_on: list[int] = []

    def draw(found: Prediction, *_: Any) -> list[DrawnBox]:
        drawn_on.append(len(found))
        return []

    monkeypatch.setattr("core.inference.drawing.predicted_boxes", draw)
    video = film(tmp_path / "film.mp4")
    for track in (False, True):
        out = tmp_path / f"out-{track}"
        summary = infer(InferenceOptions("any", [video], out, track=track, keep=0.05))
        assert (summary.detections, len(rows(out))) == (FRAMES, 2 * FRAMES)
        assert (summary.tracks, set(drawn_on)) == (1 if track else None, {1})
    found = read_found(out)
    assert (len(found.seen), found.lowest, found.tracked) == (
        FRAMES,
        pytest.approx(0.119, abs=1e-3),
        True,
    )
    (one,) = tracks_of(found, Look(0.5).mask(found))
    assert (one.number, one.name, one.first, one.last, one.frames) == (1, "red", 0, 23, 24)
    assert on_images(found, Look(0.5).mask(found)).counts.tolist() == [1] * FRAMES
    assert int(Look(0.5, frozenset({0})).mask(found).sum()) == 0
    assert by_class(found, 0.05) == [2 * FRAMES]
    with pytest.raises(BatmanError, match="confidence must lie"):
        infer(InferenceOptions("any", [video], out, keep=2.0))


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

    def numbers(overlap: float) -> list[list[int | None]]:
        tracker = Tracker(Fraction(30), 0.5, overlap=overlap)
        # The last box shares a third of the union with the one before.
        return [tracker.update(seen(left)).now for left in (0, 0, 0, 5)]

    assert numbers(0.2) == [[None], [1], [1], [1]]
    assert numbers(0.5) == [[None], [1], [1], [None]]


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

    def load(*_: Any, classes: Any, **__: Any) -> Opened:
        asked.append(classes)
        if classes is None:
            raise ClassError("'red.pth' does not say what its classes are called.")
        return Opened(Red(), [])

    monkeypatch.setattr("core.models.backend.open_model", load)
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

    calls: list[Any] = []
    made = TorchDetector(
        Path("red.pth"), None, classes=["red"], model_size="none", resolution=SIDE,
        num_select=1, device="cpu", batch_size=2,
    )  # fmt: skip
    nothing = torch.zeros(2, 1, 4), torch.full((2, 1, 2), -9.0)
    monkeypatch.setattr(made, "_optimised", lambda: lambda _: nothing)
    monkeypatch.setattr(made, "_trace", calls.append)
    monkeypatch.setattr("core.models.backend.open_model", lambda *_, **__: Opened(made, []))
    video = film(tmp_path / "film.mp4")
    options = InferenceOptions("any", [video], tmp_path / "out", annotate=False, optimise=optimise)
    assert infer(options).frames == FRAMES
    assert len(calls) == traced


def test_no_interval_is_less_than_one(detector: Red, tmp_path: Path) -> None:
    with pytest.raises(BatmanError, match="interval is at least 1"):
        infer(InferenceOptions("any", [tmp_path], tmp_path / "out", frame_interval=0))
