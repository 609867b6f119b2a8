"""Going on with a sending: what the receiver noted is not read again, and only what it noted."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import secrets
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.common.progress import Progress
from slurm.hosts import Completed, HostError, LocalHost, NotConnected
from slurm.sync import by_files
from slurm.sync.pack import MANIFEST, pack_folder
from slurm.sync.receiver import notes, receive, shared_folder
from slurm.sync.upload import send

FILES, SIZE = 200, 30_000


class Cut(LocalHost):
    """A host whose connection breaks off after so many bytes."""

    def __init__(self, after: int) -> None:
        self.left = after

    def stream(self, argv: Any, *, source: Iterable[bytes] = (), **more: Any) -> Completed:
        def pieces() -> Iterator[bytes]:
            for piece in source:
                part = piece[: self.left]
                self.left -= len(part)
                yield part
                if len(part) < len(piece):
                    return

        super().stream(argv, source=pieces(), **more)
        raise NotConnected("The connection was cut.")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(by_files, "CHUNK", 256 * 1024)
    # One channel, however busy the machine is.
    monkeypatch.setattr(by_files, "_SOON_S", 60.0)
    made = tmp_path / "folder"
    (made / "below").mkdir(parents=True)
    for number in range(FILES):
        (made / "below" / f"{number:03}.jpg").write_bytes(secrets.token_bytes(SIZE))
    (made / "large").write_bytes(secrets.token_bytes(3_000_000))
    return made


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "there" / "sent"


def cut(folder: Path, target: Path, after: int = 5_000_000) -> list[Path]:
    """Send so much of the folder; return the small files that are there then."""
    with pytest.raises(NotConnected):
        send(Cut(after), pack_folder(folder), str(target), patience_s=0)
    return there(target)


def there(target: Path) -> list[Path]:
    return sorted(target.with_name("sent.parts").rglob("*.jpg"))


def incoming(target: Path) -> Path:
    return target.with_name("sent.incoming")


def noted(target: Path) -> set[bytes]:
    return noted_in(incoming(target))


def noted_in(folder: Path) -> set[bytes]:
    place = os.fsencode(folder)
    return notes.noted(place, shared_folder.listed(place), notes.notes_begin())


def is_noted(path: Path, known: set[bytes]) -> bool:
    """Return whether a file is vouched for with the content that it has."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest().encode()
    return notes.note(path.lstat(), digest) in known


def damage(path: Path, at: int = 0) -> None:
    """Turn one byte over, size and time of the content kept, once the clock of inodes went on."""
    before = path.stat()
    while path.stat().st_ctime_ns == before.st_ctime_ns:
        data = bytearray(path.read_bytes()[:SIZE])
        data[at] ^= 0xFF
        with path.open("r+b") as file:
            file.write(data)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def assert_same(target: Path, folder: Path, but: str = "") -> None:
    for path in folder.rglob("*"):
        if path.is_file() and path.name != but:
            assert (target / path.relative_to(folder)).read_bytes() == path.read_bytes(), path
    assert [entry.name for entry in target.parent.iterdir()] == ["sent"]


def test_what_was_written_is_noted_and_so_is_what_was_read_again(
    folder: Path, target: Path
) -> None:
    came = cut(folder, target)
    known = noted(target)
    assert all(is_noted(path, known) for path in came), "what ends by itself notes all of it"
    # As after a start of the machine: it is read, and noted anew.
    for file in incoming(target).glob("notes.*"):
        file.write_bytes(file.read_bytes().replace(b"notes 1 ", b"notes 1 another "))
    assert not noted(target)
    parts, beside = (os.fsencode(target.with_name(f"sent.{end}")) for end in ("parts", "incoming"))
    digest = pack_folder(folder).digest
    own = notes.Notes(beside, b"again", notes.notes_begin())
    check = receive._Check(parts, shared_folder.listed(parts), digest, own, set())
    check.start(receive._manifest(parts, digest))
    assert check.over(60)
    known = noted(target)
    assert all(is_noted(path, known) for path in came)
    assert send(LocalHost(), pack_folder(folder), str(target))
    assert_same(target, folder)


def test_a_large_file_is_noted_under_its_name(folder: Path, target: Path) -> None:
    (folder / "zz").write_bytes(secrets.token_bytes(3_000_000))
    cut(folder, target, FILES * SIZE + 4_000_000)
    large = target.with_name("sent.parts") / "large"
    assert is_noted(large, noted(target))


