"""What an hour costs a cluster: logins, commands and bytes, on a real SLURM and sshd.

    python benchmarks/cluster_hour.py [MINUTES]

Needs root, SLURM, MariaDB and sshd here, as tests/cluster does. Every command and every byte is
real; the clocks by which Batman decides when to ask are turned ahead second by second instead of
waited for, and of MINUTES (default 20) the figures are counted up to an hour. Prints, for each of

- the jobs screen open with nothing in the queue, and with 20 jobs and the log of one shown;
- ten runs followed by the app;
- an outage of ten minutes meanwhile;
- a server that refuses the key, and one that ends every connection,

the logins, compared with the server's own log (limit: four in any minute; one for a key that is
refused), commands, file operations, and bytes both ways.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "cluster")]

RUNS, JOBS = 10, 20


class Clock:
    """Stands for the module `time` where Batman looks what time it is."""

    def __init__(self) -> None:
        self.now = time.time()

    def time(self) -> float:
        """Return the time it is here."""
        return self.now

    monotonic = time


class Counts:
    """What a scene cost; `stamps` are the times of its logins."""

    def __init__(self) -> None:
        self.commands = self.files = self.sent = self.received = self.logins = 0
        self.stamps: list[float] = []


class Counted:
    """A socket that counts what goes over it."""

    def __init__(self, real: socket.socket, counts: Counts) -> None:
        self._real, self._counts = real, counts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def send(self, data: bytes) -> int:
        """Send and count."""
        done = self._real.send(data)
        self._counts.sent += done
        return done

    def recv(self, limit: int) -> bytes:
        """Receive and count."""
        data = self._real.recv(limit)
        self._counts.received += len(data)
        return data


def counted_host(name: str, counts: Counts, clock: Clock) -> Any:
    """Return a host that counts what it does."""
    from slurm.hosts.ssh import SshHost

    class Host(SshHost):
        def _socket(self, *words: Any) -> Any:
            made = Counted(super()._socket(*words), counts)
            counts.stamps.append(clock.now)
            counts.logins += 1
            return made

        def _talk(self, *words: Any) -> bytes:
            said = super()._talk(*words)
            counts.commands += 1
            return said

        def _with_sftp(self, *words: Any) -> Any:
            done = super()._with_sftp(*words)
            counts.files += 1
            return done

    return Host(name)


@contextmanager
def turned(clock: Clock) -> Iterator[None]:
    """Let the modules that decide when to ask look at `clock`."""
    from slurm.hosts.login import limit, reconnect
    from slurm.watch import cluster_jobs

    kept = (reconnect.time, cluster_jobs.time, reconnect.Logins)
    reconnect.time = cluster_jobs.time = clock  # type: ignore[assignment]
    reconnect.Logins = partial(limit.Logins, clock=clock.time)  # type: ignore[assignment,misc]
    try:
        yield
    finally:
        reconnect.time, cluster_jobs.time, reconnect.Logins = kept  # type: ignore[misc]


def watched(
    host: Any, clock: Clock, workspace: Any, minutes: float, each: Callable[[float], None]
) -> None:
    """Have the app's watcher look at the cluster for so many minutes; `each` runs each second."""
    from slurm.site.profiles import Profile
    from slurm.watch.queue_watcher import QueueWatcher

    class Viewer:
        attention = "watching"

        def told(self, *_: object) -> None:
            pass

    watcher = QueueWatcher(workspace, lambda _: host, lambda look: look())
    cluster = watcher.show(Profile(name="bat", host=host.name), Viewer())
    cluster.poller._clock = clock.monotonic
    start = clock.now
    while clock.now - start < minutes * 60:
        watcher.tick()
        each(clock.now - start)
        clock.now += 1.0


def follow(host: Any, log: str) -> Callable[[float], None]:
    """Return what looks at a log, as the jobs screen does for the job that is chosen."""
    from batman_tui.jobs.details import LOG_SECONDS
    from slurm.hosts import HostError
    from slurm.queue.job_detail import JobLog

    tail = JobLog(host, log)

    def look(at: float) -> None:
        if at % LOG_SECONDS == 0:
            with suppress(HostError):
                tail.poll()

    return look


def say(what: str, counts: Counts, minutes: float) -> None:
    """Print what a scene cost, and fail beyond the limits."""
    hour = 60 / minutes
    most = max((sum(a <= b < a + 60 for b in counts.stamps) for a in counts.stamps), default=0)
    print(
        f"{what:32} {counts.logins:3} logins (most in a minute {most}), an hour:"
        f" {counts.commands * hour:6.0f} commands {counts.files * hour:6.0f} file operations"
        f" {counts.sent * hour / 1000:8.0f} kB there {counts.received * hour / 1000:8.0f} kB back"
    )
    assert most <= 4, "more than four logins a minute"
    assert "refused" not in what or counts.logins == 1, "a login that failed is not tried again"


