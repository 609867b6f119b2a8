"""Exports say the same as the model they come from, or are not made."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from engine_models import CLASSES

from cli.exits import Exit
from cli.main import main
from core.common.errors import ClassError, ExportFailed
from core.export import ExportOptions, ExportReport, export
from core.export.check_images import load_images
from core.export.formats import FORMATS, require_formats
from core.export.tolerance import TOLERANCE
from core.export.verify import compare
from core.inference import InferenceOptions, infer
from core.models.detector import Floats, Pixels
from core.models.load import load_detector
from core.models.pytorch import TorchDetector
from core.training.run.run import Run

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def exported(learned: Path, tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    folder = tmp_path_factory.mktemp("exports") / "shapes_v1"
    return export(ExportOptions(learned / "best.pth", folder, classes=CLASSES))


def test_every_file_is_there_and_was_checked(exported: ExportReport) -> None:
    assert {path.name for path in exported.output.iterdir()} == {
        "model.pth", "model.onnx", "batman.json", "MODEL_CARD.md",
    }  # fmt: skip
    assert [file.format for file in exported.files] == ["pth", "onnx"]
    for file in exported.files:
        assert file.images == 24
        assert max(file.scores, file.boxes) <= 1e-4
        assert file.bytes == (exported.output / file.name).stat().st_size
    assert exported.checked_on == "24 images of dataset/valid"
    assert exported.warnings == []
    facts = json.loads((exported.output / "batman.json").read_text())
    assert facts["classes"] == CLASSES
    assert facts["resolution"] == 128
    assert facts["preprocessing"]["mean"] == [0.485, 0.456, 0.406]
    assert facts["training"]["run"] == "shapes-tiny-1"  # as it was called when it was trained
    card = (exported.output / "MODEL_CARD.md").read_text()
    for text in ("disc, square", "128 × 128", "mAP50-95", "Apache-2.0"):
        assert text in card


def test_onnx_agrees_with_torch_in_batches_of_any_size(
    learned: Path, exported: ExportReport
) -> None:
    torch = load_detector(learned, device="cpu")
    onnx = load_detector(exported.output / "model.onnx", device="cpu", batch_size=3)
    assert (onnx.kind, onnx.classes, onnx.num_select) == ("onnx", CLASSES, 20)
    dataset = Run(learned).config().dataset_dir(learned)
    images = load_images(dataset / "train", 50, 128)[0]
    assert len(images) == 50
    for batch in (1, 7):
        assert compare(torch, onnx, images[: 5 * batch], batch).largest < 1e-4
    for a, b in zip(torch.predict(images), onnx.predict(images), strict=True):
        strong = a.scores > 0.2
        np.testing.assert_allclose(a.boxes[strong], b.boxes[strong], atol=0.05)
        assert (a.class_ids[strong] == b.class_ids[strong]).all()


def test_onnx_agrees_with_torch_on_fifty_real_images(
    learned: Path, exported: ExportReport, bccd: Path
) -> None:
    """Blood cells are nothing that the model knows: no answer is clear-cut, which is harder."""
    torch = load_detector(learned, device="cpu")
    onnx = load_detector(exported.output / "model.onnx", device="cpu")
    images, told = load_images(bccd / "valid", 50, 128)
    assert told == "50 images of bccd/valid"
    found = compare(torch, onnx, images)
    assert found.images == 50
    assert 0 < found.largest < TOLERANCE


# torch is newer here than what makes these takes, or Python older.
_NO_ROOM = [
    pytest.param(name, marks=pytest.mark.may_skip) for name in ("litert", "tflite", "executorch")
]


@pytest.mark.parametrize("name", ["openvino", *_NO_ROOM])
def test_other_formats_agree_with_torch_and_run(
    learned: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        require_formats([name])
    except ExportFailed as error:
        pytest.skip(f"{error.message} {error.hint}")
    words = ["export", "model", str(learned), str(tmp_path / "out"), "--format", name]
    assert main(words) == Exit.OK, capsys.readouterr().err
    kind = FORMATS[name]
    assert kind.file in capsys.readouterr().out
    facts = json.loads((tmp_path / "out" / "batman.json").read_text())
    (file,) = facts["files"]
    assert (file["name"], file["images"]) == (kind.file, 24)
    assert max(file["scores"], file["boxes"]) <= file["tolerance"] == TOLERANCE
    torch, other = load_detector(learned, device="cpu"), load_detector(tmp_path / "out")
    assert (other.classes, other.resolution, other.num_select) == (CLASSES, 128, 20)
    folder = Run(learned).config().dataset_dir(learned) / "test"
    assert compare(torch, other, load_images(folder, 12, 128)[0]).largest < TOLERANCE
    inference = InferenceOptions(
        tmp_path / "out", [folder], tmp_path / "p", confidence=0.3, annotate=False
    )
    assert min(infer(inference).per_class.values()) > 0


def test_inference_runs_on_the_exports(
    learned: Path, exported: ExportReport, tmp_path: Path
) -> None:
    folder = Run(learned).config().dataset_dir(learned) / "test"
    counts = []
    for target in (learned, exported.output / "model.pth", exported.output / "model.onnx"):
        options = InferenceOptions(
            target, [folder], tmp_path / "out", confidence=0.3, annotate=False, device="cpu"
        )
        counts.append(infer(options).per_class)
    assert counts[0] == counts[1] == counts[2]
    assert min(counts[0].values()) > 0


def test_names_are_checked_and_rename(learned: Path, tmp_path: Path) -> None:
    out = tmp_path / "renamed"
    with pytest.raises(ClassError, match="3 classes given, and the model has 2"):
        export(ExportOptions(learned, out, classes=["person", "car", "bicycle"]))
    assert not out.exists()
    report = export(ExportOptions(learned, out, classes=["kreis", "quadrat"], verify_images=4))
    assert report.warnings
    assert load_detector(out / "model.pth", device="cpu").classes == ["kreis", "quadrat"]
    assert load_detector(out / "model.onnx", device="cpu").classes == ["kreis", "quadrat"]


def test_a_file_beyond_the_tolerance_is_not_exported(
    learned: Path, exported: ExportReport, tmp_path: Path
) -> None:
    before = (exported.output / "batman.json").read_bytes()
    # Onnxruntime adds up in another order than torch: nothing agrees to the last bit.
    options = ExportOptions(learned, exported.output, verify_images=4, tolerance=0.0)
    with pytest.raises(
        ExportFailed, match=r"does not agree with .* The earlier model.onnx is kept"
    ):
        export(options)
    assert (exported.output / "batman.json").read_bytes() == before
    assert [path.name for path in exported.output.parent.iterdir()] == ["shapes_v1"]
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(ExportFailed, match="holds other files"):
        export(ExportOptions(learned, tmp_path))
    assert (tmp_path / "thesis.txt").read_text() == "precious"
    # What passed is written all the same.
    report = export(ExportOptions(learned, tmp_path / "new", verify_images=4, tolerance=0.0))
    assert [file.name for file in report.files] == ["model.pth"]
    assert [failed.format for failed in report.failed] == ["onnx"]
    assert "model.onnx does not agree" in report.failed[0].message
    assert {path.name for path in report.output.iterdir()} == {
        "model.pth", "batman.json", "MODEL_CARD.md",
    }  # fmt: skip


class OtherOrder(TorchDetector):
    """The same model, where two neighbours of the encoder's places come in the other order."""

    rank = 0
    other = 1

    def forward(self, batch: Pixels) -> tuple[Floats, Floats]:
        if self.rank < 0:  # asked by what follows
            return super().forward(batch)
        rank, self.rank = self.rank, -1
        scores = self.selection(batch)
        assert scores is not None
        added = np.zeros_like(scores)
        for row, order in enumerate(np.argsort(-scores, axis=1, kind="stable")):
            first, raised = order[rank + 1 - self.other], order[rank + self.other]
            added[row, raised] = scores[row, first] - scores[row, raised] + 1e-5
        found = self.forward_with(batch, added)
        self.rank = rank
        return found


