"""Where a machine keeps its secrets: variables of the environment, and files in the home folder.

Only values that can be told from ordinary words count, so that `KEY=1` does not blank out every 1.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.late import late, late_pattern

if TYPE_CHECKING:
    import json
else:
    json = late("json")

# The last part of a variable's name says that its value is a secret, as in WANDB_API_KEY.
WORDS = (
    "(?:(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|JWT)S?"
    "|_PASS|_PAT|KEY_ID|CONNECTION_STRING|PGPASS|SSHPASS)"
)
_NAME = late_pattern(rf"\w*{WORDS}", re.IGNORECASE)
# A job's token is its name in the queue, see `slurm.job.record`; it opens nothing.
_OURS = late_pattern(r"BATMAN_\w+")
# Surely secret, whatever they look like, where the service's documentation says so.
_SURE = frozenset(
    (
        *("WANDB_API_KEY", "ROBOFLOW_API_KEY", "RF_API_KEY", "DATABRICKS_TOKEN", "SLURM_JWT"),
        *("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "GOOGLE_API_KEY"),
        *("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN"),
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        *("AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN"),
        "AZURE_CLIENT_SECRET",
    )
)
# A user's name may be the token itself, or `admin`.
_USERS = ("MLFLOW_TRACKING_USERNAME",)
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy")
_MOST_BYTES = 256 * 1024

_SECRET_WORD = late_pattern(r"key|token|secret|passw(?:or)?d|credential", re.IGNORECASE)


def found_secrets(env: Mapping[str, str] | None = None, home: Path | None = None) -> set[str]:
    """Return the secrets of the environment `env` (default: ours) and of the home folder `home`.

    Values too short or too plain to be told from words are left out: six characters for what is
    surely a secret, eight for what only a variable's name says.
    """
    env = os.environ if env is None else env
    if home is None:
        with contextlib.suppress(RuntimeError):  # there is no such thing as a home
            home = Path.home()
    found = set(_of_variables(env))
    for text in _of_files(env, home):
        found |= {text, *(part for part in text.split(":") if "/" not in text)}
    return {secret for secret in found if _telling(secret, 6)} | set(_by_name(env))


def passwords_of(address: str) -> set[str]:
    """Return the password in the address, as it stands and as it is meant; a token without one.

    `user:password@host` without a scheme, as proxies are given, counts too.
    """
    _, slashes, rest = address.partition("://")
    rest = rest if slashes else address
    user, at, _ = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")
    if not at and re.match(r"[^/?#:@]*:(?!\d{1,5}[/?#])", rest):
        # A password that should have been quoted; what stands after `host:` is a port.
        user, at, _ = rest.rpartition("@")
    if not at:
        return set()
    name, colon, password = user.partition(":")
    if not colon:
        password = name if slashes and not re.match(r"(\w+\+)?ssh:|s?ftp:", address) else ""
    if not password:
        return set()
    import urllib.parse

    return {password, urllib.parse.unquote(password)}


def _of_variables(env: Mapping[str, str]) -> Iterator[str]:
    for name, value in env.items():
        value = value.strip()
        if name in _SURE:
            yield value
        if "CONNECTION_STRING" in name:
            # Azure: `AccountName=…;AccountKey=…;EndpointSuffix=…`
            for part in value.split(";"):
                key, equals, secret = part.partition("=")
                if equals and _SECRET_WORD.search(key):
                    yield secret
        if "@" in value and ("://" in value or name.lower() in _PROXIES):
            for word in value.split():
                yield from passwords_of(word)


def _by_name(env: Mapping[str, str]) -> Iterator[str]:
    for name, value in env.items():
        value = value.strip()
        asked = name in _USERS or (_NAME.fullmatch(name) and not _OURS.fullmatch(name))
        # Paths of key files are no keys, and a whole address or command is more than a secret.
        plain = value.startswith(("/", "~", "./")) or "://" in value or " " in value
        plain = plain or "CONNECTION_STRING" in name
        if asked and not plain and _telling(value, 8):
            yield value


def _telling(value: str, least: int) -> bool:
    """Tell whether `value` can be told from words and small numbers in a text."""
    word = value.isalpha() and value.islower()
    return len(value) >= least + (2 if least == 6 else 4) * word and "\n" not in value


def _of_files(env: Mapping[str, str], home: Path | None) -> Iterator[str]:
    """Yield the secrets in the files that the services' own programs keep them in."""
    config = Path(env.get("XDG_CONFIG_HOME") or (home or Path()) / ".config")
    cache = Path(env.get("XDG_CACHE_HOME") or (home or Path()) / ".cache")
    hub = Path(env.get("HF_HOME") or cache / "huggingface")
    at_home = (lambda name: home / name) if home is not None else (lambda _: Path(os.devnull))
    # Hugging Face Hub, "Environment variables": HF_TOKEN_PATH is `$HF_HOME/token`.
    yield _read(Path(env.get("HF_TOKEN_PATH") or hub / "token")).strip()
    yield from _settings(_read(hub / "stored_tokens"))
    # The file of passwords that curl, requests and wandb read.
    for file in (env.get("NETRC") or at_home(".netrc"), at_home("_netrc")):
        yield from re.findall(r"\bpassword\s+(\S+)", _read(Path(file)))
    for file in (
        # MLflow, "Authentication": the section [mlflow].
        at_home(".mlflow/credentials"),
        at_home(".databrickscfg"),
        Path(env.get("AWS_SHARED_CREDENTIALS_FILE") or at_home(".aws/credentials")),
        config / "wandb" / "settings",
        at_home(".pypirc"),
    ):
        yield from _settings(_read(file))
    for file in (config / "pip" / "pip.conf", config / "uv" / "uv.toml", at_home(".pip/pip.conf")):
        for word in re.findall(r"\w+://[^\s\"']+", _read(file)):
            yield from passwords_of(word)
    yield from re.findall(r"://[^\s:@/]*:([^\s@/]+)@", _read(at_home(".git-credentials")))
    # The roboflow package, `roboflow login`; Google's key of a service account.
    for file in (
        Path(env.get("ROBOFLOW_CONFIG_DIR") or config / "roboflow" / "config.json"),
        Path(env.get("GOOGLE_APPLICATION_CREDENTIALS") or os.devnull),
        config / "gcloud" / "application_default_credentials.json",
    ):
        with contextlib.suppress(ValueError, RecursionError):
            # Most have none of them, and pay for no reader.
            if text := _read(file):
                yield from _in_json(json.loads(text))


def _read(path: Path) -> str:
    """Return the text in the file, nothing where it is not there, too large or not ours to read."""
    try:
        if not path.is_file() or path.stat().st_size > _MOST_BYTES:
            return ""
        return path.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return ""


def _settings(text: str) -> Iterator[str]:
    """Yield the values of `name = value` lines whose name says that they are secret."""
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and _SECRET_WORD.search(name):
            yield value.strip().strip("\"'")


def _in_json(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _in_json(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if isinstance(item, str) and _SECRET_WORD.search(str(name)):
                yield from item.splitlines() if "PRIVATE KEY" in item else [item]
            else:
                yield from _in_json(item)
