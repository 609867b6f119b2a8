"""Labellers with the real loading code: tiny random models of the hub's kinds, a learned run."""

from __future__ import annotations

import functools
import importlib
import shutil
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from engine_models import SIDE, draw_scene, make_scenes
from engine_once import once
from PIL import Image
from tiny_labellers import MAKERS, make_grounding_dino, make_sam3_video, make_tracker

from cli.main import main
from core.autolabel.label import label, open_labeller
from core.autolabel.labellers.coco_names import COCO_NAMES
from core.autolabel.labellers.labeller import Labeller, Looked
from core.autolabel.pass_folder import ExampleBox, PassFolder, PassTask, TaskClass, TaskImage
from core.autolabel.snap.model import Snapped, mask_box, open_snapper
from core.autolabel.snap.service import SnapService
from core.autolabel.snap.which_model import SnapChoice, find_snap_model
from core.common.errors import ClassError, ConfigError, RunError, WeightsMissing
from core.common.workspace import Workspace
from core.data.labels.view import picture_labels
from core.data.store import Project
from core.models.detector import Prediction

if TYPE_CHECKING:
    import safetensors.torch as safetensors
    import torch
    import transformers as tf


HOOK = TaskClass(7, "hook", ("hook", "yellow hook"))
PERSON = TaskClass(3, "person", ("person",))
SIZE = (320, 240)


@pytest.fixture(scope="module", autouse=True)
def _libraries() -> None:
    """Import what each test uses; not with this module, which every worker of xdist reads."""
    names = {"safetensors": "safetensors.torch", "torch": "torch", "tf": "transformers"}
    globals().update({name: importlib.import_module(of) for name, of in names.items()})


def inferring(test: Callable[..., None]) -> Callable[..., None]:
    """`torch.inference_mode()`, which is there once the test begins."""

    @functools.wraps(test)
    def within(*args: Any, **named: Any) -> None:
        with torch.inference_mode():
            test(*args, **named)

    return within


def approx(value: float) -> Any:
    return pytest.approx(value)


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def make(folder: Path) -> Path:
        for kind, maker in MAKERS.items():
            maker(folder / kind)
        return folder

    return once(tmp_path_factory, "labellers", make)


@pytest.fixture(scope="session")
def picture() -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def task(kind: Any, *classes: TaskClass, **more: Any) -> PassTask:
    about = {"key": "k", "name": "n", "at": "", "model": "a/b", "weights": "", "images": ""}
    return PassTask(**{**about, "kind": kind, "classes": classes, "least": 0.0, **more})


def opened(folder: Path, kind: Any, *classes: TaskClass, **more: Any) -> Labeller:
    return open_labeller(task(kind, *classes, **more), folder, Path(), (), "cpu")


def look(labeller: Labeller, picture: Image.Image, image_id: int = 1) -> Prediction:
    (found,) = labeller.look([labeller.prepare(picture)], [Looked(image_id, *picture.size)])
    return found


def of_class(found: Prediction, place: int) -> tuple[Any, Any]:
    keep = found.class_ids == place
    order = np.argsort(-found.scores[keep], kind="stable")
    return found.boxes[keep][order], found.scores[keep][order]


def same(one: tuple[Any, Any], other: tuple[Any, ...]) -> None:
    order = np.argsort(-other[1], kind="stable")
    np.testing.assert_allclose(one[1], other[1][order], atol=2e-6)
    np.testing.assert_allclose(one[0], other[0][order], atol=2e-3)


@inferring
def test_sam3_answers_as_one_prompt_at_a_time_does(weights: Path, picture: Image.Image) -> None:
    folder = weights / "sam3"
    like = ExampleBox(1, (100.0, 100.0, 100.0, 80.0))
    unlike = ExampleBox(1, (300.0, 200.0, 10.0, 30.0), like=False)
    hook = TaskClass(7, "hook", HOOK.phrases, (like, unlike))
    labeller = opened(folder, "sam3", hook, PERSON)
    assert labeller.class_ids == [7, 3]
    calls = []
    features = labeller._model.get_vision_features
    labeller._model.get_vision_features = lambda *a: calls.append(1) or features(*a)
    labeller._at_once = 2  # a phrase with examples goes along with one that has none
    found = look(labeller, picture)
    assert calls == [1], "a picture's features serve all its prompts"

    model = tf.Sam3Model.from_pretrained(folder)
    processor = tf.Sam3Processor.from_pretrained(folder)
    boxes = [[[100, 100, 200, 180], [300, 200, 310, 230]]]

    def alone(text: str, **more: Any) -> tuple[Any, Any]:
        inputs = processor(images=picture, text=text, return_tensors="pt", **more)
        (answer,) = processor.post_process_object_detection(
            model(**inputs), threshold=-1.0, target_sizes=inputs["original_sizes"].tolist()
        )
        return answer["boxes"].numpy(), answer["scores"].numpy()

    same(of_class(found, 1), alone("person"))
    parts = [alone(text, input_boxes=boxes, input_boxes_labels=[[1, 0]]) for text in HOOK.phrases]
    same(of_class(found, 0), tuple(np.concatenate(pair) for pair in zip(*parts, strict=True)))
    # Examples are of their picture only.
    plain = [alone(text) for text in HOOK.phrases]
    elsewhere = look(labeller, picture, image_id=2)
    same(of_class(elsewhere, 0), tuple(np.concatenate(pair) for pair in zip(*plain, strict=True)))
    assert not np.allclose(of_class(found, 0)[1], of_class(elsewhere, 0)[1], atol=1e-6)


