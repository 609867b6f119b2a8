"""Where cluster profiles lie, and which there are: known without reading one."""

from __future__ import annotations

from pathlib import Path

from core.common.files import safe_name
from core.common.folders import config_dir
from core.common.workspace import entries_of


def folder() -> Path:
    """Return where the profiles lie."""
    return config_dir() / "clusters"


def profile_file(name: str) -> Path:
    """Return the file of the profile `name`. Raises `BadName`."""
    return folder() / f"{safe_name(name)}.toml"


def list_profiles() -> list[str]:
    """Return the names of all profiles, sorted; broken ones too.

    Raises `BatmanError` when their folder may not be read.
    """
    names = (entry.name for entry in entries_of(folder()))
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))
