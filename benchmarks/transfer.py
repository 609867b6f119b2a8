"""Sending a data set and fetching a checkpoint over SSH, beside `tar | ssh` and `rsync`.

    python benchmarks/transfer.py [PICTURES] [DELAY_MS …]

Needs root and an sshd here, and rsync for its row. It goes to an sshd of our own on loopback,
through a relay that holds each byte for half the delay on each way, so that the windows of TCP and
SSH are waited for as on a long line. Each row is a median of three, ours and the peers' in turn:

- PICTURES files of 34 kB (default 2000) sent for the first time, their check included, by paramiko
  and by the system's ssh (limit: at least 0.9 of the faster peer's speed);
- the same once more, when all of it is there (limit: 1 s);
- what is missing after a cut in the middle, against as many files alone, sent for the first time in
  the same turn (limit: 1.1 times as long);
- a checkpoint of 128 MB fetched (limit as for sending).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "cluster")]

ROUNDS = 3
PICTURE, CHECKPOINT = 34_000, 128_000_000
SHARE, AGAIN_S, AFTER_CUT = 0.9, 1.0, 1.1


async def relay(port: int, delay_s: float) -> None:
    """Pass connections on to `port`, each byte after the delay of one way; print the own port."""

    async def one_way(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        due: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def write() -> None:
            while True:
                at, data = await due.get()
                await asyncio.sleep(max(0.0, at - time.monotonic()))
                if not data:
                    writer.close()
                    return
                writer.write(data)
                await writer.drain()

        task = asyncio.create_task(write())
        while data := await reader.read(256 * 1024):
            due.put_nowait((time.monotonic() + delay_s, data))
        due.put_nowait((time.monotonic() + delay_s, b""))
        await task

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(OSError):
            await asyncio.gather(one_way(reader, there[1]), one_way(there[0], writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def a_line(port: int, delay_ms: float) -> Iterator[int]:
    """Yield a port that leads to `port` over a line with a delay there and back."""
    if not delay_ms:
        yield port
        return
    words = [sys.executable, __file__, "--relay", str(port), str(delay_ms / 2000)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def timed(action: Callable[[], object]) -> float:
    """Return the seconds that `action` takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def shell(line: str) -> Callable[[], object]:
    """Return what runs a line of shell, which must succeed."""
    return lambda: subprocess.run(["bash", "-o", "pipefail", "-c", line], check=True)


class Cut(Exception):
    """Sending was broken off."""


class CutInTheMiddle:
    """A host to which no more than so many bytes get through, over all its channels together."""

    def __init__(self, host: Any, most: float) -> None:
        self._host, self._left, self._lock = host, most, threading.Lock()
        self.name, self.run = host.name, host.run

    def stream(self, argv: Any, *, source: Iterable[bytes], **more: Any) -> Any:
        """See `Host.stream`."""

        def pieces() -> Iterator[bytes]:
            for piece in source:
                with self._lock:
                    self._left -= len(piece)
                    if self._left < 0:
                        raise Cut
                yield piece

        return self._host.stream(argv, source=pieces(), **more)


def part_of(pictures: Path, share: float, place: Path) -> Path:
    """Return `place` with links to a share of the pictures, and nothing else in it."""
    shutil.rmtree(place, ignore_errors=True)
    every = sorted(pictures.rglob("*.jpg"))
    for picture in every[: round(share * len(every))]:
        link = place / picture.relative_to(pictures)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.hardlink_to(picture)
    return place


