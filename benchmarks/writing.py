"""What the sweeps share: a small workspace, every command that writes to it, and what is in it.

Commands run in forks of this process, which has loaded their modules: that takes milliseconds.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sqlite3
import sys
import traceback
import zipfile
from collections.abc import Sequence
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "unit")]

IMAGES = 24
P = ("--project", "cells")


@dataclass(frozen=True)
class Command:
    """A command line that writes; `{src}` is the folder of data sets, `{out}` one to export to.

    `deletes` is for what must work on a full disk. `first` is run before it, unharmed. `later` is
    the next command that changes something in the same folder, which removes what a kill left;
    where it is not given, the same command. Files whose path starts with `piecemeal` come or go one
    by one, each of them whole; the file `rewritten` is written more than once. `steps` is a command
    that does the first half, where a command is two changes. `reads` is for what writes only what
    it can do without.
    """

    words: tuple[str, ...]
    first: tuple[str, ...] = ()
    deletes: bool = False
    later: tuple[str, ...] = ()
    piecemeal: str = ""
    rewritten: str = ""
    steps: tuple[str, ...] = ()
    reads: bool = False

    @property
    def name(self) -> str:
        """How a report names it."""
        return " ".join(word for word in self.words if not word.startswith("{"))[:48]


TOUCH = ("splits", "draw", "--seed", "77", *P)
_SPACE = ("project", "create", "later")


def _imports() -> list[Command]:
    found = []
    for kind, folder in (("coco-dir", "coco"), ("yolo", "yolo"), ("voc", "voc")):
        for mode in ("--link", "--copy", "--move", "--reference"):
            words = ("import", kind, f"{{src}}/{folder}", *P, mode)
            piecemeal = "src/" if mode == "--move" else ""
            found.append(Command(words, later=TOUCH, piecemeal=piecemeal))
    new = ("--project", "new")
    return [
        *found,
        Command(("import", "yolo", "{src}/yolo.zip", *P), later=TOUCH),
        Command(
            ("import", "yolo", "{src}/yolo", *new, "--create"),
            later=("import", "yolo", "{src}/yolo", *new, "--create", "--again"),
            steps=("project", "create", "new"),
        ),
    ]


def _of_project(*words: str, first: tuple[str, ...] = ()) -> Command:
    return Command((*words, *P), first=(*first, *P) if first else (), later=TOUCH)


def _export(kind: str) -> Command:
    return Command(("export", kind, "{out}", *P), later=("export", "coco", "{out}2", *P))


COMMANDS = [
    *_imports(),
    _of_project("classes", "merge", "--source", "boom", "--target", "hook"),
    _of_project("classes", "rename", "--old-name", "boom", "--new-name", "crane"),
    _of_project("classes", "delete", "--name", "boom"),
    _of_project("classes", "apply", "{src}/mapping.csv"),
    _of_project("classes", "undo"),
    _of_project("classes", "redo", first=("classes", "undo")),
    _of_project("splits", "draw", "--seed", "5"),
    _of_project("splits", "set", "test", "--where", "split:train"),
    _of_project("images", "delete", "--where", "class:boom", "--yes"),
    _of_project("check", "--fix", "all"),
    _of_project("autolabel", "--take"),
    Command(("project", "create", "empty"), later=_SPACE),
    Command(("project", "delete", "--yes", "cells"), deletes=True, later=_SPACE),
    *(_export(kind) for kind in ("coco", "yolo", "voc", "original")),
    Command(
        ("train", "--prepare-only", *P, "--model", "nano"),
        later=("train", "--prepare-only", *P, "--output-dir", "runs/cells-nano-1"),
        rewritten="ws/runs/cells-nano-1/training_config.json",
    ),
    Command(("runs", "list"), first=("runs", "note", "r2", "seen"), reads=True),
    Command(("runs", "note", "r1", "a note")),
    Command(("runs", "tag", "r1", "+good")),
    Command(
        ("runs", "delete", "--checkpoints", "--yes", "r1"),
        deletes=True,
        piecemeal="ws/runs/r1/checkpoint_",
    ),
    Command(
        ("runs", "delete", "--yes", "r1"), deletes=True, later=("runs", "delete", "--yes", "r2")
    ),
    Command(("clusters", "add", "hall", "--no-ask")),
    Command(("app", "theme", "nord")),
    Command(("app", "runs-columns", "name", "state")),
]


def _app(words: Sequence[str]) -> int:
    """Save one of the app's settings, as the app itself does."""
    from batman_tui import settings
    from cli.common import guard

    def save() -> int:
        if words[0] == "theme":
            settings.save_theme(words[1])
        else:
            settings.save_runs_columns(words[1:])
        return 0

    return guard(save)


