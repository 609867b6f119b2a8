"""Which clusters are asked, by whom, and when: `QueueWatcher` without an app or a cluster."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asking import forget_asks

from core.common.workspace import Workspace
from slurm.hosts import HostError, NeedsPerson, NotConnected
from slurm.queue.poll import LEAST_GAP_S, Attention
from slurm.site.profiles import Profile
from slurm.watch.cluster_jobs import Watched
from slurm.watch.queue_watcher import ClusterWatch, QueueWatcher

VEGA, RIGEL = Profile(name="vega", host="vega"), Profile(name="rigel", host="rigel")


class Away:
    """A host out of reach."""

    def __init__(self) -> None:
        self.asked = 0
        self.error = HostError("No route to host.")
        self.last_answer: float | None = None

    def run(self, argv: object, **options: object) -> Any:
        self.asked += 1
        raise self.error


class Looker:
    """Who looks at a cluster, as closely as `attention` says."""

    def __init__(self) -> None:
        self.attention: Attention | None = "watching"
        self.heard: list[tuple[str, str]] = []

    def told(self, cluster: ClusterWatch, watched: Watched) -> None:
        assert watched.view.error is not None
        self.heard.append((cluster.profile.name, watched.view.error.message))


class House:
    """A watcher whose threads are run by hand."""

    def __init__(self, root: Path) -> None:
        self.hosts: dict[str, Any] = {name: Away() for name in ("vega", "rigel")}
        self.threads: list[Callable[[], None]] = []
        self.viewer = Looker()
        self.watcher = QueueWatcher(
            Workspace(root),
            lambda profile: self.hosts[profile.host],
            self.threads.append,
        )

    def asked(self) -> dict[str, int]:
        """Run what waits for a thread, and return how often each host was asked so far."""
        while self.threads:
            self.threads.pop(0)()
        return {name: host.asked for name, host in self.hosts.items()}


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_what_is_looked_at_is_asked_and_tells_who_looks(house: House) -> None:
    house.watcher.tick()
    assert house.threads == [], "nobody has looked at a cluster so far"
    house.watcher.show(VEGA, house.viewer)
    house.watcher.show(RIGEL, house.viewer)
    house.watcher.tick()
    assert house.asked() == {"vega": 0, "rigel": 1}
    assert house.viewer.heard == [("rigel", "No route to host.")]


def test_nobody_is_asked_while_something_else_is_in_front(house: House) -> None:
    house.watcher.show(VEGA, house.viewer)
    house.viewer.attention = None
    house.watcher.tick()
    assert house.asked() == {"vega": 0, "rigel": 0}


def test_one_thread_asks_however_long_it_takes_to_start(house: House) -> None:
    cluster = house.watcher.show(VEGA, house.viewer)
    for _ in range(3):
        house.watcher.tick()
    assert len(house.threads) == 1
    assert house.asked()["vega"] == 1
    forget_asks(cluster.poller)
    house.watcher.tick()
    assert house.asked()["vega"] == 2, "what was let go can be asked again"


def test_a_look_that_comes_late_is_kept_and_told_to_nobody(house: House) -> None:
    vega = house.watcher.show(VEGA, house.viewer)
    house.watcher.tick()
    house.watcher.show(RIGEL, house.viewer)
    assert house.asked()["vega"] == 1
    assert house.viewer.heard == []
    assert vega.latest is not None
    assert house.watcher.show(VEGA, house.viewer) is vega, "what is known of it stays known"


def test_a_changed_profile_is_heeded(house: House) -> None:
    before = house.watcher.show(VEGA, house.viewer)
    same = VEGA.model_copy()
    assert house.watcher.show(same, house.viewer) is before
    after = house.watcher.show(VEGA.model_copy(update={"poll_seconds": 90.0}), house.viewer)
    assert (before.poller.interval, after.poller.interval) == (20, 90)
    house.watcher.tick()
    assert house.asked()["vega"] == 1, "the one before is not asked any more"


def test_one_sign_of_life_hurries_the_queue_and_nothing_else_does(house: House) -> None:
    cluster = house.watcher.show(VEGA, house.viewer)
    host = house.hosts["vega"]

    def fail(times: int) -> float:
        for _ in range(times):
            forget_asks(cluster.poller)
            assert cluster.claim("watching")
            cluster.look(lambda *_: None)
        return cluster.poller.due_in

    host.error = HostError("squeue hangs.")
    assert fail(3) > 150
    host.last_answer = time.time() + 1
    assert not cluster.claim("watching")
    assert cluster.poller.due_in > 150, "a queue that hangs is left alone"
    host.error, host.last_answer = NotConnected("No route to host."), None
    assert fail(1) > 250
    assert not cluster.claim("watching")
    assert cluster.poller.due_in > 250
    host.last_answer = time.time() + 1
    assert not cluster.claim("watching")
    assert cluster.poller.due_in <= LEAST_GAP_S
    host.error, host.last_answer = NeedsPerson("It wants a code."), None
    fail(1)
    host.last_answer = time.time() + 1
    assert not cluster.claim("watching"), "who has to log in is asked by nobody"
    assert cluster.poller.due_in == math.inf
