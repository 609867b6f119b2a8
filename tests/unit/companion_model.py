"""A run folder whose best model has an ONNX beside it: a network that anyone can reckon."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from core.models.companion import (
    Companion,
    model_path,
    runtime_version,
    stamp,
    write_companion,
)

SIDE = 32
CLASSES = ["disc", "square"]
# One object in the middle, of the second class: score 1 / (1 + e^-2).
BOX = (0.5, 0.5, 0.5, 0.25)
SCORE = 0.880797


def write_onnx(path: Path, logit: float = 2.0) -> Path:
    """Write a detector that finds `BOX` on each picture, as `batman export` writes its own."""
    from onnx import TensorProto, helper, numpy_helper, save

    dets = np.array([[BOX, (0.1, 0.1, 0.1, 0.1)]], np.float32)
    labels = np.array([[(-9.0, logit, -9.0), (-9.0, -9.0, -9.0)]], np.float32)
    nothing = np.array(0.0, np.float32)
    nodes = [
        # One number a picture, (N, 1, 1), times nothing: carries the number of pictures.
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("ReduceMean", ["mean"], ["one"], axes=[1], keepdims=1),
        helper.make_node("Unsqueeze", ["one", "last"], ["each"]),
        helper.make_node("Mul", ["each", "nothing"], ["zero"]),
        helper.make_node("Add", ["zero", "boxes"], ["dets"]),
        helper.make_node("Add", ["zero", "logits"], ["labels"]),
    ]
    graph = helper.make_graph(
        nodes,
        "detector",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])],
        [
            helper.make_tensor_value_info("dets", TensorProto.FLOAT, ["N", 2, 4]),
            helper.make_tensor_value_info("labels", TensorProto.FLOAT, ["N", 2, 3]),
        ],
        [
            numpy_helper.from_array(dets, "boxes"),
            numpy_helper.from_array(labels, "logits"),
            numpy_helper.from_array(nothing, "nothing"),
            numpy_helper.from_array(np.array([2], np.int64), "last"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    facts = {"classes": CLASSES, "model": "tiny", "resolution": SIDE, "num_select": 4}
    helper.set_model_props(model, {"rfdetr_notes": json.dumps(facts)})
    save(model, str(path))
    return path


def with_companion(folder: Path) -> Path:
    """Write a best.pth that torch cannot read, with an ONNX beside it that is recorded as its own.

    Whoever looks with torch fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / "best.pth"
    checkpoint.write_bytes(b"weights of no use")
    write_onnx(model_path(checkpoint))
    record(checkpoint)
    return checkpoint


def record(checkpoint: Path) -> None:
    """Write the record of what lies there."""
    write_companion(
        checkpoint,
        Companion(
            checkpoint=stamp(checkpoint),
            model=stamp(model_path(checkpoint)),
            runtime=runtime_version(),
            images=8,
            tolerance=1e-3,
        ),
    )
