"""Files that are no checkpoints: what they are is said, and no unsafe way is advised."""

from __future__ import annotations

import random
import types
from pathlib import Path

import pytest
from installed import needs

from core.common.errors import RunError
from core.models.checkpoint_file import load_checkpoint
from core.models.pytorch import read_content
from core.training.run.checkpoints import read_info

pytestmark = needs("torch")


def test_what_a_file_is_is_said_and_no_unsafe_way_advised(tmp_path: Path) -> None:
    import torch

    good, foreign, none, cut = (tmp_path / f"{name}.pth" for name in ("good", "own", "no", "cut"))
    torch.save({"model": {"a": torch.arange(40_000)}, "odd": 1}, good)
    torch.save({"model": types.SimpleNamespace(a=1)}, foreign)
    none.write_bytes(random.Random(1).randbytes(5000))
    data = good.read_bytes()
    cut.write_bytes(data[:2000])
    damaged = tmp_path / "damaged.pth"
    at = data.index(b"odd")
    damaged.write_bytes(data[: at - 9] + b"\xff" * 9 + data[at:])
    for path, why in (
        (foreign, "an object of types.SimpleNamespace, which is not loaded"),
        (none, "torch.save writes no such file"), (cut, "cannot be read as a checkpoint"),
        (damaged, "damaged or cut short"), (tmp_path, "cannot be read"),
        (tmp_path / "gone.pth", "cannot be read: No such file"),
    ):  # fmt: skip
        for read in (read_content, read_info, lambda path: load_checkpoint(path, "Take another.")):
            with pytest.raises(RunError, match=why) as told:
                read(path)
            shown = told.value.message + told.value.hint
            assert "weights_only" not in shown
            assert "arbitrary" not in shown.lower()
            assert told.value.hint
    assert load_checkpoint(good, "")["odd"] == 1
