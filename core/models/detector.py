"""What every detector does, whatever runs it: scale an image, run the network, read its output."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from core.common.errors import ClassError
from core.common.text import clean, plural
from core.late import late

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image
else:
    np, Image = late("numpy"), late("PIL.Image")


Pixels: TypeAlias = "npt.NDArray[np.uint8]"
Floats: TypeAlias = "npt.NDArray[np.float32]"

CPU_BATCH = 4
"""How many images an ONNX model takes at once on a CPU, if nothing else was said."""
# ImageNet's, which rfdetr normalises with (rfdetr.datasets.transforms.Normalize).
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What was found in one image, best first.

    `boxes` is (N, 4) float32: left, top, right, bottom in pixels of the image, inside it; `scores`
    (N,) float32 in 0 to 1; `class_ids` (N,) int64, an index into the detector's `classes`.
    """

    boxes: Floats
    scores: Floats
    class_ids: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.scores)

    def keep(self, mask: npt.NDArray[np.bool_]) -> Prediction:
        """Return the predictions where `mask` (N,) is true."""
        return Prediction(self.boxes[mask], self.scores[mask], self.class_ids[mask])

    @classmethod
    def none(cls) -> Prediction:
        """Return a prediction of nothing."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))


class Detector(ABC):
    """A model that finds objects of `classes` in images scaled to `resolution` pixels a side.

    `classes` are names in the order of the class ids. `model_size` is a size of
    `core.models.sizes`, or the name the checkpoint gives itself. `num_select` is how many
    predictions an image gets at most. `kind` is torch or what was exported to (onnx, openvino and
    so on), `device` where it runs. With `optimise` the network may be rewritten for speed on the
    way. `streams` threads may have a batch each go through it at one time, and should where there
    are many images: more than one where it was opened for throughput.
    """

    kind = ""
    optimise = True
    streams = 1

    def __init__(
        self,
        path: Path,
        *,
        classes: Sequence[str],
        model_size: str,
        resolution: int,
        num_select: int,
        device: str,
        batch_size: int,
    ) -> None:
        self.path = path
        self.classes = list(classes)
        self.model_size = model_size
        self.resolution = resolution
        self.num_select = num_select
        self.device = device
        self.batch_size = batch_size

    @abstractmethod
    def forward(self, batch: Pixels) -> tuple[Floats, Floats]:
        """Run the network on scaled images.

        `batch` is (B, R, R, 3), RGB. Returns boxes (B, Q, 4) as centre x, centre y, width and
        height, relative to the image, and logits (B, Q, C): one column a class, then background.
        """

    def selection(self, batch: Pixels) -> Floats | None:
        """Return the scores by which the network chooses its queries, (B, places), as logits.

        A two-stage model takes the best places of its encoder, in their order, as its queries;
        None where that cannot be seen. `batch` as for `forward`.
        """
        return None

    def forward_with(self, batch: Pixels, added: Floats) -> tuple[Floats, Floats]:
        """Run the network as `forward` does, with `added` (B, places) on the scores of `selection`.

        Raises NotImplementedError where `selection` returns None.
        """
        raise NotImplementedError

    def prepare(self, image: Pixels | Image.Image) -> Pixels:
        """Return `image` (RGB; H, W, 3 if an array) scaled to the model's square, (R, R, 3).

        Bilinear with anti-aliasing on 8-bit pixels, as rfdetr 1.11 scales images for training and
        validation (datasets/_torchvision.py, Resize on a Pillow image). Its `predict()` scales
        without anti-aliasing, which finds other boxes than validation did.
        """
        picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
        if picture.mode != "RGB":  # to convert one that is RGB copies it
            picture = picture.convert("RGB")
        side = self.resolution
        return np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR))

    def predict(
        self, images: Sequence[Pixels | Image.Image], threshold: float = 0.0
    ) -> list[Prediction]:
        """Return what is found in each of `images` (RGB) with a score of at least `threshold`.

        Any number of images: they go through the network `batch_size` at a time.
        """
        found: list[Prediction] = []
        for start in range(0, len(images), self.batch_size):
            part = images[start : start + self.batch_size]
            sizes = [
                image.size if isinstance(image, Image.Image) else (image.shape[1], image.shape[0])
                for image in part
            ]
            prepared = np.stack([self.prepare(image) for image in part])
            found += self.predict_prepared(prepared, sizes, threshold)
        return found

    def predict_prepared(
        self, batch: Pixels, sizes: Sequence[tuple[int, int]], threshold: float = 0.0
    ) -> list[Prediction]:
        """Return what is found in images that `prepare` scaled, in the pixels of the originals.

        `batch` is (B, R, R, 3), `sizes` the width and height of each original.
        """
        boxes, logits = self.forward(batch)
        return [
            decode(boxes[i], logits[i], size, len(self.classes), self.num_select, threshold)
            for i, size in enumerate(sizes)
        ]

    def preprocessing(self) -> dict[str, Any]:
        """Return what a program that runs the exported model has to do to an image first."""
        return {
            "colour": "RGB",
            "resize": [self.resolution, self.resolution],
            "interpolation": "bilinear with anti-aliasing, on 8-bit pixels (Pillow's BILINEAR)",
            "keep_aspect_ratio": False,
            "scale": 1 / 255,
            "mean": list(MEAN),
            "std": list(STD),
            "layout": "NCHW float32",
        }


def decode(
    boxes: Floats,
    logits: Floats,
    size: tuple[int, int],
    classes: int,
    num_select: int,
    threshold: float = 0.0,
) -> Prediction:
    """Turn one image's raw output into predictions in pixels.

    `boxes` is (Q, 4) relative centre x, centre y, width, height; `logits` (Q, C); `size` the
    image's width and height. As rfdetr's PostProcess: sigmoid, the best `num_select` pairs of query
    and class (of equal scores the first), boxes cut at the border. Pairs of the background, whose
    column is number `classes`, count among the selected and are dropped then.
    """
    with np.errstate(over="ignore"):
        scores = (1.0 / (1.0 + np.exp(-logits.astype(np.float32)))).ravel()
    count = min(num_select, scores.size)
    # A partition first: sorting all pairs of a model with many classes costs more than the rest.
    if count < scores.size:
        least = np.partition(scores, scores.size - count)[scores.size - count]
        candidates = np.flatnonzero(scores >= least)
    else:
        candidates = np.arange(scores.size)
    order = candidates[np.argsort(-scores[candidates], kind="stable")][:count]
    query, label = np.divmod(order, logits.shape[1])
    keep = (label < classes) & (scores[order] >= threshold)
    order, query, label = order[keep], query[keep], label[keep]
    centre, half = boxes[query, :2], boxes[query, 2:] / 2
    corners = np.concatenate([centre - half, centre + half], axis=1)
    limit = np.array([*size, *size], dtype=np.float32)
    corners = np.clip(corners * limit, 0, limit).astype(np.float32)
    return Prediction(corners, scores[order].astype(np.float32), label.astype(np.int64))


def normalise(batch: Pixels) -> Floats:
    """Return images (B, R, R, 3) as the float32 (B, 3, R, R) that the network takes."""
    count, height, width, channels = batch.shape
    images = np.empty((count, channels, height, width), np.float32)
    # Plane by plane and in place: a tenth of the time that whole batches with copies of them take.
    for pixels, planes in zip(batch, images, strict=True):
        for channel, (mean, std) in enumerate(zip(MEAN, STD, strict=True)):
            plane = planes[channel]
            np.divide(pixels[:, :, channel], np.float32(255), out=plane, dtype=np.float32)
            plane -= np.float32(mean)
            plane /= np.float32(std)
    return images


def choose_classes(
    path: Path, found: Sequence[str] | None, given: Sequence[str] | None, slots: int | None
) -> list[str]:
    """Return the class names of the model in `path`: those it holds, else those that were given.

    `slots` is how many classes its head tells apart, None if that is not known. Raises ClassError.
    """
    shown = f"'{clean(path.name)}'"
    if not found and not given:
        raise ClassError(
            f"{shown} does not say what its classes are called.",
            "Name them in the model's order with --classes 'a,b', or use a checkpoint of a run.",
        )
    if found and given and list(found) != list(given):
        raise ClassError(
            f"{shown} has the classes {', '.join(clean(n) for n in found)}, not the given ones.",
            "Leave out --classes: the model knows its own.",
        )
    names = list(found or given or [])
    if slots is not None and len(names) > slots:
        raise ClassError(
            f"{plural(len(names), 'class', 'classes')} were named, "
            f"and the model in {shown} tells {slots} apart.",
            "Name the classes it was trained with, in its order.",
        )
    return names
