"""Reading a checkpoint file as data alone: never the code that a pickle may carry."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.common.errors import RunError
from core.common.text import clean
from core.late import late

if TYPE_CHECKING:
    import pickle
    import zipfile
else:
    pickle, zipfile = late("pickle"), late("zipfile")


def load_checkpoint(path: Path, hint: str) -> Any:
    """Return the content of the file `path`, its tensors left on disk until they are used.

    Raises RunError that says what the file is, with `hint` for one that is damaged or foreign.
    torch's own words are not shown: they advise to switch the protection off.
    """
    import argparse

    import torch

    try:
        # Checkpoints of old rfdetr releases hold their settings as an argparse Namespace.
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except Exception as error:  # torch raises many kinds for a file that is cut short or foreign
        raise _unreadable(path, error, hint) from None


def arguments_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a checkpoint holds: a dict, in rfdetr's own a Namespace."""
    arguments = content.get("args") or {}
    return dict(arguments if isinstance(arguments, Mapping) else vars(arguments))


@contextmanager
def foreign_content(path: Path, maker: str, hint: str) -> Iterator[None]:
    """Raise RunError where the block does not find what a checkpoint of `maker` has."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
        raise RunError(
            f"'{clean(path.name)}' is no checkpoint of {maker}: {clean(repr(error))[:200]}.", hint
        ) from None


def _is_zip(path: Path) -> bool:
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:  # raised, and not answered, for a damaged end of a ZIP64 archive
        return True


def _unreadable(path: Path, error: Exception, hint: str) -> RunError:
    shown = f"'{clean(path.name)}'"
    if isinstance(error, OSError) and error.strerror:
        return RunError(f"{shown} cannot be read: {error.strerror}.", hint)
    if not _is_zip(path):
        return RunError(
            f"{shown} cannot be read as a checkpoint: torch.save writes no such file.", hint
        )
    # torch/_weights_only_unpickler.py: "Unsupported global: GLOBAL module.Name was not …", and
    # "Trying to load unsupported GLOBAL module.Name whose module …".
    found = re.search(r"GLOBAL ([\w.]+)", str(error))
    if isinstance(error, pickle.UnpicklingError) and found:
        return RunError(
            f"{shown} holds more than weights: an object of {clean(found[1])}, which is not loaded,"
            " for loading it could run any code.",
            "Where it was made, save its weights alone:"
            " torch.save({'model': model.state_dict()}, 'weights.pth').",
        )
    return RunError(f"{shown} cannot be read as a checkpoint: it is damaged or cut short.", hint)
