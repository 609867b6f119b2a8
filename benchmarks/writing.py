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

    `deletes` is for what must work on a full disk. `first` is run before it, unharmed.
    """

    words: tuple[str, ...]
    first: tuple[str, ...] = ()
    deletes: bool = False

    @property
    def name(self) -> str:
        """How a report names it."""
        return " ".join(word for word in self.words if not word.startswith("{"))[:48]


def _imports() -> list[Command]:
    found = []
    for kind, folder in (("coco-dir", "coco"), ("yolo", "yolo"), ("voc", "voc")):
        for mode in ("--link", "--copy", "--move", "--reference"):
            found.append(Command(("import", kind, f"{{src}}/{folder}", *P, mode)))
    return [
        *found,
        Command(("import", "yolo", "{src}/yolo.zip", *P)),
        Command(("import", "yolo", "{src}/yolo", "--project", "new", "--create")),
    ]


COMMANDS = [
    *_imports(),
    Command(("classes", "merge", "--source", "boom", "--target", "hook", *P)),
    Command(("classes", "rename", "--old-name", "boom", "--new-name", "crane", *P)),
    Command(("classes", "delete", "--name", "boom", *P)),
    Command(("classes", "undo", *P)),
    Command(("classes", "redo", *P), first=("classes", "undo", *P)),
    Command(("splits", "draw", *P)),
    Command(("splits", "set", "test", "--where", "split:train", *P)),
    Command(("images", "delete", "--where", "class:boom", "--yes", *P)),
    Command(("check", "--fix", "all", *P)),
    Command(("project", "create", "empty")),
    Command(("project", "delete", "--yes", "cells"), deletes=True),
    *(Command(("export", kind, "{out}", *P)) for kind in ("coco", "yolo", "voc", "original")),
    Command(("runs", "note", "r1", "a note")),
    Command(("runs", "tag", "r1", "+good")),
    Command(("runs", "delete", "--checkpoints", "--yes", "r1"), deletes=True),
    Command(("runs", "delete", "--yes", "r1"), deletes=True),
]


def template(folder: Path) -> Path:
    """Make a workspace with a project of two imports, a finished run, and data sets to import."""
    from import_data import coco, png, put

    from core.training.config import TrainingConfig
    from core.training.run import Run

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
    run_dir = Run(space / "runs" / "r1")
    run_dir.path.mkdir(parents=True)
    run_dir.save_config(TrainingConfig())
    put(run_dir.events_file, '{"event":"finished","t":1.0,"epoch":1,"step":1,"best_epoch":1,'
        '"best_map50_95":0.5,"best_map50":0.5,"seconds":1.0}\n')  # fmt: skip
    put(run_dir.path / "best.pth", b"x" * 200_000)
    put(run_dir.path / "last.ckpt", b"x" * 200_000)
    return folder


def warm(made: Path, room: Path, commands: Sequence[Command] = COMMANDS) -> None:
    """Run every one of `commands` in this process, so that its forks have all modules loaded."""
    from cli.main import main

    here = room / "warm"
    before = Path.cwd()
    with open(os.devnull, "w") as nothing, redirect_stdout(nothing), redirect_stderr(nothing):  # noqa: PTH123
        for command in commands:
            fresh(made, here)
            _settle_in(here)
            main([word.format(src=here / "src", out=here / "out") for word in command.words])
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
    given = [word.format(src=folder / "src", out=folder / "out") for word in words]
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        out = os.open(f"{folder}.said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        _settle_in(folder)
        from cli.main import main

        code = main(given)
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code if isinstance(code, int) else 70)


def run(folder: Path, words: tuple[str, ...]) -> tuple[int, str]:
    """Run a command to its end; return its exit code and all that it said."""
    _, status = os.waitpid(start(folder, words), 0)
    return os.waitstatus_to_exitcode(status), said_in(folder)


def said_in(folder: Path) -> str:
    """Return what the last command said."""
    return Path(f"{folder}.said").read_text(errors="replace")


def fresh(made: Path, folder: Path) -> Path:
    """Copy the template to `folder`, in place of what is there."""
    shutil.rmtree(folder, ignore_errors=True)
    return shutil.copytree(made, folder, symlinks=True)


_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*(?:\+00:00|Z)?")


def state(folder: Path) -> dict[str, str]:
    """Return what is in the workspace, its data sets and exports: what a person can see of it.

    Of a project it is the rows, times aside, and the bytes of the images they name; of all else
    every file that is not hidden. Raises AssertionError for a database that is not sound.
    """
    found: dict[str, str] = {}
    projects = folder / "ws" / "data" / "projects"
    for top in (folder / "ws", folder / "src", folder / "out"):
        for parent, folders, files in os.walk(top):
            folders[:] = [name for name in folders if not name.startswith(".")]
            if Path(parent).parent == projects:
                found |= _project(Path(parent), folder)
                folders[:] = []
                continue
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
    """Return the hidden files and folders, which no command leaves when it ends well."""
    found = []
    found += [item.name for item in folder.iterdir() if item.name.startswith(".")]
    for top in ("ws", "src", "cache", "config"):
        for parent, folders, files in os.walk(folder / top):
            for name in [*folders, *files]:
                if name.startswith("."):
                    found.append(str((Path(parent) / name).relative_to(folder)))
            folders[:] = [name for name in folders if not name.startswith(".")]
    return sorted(set(found))


def journals(folder: Path) -> bool:
    """Whether a transaction is open, or was when its process died."""
    return any((folder / "ws" / "data" / "projects").glob("*/project.db-journal"))
