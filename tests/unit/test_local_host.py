"""This machine as a host."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.common.errors import BatmanError
from slurm.hosts import Host, HostError, LocalHost, pump
from slurm.setup.files import try_files


@pytest.fixture
def host() -> Host:
    return LocalHost()


def test_arguments_are_data_and_never_a_shell_line(host: Host, tmp_path: Path) -> None:
    nasty = ["$(touch hacked)", "; touch hacked", "a b", "'\"", "-n\n", ""]
    code = "import sys, json; print(json.dumps(sys.argv[1:]))"
    done = host.run([sys.executable, "-c", code, *nasty], cwd=str(tmp_path))
    assert done.code == 0
    assert json.loads(done.text) == nasty
    assert list(tmp_path.iterdir()) == []


def test_exit_code_output_input_and_environment(host: Host) -> None:
    code = (
        "import os, sys; sys.stdout.write(sys.stdin.read() + os.environ['MORE']);"
        "sys.stderr.write('bad'); sys.exit(3)"
    )
    done = host.run([sys.executable, "-c", code], stdin=b"in ", env={"MORE": "out"})
    assert (done.code, done.text, done.stderr) == (3, "in out", b"bad")


def test_a_command_that_hangs_is_killed_with_its_children(host: Host, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = f"sleep 600 & echo $! > '{pid_file}'; wait"
    with pytest.raises(HostError, match="did not answer"):
        host.run(["sh", "-c", script], timeout=0.5)
    child = int(pid_file.read_text())
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie"


def test_a_missing_command_is_named(host: Host) -> None:
    with pytest.raises(HostError, match="no-such-command"):
        host.run(["no-such-command"])


def test_files_are_read_from_an_offset_and_copied_whole(host: Host, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    assert host.size(str(file)) is None
    assert host.read(str(file), 0, 10) == b""
    file.write_bytes(b"0123456789")
    assert host.size(str(file)) == 10
    assert host.read(str(file), 4, 3) == b"456"
    assert host.read(str(file), 10, 3) == b""
    host.put(file, str(tmp_path / "there" / "copy"))
    host.get(str(tmp_path / "there" / "copy"), tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"0123456789"
    with pytest.raises(FileNotFoundError):
        host.get(str(tmp_path / "nothing"), tmp_path / "kept")
    assert sorted(entry.name for entry in tmp_path.rglob("*")) == [
        "back", "copy", "events.jsonl", "there",
    ]  # fmt: skip


def test_a_file_that_is_tried_goes_and_comes_back_as_it_was(tmp_path: Path) -> None:
    assert try_files(LocalHost(), str(tmp_path)) == "files are here"

    class Jailed(LocalHost):
        """SFTP is shut into a folder that commands do not know."""

        def put(self, local: Path, remote: str) -> None:
            super().put(local, str(tmp_path / "jail" / Path(remote).name))

    with pytest.raises(HostError, match="not what commands find there") as caught:
        try_files(Jailed(), str(tmp_path))
    assert 'via = "ssh"' in caught.value.hint

    class Talking(LocalHost):
        def read(self, path: str, offset: int, limit: int) -> bytes:
            return b"Hello\n" + super().read(path, offset, limit)[6:]

    with pytest.raises(HostError, match="did not come back as it was sent"):
        try_files(Talking(), str(tmp_path))
    assert [entry.name for entry in tmp_path.iterdir()] == ["jail"]


def test_a_stream_has_time_as_long_as_it_moves(tmp_path: Path) -> None:
    def slowly():
        for number in range(4):
            time.sleep(0.15)
            yield b"%d\n" % number

    got = bytearray()
    done = LocalHost().stream(["cat"], source=slowly(), sink=got.extend, idle=0.4)
    assert (done.code, bytes(got)) == (0, b"0\n1\n2\n3\n")
    with pytest.raises(HostError, match=r"did not answer in 0\.2 s"):
        LocalHost().stream(["sleep", "60"], idle=0.2)

    def full(data: bytes) -> None:
        raise OSError("no room here")

    with pytest.raises(OSError, match="no room here"):
        LocalHost().stream(["echo", "x"], sink=full)


def test_what_goes_wrong_with_the_input_is_told_even_by_an_error_of_the_system(
    host: Host,
) -> None:
    def source() -> Iterator[bytes]:
        yield b"some"
        raise PermissionError("the file cannot be read")

    with pytest.raises(PermissionError, match="cannot be read"):
        host.stream(["cat"], source=source())


def test_a_command_that_ends_with_its_broken_input_does_not_pass_for_one_that_had_all(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Popen(subprocess.Popen[bytes]):
        """A process whose input is closed so slowly that it has ended by then."""

        def __init__(self, *words: Any, **more: Any) -> None:
            super().__init__(*words, **more)
            assert self.stdin is not None
            self.stdin = SlowlyClosed(self.stdin, self)  # type: ignore[assignment]

    class SlowlyClosed:
        def __init__(self, pipe: Any, process: Popen) -> None:
            self.pipe, self.process, self.write = pipe, process, pipe.write

        def __enter__(self) -> SlowlyClosed:
            return self

        def __exit__(self, *_: object) -> None:
            self.close()

        def fileno(self) -> int:
            return int(self.pipe.fileno())

        def close(self) -> None:
            self.pipe.close()
            self.process.wait()
            heard.wait(10)

    def source() -> Iterator[bytes]:
        yield b"some"
        raise BatmanError("It changed while it was sent.")

    monkeypatch.setattr(pump.subprocess, "Popen", Popen)
    heard = threading.Event()
    try:
        with pytest.raises(BatmanError, match="changed while it was sent"):
            host.stream(["cat"], source=source())
    finally:
        heard.set()