@inferring
def test_owlv2_answers_as_its_processor_does(weights: Path, picture: Image.Image) -> None:
    folder = weights / "owlv2"
    found = look(opened(folder, "owlv2", HOOK, PERSON), picture)
    model = tf.Owlv2ForObjectDetection.from_pretrained(folder)
    processor = tf.Owlv2Processor.from_pretrained(folder)
    inputs = processor(
        text=[["hook", "yellow hook", "person"]], images=picture, return_tensors="pt",
        padding="max_length", max_length=16,
    )  # fmt: skip
    (answer,) = processor.post_process_grounded_object_detection(
        model(**inputs), threshold=-1.0, target_sizes=[SIZE[::-1]]
    )
    classes = np.array([0, 0, 1])[answer["labels"].numpy()]
    boxes, scores = answer["boxes"].numpy(), answer["scores"].numpy()
    for place in (0, 1):
        keep = classes == place
        same(of_class(found, place), (boxes[keep], scores[keep]))


@inferring
def test_owlv2_looks_for_examples_on_every_picture(
    weights: Path, picture: Image.Image, tmp_path: Path
) -> None:
    folder = weights / "owlv2"
    picture.save(tmp_path / "a.png")
    example = ExampleBox(1, (40.0, 30.0, 60.0, 60.0))
    like = TaskClass(7, "hook", (), (example, ExampleBox(1, (0.0, 0.0, 9.0, 9.0), like=False)))
    # The project knows the picture at half its size.
    shown = TaskImage(1, "a.png", SIZE[0] // 2, SIZE[1] // 2)
    wanted = task("owlv2", like, PERSON, example_images=(shown,))
    labeller = open_labeller(wanted, folder, tmp_path, (), "cpu")
    assert any("counter-example of 'hook'" in note for note in labeller.notes)
    found = look(labeller, picture, image_id=99)
    model = tf.Owlv2ForObjectDetection.from_pretrained(folder)
    processor = tf.Owlv2Processor.from_pretrained(folder)
    crop = picture.crop((80, 60, 200, 180))
    inputs = processor(query_images=crop, images=picture, return_tensors="pt")
    guided = model.image_guided_detection(**inputs).logits[0, :, 0]
    words = processor(text=["person"], images=picture, return_tensors="pt", max_length=16)
    said = model(**words).logits[0, :, 0]
    best = torch.maximum(guided, said).sigmoid().numpy()
    np.testing.assert_allclose(np.sort(found.scores), np.sort(best), atol=2e-6)
    assert (found.class_ids == 0).sum() == int((guided > said).sum())


@pytest.mark.parametrize("prefix", ["", "MM"])
@inferring
def test_grounding_dino_is_asked_for_one_class_a_call(
    weights: Path, picture: Image.Image, prefix: str, tmp_path: Path
) -> None:
    folder = weights / "grounding-dino" if not prefix else make_grounding_dino(tmp_path, prefix)
    found = look(opened(folder, "grounding-dino", HOOK, PERSON), picture)
    model = getattr(tf, f"{prefix}GroundingDinoForObjectDetection").from_pretrained(folder)
    processor = tf.GroundingDinoProcessor.from_pretrained(folder)
    for place, words in enumerate((["hook", "yellow hook"], ["person"])):
        inputs = processor(images=picture, text=[words], return_tensors="pt")
        (answer,) = processor.post_process_grounded_object_detection(
            model(**inputs), inputs["input_ids"], threshold=-1.0, text_threshold=0.0,
            target_sizes=[SIZE[::-1]],
        )  # fmt: skip
        same(of_class(found, place), (answer["boxes"].numpy(), answer["scores"].numpy()))


@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_what_a_model_does_not_read_of_a_phrase_is_said(weights: Path, kind: str) -> None:
    long = TaskClass(1, "x", ("abcdefgh " * 40,))
    notes = opened(weights / kind, kind, long, PERSON).notes
    assert len([note for note in notes if "reads the first" in note]) == 1
    assert opened(weights / kind, kind, PERSON).notes == []


@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_half_fitting_weights_are_refused(weights: Path, kind: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(weights / kind, tmp_path / kind))
    file = folder / "model.safetensors"
    tensors = safetensors.load_file(file)
    lost = next(name for name in tensors if name.endswith("weight") and tensors[name].ndim == 2)
    del tensors[lost]
    safetensors.save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(RunError, match="do not fit") as caught:
        opened(folder, kind, PERSON)
    assert "would be random" in caught.value.message
    file.write_bytes(b"no weights at all")
    with pytest.raises(RunError, match="cannot be loaded"):
        opened(folder, kind, PERSON)
    (folder / "config.json").unlink()
    with pytest.raises(WeightsMissing, match=r"lacks config\.json"):
        opened(folder, kind, PERSON)


def test_a_device_that_is_not_here(weights: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(ConfigError, match="no cuda device"):
        open_labeller(task("sam3", PERSON), weights / "sam3", Path(), (), "cuda")


def test_a_pass_of_sam3_in_a_folder(weights: Path, picture: Image.Image, tmp_path: Path) -> None:
    picture.save(tmp_path / "a.png")
    images = [TaskImage(4, "a.png", *SIZE), TaskImage(5, "b.png", *SIZE)]
    folder = PassFolder(tmp_path / "pass")
    about = {"weights": str(weights / "sam3"), "images": "..", "model": "facebook/sam3"}
    folder.create(task("sam3", HOOK, PERSON, least=0.1, **about), images)
    done = label(folder.path)
    assert (done.done, done.total, done.unreadable) == (2, 2, 1)
    begun, found, unreadable = folder.found()
    assert begun.begun is not None
    assert begun.begun.classes == (7, 3)
    assert unreadable.error is not None
    assert "No such file" in unreadable.error
    assert 1 <= len(found.boxes) < 60, "of twenty boxes a phrase those that overlap are one"
    assert {row[0] for row in found.boxes} == {7, 3}
    for _, x, y, w, h, score in found.boxes:
        assert 0 <= x < x + w <= SIZE[0] + 0.01
        assert 0 <= y < y + h <= SIZE[1] + 0.01
        assert 0.1 <= score < 1


def test_a_run_s_classes_are_mapped(learned: Path, tmp_path: Path) -> None:
    file = learned / "best.pth"
    scene = draw_scene([(0, 10, 12, 50), (1, 70, 60, 44)])
    box = TaskClass(9, "box")
    labeller = opened(file, "run", box, PERSON, mapping={"square": "box"}, least=0.3)
    assert labeller.class_ids == [9]
    assert labeller.notes == [
        "left out: 1 class of the model (disc)",
        "not looked for: person, which the model does not know",
    ]
    found = look(labeller, scene)
    assert set(found.class_ids) == {0}
    np.testing.assert_allclose(found.boxes[found.scores.argmax()], [70, 60, 114, 104], atol=6)
    with pytest.raises(ClassError, match="knows none of the project's classes"):
        opened(file, "run", PERSON)
    scene.save(tmp_path / "scene.png")
    snapper = open_snapper("run", file)
    snapped = snapper.snap(tmp_path / "scene.png", (SIDE, SIDE), (60.0, 55.0, 50.0, 50.0))
    assert snapped is not None
    assert snapped.class_name == "square"
    np.testing.assert_allclose(snapped.box, [70, 60, 44, 44], atol=6)


def test_coco_s_weights_find_the_classes_that_are_mapped(tmp_path: Path) -> None:
    from rfdetr import RFDETRNano

    torch.manual_seed(0)
    model = RFDETRNano(pretrain_weights=None, device="cpu")
    file = tmp_path / "rf-detr-nano.pth"
    torch.save({"model": model.model.model.state_dict(), "args": Namespace()}, file)
    scene = Image.new("RGB", (300, 200), (200, 30, 40))  # of one colour, however it is scaled
    truth = model.predict(scene, threshold=0.0)
    # By rfdetr's own numbers, which are COCO's; a random model likes some of them best.
    number = max(COCO_NAMES, key=lambda n: int((truth.class_id == n).sum()))
    name = COCO_NAMES[number]
    worker = TaskClass(4, "worker")
    labeller = opened(file, "coco", worker, PERSON, model="coco:nano", mapping={name: "worker"})
    assert sorted(labeller.class_ids) == [3, 4]
    assert labeller.notes[0].startswith("left out: 78 classes of COCO (")
    found = look(labeller, scene)
    place = labeller.class_ids.index(4)
    wanted = truth.class_id == number
    assert wanted.sum() > 3
    same(of_class(found, place), (truth.xyxy[wanted], truth.confidence[wanted]))
    file.write_bytes(b"no weights")
    with pytest.raises(RunError, match=r"rfdetr cannot load 'rf-detr-nano\.pth' as RFDETRNano"):
        opened(file, "coco", PERSON, model="coco:nano")


@inferring
def test_sam3_snaps_a_rough_box(picture: Image.Image, tmp_path: Path) -> None:
    folder = make_tracker(tmp_path / "tracker")
    picture.save(tmp_path / "a.png")
    snapper = open_snapper("sam3", folder, "cpu")
    # The project knows the picture at half its size.
    size, boxes = (SIZE[0] // 2, SIZE[1] // 2), [(50.0, 50.0, 50.0, 40.0), (2.0, 2.0, 40.0, 40.0)]
    model = tf.Sam3TrackerModel.from_pretrained(folder)
    processor = tf.Sam3TrackerProcessor.from_pretrained(folder)
    for x, y, w, h in boxes:
        found = snapper.snap(tmp_path / "a.png", size, (x, y, w, h))
        corners = [[[2 * x, 2 * y, 2 * (x + w), 2 * (y + h)]]]
        inputs = processor(images=picture, input_boxes=corners, return_tensors="pt")
        out = model(**inputs, multimask_output=False)
        (masks,) = processor.post_process_masks(out.pred_masks, [[size[1], size[0]]])
        assert masks.any()
        assert found == Snapped(mask_box(masks[0, 0].numpy()), approx(float(out.iou_scores)))


def test_sam3_in_one_file_with_its_tracker(picture: Image.Image, tmp_path: Path) -> None:
    folder = make_sam3_video(tmp_path / "video")
    assert len(look(opened(folder, "sam3", PERSON), picture)) == 20
    with pytest.raises(RunError, match="do not fit Sam3TrackerModel: 147 parameters"):
        open_snapper("sam3", folder, "cpu")
    # As the hub's file names them.
    file = folder / "model.safetensors"
    tensors = {
        name.replace("tracker_model.tracker_model.", "tracker_model."): tensor
        for name, tensor in safetensors.load_file(file).items()
    }
    safetensors.save_file(tensors, file, metadata={"format": "pt"})
    chosen = find_snap_model(SnapChoice("sam3", str(folder)), Workspace(tmp_path))
    assert (chosen.kind, chosen.weights) == ("sam3", folder)
    picture.save(tmp_path / "a.png")
    rough = (tmp_path / "a.png", SIZE, (100.0, 100.0, 100.0, 80.0))
    with SnapService(chosen.kind, chosen.weights, "cpu") as service:
        assert not service.ready
        snapped = service.snap(*rough)
        assert service.ready
    assert snapped == open_snapper("sam3", folder, "cpu").snap(*rough)
    assert snapped is not None
    assert len(look(opened(folder, "sam3", PERSON), picture)) == 20


def test_the_second_round_from_the_command_line(
    learned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("BATMAN_WORKSPACE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    make_scenes(tmp_path / "scenes", {"valid": 16})
    assert main(["import", "coco-dir", "scenes", "--project", "scenes", "--create"]) == 0
    with Project.open(tmp_path / "data" / "projects" / "scenes") as project:
        truth = project.db.execute("SELECT count(*) FROM v_annotations").fetchone()[0]
        # Half of the labels go, and come back as suggestions.
        with project.change("hide", "Hide labels") as change:
            rows = project.db.execute("SELECT id FROM annotations ORDER BY id").fetchall()
            hidden = [row[0] for row in rows[::2]]
            change.update_many("annotations", ["deleted"], [(row, 1) for row in hidden])
        assert main(["autolabel", "--project", "scenes", "--with", str(learned)]) == 0
        said = capsys.readouterr().out
        assert "learned looked at 16 pictures on cpu" in said
        agrees, found = project.db.execute(
            "SELECT sum(state = 'agrees' AND score > 0.3), sum(state = 'open' AND score > 0.3)"
            " FROM v_suggestions"
        ).fetchone()
        assert agrees >= 0.5 * (truth - len(hidden))
        assert found >= 0.5 * len(hidden)
        (image,) = project.db.execute("SELECT min(image_id) FROM v_suggestions").fetchone()
        picture = picture_labels(project, image)
        assert (picture.width, picture.height) == (SIDE, SIDE)
        assert {item.model for item in picture.suggestions} == {"learned"}
