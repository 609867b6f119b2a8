"""Inference with a trained model: images, folders, video with tracking, other people's files."""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_models import CLASSES, RED, draw_scene
from PIL import Image

from cli.exits import Exit
from cli.main import main
from core.common.errors import BatmanError, ClassError, RunError
from core.inference import InferenceOptions, infer
from core.inference.tracking import single
from core.models.backend import Opened
from core.models.detector import Detector, Floats, Pixels, Prediction, normalise
from core.models.load import load_detector
from core.training.run.run import Run

pytestmark = pytest.mark.engine

DISC, SQUARE = 0, 1
SCENE = [(SQUARE, 8, 10, 50), (DISC, 66, 60, 54)]


@pytest.fixture(scope="module")
def detector(learned: Path) -> Detector:
    return load_detector(learned, device="cpu", batch_size=4)


def test_a_checkpoint_says_what_it_is(learned: Path, detector: Detector) -> None:
    assert detector.classes == CLASSES
    assert (detector.model_size, detector.resolution, detector.num_select) == ("tiny", 128, 20)
    assert detector.path == learned / "best.pth"
    last = load_detector(learned / "checkpoint_last.pth", device="cpu")
    assert (last.classes, last.model_size) == (CLASSES, "tiny")


def test_boxes_lie_on_the_shapes_in_pixels_of_the_image(detector: Detector) -> None:
    wide = draw_scene(SCENE).resize((256, 192))
    (found,) = detector.predict([wide], threshold=0.2)
    best = {int(label): found.boxes[i] for i, label in reversed(list(enumerate(found.class_ids)))}
    for kind, x, y, side in SCENE:
        expected = np.array([2 * x, 1.5 * y, 2 * (x + side), 1.5 * (y + side)])
        assert np.abs(best[kind] - expected).max() < 24, (kind, best[kind], expected)
    assert (np.diff(found.scores) <= 0).all()


def test_colours_are_red_green_blue(detector: Detector) -> None:
    picture = draw_scene(SCENE)
    (as_picture,) = detector.predict([picture], threshold=0.2)
    (as_array,) = detector.predict([np.asarray(picture)], threshold=0.2)
    assert set(as_picture.class_ids.tolist()) == {DISC, SQUARE}
    np.testing.assert_allclose(as_array.boxes, as_picture.boxes)
    # The network sees red where the picture is red.
    assert detector.prepare(picture)[30, 30].tolist() == [*RED]
    swapped = np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])
    (other,) = detector.predict([swapped], threshold=0.2)
    assert other.scores.tolist() != as_picture.scores.tolist()


