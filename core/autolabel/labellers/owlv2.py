"""OWLv2 by phrases and by example boxes, through transformers.

From its code (transformers 5.23.0, `models/owlv2`): pictures are padded to a square at the right
and bottom, so boxes, fractions of that square, are scaled by the longer side; a phrase has 16
tokens at most. `image_guided_detection` embeds an example anew for each picture; here it is
embedded once, and a picture's features serve phrases and examples alike.
Scores of examples are the sigmoid of the logits, as those of phrases are: the processor's function
for examples would return them stretched to 0.1 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


class Owlv2Labeller(PretrainedLabeller):
    """OWLv2: each box is of the class whose phrase or example fits it best.

    `crops` are the pictures of the examples of each class (its position). Load it with
    `open_owlv2`.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        classes: Sequence[TaskClass],
        crops: Mapping[int, Sequence[Image.Image]],
        *,
        least: float,
        device: str,
    ) -> None:
        import torch

        super().__init__(model, processor, classes, least=least, device=device)
        queries = [(place, text) for place, row in enumerate(classes) for text in row.phrases]
        with torch.inference_mode():
            embeds = [self._of_phrases([text for _, text in queries])]
            places = [place for place, _ in queries]
            for place, pictures in crops.items():
                embeds += [self._of_example(picture) for picture in pictures]
                places += [place] * len(pictures)
            self._queries = torch.cat(embeds)[None]
        self._places = np.array(places, dtype=np.int64)

    def prepare(self, picture: Image.Image) -> Any:
        """Return the picture's pixels as the model takes them, (1, 3, S, S)."""
        return self._processor.image_processor(images=picture, return_tensors="pt")["pixel_values"]

    def look(self, prepared: Sequence[Any], pictures: Sequence[Looked]) -> list[Prediction]:
        """Return what is found in each picture; see `Labeller.look`."""
        import torch

        with torch.inference_mode():
            return [self._look(*pair) for pair in zip(prepared, pictures, strict=True)]

    def _look(self, pixels: Any, picture: Looked) -> Prediction:
        from core.models.detector import Prediction

        features, grid = self._features(pixels)
        logits, _ = self._model.class_predictor(features, self._queries)
        best = logits[0].max(dim=-1)
        scores = best.values.sigmoid()
        keep = scores >= self._least
        boxes = self._model.box_predictor(features, grid)[0][keep].float().cpu().numpy()
        half = boxes[:, 2:] / 2
        corners = np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)
        return Prediction(
            (corners * max(picture.width, picture.height)).astype(np.float32),
            scores[keep].float().cpu().numpy(),
            self._places[best.indices[keep].cpu().numpy()],
        )

    def _features(self, pixels: Any) -> tuple[Any, Any]:
        """Return a picture's features as (1, N, D) and on their grid (1, H, W, D)."""
        grid = self._model.image_embedder(pixels.to(self.device))[0]
        return grid.flatten(1, 2), grid

    def _of_phrases(self, phrases: list[str]) -> Any:
        """Return an embedding of length 1 for each phrase, (P, D)."""
        tokenizer = self._processor.tokenizer
        most = int(self._model.config.text_config.max_position_embeddings)
        self.notes += cut_notes(
            phrases, lambda text: len(tokenizer(text)["input_ids"]), most, "OWLv2"
        )
        tokens = tokenizer(
            phrases, padding="max_length", truncation=True, max_length=most, return_tensors="pt"
        )
        out = self._model.owlv2.get_text_features(
            input_ids=tokens["input_ids"].to(self.device),
            attention_mask=tokens["attention_mask"].to(self.device),
        )
        embeds = getattr(out, "pooler_output", out)
        return embeds / embeds.norm(dim=-1, keepdim=True)

    def _of_example(self, picture: Image.Image) -> Any:
        """Return the embedding of the object that an example shows, (1, D)."""
        features, grid = self._features(self.prepare(picture))
        return self._model.embed_image_query(features, grid)[0][0]


def open_owlv2(
    folder: Path,
    classes: Sequence[TaskClass],
    crops: Mapping[int, Sequence[Image.Image]],
    *,
    least: float,
    device: str,
) -> Owlv2Labeller:
    """Return OWLv2 from a folder of the hub's files. Raises RunError for weights that do not fit,
    ConfigError for a device that is not here.
    """
    from core.models.pytorch import choose_device, quiet

    chosen = choose_device(device)
    with quiet():
        from transformers import Owlv2ForObjectDetection, Owlv2Processor

        processor = load_processor(Owlv2Processor, folder)
        model = load_model(Owlv2ForObjectDetection, folder, chosen)
    labeller = Owlv2Labeller(model, processor, classes, crops, least=least, device=chosen)
    unlike = [row for row in classes if any(not example.like for example in row.examples)]
    for row in unlike:
        count = plural(sum(not example.like for example in row.examples), "counter-example")
        labeller.notes.append(f"OWLv2 makes no use of the {count} of '{clean(row.name)}'")
    return labeller
