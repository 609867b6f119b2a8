"""Fetching by a command: with the host's python3, and without one."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from slurm.hosts import LocalHost, command_files
from slurm.hosts.base import HostError

_TOOLS = ("sh", "tee", "sha256sum", "cat", "tail", "head")


@pytest.fixture(params=["python3", "no python3"])
def host(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> LocalHost:
    tools = tmp_path / "tools"
    tools.mkdir()
    if request.param == "python3":
        (tools / "python3").symlink_to(Path(sys.executable).resolve())
    for name in _TOOLS:
        (tools / name).symlink_to(shutil.which(name) or pytest.fail(f"no {name}"))
    monkeypatch.setenv("PATH", str(tools))
    return LocalHost()


@pytest.mark.parametrize("size", [0, 1, 3_000_001])
def test_a_file_is_fetched_whole(host: LocalHost, size: int, tmp_path: Path) -> None:
    content = (bytes(range(251)) * (size // 251 + 1))[:size]
    there = tmp_path / 'it\'s a "file"'
    there.write_bytes(content)
    command_files.get(host, str(there), tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == content
    assert command_files.read(host, str(there), 1, 10) == content[1:11]


def test_what_cannot_be_fetched_is_told(host: LocalHost, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        command_files.get(host, str(tmp_path / "none"), tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_what_is_printed_between_is_found(host: LocalHost, tmp_path: Path) -> None:
    class Printing(LocalHost):
        def stream(self, argv, *, source=(), sink=None, **more):  # type: ignore[no-untyped-def]
            assert sink is not None
            sink(b"Welcome!")
            return super().stream(argv, source=source, sink=sink, **more)

    (tmp_path / "there").write_bytes(b"x" * 100_000)
    with pytest.raises(HostError, match="arrived damaged"):
        command_files.get(Printing(), str(tmp_path / "there"), tmp_path / "back")
    assert not (tmp_path / "back").exists()