def test_the_network_sees_what_it_saw_in_validation(detector: Detector) -> None:
    from rfdetr.datasets.coco import make_coco_transforms_square_div_64

    random = np.random.default_rng(5)
    scale = make_coco_transforms_square_div_64("val", detector.resolution)
    for size in ((415, 301), (90, 128), (1200, 40)):
        picture = Image.fromarray(random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
        expected = scale(picture, None)[0].numpy()
        np.testing.assert_allclose(
            normalise(detector.prepare(picture)[None])[0], expected, atol=1e-5
        )


def test_batches_change_nothing(learned: Path, detector: Detector) -> None:
    folder = Run(learned).config().dataset_dir(learned) / "valid"
    images = [Image.open(path).convert("RGB") for path in sorted(folder.glob("*.png"))][:22]
    single = load_detector(learned, device="cpu", batch_size=1)
    # Five full batches of four and a rest of two: the network is traced on the way.
    together = detector.predict(images)
    alone = [single.predict([image])[0] for image in images]
    for a, b in zip(together, alone, strict=True):
        strong = a.scores > 0.05
        assert len(a) == len(b)
        np.testing.assert_allclose(a.scores[strong], b.scores[strong], atol=1e-4)
        np.testing.assert_allclose(a.boxes[strong], b.boxes[strong], atol=0.05)


def test_images_folders_patterns_and_bad_input(learned: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    draw_scene(SCENE).save(folder / "a.png")
    draw_scene(SCENE).save(folder / "deep" / "a.jpg", quality=95)
    turned = draw_scene(SCENE).resize((128, 96)).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a viewer
    turned.save(tmp_path / "phone.jpg", exif=exif, quality=95)
    (folder / "broken.jpg").write_bytes((folder / "deep" / "a.jpg").read_bytes()[:500])
    (folder / "notes.txt").write_text("not an image")
    (folder / "empty.png").touch()
    deep = np.asarray(draw_scene(SCENE).convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save(folder / "xray.png")
    for mode in ("L", "RGBA", "P"):
        draw_scene(SCENE).convert(mode).save(folder / f"{mode}.png")
    out = tmp_path / "out"
    summary = infer(
        InferenceOptions(
            learned,
            [folder, str(tmp_path / "ph*.jpg"), tmp_path / "missing.png"],
            out,
            confidence=0.2,
            device="cpu",
        )
    )
    assert (summary.images, summary.videos, summary.frames) == (6, 0, 6)
    reasons = {Path(item.path).name: item.reason for item in summary.skipped}
    assert reasons.keys() == {"broken.jpg", "missing.png", "empty.png", "xray.png"}
    assert reasons["empty.png"] == "cannot be read as an image: it is empty"
    assert "more than 8 bits" in reasons["xray.png"]
    assert "cannot be read as an image" in reasons["broken.jpg"]
    assert reasons["missing.png"] == "does not exist"
    pictures = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert pictures == {
        "detections.csv", "detections.coco.json",
        "annotated/a.png", "annotated/deep/a.jpg", "annotated/phone.jpg",
        "annotated/L.png", "annotated/RGBA.png", "annotated/P.png",
    }  # fmt: skip
    with Image.open(out / "annotated/phone.jpg") as picture:
        assert picture.size == (128, 96)
    with Image.open(out / "annotated/a.png") as picture:
        assert np.abs(np.asarray(picture).astype(int) - np.asarray(draw_scene(SCENE))).max() > 100
    coco = json.loads((out / "detections.coco.json").read_text())
    rows = list(csv.DictReader((out / "detections.csv").open()))
    assert len(rows) == len(coco["annotations"]) == summary.detections
    assert summary.detections == sum(summary.per_class.values()) >= 6
    assert [c["name"] for c in coco["categories"]] == CLASSES
    assert {image["file_name"] for image in coco["images"]} == {
        "a.png", "deep/a.jpg", "phone.jpg", "L.png", "RGBA.png", "P.png",
    }  # fmt: skip
    for row, record in zip(rows, coco["annotations"], strict=True):
        assert float(row["confidence"]) == record["score"] >= 0.2
        assert row["class"] == CLASSES[record["category_id"] - 1]
        assert [float(row[key]) for key in ("x", "y", "width", "height")] == record["bbox"]


def test_thresholds_of_classes_stand_above_the_common_one(learned: Path, tmp_path: Path) -> None:
    draw_scene(SCENE).save(tmp_path / "a.png")

    def found(thresholds: dict[str, float]) -> dict[str, int]:
        options = InferenceOptions(
            learned,
            [tmp_path / "a.png"],
            tmp_path / "out",
            confidence=0.2,
            thresholds=thresholds,
            annotate=False,
            device="cpu",
        )
        summary = infer(options)
        assert summary.annotated is None
        return summary.per_class

    both = found({})
    assert min(both.values()) >= 1
    assert found({"disc": 1.0}) == {"disc": 0, "square": both["square"]}
    with pytest.raises(ClassError, match="no class 'Disc'") as raised:
        found({"Disc": 0.5})
    assert "'disc'" in raised.value.hint


def _film(path: Path, scenes: Sequence[Image.Image], rate: int = 12) -> Path:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "10"})
        stream.width, stream.height = scenes[0].size
        stream.pix_fmt = "yuv420p"
        for scene in scenes:
            for packet in stream.encode(av.VideoFrame.from_image(scene)):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def _sound(path: Path) -> Path:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
        )
        frame.rate = 44100
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)
    return path


