"""Write a trained model in one format. Imports torch and rfdetr inside functions."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.common.errors import ExportFailed
from core.common.text import clean
from core.export.formats import Format
from core.processes.installation import how_to_install

if TYPE_CHECKING:
    from core.models.pytorch import TorchDetector


def write_model(
    kind: Format,
    detector: TorchDetector,
    source: Path,
    facts: Mapping[str, Any],
    folder: Path,
) -> Path:
    """Write the model in the checkpoint `source`, which `detector` holds, and return its file.

    `facts` is the content of batman.json, `folder` where the file goes. Raises ExportFailed when
    rfdetr or the converter cannot do it.
    """
    if kind.name == "pth":
        return _write_pth(detector, source, facts["classes"], folder / kind.file)
    return _convert(kind, source, facts, folder)


def _write_pth(detector: TorchDetector, source: Path, names: Sequence[str], target: Path) -> Path:
    """Write weights and what describes the model: loads with `RFDETR.from_checkpoint`."""
    from core.models.encoder_blocks import count_blocks
    from core.models.pytorch import describe_model, read_content, weights_of
    from core.training.run.checkpoints import save_checkpoint

    content = read_content(source)
    saved = describe_model(source, content)
    config = detector.rfdetr.model_config.model_dump()
    weights = detector.rfdetr.model.model.state_dict()
    # Blocks that the file holds and a look leaves out: rfdetr misses them.
    looked_with = count_blocks(weights)
    for name, values in weights_of(content).items():
        if count_blocks([name]) > looked_with:
            weights[name] = values
    # Paths of the machine that trained say nothing elsewhere and tell more than they should.
    private = ("dataset_dir", "output_dir", "resume", "pretrain_weights", "project")
    settings = {key: value for key, value in saved.args.items() if key not in private}
    described = {
        "model": weights,
        "args": {**settings, "class_names": list(names), "num_classes": len(names)},
        "model_name": type(detector.rfdetr).__name__,
        "model_config": {**config, "pretrain_weights": None, "device": "cpu"},
    }
    for key in ("rfdetr_version", "batman"):
        if key in content:
            described[key] = content[key]
    save_checkpoint(described, target)
    return target


def _convert(kind: Format, source: Path, facts: Mapping[str, Any], folder: Path) -> Path:
    """Let rfdetr write the network: ONNX for any number of images at once, the others for one.

    ONNX takes `facts` into its metadata; the other formats have no place for them.
    """
    from core.models.pytorch import TorchDetector, quiet

    settings: dict[str, Any] = dict(kind.settings)
    if kind.name == "onnx":
        settings |= {"dynamic_batch": True, "notes": json.dumps(facts, ensure_ascii=False)}
    # A model of its own: exporting changes the network's form.
    model = TorchDetector.open(source, device="cpu", classes=None).rfdetr
    written = folder / kind.name
    try:
        with quiet(), _scripts_on_path():
            path = model.export(
                output_dir=str(written),
                format=kind.name,
                output_name="model",
                verbose=False,
                **settings,
            )
    except ImportError as error:
        raise ExportFailed(
            f"{kind.title} needs a package that is not installed or does not fit: "
            f"{clean(str(error))[:300]}",
            f"Install with: {how_to_install(kind.install)}",
        ) from error
    except OSError:
        raise
    except Exception as error:  # converters raise kinds of their own
        raise ExportFailed(
            f"The model cannot be written as {kind.title}: {clean(str(error))[:400]}",
            "Leave this format out, or convert model.onnx with the format's own tools.",
        ) from error
    target = folder / kind.file
    Path(path).rename(target)
    # ONNX weights past 2 GB lie in a file of their own beside the model, which names it.
    beside = [written / name for name in kind.beside]
    if kind.name == "onnx":
        beside = [extra for extra in written.iterdir() if extra.is_file()]
    for extra in beside:
        extra.rename(folder / extra.name)
    shutil.rmtree(written)
    return target


@contextlib.contextmanager
def _scripts_on_path() -> Iterator[None]:
    """Let converters find programs of their packages (ExecuTorch's flatc) in our environment."""
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), before])
    try:
        yield
    finally:
        os.environ["PATH"] = before