def _unfinished_pass(project: Path) -> None:
    """Put the pass of a labeller into the project that has looked at all pictures but one."""
    from core.autolabel.pass_folder import (
        Begun,
        FoundLine,
        FoundWriter,
        PassFolder,
        PassTask,
        TaskImage,
    )
    from core.data.store.leftovers import PASSES

    folder = PassFolder(project / PASSES / "shapes-1")
    folder.create(
        PassTask(
            key="k", name="shapes-1", at="2026", kind="run", model="shapes", weights="w",
            classes=(), images="i",
        ),
        [TaskImage(n + 1, f"1/{n}.png", 64, 48) for n in range(IMAGES)],
    )  # fmt: skip
    with FoundWriter(folder) as writer:
        writer.write([FoundLine(begun=Begun("cpu", (1, 2)))])
        writer.write([
            FoundLine(image=n, boxes=tuple((1 + k % 2, float(k), 3.0, 9.0, 9.0, 0.5)
                                           for k in range(40)))
            for n in range(1, IMAGES)
        ])  # fmt: skip


def _main(words: Sequence[str]) -> int:
    from cli.main import main

    return _app(words[1:]) if words[0] == "app" else main(list(words))


def template(folder: Path) -> Path:
    """Make a workspace with a project of two imports, a finished run, and data sets to import."""
    from import_data import coco, png, put

    from core.training.config.options import TrainingConfig
    from core.training.run.checkpoints import LAST
    from core.training.run.run import Run

    sets = folder / "src"
    images = [{"id": n, "file_name": f"{n}.png", "width": 64, "height": 48} for n in range(IMAGES)]
    boxes = [
        {"id": n, "image_id": n % IMAGES, "category_id": 1 + n // 3 % 2, "bbox": [n % 40, 3, 9, 9]}
        for n in range(1500)
    ]
    for name, shade in (("first", 0), ("coco", 1)):
        put(sets / name / "_annotations.coco.json", json.dumps(
            coco(images=images, annotations=boxes)))  # fmt: skip
        for image in range(IMAGES):
            put(sets / name / f"{image}.png", png() + bytes([shade, image]))
    put(sets / "yolo" / "data.yaml", "names: [hook, boom]\ntrain: train/images\n")
    for image in range(IMAGES):
        put(sets / f"yolo/train/images/{image}.png", png() + bytes([2, image]))
        put(sets / f"yolo/train/labels/{image}.txt", "0 0.5 0.5 0.2 0.2\n" * 40)
        put(sets / f"voc/{image}.png", png() + bytes([3, image]))
        one = (
            "<object><name>hook</name><bndbox><xmin>2</xmin><ymin>2</ymin><xmax>20</xmax>"
            "<ymax>20</ymax></bndbox></object>"
        )
        put(sets / f"voc/{image}.xml", f"<annotation><filename>{image}.png</filename><size>"
            f"<width>64</width><height>48</height></size>{one * 20}</annotation>")  # fmt: skip
    with zipfile.ZipFile(sets / "yolo.zip", "w") as archive:
        for path in sorted((sets / "yolo").rglob("*.*")):
            archive.write(path, path.relative_to(sets / "yolo"))
    put(sets / "mapping.csv", "boom,crane\nhook,lifting hook\n")
    space = folder / "ws"
    space.mkdir()
    for words in (
        ("import", "coco-dir", "{src}/first", *P, "--create", "--copy"),
        ("splits", "draw", *P),
        ("classes", "rename", "--old-name", "hook", "--new-name", "hooks", *P),
        ("classes", "rename", "--old-name", "hooks", "--new-name", "hook", *P),
    ):
        code, said = run(folder, words)
        if code:
            raise SystemExit(f"the workspace could not be made: {said}")
    _unfinished_pass(space / "data" / "projects" / "cells")
    for name in ("r1", "r2"):
        run_dir = Run(space / "runs" / name)
        run_dir.path.mkdir(parents=True)
        run_dir.save_config(TrainingConfig())
        put(run_dir.events_file, '{"event":"finished","t":1.0,"epoch":1,"step":1,"best_epoch":1,'
            '"best_map50_95":0.5,"best_map50":0.5,"seconds":1.0}\n')  # fmt: skip
        put(run_dir.path / "best.pth", b"x" * 200_000)
        for number in range(4):
            put(run_dir.path / f"checkpoint_epoch_{number}.pth", b"x" * 50_000)
        put(run_dir.path / LAST, b"x" * 200_000)
    return folder


def warm(made: Path, room: Path, commands: Sequence[Command] = COMMANDS) -> None:
    """Run every one of `commands` in this process, so that its forks have all modules loaded."""
    here = room / "warm"
    before = Path.cwd()
    with open(os.devnull, "w") as nothing, redirect_stdout(nothing), redirect_stderr(nothing):  # noqa: PTH123
        for command in commands:
            fresh(made, here)
            _settle_in(here)
            for words in filter(None, (command.words, command.later)):
                _main(_given(here, words))
    os.chdir(before)
    shutil.rmtree(here)


def _settle_in(folder: Path) -> None:
    os.environ.update(
        BATMAN_CONFIG_DIR=str(folder / "config"),
        BATMAN_CACHE_DIR=str(folder / "cache"),
        BATMAN_WORKSPACE=str(folder / "ws"),
    )
    os.chdir(folder)


def start(folder: Path, words: tuple[str, ...]) -> int:
    """Fork a process that runs the command in the workspace below `folder`; return its number."""
    # In memory, for what a command says must need no room on the disk that is full.
    os.ftruncate(_SAID, 0)
    os.lseek(_SAID, 0, os.SEEK_SET)
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        os.dup2(_SAID, 1)
        os.dup2(_SAID, 2)
        # Whoever captures output, such as pytest, has put streams of its own there.
        sys.stdout, sys.stderr = (open(fd, "w", closefd=False) for fd in (1, 2))  # noqa: SIM115
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        _settle_in(folder)
        code = _main(_given(folder, words))
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code if isinstance(code, int) else 70)