def _overlap(a: list[float], b: list[float]) -> float:
    """Return the share of their union that two boxes (x, y, width, height) have in common."""
    across = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    down = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    both = max(across, 0) * max(down, 0)
    return both / (a[2] * a[3] + b[2] * b[3] - both)


def test_a_video_is_tracked_frame_by_frame(learned: Path, tmp_path: Path) -> None:
    import av

    frames = 40
    film = _film(
        tmp_path / "moving.mp4",
        [draw_scene([(SQUARE, 10 + i, 14, 44), (DISC, 74 - i, 70, 46)]) for i in range(frames)],
    )
    (tmp_path / "cut.mp4").write_bytes(film.read_bytes()[:200])
    out = tmp_path / "out"
    inputs = [film, tmp_path / "cut.mp4", _sound(tmp_path / "sound.mp4")]
    options = InferenceOptions(learned, inputs, out, confidence=0.3, track=True, device="cpu")
    summary = infer(options)
    assert (summary.videos, summary.frames) == (1, frames)
    assert [(Path(item.path).name, item.reason) for item in summary.skipped] == [
        ("cut.mp4", "cannot be read as a video: Invalid data found when processing input"),
        ("sound.mp4", "holds no video"),
    ]
    rows = list(csv.DictReader((out / "detections.csv").open()))
    seen: dict[tuple[str, str], list[list[float]]] = {}
    for row in rows:
        if row["track_id"]:
            box = [float(row[name]) for name in ("x", "y", "width", "height")]
            seen.setdefault((row["frame"], row["track_id"]), []).append(box)
    assert len(seen) >= frames
    # A number that is twice on a frame is of one object that was found twice.
    for best, *doubles in seen.values():
        assert all(_overlap(best, box) > 0.69 for box in doubles), (best, doubles)
    assert summary.tracks == len({track for _, track in seen})
    # Tracking only adds numbers: the same boxes are found without it.
    plain = infer(replace(options, inputs=[film], output=tmp_path / "plain", track=False))
    assert plain.detections == summary.detections == len(rows)
    found = list(csv.DictReader((tmp_path / "plain" / "detections.csv").open()))
    assert [{**row, "track_id": ""} for row in rows] == found
    assert all(float(row["confidence"]) >= 0.3 for row in rows)
    for row in rows:
        assert float(row["time_s"]) == pytest.approx(int(row["frame"]) / 12, abs=1e-3)
    with av.open(str(out / "annotated/moving.mp4")) as drawn:
        pictures = list(drawn.decode(video=0))
    assert len(pictures) == frames
    assert float(pictures[-1].time) == pytest.approx((frames - 1) / 12, abs=1e-3)
    assert not list(out.rglob("*.tmp"))


def test_a_film_is_looked_at_as_its_pixels_are(
    learned: Path, detector: Detector, tmp_path: Path
) -> None:
    """Frames scaled from their planes find what the same frames do as RGB, scaled by Pillow."""
    from core.data.images.video import VideoReader

    scenes = [
        draw_scene([(SQUARE, 10 + 3 * i, 14, 44), (DISC, 74 - i, 70, 46)]).resize((640, 480))
        for i in range(12)
    ]
    reader = VideoReader(_film(tmp_path / "moving.mp4", scenes))
    frames = list(reader.frames())
    reader.close()
    scaled = [frame.scaled(detector.resolution) for frame in frames]
    by_pixels = [detector.prepare(frame.pixels()) for frame in frames]
    sizes = [frame.size for frame in frames]
    seen = detector.predict_prepared(np.stack(scaled), sizes, 0.2)
    wanted = detector.predict_prepared(np.stack(by_pixels), sizes, 0.3)
    assert sum(map(len, wanted)) >= len(frames)
    off = []
    for now, was in zip(seen, wanted, strict=True):
        for box, score, kind in zip(was.boxes, was.scores, was.class_ids, strict=True):
            alike = now.class_ids == kind
            far = np.abs(now.boxes[alike] - box).max(1)
            best = int(far.argmin())
            off.append((float(far[best]), abs(float(now.scores[alike][best] - score))))
    boxes, scores = np.array(off).T
    # Of 640 by 480 pixels; the pixels are 1.1 of a level darker, see `Frame.scaled`.
    assert (boxes.max() < 4, scores.max() < 0.02) == (True, True), (boxes, scores)


