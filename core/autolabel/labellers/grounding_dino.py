"""Grounding DINO and MM Grounding DINO by phrases, through transformers.

Their answers name no class: labels are strings joined from whatever tokens scored, across phrases
(IDEA-Research/Grounded-Segment-Anything, issues 428 and 279). So each class is asked for by itself,
all of its phrases in one call, and every box of the answer is of that class.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.autolabel.labellers.labeller import Looked
from core.autolabel.labellers.pretrained import (
    PretrainedLabeller,
    cut_notes,
    load_model,
    load_processor,
)
from core.autolabel.pass_folder import TaskClass
from core.common.text import clean, plural

if TYPE_CHECKING:
    from PIL import Image

    from core.models.detector import Prediction


class GroundingDinoLabeller(PretrainedLabeller):
    """Grounding DINO: a call a class and picture. Load it with `open_grounding_dino`."""

    def read_prompts(self, classes: Sequence[TaskClass]) -> None:
        """Keep the words as the model takes them; see `PretrainedLabeller.read_prompts`."""
        texts = [_text(row.phrases) for row in classes]
        most = int(getattr(self._model.config, "max_text_len", 256))
        tokenizer = self._processor.tokenizer
        self._tokens = [
            tokenizer(
                text,
                truncation=True,
                max_length=most,
                return_tensors="pt",
                return_token_type_ids=True,
            ).to(self.device)
            for text in texts
        ]
        self.notes += cut_notes(
            texts, lambda text: len(tokenizer(text)["input_ids"]), most, "Grounding DINO"
        )
        for row in classes:
            if row.examples:
                count = plural(len(row.examples), "example")
                self.notes.append(
                    f"Grounding DINO makes no use of the {count} of '{clean(row.name)}'"
                )

    def prepare(self, picture: Image.Image) -> Any:
        """Return the picture as the model takes it: pixels and their mask."""
        return self._processor.image_processor(images=picture, return_tensors="pt")

    def look(self, prepared: Sequence[Any], pictures: Sequence[Looked]) -> list[Prediction]:
        """Return what is found in each picture; see `Labeller.look`."""
        import torch

        with torch.inference_mode():
            return [self._look(*pair) for pair in zip(prepared, pictures, strict=True)]

    def _look(self, prepared: Any, picture: Looked) -> Prediction:
        from core.models.detector import Prediction

        image = {name: value.to(self.device) for name, value in prepared.items()}
        boxes, scores, places = [], [], []
        for place, tokens in enumerate(self._tokens):
            out = self._model(**image, **tokens)
            # Tokens that a phrase does not have are minus infinity.
            best = out.logits[0].sigmoid().max(dim=-1).values
            keep = best >= self._least
            boxes.append(out.pred_boxes[0][keep].float().cpu().numpy())
            scores.append(best[keep].float().cpu().numpy())
            places.append(np.full(len(scores[-1]), place, dtype=np.int64))
        centre = np.concatenate(boxes)
        half = centre[:, 2:] / 2
        corners = np.concatenate([centre[:, :2] - half, centre[:, :2] + half], axis=1)
        size = np.array([picture.width, picture.height] * 2, dtype=np.float32)
        return Prediction(
            (corners * size).astype(np.float32), np.concatenate(scores), np.concatenate(places)
        )


def open_grounding_dino(
    folder: Path, classes: Sequence[TaskClass], *, least: float, device: str
) -> GroundingDinoLabeller:
    """Return Grounding DINO (or MM Grounding DINO) from a folder of the hub's files.

    Raises RunError for weights that do not fit, ConfigError for a device that is not here.
    """
    from core.models.pytorch import choose_device, quiet

    chosen = choose_device(device)
    with quiet():
        from transformers import (
            AutoModelForZeroShotObjectDetection,
            GroundingDinoProcessor,
        )

        processor = load_processor(GroundingDinoProcessor, folder)
        model = load_model(AutoModelForZeroShotObjectDetection, folder, chosen)
    return GroundingDinoLabeller(model, processor, classes, least=least, device=chosen)


def _text(phrases: Sequence[str]) -> str:
    """Return phrases as the model was trained with them: lower case, a full stop after each."""
    parts = [phrase.strip().rstrip(".").lower() for phrase in phrases]
    return " ".join(f"{part}." for part in parts if part)
