"""Run a trained model on images and videos: boxes drawn, and written as CSV and COCO JSON.

Importing this package is light; torch, supervision and av come in when `infer` is called.
"""

from __future__ import annotations

from core.inference.infer import infer
from core.inference.inputs import Skipped
from core.inference.options import InferenceOptions, InferenceSummary

__all__ = ["InferenceOptions", "InferenceSummary", "Skipped", "infer"]
