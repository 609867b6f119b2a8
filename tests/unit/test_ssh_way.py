"""The hosts that ssh logs in to by itself on its way: each has its own count of logins."""

from __future__ import annotations

import pytest

from slurm.hosts.login.way import jumps_of, on_the_way


@pytest.mark.parametrize(
    ("jump", "command", "hosts"),
    [
        ("", "", []),
        ("none", "none", []),
        ("a", "", ["a"]),
        ("ada@a:2222, b", "", ["ada@a:2222", "b"]),
        ("", "ssh -q -W [%h]:%p gate", ["gate"]),
        ("", "/usr/bin/ssh -p 2222 -l ada -W %h:%p -o 'User x' gate", ["ada@gate:2222"]),
        ("", "ssh gate nc %h %p", ["gate"]),
        ("none", "exec ssh gate", []),
        ("", "nc -X 5 -x proxy:1080 %h %p", []),
        ("", "ssh", []),
        ("", "ssh -W %h:%p 'gate", []),
        ("", "corkscrew proxy 8080 %h %p", []),
    ],
)
def test_hosts_on_the_way(jump: str, command: str, hosts: list[str]) -> None:
    assert jumps_of(jump, command) == hosts


def test_the_first_one_may_have_a_way_of_its_own() -> None:
    told = {
        "b": {"hostname": "b.example", "port": "22", "proxyjump": "unused"},
        "a": {"hostname": "a.example", "port": "2222", "proxyjump": "front"},
        "front": {"hostname": "f.example", "port": "22"},
    }
    assert on_the_way({"proxyjump": "a,b"}, told.__getitem__) == [
        ("front", "f.example:22"), ("a", "a.example:2222"), ("b", "b.example:22"),
    ]  # fmt: skip


def test_a_host_that_is_sent_through_itself_ends() -> None:
    told = {"hostname": "a", "port": "22", "proxyjump": "a"}
    assert 0 < len(on_the_way(told, lambda _: told)) < 20
