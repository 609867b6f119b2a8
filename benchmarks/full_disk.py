"""Every command that writes on a disk without room for it: one clear error, and nothing changed.

    sudo python benchmarks/full_disk.py [RUNS]

Needs root, for a tmpfs is mounted. For each command, free space goes in steps from nothing to
more than it needs. It must do all of its work, or end with an error that names the full disk and no
traceback, leaving the state before it. What deletes must succeed with no byte free.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from writing import COMMANDS, Command, fresh, run, start, state, template, warm

RUNS = 200
DISK = 64 * 1024 * 1024
_PAGE = 4096


def used(folder: Path) -> int:
    """Return how many bytes are taken of the disk that `folder` lies on."""
    stat = os.statvfs(folder)
    return (stat.f_blocks - stat.f_bfree) * stat.f_frsize


def leave(folder: Path, free: int) -> None:
    """Fill the disk but for `free` bytes."""
    filler = folder / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(_PAGE, _free(folder) - free))


def _free(folder: Path) -> int:
    stat = os.statvfs(folder)
    return stat.f_bavail * stat.f_frsize


def peak(disk: Path, here: Path, command: Command) -> int:
    """Run a command unharmed; return the most bytes of the disk that it was seen to take.

    What it takes for less than a moment, such as a journal, is missed on a busy machine.
    """
    before = most = used(disk)
    child = start(here, command.words)
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        most = max(most, used(disk))
    return max(most, used(disk)) - before


def judge(command: Command, code: int, said: str, same: bool, whole: bool, free: int) -> str:
    """Return what is wrong with how a command ended, empty for nothing."""
    low = said.casefold()
    if "traceback" in low or "defect" in low:
        return "a traceback or a defect: " + said.strip()[-200:]
    if whole and code in (0, 1):
        return ""
    if command.deletes and not free:
        return f"a delete did not work ({code}): " + said.strip()[-200:]
    if not same:
        return f"changed half of it ({code}): " + said.strip()[-200:]
    if code == 0:
        return "said that all is well, and did nothing"
    return (
        ""
        if any(word in low for word in ("full", "space", "make room"))
        else "does not name the disk: " + said[-200:]
    )


def sweep(made: Path, disk: Path, command: Command, runs: int) -> tuple[int, Counter[str]]:
    """Run one command with `runs` amounts of free space; return how often it ended whole."""
    here = disk / "try"

    def ready() -> dict[str, str]:
        (disk / "filler").unlink(missing_ok=True)
        fresh(made, here)
        if command.first:
            run(here, command.first)
        return state(here)

    before = ready()
    need = max(8 * _PAGE, peak(disk, here, command))
    after = state(here)
    wrong: Counter[str] = Counter()
    done = 0
    for number in range(runs):
        ready()
        free = int(2.5 * need * number / max(1, runs - 1)) // _PAGE * _PAGE
        leave(disk, free)
        code, said = run(here, command.words)
        (disk / "filler").unlink()
        now = state(here)
        done += now == after
        if text := judge(command, code, said, now == before, now == after, free):
            wrong[text] += 1
    return done, wrong


def main() -> int:
    """Sweep, print, and return 1 when a command ended as it must not."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    if os.geteuid():
        print("A small disk can be mounted by root only.")
        return 2
    faults = 0
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        made = template(room / "made")
        warm(made, room)
        disk = room / "disk"
        disk.mkdir()
        options = f"size={DISK}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", disk], check=True)
        try:
            share, more = divmod(runs, len(COMMANDS))
            for number, command in enumerate(COMMANDS):
                each = share + (number < more)
                done, wrong = sweep(made, disk, command, each)
                faults += wrong.total()
                print(f"{command.name:50} {each:4} runs {done:4} whole", flush=True)
                for text, times in wrong.items():
                    print(f"    WRONG {times}x {' '.join(text.split())}", flush=True)
        finally:
            subprocess.run(["umount", disk], check=False)
    print(f"{faults} runs that ended as they must not")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
