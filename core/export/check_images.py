"""The images on which an exported model is held against the one it was made from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.late import late

if TYPE_CHECKING:
    import numpy as np
else:
    np = late("numpy")


from core.common.errors import BatmanError

# Images that both models look at, where nothing else is asked for.
IMAGES = 50
_SYNTHETIC = 8


def load_images(folder: Path | None, most: int, resolution: int) -> tuple[list[Any], str]:
    """Return up to `most` images (RGB arrays) to compare on, and a word on where they are from.

    Evenly spread through `folder`; drawn at random, the same each time, where there are none.
    """
    from PIL import Image

    from core.inference.inputs import find_sources

    images: list[Any] = []
    if folder is not None:
        files = [source.path for source in find_sources([folder])[0] if not source.video]
        stride = max(1, len(files) // most)
        for path in files[::stride][:most]:
            try:
                with Image.open(path) as picture:
                    images.append(np.asarray(picture.convert("RGB")))
            except Exception:  # a damaged image says nothing about the model
                continue
    if folder is not None and images:
        return images, f"{len(images)} images of {folder.parent.name}/{folder.name}"
    random = np.random.default_rng(0)
    for _ in range(_SYNTHETIC):
        # Noise of several sizes, which stands in for texture.
        coarse = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        side = (resolution, resolution)
        smooth = np.asarray(Image.fromarray(coarse).resize(side, Image.Resampling.BICUBIC))
        noise = random.integers(-40, 41, smooth.shape)
        images.append(np.clip(smooth + noise, 0, 255).astype(np.uint8))
    return images, f"{len(images)} random images, as there were no real ones"


def validation_images(run: Path) -> Path | None:
    """Return the folder of the validation images of the run in the folder `run`, if it is there."""
    from core.training.config.options import TrainingConfig

    try:
        dataset = TrainingConfig.load(run / "training_config.json").dataset_dir(run)
    except BatmanError:
        dataset = run / "dataset"
    return next((dataset / s for s in ("valid", "test") if (dataset / s).is_dir()), None)
