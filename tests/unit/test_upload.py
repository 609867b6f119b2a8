"""Sending a folder: resumed where it broke off, told as it is written, checked."""

from __future__ import annotations

import ast
import itertools
import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.common.errors import BatmanError, Cancelled
from core.common.progress import Progress
from slurm.hosts import Completed, HostError, LocalHost, NotConnected
from slurm.sync import by_files, by_tar
from slurm.sync.pack import Pack, pack_folder
from slurm.sync.receiver import program, receive, shared_folder
from slurm.sync.tar_stream import TarStream
from slurm.sync.upload import send

# What a host without python3 has of what is used there.
_TOOLS = (
    "sh",
    "dd",
    "tar",
    "sha256sum",
    "mktemp",
    "mkdir",
    "rm",
    "mv",
    "wc",
    "df",
    "awk",
    "chmod",
    "sleep",
)


class Cutting(LocalHost):
    """A host whose connection breaks off after so many bytes each; without a number it holds."""

    def __init__(self, *after: int | None) -> None:
        self.after = list(after)
        self.sent: list[int] = []

    def stream(self, argv: Any, *, source: Iterable[bytes] = (), **more: Any) -> Completed:
        most = self.after.pop(0) if self.after else None
        at = len(self.sent)
        self.sent.append(0)

        def pieces() -> Iterator[bytes]:
            for piece in source:
                part = piece if most is None else piece[: most - self.sent[at]]
                self.sent[at] += len(part)
                if part:
                    yield part
                if len(part) < len(piece):
                    return

        done = super().stream(argv, source=pieces(), **more)
        if most is not None:
            raise NotConnected("The connection was cut.")
        return done


