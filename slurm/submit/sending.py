"""What every job is sent: our code, files under the names of their content, small texts."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from core.common.errors import RunError
from core.common.progress import Cancelled, Report, never
from core.common.text import clean
from core.privacy.secrets import redact
from slurm.hosts import HostError
from slurm.site.site import CODE, Site
from slurm.sync.pack import pack_folder
from slurm.sync.patience import PATIENCE_S, persist
from slurm.sync.upload import send

# What a job needs of our packages: no screens, no command line.
_PACKAGES = ("core/", "slurm/")


def make_folders(
    site: Site,
    what: str,
    folders: Sequence[str],
    cancelled: Cancelled = never,
    patience_s: float = PATIENCE_S,
) -> None:
    """Make the folders of a job for `what` there. Raises `HostError` when they cannot be made."""
    host = site.host
    made = persist(lambda: host.run(["mkdir", "-p", "--", *folders]), cancelled, patience_s)
    if made.code:
        raise HostError(
            f"The folder for the {what} cannot be made on {clean(host.name)}: {made.said}.",
            "Put the workspace right in the cluster's profile.",
        )


def _wanted_code(name: str) -> bool:
    return name.endswith(".py") and name.startswith(_PACKAGES)


def code_place(site: Site) -> str:
    """Return where a cluster has our packages, a folder named for their content."""
    if site.shared:
        return str(CODE)
    return f"{site.root}/code/{pack_folder(CODE, _wanted_code).digest[:32]}"


def send_code(
    site: Site, target: str, report: Report, cancelled: Cancelled, patience_s: float
) -> None:
    """Send our own packages to `code_place`, so that a job runs by the code that prepared it."""
    pack = pack_folder(CODE, _wanted_code)
    send(site.host, pack, target, "code", report, cancelled, patience_s)


def send_file(
    site: Site, file: Path, folder: str, report: Report, cancelled: Cancelled, patience_s: float
) -> str:
    """Send a large file into a folder named for its content; return its path there."""
    if not file.is_file():
        raise RunError(f"There is no file '{clean(str(file))}' to start from.")
    name = file.name
    pack = pack_folder(file.parent, lambda found: found == name, top_only=True)
    target = f"{folder}/{pack.digest[:32]}"
    send(site.host, pack, target, "weights", report, cancelled, patience_s)
    return f"{target}/{name}"


def put_text(
    site: Site,
    here: Path,
    folder: str,
    name: str,
    text: str,
    cancelled: Cancelled,
    patience_s: float,
    *,
    keep: bool = True,
) -> None:
    """Write a small file into a job's folder there; `keep` writes it into the one here as well.

    One that holds a secret, such as a prelude with a key in it, is for its owner's eyes only.
    """
    private = redact(text) != text
    if keep:
        source = here / name
        source.touch(0o600 if private else 0o666)
        if private:
            source.chmod(0o600)
        source.write_text(text, encoding="utf-8")
        if site.shared:
            return
        persist(lambda: site.host.put(source, f"{folder}/{name}"), cancelled, patience_s)
        return
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=name) as file:
        file.write(text)
        file.flush()
        Path(file.name).chmod(0o644)
        persist(lambda: site.host.put(Path(file.name), f"{folder}/{name}"), cancelled, patience_s)
