"""A wheel house: everything that an environment on a cluster needs, fetched here by uv and pip.

For clusters that reach no package index. uv works out the versions for the cluster's Python and
platform, pip fetches the files; both go through the person's own settings (index, proxy, cache).
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from core.common.errors import BatmanError
from core.common.errors import Cancelled as WasCancelled
from core.common.files import write_atomic
from core.common.progress import Cancelled, Progress, Report, never, nothing
from core.common.temporary import remove_tree
from core.common.text import clean
from core.processes.child_process import python_command, python_environment
from slurm.setup.look import Python

# As in pyproject.toml: opencv-python wants libGL, which servers lack, and overwrites the files of
# the headless build, which is wanted as well.
OVERRIDES = "opencv-python>=4.10; sys_platform == 'never'\n"
_LEFT_OUT = ("opencv_python-",)

# uv's names for platforms (`uv pip compile --help`, --python-platform), by the C library's minor.
_UV_GLIBC = (40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 28, 17)
# PEP 600 and the names before it; glibc 2.17 is manylinux2014.
_OLD_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_COMPLETE = ".complete"


def pip_command() -> list[str]:
    """Return how pip is called here. Raises BatmanError where there is none."""
    if importlib.util.find_spec("pip") is not None:
        return python_command("pip")
    found = shutil.which("pip") or shutil.which("pip3")
    if found:
        return [found]
    uv = shutil.which("uv")
    if uv:
        return [uv, "tool", "run", "pip"]
    raise BatmanError(
        "There is neither pip nor uv here to fetch packages with.",
        "Install uv, or set Batman up on a cluster that reaches the package index itself.",
    )


def platform_tags(python: Python) -> list[str]:
    """Return the platform tags of wheels that run there, the newest C library first."""
    major, minor = python.glibc or (2, 17)
    tags = []
    for number in range(minor if major == 2 else 17, 4, -1):
        tags.append(f"manylinux_2_{number}_{python.machine}")
        if number in _OLD_NAMES and (python.machine == "x86_64" or number == 17):
            tags.append(f"{_OLD_NAMES[number]}_{python.machine}")
    return [*tags, f"linux_{python.machine}"]


def compile_command(python: Python, wanted: Path, overrides: Path, lock: Path) -> list[str]:
    """Return uv's command that writes the exact versions for `wanted` into `lock`."""
    minor = python.glibc[1] if python.glibc else 17
    nearest = next((number for number in _UV_GLIBC if number <= minor), 17)
    return [
        "uv", "pip", "compile", str(wanted), "--output-file", str(lock), "--quiet",
        "--python-version", python.short,
        "--python-platform", f"{python.machine}-manylinux_2_{nearest}",
        "--override", str(overrides), "--no-header", "--no-annotate",
        "--no-emit-package", "batman-tui",
    ]  # fmt: skip


def download_command(
    python: Python, requirements: Path, folder: Path, *, resolved: bool
) -> list[str]:
    """Return pip's command that fetches wheels for the cluster's Python into `folder`."""
    words = [*pip_command(), "download", "--dest", str(folder), "--only-binary", ":all:"]
    words += ["--python-version", python.short, "--implementation", "cp"]
    for tag in platform_tags(python):
        words += ["--platform", tag]
    words += ["--progress-bar", "off", "--no-input"]
    return [*words, *(["--no-deps"] if resolved else []), "--requirement", str(requirements)]


def build_house(
    python: Python,
    requirements: Sequence[str],
    folder: Path,
    report: Report = nothing,
    cancelled: Cancelled = never,
) -> list[Path]:
    """Fetch wheels for `requirements` and all they need; return the files, sorted by name.

    `folder` is a cache of ours: what was fetched whole for the same versions is taken again, and
    older houses in it are removed. Raises BatmanError with what uv or pip said, and `Cancelled`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = folder / "wanted.txt"
    overrides = folder / "overrides.txt"
    write_atomic(wanted, "\n".join([*requirements, ""]))
    write_atomic(overrides, OVERRIDES)
    lock, resolved = wanted, False
    if shutil.which("uv"):
        report(Progress("working out versions", 0, None))
        lock, resolved = folder / "lock.txt", True
        # An old one would be taken for preferred versions.
        lock.unlink(missing_ok=True)
        _run(compile_command(python, wanted, overrides, lock), lambda _: None, cancelled)
        report(Progress("working out versions", 1, 1))
    text = lock.read_text(encoding="utf-8")
    count = sum(1 for line in text.splitlines() if line.strip() and line[:1] not in "# ")
    digest = hashlib.sha256(f"{python.short} {python.machine}\n{text}".encode()).hexdigest()[:16]
    house = folder / digest
    if not (house / _COMPLETE).is_file():
        house.mkdir(exist_ok=True)
        there = {"count": 0}

        def line(said: str) -> None:
            if said.startswith(("Collecting ", "Processing ")):
                there["count"] += 1
                report(Progress("fetching packages", there["count"], count if resolved else None))

        if text.strip():
            _run(download_command(python, lock, house, resolved=resolved), line, cancelled)
        report(Progress("fetching packages", count, count))
        write_atomic(house / _COMPLETE, "")
    for old in folder.iterdir():
        if old.is_dir() and old != house:
            remove_tree(old)
    return sorted(path for path in house.glob("*.whl") if not path.name.startswith(_LEFT_OUT))


def fetch_uv(python: Python, folder: Path, cancelled: Cancelled = never) -> Path:
    """Fetch uv itself as a wheel for the cluster's platform. Raises BatmanError."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = folder / "wanted.txt"
    write_atomic(wanted, "uv\n")
    found = sorted(folder.glob("uv-*.whl"))
    if not found:
        _run(download_command(python, wanted, folder, resolved=True), lambda _: None, cancelled)
        found = sorted(folder.glob("uv-*.whl"))
    if not found:
        raise BatmanError("uv could not be fetched.", "Install it on the cluster yourself.")
    return found[-1]


def _run(argv: Sequence[str], line: Callable[[str], None], cancelled: Cancelled) -> None:
    """Run a command here, hear its lines, and raise BatmanError with its last words if it fails."""
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=python_environment(),
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise BatmanError(f"'{clean(argv[0])}' cannot be run here: {error.strerror}.") from None
    said: list[str] = []
    assert process.stdout is not None
    try:
        for text in process.stdout:
            said = [*said[-40:], text.rstrip()]
            line(text.strip())
            if cancelled():
                raise WasCancelled("Fetching packages was cancelled.")
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        raise
    finally:
        process.stdout.close()
        process.wait()
    if process.returncode:
        wrong = [text for text in said if "error" in text.lower() or "×" in text] or said
        name = "pip" if argv[0] == sys.executable else f"{Path(argv[0]).name}"
        raise BatmanError(
            f"{clean(name)} could not fetch what Batman needs:"
            f" {clean(' '.join(wrong[-3:]).strip())[:400] or 'no reason given'}.",
            "Check the network here and the index that uv and pip are set to.",
        )
