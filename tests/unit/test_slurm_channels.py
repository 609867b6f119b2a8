"""Room for channels on one connection: shared, learnt from refusals, tried again."""

from __future__ import annotations

import threading

import pytest

from slurm.hosts import ssh_channels
from slurm.hosts.ssh_channels import Room


def test_the_last_place_is_waited_for() -> None:
    room = Room(2)
    assert room.take()
    assert room.take()
    assert not room.take(0.01)
    got = threading.Event()
    threading.Thread(target=lambda: room.take(30) and got.set(), daemon=True).start()
    room.give()
    assert got.wait(30)


def test_a_refusal_shows_how_many_there_may_be() -> None:
    room = Room(6)
    for _ in range(3):
        room.take()
    room.refused()
    assert room.most == 2
    assert not room.take()
    room.give()
    assert room.take()


def test_one_at_least_is_tried_always() -> None:
    room = Room(6)
    room.take()
    room.refused()
    assert room.most == 1
    assert room.take()


def test_one_more_is_tried_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(ssh_channels.time, "monotonic", lambda: now[0])
    room = Room(3)
    room.take()
    room.refused()
    room.take()
    assert not room.take()
    now[0] += 61
    assert room.take()
    assert (room.most, room.take()) == (2, False)
    now[0] += 61
    assert room.take()
    now[0] += 61
    assert (room.most, room.take()) == (3, False)
