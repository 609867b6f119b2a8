"""The blocks of rfdetr's encoder whose output the rest of the model uses, and no more.

rfdetr 1.11.2 builds all twelve blocks of DINOv2 and computes those up to one behind the last stage
that is used: `i > early_stop_layer` in `models/backbone/dinov2_with_windowed_attn.py`, where stage
N is what block N-1 gives. `RFDETRBase` and the deprecated `RFDETRLarge` use eleven of the twelve
that they compute, the other sizes all of them; our `tiny` uses one, of two computed and twelve
built.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import re
import threading
from collections.abc import Iterable, Iterator
from typing import Any

_BLOCK = re.compile(r"\bencoder\.layer\.(\d+)\.")
_patching = threading.Lock()


def count_blocks(parameters: Iterable[str]) -> int:
    """Return how many blocks an encoder has whose model has parameters of these names."""
    found = (_BLOCK.search(name) for name in parameters)
    return max((int(match[1]) + 1 for match in found if match), default=0)


@contextlib.contextmanager
def used_blocks_only() -> Iterator[None]:
    """Have rfdetr build encoders that end with the last block that is used.

    What such a model tells is the same to the bit. Weights of the other blocks, in a file that is
    loaded meanwhile, are passed over. One thread at a time builds this way.
    """
    module: Any = importlib.import_module("rfdetr.models.backbone.dinov2_with_windowed_attn")
    with _patching:
        encoder = module.WindowedDinov2WithRegistersEncoder

        class UsedBlocks(encoder):  # type: ignore[misc, valid-type]
            def __init__(self, config: Any) -> None:
                stages = [name[len("stage") :] for name in config.out_features]
                shorter = copy.copy(config)
                if all(stage.isdigit() for stage in stages):
                    used = max(int(stage) for stage in stages)
                    shorter.num_hidden_layers = min(used, config.num_hidden_layers)
                super().__init__(shorter)
                self.config = config

        module.WindowedDinov2WithRegistersEncoder = UsedBlocks
        try:
            yield
        finally:
            module.WindowedDinov2WithRegistersEncoder = encoder
