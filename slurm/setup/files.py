"""Whether files come and go as they should between here and a cluster, tried with one."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import tempfile
from pathlib import Path

from core.common.text import clean
from slurm.hosts import Host, HostError

# More than one packet of SFTP, with every byte there is.
_CONTENT = bytes(range(256)) * 512


def try_files(host: Host, folder: str) -> str:
    """Send a file into `folder` there, read it and remove it; return in words which way files go.

    Raises `HostError` that says what came back wrong.
    """
    data = secrets.token_bytes(16) + _CONTENT
    there = f"{folder}/.batman-test-{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory() as here:
        sent, back = Path(here) / "sent", Path(here) / "back"
        sent.write_bytes(data)
        try:
            host.put(sent, there)
            told = host.run(["sha256sum", "--", there])
            if told.code or told.text.split()[0] != hashlib.sha256(data).hexdigest():
                raise _wrong(host, "a file that was sent is not what commands find there")
            try:
                host.get(there, back)
            except FileNotFoundError:
                raise _wrong(host, "a file that was sent is not found there") from None
            if back.read_bytes() != data or host.read(there, 16, 256) != data[16:272]:
                raise _wrong(host, "a file did not come back as it was sent")
        finally:
            with contextlib.suppress(HostError):
                host.run(["rm", "-f", "--", there])
    return host.files_by


def _wrong(host: Host, what: str) -> HostError:
    return HostError(
        f"{clean(host.name)}: {what} ({host.files_by}).",
        'Write via = "ssh" in the cluster\'s profile: then files go by commands.',
    )