def test_the_trained_model_keeps_the_number_of_each_shape(
    learned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = 60
    for number, side in enumerate((44, 50)):
        scenes = [
            draw_scene([(SQUARE, 2 + i, 8, side), (DISC, 70 - i, 66, side)]) for i in range(frames)
        ]
        film = _film(tmp_path / f"passing-{number}.mp4", scenes)
        out = tmp_path / f"out-{number}"
        words = ["infer", "--run", str(learned), "--input", str(film), "--output", str(out)]
        # So short a training is a little surer or less sure of a disc on each kind of processor.
        words += ["--confidence", "0.3"]
        assert main([*words, "--track", "--device", "cpu"]) == Exit.OK, capsys.readouterr().err
        assert "followed through videos" in capsys.readouterr().out
        rows = list(csv.DictReader((out / "detections.csv").open()))
        counts = {
            name: Counter(
                row["track_id"] for row in rows if row["class"] == name and row["track_id"]
            )
            for name in CLASSES
        }
        assert sum(counts["disc"].values()) > frames / 2, counts
        mains = []
        for found in counts.values():
            if found:
                ((track, times),) = found.most_common(1)
                mains.append(track)
                assert times >= 0.9 * sum(found.values()), counts
        assert len(mains) == len(set(mains)), counts


def test_an_object_that_is_found_twice_is_one_track() -> None:
    def prediction(*found: tuple[int, float, float, float, float]) -> Prediction:
        return Prediction(
            np.array([box for _, *box in found], dtype=np.float32),
            np.linspace(0.9, 0.5, len(found)).astype(np.float32),
            np.array([kind for kind, *_ in found]),
        )

    found = prediction(
        (DISC, 0, 0, 100, 100),
        (SQUARE, 1, 0, 100, 100),  # the same box, said to be something else
        (DISC, 0, 0, 80, 100),  # eight tenths of it
        (SQUARE, 0, 0, 80, 100),  # something else that lies in it
        (DISC, 0, 0, 60, 100),
        (DISC, 200, 0, 200, 0),  # nothing at all
    )
    assert np.flatnonzero(single(found)).tolist() == [0, 3, 4, 5]
    assert len(single(found.keep(np.zeros(6, dtype=bool)))) == 0


class ColourDetector(Detector):
    """Finds the red and the blue pixels: a detector without faults, to test tracking with."""

    kind = "colour"

    def __init__(self) -> None:
        super().__init__(
            Path("colour.pth"),
            classes=CLASSES,
            model_size="none",
            resolution=160,
            num_select=2,
            device="cpu",
            batch_size=4,
        )

    def forward(self, batch: Pixels) -> tuple[Floats, Floats]:
        boxes = np.zeros((len(batch), 2, 4), dtype=np.float32)
        logits = np.full((len(batch), 2, 3), -9.0, dtype=np.float32)
        for index, image in enumerate(batch.astype(int)):
            for kind, channel in ((DISC, 2), (SQUARE, 0)):
                ys, xs = np.nonzero(image[:, :, channel] - image[:, :, 2 - channel] > 80)
                if not len(xs):
                    continue
                x0, y0, x1, y1 = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
                boxes[index, kind] = (
                    np.array([x0 + x1, y0 + y1, 2 * (x1 - x0), 2 * (y1 - y0)]) / 320
                )
                logits[index, kind, kind] = 2.0
        return boxes, logits


def test_tracks_keep_their_numbers_past_each_other_and_through_gaps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "core.models.backend.open_model", lambda *_, **__: Opened(ColourDetector(), [])
    )
    frames = 50
    scenes = []
    for step in range(frames):
        shapes = [(SQUARE, 4 + 2 * step, 20, 44)]
        # The disc comes the other way and is hidden for five frames.
        if not 20 <= step < 25:
            shapes.append((DISC, 110 - 2 * step, 90, 46))
        scenes.append(draw_scene(shapes, 160))
    film = _film(tmp_path / "passing.mp4", scenes)
    out = tmp_path / "out"
    summary = infer(InferenceOptions("any", [film], out, track=True))
    rows = list(csv.DictReader((out / "detections.csv").open()))
    numbers = {
        name: {r["track_id"] for r in rows if r["class"] == name and r["track_id"]}
        for name in CLASSES
    }
    assert summary.tracks == 2
    assert all(len(tracks) == 1 for tracks in numbers.values()), numbers
    counts = Counter(row["class"] for row in rows)
    assert (counts["square"], counts["disc"]) == (frames, frames - 5)
    numbered = Counter(row["class"] for row in rows if row["track_id"])
    assert numbered["square"] == frames
    # While one hides the other what is left of it may be no object of the tracker's for a frame.
    assert frames - 7 <= numbered["disc"] <= frames - 5


