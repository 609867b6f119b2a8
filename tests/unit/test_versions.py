"""Versions: named states are found again exactly, told apart and gone back to, come what may."""

from __future__ import annotations

import itertools
import os
import random
import select
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from import_data import put_coco
from test_label_properties import check, make, rows, step

from core.common.errors import BatmanError, ProjectError
from core.data.classes import list_classes, merge, rename
from core.data.exporters import export_coco
from core.data.images.rows import delete_images
from core.data.importers import import_coco
from core.data.importers.past_imports import remove_import
from core.data.labels.edit import edit
from core.data.labels.ops import parse_ops
from core.data.splits.edit import set_splits
from core.data.store import Project
from core.data.versions import (
    at_state,
    find_state,
    list_versions,
    moved_on,
    name_state,
    remove_version,
    restore,
    state_of,
    trained_on,
)
from core.data.versions.compare import compare

SEEDS = int(os.environ.get("BATMAN_VERSION_SEEDS", "6"))

Seen = dict[str, Any]


def seen(project: Project) -> Seen:
    """What a person sees of a project, with the numbers by which it is known."""
    db = project.db
    boxes = db.execute(
        "SELECT v_annotations.id, class_id, class_name, image_id, x, y, w, h, track, source,"
        " score FROM v_annotations JOIN v_images ON v_images.id = image_id"
    )
    return {
        "images": {tuple(row) for row in db.execute("SELECT * FROM v_images")},
        "boxes": {tuple(row) for row in boxes},
        "classes": {(row.id, row.name, row.annotations) for row in list_classes(project)},
        "suggestions": {tuple(row) for row in db.execute("SELECT * FROM v_suggestions")},
    }


def by_hand(old: Seen, new: Seen) -> dict[str, Any]:
    """The difference between two states from all that is seen in them."""
    was, now = ({row[0]: row for row in state["boxes"]} for state in (old, new))
    both = was.keys() & now.keys()
    pictures = [{row[0]: row[6] for row in state["images"]} for state in (old, new)]
    names = [{row[0]: row[1] for row in state["classes"]} for state in (old, new)]
    kept = names[0].keys() & names[1].keys()
    counts = [Counter(row[2] for row in state["boxes"]) for state in (old, new)]
    moved = Counter(
        (pictures[0][i] or "none", pictures[1][i] or "none")
        for i in pictures[0].keys() & pictures[1].keys()
        if pictures[0][i] != pictures[1][i]
    )
    return {
        "pictures_added": len(pictures[1].keys() - pictures[0].keys()),
        "pictures_removed": len(pictures[0].keys() - pictures[1].keys()),
        "moved": dict(moved),
        "boxes_added": len(now.keys() - both),
        "boxes_removed": len(was.keys() - both),
        "redrawn": sum(was[i][4:8] != now[i][4:8] for i in both),
        "reclassed": sum(was[i][1] != now[i][1] for i in both),
        "classes_added": tuple(sorted(names[1][i] for i in names[1].keys() - kept)),
        "classes_removed": tuple(sorted(names[0][i] for i in names[0].keys() - kept)),
        "renamed": tuple(
            sorted((names[0][i], names[1][i]) for i in kept if names[0][i] != names[1][i])
        ),
        "per_class": {
            name: (counts[0][name], counts[1][name])
            for name in {*counts[0], *counts[1]}
            if counts[0][name] != counts[1][name]
        },
    }


