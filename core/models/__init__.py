"""Trained detectors, ready to look at images: RF-DETR checkpoints and exported models.

Importing this package is light; torch, rfdetr and other runtimes come in when a model is loaded.
"""

from __future__ import annotations

from core.models.detector import Detector, Prediction
from core.models.find import find_checkpoint, latest_run, run_checkpoint
from core.models.load import load_detector

__all__ = [
    "Detector",
    "Prediction",
    "find_checkpoint",
    "latest_run",
    "load_detector",
    "run_checkpoint",
]
