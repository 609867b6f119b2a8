"""Decoded images kept in memory for the epochs to come, where all loader processes find them.

Decoding is most of what loading an image costs: a JPEG of 12 megapixels takes 40 of 53 ms of a
processor at 560 pixels, though rfdetr 1.11.2 decodes it at a reduced size where the training size
allows that (`draft_size_for_transforms` in its `datasets/coco.py`), and a validation image is
decoded in full each time. What is kept is what rfdetr itself has made: of a training image the
decoded pixels, before anything is drawn by chance; of a validation image those of the training
size. So every image is the same to the bit, with and without.

Where loaders are not forked (macOS) nothing is kept by them.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable, Sequence
from mmap import PAGESIZE
from typing import Any

import torch
from PIL import Image
from torch.utils.data import Dataset, get_worker_info
from torchvision.transforms.v2 import ToImage

from core.common.hardware import free_memory
from core.processes.shared_cache import SharedCache

GB = 10**9
SHARE = 0.25
"""Of the memory that is free when training begins, where nobody says how much."""

# Width, height and what rfdetr calls the decode scales, before the pixels of a training image.
_DECODED = struct.Struct("<IIdd")
# Length of the pickled boxes, width and height, before those of a validation image.
_RESIZED = struct.Struct("<QII")


class KeptDecoding:
    """rfdetr's `_decode_image` of a training set, which decodes an image once.

    `ids` are the set's image ids, by their place in it.
    """

    def __init__(
        self, decode: Callable[[int], Any], ids: Sequence[int], cache: SharedCache
    ) -> None:
        self._decode, self._cache = decode, cache
        self._place = {image: place for place, image in enumerate(ids)}

    def __call__(self, image_id: int) -> tuple[Image.Image, tuple[float, float]]:
        """Return the image and its decode scales, as rfdetr does."""
        place = self._place[image_id]
        kept = self._cache.get(place)
        if kept is not None:
            width, height, *scales = _DECODED.unpack_from(kept)
            pixels = kept[_DECODED.size :]
            return Image.frombytes("RGB", (width, height), pixels), (scales[0], scales[1])
        image, (x, y) = self._decode(image_id)
        _put(self._cache, place, _DECODED.pack(*image.size, x, y), image.tobytes())
        return image, (x, y)


class KeptImages(Dataset[Any]):
    """A validation set of rfdetr's, whose images are decoded and scaled once.

    Everything else of the set is found here, too. `resize` is the part of its transforms up to the
    scaled image, `finish` the rest.
    """

    def __init__(self, dataset: Any, cache: SharedCache, resize: Any, finish: Any) -> None:
        self.dataset, self._cache, self._finish = dataset, cache, finish
        dataset._transforms = resize

    def __getattr__(self, name: str) -> Any:
        if name == "dataset":  # not yet there while one is unpickled
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, place: int) -> Any:
        kept = self._cache.get(place)
        if kept is not None:
            length, width, height = _RESIZED.unpack_from(kept)
            first = _RESIZED.size + length
            arrays = pickle.loads(kept[_RESIZED.size : first])
            target = {name: torch.from_numpy(array) for name, array in arrays.items()}
            return self._finish(Image.frombytes("RGB", (width, height), kept[first:]), target)
        image, target = self.dataset[place]
        # Of tensors themselves torch would make whole files.
        arrays = {name: value.numpy() for name, value in target.items()}
        boxes = pickle.dumps(arrays, pickle.HIGHEST_PROTOCOL)
        header = _RESIZED.pack(len(boxes), *image.size)
        _put(self._cache, place, header, boxes, image.tobytes())
        return self._finish(image, target)


def keep_images(
    train: Any, valid: Any, size: int, chosen_gb: float | None, *, loaders: int, sharers: int
) -> tuple[Any, Any, int]:
    """Return rfdetr's training and validation set with a cache before them, and its bytes.

    `size` is the side of a validation image in pixels, `loaders` how many processes load of each
    set, 0 where the trainer does, `sharers` how many trainers of this machine do the same, each
    with its part of `chosen_gb` (None: `SHARE` of what is free). The sets come back as they are,
    with 0 bytes, where nothing is to be kept, the memory is not given, or rfdetr's sets are made
    otherwise than in 1.11.2.
    """
    amount = free_memory() * SHARE if chosen_gb is None else chosen_gb * GB
    budget = int(amount / max(1, sharers))
    spare = max(1, loaders) * PAGESIZE
    parts = getattr(getattr(valid, "_transforms", None), "transforms", ())
    at = next((place for place, part in enumerate(parts) if isinstance(part, ToImage)), None)
    fits = at is not None and hasattr(train, "_decode_image") and hasattr(train, "ids")
    if not budget or not fits:
        return train, valid, 0
    # Kilobytes for the boxes. The validation images come first: each costs the most to make.
    for_valid = min(budget, len(valid) * (size * size * 3 + 8_000) + spare)
    for_train = min(budget - for_valid, _most(train) + spare)
    try:
        pictures = SharedCache(len(valid), for_valid, loaders)
        decoded = SharedCache(len(train), for_train, loaders)
    except (OSError, ValueError, OverflowError):
        return train, valid, 0
    compose = type(valid._transforms)
    kept = KeptImages(valid, pictures, compose(parts[:at]), compose(parts[at:]))
    train._decode_image = KeptDecoding(train._decode_image, train.ids, decoded)
    return train, kept, for_valid + for_train


def _put(cache: SharedCache, place: int, *parts: bytes) -> None:
    worker = get_worker_info()
    cache.put(place, *parts, loader=worker.id if worker is not None else None)


def _most(dataset: Any) -> int:
    """Return the bytes of all images of a COCO set of rfdetr's, by the sizes in its file."""
    images = dataset.coco.imgs.values()
    sizes = ((image.get("width") or 0) * (image.get("height") or 0) * 3 for image in images)
    return sum(sizes) + len(images) * _DECODED.size