@pytest.fixture(params=["files", "tar"])
def way(request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "tar":
        tools = tmp_path / "tools"
        tools.mkdir()
        for name in _TOOLS:
            (tools / name).symlink_to(shutil.which(name) or pytest.fail(f"no {name}"))
        monkeypatch.setenv("PATH", str(tools))
    return str(request.param)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(by_files, "CHUNK", 256 * 1024)
    monkeypatch.setattr(by_tar, "CHUNK", 256 * 1024)
    made = tmp_path / "folder"
    (made / "below").mkdir(parents=True)
    for number in range(40):
        (made / "below" / f"{number} é.jpg").write_bytes(bytes([number]) * 30_000)
    (made / "large").write_bytes(bytes(range(256)) * 24_000)
    (made / "nothing").write_bytes(b"")
    return made


def assert_same(target: Path, folder: Path) -> None:
    names = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    there = {path.relative_to(target) for path in target.rglob("*") if path.is_file()}
    assert there == names | {Path(".manifest")}
    for name in names:
        assert (target / name).read_bytes() == (folder / name).read_bytes()
    assert [entry.name for entry in target.parent.iterdir()] == [target.name]


def asked(way: str) -> list[None]:
    """Return what holds of a `Cutting`: without python3 the question is a stream of its own."""
    return [None] if way == "tar" else []


def size_of(pack: Pack, way: str) -> int:
    return TarStream(pack).size if way == "tar" else pack.size


def test_a_stream_that_is_cut_goes_on_where_it_was(way: str, folder: Path, tmp_path: Path) -> None:
    pack = pack_folder(folder)
    host = Cutting(*asked(way), 1_000_000, *([5_000_001] if way == "tar" else []), 0)
    told: list[Progress] = []
    target = tmp_path / "there" / "x"
    assert send(host, pack, str(target), report=told.append)
    assert_same(target, folder)
    # What is sent twice is less than a block or a small file each time, or a line of a file.
    whole = size_of(pack, way)
    assert whole <= sum(host.sent) < whole + 3 * 64 * 1024
    done = [at.done for at in told]
    assert all(earlier <= later for earlier, later in itertools.pairwise(done)), "as it is written"
    # The far side tells what it has written as often as it is given time to.
    assert len(set(done)) > 3
    assert done[-1] == whole
    assert not send(host, pack, str(target)), "it is there"


def test_a_large_file_that_is_cut_goes_on_inside(folder: Path, tmp_path: Path) -> None:
    pack, target = pack_folder(folder), tmp_path / "there" / "x"
    host = Cutting(5_000_000, 1_000_000)
    assert send(host, pack, str(target))
    assert_same(target, folder)
    # The third sending, and the two that look through what came before.
    assert sum(host.sent) < pack.size + 3 * 64 * 1024


def test_cancelling_leaves_what_is_there(way: str, folder: Path, tmp_path: Path) -> None:
    pack, target = pack_folder(folder), tmp_path / "there" / "x"
    seen: list[int] = []
    with pytest.raises(Cancelled, match="stays there"):
        send(Slow(), pack, str(target), report=lambda at: seen.append(at.done),
             cancelled=lambda: bool(seen) and seen[-1] > 600_000)  # fmt: skip
    assert not target.exists()
    host = Cutting()
    assert send(host, pack, str(target))
    assert sum(host.sent) < size_of(pack, way) - 500_000
    assert_same(target, folder)


class Slow(LocalHost):
    """A host to which a piece goes at a time, when what came before was told to be written."""

    def stream(self, argv: Any, *, source: Iterable[bytes] = (), **more: Any) -> Completed:
        told, sink = threading.Event(), more.pop("sink")

        def pieces() -> Iterator[bytes]:
            for piece in source:
                yield piece
                told.wait(0.3)

        def heard(data: bytes) -> None:
            told.set()
            sink(data)

        return super().stream(argv, source=pieces(), sink=heard, **more)


def test_damage_of_what_is_there_is_found(folder: Path, tmp_path: Path) -> None:
    pack, target = pack_folder(folder), tmp_path / "there" / "x"
    with pytest.raises(NotConnected):
        send(Cutting(1_000_000, *[0] * 9), pack, str(target), patience_s=0)
    parts = tmp_path / "there" / "x.parts"
    came = sorted(path for path in parts.rglob("*.jpg"))
    assert 20 < len(came) < 40
    # Of the right size, and another content; one of another size; and one that is no part of it.
    came[3].write_bytes(b"?" * 30_000)
    came[4].write_bytes(b"?" * 40_000)
    assert send(LocalHost(), pack, str(target))
    assert_same(target, folder)


def test_damage_of_a_tar_stream_is_found(folder: Path, tmp_path: Path, way: str) -> None:
    if way == "files":
        pytest.skip("has no stream")
    pack, target = pack_folder(folder), tmp_path / "there" / "x"
    with pytest.raises(NotConnected):
        send(Cutting(None, 1_000_000, *[0] * 9), pack, str(target), patience_s=0)
    # What is there was damaged meanwhile: it is found, and all of it is sent again.
    with (tmp_path / "there" / "x.part").open("r+b") as file:
        file.seek(300_000)
        file.write(b"damage")
    host = Cutting()
    assert send(host, pack, str(target))
    assert len(host.sent) == 3
    assert size_of(pack, way) < host.sent[2] < size_of(pack, way) + 100
    assert_same(target, folder)


def test_the_begin_of_a_large_file_that_is_damaged_is_not_gone_on_with(
    folder: Path, tmp_path: Path
) -> None:
    pack, target = pack_folder(folder), tmp_path / "there" / "x"
    with pytest.raises(NotConnected):
        send(Cutting(6_000_000, *[0] * 9), pack, str(target), patience_s=0)
    begun = [path for path in (tmp_path / "there" / "x.incoming").iterdir() if path.stat().st_size]
    for path in begun:
        with path.open("r+b") as file:
            file.seek(300_000)
            file.write(b"damage")
    assert begun
    assert send(LocalHost(), pack, str(target))
    assert_same(target, folder)


def test_two_that_send_the_same_at_once(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "there" / "x"
    failed: list[BaseException] = []

    def one() -> None:
        try:
            send(Slow(), pack_folder(folder), str(target))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    for name in ("x.parts", "x.incoming"):
        # One that asked what is there just before another was through made them again.
        assert not any(path.is_file() for path in (tmp_path / "there" / name).rglob("*"))
        shutil.rmtree(tmp_path / "there" / name, ignore_errors=True)
    assert_same(target, folder)


def test_a_file_that_changes_while_it_is_sent_is_told(
    way: str, folder: Path, tmp_path: Path
) -> None:
    pack = pack_folder(folder)
    (folder / "below" / "7 é.jpg").write_bytes(b"x" * 30_000)
    with pytest.raises(BatmanError, match=r"damaged .* twice"):
        send(LocalHost(), pack, str(tmp_path / "there" / "x"))
    assert not (tmp_path / "there" / "x").exists()
    (folder / "below" / "7 é.jpg").write_bytes(b"x" * 20_000)
    with pytest.raises(BatmanError, match=r"7 é.jpg' changed while it was sent"):
        send(LocalHost(), pack, str(tmp_path / "there" / "x"))


def test_a_host_that_cannot_write_says_why(way: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "x.part").mkdir()
    (tmp_path / "there" / "x.parts").write_bytes(b"")
    why = r"[Ii]s a directory" if way == "tar" else "File exists"
    with pytest.raises(HostError, match=f"cannot write .*x.*{why}"):
        send(LocalHost(), pack_folder(folder), str(tmp_path / "there" / "x"))


def test_what_runs_on_hosts_is_python_3_6() -> None:
    text = program.program()
    ast.parse(text, feature_version=(3, 6))
    imports = {
        alias.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import)
        for alias in node.names
    }  # fmt: skip
    assert imports == {"_thread", "fcntl", "hashlib", "os", "sys", "time", "zlib"}


class Commands(LocalHost):
    """A host that notes its commands."""

    def __init__(self) -> None:
        self.began: list[str] = []

    def run(self, argv: Any, **more: Any) -> Completed:
        self.began.append("run")
        return super().run(argv, **more)

    def stream(self, argv: Any, **more: Any) -> Completed:
        self.began.append(str(argv[5]))
        return super().stream(argv, **more)


def test_one_command_asks_takes_looks_through_and_names(
    way: str, folder: Path, tmp_path: Path
) -> None:
    pack, target = pack_folder(folder), tmp_path / "there" / "x"
    with pytest.raises(NotConnected):
        send(Cutting(*asked(way), 3_000_000, *[0] * 9), pack, str(target), patience_s=0)
    # Each command costs a long line two journeys more; without python3 that is found out first.
    once = ["send", *([pack.digest] if way == "tar" else [])]
    host = Commands()
    assert send(host, pack, str(target))
    assert host.began == once
    assert_same(target, folder)
    host = Commands()
    assert not send(host, pack, str(target))
    assert host.began == once


def test_channels_side_by_side_name_the_folder_without_another_command(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_files, "_SOON_S", 0.0)
    monkeypatch.setattr(by_files, "_WORTH_A_LANE", 1_000_000)
    host, target = Commands(), tmp_path / "there" / "x"
    assert send(host, pack_folder(folder), str(target))
    assert sorted(host.began) == ["send", "take", "take", "take"]
    assert_same(target, folder)


def test_without_one_of_its_channels_the_folder_still_gets_its_name(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Few(Commands):
        def stream(self, argv: Any, **more: Any) -> Completed:
            if argv[5] == "take":
                raise HostError("It takes no more sessions.")
            return super().stream(argv, **more)

    monkeypatch.setattr(by_files, "_SOON_S", 0.0)
    monkeypatch.setattr(by_files, "_WORTH_A_LANE", 1_000_000)
    host, target = Few(), tmp_path / "there" / "x"
    assert send(host, pack_folder(folder), str(target))
    assert host.began == ["send", "run"]
    assert_same(target, folder)


class Counted:
    """Counts the files that are read for their sums."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from slurm.sync import sums

        self.read: list[str] = []
        real = sums._read

        def read(path: str) -> tuple[int, str]:
            self.read.append(path)
            return real(path)

        monkeypatch.setattr(sums, "_read", read)


@pytest.fixture
def old(folder: Path) -> Path:
    """Return the folder, its files changed an hour ago."""
    for path in folder.rglob("*"):
        os.utime(path, (time.time() - 3600, time.time() - 3600))
    return folder


def test_unchanged_files_are_read_once(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted(monkeypatch)
    first = pack_folder(old)
    assert len(counted.read) == 42
    again = pack_folder(old)
    assert len(counted.read) == 42
    assert again.digest == first.digest
    # Another run's folder: more links to the same files.
    shutil.copytree(old, tmp_path / "other", copy_function=os.link)
    assert pack_folder(tmp_path / "other").digest == first.digest
    assert pack_folder(old).digest == first.digest
    assert len(counted.read) == 42
    assert pack_folder(old, afresh=True).digest == first.digest
    assert len(counted.read) == 84


@pytest.mark.parametrize("how", ["in place, time kept", "replaced, time kept", "in place"])
def test_a_changed_file_is_read_again(
    how: str, old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pack_folder(old)
    counted = Counted(monkeypatch)
    file = old / "below" / "5 é.jpg"
    before = file.stat()
    new = tmp_path / "new" if how.startswith("replaced") else file
    new.write_bytes(b"y" * 30_000)
    if how.endswith("kept"):
        os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    if new != file:
        new.replace(file)
    assert pack_folder(old).digest != first.digest
    assert counted.read == [str(file)]


def test_a_file_that_just_changed_is_not_known(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack_folder(folder)
    counted = Counted(monkeypatch)
    pack_folder(folder)
    assert len(counted.read) == 42


def test_a_file_is_read_from_any_offset_and_one_that_shrank_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(range(200)))
    file = pack_folder(tmp_path).contents[1]
    assert file.read(150, 100) == bytes(range(150, 200))
    assert file.read(200, 100) == b""
    (tmp_path / "a").write_bytes(b"short")
    with pytest.raises(BatmanError, match="changed while it was sent"):
        file.read(0, 200)
    (tmp_path / "a").unlink()
    with pytest.raises(BatmanError, match="cannot be read"):
        file.read(0, 200)


@pytest.mark.parametrize("name", ["a\nb", "a\x1fb", "a\\b"])
def test_names_that_have_no_place_in_a_manifest_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(BatmanError, match="cannot be sent"):
        pack_folder(tmp_path)


def test_folders_that_another_took_away_are_made_again_and_none_of_it_stays(
    folder: Path, tmp_path: Path
) -> None:
    target = tmp_path / "there" / "x"
    assert send(LocalHost(), pack_folder(folder), str(target))
    # As one does that was still writing when another was through.
    late = tmp_path / "there" / "x.incoming" / "sum.token"
    os.close(shared_folder.opened(os.fsencode(late), os.O_TRUNC))
    shared_folder.write_small(os.fsencode(tmp_path / "there" / "x.parts" / "below" / "a"), b"late")
    assert late.is_file()
    assert not send(LocalHost(), pack_folder(folder), str(target)), "it is there"
    assert [entry.name for entry in target.parent.iterdir()] == ["x"]
    assert_same(target, folder)


def test_what_another_finished_meanwhile_is_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It was there when it was listed, and has its name by now.
    gone = [(b"sum.other.0", os.stat_result((0, 0, 0, 0, 0, 0, 2_000_000, 0, 0, 0)))]
    monkeypatch.setattr(receive, "listed", lambda _: gone)
    assert not receive._copy_begin(os.fsencode(tmp_path), b"sum", 10, b"mine", -1, None)
