"""A file that grows elsewhere, copied: whatever is cut or killed, nothing is lost or doubled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.common.errors import RunError
from core.common.files import write_json
from slurm.hosts import NotConnected
from slurm.sync import tail_copy
from slurm.sync.mirror_state import FILE, MirrorState
from slurm.sync.tail_copy import Grown, grow


class _There:
    """A host with one file, which can be cut off after so many bytes were read."""

    name = "there"

    def __init__(self, data: bytes = b"") -> None:
        self.data = data
        self.left: int | None = None

    def size(self, path: str) -> int | None:
        return len(self.data)

    def read(self, path: str, offset: int, limit: int) -> bytes:
        data = self.data[offset : offset + limit]
        if self.left is not None:
            if self.left < len(data):
                raise NotConnected("The connection was cut.")
            self.left -= len(data)
        return data


There: Any = _There  # for a Host, of which it has what is asked here


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tail_copy, "CHUNK", 10)
    return tmp_path / "copy"


def nothing() -> None:
    pass


def test_a_cut_between_two_parts_doubles_nothing(here: Path) -> None:
    host, grown = There(b"0123456789" * 5), Grown()
    host.left = 25
    with pytest.raises(NotConnected):
        grow(host, "x", here, grown, nothing)
    assert (here.read_bytes(), grown.there) == (b"0123456789" * 2, 20)
    host.left = None
    host.data += b"more"
    grow(host, "x", here, grown, nothing)
    assert here.read_bytes() == host.data


def test_killed_before_it_was_noted_nothing_is_doubled(here: Path) -> None:
    host, noted = There(b"one\ntwo\nthree\nfour\nfive\n"), Grown()

    class Killed(BaseException):
        pass

    def killed() -> None:
        raise Killed

    with pytest.raises(Killed):
        grow(host, "x", here, Grown(0, 0), killed, whole_lines=True)
    assert here.read_bytes()
    noted = Grown(0, 0)
    # A part that was written to the disk by half only is gone on with as well.
    here.write_bytes(here.read_bytes()[:-2])
    grow(host, "x", here, noted, nothing, whole_lines=True)
    assert here.read_bytes() == host.data
    assert (noted.there, noted.here) == (len(host.data), len(host.data))


def test_what_was_added_here_stays_and_is_not_taken_for_a_copy(here: Path) -> None:
    host, grown = There(b"one\n"), Grown()
    grow(host, "x", here, grown, nothing)
    with here.open("ab") as file:
        file.write(b"ours\n")
    host.data += b"two\n"
    grow(host, "x", here, grown, nothing)
    host.data += b"six\n"
    grow(host, "x", here, grown, nothing)
    assert here.read_bytes() == b"one\nours\ntwo\nsix\n"


def test_a_line_that_is_being_written_is_left_for_later(here: Path) -> None:
    host, grown = There(b"one\ntw"), Grown()
    grow(host, "x", here, grown, nothing, whole_lines=True)
    assert here.read_bytes() == b"one\n"
    host.data += b"o\n"
    grow(host, "x", here, grown, nothing, whole_lines=True)
    assert here.read_bytes() == b"one\ntwo\n"


def test_a_shorter_file_is_another_one(here: Path) -> None:
    host, grown = There(b"a long log\n"), Grown()
    grow(host, "x", here, grown, nothing)
    host.data = b"anew\n"
    grow(host, "x", here, grown, nothing)
    assert here.read_bytes() == b"anew\n"


def test_what_was_noted_is_read_again_whoever_wrote_it(tmp_path: Path) -> None:
    state = MirrorState(events=Grown(5, 6), log_path="/logs/job_1.log", files={"a": [1.0, 2.0]})
    state.save(tmp_path)
    assert MirrorState.load(tmp_path) == state
    # As versions before wrote it.
    write_json(tmp_path / FILE, {"events": 7, "log": 8, "files": {}})
    assert MirrorState.load(tmp_path) == MirrorState(events=Grown(7), log=Grown(8))
    (tmp_path / FILE).write_text("{torn")
    # Taken for nothing, it would have all that is here copied behind itself once more.
    with pytest.raises(RunError, match="is not known"):
        MirrorState.load(tmp_path)