def test_queries_that_tie_are_no_difference_and_others_are(learned: Path, tmp_path: Path) -> None:
    """The head that chooses the queries is bent until two of them tie on one image."""
    images = load_images(Run(learned).config().dataset_dir(learned) / "valid", 24, 128)[0]
    one = TorchDetector.open(learned / "best.pth", device="cpu")
    other = OtherOrder.open(learned / "best.pth", device="cpu")
    # The image on which the order of the best two matters most.
    found = {place: compare(one, other, [image]) for place, image in enumerate(images)}
    most = max(found, key=lambda place: found[place].largest)
    assert (found[most].tied, found[most].largest > 0.01) == (0, True)
    image = images[most]
    tied = tie_places(learned / "best.pth", tmp_path / "best.pth", image, OtherOrder.rank)
    one = TorchDetector.open(tied, device="cpu")
    plain = one.forward(one.prepare(image)[None])
    other = OtherOrder.open(tied, device="cpu")
    if (plain[0] == other.forward(one.prepare(image)[None])[0]).all():
        other.other = 0  # of two that score the same any may be the first
    assert np.abs(plain[0] - other.forward(one.prepare(image)[None])[0]).max() > TOLERANCE
    agreed = compare(one, other, [image])
    assert (agreed.tied, agreed.largest < 1e-4) == (1, True)


def tie_places(source: Path, target: Path, image: Pixels, rank: int) -> Path:
    """Write `source` with its encoder's places number `rank` and the next scoring the same."""
    import torch

    content = torch.load(source, weights_only=False)
    weights = content["model"]["transformer.enc_out_class_embed.0.weight"]
    torch.save(content, target)
    for _ in range(3):  # until nothing but rounding is left
        detector = TorchDetector.open(target, device="cpu")
        batch = detector.prepare(image)[None]
        detector.forward(batch)
        given: list[torch.Tensor] = []
        head = detector.rfdetr.model.inference_model.transformer.enc_out_class_embed[0]
        hook = head.register_forward_hook(
            lambda _head, got, _logits, to=given: to.append(got[0][0])
        )
        scores = detector.selection(batch)
        hook.remove()
        assert scores is not None
        upper, lower = np.argsort(-scores[0], kind="stable")[rank : rank + 2]
        place = given[0][upper].double() - given[0][lower].double()
        for row in weights:  # whichever class is the best there
            row -= (place @ row.double() / (place @ place) * place).float()
        torch.save(content, target)
    return target
