"""`python -m core.autolabel.fetch_weights`: a labeller's files from the network, when asked for.

A process of its own, since rfdetr's download loads torch. The hub's library would try for three
quarters of a minute where there is no network, so its host is asked for a connection first.
"""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from core.autolabel.choice import HUB, Choice
from core.autolabel.pass_folder import Kind
from core.autolabel.weights import PATTERNS, require_files
from core.common.errors import BatmanError, Cancelled, WeightsMissing
from core.common.full_disk import disk_full
from core.common.progress import Cancelled as IsCancelled
from core.common.progress import Progress, Report
from core.common.text import clean
from core.processes.installation import how_to_install
from core.processes.job import run_job, serve_job

MODULE = "core.autolabel.fetch_weights"
_STAGE = "downloading weights (MB)"
_CONNECT_S = 5.0


@dataclass(frozen=True)
class FetchOptions:
    """Which labeller's files are wanted; see `Choice`."""

    kind: Kind
    target: str


def fetch_in_child(choice: Choice, report: Report, cancelled: IsCancelled) -> Path:
    """Fetch the labeller's files in a process of its own, and return their folder or file.

    Raises WeightsMissing that says what keeps them from being fetched, and Cancelled.
    """
    options = FetchOptions(choice.kind, choice.target)
    return Path(run_job(MODULE, options, report, cancelled, name="The download")["path"])


def fetch(choice: Choice, report: Report, cancelled: IsCancelled) -> Path:
    """Fetch the labeller's files and return their folder or file; see `fetch_in_child`."""
    if choice.kind == "coco":
        return _published(choice.target, report)
    try:
        import huggingface_hub
    except ImportError:
        raise WeightsMissing(
            "Downloading from the Hugging Face hub is not installed here: "
            "huggingface_hub is missing.",
            f"Install it with: {how_to_install('batman-tui[label]')}",
        ) from None
    from huggingface_hub import constants

    _require_network(choice, constants.ENDPOINT, bool(constants.HF_HUB_OFFLINE))
    report(Progress(_STAGE, 0))
    try:
        # A small file first: whoever may not have the large one is told so at once.
        huggingface_hub.hf_hub_download(choice.target, "config.json", endpoint=constants.ENDPOINT)
        folder = huggingface_hub.snapshot_download(
            choice.target,
            allow_patterns=PATTERNS,
            endpoint=constants.ENDPOINT,
            tqdm_class=_bar(report, cancelled),
        )
    except Cancelled:
        raise
    except Exception as error:  # of the hub's library, its HTTP client and the disk
        raise disk_full(error, [Path(constants.HF_HUB_CACHE)]) or _told(choice, error) from error
    require_files(Path(folder), choice)
    return Path(folder)


def _require_network(choice: Choice, endpoint: str, offline: bool) -> None:
    title = HUB[choice.kind][2]
    if offline:
        raise WeightsMissing(
            f"The weights of {title} cannot be fetched: HF_HUB_OFFLINE says to stay offline.",
            "Unset HF_HUB_OFFLINE, or give a folder with --weights.",
        )
    host, port = _first_hop(endpoint)
    try:
        with socket.create_connection((host, port), timeout=_CONNECT_S):
            return
    except OSError as error:
        raise WeightsMissing(
            f"The weights of {title} cannot be fetched: {clean(host)} cannot be reached.",
            f"Copy the files of https://huggingface.co/{choice.target} from a machine that has a "
            "network, and give their folder with --weights.",
        ) from error


def _first_hop(endpoint: str) -> tuple[str, int]:
    """Return the host and port that the hub is asked through: a proxy's, or its own."""
    parts = urlsplit(endpoint)
    host = parts.hostname or "huggingface.co"
    proxies = {} if proxy_bypass(host) else getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    through = urlsplit(proxy if "//" in proxy or not proxy else f"//{proxy}")
    usual = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
    chosen = through if through.hostname else parts
    try:
        port = chosen.port
    except ValueError:
        port = None
    return chosen.hostname or host, port or usual.get(chosen.scheme, 443)


def _told(choice: Choice, error: Exception) -> BatmanError:
    """Return what went wrong at the hub as one sentence with the way out."""
    from huggingface_hub import errors

    title, page = HUB[choice.kind][2], f"https://huggingface.co/{choice.target}"
    # Raised from what really happened, when the cache could not stand in for the hub.
    if isinstance(error, errors.LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.GatedRepoError):
        others = " OWLv2 and Grounding DINO need no permission." if choice.kind == "sam3" else ""
        if status == 401:
            return WeightsMissing(
                f"The weights of {title} are given to those who asked for them, and nobody is "
                "logged in here.",
                f"Ask for access at {page}, then log in with hf auth login and try again.{others}",
            )
        return WeightsMissing(
            f"The account that is logged in here may not have the weights of {title} (yet).",
            f"Ask for access at {page}, or log in as somebody who has it with hf auth login."
            f"{others}",
        )
    if isinstance(error, (errors.RepositoryNotFoundError, errors.HFValidationError)):
        return WeightsMissing(
            f"The hub has no repository '{clean(choice.target)}', or it is private.",
            f"Check the name at {page}; for a private one log in with hf auth login.",
        )
    if isinstance(error, errors.EntryNotFoundError):
        return WeightsMissing(
            f"'{clean(choice.target)}' has no config.json: it is no model of transformers.",
            f"Take another repository, such as {HUB[choice.kind][1]}.",
        )
    if status in (401, 403):
        return WeightsMissing(
            f"The hub does not accept the login of this machine ({status}).",
            "Log in again with hf auth login, or log out with hf auth logout.",
        )
    lines = str(error).strip().splitlines()
    said = clean(lines[0])[:300].rstrip(".") if lines else type(error).__name__
    return WeightsMissing(
        f"The weights of {title} could not be downloaded: {said}.",
        f"Try again, or copy the files of {page} and give their folder with --weights.",
    )


def _bar(report: Report, cancelled: IsCancelled) -> Any:
    """Return a class of progress bars that draw nothing and tell how many MB there are."""
    from tqdm.auto import tqdm  # type: ignore[import-untyped]

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.bytes = kwargs.get("unit") == "B"
            self.had = 0.0
            super().__init__(*args, **{**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            if cancelled():
                raise Cancelled("The download was stopped.", "What came goes on from there.")
            self.had += n or 0
            if self.bytes:
                total = int((self.total or 0) / 1e6)
                report(Progress(_STAGE, int(self.had / 1e6), total or None))
            return None

    return Bar


def _published(size: str, report: Report) -> Path:
    """Return the file of RF-DETR's published weights of a size, fetched unless it is there."""
    from core.models.sizes import weights_file
    from core.training.config.options import TrainingConfig
    from core.training.launch.pretrained_weights import fetch as fetch_published
    from core.training.launch.pretrained_weights import start_weights

    report(Progress("downloading weights", 0))
    path = weights_file(size)
    assert path is not None  # sizes without weights are no choice
    config = TrainingConfig(model=size)
    try:
        start_weights(config)
        fetch_published(config, path)
    except WeightsMissing as error:
        raise WeightsMissing(
            error.message,
            f"Copy {path.name} from a machine that has a network to {clean(str(path))}.",
        ) from error
    return path


def _serve(options: FetchOptions, report: Report, cancelled: IsCancelled) -> dict[str, str]:
    return {"path": str(fetch(Choice(options.kind, options.target), report, cancelled))}


if __name__ == "__main__":
    sys.exit(serve_job(FetchOptions, _serve))
