"""Sending content to a cluster once: resumed where it broke off, checked, shared by runs.

What is sent lies under the name of its content, so that what is there already is not sent again.
Two people may send the same at once.
"""

from __future__ import annotations

from core.common.progress import Cancelled, Report, never, nothing
from slurm.hosts import Host
from slurm.sync.by_files import send_files
from slurm.sync.by_tar import send_tar
from slurm.sync.pack import Pack
from slurm.sync.patience import PATIENCE_S


def send(
    host: Host,
    pack: Pack,
    target: str,
    what: str = "data set",
    report: Report = nothing,
    cancelled: Cancelled = never,
    patience_s: float = PATIENCE_S,
) -> bool:
    """Make `pack` the folder `target` on the host; return whether anything had to be sent.

    A host that goes out of reach is waited for. `report` hears bytes of the stage `sending <what>`.
    Raises HostError when it stays out of reach, BatmanError when there is no room, or `Cancelled`;
    the next call goes on where this one ended.
    """
    sent = send_files(host, pack, target, what, report, cancelled, patience_s)
    if sent is None:
        return send_tar(host, pack, target, what, report, cancelled, patience_s)
    return sent
