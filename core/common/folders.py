"""The person's own folders: configuration and cache."""

from __future__ import annotations

import os
from pathlib import Path

from core.common.files import expand_user


def config_dir() -> Path:
    """Return the configuration folder: `$BATMAN_CONFIG_DIR`, else the platform's place for it."""
    chosen = os.environ.get("BATMAN_CONFIG_DIR")
    if chosen:
        return expand_user(chosen)
    from platformdirs import user_config_path

    return user_config_path("batman")


def cache_dir() -> Path:
    """Return the cache folder: `$BATMAN_CACHE_DIR`, else the platform's place for it.

    Downloads and measurements that can be had again; shared by all workspaces.
    """
    chosen = os.environ.get("BATMAN_CACHE_DIR")
    if chosen:
        return expand_user(chosen).absolute()
    from platformdirs import user_cache_path

    return user_cache_path("batman")
