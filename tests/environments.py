"""What brings Python about on a cluster, for tests: the real modules, a stand-in for Apptainer."""

from __future__ import annotations

from pathlib import Path

import pytest

LMOD = Path("/usr/share/lmod/lmod")
has_modules = pytest.mark.skipif(
    not Path("/usr/share/modules/init/sh").is_file(), reason="not installed: environment-modules"
)
has_lmod = pytest.mark.skipif(
    not (LMOD / "init" / "sh").is_file(), reason="not installed: Lmod (see .ci/run)"
)
MODULE_SYSTEMS = [
    pytest.param("environment-modules", marks=has_modules), pytest.param("lmod", marks=has_lmod),
]  # fmt: skip


def module_system(name: str, home: Path) -> dict[str, str]:
    """Return the environment of an account (its `home`) on a cluster that has a module system.

    Here /etc/profile.d is Environment Modules', so that Lmod is had as from a start-up file.
    """
    if name != "lmod":
        return {}
    (home / ".bash_profile").write_text(f". {LMOD}/init/bash\n")
    return {"LMOD_PKG": str(LMOD)}


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
