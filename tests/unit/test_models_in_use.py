"""The logic of evaluation, inference and export that needs no torch."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.common.errors import BatmanError, ClassError, ConfigError, ExportFailed, RunError
from core.common.workspace import Workspace
from core.evaluation import EvaluationResult
from core.evaluation.ground_truth import read_truth
from core.export import ExportOptions, check_classes, export
from core.export.card import model_card
from core.export.formats import FORMATS, require_formats
from core.inference.infer import limits
from core.inference.inputs import Names, find_sources
from core.inference.records import RecordWriter
from core.metrics.thresholds import Matches, at, best_common, best_f1
from core.models.detector import MEAN, STD, Prediction, choose_classes, decode, normalise
from core.models.find import find_checkpoint, latest_run
from core.models.load import load_detector
from core.models.prefetch import in_batches, side_by_side
from core.models.runtimes import _place


def test_importing_them_loads_nothing_heavy() -> None:
    heavy = (
        "torch",
        "rfdetr",
        "supervision",
        "cv2",
        "pycocotools",
        "onnxruntime",
        "matplotlib",
        "av",
    )
    code = (
        "import sys, core.models, core.evaluation, core.inference, core.export\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- reading a network's output ---------------------------------------------------------------


def logit(score: float) -> float:
    return float(np.log(score / (1 - score)))


def test_decoding_takes_the_best_pairs_and_drops_the_background() -> None:
    boxes = np.array([[0.5, 0.5, 0.5, 0.5], [0.25, 0.5, 1.0, 0.5]], dtype=np.float32)
    scores = [[0.9, 0.2, 0.95], [0.3, 0.8, 0.01]]
    logits = np.array([[logit(s) for s in row] for row in scores], dtype=np.float32)
    found = decode(boxes, logits, (200, 100), classes=2, num_select=4)
    # 0.95 is the background's: one of the four selected, and dropped.
    assert found.scores == pytest.approx([0.9, 0.8, 0.3], abs=1e-6)
    assert found.class_ids.tolist() == [0, 1, 0]
    # The second box leaves the image on the left and is cut there.
    assert found.boxes[0].tolist() == [50, 25, 150, 75]
    assert found.boxes[1].tolist() == [0, 25, 150, 75]
    assert decode(boxes, logits, (200, 100), 2, 4, threshold=0.5).class_ids.tolist() == [0, 1]
    assert len(decode(boxes, logits, (200, 100), 2, num_select=1)) == 0


def test_equal_scores_keep_the_order_of_the_queries() -> None:
    boxes = np.tile(np.array([0.5, 0.5, 0.1, 0.1], np.float32), (50, 1))
    boxes[:, 0] = np.arange(50) / 100
    found = decode(boxes, np.zeros((50, 3), np.float32), (100, 100), 2, num_select=9)
    assert found.class_ids.tolist() == [0, 1, 0, 1, 0, 1]
    assert found.boxes[:, 2].tolist() == pytest.approx([5, 5, 6, 6, 7, 7])


def test_decoding_agrees_with_a_plain_sort_on_random_output() -> None:
    random = np.random.default_rng(3)
    logits = random.normal(size=(40, 6)).astype(np.float32)
    boxes = random.uniform(0.2, 0.4, size=(40, 4)).astype(np.float32)
    found = decode(boxes, logits, (640, 480), classes=5, num_select=30)
    flat = np.argsort(-logits.ravel(), kind="stable")[:30]
    expected = [int(i % 6) for i in flat if i % 6 < 5]
    assert found.class_ids.tolist() == expected


def test_normalising_is_imagenets_in_channels_first() -> None:
    pixels = np.zeros((1, 2, 2, 3), np.uint8)
    pixels[0, 0, 1] = (255, 0, 0)
    images = normalise(pixels)
    assert images.shape == (1, 3, 2, 2)
    assert images[0, 0, 0, 1] == pytest.approx((1 - 0.485) / 0.229)
    assert images[0, 2, 1, 1] == pytest.approx(-0.406 / 0.225)


def test_class_names_are_never_guessed() -> None:
    path = Path("a.pth")
    assert choose_classes(path, ["a", "b"], None, 2) == ["a", "b"]
    # Old rfdetr heads have room for 90 classes whatever the data.
    assert choose_classes(path, ["a"], None, 90) == ["a"]
    assert choose_classes(path, None, ["x"], 1) == ["x"]
    for found, given, slots in ((None, None, 2), (["a"], ["b"], 1), (["a", "b"], None, 1)):
        with pytest.raises(ClassError):
            choose_classes(path, found, given, slots)


# --- batches ----------------------------------------------------------------------------------


def test_batches_keep_their_order_and_load_in_threads() -> None:
    names: set[str] = set()

    def load(number: int) -> int:
        names.add(threading.current_thread().name)
        return number * number

    batches = list(in_batches(range(10), load, 4))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert [pair for batch in batches for pair in batch] == [(n, n * n) for n in range(10)]
    assert all(name.startswith("images") for name in names)
    assert list(in_batches([], load, 4)) == []


def test_batches_read_no_further_ahead_than_two() -> None:
    taken: list[int] = []

    def numbers() -> object:
        for number in range(100):
            taken.append(number)
            yield number

    stream = in_batches(numbers(), lambda n: n, 5)  # type: ignore[arg-type, var-annotated]
    next(stream)
    assert len(taken) <= 15
    stream.close()  # type: ignore[attr-defined]


def test_an_error_comes_when_its_item_does() -> None:
    def load(number: int) -> int:
        if number == 5:
            raise BatmanError("five")
        return number

    stream = in_batches(range(9), load, 2)
    assert [next(stream), next(stream)] == [[(0, 0), (1, 1)], [(2, 2), (3, 3)]]
    with pytest.raises(BatmanError, match="five"):
        next(stream)


def test_work_side_by_side_keeps_its_order() -> None:
    """Two at one time, each of which waits for the other."""
    meeting = threading.Barrier(2, timeout=30)

    def work(number: int) -> int:
        meeting.wait()
        return -number

    assert list(side_by_side(range(6), work, 2)) == [(n, -n) for n in range(6)]
    names: list[str] = []
    assert [
        found
        for found, _ in side_by_side(
            range(3), lambda _: names.append(threading.current_thread().name), 1
        )
    ] == [0, 1, 2]
    assert set(names) == {threading.current_thread().name}, "one needs no thread"


def test_work_side_by_side_begins_little_ahead_and_ends_with_its_caller() -> None:
    taken: list[int] = []
    done: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    def work(number: int) -> int:
        if number == 2:
            raise BatmanError("two")
        done.append(number)
        return number

    stream = side_by_side(numbers(), work, 2)
    assert next(stream) == (0, 0)
    assert len(taken) <= 4
    assert next(stream) == (1, 1)
    with pytest.raises(BatmanError, match="two"):
        next(stream)
    begun = len(taken)
    assert begun <= 6
    assert list(stream) == []
    assert len(taken) == begun
    assert set(done) <= set(taken)


def test_pixels_are_normalised_as_rfdetr_does() -> None:
    """To the last bit, whatever lies where in memory."""
    draw = np.random.default_rng(0)
    batch = draw.integers(0, 256, (3, 8, 12, 3), dtype=np.uint8)
    mean, std = np.array(MEAN, np.float32), np.array(STD, np.float32)
    for pixels in (batch, batch[:, ::2, ::-1], batch[:0]):
        wanted = ((pixels.astype(np.float32) / np.float32(255) - mean) / std).transpose(0, 3, 1, 2)
        found = normalise(pixels)
        assert found.flags.c_contiguous
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, wanted)


# --- measuring --------------------------------------------------------------------------------


def matches(objects: int, *pairs: tuple[float, bool]) -> Matches:
    return Matches(
        np.array([p[0] for p in pairs], dtype=float), np.array([p[1] for p in pairs], bool), objects
    )


def test_the_best_threshold_is_found_among_all_scores() -> None:
    found = matches(3, (0.9, True), (0.8, True), (0.7, False), (0.6, True), (0.5, False))
    best = best_f1(found)
    assert best is not None
    # All three found with one too many: 6/7.
    assert (best.precision, best.recall) == (0.75, 1.0)
    assert best.f1 == pytest.approx(6 / 7)
    assert 0.5 < best.threshold < 0.6
    assert at(found, best.threshold) == best


def test_predictions_of_one_score_come_together() -> None:
    best = best_f1(matches(1, (0.5, True), (0.5, False), (0.5, False)))
    assert best is not None
    assert (best.precision, best.recall) == (pytest.approx(1 / 3), 1.0)


def test_classes_without_objects_or_predictions_have_no_threshold() -> None:
    assert best_f1(matches(0, (0.9, False))) is None
    assert best_f1(matches(4)) is None


def test_the_common_threshold_averages_over_classes_with_objects() -> None:
    one = matches(2, (0.9, True), (0.8, True), (0.3, False))
    two = matches(1, (0.6, True), (0.2, False))
    best = best_common([one, two, matches(0, (0.99, False))])
    assert (best.f1, best.precision, best.recall) == (1.0, 1.0, 1.0)
    assert best.threshold == pytest.approx(0.31)
    assert best_common([]).f1 == 0.0


def split(folder: Path, categories: list[dict[str, object]], boxes: list[tuple[int, int]]) -> Path:
    folder.mkdir(parents=True)
    content = {
        "images": [{"id": 5, "file_name": "a.png", "width": 9, "height": 9}],
        "categories": categories,
        "annotations": [
            {"id": i, "image_id": image, "category_id": number, "bbox": [1, 2, 3, 4]}
            for i, (image, number) in enumerate(boxes)
        ],
    }
    (folder / "_annotations.coco.json").write_text(json.dumps(content))
    return folder.parent


def test_truth_is_read_by_class_name(tmp_path: Path) -> None:
    categories: list[dict[str, object]] = [
        {"id": 8, "name": "cat"},
        {"id": 2, "name": " dog "},
        {"id": 3, "name": "cow"},
        {"id": 9, "name": "cat"},
    ]
    dataset = split(tmp_path / "d" / "val", categories, [(5, 8), (5, 9), (5, 2), (5, 3), (6, 8)])
    truth = read_truth(dataset, "valid", ["dog", "cat", "bird"])
    # The second 'cat' counts as the first; 'bird' gets a number of its own.
    assert truth.category_of == [2, 8, 10]
    assert [a["category_id"] for a in truth.annotations] == [8, 8, 2]
    assert truth.annotations[0]["area"] == 12
    assert [a["id"] for a in truth.annotations] == [1, 2, 3]
    assert "'cow'" in truth.notes[0]
    assert "'bird'" in truth.notes[1]
    with pytest.raises(ClassError, match="no class in common"):
        read_truth(dataset, "valid", ["horse"])
    with pytest.raises(BatmanError, match="no split 'test'") as raised:
        read_truth(dataset, "test", ["dog"])
    assert "'val'" in raised.value.hint


def test_a_missing_or_broken_evaluation_says_so(tmp_path: Path) -> None:
    with pytest.raises(BatmanError, match="no evaluation in"):
        EvaluationResult.load(tmp_path)
    (tmp_path / "evaluation.json").write_text('{"split": "valid"}')
    with pytest.raises(BatmanError, match="is no evaluation"):
        EvaluationResult.load(tmp_path)


# --- inputs and outputs of inference ----------------------------------------------------------


def test_sources_come_in_order_once_and_not_from_the_output(tmp_path: Path) -> None:
    for name in (
        "f10.jpg",
        "f9.JPG",
        "sub/f1.png",
        "clip.mp4",
        ".hidden.jpg",
        "x.txt",
        "out/o.jpg",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found, skipped = find_sources([tmp_path, tmp_path / "f9.JPG"], tmp_path / "out")
    assert [(s.name, s.video) for s in found] == [
        ("clip.mp4", True), ("f9.JPG", False), ("f10.jpg", False), ("sub/f1.png", False),
    ]  # fmt: skip
    assert skipped == []
    found, skipped = find_sources(
        [f"{tmp_path}/f*.[jJ]*", f"{tmp_path}/*.bmp", tmp_path / "x.txt", "no/such.png"]
    )
    assert [source.name for source in found] == ["f9.JPG", "f10.jpg"]
    assert [item.reason for item in skipped] == [
        "matches no images or videos",
        "is neither an image nor a video by its ending",
        "does not exist",
    ]


def test_sources_of_one_name_get_the_folders_that_tell_them_apart(tmp_path: Path) -> None:
    for name in (
        "a/day/cam.mp4",
        "b/day/cam.mp4",
        "b/night/cam.mp4",
        "c/x.jpg",
        "d/x.jpg",
        "y.jpg",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    films, images = (
        f"{tmp_path}/*/*/cam.mp4",
        [tmp_path / "c", tmp_path / "b" / ".." / "d" / "x.jpg"],
    )
    found, _ = find_sources([films, *images, tmp_path / "y.jpg"])
    assert [source.name for source in found] == [
        "a/day/cam.mp4", "b/day/cam.mp4", "night/cam.mp4", "c/x.jpg", "d/x.jpg", "y.jpg",
    ]  # fmt: skip


def test_names_are_taken_once() -> None:
    names = Names()
    assert [names.take(n) for n in ("a/b.jpg", "a/B.jpg", "b.jpg", "a/b.jpg")] == [
        "a/b.jpg", "a/B-2.jpg", "b.jpg", "a/b-3.jpg",
    ]  # fmt: skip


def test_limits_of_classes() -> None:
    assert limits(["a", "b"], 0.5, {"b": 0.9}).tolist() == pytest.approx([0.5, 0.9])
    with pytest.raises(ClassError, match="no class 'B'"):
        limits(["a", "b"], 0.5, {"B": 0.9})


def prediction(*rows: tuple[float, float, float, float, float, int]) -> Prediction:
    table = np.array(rows, dtype=np.float32).reshape(-1, 6)
    return Prediction(table[:, :4], table[:, 4], table[:, 5].astype(np.int64))


def test_records_are_whole_or_not_there(tmp_path: Path) -> None:
    with RecordWriter(tmp_path, ["a,b", 'x"\n']) as records:
        records.add("i.jpg", (64, 48), prediction(), source=tmp_path / "i.jpg")
        found = prediction((1, 2, 11, 22, 0.75, 1), (0, 0, 5, 5, 0.5, 0))
        records.add("v.mp4", (32, 32), found, source=tmp_path, frame=3, time=0.25, tracks=[7, 9])
        assert not (tmp_path / "detections.csv").exists()
    coco = json.loads((tmp_path / "detections.coco.json").read_text())
    assert [image["file_name"] for image in coco["images"]] == ["i.jpg", "v.mp4#000003"]
    assert coco["images"][1]["time"] == 0.25
    assert coco["annotations"][0] == {
        "id": 1, "image_id": 2, "category_id": 2, "bbox": [1, 2, 10, 20], "area": 200,
        "iscrowd": 0, "score": 0.75, "track_id": 7,
    }  # fmt: skip
    with (tmp_path / "detections.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == ['x"\n', "a,b"]
    assert (rows[1]["frame"], rows[1]["track_id"], rows[1]["width"]) == ("3", "9", "5.0")
    before = (tmp_path / "detections.csv").read_bytes()
    wrong = prediction((1, 2, 3, 4, 0.5, 6))
    with pytest.raises(IndexError), RecordWriter(tmp_path, ["a"]) as records:
        records.add("i.jpg", (1, 1), wrong, source=tmp_path)
    assert (tmp_path / "detections.csv").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"detections.csv", "detections.coco.json"}


# --- finding models ---------------------------------------------------------------------------


def test_checkpoints_are_found_by_file_folder_and_name(tmp_path: Path) -> None:
    space = Workspace(tmp_path)
    for run, file in (
        ("old", "checkpoint_best_total.pth"),
        ("empty", "x.txt"),
        ("new", "best.pth"),
    ):
        folder = space.runs_dir / run
        folder.mkdir(parents=True)
        (folder / file).touch()
        (folder / "training_config.json").touch()
    assert find_checkpoint("old", space).name == "checkpoint_best_total.pth"
    assert find_checkpoint(space.runs_dir / "new", space).name == "best.pth"
    assert find_checkpoint(str(space.runs_dir / "new" / "best.pth")).is_absolute()
    assert latest_run(space).name in ("old", "new")
    with pytest.raises(RunError, match="holds no trained model"):
        find_checkpoint("empty", space)
    with pytest.raises(RunError, match="no run 'nww'") as raised:
        find_checkpoint("nww", space)
    assert "'new'" in raised.value.hint
    with pytest.raises(RunError, match="no model at") as raised:
        find_checkpoint(space.runs_dir / "new" / "bset.pth", space)
    assert "'best.pth'" in raised.value.hint


# --- exporting --------------------------------------------------------------------------------


def test_given_names_are_checked_against_the_models() -> None:
    assert check_classes(["a", "b"], None) == (["a", "b"], [])
    assert check_classes(["a", " b"], ["a ", "b"]) == (["a", " b"], [])
    names, warnings = check_classes(["a", "b"], ["b", "a"])
    assert names == ["a", "b"]
    assert "another order" in warnings[0]
    names, warnings = check_classes(["a", "b"], ["a", "c"])
    assert names == ["a", "c"]
    assert "'b' to 'c'" in warnings[0]
    for given in (["a"], ["a", "a"], ["a", " "], ["b", "c"]):
        with pytest.raises(ClassError):
            check_classes(["a", "b"], given)


def test_exports_refuse_before_they_load_anything(tmp_path: Path) -> None:
    with pytest.raises(ExportFailed, match="no format 'tflit'") as raised:
        export(ExportOptions("any", tmp_path / "o", formats=("pth", "tflit")))
    assert "'tflite'" in raised.value.hint
    (tmp_path / "file").touch()
    with pytest.raises(ExportFailed, match="is a file"):
        export(ExportOptions("any", tmp_path / "file"))


def test_a_format_names_the_package_that_it_misses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for name in FORMATS:
        if name == "pth":
            continue
        monkeypatch.setattr("sys.platform", "darwin" if name == "coreml" else "linux")
        with pytest.raises(ExportFailed, match="not installed") as raised:
            require_formats(["pth", name])
        assert raised.value.hint.startswith("Install with: ")
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(ExportFailed, match="on macOS only"):
        require_formats(["coreml"])
    assert [kind.name for kind in require_formats(["pth", "pth"])] == ["pth"]


def test_exported_models_are_found_and_need_what_lies_beside_them(tmp_path: Path) -> None:
    for kind in FORMATS.values():
        folder = tmp_path / kind.name
        folder.mkdir()
        if kind.name == "coreml":
            (folder / kind.file).mkdir()
        else:
            (folder / kind.file).touch()
        assert find_checkpoint(folder) == folder / kind.file
        assert find_checkpoint(folder / kind.file) == folder / kind.file
    for name, suffix in (("openvino", "xml"), ("coreml", "mlpackage")):
        with pytest.raises(RunError, match=r"no readable batman\.json beside it"):
            load_detector(tmp_path / name / f"model.{suffix}")
    (tmp_path / "openvino" / "batman.json").write_text('{"classes": ["a"]}')
    with pytest.raises(RunError, match="not written by batman export"):
        load_detector(tmp_path / "openvino")
    with pytest.raises(ConfigError, match="does not run on cuda:0"):
        load_detector(tmp_path / "executorch", device="cuda:0")


def test_outputs_are_told_apart_by_name_or_by_number() -> None:
    def order(*names: str) -> list[str]:
        outputs: list[dict[str, Any]] = [
            {"name": name, "index": place} for place, name in enumerate(names)
        ]
        return [output["name"] for output in sorted(outputs, key=_place)]

    assert order("labels", "dets") == ["dets", "labels"]
    assert order("serving_default_output_1_output", "serving_default_output_0_output") == [
        "serving_default_output_0_output", "serving_default_output_1_output",
    ]  # fmt: skip
    assert order("StatefulPartitionedCall:1", "StatefulPartitionedCall:0")[0].endswith("0")
    assert order("Identity", "Identity_1") == ["Identity", "Identity_1"]


def test_the_model_card_does_not_obey_class_names() -> None:
    facts = {
        "model": "tiny", "classes": ["<b>", "a|b", "x\n# y"], "licence": "Apache-2.0",
        "resolution": 128, "num_select": 20, "source": {"checkpoint": "run/best.pth"},
        "exported_at": "2026-01-01", "batman_version": "1", "rfdetr_version": "1",
        "preprocessing": {"colour": "RGB", "interpolation": "i", "mean": [0], "std": [1]},
    }  # fmt: skip
    card = model_card(facts, [{"name": "model.pth", "bytes": 1234, "checked": "0"}])
    assert r"| classes | \<b\>, a\|b, x⏎\# y |" in card
    assert "1,234" in card
