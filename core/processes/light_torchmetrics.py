"""torchmetrics, which Lightning imports, without what it imports for nothing."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

_SIGNAL = "scipy.signal"


def import_torchmetrics() -> None:
    """Import torchmetrics without scipy.signal; whoever wants that later gets the real one.

    torchmetrics 1.8.2 imports it for another package's sake, which misses a name in it
    (`torchmetrics/__init__.py`): 0.6 to 2 s of the 14 s of processor time that all imports of
    training take, scipy.stats among them. Raises ImportError.
    """
    stand_in: Any = None
    if not {"torchmetrics", _SIGNAL} & sys.modules.keys():
        stand_in = ModuleType(_SIGNAL)
        stand_in.hamming = None  # the name: it is only asked whether it is there
        sys.modules[_SIGNAL] = stand_in
    try:
        import torchmetrics  # noqa: F401
    finally:
        if stand_in is not None:
            del sys.modules[_SIGNAL]
