"""What the commands that use a cluster share: choosing it, connecting, asking the person."""

from __future__ import annotations

import contextlib
import getpass
import sys
import time
from collections.abc import Iterator

from cli.answers.printing import words_to
from cli.output import is_terminal, say, say_error, say_note
from core.common.errors import BatmanError
from core.common.text import clean, shell_word
from core.common.workspace import Workspace
from core.training.run.run import Run
from slurm.job.record import read_record
from slurm.site.profiles import HERE, Profile, load_profile
from slurm.site.profiles import profile_for as profile_for  # others know it from here
from slurm.site.site import Site, open_host, open_site


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
            words_to().write(clean(prompt))
            words_to().flush()
            return sys.stdin.readline().rstrip("\n") or None
        except EOFError:
            return None

    def trust(self, host: str, kind: str, fingerprint: str) -> bool:
        """Show a new host's key and return whether the person trusts it."""
        if not (sys.stdin.isatty() and is_terminal()):
            return False
        say(f"The host {host} is new. Its {kind} key is {fingerprint}.")
        words_to().write("Is that the right one? [y/N] ")
        words_to().flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def wait(self, why: str, seconds: float) -> bool:
        """Say that it takes a while, and why, and wait: whoever gave a command wants its answer."""
        say_note(f"{why}: waiting {seconds:.0f} s.")
        time.sleep(seconds)
        return True


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
                f"Submit it with batman submit --resume {shell_word(run.name)}.",
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
