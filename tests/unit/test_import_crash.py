"""`kill -9` at any moment of an import leaves the project as it was before, or as after it."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from import_data import check, coco, files_below, put, put_coco

from core.data import classes
from core.data.importers import import_coco
from core.data.store import Project

KILLS = 110
IMAGES = 60


def dataset(folder: Path) -> Path:
    images = [{"id": n, "file_name": f"{n}.png", "width": 64, "height": 48} for n in range(IMAGES)]
    annotations = [
        {"id": n, "image_id": n % IMAGES, "category_id": 1 + n % 2, "bbox": [n % 40, 3, 9, 9]}
        for n in range(6000)
    ]
    for image in images:
        put(folder / str(image["file_name"]))
    put(folder / "a.json", json.dumps(coco(images=images, annotations=annotations)))
    return folder


def seen(project: Project) -> tuple[Any, ...]:
    rows = classes.list_classes(project)
    return (
        project.summary().images,
        project.summary().imports,
        tuple((row.name, row.annotations, row.images) for row in rows),
        tuple((entry.kind, entry.undone) for entry in project.history()),
    )


def killed(act: Callable[[Callable[[], None]], None], steps: int, delay: float) -> None:
    """Run `act` in a child and kill it `delay` seconds after it has called back `steps` times."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            act(lambda: os.write(writer, b".") and None)
            signal.pause()
        finally:
            os._exit(1)
    os.close(writer)
    while steps > 0:
        steps -= len(os.read(reader, steps))
    # The moment of the kill is the random thing under test, not something to wait for.
    end = time.perf_counter() + delay
    while time.perf_counter() < end:
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reader)


def journal_of(project: Path) -> bool:
    """Whether a transaction was open: SQLite leaves its rollback journal behind."""
    return (project / "project.db-journal").exists()


@pytest.mark.parametrize("files", ["link", "move"])
def test_kill_9_while_importing(tmp_path: Path, files: Any) -> None:
    rng = random.Random(f"import {files}")
    source = dataset(tmp_path / "set")
    pictures = {name for name in files_below(source) if name.endswith(".png")}

    def fresh(number: int) -> Path:
        with Project.create(tmp_path / f"p{number}") as made:
            import_coco(made, put_coco(tmp_path / "first"))
        return tmp_path / f"p{number}"

    with Project.open(fresh(-1)) as whole:
        before = seen(whole)
        ticks: list[float] = []
        import_coco(whole, source, progress=lambda _: ticks.append(time.perf_counter()))
        pause = max(b - a for a, b in pairwise([*ticks, time.perf_counter()]))
        after = seen(whole)

    outcomes: Counter[str] = Counter()
    path = fresh(0)
    for number in range(1, KILLS // 2 + 1):
        if outcomes["moved"]:
            # A whole move took the sources: everything from the start.
            outcomes["moved"] = 0
            dataset(source)

        def act(step: Callable[[], None], path: Path = path) -> None:
            with Project.open(path) as mine:
                import_coco(mine, source, files=files, progress=lambda _: step())
            step()

        # On the way, around the commit that follows the last tick, and just after the end.
        steps = rng.choice([rng.randint(0, len(ticks) - 1), len(ticks), len(ticks), len(ticks) + 1])
        killed(act, steps, rng.uniform(0, pause))
        journal = journal_of(path)
        with Project.open(path) as left:
            state = seen(left)
            assert state in (before, after)
            check(left)
            outcomes["after" if state == after else "before"] += 1
            outcomes["rolled back"] += journal
            there = {name for name in files_below(source) if name.endswith(".png")}
            if state == before:
                assert there == pictures, "nothing moves before it is safe"
            if left.images_dir.joinpath("2").exists():
                outcomes["files"] += state == before
        if state == after:
            outcomes["moved"] = int(files == "move")
            path = fresh(number)
    # What was left behind goes with the next import, and that one is whole.
    with Project.open(path) as last:
        dataset(source)
        import_coco(last, source)
        check(last)
        folders = sorted(entry.name for entry in last.images_dir.iterdir())
        assert folders == ["1", "2"]
    assert outcomes["before"] > 5
    assert outcomes["after"] > 5
    assert outcomes["rolled back"] > 5, "some kills fell inside the transaction"
    assert outcomes["files"] > 3, "some kills fell while files were being placed or recorded"


def test_kill_9_while_merging_what_was_imported(tmp_path: Path) -> None:
    rng = random.Random("merge")
    with Project.create(tmp_path / "p") as project:
        import_coco(project, dataset(tmp_path / "set"))
    path = tmp_path / "p"
    states: Counter[tuple[Any, ...]] = Counter()
    rolled_back = 0

    def act(step: Callable[[], None]) -> None:
        with Project.open(path) as mine:
            step()
            while True:
                classes.merge(mine, ["hook", "boom"], "both")
                mine.undo()

    for _ in range(KILLS // 2):
        killed(act, 1, rng.uniform(0, 0.06))
        rolled_back += journal_of(path)
        with Project.open(path) as left:
            check(left)
            names = tuple((row.name, row.annotations) for row in classes.list_classes(left))
            assert names in ((("boom", 3000), ("hook", 3000)), (("both", 6000),))
            states[names] += 1
            if len(names) == 1:
                left.undo()
    assert len(states) == 2
    assert rolled_back > 5, "some kills fell inside a transaction"
