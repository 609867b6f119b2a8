"""What uses a model, on a disk without room: one clear error that names it, and nothing left.

    sudo python benchmarks/full_disk_models.py RUN

RUN is the folder of a finished run with its data set, such as `make demo` makes. Needs root, for a
tmpfs is mounted. Each command runs with nothing free, 4 KiB, 64 KiB, half and nine tenths of what
it needs, and with nothing free where temporary files lie. It must do all of its work, or end with
an error that names the full disk, leaving what was there and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent))

from full_disk import leave, used

from core.processes.child_process import python_command, python_environment

DISK = 512 * 1024 * 1024
COMMANDS = {
    "evaluate": ("evaluate", "r", "--split", "test", "--device", "cpu"),
    "infer": ("infer", "--run", "r", "--input", "{images}", "--device", "cpu"),
    "export model": ("export", "model", "r", "{out}", "--formats", "pth", "onnx"),
    "export coco": ("export", "coco", "--project", "p", "{out}"),
}


class Place:
    """A workspace on a small disk, and how commands are called in it."""

    def __init__(self, room: Path, run: Path) -> None:
        self.room, self.run = room, run
        self.disk = room / "disk"
        self.scratch = room / "scratch"
        for folder in (self.disk, self.scratch):
            folder.mkdir()
        self.images = next((run / "dataset").glob("test*"))

    def fill(self, work: Path) -> None:
        """Make the workspace: the run with its model and data set, and a project of the latter."""
        here = work / "runs" / "r"
        here.mkdir(parents=True)
        for name in ("training_config.json", "results.json", "events.jsonl"):
            shutil.copyfile(self.run / name, here / name)
        for name in ("best.pth", "dataset"):
            (here / name).symlink_to(self.run / name)
        code, said = self.call(
            work, ("import", "coco-dir", str(self.run / "dataset"), "--project", "p", "--create",
                   "--reference")
        )  # fmt: skip
        assert code == 0, said

    def call(self, work: Path, words: tuple[str, ...], tmp: Path | None = None) -> tuple[int, str]:
        """Run a command; return its exit code and what it said, without line breaks."""
        given = [word.format(images=self.images, out=work / "out") for word in words]
        env = python_environment({
            **os.environ, "BATMAN_WORKSPACE": str(work), "TMPDIR": str(tmp or self.scratch),
            "BATMAN_CONFIG_DIR": str(self.room / "config"),
            "BATMAN_CACHE_DIR": str(self.room / "cache"), "COLUMNS": "500",
        })  # fmt: skip
        done = subprocess.run(
            python_command("cli.main", *given), stdin=subprocess.DEVNULL, capture_output=True,
            text=True, env=env, check=False, cwd=self.room,
        )  # fmt: skip
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    def needs(self, work: Path, words: tuple[str, ...], tmp: Path) -> int:
        """Return about how many bytes the disk must have, from a run with room."""
        import threading

        before, most, over = used(self.disk), 0, threading.Event()

        def watch() -> None:
            nonlocal most
            while not over.wait(0.005):
                most = max(most, used(self.disk) - before)

        thread = threading.Thread(target=watch)
        thread.start()
        code, said = self.call(work, words, tmp)
        over.set()
        thread.join()
        assert code == 0, said
        return max(most, used(self.disk) - before)


def state(folder: Path) -> dict[str, str]:
    """Return what is in a folder, hidden files too: each with a digest of its bytes."""
    return {
        str(path.relative_to(folder)):
        "link" if path.is_symlink() else hashlib.blake2b(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if (path.is_symlink() or path.is_file()) and not path.name.endswith(".lock")
    }  # fmt: skip


def sweep(place: Place, name: str, where: str) -> list[str]:
    """Run one command with several amounts of free space; return what was wrong."""
    wrong = []
    kept = place.room / f"{name} {where}"
    work = (place.disk if where == "workspace" else kept) / "ws"
    tmp = place.disk if where == "temporary" else place.scratch

    def fresh() -> None:
        for folder in (place.disk, place.scratch):
            for path in folder.iterdir():
                path.unlink() if path.is_file() else shutil.rmtree(path)
        shutil.rmtree(work, ignore_errors=True)
        place.fill(work)

    fresh()
    need = place.needs(work, COMMANDS[name], tmp)
    amounts = [0, 4096, 65536, need // 2, need * 9 // 10] if where == "workspace" else [0]
    for free in (amount // 4096 * 4096 for amount in amounts if amount < max(need, 1)):
        fresh()
        before = state(work) | state(place.scratch)
        leave(place.disk, free)
        code, said = place.call(work, COMMANDS[name], tmp)
        (place.disk / "filler").unlink()
        after = state(work) | state(place.scratch)
        if tmp == place.disk:
            after |= {f"tmp/{path}": "" for path in state(tmp)}
        text = judge(code, said, sorted(after.items() ^ before.items()), place.disk)
        wrong += [f"{free:,} bytes free: {text}"] if text else []
        print(f"{name:14} {where:10} {free:12,} of {need:12,}  {code}  {text or 'well'}")
        print(f"    {said[-300:]}", flush=True)
    return wrong


def judge(code: int, said: str, changed: list[tuple[str, str]], disk: Path) -> str:
    """Return what is wrong with how a command ended, empty for nothing."""
    if "Traceback" in said or "defect" in said:
        return "a traceback or a defect"
    if code == 0:
        return ""
    if changed:
        return f"left {', '.join(name for name, _ in changed[:5])}"
    if f"'{disk}'" not in said or "make room" not in said:
        return "does not name the full disk and what makes room"
    return "" if code == 1 else f"ended with {code}"


def main() -> int:
    """Sweep, print, and return 1 when a command ended as it must not."""
    if os.geteuid() or len(sys.argv) < 2:
        print(__doc__)
        return 2
    run, names = Path(sys.argv[1]).absolute(), sys.argv[2:] or list(COMMANDS)
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder), run)
        options = f"size={DISK}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place.disk], check=True)
        try:
            for name in names:
                for where in ("workspace", "temporary"):
                    wrong += [f"{name}, {where}: {text}" for text in sweep(place, name, where)]
        finally:
            subprocess.run(["umount", "-l", place.disk], check=False)
    print(f"{len(wrong)} runs that ended as they must not")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
