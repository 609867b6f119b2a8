"""An sshd on loopback with settings of one's own, without SLURM, and what it says of its logins."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import psutil
from slurm_cluster import answers, free_port, wait_for

SFTP = "Subsystem sftp internal-sftp"
# One that the login shell starts, so that its start-up files come first.
SHELL_SFTP = "Subsystem sftp /usr/lib/openssh/sftp-server"


def why_not() -> str | None:
    """Return why no sshd can run here, or None."""
    if os.geteuid() != 0:
        return "starting an sshd needs root"
    found = shutil.which("sshd", path="/usr/sbin:/usr/bin")
    return None if found else "no sshd is installed"


class Sshd:
    """The running server; `lines` are further settings. The account's home is `home`.

    `shell` is what runs a command instead of root's own shell, by its name; `env` are variables.
    """

    def __init__(
        self,
        folder: Path,
        *lines: str,
        shell: str = "",
        sftp: str = SFTP,
        env: str = "",
    ) -> None:
        self.folder = folder
        self.home = folder / "there"
        self.home.mkdir(parents=True)
        for name in ("host", "client"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)],
                check=True,
            )
        self.authorized = folder / "authorized"
        shutil.copy(folder / "client.pub", self.authorized)
        Path("/run/sshd").mkdir(exist_ok=True)
        self.port = free_port()
        self.log = folder / "log"
        forced = f'ForceCommand exec {shell} -c "$SSH_ORIGINAL_COMMAND"' if shell else ""
        self.config = folder / "sshd_config"
        self.config.write_text(
            "\n".join([
                f"Port {self.port}", "ListenAddress 127.0.0.1", f"HostKey {folder}/host",
                f"AuthorizedKeysFile {self.authorized}", "StrictModes no", "UsePAM no",
                "PermitRootLogin yes", "PasswordAuthentication no", f"PidFile {folder}/pid",
                f"SetEnv HOME={self.home} {env}", "LogLevel VERBOSE", sftp, forced, *lines, "",
            ])
        )  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it, again, and wait for its banner."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["/usr/sbin/sshd", "-D", "-e", "-f", str(self.config)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        wait_for("sshd's banner", lambda: answers(self.port), 20)

    def stop(self) -> None:
        """Stop it and cut every connection through it; again, it does nothing."""
        server, self.process = self.process, None
        if server is None:
            return
        below = psutil.Process(server.pid).children(recursive=True)
        server.kill()
        for process in below:
            if process.is_running():
                process.kill()
        server.wait()

    def logins(self) -> int:
        """Return how many logins it let in."""
        return self.log.read_text(errors="replace").count("Accepted publickey")

    def client(self, name: str, *lines: str) -> Path:
        """Write an ssh configuration that calls it `name`; return its file."""
        file = self.folder / "ssh_config"
        key = " ".join((self.folder / "host.pub").read_text().split()[:2])
        known = self.folder / "known"
        known.write_text(f"[127.0.0.1]:{self.port} {key}\n")
        kept = file.read_text() if file.exists() else ""
        named = any(line.lower().startswith("identityfile") for line in lines)
        file.write_text(
            "\n".join([
                kept, f"Host {name}", *(f"  {line}" for line in lines),
                "  HostName 127.0.0.1", f"  Port {self.port}", "  User root",
                *([] if named else [f"  IdentityFile {self.folder}/client"]),
                f"  UserKnownHostsFile {known}", "  GlobalKnownHostsFile /dev/null", "",
            ])
        )  # fmt: skip
        return file
