"""Exported models on the runtimes they are made for: one image in, boxes and logits out.

Each `open_…` loads a model file and returns a function that takes (1, 3, R, R) float32, as
`core.models.detector.normalise` makes it, and gives boxes (1, Q, 4) and logits (1, Q, C). rfdetr's
exports hold a batch of one and keep its order of outputs, boxes first; their names differ.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from core.common.errors import BatmanError, ConfigError
from core.common.text import clean
from core.models.detector import Floats
from core.processes.installation import how_to_install

Run = Callable[[Floats], tuple[Floats, Floats]]


def open_openvino(path: Path, device: str) -> Run:
    """Load OpenVINO IR, on the CPU."""
    openvino = _import("openvino", "OpenVINO", "openvino>=2024,<2027")
    # On CPUs that have it OpenVINO would take bfloat16, which differs in the third digit.
    exact = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    model = openvino.Core().compile_model(str(path), "CPU", exact)
    request = model.create_infer_request()

    def run(image: Floats) -> tuple[Floats, Floats]:
        found = request.infer([image], share_inputs=True)
        return np.array(found[0]), np.array(found[1])

    return run


def open_tflite(path: Path, device: str) -> Run:
    """Load a TensorFlow Lite file, of rfdetr's formats litert and tflite, on the CPU."""
    interpreter = _interpreter()(model_path=str(path))
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    # onnx2tf has the colours last, litert-torch keeps them first.
    colours_last = int(given["shape"][-1]) == 3
    outputs = sorted(interpreter.get_output_details(), key=_place)

    def run(image: Floats) -> tuple[Floats, Floats]:
        turned = np.ascontiguousarray(image.transpose(0, 2, 3, 1)) if colours_last else image
        interpreter.set_tensor(given["index"], turned)
        interpreter.invoke()
        boxes, logits = (interpreter.get_tensor(output["index"]) for output in outputs[:2])
        return boxes, logits

    return run


def open_executorch(path: Path, device: str) -> Run:
    """Load an ExecuTorch program made for XNNPACK, on the CPU."""
    runtime = _import("executorch.runtime", "ExecuTorch", "executorch>=1.3,<1.4")
    torch = importlib.import_module("torch")
    method = runtime.Runtime.get().load_program(str(path)).load_method("forward")

    def run(image: Floats) -> tuple[Floats, Floats]:
        boxes, logits = method.execute([torch.from_numpy(image)])[:2]
        return boxes.numpy().copy(), logits.numpy().copy()

    return run


def open_tensorrt(path: Path, device: str) -> Run:
    """Load a TensorRT engine, on the GPU it was built for."""
    _import("tensorrt", "TensorRT", "rfdetr[tensorrt]")
    torch = importlib.import_module("torch")
    if not torch.cuda.is_available():
        raise ConfigError(
            "TensorRT engines run on NVIDIA GPUs, and there is none here.",
            "Use model.onnx, or export to another format.",
        )
    inference = importlib.import_module("rfdetr.export._tensorrt.inference")
    place = device if device.startswith("cuda") else "cuda"
    engine = inference.TRTInference(str(path), device=place, sync_mode=True)
    (name,) = engine.input_names

    def run(image: Floats) -> tuple[Floats, Floats]:
        found = engine({name: torch.from_numpy(image).to(engine.engine_device)})
        return found["dets"].float().cpu().numpy(), found["labels"].float().cpu().numpy()

    return run


def open_coreml(path: Path, device: str) -> Run:
    """Load a Core ML package, on a Mac's own choice of processors."""
    tools = _import("coremltools", "Core ML", "coremltools>=8,<10")
    model = tools.models.MLModel(str(path))
    described = model.get_spec().description
    name = described.input[0].name
    outputs = [output.name for output in described.output]

    def run(image: Floats) -> tuple[Floats, Floats]:
        found = model.predict({name: image})
        return np.asarray(found[outputs[0]]), np.asarray(found[outputs[1]])

    return run


# By the ending of the file: the format and how it is loaded.
RUNTIMES: Mapping[str, tuple[str, Callable[[Path, str], Run]]] = {
    ".xml": ("openvino", open_openvino),
    ".tflite": ("tflite", open_tflite),
    ".pte": ("executorch", open_executorch),
    ".trt": ("tensorrt", open_tensorrt),
    ".mlpackage": ("coreml", open_coreml),
}


def _interpreter() -> Any:
    for name in ("ai_edge_litert.interpreter", "tflite_runtime.interpreter", "tensorflow.lite"):
        with contextlib.suppress(ImportError):
            return importlib.import_module(name).Interpreter
    raise BatmanError(
        "TensorFlow Lite models need ai-edge-litert, which is not installed.",
        f"Install it with: {how_to_install('ai-edge-litert')}",
    )


def _place(output: Mapping[str, Any]) -> tuple[int, int]:
    """Return a key that has boxes before logits, whichever way the converter names them."""
    name = str(output.get("name", ""))
    for place, own in enumerate(("dets", "labels")):
        if own in name:
            return place, 0
    digits = "".join(char for char in name if char.isdigit())
    return 0, int(digits or output["index"])


def _import(module: str, title: str, install: str) -> Any:
    package = module.partition(".")[0]
    if importlib.util.find_spec(package) is None:
        raise BatmanError(
            f"{title} models need {package}, which is not installed.",
            f"Install it with: {how_to_install(install)}",
        )
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise BatmanError(
            f"{package} is installed and cannot be loaded: {clean(str(error))[:300]}",
            "It may have been built for another release of torch; see its documentation.",
        ) from error
