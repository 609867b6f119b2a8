"""A real SLURM and a real sshd on loopback, in one temporary folder, for as long as a test session.

Nothing of the machine's own SLURM, munge, MariaDB or SSH set-up is touched: every daemon has its
own configuration, key, socket, port and state here. Two nodes live on this host, with pretend GPUs
of two types (plain files; SLURM only counts and hands them out).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

PROGRAMS = (
    "munged", "mariadbd", "mysql_install_db", "mariadb", "slurmdbd", "slurmctld", "slurmd",
    "sacctmgr", "sinfo", "sbatch", "squeue", "scontrol", "sacct", "sshd", "ssh-keygen",
)  # fmt: skip
PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"

# Node name → (GPU type, how many). The types are those of the guide's and the example profile.
NODES = {"n1": ("h100-96", 4), "n2": ("a100-40", 4)}
# The same nodes where GPUs come in parts: as shards, in MIG slices, by MPS.
PARTS = {
    "n1": "gpu:h100-96:4,shard:16 Feature=gpu_mem_96,rack1,GPU_GEN:HPR",
    "n2": "gpu:a100-40:1,gpu:a100_1g.5gb:3,mps:100 Feature=gpu_mem_40,rack2",
}
PARTS_CONF = """NodeName=n1 Name=gpu Type=h100-96 File=DEV/n1-nvidia[0-3]
NodeName=n1 Name=shard Count=16 File=DEV/n1-nvidia[0-3]
NodeName=n2 Name=gpu Type=a100-40 File=DEV/n2-nvidia0
NodeName=n2 Name=gpu Type=a100_1g.5gb File=DEV/n2-nvidia[1-3]
NodeName=n2 Name=mps Count=100 File=DEV/n2-nvidia0
"""
# A site's rule: `urgent` has no GPUs for who asks by --gres.
RULE = """
function slurm_job_submit(job, partitions, uid)
  if job.partition == "urgent" and job.tres_per_node ~= nil then
    slurm.log_user("ask for GPUs by --gpus here")
    return slurm.ERROR
  end
  return slurm.SUCCESS
end
function slurm_job_modify(job, before, partitions, uid) return slurm.SUCCESS end
"""
# Partition → its time limit in minutes. What is urgent puts others back into the queue, or ends
# them in gpu-long.
PARTITIONS = {"gpu": 180, "gpu-long": 4320, "brief": 1, "urgent": 180}


def why_not() -> str | None:
    """Return why no cluster can run here, or None."""
    if os.geteuid() != 0:
        return "starting SLURM's daemons needs root"
    missing = [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


def free_port() -> int:
    """Return a TCP port on loopback that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Return whether an SSH server answers on a port of loopback."""
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", port), 1) as probe,
    ):
        return probe.recv(4) == b"SSH-"
    return False


def wait_for(
    what: str, ready: Callable[[], bool], seconds: float = 60.0, pause: float = 0.1
) -> None:
    """Wait until `ready()` is true; raise `TimeoutError` that says what did not come."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen in {seconds:g} s")
        time.sleep(pause)


