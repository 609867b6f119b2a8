"""Where things are on a cluster: its profile's places, made absolute there."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.common.files import expand_user
from core.common.text import clean
from core.common.workspace import Workspace
from slurm.hosts import Host, HostError, LocalHost
from slurm.site.environment import Environment
from slurm.site.profiles import Profile

if TYPE_CHECKING:
    from slurm.hosts.ssh_login import Asker  # paramiko is loaded for SSH only

# The folder that has our packages, on this machine.
CODE = Path(__file__).resolve().parents[2]
# What an image's interpreter is called where nobody says.
IN_IMAGE = "python3"


@dataclass(frozen=True)
class Site:
    """A cluster that is connected to.

    `root` is our folder there and `python` its interpreter or environment, both absolute; in an
    `image`, which is absolute then, the interpreter is a name. On a
    login node (`shared`) the root is the workspace itself: the nodes see the same files as we do,
    and nothing is copied.
    """

    host: Host
    profile: Profile
    root: str
    python: str
    shared: bool
    image: str = ""

    @property
    def environment(self) -> Environment:
        """What its Python needs before it runs."""
        return Environment(tuple(self.profile.modules), self.image, tuple(self.profile.binds))

    @property
    def log_dir(self) -> str:
        """Where the jobs' logs lie."""
        return f"{self.root}/logs"

    @property
    def name(self) -> str:
        """What people call the cluster."""
        return self.profile.name


def open_host(profile: Profile, asker: Asker | None = None) -> Host:
    """Return the host of a cluster. Over SSH it connects at its first use."""
    if profile.is_local:
        return LocalHost()
    if profile.via == "ssh":
        from slurm.hosts.openssh import OpenSshHost

        return OpenSshHost(profile.host, asker=asker, prelude="\n".join(profile.prelude))
    from slurm.hosts.ssh import SshHost

    return SshHost(profile.host, asker=asker, prelude="\n".join(profile.prelude))


def open_site(host: Host, profile: Profile, workspace: Workspace) -> Site:
    """Return the places of a cluster, asking the host for what its profile says by variables.

    Raises `HostError` when the host does not answer or a variable is not set there.
    """
    if profile.is_local:
        root = str(workspace.root.absolute())
        if profile.image:
            image = str(expand_user(profile.image).absolute())
            return Site(host, profile, root, profile.python or IN_IMAGE, True, image)
        python = str(expand_user(profile.python)) if profile.python else sys.executable
        return Site(host, profile, root, python, True)
    places = [profile.workspace or "~/batman", profile.image or profile.python]
    root, found = expand_paths(host, places)
    if profile.image:
        return Site(host, profile, root, profile.python or IN_IMAGE, False, found)
    return Site(host, profile, root, found or f"{root}/env", False)


_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))|^~(?=/|$)", re.ASCII)
_PRINT = 'for name do eval "value=\\${$name-}"; printf "%s\\0" "$value"; done'


def expand_paths(host: Host, paths: list[str]) -> list[str]:
    """Return paths made absolute, `~` in front and variables replaced by what they are there.

    A relative path is below the home folder. Raises `HostError` for a variable that is not set.
    """
    names = ["HOME"]
    names += [m[1] or m[2] for path in paths for m in _VARIABLE.finditer(path) if m[1] or m[2]]
    done = host.run(["sh", "-c", _PRINT, "sh", *names])
    values = dict(zip(names, done.text.split("\0"), strict=False))

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2] or "HOME"
        if not values.get(name):
            raise HostError(
                f"There is no ${name} on {clean(host.name)}.",
                "Write the path in the cluster's profile, or set it in the prelude.",
            )
        return values[name]

    expanded = [_VARIABLE.sub(value, path).rstrip("/") for path in paths]
    home = values["HOME"]
    return [f"{home}/{p}" if p and not p.startswith("/") else p for p in expanded]