def run(folder: Path, words: tuple[str, ...]) -> tuple[int, str]:
    """Run a command to its end; return its exit code and all that it said."""
    _, status = os.waitpid(start(folder, words), 0)
    return os.waitstatus_to_exitcode(status), said()


def said() -> str:
    """Return what the last command said."""
    return os.pread(_SAID, 1 << 20, 0).decode(errors="replace")


def _given(folder: Path, words: Sequence[str]) -> list[str]:
    return [word.format(src=folder / "src", out=folder / "out") for word in words]


def fresh(made: Path, folder: Path) -> Path:
    """Copy the template to `folder`, in place of what is there."""
    shutil.rmtree(folder, ignore_errors=True)
    return shutil.copytree(made, folder, symlinks=True)


_SAID = os.memfd_create("said")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*(?:\+00:00|Z)?")


def state(folder: Path) -> dict[str, str]:
    """Return what is in the workspace, its data sets and exports: what a person can see of it.

    Of a project it is the rows, times aside, and the bytes of the images they name; of all else
    every file that is not hidden. Raises AssertionError for a database that is not sound.
    """
    found: dict[str, str] = {}
    projects = folder / "ws" / "data" / "projects"
    for top in (folder / "ws", folder / "src", folder / "out", folder / "config"):
        for parent, folders, files in os.walk(top):
            folders[:] = [name for name in folders if not name.startswith(".")]
            if Path(parent).parent == projects:
                found |= _project(Path(parent), folder)
                folders[:] = []
                continue
            if parent.startswith(str(folder / "ws" / "runs")) and not [*folders, *files]:
                found[f"{Path(parent).relative_to(folder)}/"] = "empty"
            for name in files:
                if not name.startswith(".") and not name.endswith((".lock", "-journal")):
                    data = (Path(parent) / name).read_bytes()
                    text = _TIME.sub("TIME", data.decode("latin-1")).replace(str(folder), "HERE")
                    key = str((Path(parent) / name).relative_to(folder))
                    found[key] = hashlib.blake2b(text.encode()).hexdigest()[:16]
    return found


def _project(path: Path, folder: Path) -> dict[str, str]:
    if not (path / "project.db").is_file():
        return {}
    with closing(sqlite3.connect(path / "project.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok", path
        assert not db.execute("PRAGMA foreign_key_check").fetchall(), path
        rows = "\n".join(line for line in db.iterdump() if "sqlite_sequence" not in line)
        images = [row[0] for row in db.execute("SELECT path FROM v_images")]
    text = _TIME.sub("TIME", rows).replace(str(folder), "HERE")
    found = {f"project {path.name}": hashlib.blake2b(text.encode()).hexdigest()[:16]}
    for image in images:
        data = (path / "images" / image).read_bytes()
        found[f"project {path.name} {image}"] = hashlib.blake2b(data).hexdigest()[:16]
    return found


def leftovers(folder: Path) -> list[str]:
    """Return what no command leaves when it ends well: hidden files, and marks of imports."""
    found = []
    for parent, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            if name.startswith(".") or name.endswith((".tmp", ".part", ".importing")):
                found.append(str((Path(parent) / name).relative_to(folder)))
        folders[:] = [name for name in folders if not name.startswith(".")]
    return sorted(found)


def journals(folder: Path) -> bool:
    """Whether a transaction is open, or was when its process died."""
    return any((folder / "ws" / "data" / "projects").glob("*/project.db-journal"))