def _rewritten(learned: Path, target: Path, **changes: Any) -> Path:
    import torch

    content = torch.load(learned / "best.pth", weights_only=True)
    content |= changes
    torch.save({key: value for key, value in content.items() if value is not None}, target)
    return target


def test_names_come_from_the_checkpoint_or_beside_it_and_are_never_guessed(
    learned: Path, tmp_path: Path
) -> None:
    import torch

    args = torch.load(learned / "best.pth", weights_only=True)["args"]
    old = argparse.Namespace(**{**args, "class_names": ["a", "b"]})
    file = _rewritten(learned, tmp_path / "checkpoint_best_total.pth", args=old, batman=None)
    assert load_detector(tmp_path, device="cpu").classes == ["a", "b"]

    nameless = {key: value for key, value in args.items() if key != "class_names"}
    _rewritten(learned, file, args=nameless, batman=None)
    with pytest.raises(ClassError, match="does not say what its classes are called"):
        load_detector(file, device="cpu")
    assert load_detector(file, device="cpu", classes=["x", "y"]).classes == ["x", "y"]
    with pytest.raises(ClassError, match="tells 2 apart"):
        load_detector(file, device="cpu", classes=["x", "y", "z"])
    (tmp_path / "class_info.json").write_text(json.dumps({"classes": ["one", "two"]}))
    assert load_detector(file, device="cpu").classes == ["one", "two"]


def test_files_that_are_no_checkpoints(learned: Path, tmp_path: Path) -> None:
    cut = tmp_path / "best.pth"
    cut.write_bytes((learned / "best.pth").read_bytes()[:100_000])
    with pytest.raises(RunError, match="cannot be read as a checkpoint"):
        load_detector(cut)
    (tmp_path / "photo.pth").write_bytes(b"\x89PNG")
    with pytest.raises(RunError, match=r"torch\.save writes no such file"):
        load_detector(tmp_path / "photo.pth")
    photo = next((learned / "dataset" / "valid").glob("*.png"))
    with pytest.raises(BatmanError, match=r"best\.pth' cannot be written: File exists"):
        infer(InferenceOptions(learned, [photo], cut))
    with pytest.raises(RunError, match="no trained model"):
        load_detector(tmp_path / "..")
    (tmp_path / "a.onnx").write_bytes(b"nothing")
    with pytest.raises(RunError, match="onnxruntime cannot load"):
        load_detector(tmp_path / "a.onnx")
    with pytest.raises(BatmanError, match="nothing to look at"):
        infer(InferenceOptions(learned, [tmp_path / "none.jpg"], tmp_path / "out"))
    with pytest.raises(BatmanError, match="batch size must be at least 1"):
        infer(InferenceOptions(learned, [tmp_path], tmp_path / "out", batch_size=0))
    assert not (tmp_path / "out").exists()
