"""How good a trained model is, and where it goes wrong.

Importing this package is light: `EvaluationResult` can be read by any process; `evaluate` loads
torch and COCO's metrics when it is called.
"""

from __future__ import annotations

from core.evaluation.evaluate import EvaluationOptions, evaluate
from core.evaluation.result import (
    ClassResult,
    EvaluationResult,
    SizeResult,
    WorstImage,
    evaluation_folder,
)

__all__ = [
    "ClassResult",
    "EvaluationOptions",
    "EvaluationResult",
    "SizeResult",
    "WorstImage",
    "evaluate",
    "evaluation_folder",
]