def ten_runs(cluster: Any, workspace: Any, there: Path) -> Callable[[float], None]:
    """Make ten runs that a cluster trains, whose events and logs grow; return what grows them."""
    from slurm.job.record import JobRecord, write_record

    folders = []
    for number in range(RUNS):
        name = f"run-{number}"
        folder = there / name
        folder.mkdir(parents=True)
        (folder / "events.jsonl").touch()
        log = there / f"{name}.log"
        job = cluster.call(
            "sbatch", "--parsable", "--gres=gpu:0", "-p", "gpu", "--mem=1M", "-o", str(log),
            "--wrap", "sleep 3000",
        ).strip()  # fmt: skip
        here = workspace.runs_dir / name
        here.mkdir(parents=True)
        (here / "training_config.json").write_text("{}")
        write_record(here, JobRecord(
            cluster="bat", host="bat", token=f"t{number}", run_dir=str(folder), log=str(log),
            marker=str(there / "m"), submitted_at=time.time() - 600, job_id=job,
        ))  # fmt: skip
        folders.append((folder, log))

    def grow(at: float) -> None:
        if at % 5 == 0:
            for folder, log in folders:
                with (folder / "events.jsonl").open("a") as file:
                    file.write(f'{{"type":"step","epoch":1,"step":{at:.0f},"loss":0.5}}\n')
                with log.open("a") as file:
                    file.write(f"epoch 1 step {at:.0f} loss 0.5\n")

    return grow


def refusing() -> tuple[socket.socket, list[float]]:
    """Serve connections that are ended at once."""
    server, came = socket.create_server(("127.0.0.1", 0)), []

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            came.append(time.time())
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    return server, came


def main() -> int:
    """Measure on a cluster of our own."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    from slurm_cluster import Cluster, why_not

    reason = why_not()
    if reason:
        print(f"not run: {reason}")
        return 0
    cluster = Cluster()
    with tempfile.TemporaryDirectory() as folder:
        try:
            with turned(Clock()):
                measure(cluster, Path(folder), minutes)
        finally:
            cluster.close()
    return 0


def measure(cluster: Any, folder: Path, minutes: float) -> None:
    """Play each scene and print what it cost."""
    from core.common.workspace import Workspace

    home = folder / "home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    os.environ["HOME"] = str(home)
    os.environ.pop("SSH_AUTH_SOCK", None)
    server, came = refusing()
    key = " ".join((cluster.root / "ssh" / "host.pub").read_text().split()[:2])
    port, shut = cluster.ports["ssh"], server.getsockname()[1]
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / "other")], check=True
    )
    (home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{port} {key}\n")
    (home / ".ssh" / "config").write_text(
        f"Host bat\n  Port {port}\n  IdentityFile {cluster.root}/ssh/client\n"
        f"Host refused\n  Port {port}\n  IdentityFile {home}/other\nHost ended\n  Port {shut}\n"
        "Host *\n  HostName 127.0.0.1\n  User root\n"
    )
    clock = Clock()

    def scene(
        what: str, name: str = "bat", runs: bool = False, busy: bool = False, outage: bool = False
    ) -> None:
        from slurm.hosts.login import limit, reconnect

        reconnect.time = clock  # type: ignore[assignment]
        reconnect.Logins = partial(limit.Logins, clock=clock.time)  # type: ignore[assignment,misc]
        counts = Counts()
        workspace = Workspace(folder / what.replace(" ", "-"))
        host = counted_host(name, counts, clock)
        looks: list[Callable[[float], None]] = []
        if runs:
            looks.append(ten_runs(cluster, workspace, folder / f"there-{what.replace(' ', '-')}"))
        if busy:
            log = folder / "log"
            log.write_text("begun\n")
            looks.append(follow(host, str(log)))

        def each(at: float) -> None:
            if outage and at == 60:
                cluster.stop_sshd()
            if outage and at == 660:
                cluster.start_sshd()
            for look in looks:
                look(at)

        before = (cluster.root / "sshd.out").read_text(errors="replace").count("Accepted")
        watched(host, clock, workspace, minutes, each)
        after = (cluster.root / "sshd.out").read_text(errors="replace").count("Accepted")
        host.close()
        if name == "bat":
            assert counts.logins == after - before, (counts.logins, after - before)
        say(what, counts, minutes)
        clock.now += 120

    scene("open, idle")
    for _ in range(JOBS):
        cluster.call("sbatch", "--hold", "-p", "gpu", "--mem=1M", "--wrap", "sleep 60")
    scene("open, 20 jobs, a log", busy=True)
    scene("ten runs followed", runs=True)
    scene("an outage of ten minutes", busy=True, outage=True)
    scene("the key is refused", name="refused", busy=True)
    scene("every connection is ended", name="ended", busy=True)
    server.close()
    print(f"{len(came)} connections were ended in {minutes:g} minutes")


if __name__ == "__main__":
    sys.exit(main())
