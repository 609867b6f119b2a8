"""From a rough box to the box of the object that it means: by SAM 3's tracker model, or by a run.

`python -m core.autolabel.snap.model` keeps a model loaded and answers one box after the other. One
JSON object a line goes in: first `{"kind": "sam3" or "run", "weights", "device"}`, then `{"file",
"size": [w, h], "box": [x, y, w, h]}`, boxes in pixels of a picture of that size. One comes out:
`{"event": "ready", "device"}` when it is loaded, then `{"event": "snapped", "box", "score",
"class"}` (`box` null where there is nothing), or `{"event": "failed", "kind", "message", "hint"}`.
It ends with its input.
"""

from __future__ import annotations

import json
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec
import numpy as np

from core.autolabel.labellers.pretrained import load_model, load_processor, require_transformers
from core.common.errors import BatmanError
from core.common.text import clean
from core.data.images.picture_files import Unreadable, read_picture
from core.data.labels.matching import as_boxes, overlaps
from core.data.labels.passes import clipped
from core.processes.child_process import begin_process
from core.processes.job import told_failure

if TYPE_CHECKING:
    from PIL import Image

Box = tuple[float, float, float, float]

NEAR = 0.3
"""The least overlap (IoU) of a run's detection with the rough box that it is taken for."""
# Below this a detection of a run is no object; a person has pointed at it, so little is enough.
_LEAST = 0.1


@dataclass(frozen=True)
class Snapped:
    """The object's box in pixels (x, y, w, h), how sure the model is, and its class if it says."""

    box: Box
    score: float
    class_name: str | None = None


class Snapper(ABC):
    """A model that puts boxes right. What it made of the last picture is kept for the next box."""

    def __init__(self, device: str) -> None:
        self.device = device
        self._last: tuple[object, Any] | None = None

    def snap(self, file: Path, size: tuple[int, int], box: Box) -> Snapped | None:
        """Return the object that `box` means on the picture in `file`, None where there is none.

        `size` is the picture's width and height as the project knows them, which boxes are in.
        Raises BatmanError when the picture cannot be read.
        """
        if clipped(box, *size) is None:
            raise BatmanError("The box is not on the picture.", "Draw it again.")
        key = (file, size, file.stat().st_mtime_ns if file.is_file() else 0)
        if self._last is None or self._last[0] != key:
            try:
                picture, _ = read_picture(file, size)
            except Unreadable as error:
                raise BatmanError(f"'{clean(file.name)}' {error}.", "See batman check.") from error
            self._last = None  # two pictures' features are not kept at once
            self._last = (key, self.look(picture, size))
        found = self.find(self._last[1], size, box)
        inside = None if found is None else clipped(found.box, *size)
        return (
            None
            if found is None or inside is None
            else Snapped(
                (inside[0], inside[1], inside[2], inside[3]), found.score, found.class_name
            )
        )

    @abstractmethod
    def look(self, picture: Image.Image, size: tuple[int, int]) -> Any:
        """Return what `find` needs to know of an upright RGB picture."""

    @abstractmethod
    def find(self, seen: Any, size: tuple[int, int], box: Box) -> Snapped | None:
        """Return the object that `box` means."""


class RunSnapper(Snapper):
    """The detection of a run that overlaps the rough box most, by `NEAR` at least."""

    def __init__(self, path: Path, device: str = "auto") -> None:
        from core.models.backend import open_model

        self._detector = open_model(path, device=device).detector
        super().__init__(self._detector.device)

    def look(self, picture: Image.Image, size: tuple[int, int]) -> Any:
        """Return everything that the run finds on the picture."""
        prepared = np.stack([self._detector.prepare(picture)])
        (found,) = self._detector.predict_prepared(prepared, [size], _LEAST)
        return found

    def find(self, seen: Any, size: tuple[int, int], box: Box) -> Snapped | None:
        """Return the nearest detection."""
        if not len(seen):
            return None
        corners = seen.boxes.astype(np.float64)
        boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
        shared = overlaps(as_boxes([box]), boxes)[0]
        best = int(shared.argmax())
        if shared[best] < NEAR:
            return None
        x, y, w, h = (float(value) for value in boxes[best])
        name = self._detector.classes[int(seen.class_ids[best])]
        return Snapped((x, y, w, h), float(seen.scores[best]), name)


