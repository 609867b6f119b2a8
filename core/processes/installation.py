"""How this Batman was installed, and so the command that brings it what it lacks.

What an installer leaves behind tells: uv's `uv-receipt.toml` and pipx's `pipx_metadata.json` in the
environment of a tool (uv 0.9, `uv tool install`; pipx 1.7), and in the package's metadata
`direct_url.json` (PEP 610: the folder or repository it came from, and whether it is editable) and
`INSTALLER` (PEP 376: pip or uv).
"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urlsplit

from core.late import late

if TYPE_CHECKING:
    import tomllib
    from importlib import metadata
else:
    # Nearly all import this module to name a command in an error, should there be one.
    tomllib, metadata = late("tomllib"), late("importlib.metadata")

NAME = "batman-tui"


@dataclass(frozen=True)
class Installation:
    """How Batman was installed.

    `kind` is `checkout` (uv's environment in the repository, `source` its folder), `uv-tool`,
    `pipx`, or what put it into an environment: `uv` or `pip`. `source` is where it came from: a
    folder, `git+URL`, or empty for the package index. `extras` are those that the tool was
    installed with and `packages` what was added, which uv forgets unless they are named again.
    """

    kind: Literal["checkout", "uv-tool", "pipx", "uv", "pip"]
    source: str = ""
    extras: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    python: str = ""
    editable: bool = field(default=False)

    def command(self, requirements: Sequence[str]) -> str:
        """Return the command that installs `requirements`: `batman-tui[extra]`, or packages."""
        extras = sorted({e for text in requirements for e in _extras(text)})
        others = [text for text in requirements if not text.startswith(NAME)]
        if self.kind == "checkout":
            return " && ".join(self._checkout(extras, others))
        if self.kind == "uv-tool":
            own = self._ours({*extras, *self.extras})
            added = [word for text in (*self.packages, *others) for word in ("--with", text)]
            return shlex.join(["uv", "tool", "install", own, *added])
        if self.kind == "pipx":
            words = ["pipx", "inject", NAME, *others]
            if extras:
                words = ["pipx", "inject", "--force", NAME, self._ours(extras), *others]
            return shlex.join(words)
        wanted = [*([self._ours(extras)] if extras else []), *others]
        if self.editable and extras:
            wanted = ["-e", *wanted]
        if self.kind == "uv":
            python = ["--python", self.python] if self.python else []
            return shlex.join(["uv", "pip", "install", *python, *wanted])
        pip = [self.python, "-m", "pip"] if self.python else ["pip"]
        return shlex.join([*pip, "install", *wanted])

    def _checkout(self, extras: Sequence[str], others: Sequence[str]) -> Iterable[str]:
        uv = "uv"
        if shutil.which("uv") is None and (beside := Path(self.source, ".uv/bin/uv")).is_file():
            uv = str(beside)
        if extras:
            # Without --inexact uv takes away what is not named.
            flags = [word for extra in extras for word in ("--extra", extra)]
            where = ["--directory", self.source]
            yield shlex.join([uv, "sync", "--inexact", *where, *flags])
        if others:
            python = ["--python", str(Path(self.source, ".venv"))]
            yield shlex.join([uv, "pip", "install", *python, *others])

    def _ours(self, extras: Iterable[str]) -> str:
        """Return what stands for Batman with extras in the words of an installer."""
        names = ",".join(sorted(extras))
        own = f"{NAME}[{names}]" if names else NAME
        if not self.source:
            return own
        if self.source.startswith("git+"):
            return f"{own} @ {self.source}"
        if self.kind == "uv-tool":
            return f"{own} @ {self.source}"
        return f"{self.source}[{names}]" if names else self.source


def installed_version(package: str) -> str:
    """Return the version of an installed package, "" without it; nothing of it is imported.

    From the `.dist-info` that its installer left (PyPA's "Recording installed projects"), the first
    on Python's path. `importlib.metadata`, which loads what reads mails and archives, takes 50 ms,
    longer than all else that some commands do; it is asked for packages that were left otherwise.
    """
    start = f"{package.replace('-', '_')}-".lower()
    for folder in sys.path:
        with suppress(OSError):
            for found in Path(folder).iterdir():
                if found.suffix == ".dist-info" and found.name.lower().startswith(start):
                    for line in (found / "METADATA").read_text("utf-8", "replace").splitlines():
                        if line.startswith("Version:"):
                            return line.removeprefix("Version:").strip()
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def how_to_install(*requirements: str) -> str:
    """Return the command, as typed in a shell, that brings this installation `requirements`.

    Each is `batman-tui[extra]` or the requirement of another package (PEP 508).
    """
    return installation().command(requirements)


@cache
def installation() -> Installation:
    """Return how this Batman was installed."""
    try:
        found = metadata.Distribution.from_name(NAME)
    except metadata.PackageNotFoundError:
        # Python was started in the repository itself.
        return Installation("pip", str(Path(__file__).parents[2]), editable=True)
    return read_installation(
        Path(sys.prefix), found.read_text("direct_url.json"), found.read_text("INSTALLER")
    )


def read_installation(prefix: Path, direct_url: str | None, installer: str | None) -> Installation:
    """Return how Batman was installed into the environment `prefix`, by its metadata.

    What cannot be read counts as not there.
    """
    source, editable = _source(_json(direct_url or ""))
    receipt = _toml(prefix / "uv-receipt.toml")
    if receipt:
        wanted = [w for w in receipt.get("tool", {}).get("requirements", []) if "name" in w]
        own: dict[str, Any] = next((want for want in wanted if want["name"] == NAME), {})
        packages = [f"{w['name']}{w.get('specifier', '')}" for w in wanted if w is not own]
        extras = tuple(own.get("extras", ()))
        return Installation("uv-tool", source, extras, tuple(packages), editable=editable)
    if (prefix / "pipx_metadata.json").is_file():
        return Installation("pipx", source, editable=editable)
    by_uv = (installer or "").strip() == "uv"
    folder = Path(source) if source else None
    if folder and editable and (folder / "uv.lock").is_file() and prefix == folder / ".venv":
        return Installation("checkout", source, editable=True)
    return Installation("uv" if by_uv else "pip", source, (), (), _python(prefix), editable)


def _python(prefix: Path) -> str:
    """Return the interpreter to name, empty where the first on the path is of `prefix`."""
    found = shutil.which("python")
    inside = found is not None and Path(found).absolute().parent == (prefix / "bin").absolute()
    return "" if inside else str(prefix / "bin" / "python")


def _source(url: Mapping[str, Any]) -> tuple[str, bool]:
    text = str(url.get("url", ""))
    if "vcs_info" in url:
        return f"{url['vcs_info'].get('vcs', 'git')}+{text}", False
    if not text.startswith("file:"):
        return text, False
    return unquote(urlsplit(text).path), bool(url.get("dir_info", {}).get("editable"))


def _extras(requirement: str) -> list[str]:
    if not requirement.startswith(f"{NAME}["):
        return []
    return requirement.removeprefix(f"{NAME}[").rstrip("]").split(",")


def _json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
