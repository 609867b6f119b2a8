"""The person's own configuration folder, which the app, the command line and clusters share."""

from __future__ import annotations

import os
from pathlib import Path


def config_dir() -> Path:
    """Return the configuration folder: `$BATMAN_CONFIG_DIR`, else the platform's place for it."""
    chosen = os.environ.get("BATMAN_CONFIG_DIR")
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_config_path

    return user_config_path("batman")
