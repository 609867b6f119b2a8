"""The formats a model is exported to: what each needs, what its file is called, how near it is.

The names and settings are those of `RFDETR.export` (rfdetr 1.11, rfdetr/export/registry.py). Core
AI, the one format of it that is left out, runs on Apple's systems from 27 on only and has no
runtime for Python, so that nothing here could check what was written.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.common.errors import ExportFailed
from core.common.text import clean, did_you_mean, sentence
from core.export.tolerance import TF32_TOLERANCE, TOLERANCE
from core.processes.installation import how_to_install


@dataclass(frozen=True, slots=True)
class Format:
    """A format of exported models.

    `file` is the model's name in the export's folder and `beside` what belongs to it. Writing and
    checking needs the Python packages `modules`, which the requirement `install` brings. A check
    passes where nothing differs by more than `tolerance`. `settings` go to `RFDETR.export`.
    """

    name: str
    title: str
    file: str
    modules: tuple[str, ...] = ()
    install: str = ""
    tolerance: float = TOLERANCE
    beside: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


_EXTRA = "batman-tui[train]"

FORMATS: Mapping[str, Format] = {
    kind.name: kind
    for kind in (
        Format("pth", "PyTorch", "model.pth"),
        Format("onnx", "ONNX", "model.onnx", ("onnx", "onnxruntime"), _EXTRA),
        Format(
            "openvino",
            "OpenVINO",
            "model.xml",
            ("openvino",),
            "openvino>=2024,<2027",
            beside=("model.bin",),
            settings={"openvino_precision": "float32"},
        ),
        Format(
            "litert",
            "LiteRT",
            "model.tflite",
            ("litert_torch", "ai_edge_litert"),
            "litert-torch>=0.9.4,<1",
        ),
        Format(
            "tflite",
            "TensorFlow Lite",
            "model_fp32.tflite",
            ("onnx2tf", "tensorflow"),
            "rfdetr[tflite]; python_version == '3.12'",
        ),
        Format(
            "executorch",
            "ExecuTorch",
            "model.pte",
            ("executorch",),
            "executorch>=1.3,<1.4",
            settings={"backend": "xnnpack"},
        ),
        Format(
            "tensorrt",
            "TensorRT",
            "model.trt",
            ("tensorrt", "polygraphy"),
            "rfdetr[tensorrt]",
            tolerance=TF32_TOLERANCE,
            settings={"fp16": False},
        ),
        Format(
            "coreml",
            "Core ML",
            "model.mlpackage",
            ("coremltools",),
            "coremltools>=8,<10",
            settings={"coreml_precision": "float32"},
        ),
    )
}
DEFAULT: Sequence[str] = ("pth", "onnx")


def require_formats(names: Sequence[str]) -> list[Format]:
    """Return the formats called `names`, each once. Raises ExportFailed.

    Either there is no such format, or it cannot be written and checked on this machine: a package
    is missing, or it runs elsewhere only.
    """
    found: dict[str, Format] = {}
    for name in names:
        kind = FORMATS.get(name)
        if kind is None:
            guess = did_you_mean(name, FORMATS)
            raise ExportFailed(
                f"There is no format '{clean(name)}'.",
                f"{sentence(guess)} Formats: {', '.join(FORMATS)}.".strip(),
            )
        lack = lack_of(kind)
        if lack is not None:
            raise lack
        found[name] = kind
    if not found:
        raise ExportFailed("No format was chosen.", f"Formats: {', '.join(FORMATS)}.")
    return list(found.values())


def lack_of(kind: Format) -> ExportFailed | None:
    """Return why a format cannot be written and checked on this machine, None if it can.

    Packages are looked for and not imported.
    """
    if kind.name == "coreml" and sys.platform != "darwin":
        return ExportFailed(
            "Core ML models run on macOS only, so that an export could not be checked here.",
            "Export on a Mac, or export onnx and convert it there.",
        )
    missing = [name for name in kind.modules if importlib.util.find_spec(name) is None]
    if missing:
        return ExportFailed(
            f"{kind.title} needs {' and '.join(missing)}, which "
            f"{'is' if len(missing) == 1 else 'are'} not installed.",
            f"Install with: {how_to_install(kind.install)}",
        )
    return None
