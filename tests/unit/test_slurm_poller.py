"""How often the queue is asked: never more than it is good for."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
from test_slurm_queue import squeue_job

from slurm.hosts import HostError, NeedsPerson
from slurm.job.states import parse_state
from slurm.queue.jobs import Job
from slurm.queue.poll import ACCOUNTING_S, LEAST_GAP_S, QueuePoller
from slurm.queue.queue import QueueSnapshot


class World:
    """A clock and a cluster that only move when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.jobs: tuple[Job, ...] = (squeue_job(id="1"),)
        self.error: HostError | None = None
        self.asked: list[tuple[float, bool]] = []
        self.accounting: bool | None = True
        self.poller = QueuePoller(self.ask, active_s=15, clock=lambda: self.now)

    def ask(self, *, all_users: bool, accounting: bool, before) -> QueueSnapshot:
        self.asked.append((self.now, accounting))
        if self.error is not None:
            raise self.error
        return QueueSnapshot(
            jobs=self.jobs, taken_at=self.now, all_users=all_users, accounting=self.accounting
        )

    def pass_time(self, seconds: float) -> list[float]:
        """Let seconds pass, polling at each; return how long after the start it was asked."""
        start, before = self.now, len(self.asked)
        for _ in range(int(seconds)):
            self.now += 1
            self.poller.poll()
        return [at - start for at, _ in self.asked[before:]]


@pytest.fixture
def world() -> World:
    made = World()
    made.poller.poll()
    return made


def moving(world: World) -> None:
    """Have every answer differ from the one before."""
    ask = world.ask

    def changed(**options: Any) -> QueueSnapshot:
        world.jobs = (replace(world.jobs[0], reason=str(len(world.asked))),)
        return ask(**options)

    world.poller._ask = changed


def test_asks_at_once_and_then_every_fifteen_seconds(world: World) -> None:
    moving(world)
    assert len(world.asked) == 1
    assert world.pass_time(60) == [15, 30, 45, 60]


def test_what_may_have_ended_is_asked_for_sooner_but_never_above_four_times_a_minute(
    world: World,
) -> None:
    world.poller.suspect()
    assert world.poller.due_in == LEAST_GAP_S
    assert world.pass_time(5) == [5]
    assert world.poller.due_in == 15, "once is enough"
    # However often it is suspected, and whether anything changes or not.
    for _ in range(300):
        world.poller.suspect()
        world.pass_time(1)
    asked = [at - 1000 for at, _ in world.asked]
    assert asked[:5] == [0, 5, 10, 25, 60]
    for at in asked:
        assert len([other for other in asked if at <= other < at + 60]) <= 4
    assert all(b - a >= LEAST_GAP_S for a, b in itertools.pairwise(asked))
    # Out of reach it is left in peace.
    world.error = HostError("no route")
    world.pass_time(60)
    before = len(world.asked)
    world.poller.suspect()
    world.pass_time(20)
    assert len(world.asked) == before


def test_a_profile_cannot_ask_for_more_than_is_good() -> None:
    world = World()
    assert QueuePoller(world.ask, active_s=1, clock=lambda: world.now).interval == 15


def test_slower_when_nothing_changes(world: World) -> None:
    times = world.pass_time(600)
    gaps = [b - a for a, b in zip([0, *times], times, strict=False)]
    assert gaps[:4] == [15, 15, 15, 15]
    assert gaps[4:8] == [30, 30, 30, 30]
    assert set(gaps[8:]) == {60}
    world.jobs = (squeue_job(id="1", reason="Resources"),)
    world.pass_time(60)
    assert world.poller.interval == 15


@pytest.mark.parametrize("attention", ["away", "hidden"])
def test_slower_when_nobody_looks(world: World, attention: Any) -> None:
    moving(world)
    world.poller.attention = attention
    assert world.pass_time(120) == [60, 120]
    world.poller.attention = "watching"
    assert world.poller.interval == 15


def test_slowest_when_nothing_is_live(world: World) -> None:
    world.jobs = (squeue_job(id="1", state=parse_state("COMPLETED")),)
    world.pass_time(15)
    assert world.poller.interval == 60


def test_errors_back_off_and_keep_what_was_known(world: World) -> None:
    known = world.poller.view.snapshot
    world.error = HostError("busy")
    times = world.pass_time(1200)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert times[0] == 15
    assert gaps[:5] == [30, 60, 120, 240, 300]
    view = world.poller.view
    assert (view.snapshot, view.error) == (known, world.error)
    assert view.age(world.now) == 1200
    world.error = None
    world.pass_time(300)
    assert (world.poller.view.error, world.poller.view.failures) == (None, 0)
    assert world.poller.interval <= 30


def test_a_login_is_never_tried_by_itself(world: World) -> None:
    world.error = NeedsPerson("was cut")
    world.pass_time(15)
    asked = len(world.asked)
    assert world.poller.interval == math.inf
    world.poller.hurry()
    assert world.pass_time(3600) == []
    world.error = None
    world.poller.hurry(reconnect=True)
    world.pass_time(1)
    assert len(world.asked) == asked + 1
    assert not world.poller.view.needs_person


def test_a_hurry_is_one_question_and_not_too_soon(world: World) -> None:
    for _ in range(10):
        world.poller.hurry()
        world.poller.poll()
    assert len(world.asked) == 1
    world.now += LEAST_GAP_S
    for _ in range(10):
        world.poller.poll()
    assert len(world.asked) == 2
    world.poller.all_users = True
    assert world.pass_time(LEAST_GAP_S) == [LEAST_GAP_S]
    assert world.asked[-1][1], "everyone's ended jobs are others"
    assert world.poller.view.snapshot.all_users


def test_accounting_is_asked_seldom(world: World) -> None:
    moving(world)
    assert world.asked[0][1]
    world.pass_time(ACCOUNTING_S - 1)
    assert not any(accounting for _, accounting in world.asked[1:])
    world.pass_time(1)
    assert world.asked[-1][1]


def test_accounting_is_asked_when_a_job_has_left_the_queue(world: World) -> None:
    world.pass_time(15)
    world.jobs = ()
    world.pass_time(15)
    assert not world.asked[-1][1]
    world.pass_time(60)
    assert world.asked[-1][1]


def test_accounting_that_is_off_is_not_asked_again(world: World) -> None:
    world.accounting = False
    world.pass_time(15)
    asked = len(world.asked)
    world.pass_time(2 * ACCOUNTING_S)
    assert not any(accounting for _, accounting in world.asked[asked:])


def test_a_defect_is_not_taken_for_a_host_out_of_reach(world: World) -> None:
    world.poller._ask = lambda **_: 1 / 0  # type: ignore[assignment]
    world.now += 15
    with pytest.raises(ZeroDivisionError):
        world.poller.poll()