def grown(project: Project, rng: random.Random, sets: Path) -> None:
    """Do one thing that changes more than labels."""
    what = rng.randrange(6)
    images = [row[0] for row in project.db.execute("SELECT id FROM v_images")]
    if what == 0:
        import_coco(project, put_coco(sets / str(rng.random())), files="reference")
    elif what == 1:
        imports = [row[0] for row in project.db.execute("SELECT id FROM imports WHERE active = 1")]
        remove_import(project, rng.choice(imports or [1]))
    elif what == 2 and images:
        set_splits(project, rng.sample(images, min(3, len(images))), rng.choice(["train", "test"]))
    elif what == 3:
        project.undo()
    elif what == 4:
        project.redo()
    else:
        step(project, rng)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_version_is_found_again_whatever_follows(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    known: dict[str, Seen] = {}
    with make(tmp_path / "p") as project:
        for number in range(60):
            what = 0 if number in (5, 20, 40) else rng.randrange(12)
            try:
                if what == 0:
                    known[f"v{number}"] = seen(project)
                    name_state(project, f"v{number}")
                elif what == 1 and known:
                    name = rng.choice([*known])
                    restore(project, find_state(project, name))
                    assert seen(project) == known[name]
                elif what < 6:
                    grown(project, rng, tmp_path / "sets")
                else:
                    step(project, rng)
            except BatmanError:
                pass  # sensible or not
            check(project)
        now = seen(project)
        assert len(known) >= 2
        for name, state in known.items():
            number = find_state(project, name)
            with at_state(project, number) as past:
                assert seen(past) == state
            for other, against in (("now", now), (rng.choice([*known]), None)):
                against = against if against is not None else known[other]
                told = compare(project, number, find_state(project, other))
                wanted = by_hand(state, against)
                assert {key: getattr(told, key) for key in wanted} == wanted
                assert told.nothing == (not any(wanted.values()))
        assert seen(project) == now
        # Going back is a change: undo takes it back whole, redo does it again.
        name = min(known, key=lambda name: known[name] == now)
        if restore(project, find_state(project, name)) is not None:
            after = rows(project)
            project.undo()
            assert seen(project) == now
            project.redo()
            assert rows(project) == after
            check(project)
            assert seen(project) == known[name]


@pytest.fixture
def project(tmp_path: Path):
    """A project with an imported set of 2 images and 3 boxes of hook and boom."""
    with Project.create(tmp_path / "p") as made:
        import_coco(made, put_coco(tmp_path / "set"))
        yield made


def test_a_name_survives_undo_and_what_it_means_too(project: Project) -> None:
    rename(project, "hook", "crane hook")
    name_state(project, "renamed", " why ")
    (version,) = list_versions(project)
    assert (version.name, version.note, version.state) == ("renamed", "why", 2)
    assert moved_on(project, 2) == "The project is still in that state."
    project.undo()
    assert moved_on(project, 2) == "The project is 1 change behind it: they were undone."
    merge(project, ["hook"], "boom")
    # What was undone stays, for it has a name, and is answered; the history tells.
    kinds = [entry.kind for entry in project.history()]
    assert kinds == ["classes.merge", "versions.keep", "classes.rename", "import"]
    assert [row.name for row in list_classes(project)] == ["boom"]
    assert moved_on(project, 2) == "The project has moved on by 2 changes."
    with at_state(project, find_state(project, "renamed")) as past:
        assert [row.name for row in list_classes(past)] == ["boom", "crane hook"]
    # Undo goes the same way back, change by change.
    project.undo()
    assert [row.name for row in list_classes(project)] == ["boom", "hook"]
    project.undo()
    assert [row.name for row in list_classes(project)] == ["boom", "crane hook"]


def test_without_a_name_what_was_undone_is_forgotten_as_ever(project: Project) -> None:
    rename(project, "hook", "crane hook")
    project.undo()
    merge(project, ["hook"], "boom")
    assert [entry.kind for entry in project.history()] == ["classes.merge", "import"]
    assert "no longer" in moved_on(project, 2)
    with pytest.raises(ProjectError, match="no change 2"):
        find_state(project, "2")


def test_an_import_that_went_and_came_again_keeps_its_pictures(project: Project) -> None:
    """Undoing what brought an import back does not throw its rows away."""
    name_state(project, "full")
    whole = seen(project)
    restore(project, 0)
    assert not seen(project)["images"]
    restore(project, find_state(project, "full"))
    assert seen(project) == whole
    project.undo()
    # Forgets what was undone: the return of the import.
    with project.change("classes.add", "A class") as change:
        change.insert("classes", {"name": "other"})
    restore(project, find_state(project, "full"))
    assert seen(project) == whole
    assert all(project.image_file(row[2]).is_file() for row in whole["images"])


def test_going_back_and_forth_costs_no_more_each_time(project: Project) -> None:
    rename(project, "hook", "crane hook")
    sizes = []
    for number in range(12):
        restore(project, 1 + number % 2)
        (size,) = project.db.execute("SELECT sum(length(ids)) FROM history_changes").fetchone()
        sizes.append(size)
    steps = [after - before for before, after in itertools.pairwise(sizes)]
    assert len(set(steps)) == 1


def test_two_classes_that_changed_names_change_them_back(project: Project) -> None:
    before = seen(project)
    for old, new in (("hook", "x"), ("boom", "hook"), ("x", "boom")):
        rename(project, old, new)
    after = seen(project)
    restore(project, 1)
    assert seen(project) == before
    project.undo()
    assert seen(project) == after
    project.redo()
    assert seen(project) == before


def test_a_state_is_gone_back_to_by_its_number_though_it_is_undone(project: Project) -> None:
    rename(project, "hook", "crane hook")
    project.undo()
    entry = restore(project, 2)
    assert entry is not None
    assert entry.kind == "versions.restore"
    assert [row.name for row in list_classes(project)] == ["boom", "crane hook"]
    assert restore(project, state_of(project)) is None


def test_what_is_different_is_told_by_kind(project: Project, tmp_path: Path) -> None:
    before = state_of(project)
    first, second = (row[0] for row in project.db.execute("SELECT id FROM v_images ORDER BY id"))
    merge(project, ["hook"], "boom")
    set_splits(project, [first], "valid")
    edit(project, first, parse_ops([{"op": "add", "class": 2, "box": [1, 1, 5, 5]}]))
    delete_images(project, [second])
    import_coco(project, put_coco(tmp_path / "more"), files="reference")
    told = compare(project, before)
    assert told.to_dict() == {
        "before": before,
        "after": state_of(project),
        "pictures_added": 2,
        "pictures_removed": 1,
        "moved": [{"from": "none", "to": "valid", "pictures": 1}],
        "boxes_added": 4,
        "boxes_removed": 1,
        "redrawn": 0,
        "reclassed": 1,
        # The second import has its own hook.
        "classes_added": ("hook",),
        "classes_removed": ("hook",),
        "renamed": (),
        "per_class": {"boom": (1, 4)},
    }
    assert compare(project, before, before).nothing
    back = compare(project, state_of(project), before)
    assert (back.pictures_added, back.pictures_removed) == (1, 2)


@pytest.mark.parametrize("name", ["", "  ", "now", "12", "#3", "two\nlines", "x" * 81])
def test_names_that_mean_something_else_or_nothing(project: Project, name: str) -> None:
    with pytest.raises(ProjectError):
        name_state(project, name)
    assert list_versions(project) == []


def test_names_are_given_once_and_can_be_taken_away(project: Project) -> None:
    name_state(project, "first")
    with pytest.raises(ProjectError, match="already"):
        name_state(project, "first")
    with pytest.raises(ProjectError) as error:
        find_state(project, "frist")
    assert "'first'" in error.value.hint
    with pytest.raises(ProjectError, match="no change 9"):
        name_state(project, "later", state=9)
    assert remove_version(project, "first").name == "first"
    assert project.summary().images == 2
    name_state(project, "empty", state=0)
    with at_state(project, find_state(project, "empty")) as past:
        assert past.summary().images == 0


def test_a_state_is_exported_as_it_was(project: Project, tmp_path: Path) -> None:
    name_state(project, "imported")
    delete_images(project, [1])
    with at_state(project, find_state(project, "imported")) as past:
        report = export_coco(past, tmp_path / "then")
    assert (report.images, report.annotations) == (2, 3)
    assert export_coco(project, tmp_path / "today").images == 1
    with at_state(project, 1) as past, pytest.raises(Exception, match="readonly"):
        past.db.execute("DELETE FROM images")


def test_suggestions_are_not_counted_as_moving_on(project: Project) -> None:
    from core.data.labels.passes import Found, PassInfo, record_pass

    state = state_of(project)
    record_pass(project, PassInfo("run", "m", (1,)), [(1, [Found(1, (40.0, 20, 9, 9), 0.9)])])
    assert "suggestions came since" in moved_on(project, state)


def test_what_a_run_says_of_its_state(project: Project, tmp_path: Path) -> None:
    assert trained_on(project.path, None, None) == ""
    assert trained_on(tmp_path / "elsewhere", 4, "x") == "version 'x' (change 4)"
    rename(project, "hook", "crane hook")
    assert trained_on(project.path, 1, None) == "change 1. The project has moved on by 1 change."


def test_kill_9_while_going_back_leaves_one_state_or_the_other(project: Project) -> None:
    for number in range(12):
        rename(project, f"hook{number or ''}", f"hook{number + 1}")
        name_state(project, f"v{number}")
    states = {name: seen_at(project, name) for name in ("v1", "v10")}
    rng = random.Random(5)
    found = set()
    for _ in range(24):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                with Project.open(project.path) as mine:
                    for number in range(1000):
                        restore(mine, find_state(mine, f"v{1 if number % 2 else 10}"))
                        os.write(writer, b".")
            finally:
                os._exit(0)
        os.close(writer)
        for _ in range(rng.randint(1, 4)):
            os.read(reader, 1)
        select.select([], [], [], rng.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reader)
        with Project.open(project.path) as after:
            now = seen(after)
            found.add(next((name for name, state in states.items() if state == now), "before"))
            for name, state in states.items():
                assert seen_at(after, name) == state
    assert {"v1", "v10"} <= found


def seen_at(project: Project, name: str) -> Seen:
    with at_state(project, find_state(project, name)) as past:
        return seen(past)