class Cluster:
    """The running daemons. `close()` ends them and removes the folder."""

    def __init__(self, accounting: bool = True, parts: bool = False) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="bat-", dir="/tmp"))
        self.root.chmod(0o755)
        self.accounting = accounting
        self.parts = parts
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.ports = {name: free_port() for name in ("ctld", "dbd", "db", "ssh", *NODES)}
        self.token = secrets.token_hex(8)
        self.conf = self.root / "slurm.conf"
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "SQUEUE"))},
            "PATH": PATH + ":" + os.environ.get("PATH", ""),
            "SLURM_CONF": str(self.conf),
        }
        try:
            self._munge()
            if accounting:
                self._database()
            self._slurm()
            self._ssh()
        except BaseException:
            self.close()
            raise

    # The daemons

    def _munge(self) -> None:
        folder = self.root / "munge"
        folder.mkdir(mode=0o755)
        key = folder / "key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        self.munge_socket = folder / "socket"
        self.start(
            "munged", "--foreground", "--force", f"--key-file={key}",
            f"--socket={self.munge_socket}", f"--pid-file={folder}/pid",
            f"--seed-file={folder}/seed", f"--log-file={folder}/log",
        )  # fmt: skip
        wait_for("munged's socket", self.munge_socket.exists)

    def _database(self) -> None:
        data = self.root / "db"
        self.call(
            "mysql_install_db", "--no-defaults", "--user=root", f"--datadir={data}",
            "--auth-root-authentication-method=normal", "--skip-test-db",
        )  # fmt: skip
        self.start(
            "mariadbd", "--no-defaults", "--user=root", f"--datadir={data}",
            f"--socket={data}/s", f"--port={self.ports['db']}", "--bind-address=127.0.0.1",
            "--innodb-buffer-pool-size=32M", f"--pid-file={data}/pid",
        )  # fmt: skip
        sql = (
            f"CREATE USER slurm@'127.0.0.1' IDENTIFIED BY '{self.token}';"
            f"CREATE USER slurm@localhost IDENTIFIED BY '{self.token}';"
            "GRANT ALL ON *.* TO slurm@'127.0.0.1'; GRANT ALL ON *.* TO slurm@localhost;"
        )
        client = ("mariadb", "--no-defaults", f"--socket={data}/s", "-e")
        wait_for("MariaDB", lambda: self.try_call(*client, "SELECT 1"))
        self.call(*client, sql)
        conf = self.root / "slurmdbd.conf"
        conf.write_text(
            f"AuthType=auth/munge\nAuthInfo=socket={self.munge_socket}\n"
            f"DbdHost=localhost\nDbdAddr=127.0.0.1\nDbdPort={self.ports['dbd']}\nSlurmUser=root\n"
            f"StorageType=accounting_storage/mysql\nStorageHost=127.0.0.1\n"
            f"StoragePort={self.ports['db']}\nStorageUser=slurm\nStoragePass={self.token}\n"
            f"LogFile={self.root}/slurmdbd.log\nPidFile={self.root}/slurmdbd.pid\n"
        )
        conf.chmod(0o600)
        self._write_conf()
        self.start("slurmdbd", "-D", env={"SLURM_CONF": str(self.conf)})
        wait_for("slurmdbd", lambda: self.try_call("sacctmgr", "-n", "show", "cluster"))
        self.call("sacctmgr", "-i", "add", "cluster", "bat")
        self.call("sacctmgr", "-i", "add", "account", "vision")
        self.call("sacctmgr", "-i", "add", "user", "root", "account=vision")

    def _write_conf(self) -> None:
        host = socket.gethostname()
        lines = [
            "ClusterName=bat",
            f"SlurmctldHost={host}(127.0.0.1)",
            f"SlurmctldPort={self.ports['ctld']}",
            "SlurmUser=root", "SlurmdUser=root", "AuthType=auth/munge",
            # A requeued job may start again after `cred_expire` seconds (120 by default).
            f"AuthInfo=socket={self.munge_socket},cred_expire=5",
            "ProctrackType=proctrack/linuxproc", "TaskPlugin=task/none", "MpiDefault=none",
            "JobAcctGatherType=jobacct_gather/linux", "JobAcctGatherFrequency=task=2",
            "SelectType=select/cons_tres", "SelectTypeParameters=CR_Core_Memory",
            f"GresTypes=gpu{',mps,shard' if self.parts else ''}",
            "SlurmdParameters=config_overrides", "ReturnToService=2",
            "JobRequeue=1", "MinJobAge=10", "KillWait=5", "SchedulerParameters=sched_interval=1",
            "PreemptType=preempt/partition_prio", "PreemptMode=REQUEUE",
            "OverTimeLimit=0", "MaxJobCount=20000", "MaxArraySize=10001",
            f"StateSaveLocation={self.root}/state",
            f"SlurmdSpoolDir={self.root}/spool.%n",
            f"SlurmctldPidFile={self.root}/slurmctld.pid",
            f"SlurmdPidFile={self.root}/slurmd.%n.pid",
            f"SlurmctldLogFile={self.root}/slurmctld.log",
            f"SlurmdLogFile={self.root}/slurmd.%n.log",
        ]  # fmt: skip
        if self.accounting:
            lines += [
                "AccountingStorageType=accounting_storage/slurmdbd",
                "AccountingStorageHost=127.0.0.1",
                f"AccountingStoragePort={self.ports['dbd']}",
                # With munge this "password" is the socket's place.
                f"AccountingStoragePass={self.munge_socket}",
                "AccountingStorageTRES=gres/gpu",
                # As sites have it: accounts and qualities of service count, and so does age.
                "AccountingStorageEnforce=associations,qos",
                "PriorityType=priority/multifactor",
                "PriorityWeightAge=1000",
                "PriorityWeightFairshare=10000",
                "PriorityWeightPartition=2000",
                "Licenses=matlab:2",
            ]
        else:
            lines.append("AccountingStorageType=accounting_storage/none")
        lines += [
            f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={self.ports[name]}"
            f" CPUs=16 RealMemory=256000"
            f" Gres={PARTS[name] if self.parts else f'gpu:{kind}:{count}'}"
            for name, (kind, count) in NODES.items()
        ]
        lines += ["JobSubmitPlugins=lua"] if self.parts else []
        lines += [
            f"PartitionName={name} Nodes={','.join(NODES)} MaxTime={limit} DefaultTime={limit}"
            f" State=UP Default={'YES' if name == 'gpu' else 'NO'}"
            f" PriorityTier={2 if name == 'urgent' else 1}"
            f" PreemptMode={'CANCEL' if name == 'gpu-long' else 'REQUEUE'}"
            for name, limit in PARTITIONS.items()
        ]
        self.conf.write_text("\n".join(lines) + "\n")

    def _slurm(self) -> None:
        (self.root / "state").mkdir()
        devices = self.root / "dev"
        devices.mkdir()
        gres = []
        for node, (kind, count) in NODES.items():
            for number in range(count):
                (devices / f"{node}-nvidia{number}").touch()
            gres.append(
                f"NodeName={node} Name=gpu Type={kind} File={devices}/{node}-nvidia[0-{count - 1}]"
            )
        text = PARTS_CONF.replace("DEV", str(devices)) if self.parts else "\n".join(gres) + "\n"
        (self.root / "gres.conf").write_text(text)
        (self.root / "job_submit.lua").write_text(RULE)
        self._write_conf()
        self.start("slurmctld", "-D", "-f", str(self.conf))
        for node in NODES:
            self.start("slurmd", "-D", "-N", node, "-f", str(self.conf), name=f"slurmd {node}")
        wait_for("idle nodes", lambda: self.nodes_in("idle") == len(NODES))

    def nodes_in(self, state: str) -> int:
        """Return how many nodes are in a state, as `sinfo` names it."""
        done = self.try_output("sinfo", "-h", "-N", "-p", "gpu", "-o", "%T")
        return done.split().count(state)

    def _ssh(self) -> None:
        folder = self.root / "ssh"
        folder.mkdir(mode=0o700)
        Path("/run/sshd").mkdir(exist_ok=True)
        # Not this machine's own shell files: in them pyenv waits a minute for a lock, for one.
        home = self.root / "home"
        home.mkdir()
        for name in ("host", "client"):
            self.call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
        shutil.copy(folder / "client.pub", folder / "authorized")
        (folder / "config").write_text(
            f"Port {self.ports['ssh']}\nListenAddress 127.0.0.1\nHostKey {folder}/host\n"
            f"AuthorizedKeysFile {folder}/authorized\nStrictModes no\nUsePAM no\n"
            "PermitRootLogin yes\nPasswordAuthentication no\nSubsystem sftp internal-sftp\n"
            f"PidFile {folder}/pid\nSetEnv SLURM_CONF={self.conf} HOME={home}\n"
        )
        self.start_sshd()

    def start_sshd(self) -> None:
        """Start the sshd (again) and wait for its banner."""
        folder = self.root / "ssh"
        self.start("/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "config"), name="sshd")

        wait_for("sshd's banner", lambda: answers(self.ports["ssh"]))

    def stop_sshd(self) -> None:
        """Stop the sshd and cut every session through it."""
        self.stop("sshd", tree=True)

    # Running things

    def start(self, *argv: str, name: str | None = None, env: dict[str, str] | None = None) -> None:
        """Start a daemon in the foreground, its output in a log of its own."""
        name = name or argv[0]
        with (self.root / f"{name.replace(' ', '-')}.out").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**self.env, **(env or {})}, start_new_session=True, cwd="/",
            )  # fmt: skip

    def stop(self, name: str, *, tree: bool = False) -> None:
        """End a daemon; with `tree`, all that it started too."""
        process = self.processes.pop(name)
        children = []
        if tree:
            with contextlib.suppress(psutil.NoSuchProcess):
                children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def call(self, *argv: str, check: bool = True, stdin: str = "") -> str:
        """Run a command in the cluster's environment and return what it printed."""
        done = subprocess.run(
            argv, env=self.env, input=stdin, capture_output=True, text=True, timeout=120
        )
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(argv)}: {done.stderr or done.stdout}")
        return done.stdout

    def try_call(self, *argv: str) -> bool:
        """Return whether a command succeeds."""
        return subprocess.run(argv, env=self.env, capture_output=True, timeout=60).returncode == 0

    def try_output(self, *argv: str) -> str:
        """Return what a command printed, however it ended."""
        return self.call(*argv, check=False)

    def logs(self, names: Sequence[str] = ("slurmctld.log", "slurmd.n1.log")) -> str:
        """Return the ends of the daemons' logs, for a failing test to show."""
        return "\n".join(
            f"== {name}\n" + (self.root / name).read_text(errors="replace")[-3000:]
            for name in names
            if (self.root / name).exists()
        )

    def close(self) -> None:
        """End every job and daemon and remove the folder."""
        if "slurmctld" in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.try_call("scancel", "--user=root", "--signal=KILL")
                self.try_call("scancel", "--user=root")
        for name in reversed(list(self.processes)):
            self.stop(name, tree=True)
        shutil.rmtree(self.root, ignore_errors=True)
