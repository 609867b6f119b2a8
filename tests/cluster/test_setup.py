"""`batman clusters setup` over SSH on a real SLURM, with stand-ins for torch and the rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from json_shapes import holds
from slurm_cluster import Cluster, wait_for

from slurm.setup.check import MODULES
from slurm.setup.wheel import write_wheel
from slurm.site.profiles import Profile, load_profile, save_profile

ROOT = Path(__file__).parents[2]
TORCH = """
__version__ = "9.9"
class version:
    cuda = {cuda!r}
class cuda:
    is_available = staticmethod(lambda: version.cuda is not None)
    device_count = staticmethod(lambda: 1)
    get_device_name = staticmethod(lambda number: "Pretend GPU")
"""


def stand_ins(folder: Path, cuda: str | None = "13.0") -> Path:
    """Write wheels that can be imported as what training needs, and nothing more."""
    for name in MODULES:
        text = TORCH.format(cuda=cuda) if name == "torch" else '__version__ = "1.0"\n'
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 9.9\n"
        write_wheel(folder, name, "9.9", {f"{name}/__init__.py": text.encode()}, metadata)
    return folder


class Setup:
    """Runs `batman clusters setup hpc` as a person on a laptop; their packages lie in a folder."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder
        self.there = folder / "there's $(room)"
        self.gate = folder / "gate"
        self.wheels = stand_ins(folder / "index")
        self.wanted = folder / "requirements.txt"
        self.wanted.write_text("# all of it\n" + "\n".join(MODULES) + "\n")
        save_profile(
            Profile(
                name="hpc",
                host="bat",
                workspace=str(self.there),
                # In the job only: it waits until it may go on.
                prelude=[
                    f'[ -z "$SLURM_JOB_ID" ] || while [ ! -e {self.gate} ]; do sleep 0.1; done'
                ],
            )
        )

    def start(self, *words: str) -> subprocess.Popen[str]:
        env = {
            **os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1",
            "BATMAN_CACHE_DIR": str(self.folder / "cache"),
            "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels),
            "UV_NO_INDEX": "1", "UV_FIND_LINKS": str(self.wheels), "UV_OFFLINE": "1",
        }  # fmt: skip
        argv = [sys.executable, "-m", "cli.main", "clusters", "setup", "hpc", "--offline",
                "--requirements", str(self.wanted), "--python", sys.executable, *words]  # fmt: skip
        return subprocess.Popen(
            argv, cwd=self.folder, env=env, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*words)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def environments(self) -> list[Path]:
        return [path.parent for path in (self.there / "envs").glob("*/.complete")]

    def checks(self) -> set[str]:
        """Return the numbers of the check jobs; the queue forgets them, accounting comes late."""
        queue = self.cluster.try_output("squeue", "-h", "-t", "all", "-o", "%A|%Z")
        ended = self.cluster.try_output(
            "sacct", "-a", "-n", "-X", "-P", "-S", "now-1hour", "-o", "JobIDRaw,WorkDir"
        )
        told = (line.partition("|") for line in (queue + ended).splitlines())
        return {number for number, _, folder in told if folder.startswith(str(self.there))}


@pytest.fixture
def setup(
    cluster: Cluster, ssh_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Setup:
    monkeypatch.setenv("BATMAN_CONFIG_DIR", str(tmp_path / "config"))
    key = " ".join((cluster.root / "ssh" / "host.pub").read_text().split()[:2])
    (ssh_home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{cluster.ports['ssh']} {key}\n")
    return Setup(cluster, tmp_path)


def test_a_setup_that_is_killed_goes_on_and_is_checked_once(setup: Setup) -> None:
    shown = setup("--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert "sbatch --parsable --job-name=batman-setup" in shown.stdout
    assert "pip download" in shown.stdout
    assert not setup.there.exists(), "a dry run writes nothing there"

    first = setup.start()
    wait_for("the check job", lambda: bool(setup.checks()), 90)
    wait_for(
        "its number", lambda: any((setup.there / "envs").glob("*.setup/check-setup-*/code")), 30
    )
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert load_profile("hpc").python == "", "not before the check has passed"

    setup.gate.touch()
    second = setup()
    assert second.returncode == 0, second.stderr
    assert "installed already" in second.stdout
    assert "torch sees 1 of them: Pretend GPU (CUDA 13.0)" in second.stdout
    assert len(setup.checks()) == 1
    (made,) = setup.environments()
    assert load_profile("hpc").python == str(made)
    assert (setup.there / "env").resolve() == made.resolve()
    told = subprocess.run(
        [made / "bin" / "python", "-c", "import batman_tui, cli, torch; print(torch.__file__)"],
        capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert told.stdout.startswith(str(made))


def test_what_does_not_work_there_is_not_taken(setup: Setup) -> None:
    setup.gate.touch()
    stand_ins(setup.wheels, cuda=None)
    done = setup("--gpu", "a100-40")
    assert done.returncode == 2
    assert "torch sees no GPU" in done.stderr
    assert "this build of torch has no CUDA" in done.stderr
    assert load_profile("hpc").python == ""
    # Checked without a GPU it will do, and nothing is installed again for that.
    (made,) = setup.environments()
    stamp = (made / ".complete").stat().st_mtime_ns
    again = setup("--no-gpu", "--json")
    assert again.returncode == 0, again.stderr
    holds("clusters setup", again.stdout)
    assert (made / ".complete").stat().st_mtime_ns == stamp
    assert load_profile("hpc").python == str(made)


def test_what_is_missing_there_is_said_first(setup: Setup) -> None:
    old = setup.folder / "old"
    old.write_text(f"#!/bin/sh\necho '{OLD}'\n")
    old.chmod(0o755)
    done = setup("--python", str(old))
    assert done.returncode == 2
    assert "no Python 3.11 or later on hpc. It has 3.6.8 (/usr/bin/python3)" in done.stderr


OLD = 'python ["/usr/bin/python3", [3, 6, 8], "x86_64", "glibc 2.17", true]'
