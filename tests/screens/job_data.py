"""A cluster for the tests of the jobs screen: what squeue, sinfo and sacct print, made here.

Fields are in the order that `slurm.queue.jobs` asks for, in the form of SLURM 22.05.8.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import FrozenApp
from sample_data import NOW

from batman_tui.connections import use_host
from batman_tui.jobs.screen import JobsScreen
from slurm.hosts import Completed, HostError
from slurm.queue.jobs import _SQUEUE
from slurm.site.profiles import Profile

T = int(NOW.timestamp())
CLUSTER = "vega"
LOGS = "/scratch/selina/logs"


def job(
    id: str, state: str, name: str, *, reason: str = "None", gpus: str = "gres:gpu:h100-96:1",
    used: str = "0:00", start: int | None = None, node: str = "", user: str = "selina",
    comment: str = "(null)", partition: str = "gpu-long", array: str = "", task: str = "N/A",
) -> list[str]:  # fmt: skip
    """Return the fields of one job as squeue prints them, in the order that is asked for."""
    told = {
        "JobArrayID": id, "ArrayJobID": array or id.partition("_")[0], "ArrayTaskID": task,
        "State": state, "Reason": reason, "Partition": partition, "UserName": user,
        "Account": "vision", "SubmitTime": str(T - 7200),
        "StartTime": "N/A" if start is None else str(start), "TimeUsed": used,
        "TimeLimit": "10:00:00", "NumNodes": "1", "NumCPUs": "8", "NumTasks": "1",
        "MinMemory": "64G", "tres-per-node": gpus, "NodeList": node, "PriorityLong": "1000",
        "exit_code": "0", "RestartCnt": "0", "WorkDir": "/scratch/selina",
        "Comment": comment, "Name": name,
    }  # fmt: skip
    return [told.get(field, "N/A") for field in _SQUEUE]


JOBS = [
    job("48210", "RUNNING", "site-small-2", used="3:41:07", start=T - 13267, node="g04",
        comment="batman:aaaa"),
    job("48213", "RUNNING", "harbour-base [night]", gpus="gres:gpu:a100-40:2", used="12:30",
        start=T - 750, node="g11"),
    job("48233_1", "RUNNING", "sweep-lr", used="5:02", start=T - 302, node="g05", array="48233",
        task="1"),
    job("48233_[2-9%2]", "PENDING", "sweep-lr", reason="JobArrayTaskLimit", array="48233",
        task="2-9%2"),
    job("48240", "PENDING", "site-large", reason="Resources", gpus="gres:gpu:h100-96:4",
        start=T + 5400),
    job("48241", "PENDING", "too-long", reason="PartitionTimeLimit", partition="gpu"),
    job("48242", "PENDING", "later", reason="JobHeldUser"),
]  # fmt: skip
OTHERS = [job("48100", "RUNNING", "protein", used="1-02:00:00", node="g01", user="bruce")]
TRES = "billing=8,cpu=8,gres/gpu=1,mem=64G,node=1"
ENDED = [
    ["48190", "48190", "COMPLETED", "0:0", "gpu-long", "selina", "vision", str(T - 90000),
     str(T - 80000), str(T - 70000), "10000", "600", "1", "8", "8", "64G",
     TRES, TRES, "g04", "normal", "1000", "None", "/scratch/selina", "", "site-small-1"],
    ["48195", "48195", "FAILED", "3:0", "gpu-long", "selina", "vision", str(T - 50000),
     str(T - 40000), str(T - 39980), "20", "600", "1", "8", "8", "64G",
     TRES, TRES, "g04", "normal", "1000", "NonZeroExitCode", "/scratch/selina", "",
     "broken-config"],
]  # fmt: skip
NODES = [
    ["g04", "gpu-long", "gpu:h100-96:2(S:0)", "gpu:h100-96:1(IDX:0)", "mixed", "16/48/0/64",
     "512000", "3-00:00:00", "up", "mixed"],
    ["g05", "gpu-long", "gpu:h100-96:2(S:0)", "gpu:h100-96:2(IDX:0-1)", "mixed", "60/4/0/64",
     "512000", "3-00:00:00", "up", "mixed"],
    ["g11", "gpu-long", "gpu:a100-40:4", "gpu:a100-40:2(IDX:0-1)", "mixed", "16/48/0/64",
     "256000", "3-00:00:00", "up", "mixed"],
    ["g12", "gpu", "gpu:h200-141:4", "gpu:h200-141:0(IDX:N/A)", "drained*", "0/0/64/64",
     "1024000", "3:00:00", "up", "drained*"],
]  # fmt: skip
SHOW = (
    "JobId={id} JobName={name} UserId=selina(1000) GroupId=x(1) JobState=RUNNING Reason=None"
    " Command=/scratch/selina/job.sh WorkDir=/scratch/selina StdErr={log} StdIn=/dev/null"
    " StdOut={log} Power= \n"
)


class FakeCluster:
    """A host whose SLURM and files are made up.

    `files` maps paths to bytes. `error` is raised instead of any answer; `asked` counts the looks
    at the queue, `commands` keeps every other command with what it was given.
    """

    def __init__(self, name: str = CLUSTER) -> None:
        self.name = name
        self.files: dict[str, bytes] = {}
        self.jobs = list(JOBS)
        self.others = list(OTHERS)
        self.ended = list(ENDED)
        self.nodes = list(NODES)
        self.features: dict[str, str] = {}
        self.broken: dict[str, str] = {}
        self.error: HostError | None = None
        self.asked = 0
        self.commands: list[tuple[list[str], str]] = []
        self.refuse = ""
        self.fetched: list[str] = []
        # What sbatch --test-only says of each type of GPU, in the order of their names.
        self.starts = [
            f"sbatch: Job 9 to start at {int(time.time()) + 5430} using 8 processors on nodes g11",
            "sbatch: Job 9 to start at 1 using 8 processors on nodes g04",
            "allocation failure: Requested node configuration is not available",
        ]

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float = 30.0,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        if self.error is not None:
            raise self.error
        argv = list(argv)
        if len(argv) > 2 and "squeue" in argv[2]:
            self.asked += 1
            return Completed(tuple(argv), 0, self._queue(*argv[4:]).encode(), b"")
        self.commands.append((argv, stdin.decode()))
        if "sinfo --version" in str(argv[2:3]):
            return Completed(tuple(argv), 0, self._facts(argv[4]).encode(), b"")
        if "--test-only" in str(argv[2:3]):
            mark = (env or {})["MARK"]
            said = [f"{mark}\n{line}\n" for line in self.starts[: len(argv) - 4]]
            return Completed(tuple(argv), 0, "".join(said).encode(), b"")
        if argv[-1] == "HOME":
            return Completed(tuple(argv), 0, b"/home/selina\0", b"")
        if argv[0] == "find":
            below = [path for path in self.files if path.startswith(f"{argv[1]}/")]
            rows = [f"{len(self.files[path])} {Path(path).name}\0" for path in below]
            return Completed(tuple(argv), 0 if below else 1, "".join(rows).encode(), b"")
        if argv[:3] == ["scontrol", "show", "job"]:
            found = next(
                (row for row in self.jobs if row[0] == argv[-1] or row[1] == argv[-1][:5]), None
            )
            if found is None:
                return Completed(tuple(argv), 1, b"", b"slurm_load_jobs error: Invalid job id\n")
            log = f"{LOGS}/{found[0]}.log"
            text = SHOW.format(id=found[0], name=found[-1], log=log)
            return Completed(tuple(argv), 0, text.encode(), b"")
        if argv[:3] == ["scontrol", "write", "batch_script"]:
            return Completed(tuple(argv), 0, b"#!/bin/bash\necho it's [bold]\n", b"")
        code = 1 if self.refuse else 0
        return Completed(tuple(argv), code, b"", self.refuse.encode())

    def _facts(self, mark: str) -> str:
        nodes = [[*row[:10], self.features.get(row[0], "(null)")] for row in self.nodes]
        rows = "".join(mark.join(row) + mark + "\n" for row in nodes)
        parts = {
            "version": "slurm 23.11.4\n", "user": "selina\n", "nodes": rows,
            "default": "gpu-long*\ngpu\n",
            "accounting": "AccountingStorageType = accounting_storage/slurmdbd\n",
            "python": "Python 3.12.4 /usr/bin/python3.12\n",
            "places": "104857600 /scratch/selina\n20971520 /home/selina\n",
            "modules": "cuda/12.8\npython/3.12.4\n",
        }  # fmt: skip
        return "".join(f"{mark} {name}\n{text}" for name, text in parts.items())

    def _queue(
        self,
        mark: str,
        who: str,
        _jobs: str,
        _nodes: str,
        since: str,
        sep: str,
        _fields: str,
        line: str,
    ) -> str:
        def section(name: str, rows: list[list[str]], with_: str, last: str = "") -> str:
            if name in self.broken:
                return f"{mark} {name}\n\n{mark} end 1\n{self.broken[name]}\n"
            out = "".join(with_.join(row) + last + "\n" for row in rows)
            return f"{mark} {name}\n{out}\n{mark} end 0\n\n"

        rows = [*self.jobs, *self.others] if who == "all" else self.jobs
        text = section("user", [["selina"]], "") + section("squeue", rows, sep, sep)
        text += section("sinfo", self.nodes, mark, mark)
        text += section("line", [["48240", "3", "14"]], " ") if line else ""
        return text + (section("sacct", self.ended, sep) if since else "")

    def read(self, path: str, offset: int, limit: int) -> bytes:
        if self.error is not None:
            raise self.error
        return self.files.get(path, b"")[offset : offset + limit]

    def size(self, path: str) -> int | None:
        if self.error is not None:
            raise self.error
        return len(self.files[path]) if path in self.files else None

    def put(self, local: Path, remote: str) -> None:
        raise AssertionError("nothing is copied")

    def get(self, remote: str, local: Path) -> None:
        if self.error is not None:
            raise self.error
        self.fetched.append(remote)
        local.parent.mkdir(parents=True, exist_ok=True)
        local.write_bytes(self.files[remote])


def command_line(argv: list[str]) -> str:
    """Return the SLURM command in an argument list, without the shell around it."""
    line = argv[2] if argv[:2] == ["sh", "-c"] else " ".join(argv)
    return line.removeprefix("xargs ")


def jobs_app(root: Path, *hosts: FakeCluster, **settings: Any) -> FrozenApp:
    """Return an app whose jobs screen sees the hosts as clusters called by their names."""
    profiles = [Profile(name=host.name, host="selina@x.example") for host in hosts]

    class JobsApp(FrozenApp):
        MODES = {**FrozenApp.MODES, "jobs": lambda: JobsScreen(lambda: profiles)}

    app = JobsApp(root, **settings)
    for profile, host in zip(profiles, hosts, strict=True):
        use_host(app, profile, host)  # type: ignore[arg-type]
    return app
