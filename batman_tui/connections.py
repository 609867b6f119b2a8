"""The connections of the app to clusters: one for each, whichever screens use it."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from textual.app import App

from slurm.hosts import Host
from slurm.site.profiles import Profile

_HOSTS: WeakKeyDictionary[App[Any], dict[tuple[str, ...], Host]] = WeakKeyDictionary()


def host_of(app: App[Any], profile: Profile) -> Host:
    """Return the cluster's host; over SSH it connects at its first use and asks in dialogs.

    The same one every time, so that a login which wants a code asks for it once. A profile that
    was changed to another host or prelude has another.
    """
    from batman_tui.widgets.dialogs.asker import ScreenAsker
    from slurm.site.site import open_host

    known = _HOSTS.setdefault(app, {})
    key = (profile.name, profile.host, profile.via, *profile.prelude)
    if key not in known:
        known[key] = open_host(profile, ScreenAsker(app))
    return known[key]


def use_host(app: App[Any], profile: Profile, host: Host) -> None:
    """Reach the cluster by `host` from now on."""
    _HOSTS.setdefault(app, {})[(profile.name, profile.host, profile.via, *profile.prelude)] = host
