"""What a cluster offers for installing Batman there: a Python, uv, a way to the package index."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from core.common.errors import BatmanError
from core.common.text import clean, sentence, whole_number
from slurm.hosts import Host, HostError
from slurm.site.environment import PLAIN, Environment

# What Batman runs on (`requires-python`), and the last version that torch has wheels for.
OLDEST, NEWEST = (3, 11), (3, 14)
_NAMES = ("python3.12", "python3.11", "python3.13", "python3.14", "python3")

# Runs on any Python from 2.7 on, so that one that is too old is told as such.
_PROBE = (
    "import json, os, platform, sys\n"
    "try:\n"
    "    import ensurepip, venv\n"
    "    pip = True\n"
    "except ImportError:\n"
    "    pip = False\n"
    "try:\n"
    "    libc = os.confstr('CS_GNU_LIBC_VERSION')\n"
    "except (AttributeError, ValueError, OSError):\n"
    "    libc = None\n"
    "print('python ' + json.dumps([sys.executable, list(sys.version_info[:3]),\n"
    "    platform.machine(), libc or '', pip]))\n"
)
# The index as uv and pip are told of it in their environment variables; PyPI else.
_LOOK = """
folder=$1 probe=$2; shift 2
echo "$MARK"
for name do
  place=$(command -v "$name" 2>/dev/null) || continue
  "$place" -I -c "$probe" 2>/dev/null
done
for place in "$(command -v uv 2>/dev/null)" "$HOME/.local/bin/uv" "$HOME/.cargo/bin/uv"; do
  [ -n "$place" ] && [ -x "$place" ] && "$place" --version >/dev/null 2>&1 || continue
  echo "uv $place"; break
done
index=${UV_DEFAULT_INDEX:-${UV_INDEX_URL:-${PIP_INDEX_URL:-https://pypi.org/simple}}}
if curl -sSfL -m 15 -o /dev/null "${index%/}/uv/" 2>/dev/null \\
  || wget -q -T 15 -t 1 -O /dev/null "${index%/}/uv/" 2>/dev/null; then echo 'network yes'; fi
echo "machine $(uname -m)"
while [ ! -d "$folder" ] && [ "$folder" != / ]; do folder=$(dirname -- "$folder"); done
[ -w "$folder" ] && echo 'writable yes'
echo "free $(df -Pk -- "$folder" 2>/dev/null | awk 'NR == 2 {print $4}')"
exit 0
"""


@dataclass(frozen=True)
class Python:
    """An interpreter on the cluster: its path, version, machine and C library's version.

    `pip` is whether it can make an environment with pip in it.
    """

    path: str
    version: tuple[int, int, int]
    machine: str
    glibc: tuple[int, int] | None
    pip: bool

    @property
    def fits(self) -> bool:
        """Whether Batman runs on it."""
        return OLDEST <= self.version[:2] <= NEWEST

    @property
    def short(self) -> str:
        """Its version as wheels name it: `3.11`."""
        return f"{self.version[0]}.{self.version[1]}"


@dataclass(frozen=True)
class There:
    """What was found on the cluster.

    `python` is the one to take, None if none fits; `too_old` are versions that do not. `uv` is its
    path or empty, `network` whether the package index answers there, `free` the bytes free where
    Batman would go (None: not told), `writable` whether we may write there.
    """

    python: Python | None
    too_old: tuple[str, ...] = ()
    uv: str = ""
    network: bool = False
    machine: str = ""
    free: int | None = None
    writable: bool = True


def look_there(
    host: Host,
    folder: str,
    pythons: Sequence[str] = (),
    environment: Environment = PLAIN,
) -> There:
    """Ask the host for all of it in one command; `pythons` are looked at instead of the usual ones.

    `environment` is loaded first. Raises `HostError` when the host does not answer, and BatmanError
    for a module that is not there.
    """
    mark = secrets.token_hex(8)
    script = "\n".join([*environment.lines(), _LOOK])
    done = host.run(
        ["sh", "-c", script, "sh", folder, _PROBE, *(pythons or _NAMES)],
        timeout=90,
        env={"MARK": mark},
    )
    if lacking := environment.said(done.code, done.stderr):
        raise BatmanError(
            f"{sentence(clean(lacking))}.",
            "Put modules and image right with batman clusters edit; batman clusters show lists"
            " modules.",
        )
    _, found, text = done.text.partition(f"{mark}\n")
    if not found:
        raise HostError(
            f"{clean(host.name)} did not say what it has: {done.said}.",
            "Check the profile's prelude: its lines run first.",
        )
    return parse_look(text)


def parse_look(text: str) -> There:
    """Return what the lines of `_LOOK` tell."""
    pythons: list[Python] = []
    told: dict[str, str] = {}
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word != "python":
            told.setdefault(word, rest.strip())
            continue
        try:
            path, version, machine, libc, pip = json.loads(rest)
        except (ValueError, TypeError, RecursionError):
            continue
        match = re.search(r"(\d+)\.(\d+)", libc)
        glibc = (int(match[1]), int(match[2])) if match else None
        pythons.append(Python(path, tuple(version), machine, glibc, pip))
    fitting = [python for python in pythons if python.fits]
    free = told.get("free", "")
    return There(
        python=fitting[0] if fitting else None,
        too_old=tuple(
            dict.fromkeys(
                f"{'.'.join(map(str, python.version))} ({python.path})"
                for python in pythons
                if not python.fits
            )
        ),
        uv=told.get("uv", ""),
        network=told.get("network") == "yes",
        machine=told.get("machine", ""),
        free=None if (blocks := whole_number(free)) is None else blocks * 1024,
        writable=told.get("writable") == "yes",
    )