def receives(server: Any, place: str) -> bool:
    """Return whether something below the sshd still receives what is to be `place`."""
    import psutil

    for process in psutil.Process(server.process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if place in process.cmdline():
                return True
    return False


def measure(server: Any, port: int, folder: Path, delay: float) -> list[str]:
    """Print the figures of one delay; return what is beyond its limit."""
    from slurm_cluster import wait_for

    from slurm.hosts.openssh import OpenSshHost
    from slurm.hosts.ssh import SshHost
    from slurm.sync.pack import pack_folder
    from slurm.sync.upload import send

    (server.folder / "ssh_config").unlink(missing_ok=True)
    config = server.client("far", f"Port {port}", "StrictHostKeyChecking accept-new")
    pictures, there = folder / "pictures", folder / "there"
    ssh = f"ssh -F {config} -o BatchMode=yes"
    over: list[str] = []

    def fresh() -> str:
        shutil.rmtree(there, ignore_errors=True)
        there.mkdir()
        return f"{there}/{secrets.token_hex(4)}"

    def judge(what: str, seconds: float, limit: float) -> None:
        bad = seconds > limit
        print(f"{delay:4.0f} ms  {what:44} {seconds:6.2f} s  limit {limit:6.2f} s"
              f"{'  OVER' if bad else ''}", flush=True)  # fmt: skip
        if bad:
            over.append(f"{delay:g} ms {what}")

    def tar() -> None:
        place = fresh()
        shell(f"tar -C '{pictures}' -c . | {ssh} far 'mkdir -p {place}; tar -C {place} -x'")()

    def rsync() -> None:
        shell(f"rsync -a -e '{ssh}' '{pictures}/' 'far:{fresh()}/'")()

    hosts = {"paramiko": SshHost("far", config=config), "ssh": OpenSshHost("far", config=config)}
    for host in hosts.values():
        host.run(["true"])
    sends: dict[str, list[float]] = {name: [] for name in ("tar", "rsync", *hosts)}
    for _ in range(ROUNDS):
        sends["tar"].append(timed(tar))
        if shutil.which("rsync"):
            sends["rsync"].append(timed(rsync))
        for name, host in hosts.items():
            place = fresh()
            # As if never sent: the sums of the files are not known either.
            shutil.rmtree(folder / "cache", ignore_errors=True)
            sends[name].append(timed(lambda h=host, p=place: send(h, pack_folder(pictures), p)))
    peer = min(median(sends[name]) for name in ("tar", "rsync") if sends[name])
    print(f"{delay:4.0f} ms  {'peers: ' + ', '.join(f'{n} {median(sends[n]):.2f} s' for n in ('tar', 'rsync') if sends[n])}")  # fmt: skip  # noqa: E501
    for name, host in hosts.items():
        whole = median(sends[name])
        judge(f"sent by {name}", whole, peer / SHARE)
        again: list[float] = []
        shares: list[float] = []
        rests: list[float] = []
        alone: list[float] = []
        for _ in range(ROUNDS):
            place = fresh()
            send(host, pack_folder(pictures), place)
            again.append(timed(lambda h=host, p=place: send(h, pack_folder(pictures), p)))
            place = fresh()
            with contextlib.suppress(Cut):
                pack = pack_folder(pictures)
                send(CutInTheMiddle(host, pack.size / 2), pack, place)  # type: ignore[arg-type]
            # What was on its way yet would stand in the way of what is measured.
            wait_for("the end of what was cut", lambda p=place: not receives(server, p), 60)
            missing: list[float] = []

            def first(at: Any, missing: list[float] = missing) -> None:
                if at.stage.startswith("sending"):
                    missing.append(1 - at.done / at.total)

            rests.append(
                timed(lambda h=host, p=place, f=first: send(h, pack_folder(pictures), p, report=f))
            )
            shares.append(missing[0])
            few = part_of(pictures, missing[0], folder / "few")
            shutil.rmtree(folder / "cache", ignore_errors=True)
            place = fresh()
            alone.append(timed(lambda h=host, p=place, f=few: send(h, pack_folder(f), p)))
        judge(f"again by {name}", median(again), AGAIN_S)
        # How much of it comes through differs from time to time, so that each has its own peer.
        half = median(alone)
        judge(f"after a cut, {median(shares):.0%} missing, by {name}",
              median(rest / one for rest, one in zip(rests, alone, strict=True)) * half,
              half * AFTER_CUT)  # fmt: skip
    checkpoint = folder / "checkpoint"

    def cat() -> None:
        shell(f"{ssh} far 'cat {checkpoint}' > {folder}/back")()

    gets: dict[str, list[float]] = {name: [] for name in ("cat", *hosts)}
    for _ in range(ROUNDS):
        gets["cat"].append(timed(cat))
        for name, host in hosts.items():
            gets[name].append(timed(lambda h=host: h.get(str(checkpoint), folder / "back")))
    print(f"{delay:4.0f} ms  peer: ssh cat {median(gets['cat']):.2f} s")
    for name, host in hosts.items():
        judge(f"a checkpoint fetched by {name}", median(gets[name]), median(gets["cat"]) / SHARE)
        host.close()
    return over


def place_for(size: int) -> str:
    """Return where both sides' files lie: in memory where there is room, for one disk that writes
    behind for all of them would be what is measured.
    """
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > size else "/tmp"


def main() -> int:
    """Measure for each delay."""
    from sshd_server import Sshd, why_not

    if sys.argv[1:2] == ["--relay"]:
        asyncio.run(relay(int(sys.argv[2]), float(sys.argv[3])))
        return 0
    pictures = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    delays = [float(word) for word in sys.argv[2:]] or [0.0, 20.0, 100.0]
    reason = why_not()
    if reason:
        print(f"not run: {reason}")
        return 0
    over: list[str] = []
    with tempfile.TemporaryDirectory(dir=place_for(4 * pictures * PICTURE)) as name:
        folder = Path(name)
        os.environ["BATMAN_CACHE_DIR"] = str(folder / "cache")
        for number in range(pictures):
            place = folder / "pictures" / f"{number // 500:03}"
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number:05}.jpg").write_bytes(secrets.token_bytes(PICTURE))
        (folder / "checkpoint").write_bytes(secrets.token_bytes(CHECKPOINT))
        server = Sshd(folder / "sshd")
        try:
            for delay in delays:
                shutil.rmtree(folder / "cache", ignore_errors=True)
                with a_line(server.port, delay) as port:
                    over += measure(server, port, folder, delay)
        finally:
            server.stop()
    print(f"over the limit: {', '.join(over)}" if over else "all within their limits")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
