"""SAM 3 by phrases and by example boxes, through transformers.

What is known of its interface (transformers 5.23.0, `models/sam3`): boxes come out as fractions x0,
y0, x1, y1, scores are `sigmoid(pred_logits) * sigmoid(presence_logits)`; features of a picture and
of phrases can be handed in again, those of the picture once for each phrase (they are not
broadcast), those of phrases as an output whose `pooler_output` is read. Most of a picture's cost is
its features: five classes cost a quarter of five runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from core.autolabel.labellers.labeller import Looked
from core.autolabel.labellers.pretrained import (
    PretrainedLabeller,
    cut_notes,
    load_model,
    load_processor,
)
from core.autolabel.pass_folder import ExampleBox, TaskClass
from core.common.text import plural

if TYPE_CHECKING:
    from PIL import Image

    from core.models.detector import Prediction

# How many phrases go through the network at once: each takes about 1 GB with full-size weights.
_AT_ONCE = {"cpu": 1, "cuda": 4, "mps": 1}
# Of a batch in which pictures have different numbers of boxes, as Sam3Processor pads.
_NO_BOX = -10


class _Prompt(NamedTuple):
    """A phrase of a class (its position), with the example boxes on one picture."""

    place: int
    phrase: int
    boxes: tuple[ExampleBox, ...]


class Sam3Labeller(PretrainedLabeller):
    """SAM 3: all objects of a phrase, and of examples where a picture has some.

    A box is an example for the picture that it is on: the model looks at no second picture. Load it
    with `open_sam3`.
    """

    def read_prompts(self, classes: Sequence[TaskClass]) -> None:
        """Keep the words as the model takes them; see `PretrainedLabeller.read_prompts`."""
        self._at_once = _AT_ONCE.get(self.device.partition(":")[0], 1)
        self._phrases = [(place, text) for place, row in enumerate(classes) for text in row.phrases]
        self._examples: dict[int, dict[int, tuple[ExampleBox, ...]]] = {}
        for place, row in enumerate(classes):
            for example in row.examples:
                of_image = self._examples.setdefault(example.image, {})
                of_image[place] = (*of_image.get(place, ()), example)
        most = int(self._model.config.text_config.max_position_embeddings)
        # The processor pads and does not cut: a phrase that is longer would stop the pass.
        tokens = self._processor.tokenizer(
            [text for _, text in self._phrases],
            padding="max_length",
            truncation=True,
            max_length=most,
            return_tensors="pt",
        )
        self._mask = tokens["attention_mask"].to(self.device)
        with _looking():
            words = self._model.get_text_features(
                input_ids=tokens["input_ids"].to(self.device), attention_mask=self._mask
            )
        self._words = words.pooler_output
        self.notes += cut_notes(
            (text for _, text in self._phrases),
            lambda text: len(self._processor.tokenizer(text)["input_ids"]),
            most,
            "SAM 3",
        )
        if self._examples:
            count = plural(len(self._examples), "picture")
            self.notes.append(f"examples count on the {count} that they are on")

    def prepare(self, picture: Image.Image) -> Any:
        """Return the picture's pixels as the model takes them, (1, 3, S, S)."""
        return self._processor(images=picture, return_tensors="pt")["pixel_values"]

    def look(self, prepared: Sequence[Any], pictures: Sequence[Looked]) -> list[Prediction]:
        """Return what is found in each picture; see `Labeller.look`."""
        with _looking():
            return [self._look(*pair) for pair in zip(prepared, pictures, strict=True)]

    def _look(self, pixels: Any, picture: Looked) -> Prediction:
        from core.models.detector import Prediction

        seen = self._model.get_vision_features(pixels.to(self.device))
        found: list[tuple[Any, Any, Any]] = []
        for prompts in self._parts(picture.id):
            boxes, scores = self._ask(seen, prompts, picture)
            for prompt, its_boxes, its_scores in zip(prompts, boxes, scores, strict=True):
                keep = its_scores >= self._least
                count = int(keep.sum())
                found.append((its_boxes[keep], its_scores[keep], np.full(count, prompt.place)))
        if not found:
            return Prediction.none()
        size = np.array([picture.width, picture.height] * 2, dtype=np.float32)
        return Prediction(
            (np.concatenate([boxes for boxes, _, _ in found]) * size).astype(np.float32),
            np.concatenate([scores for _, scores, _ in found]).astype(np.float32),
            np.concatenate([places for _, _, places in found]).astype(np.int64),
        )

    def _parts(self, image_id: int) -> Iterator[list[_Prompt]]:
        """Yield the prompts of a picture, as many as go through the network together."""
        examples = self._examples.get(image_id, {})
        prompts = [
            _Prompt(place, number, examples.get(place, ()))
            for number, (place, _) in enumerate(self._phrases)
        ]
        done = 0
        while done < len(prompts):
            # Looked up each time: it becomes smaller where memory runs out.
            part = prompts[done : done + self._at_once]
            yield part
            done += len(part)

    def _ask(self, seen: Any, prompts: list[_Prompt], picture: Looked) -> tuple[Any, Any]:
        """Return fractions (P, Q, 4) and scores (P, Q) for each of P prompts."""
        import torch

        try:
            out = self._forward(seen, prompts, picture)
        except torch.OutOfMemoryError:
            if len(prompts) == 1:
                raise
            torch.cuda.empty_cache()
            self._at_once = max(1, len(prompts) // 2)
            parts = [prompts[: self._at_once], prompts[self._at_once :]]
            answers = [self._ask(seen, part, picture) for part in parts]
            return (
                np.concatenate([boxes for boxes, _ in answers]),
                np.concatenate([scores for _, scores in answers]),
            )
        scores = out.pred_logits.sigmoid() * out.presence_logits.sigmoid()
        return out.pred_boxes.float().cpu().numpy(), scores.float().cpu().numpy()

    def _forward(self, seen: Any, prompts: list[_Prompt], picture: Looked) -> Any:
        from transformers.modeling_outputs import BaseModelOutputWithPooling

        count, rows = len(prompts), [prompt.phrase for prompt in prompts]
        repeated = type(seen)(
            last_hidden_state=seen.last_hidden_state,
            fpn_hidden_states=tuple(
                level.expand(count, -1, -1, -1) for level in seen.fpn_hidden_states
            ),
            fpn_position_encoding=tuple(
                level.expand(count, -1, -1, -1) for level in seen.fpn_position_encoding
            ),
        )
        return self._model(
            vision_embeds=repeated,
            text_embeds=BaseModelOutputWithPooling(pooler_output=self._words[rows]),
            attention_mask=self._mask[rows],
            **self._boxes(prompts, picture),
        )

    def _boxes(self, prompts: list[_Prompt], picture: Looked) -> dict[str, Any]:
        """Return the examples as the model takes them: fractions cx, cy, w, h, padded."""
        import torch

        most = max(len(prompt.boxes) for prompt in prompts)
        if not most:
            return {}
        boxes = np.full((len(prompts), most, 4), _NO_BOX, dtype=np.float32)
        labels = np.full((len(prompts), most), _NO_BOX, dtype=np.int64)
        for row, prompt in enumerate(prompts):
            for column, example in enumerate(prompt.boxes):
                x, y, w, h = example.box
                boxes[row, column] = (
                    (x + w / 2) / picture.width,
                    (y + h / 2) / picture.height,
                    w / picture.width,
                    h / picture.height,
                )
                labels[row, column] = int(example.like)
        return {
            "input_boxes": torch.from_numpy(boxes).to(self.device),
            "input_boxes_labels": torch.from_numpy(labels).to(self.device),
        }


def open_sam3(
    folder: Path, classes: Sequence[TaskClass], *, least: float, device: str
) -> Sam3Labeller:
    """Return SAM 3 from a folder of the hub's files. Raises RunError for weights that do not fit,
    ConfigError for a device that is not here.
    """
    from core.models.pytorch import choose_device, quiet

    chosen = choose_device(device)
    with quiet():
        from transformers import Sam3Model, Sam3Processor

        processor = load_processor(Sam3Processor, folder)
        model = load_model(Sam3Model, folder, chosen)
    return Sam3Labeller(model, processor, classes, least=least, device=chosen)


def _looking() -> Any:
    import torch

    return torch.inference_mode()
