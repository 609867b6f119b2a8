"""What brings Python about on a cluster, for tests: the real modules, a stand-in for Apptainer."""

from __future__ import annotations

from pathlib import Path

import pytest

has_modules = pytest.mark.skipif(
    not Path("/usr/share/modules/init/sh").is_file(), reason="not installed: environment-modules"
)


def apptainer(folder: Path) -> Path:
    """A stand-in that notes its words and runs the command: no Debian here has the real one."""
    bin_ = folder / "bin"
    bin_.mkdir(exist_ok=True)
    file = bin_ / "apptainer"
    file.write_text(
        f'#!/bin/bash\nprintf "%s\\n" "$@" >>"{bin_}/words"; echo >>"{bin_}/words"\n'
        "shift\nwhile case $1 in --nv) true;; --bind | --env) shift;; *) false;; esac\n"
        'do shift; done\nshift\nexec "$@"\n'
    )
    file.chmod(0o755)
    return bin_
