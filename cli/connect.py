"""What the commands that use a cluster share: choosing it, connecting, asking the person."""

from __future__ import annotations

import contextlib
import getpass
import shutil
import sys
from collections.abc import Iterator

from cli.output import is_terminal, say, say_error
from core.common.errors import BatmanError
from core.common.text import clean
from core.common.workspace import Workspace
from core.training.run.run import Run
from slurm.job.record import read_record
from slurm.site.profiles import Profile, choose_profile, load_profile
from slurm.site.site import Site, open_host, open_site

# What the login node that we are on is called where nobody has made a profile for it.
HERE = "here"


class Terminal:
    """Asks the person on the terminal; where there is none, nothing is answered."""

    def ask(self, title: str, prompt: str, *, secret: bool) -> str | None:
        """Return what was typed, None for nothing or where nobody can be asked."""
        if not sys.stdin.isatty():
            return None
        if title:
            say(title)
        try:
            if secret:
                return getpass.getpass(clean(prompt))
            sys.stdout.write(clean(prompt))
            sys.stdout.flush()
            return sys.stdin.readline().rstrip("\n") or None
        except EOFError:
            return None

    def trust(self, host: str, kind: str, fingerprint: str) -> bool:
        """Show a new host's key and return whether the person trusts it."""
        if not (sys.stdin.isatty() and is_terminal()):
            return False
        say(f"The host {host} is new. Its {kind} key is {fingerprint}.")
        sys.stdout.write("Is that the right one? [y/N] ")
        sys.stdout.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")


def profile_for(name: str | None) -> Profile:
    """Return the chosen cluster, or the only one; on a login node without a profile, this machine.

    Raises BatmanError that says how to add one.
    """
    if name == HERE and HERE not in _names():
        return Profile(name=HERE)
    profile = choose_profile(name)
    if profile is not None:
        return profile
    if shutil.which("sbatch"):
        return Profile(name=HERE)
    raise BatmanError(
        "No cluster is known, and there is no SLURM on this machine.",
        "Add one with batman clusters add NAME --host user@login.node.",
    )


def _names() -> list[str]:
    from slurm.site.profiles import list_profiles

    return list_profiles()


def site_for(profile: Profile, workspace: Workspace) -> Site:
    """Connect to the cluster and return its places. Raises `HostError`."""
    return open_site(open_host(profile, Terminal()), profile, workspace)


@contextlib.contextmanager
def kept_up(run: Run, workspace: Workspace) -> Iterator[None]:
    """Keep a run that a cluster trains up to date here, for as long as the `with` lasts.

    Nothing is done for a run that no cluster trains. A cluster that cannot be reached is said, and
    what is here already is shown.
    """
    from slurm.hosts import HostError
    from slurm.submit.submit import recover
    from slurm.sync.mirror import Mirror, mirroring

    record = read_record(run.path)
    if record is None:
        yield
        return
    try:
        profile = profile_for(None) if record.cluster == HERE else load_profile(record.cluster)
        site = site_for(profile, workspace)
        if recover(site, run) is None:
            raise BatmanError(
                f"The run '{clean(run.name)}' was never submitted: the connection broke before.",
                f"Submit it with batman submit --resume {clean(run.name)}.",
            )
        mirror = Mirror(site, run)
        mirror.refresh()
        mirror.look()
    except HostError as error:
        say_error(error.message, error.hint)
        say("What is here already is shown.", "yellow")
        yield
        return
    with mirroring(mirror, workspace):
        yield