@pytest.mark.parametrize("time_kept", [True, False])
def test_what_was_changed_since_it_was_noted_is_found(
    time_kept: bool, folder: Path, target: Path
) -> None:
    came = cut(folder, target)
    assert is_noted(came[7], noted(target))
    damage(came[7], at=SIZE // 2)
    if not time_kept:
        os.utime(came[7])
    assert send(LocalHost(), pack_folder(folder), str(target))
    assert_same(target, folder)


def as_it_is(file: Path) -> None:
    pass


def torn(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def of_another_start(file: Path) -> None:
    begin, _, rest = file.read_bytes().partition(b"\n")
    file.write_bytes(begin[:-1] + b"?\n" + rest)


def of_another_version(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"notes 1 ", b"notes 2 "))


def open_to_others(file: Path) -> None:
    file.chmod(0o620)


def of_another_person(file: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give a file away")
    os.chown(file, os.geteuid() + 1, -1)


def empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize(
    "how",
    [as_it_is, torn, of_another_start, of_another_version, open_to_others, of_another_person,
     empty],
)  # fmt: skip
def test_a_note_is_believed_where_it_holds_and_nowhere_else(
    how: Callable[[Path], None], folder: Path, target: Path
) -> None:
    came = cut(folder, target)
    # A false note shows what is believed: the damage is not found then.
    damage(came[3])
    right = hashlib.sha256((folder / "below" / came[3].name).read_bytes()).hexdigest().encode()
    false = incoming(target) / "notes.false"
    false.write_bytes(
        notes._VERSION + Path(notes._BOOT).read_bytes().strip() + b"\n"
        + notes.note(came[3].lstat(), right) + b"\n"
    )  # fmt: skip
    false.chmod(0o600)
    how(false)
    assert send(LocalHost(), pack_folder(folder), str(target))
    if how is as_it_is:
        with pytest.raises(AssertionError, match=came[3].name):
            assert_same(target, folder)
    assert_same(target, folder, but=came[3].name if how is as_it_is else "")


def test_where_the_system_tells_no_start_nothing_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"content")

    def write() -> set[bytes]:
        own = notes.Notes(os.fsencode(tmp_path), b"own", notes.notes_begin())
        own.add(os.fsencode(file), b"sum")
        own.write()
        return noted_in(tmp_path)

    assert len(write()) == 1
    monkeypatch.setattr(notes, "_BOOT", str(tmp_path / "nothing"))
    assert not write()
    assert not noted_in(tmp_path)


def test_notes_that_cannot_be_written_are_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    own = notes.Notes(os.fsencode(tmp_path / "gone"), b"own", notes.notes_begin())
    for _ in range(2):
        own.add(os.fsencode(tmp_path / "file"), b"sum")
        own.write()
    own.add(os.fsencode(tmp_path / "gone" / "file"), b"sum")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("seed", range(6))
def test_a_receiver_that_is_killed_has_noted_nothing_but_the_truth(
    seed: int, folder: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_files, "_SOON_S", 0.0)
    monkeypatch.setattr(by_files, "_WORTH_A_LANE", 4_000_000)
    chance = random.Random(seed)
    pack = pack_folder(folder)
    sums = {file.name: file.digest.encode() for file in pack.contents}
    for _ in range(4):
        killed: list[int] = []
        at = chance.uniform(0.1, 0.9) * pack.size

        def kill(now: Progress, at: float = at, killed: list[int] = killed) -> None:
            """Kill a process that writes there, or all of them, once so much is written."""
            for process in psutil.Process().children() if now.done > at and not killed else []:
                with contextlib.suppress(psutil.Error):
                    if str(target) in process.cmdline():
                        process.kill()
                        killed.append(process.pid)
                        if chance.random() < 0.5:
                            return

        with contextlib.suppress(HostError):
            send(LocalHost(), pack, str(target), report=kill)
        if target.exists():
            break
        known, came = noted(target), there(target)
        vouched = [path for path in came if is_noted(path, known)]
        for path in came:
            # Never with the sum that it should have, where its content is another.
            name = str(path.relative_to(target.with_name("sent.parts")))
            if notes.note(path.lstat(), sums[name]) in known:
                assert path in vouched
        if vouched:
            damage(chance.choice(vouched), at=chance.randrange(SIZE))
    # Little may have been left for the last one, which then came to its end before it was killed.
    whole = target.exists()
    assert send(LocalHost(), pack_folder(folder), str(target)) is not whole
    assert_same(target, folder)
    assert (target / MANIFEST).is_file()
