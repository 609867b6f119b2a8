"""What the commands that only list, show or help cost, and the files that they open.

    python benchmarks/commands.py [--repeats N] [--earlier FOLDER]

A workspace of a project and a run is made first. Each command is a process of its own, whose
processor time (its own and the system's) is taken, the least of the repeats: the work is the same
each time, and what else the machine does only adds to it. Files are counted by strace where there
is one. With `--earlier` a checkout of an earlier build does the same in
the same run of this benchmark (`git worktree add /tmp/earlier 12958e1`); a command that it does not
have is not compared.

Python keeps what it compiles, whatever the environment says, in a folder of the benchmark's own: as
it does where Batman is installed. Help and the version are kept by the first, uncounted run.

Limits: 0.20 s of processor time, and half of the files that the earlier build opens.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

LIMIT_S, FILES = 0.20, 0.5
TIMEOUT_S = 60.0
_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
LISTS = (
    "--version", "project list", "project show p", "classes list --project p",
    "images list --project p", "splits show --project p", "runs list",
    "runs show r", "clusters list", "locate",
)  # fmt: skip


def make_workspace(root: Path) -> None:
    """Write a project of three classes and a finished run."""
    from core.data.store import Project
    from core.training.config.options import TrainingConfig
    from core.training.run.events import EventWriter, Finished
    from core.training.run.run import Run

    with (
        Project.create(root / "data" / "projects" / "p") as project,
        project.change("test", "made") as change,
    ):
        source = change.insert(
            "imports", {"kind": "coco", "origin": "here", "at": "2026-03-14", "active": 1}
        )
        for name in ("person", "car", "bicycle"):
            of = change.insert("classes", {"name": name})
            change.insert("labels", {"import_id": source, "name": name, "class_id": of})
    run = Run(root / "runs" / "r")
    run.path.mkdir(parents=True)
    run.save_config(TrainingConfig(model="tiny", epochs=1))
    with closing(EventWriter(run.events_file)) as events:
        events.write(Finished(t=time.time(), epoch=1, step=1, best_epoch=1, best_map50_95=0.5,
                              best_map50=0.6, seconds=1.0))  # fmt: skip


def commands() -> list[str]:
    """Return every command that only lists, shows or helps."""
    from cli.main import COMMANDS

    return [*LISTS, "--help", *(f"{name} --help" for name in COMMANDS)]


def _environment(build: Path, root: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != _NO_BYTECODE}
    return {
        **kept,
        "PYTHONPYCACHEPREFIX": str(root / f"compiled-{build.name}"),
        "PYTHONPATH": str(build),
        "BATMAN_CONFIG_DIR": str(root / "config"),
        "BATMAN_CACHE_DIR": str(root / f"cache-{build.name}"),
        "BATMAN_WORKSPACE": str(root),
    }


def _run(words: list[str], build: Path, root: Path) -> tuple[int, float]:
    """Return the exit code and the processor seconds of a process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=TIMEOUT_S,
        check=False, cwd=root, env=_environment(build, root),
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.returncode, cpu


def measure(command: str, build: Path, root: Path, repeats: int) -> tuple[float, int] | None:
    """Return the processor seconds and the files of a command, None where it does not succeed.

    Files are -1 where there is no strace.
    """
    words = [sys.executable, "-P", "-m", "cli.main", *command.split()]
    code, _ = _run(words, build, root)  # compiles, fills the cache
    if code:
        return None
    cpu = min(_run(words, build, root)[1] for _ in range(repeats))
    files = -1
    if strace := shutil.which("strace"):
        log = root / "strace.txt"
        _run([strace, "-f", "-qq", "-e", "trace=open,openat", "-o", str(log), *words], build, root)
        lines = log.read_text(errors="replace").splitlines()
        files = sum("= -1 " not in line for line in lines if "open" in line)
    return cpu, files


def main() -> int:
    """Measure, print, and return 1 when a limit is broken."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--earlier", type=Path, help="checkout of an earlier build")
    parser.add_argument("--lists", action="store_true", help="only those that list or show")
    args = parser.parse_args()
    over = []
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        make_workspace(root)
        every = LISTS if args.lists else commands()
        for command in every:
            now = measure(command, ROOT, root, args.repeats)
            if now is None:
                raise SystemExit(f"batman {command} did not succeed")
            cpu, files = now
            said = [f"{command:<26} {cpu:5.2f} s", f"{files:5d} files"]
            broken = cpu > LIMIT_S
            before = measure(command, args.earlier.resolve(), root, 2) if args.earlier else None
            if before is not None:
                share = files / before[1]
                said.append(f"{share:4.2f} of {before[1]} ({before[0]:.2f} s)")
                broken |= files > 0 and share > FILES
            if broken:
                over.append(command)
                said.append("OVER")
            print("  ".join(said), flush=True)
    print(f"{len(over)} of {len(every)} commands are over {LIMIT_S:.2f} s"
          + (f" or {FILES} of the files" if args.earlier else ""))  # fmt: skip
    return 1 if over else 0


if __name__ == "__main__":
    raise SystemExit(main())
