"""Tab in bash, zsh and fish themselves, on a terminal: what a person types is what Batman gets."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path
from time import monotonic

import pytest

from cli.app.completion import SHELLS
from core.common.files import write_json
from core.data.store import Project
from core.processes.child_process import python_command
from slurm.job.record import JobRecord, write_record
from slurm.site.profiles import Profile, save_profile

# Without anybody's own start files; prompts that say when a line is waited for.
_START = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
_LOAD = {
    "bash": 'eval "$(batman completion bash)"',
    "zsh": 'eval "$(batman completion zsh)"',
    "fish": "batman completion fish | source",
}
# What is typed before Tab, what is typed after it, and the words that the program is started with.
# A class belongs to the project on the line; a name with a space needs each shell's own quoting.
LINES = (
    ("batman clas", "", ["classes"]),
    ("batman classes list --project be", "", ["classes", "list", "--project", "bees"]),
    ("batman classes list --project nig", "", ["classes", "list", "--project", "night watch"]),
    (
        "batman classes merge --project bees --source per",
        "--target car",
        ["classes", "merge", "--project", "bees", "--source", "person", "--target", "car"],
    ),
    ("batman runs show bees-t", "", ["runs", "show", "bees-tiny-1"]),
    ("batman evaluate bees-t", "", ["evaluate", "bees-tiny-1"]),
    ("batman clusters show ve", "", ["clusters", "show", "vega"]),
    ("batman jobs list --cluster ve", "", ["jobs", "list", "--cluster", "vega"]),
    ("batman jobs show 48", "", ["jobs", "show", "48210"]),
    ("batman classes list --js", "", ["classes", "list", "--json"]),
    ("batman-tui --wor", "", ["--workspace"]),
)


class Terminal:
    """A shell on a pseudo-terminal. `close` ends it, and what it started."""

    def __init__(self, argv: list[str], env: dict[str, str], folder: Path) -> None:
        self._ours, theirs = pty.openpty()
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
        self._process = subprocess.Popen(
            argv, stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=folder,
            start_new_session=True, preexec_fn=lambda: ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(theirs)
        self.painted = ""

    def type(self, keys: str) -> None:
        """Type `keys`."""
        os.write(self._ours, keys.encode())

    def until(self, done: Path, seconds: float = 60) -> None:
        """Read what the shell paints until the file `done` is there."""
        end = monotonic() + seconds
        while not done.exists():
            assert monotonic() < end, f"{done.name} did not come:\n{self.painted[-2000:]}"
            if select.select([self._ours], [], [], 0.02)[0]:
                try:
                    self.painted += os.read(self._ours, 65536).decode(errors="replace")
                except OSError as error:  # its end of the terminal is closed
                    raise AssertionError(f"the shell ended:\n{self.painted[-2000:]}") from error

    def close(self) -> None:
        """End the shell."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._ours)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A workspace with names of each kind, a cluster, and the two programs in `bin`.

    A program answers Tab as Batman does; started, it only notes its words in `asked`.
    """
    projects = tmp_path / "here/data/projects"
    with Project.create(projects / "bees") as project, project.change("t", "classes") as change:
        for name in ("person", "car"):
            change.insert("classes", {"name": name})
    Project.create(projects / "night watch").close()
    run = tmp_path / "here/runs/bees-tiny-1"
    run.mkdir(parents=True)
    write_json(run / "training_config.json", {})
    record = JobRecord(
        cluster="vega", host="vega.example", token="4f", run_dir="/scratch/x", log="/scratch/l",
        marker="/scratch/m", submitted_at=1.0, job_id="48210",
    )  # fmt: skip
    write_record(run, record)
    save_profile(Profile(name="vega", host="selina@vega.example", workspace="/scratch/x"))
    command = " ".join(python_command("cli.main"))
    for name in ("batman", "batman-tui"):
        file = tmp_path / "bin" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(
            "#!/bin/sh\n"
            f'if [ -n "$_ARGCOMPLETE" ] || [ "$1" = completion ]; then exec {command} "$@"; fi\n'
            "printf '%s\\n' \"$@\" > asked.part && mv asked.part asked\n"
        )
        file.chmod(0o755)
    return tmp_path


@contextmanager
def shell_at(place: Path, shell: str) -> Iterator[Terminal]:
    """Start `shell` with the completion loaded."""
    home = place / "home"
    home.mkdir()
    environment = {
        **os.environ,
        "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
        "HOME": str(home), "ZDOTDIR": str(home), "XDG_CONFIG_HOME": str(home),
        "BATMAN_WORKSPACE": str(place / "here"), "TERM": "xterm", "PS1": "$ ",
    }  # fmt: skip
    terminal = Terminal(_START[shell], environment, place)
    try:
        terminal.type(f"{_LOAD[shell]}; touch loaded\r")
        terminal.until(place / "loaded")
        yield terminal
    finally:
        terminal.close()


@pytest.mark.parametrize("shell", SHELLS)
def test_tab_completes_names_of_each_kind(place: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    asked = place / "asked"
    got = []
    with shell_at(place, shell) as terminal:
        for before, after, _ in LINES:
            terminal.type(f"{before}\t {after}\r")
            terminal.until(asked)
            got.append(asked.read_text().splitlines())
            asked.unlink()
    assert got == [words for *_, words in LINES]
    assert not re.search("(?i)not found|unknown|error|traceback", terminal.painted)
