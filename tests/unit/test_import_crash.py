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

# At any moment; more of them, up to so many, until each kind of moment was met often enough.
KILLS = 18
MOST_KILLS = 300
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


def killed(act: Callable[..., None], steps: int, delay: float | None) -> None:
    """Run `act` in a child and kill it `delay` seconds after it has called back `steps` times.

    Without a delay the child waits for its end in that very call.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        called = 0

        def step() -> None:
            nonlocal called
            called += 1
            os.write(writer, b".")
            if delay is None and called == steps:
                signal.pause()

        try:
            act(step)
            signal.pause()
        finally:
            os._exit(1)
    os.close(writer)
    while steps > 0:
        steps -= len(os.read(reader, steps))
    # The moment of the kill is the random thing under test, not something to wait for.
    end = time.perf_counter() + (delay or 0)
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
        written: list[bool] = []

        def tick(_: object) -> None:
            written.append(journal_of(whole.path))
            ticks.append(time.perf_counter())

        import_coco(whole, source, progress=tick)
        pause = max(b - a for a, b in pairwise([*ticks, time.perf_counter()]))
        after = seen(whole)
    assert written == sorted(written), "from one step on, all are inside the transaction"
    assert sum(written) > 2

    outcomes: Counter[str] = Counter()
    path = fresh(0)
    rare = {"before": 5, "after": 5, "rolled back": 5, "files": 3}
    for number in range(1, MOST_KILLS + 1):
        if number > len(ticks) + KILLS and all(outcomes[kind] > rare[kind] for kind in rare):
            break
        if outcomes["moved"]:
            # A whole move took the sources: everything from the start.
            outcomes["moved"] = 0
            dataset(source)

        def act(step: Callable[[], None], path: Path = path) -> None:
            with Project.open(path) as mine:
                import_coco(mine, source, files=files, progress=lambda _: step())
            step()

        if number <= len(ticks):
            # At each step, exactly.
            steps, delay = number, None
        else:
            # On the way, around the commit that follows the last tick, and just after the end.
            on_the_way = rng.randint(0, len(ticks) - 1)
            steps = (on_the_way, len(ticks), len(ticks) + 1)[number % 3]
            delay = rng.uniform(0, pause)
        killed(act, steps, delay)
        journal = journal_of(path)
        if delay is None:
            assert journal == written[steps - 1]
        with Project.open(path) as left:
            state = seen(left)
            assert state in (before, after)
            assert state == before or delay is not None, "no step is behind the commit"
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

    for number in range(MOST_KILLS):
        if number >= KILLS and rolled_back > 5 and len(states) == 2:
            break
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
