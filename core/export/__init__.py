"""Hand a trained model on: weights, ONNX and others, each checked against the original.

Importing this package is light; torch, rfdetr and onnxruntime come in when `export` is called.
"""

from __future__ import annotations

from core.export.export import (
    ExportedFile,
    ExportOptions,
    ExportReport,
    FailedFormat,
    export,
)
from core.export.naming import check_classes

__all__ = [
    "ExportOptions",
    "ExportReport",
    "ExportedFile",
    "FailedFormat",
    "check_classes",
    "export",
]
