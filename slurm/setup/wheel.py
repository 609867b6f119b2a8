"""Batman as a wheel, made of the very files that run here: a checkout's or an installed package's.

A cluster gets the same code as the person's own machine, whether or not that version was ever
published. A wheel is a zip file with a list of its contents (PEP 427), so nothing is needed to
make one.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from core.common.errors import BatmanError
from core.common.temporary import file_beside, sweep
from slurm.site.site import CODE

DISTRIBUTION = "batman-tui"
PACKAGES = ("batman", "batman_tui", "cli", "core", "slurm", "themes", "web")
# The earliest time that a zip file can hold: the same content is the same file.
_TIME = (1980, 1, 1, 0, 0, 0)


def own_wheel(folder: Path, code: Path = CODE) -> Path:
    """Write Batman's wheel into `folder` and return it; the same code gives the same bytes.

    Raises BatmanError when Batman is not installed here, for then nobody knows what it needs.
    """
    try:
        installed = importlib.metadata.distribution(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        raise BatmanError(
            "Batman is not installed here as a package, so what it needs is not known.",
            "Install it in its folder with: uv sync, or pip install -e .",
        ) from None
    metadata = installed.read_text("METADATA") or ""
    # Licence files are named there and not carried along.
    lines = [line for line in metadata.splitlines() if not line.startswith("License-File:")]
    entries = installed.read_text("entry_points.txt") or ""
    files = {name: (code / name).read_bytes() for name in _files(code)}
    return write_wheel(
        folder,
        DISTRIBUTION,
        installed.version,
        files,
        "\n".join(lines) + "\n",
        {"entry_points.txt": entries} if entries else {},
    )


def write_wheel(
    folder: Path,
    name: str,
    version: str,
    files: Mapping[str, bytes],
    metadata: str,
    more: Mapping[str, str] | None = None,
) -> Path:
    """Write a wheel of pure Python and return its path.

    `files` are by their path below site-packages; `more` goes into its dist-info folder.
    """
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    wheel = "Wheel-Version: 1.0\nGenerator: batman\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    everything = dict(files)
    for part, text in {"METADATA": metadata, "WHEEL": wheel, **(more or {})}.items():
        everything[f"{info}/{part}"] = text.encode()
    record = [f"{path},sha256={_sum(data)},{len(data)}" for path, data in everything.items()]
    everything[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    path = folder / f"{stem}-py3-none-any.whl"
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    with (
        file_beside(path) as part_file,
        zipfile.ZipFile(part_file, "w", zipfile.ZIP_DEFLATED) as zipped,
    ):
        for place, data in everything.items():
            entry = zipfile.ZipInfo(place, _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            zipped.writestr(entry, data)
    return path


def _files(code: Path) -> Iterator[str]:
    for package in PACKAGES:
        for place, folders, names in os.walk(code / package):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            for name in sorted(names):
                if not name.endswith((".pyc", ".pyo")) and not name.startswith("."):
                    yield (Path(place) / name).relative_to(code).as_posix()


def _sum(data: bytes) -> str:
    """Return a SHA-256 sum as a wheel's RECORD has it: URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
