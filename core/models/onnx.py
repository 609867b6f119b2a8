"""Exported ONNX models through onnxruntime, with the facts that `core.export` wrote into them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.common.errors import BatmanError, ConfigError, RunError
from core.common.files import read_json
from core.common.hardware import free_memory, usable_cores
from core.common.text import clean
from core.models.detector import (
    CPU_BATCH,
    Detector,
    Floats,
    Pixels,
    choose_classes,
    normalise,
)
from core.processes.installation import how_to_install

# The metadata property that rfdetr's export keeps notes under.
_NOTES = "rfdetr_notes"
_STREAMS = 4
# What onnxruntime 1.32 holds for an image in the network, at most, by the pixels of its side:
# `a * side**2 + b * side**4` bytes, the latter for how each patch attends to each. Measured with
# sizes of rfdetr 1.11: 4 MB for tiny at 128 (6 by this), 48 for nano at 384 (168), 320 for base at
# 560 and 652 for its first large (670), 373 for large at 704 (1,601), 4,220 for base at 1,120
# (9,762).
_PER_PIXEL, _PER_PAIR = 256, 0.006


class OnnxDetector(Detector):
    """A `model.onnx` written by `batman export`, or by rfdetr with names given."""

    kind = "onnx"

    def __init__(self, path: Path, session: Any, **description: Any) -> None:
        super().__init__(path, **description)
        self._session = session
        self._input = session.get_inputs()[0].name
        batch = session.get_inputs()[0].shape[0]
        self._fixed = batch if isinstance(batch, int) else None

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        device: str = "auto",
        batch_size: int | None = None,
        classes: Sequence[str] | None = None,
        throughput: bool = False,
    ) -> OnnxDetector:
        """Load the model in `path`; see `load_detector`.

        Threads that share a batch wait for each other after every operator: two batches, each by a
        thread of its own, take a fifth less of two processors than one after the other by both
        (5.3 and 6.5 ms an image of the `tiny` size), and nothing waits. The numbers are the same
        to the last bit. With `throughput` there are as many streams as cores, 4 at most, and no
        more than the free memory has room for, each with a batch as large as any size of rfdetr
        makes it (`memory_of`): two of base at 560 pixels take 2.2 GB, and one 1.3.
        """
        cores = usable_cores()
        streams = min(_STREAMS, cores) if throughput else 1
        session = _session(path, device, cores // streams)
        outputs = {output.name: output.shape for output in session.get_outputs()}
        shape = session.get_inputs()[0].shape
        if not {"dets", "labels"} <= outputs.keys() or len(shape) != 4 or shape[1] != 3:
            raise RunError(
                f"'{clean(path.name)}' is not an RF-DETR detector: its outputs are "
                f"{', '.join(clean(name) for name in outputs)}.",
                "Export one with batman export.",
            )
        facts = read_facts(path, session)
        slots = outputs["labels"][2]
        names = choose_classes(
            path, facts.get("classes"), classes, slots - 1 if isinstance(slots, int) else None
        )
        queries = outputs["labels"][1]
        on_gpu = "CUDAExecutionProvider" in session.get_providers()
        resolution, batch = int(shape[2]), batch_size or (16 if on_gpu else CPU_BATCH)
        if streams > 1 and not on_gpu:
            room = max(1, int(free_memory() // memory_of(resolution, batch)))
            if room < streams:
                streams = room
                session = _session(path, device, cores // streams)
        detector = cls(
            path,
            session,
            classes=names,
            model_size=str(facts.get("model", "unknown")),
            resolution=resolution,
            num_select=int(
                facts.get("num_select") or (queries if isinstance(queries, int) else 300)
            ),
            device="cuda" if on_gpu else "cpu",
            batch_size=batch,
        )
        detector.streams = 1 if on_gpu else streams
        return detector

    def forward(self, batch: Pixels) -> tuple[Floats, Floats]:
        """Run the model; see `Detector.forward`."""
        import numpy as np

        images = normalise(batch)
        step = self._fixed or len(images)
        boxes, logits = [], []
        for start in range(0, len(images), step):
            part = images[start : start + step]
            missing = step - len(part)
            if missing:
                part = np.concatenate([part, np.zeros((missing, *part.shape[1:]), part.dtype)])
            dets, labels = self._session.run(["dets", "labels"], {self._input: part})
            boxes.append(dets[: step - missing])
            logits.append(labels[: step - missing])
        return np.concatenate(boxes), np.concatenate(logits)


def memory_of(resolution: int, batch: int) -> float:
    """Return the bytes that a batch takes at most while it is in a network, beside its weights."""
    return batch * (_PER_PIXEL * resolution**2 + _PER_PAIR * resolution**4)


def read_facts(path: Path, session: Any) -> dict[str, Any]:
    """Return what the export wrote about the model: in its metadata, else in batman.json beside it.

    Empty for a model that says nothing. Raises BatmanError for a broken batman.json.
    """
    notes = session.get_modelmeta().custom_metadata_map.get(_NOTES, "")
    try:
        facts = json.loads(notes)
    except (ValueError, RecursionError):
        facts = None
    if isinstance(facts, dict) and isinstance(facts.get("classes"), list):
        return facts
    beside = path.with_name("batman.json")
    content = read_json(beside) if beside.is_file() else {}
    return content if isinstance(content, dict) else {}


def _session(path: Path, device: str, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise BatmanError(
            "ONNX models need onnxruntime, which is not installed.",
            f"Install it with: {how_to_install('batman-tui[train]')}",
        ) from None
    there = onnxruntime.get_available_providers()
    kind = device.partition(":")[0]
    if kind == "cuda" and "CUDAExecutionProvider" not in there:
        raise ConfigError(
            "This onnxruntime cannot use a GPU.",
            "Install onnxruntime-gpu, or leave out --device.",
        )
    providers = ["CPUExecutionProvider"]
    if kind in ("auto", "cuda") and "CUDAExecutionProvider" in there:
        providers.insert(0, "CUDAExecutionProvider")
    options = onnxruntime.SessionOptions()
    # Spinning threads take the cores from the ones that read the next images.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(str(path), sess_options=options, providers=providers)
    except Exception as error:  # onnxruntime raises kinds of its own, none of them public
        raise RunError(
            f"onnxruntime cannot load '{clean(path.name)}': {clean(str(error))[:300]}",
            "Export it again with batman export.",
        ) from error
