"""Encoders with the blocks that are used, against the whole ones that rfdetr builds."""

from __future__ import annotations

from pathlib import Path

import pytest
from installed import needs

from core.models.encoder_blocks import count_blocks, used_blocks_only
from core.training.config.effective_batch import Batching
from core.training.config.options import DatasetInfo, TrainingConfig

CLASSES = ["disc", "square"]
needs_rfdetr = needs("torch", "rfdetr")


def test_blocks_are_counted_by_the_names_of_parameters() -> None:
    names = [f"backbone.0.encoder.encoder.encoder.layer.{n}.norm1.weight" for n in (0, 10, 2)]
    assert count_blocks([*names, "transformer.decoder.layers.20.norm1.weight"]) == 11
    assert count_blocks([]) == 0


@needs_rfdetr
@pytest.mark.parametrize(("size", "whole", "used"), [("base", 12, 11), ("tiny", 12, 1)])
def test_blocks_that_nothing_uses_change_nothing(size: str, whole: int, used: int) -> None:
    import torch
    from rfdetr.training.module_model import build_model_from_config
    from rfdetr.utilities.tensors import nested_tensor_from_tensor_list

    from core.training.worker import build

    side = 112 if size == "base" else 64
    config = TrainingConfig(model=size, image_size=side, from_scratch=True)
    model_config = build.model_config(config, CLASSES, None)
    with build._random_encoder():
        torch.manual_seed(1)
        expected = build_model_from_config(model_config).eval()
        with used_blocks_only():
            shorter = build_model_from_config(model_config).eval()
    weights = expected.state_dict()
    assert (count_blocks(weights), count_blocks(shorter.state_dict())) == (whole, used)
    missing, unused = shorter.load_state_dict(weights, strict=False)
    assert missing == []
    assert {count_blocks([name]) > used for name in unused} == {True}
    images = nested_tensor_from_tensor_list([torch.rand(3, side, side)])
    with torch.inference_mode():
        whole_said, said = expected(images), shorter(images)
    for name in ("pred_boxes", "pred_logits"):
        assert torch.equal(said[name], whole_said[name])


@needs_rfdetr
def test_trainers_build_the_rest_for_rfdetrs_sizes_and_for_old_checkpoints(tmp_path: Path) -> None:
    """What is published reads as rfdetr's own; what has all blocks goes on with all."""
    from core.training.worker import build

    def blocks(size: str, resumed: int = 0) -> int:
        info = DatasetInfo(
            dir=tmp_path, fingerprint="", class_names=CLASSES, images={}, annotations={}
        )
        config = TrainingConfig(
            model=size, image_size=128, from_scratch=True, device="cpu", dataset=info
        )
        model = build.model_config(config, CLASSES, None)
        train = build.train_config(config, tmp_path, CLASSES, Batching(1, 1, 1))
        return count_blocks(build.build_module(model, train, resumed).state_dict())

    assert blocks("tiny") == blocks("tiny", resumed=1) == 1
    assert blocks("tiny", resumed=12) == 12
    assert blocks("nano") == 12


@needs_rfdetr
def test_an_export_has_the_blocks_that_its_source_has(tmp_path: Path) -> None:
    """`base` is looked with without its last block, and handed on with it: rfdetr expects it."""
    import torch
    from rfdetr.training.module_model import build_model_from_config

    from core.export.formats import FORMATS
    from core.export.write import write_model
    from core.models.pytorch import TorchDetector
    from core.training.worker import build

    config = TrainingConfig(model="base", image_size=112, from_scratch=True)
    model_config = build.model_config(config, CLASSES, None)
    with build._random_encoder():
        weights = build_model_from_config(model_config).state_dict()
    source = tmp_path / "best.pth"
    described = {"class_names": CLASSES, "num_classes": len(CLASSES)}
    content = {
        "model": weights,
        "args": described,
        "model_name": "RFDETRBase",
        "model_config": model_config.model_dump(),
    }
    torch.save(content, source)
    detector = TorchDetector.open(source, device="cpu")
    assert count_blocks(detector.rfdetr.model.model.state_dict()) == 11
    written = write_model(FORMATS["pth"], detector, source, {"classes": CLASSES}, tmp_path)
    exported = torch.load(written, weights_only=True)["model"]
    assert exported.keys() == weights.keys()
    assert all(torch.equal(exported[name], values) for name, values in weights.items())