class Sam3Snapper(Snapper):
    """The box around what SAM 3's tracker model takes for the object in the rough box.

    From a folder of the hub's files. Raises RunError for weights that do not fit: a folder in which
    `save_pretrained` wrote the video model leaves the tracker random (transformers 5.23.0).
    """

    def __init__(self, folder: Path, device: str = "auto") -> None:
        from core.models.pytorch import choose_device, quiet

        require_transformers()
        super().__init__(choose_device(device))
        with quiet():
            from transformers import Sam3TrackerModel, Sam3TrackerProcessor

            self._processor = load_processor(Sam3TrackerProcessor, folder)
            self._model = load_model(Sam3TrackerModel, folder, self.device)

    def look(self, picture: Image.Image, size: tuple[int, int]) -> Any:
        """Return the picture's features."""
        import torch

        pixels = self._processor(images=picture, return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            return self._model.get_image_embeddings(pixels.to(self.device))

    def find(self, seen: Any, size: tuple[int, int], box: Box) -> Snapped | None:
        """Return the box around the one mask that the model answers with."""
        import torch

        x, y, w, h = box
        shape = [size[1], size[0]]
        inputs = self._processor(
            original_sizes=[shape], input_boxes=[[[x, y, x + w, y + h]]], return_tensors="pt"
        )
        with torch.inference_mode():
            out = self._model(
                image_embeddings=list(seen),
                input_boxes=inputs["input_boxes"].to(self.device),
                multimask_output=False,
            )
            (masks,) = self._processor.post_process_masks(out.pred_masks.cpu(), [shape])
        around = mask_box(masks[0, 0].numpy())
        return None if around is None else Snapped(around, float(out.iou_scores[0, 0, 0]))


def mask_box(mask: np.ndarray[Any, Any]) -> Box | None:
    """Return the box (x, y, w, h) around the true pixels of a mask (H, W), None without one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    left, top = float(columns[0]), float(rows[0])
    return left, top, float(columns[-1]) + 1 - left, float(rows[-1]) + 1 - top


def open_snapper(kind: str, weights: Path, device: str = "auto") -> Snapper:
    """Load the model of `kind` (`sam3` or `run`). Raises BatmanError for what is missing."""
    return Sam3Snapper(weights, device) if kind == "sam3" else RunSnapper(weights, device)


def serve(lines: Iterable[str], out: IO[str]) -> int:
    """Answer boxes as the head of this module says, and return the exit code."""

    def say(event: str, **values: Any) -> None:
        out.write(json.dumps({"event": event, **values}) + "\n")
        out.flush()

    wishes = map(json.loads, lines)
    first = next(wishes, None)
    if first is None:
        return 0
    try:
        snapper = open_snapper(first["kind"], Path(first["weights"]), first.get("device", "auto"))
    except BatmanError as error:
        say("failed", **told_failure(error))
        return 1
    say("ready", device=snapper.device)
    for wish in wishes:
        size, box = wish["size"], wish["box"]
        try:
            found = snapper.snap(
                Path(wish["file"]), (size[0], size[1]), (box[0], box[1], box[2], box[3])
            )
        except BatmanError as error:
            say("failed", **told_failure(error))
            continue
        score, name = (None, None) if found is None else (found.score, found.class_name)
        say(
            "snapped",
            box=None if found is None else msgspec.to_builtins(found.box),
            score=score,
            **{"class": name},
        )
    return 0


if __name__ == "__main__":
    begin_process()
    # Everything is in folders: no library is to look anything up by itself.
    os.environ["HF_HUB_OFFLINE"] = "1"
    # Libraries print on standard output, which here is for our lines only.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.exit(serve(sys.stdin, answers))
