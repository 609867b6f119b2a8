"""What one training image keeps for the backward pass, by model size, beside the memory model.

    python benchmarks/activations.py [SIZE …]

Counts the bytes of the tensors that torch saves in a forward pass on the CPU, for 1,600 patches in
32 bits, and prints them relative to `base`: the figures of `core.training.config.batch_size`.
Random weights will do, and no network is needed. Two minutes for all sizes; the largest needs 8 GB
of memory.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", LOG_LEVEL="ERROR")
sys.path.insert(0, str(Path(__file__).parent.parent))

import rfdetr
import rfdetr.models.backbone.dinov2 as dinov2
import torch
from rfdetr.utilities.tensors import nested_tensor_from_tensor_list

from core.models.sizes import MODELS
from core.training.config.batch_size import _COST

SIDE_IN_PATCHES = 40


def saved_bytes(name: str) -> int:
    """Return the bytes that a forward pass of one image keeps, weights aside."""
    size = MODELS[name]
    side = SIDE_IN_PATCHES * size.patch_size
    build = getattr(rfdetr, size.class_name)
    options = {"pretrain_weights": None, "num_classes": 3, "resolution": side, "device": "cpu"}
    network = build(**options, **size.build).model.model
    network.train()
    weights = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    kept: dict[int, int] = {}
    alive = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        alive.append(tensor)  # so that no address is used twice
        return tensor

    images = nested_tensor_from_tensor_list([torch.rand(3, side, side)])
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = network(images)
    del result
    return sum(kept.values())


def main() -> None:
    """Count and print."""
    # The patch-14 sizes would fetch the encoder's weights, which change nothing here.
    backbone = dinov2.WindowedDinov2WithRegistersBackbone
    backbone.from_pretrained = classmethod(lambda cls, *_, config, **__: cls(config))
    base = saved_bytes("base")
    names = sys.argv[1:] or [name for name, size in MODELS.items() if not size.needs_plus]
    print(f"{'model':<18}{'GiB':>7}{'of base':>9}{'memory model':>14}")
    for name in names:
        found = base if name == "base" else saved_bytes(name)
        reckoned = _COST.get(name, 1.0)
        print(f"{name:<18}{found / 2**30:>7.3f}{found / base:>9.2f}{reckoned:>14.2f}")


if __name__ == "__main__":
    main()
