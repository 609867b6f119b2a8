"""A laptop with a project and a cluster to train on, and the cluster's environments."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from slurm_cluster import Cluster, wait_for

from core.common.workspace import Workspace
from core.data.importers import import_coco
from core.data.store import Project
from core.demo.shapes import make_shapes
from core.training.config.options import TrainingConfig, parse_config
from core.training.launch.prepare_run import ready_run
from core.training.run.run import Run
from slurm.hosts import Host
from slurm.job.record import JobRecord
from slurm.site.discover import discover
from slurm.site.profiles import GpuType, Profile, save_profile
from slurm.site.site import Site, open_host, open_site
from slurm.submit.plan import plan
from slurm.submit.request import JobRequest
from slurm.submit.submit import Submission, plan_submission, submit
from slurm.sync.mirror import Mirror

ROOT = Path(__file__).parents[2]
NASTY = "it's $(touch hacked); `touch hacked` & -x"


# Names of classes and of a picture: each is data on its way to the cluster and back.
NASTY_CLASSES = (f"{NASTY}\nline", "-rf ../*; $(touch hacked) 鉤 \x1b[31m")
NASTY_FILE = "-n $(touch hacked) `touch hacked`; 'é' \"鉤\".png"


def quick_python(folder: Path, pause: float = 0.05) -> Path:
    """Make an environment whose Python takes the quick worker for the trainer."""
    bin_ = folder / "bin"
    bin_.mkdir(parents=True)
    python = bin_ / "python"
    worker = Path(__file__).with_name("quick_worker.py")
    python.write_text(
        "#!/bin/sh\n"
        'if [ "$2" = core.training.worker ]; then\n'
        f'  exec {sys.executable} {worker} {pause} "$3"\nfi\n'
        f'exec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    return folder


def make_project(
    workspace: Workspace, name: str, train: int = 6, valid: int = 3, *, nasty: bool = False
) -> Path:
    """Draw shapes and import them into a new project; `nasty` gives them names to beware of."""
    drawn = workspace.root / "drawn" / name
    make_shapes(drawn, train=train, valid=valid, test=0, messy=False)
    if nasty:
        for split in ("train", "valid"):
            file = drawn / split / "_annotations.coco.json"
            told = json.loads(file.read_text())
            classes = [row for row in told["categories"] if row["supercategory"] != "none"]
            for row, called in zip(classes, NASTY_CLASSES, strict=True):
                row["name"] = called
            picture = told["images"][0]
            (drawn / split / picture["file_name"]).rename(drawn / split / NASTY_FILE)
            picture["file_name"] = NASTY_FILE
            file.write_text(json.dumps(told))
    path = workspace.project_path(name)
    with Project.create(path) as project:
        import_coco(project, drawn)
    return path


def known_host(cluster: Cluster, home: Path) -> None:
    """Let the person whose home it is know the cluster's host key."""
    key = " ".join((cluster.root / "ssh" / "host.pub").read_text().split()[:2])
    (home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{cluster.ports['ssh']} {key}\n")


USUAL = JobRequest(gpu="h100-96", cpus=1)


@dataclass
class Lab:
    """A workspace, a profile, and what a test does with both."""

    cluster: Cluster
    workspace: Workspace
    profile: Profile
    host: Host = field(init=False)
    site: Site = field(init=False)

    def __post_init__(self) -> None:
        save_profile(self.profile)
        self.host = open_host(self.profile)
        self.site = open_site(self.host, self.profile, self.workspace)

    def config(self, **values: Any) -> TrainingConfig:
        return parse_config({"model": "tiny", "epochs": 2, **values})

    def plan(
        self,
        *runs: Run,
        wanted: JobRequest = USUAL,
        num_gpus: int = 1,
        unchecked: Sequence[str] = (),
        **more: int,
    ) -> Submission:
        """`unchecked` are options that sbatch would take and a person may not give."""
        resources = plan(self.profile, wanted, discover(self.host), num_gpus)
        resources = replace(resources, extra=(*resources.extra, *unchecked))
        return plan_submission(self.site, runs, resources, **more)

    def ready(self, **values: Any) -> Run:
        return ready_run(self.workspace, self.config(**values))

    def submit(self, run: Run, wanted: JobRequest = USUAL, **more: Any) -> JobRecord:
        return submit(self.site, self.plan(run, wanted=wanted, **more))[0]

    def mirror(self, run: Run) -> Mirror:
        mirror = Mirror(self.site, run)
        mirror.grace_s = 0.5
        return mirror

    def until(self, mirror: Mirror, *states: str, seconds: float = 90) -> None:
        """Look until the run, as it is known here, is in one of the states."""

        def there() -> bool:
            mirror.refresh()
            mirror.look()
            return mirror.run.state() in states

        try:
            # A look is a dozen processes on the cluster, which is this machine.
            wait_for(f"state {' or '.join(states)}", there, seconds, pause=0.5)
        except TimeoutError:
            log = mirror.run.log_file
            raise AssertionError(
                f"{mirror.run.state()}: {mirror.record}\n"
                + (log.read_text() if log.is_file() else "no log\n")
                + self.cluster.try_output("squeue")
                + self.cluster.logs()
            ) from None

    def enough(self, mirror: Mirror) -> int:
        """Let a run end some epochs from now; return its number of epochs."""
        there = Run(Path(mirror.record.run_dir))
        epochs = there.summary().epoch + 3
        there.save_config(there.config().with_changes(epochs=epochs))
        return epochs

    def jobs(self) -> list[str]:
        """Return the comments of all jobs that SLURM knows."""
        return self.cluster.try_output("squeue", "-h", "-t", "all", "-o", "%k").split()

    def batman(self, *words: str, timeout: float = 200) -> subprocess.CompletedProcess[str]:
        """Run the command line as the person at this machine."""
        return subprocess.run(
            [sys.executable, "-m", "cli.main", "--workspace", str(self.workspace.root), *words],
            cwd=ROOT, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True,
            timeout=timeout,
        )  # fmt: skip


def make_profile(name: str, host: str, workspace: Path | str, python: Path | str) -> Profile:
    """Return the profile of the test cluster."""
    return Profile(
        name=name,
        host=host,
        workspace=str(workspace),
        python=str(python),
        signal_seconds=10,
        poll_seconds=15,
        gpus={
            "h100-96": GpuType(gres="gpu:h100-96", partition="gpu", memory="2G", batch=4),
            "a100-40": GpuType(gres="gpu:a100-40", partition="gpu-long", memory="2G", batch=2),
        },
    )
