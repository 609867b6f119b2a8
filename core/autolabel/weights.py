"""The files of a labeller of the Hugging Face hub: a folder, or the hub's cache; no network.

Looked at before anything heavy is imported, so that what is missing is said at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from core.autolabel.choice import HUB, Choice
from core.common.errors import BatmanError, WeightsMissing
from core.common.files import expand_user, read_json
from core.common.text import clean

# By `model_type` of config.json. A folder of SAM 3's video model holds the image model too.
_TYPES: Final = {
    "sam3": ("sam3", "sam3_video"),
    "owlv2": ("owlv2",),
    "grounding-dino": ("grounding-dino", "mm-grounding-dino"),
}
# Each of these by one of its names, as releases of transformers write them.
_NEEDED: Final = (
    ("config.json",),
    ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"),
    ("processor_config.json", "preprocessor_config.json"),
    ("tokenizer.json", "vocab.json", "vocab.txt"),
)
_INDEX = "model.safetensors.index.json"
PATTERNS: Final = ["*.json", "*.txt", "*.safetensors"]
"""What of a repository is fetched and needed."""


def find_weights(choice: Choice, given: Path | None = None) -> Path | None:
    """Return the folder of the labeller's files: the one that is `given`, or the cache's.

    None when the cache has none. Raises WeightsMissing for a folder that is not there or lacks
    files, and for one of another model.
    """
    if given is not None:
        folder = expand_user(given).absolute()
        require_files(folder, choice)
        return folder
    cached = _cached(choice.target)
    if cached is None or _lacking(cached):
        return None
    require_files(cached, choice)
    return cached


def require_files(folder: Path, choice: Choice) -> None:
    """Raise WeightsMissing unless `folder` has the files of the labeller, as far as names and
    config.json tell.
    """
    title, shown = HUB[choice.kind][2], f"'{clean(str(folder))}'"
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.is_file() else "is not there"
        raise WeightsMissing(
            f"The weights of {title}: {shown} {what}.",
            f"Give a folder with the files of {choice.target}, config.json among them.",
        )
    lacking = _lacking(folder)
    if lacking:
        raise WeightsMissing(
            f"{shown} lacks {', '.join(lacking)}, which {title} needs.",
            _original_hint(folder)
            or f"Copy all files of https://huggingface.co/{choice.target} into it.",
        )
    kind = _model_type(folder)
    if kind not in _TYPES[choice.kind]:
        raise WeightsMissing(
            f"{shown} holds a model of the kind '{clean(str(kind))}', not {title}.",
            "Give the folder of the labeller that --with names, or name the other one.",
        )


def not_here(choice: Choice) -> WeightsMissing:
    """Return the error that the labeller's files are on this machine nowhere."""
    hint = (
        f"Fetch them with --download, or copy the files of https://huggingface.co/{choice.target}"
        " from a machine that has them and give their folder with --weights."
    )
    if choice.kind == "sam3":
        hint += " Access to SAM 3 has to be asked for on that page first."
    return WeightsMissing(
        f"The weights of {HUB[choice.kind][2]} ({choice.target}) are not on this machine.", hint
    )


def _cached(repository: str) -> Path | None:
    """Return the snapshot of a repository in the hub's cache, None without one."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        return None
    try:
        return Path(snapshot_download(repository, local_files_only=True, allow_patterns=PATTERNS))
    except Exception:  # not there, half there, or a name that can be none
        return None


def _lacking(folder: Path) -> list[str]:
    lacking = [
        " or ".join(names[:2])
        for names in _NEEDED
        if not any((folder / name).is_file() for name in names)
    ]
    if not lacking and not any((folder / name).is_file() for name in _NEEDED[1] if name != _INDEX):
        lacking = _missing_shards(folder)
    return lacking


def _missing_shards(folder: Path) -> list[str]:
    try:
        index: Any = read_json(folder / _INDEX)
        shards = sorted(set(index["weight_map"].values()))
    except (BatmanError, KeyError, TypeError, AttributeError):
        return [f"a whole {_INDEX}"]
    # Names from a file: only those in the folder itself.
    return [clean(str(name)) for name in shards if not (folder / Path(str(name)).name).is_file()]


def _model_type(folder: Path) -> Any:
    try:
        config = read_json(folder / "config.json")
    except BatmanError:
        return None
    return config.get("model_type") if isinstance(config, dict) else None


def _original_hint(folder: Path) -> str:
    if not (folder / "sam3.pt").is_file():
        return ""
    return (
        "sam3.pt is in Meta's own format, which is not read: "
        "take model.safetensors and the JSON files of the same page."
    )
