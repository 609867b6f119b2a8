"""What is done to training images by chance: rfdetr's presets by name, or transforms of one's own.

The names are those of rfdetr 1.11.2's `datasets/aug_configs.py` (`AUG_AERIAL` is `aerial`), and
what each is made for is said there. A file of one's own is JSON as `aug_config` of its `train()`
takes: names of Albumentations' transforms with their parameters. What it holds goes into the run's
settings, so that it is trained with again when the file is gone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.common.errors import BatmanError
from core.common.files import expand_user
from core.common.text import clean, did_you_mean

DEFAULT, NONE = "default", "none"
PRESETS: Mapping[str, str] = {
    DEFAULT: "mirrored and cropped; colours stay",
    NONE: "images stay as they are",
    "conservative": "mirrored, a bit brighter or darker; under 500 images",
    "aggressive": "turned, moved, sheared, recoloured; from 2,000 images on",
    "aerial": "flips, quarter turns, other light; seen from above",
    "industrial": "other light, blur and sensor noise; inspection in a factory",
}
"""The names, and what each does and is for."""

# These hold a list of transforms and choose among them (rfdetr's ALBUMENTATIONS_CONTAINERS).
_CONTAINERS = ("OneOf", "SomeOf", "Sequential")
_MOST_BYTES = 1 << 20

Augmentation = str | dict[str, Any]


def read_augmentation(value: Any) -> Augmentation | None:
    """Return the augmentation that `value` stands for: a name, or transforms with parameters.

    `value` is one of these already, the JSON of transforms as text, or the path of a JSON file that
    holds them; empty is None. Raises ValueError that says what is wrong with it.
    """
    if value is None or isinstance(value, Mapping):
        return None if value is None else _transforms(value, "")
    if not isinstance(value, str | Path):
        raise ValueError(f"give {', '.join(PRESETS)} or a JSON file")
    text = str(value).strip()
    name = text.lower().removeprefix("aug_")
    if not text:
        return None
    if name in PRESETS:
        return name
    if text.startswith("{"):
        return _transforms(_parsed(text, "what was given"), "")
    return _from_file(text)


def augmentation_text(value: Augmentation | None) -> str:
    """Return `value` as it is typed: its name, or its transforms as one line of JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


def augmentation_words(value: Augmentation | None) -> str:
    """Return in a few words what `value` does; None is what rfdetr does by default."""
    if isinstance(value, dict):
        return ", ".join(clean(name) for name in value)
    return PRESETS[value or DEFAULT]


def _from_file(text: str) -> dict[str, Any]:
    shown = f"'{clean(text)}'"
    try:
        path = expand_user(Path(text))
        if not path.is_file():
            near = did_you_mean(text, PRESETS)
            raise ValueError(
                f"{shown} is no augmentation and no file: {', '.join(PRESETS)}, or a JSON file"
                f"{'; ' + near.rstrip('.') if near else ''}"
            )
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"{shown} is larger than a list of transforms would be")
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, BatmanError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise ValueError(f"{shown} cannot be read: {said}") from None
    return _transforms(_parsed(content, shown), f" in {shown}")


def _parsed(text: str, what: str) -> Any:
    def no_number(word: str) -> Any:
        raise ValueError(f"{what} holds {word}, which is no number")

    try:
        return json.loads(text, parse_constant=no_number)
    except json.JSONDecodeError as error:
        raise ValueError(f"{what} is not JSON: {error.msg} in line {error.lineno}") from None
    except RecursionError:
        raise ValueError(f"{what} is nested too deep") from None


def _transforms(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not value:
        raise ValueError(
            f"transforms{where} are an object of names and parameters, such as "
            '{"HorizontalFlip": {"p": 0.5}}; none: switches them off'
        )
    for name, parameters in value.items():
        listed = isinstance(parameters, list) and name in _CONTAINERS
        if not isinstance(name, str) or not (isinstance(parameters, Mapping) or listed):
            raise ValueError(
                f"'{clean(str(name))}'{where} needs its parameters as an object, such as "
                '{"p": 0.5}'
            )
        share = parameters.get("p", 0.5) if isinstance(parameters, Mapping) else 0.5
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise ValueError(
                f"p of '{clean(name)}'{where} is how often it is done, from 0 to 1, and not "
                f"{clean(str(share))}"
            )
    return dict(value)
