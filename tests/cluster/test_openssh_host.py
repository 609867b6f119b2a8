"""The host over the system's ssh against a real sshd."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from cluster_runs import NASTY, known_host
from slurm_cluster import Cluster, wait_for

from slurm.hosts import HostError, NeedsPerson, NotConnected
from slurm.hosts.openssh import OpenSshHost
from slurm.queue.queue import ask_queue
from slurm.site.discover import discover
from slurm.site.profiles import Profile, ProfileError, make_profile
from slurm.site.site import open_host
from slurm.sync.pack import pack_folder
from slurm.sync.upload import send

pytestmark = pytest.mark.skipif(shutil.which("ssh") is None, reason="no OpenSSH client here")


def config_for(cluster: Cluster, home: Path) -> Path:
    """Write a configuration that names no other file of the person's: ssh asks no HOME."""
    config = home / "ssh_config"
    config.write_text(
        f"Host bat\n  HostName 127.0.0.1\n  Port {cluster.ports['ssh']}\n  User root\n"
        f"  IdentityFile {cluster.root}/ssh/client\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {home}/.ssh/known_hosts\n  GlobalKnownHostsFile /dev/null\n"
    )
    return config


@pytest.fixture
def host(cluster: Cluster, ssh_home: Path) -> Iterator[OpenSshHost]:
    known_host(cluster, ssh_home)
    made = OpenSshHost("bat", config=config_for(cluster, ssh_home))
    yield made
    made.close()


def test_commands_are_data_and_share_a_login(
    cluster: Cluster, host: OpenSshHost, tmp_path: Path
) -> None:
    done = host.run(["printf", "%s", NASTY], env={"X": NASTY}, cwd=str(tmp_path))
    assert done.text == NASTY
    assert host.run(["sh", "-c", 'printf %s "$X"'], env={"X": NASTY}).text == NASTY
    assert host.run(["cat"], stdin=b"\0\xff" * 500_000).stdout == b"\0\xff" * 500_000
    failed = host.run(["sh", "-c", "echo no >&2; exit 255"])
    assert (failed.code, failed.stderr) == (255, b"no\n")
    with pytest.raises(HostError, match="did not answer in 1 s"):
        host.run(["sleep", "60"], timeout=1)
    assert not list(tmp_path.glob("hacked"))
    logins = (cluster.root / "sshd.out").read_text(errors="replace").count("Accepted publickey")
    assert logins
    for _ in range(5):
        host.run(["true"])
    after = (cluster.root / "sshd.out").read_text(errors="replace").count("Accepted publickey")
    assert after == logins, "one login for all of them"


@pytest.fixture
def short() -> Iterator[str]:
    """A folder for a socket, whose path holds 100 characters: pytest's own are too deep."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield folder


def test_the_connection_ends_with_us_however_we_end(
    cluster: Cluster, ssh_home: Path, short: str
) -> None:
    known_host(cluster, ssh_home)
    program = (
        "import sys; from pathlib import Path; from slurm.hosts.openssh import OpenSshHost\n"
        "host = OpenSshHost('bat', config=Path(sys.argv[1])); host.run(['true'])\n"
        "print(host._master.pid, flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(config_for(cluster, ssh_home))],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).parents[2], env={**os.environ, "XDG_RUNTIME_DIR": short},
    )  # fmt: skip
    assert process.stdout is not None
    master = int(process.stdout.readline())
    assert psutil.pid_exists(master)
    process.kill()
    process.communicate()

    def gone() -> bool:
        return not psutil.pid_exists(master) or psutil.Process(master).status() == "zombie"

    wait_for("the master's end", gone, 20)


def test_files_come_and_go_whole(host: OpenSshHost, tmp_path: Path) -> None:
    there = tmp_path / f"there {NASTY}"
    there.mkdir()
    local = tmp_path / "local"
    local.write_bytes(bytes(range(256)) * 5000)
    local.chmod(0o640)
    remote = f"{there}/-file"
    assert host.size(remote) is None
    assert host.read(remote, 0, 10) == b""
    host.put(local, remote)
    assert host.size(remote) == local.stat().st_size
    assert (Path(remote).stat().st_mode & 0o777) == 0o640
    assert host.read(remote, 256, 3) == b"\0\1\2"
    assert host.read(remote, 10**9, 3) == b""
    host.get(remote, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == local.read_bytes()
    with pytest.raises(FileNotFoundError):
        host.get(f"{there}/none", tmp_path / "none")
    with pytest.raises(HostError, match="writing"):
        host.put(local, f"{there}/no/folder")
    assert sorted(path.name for path in there.iterdir()) == ["-file"], "no half files"


def test_what_is_above_a_host_does_not_know(host: OpenSshHost, tmp_path: Path) -> None:
    assert discover(host).gpu_types() == ["a100-40", "h100-96"]
    assert ask_queue(host, all_users=True).errors == {}
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a").write_bytes(b"x" * 100_000)
    target = f"{tmp_path}/sent"
    assert send(host, pack_folder(folder), target)
    assert (Path(target) / "a").read_bytes() == b"x" * 100_000
    assert not send(host, pack_folder(folder), target)


def test_a_cut_is_waited_out_and_nobody_is_asked(cluster: Cluster, host: OpenSshHost) -> None:
    host.run(["true"])
    cluster.stop_sshd()
    try:
        with pytest.raises(NotConnected, match="failed"):
            host.run(["true"])
        with pytest.raises(NotConnected) as again:
            host.run(["true"])
        assert "Trying again" in again.value.hint
    finally:
        cluster.start_sshd()
    host.connect()
    assert host.run(["echo", "back"]).text == "back\n"


def test_a_profile_chooses_it() -> None:
    assert isinstance(open_host(Profile(name="x", host="bat", via="ssh")), OpenSshHost)
    assert not isinstance(open_host(Profile(name="x", host="bat")), OpenSshHost)
    with pytest.raises(ProfileError, match="via"):
        make_profile({"name": "x", "host": "bat", "via": "telnet"})


def test_a_login_that_wants_a_person_is_left_to_them(cluster: Cluster, ssh_home: Path) -> None:
    config = config_for(cluster, ssh_home)
    unknown = OpenSshHost("bat", config=config)
    with pytest.raises(NeedsPerson, match="host key of bat is not trusted"):
        unknown.run(["true"])
    known_host(cluster, ssh_home)
    with pytest.raises(NeedsPerson) as still:
        unknown.run(["true"])
    assert "ssh bat" in still.value.hint
    unknown.connect()
    unknown.close()
    stranger = ssh_home / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", stranger], check=True)
    text = config.read_text().replace(f"{cluster.root}/ssh/client", str(stranger))
    config.write_text(text)
    with pytest.raises(NeedsPerson, match=r"did not let us in: .*Permission denied"):
        OpenSshHost("bat", config=config).run(["true"])
    with pytest.raises(HostError, match="is no SSH host"):
        OpenSshHost("-oProxyCommand=touch hacked")
