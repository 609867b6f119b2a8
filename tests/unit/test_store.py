"""The project store: creation, changes, undo and redo, locks, damage."""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from core.common.errors import BadName, ClassError, ProjectError, ProjectLocked
from core.data import classes
from core.data.store import Project, schema
from core.data.store.lock import write_lock


def fill(project: Project, names: list[str], images: int = 3) -> int:
    """Import one data set: each class has one annotation on each of its images."""
    with project.change("import", "Imported a data set") as change:
        import_id = change.insert(
            "imports", {"kind": "coco", "origin": "here", "at": "2026-01-01", "active": 1}
        )
        have = {row[1]: row[0] for row in project.db.execute("SELECT id, name FROM classes")}
        for name in names:
            class_id = have.get(name) or change.insert("classes", {"name": name})
            label_id = project.db.execute(
                "INSERT INTO labels(import_id, name, class_id, annotations, images)"
                " VALUES (?, ?, ?, ?, ?)",
                (import_id, name, class_id, images, images),
            ).lastrowid
            for number in range(images):
                image_id = project.db.execute(
                    "INSERT INTO images(import_id, path, name, width, height)"
                    " VALUES (?, ?, ?, 64, 64)",
                    (import_id, f"{import_id}/{name}{number}.jpg", f"{number}.jpg"),
                ).lastrowid
                project.db.execute(
                    "INSERT INTO annotations(image_id, label_id, x, y, w, h)"
                    " VALUES (?, ?, 1, 2, 3, 4)",
                    (image_id, label_id),
                )
    return import_id


@pytest.fixture
def project(tmp_path: Path):
    with Project.create(tmp_path / "cranes", "Hooks and booms") as made:
        yield made


def counts(project: Project) -> dict[str, tuple[int, int]]:
    return {row.name: (row.annotations, row.images) for row in classes.list_classes(project)}


def dump(project: Project) -> list[str]:
    """All of the store but the history, as text to compare."""
    return [
        line
        for line in project.db.iterdump()
        if 'INSERT INTO "history' not in line and "sqlite_sequence" not in line
    ]


def test_a_new_project_is_empty_and_complete(project: Project) -> None:
    summary = project.summary()
    assert (summary.name, summary.description) == ("cranes", "Hooks and booms")
    assert (summary.images, summary.annotations, summary.classes, summary.imports) == (0, 0, 0, 0)
    assert project.images_dir.is_dir()
    assert sorted(entry.name for entry in project.path.parent.iterdir()) == ["cranes"]


def test_create_refuses_what_is_there_and_bad_names(project: Project, tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="already"):
        Project.create(project.path)
    with pytest.raises(BadName):
        Project.create(tmp_path / ".hidden")
    assert not (tmp_path / ".hidden").exists()


def test_open_says_what_is_missing_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="no project") as caught:
        Project.open(tmp_path / "nothing")
    assert "batman project create" in caught.value.hint
    folder = tmp_path / "junk"
    folder.mkdir()
    (folder / "project.db").write_bytes(b"this is no database, " * 100)
    with pytest.raises(ProjectError, match="cannot be read"):
        Project.open(folder)
    (folder / "project.db").unlink()
    sqlite3.connect(folder / "project.db").execute("CREATE TABLE other(x)").connection.close()
    with pytest.raises(ProjectError, match="not a Batman project"):
        Project.open(folder)


def test_a_newer_schema_is_refused_and_an_older_one_migrated(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        schema, "MIGRATIONS", [*schema.MIGRATIONS, "ALTER TABLE images ADD COLUMN hash TEXT;"]
    )
    monkeypatch.setattr("core.data.store.project.MIGRATIONS", schema.MIGRATIONS)
    with Project.open(project.path) as newer:
        assert newer.db.execute("PRAGMA user_version").fetchone()[0] == len(schema.MIGRATIONS)
        assert "hash" in [row[1] for row in newer.db.execute("PRAGMA table_info(images)")]
    monkeypatch.undo()
    with pytest.raises(ProjectError, match="newer Batman"):
        Project.open(project.path)


def test_a_failed_migration_leaves_the_file_as_it_was(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = "ALTER TABLE images ADD COLUMN hash TEXT; SELECT no_such_function();"
    monkeypatch.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS, broken])
    monkeypatch.setattr("core.data.store.project.MIGRATIONS", schema.MIGRATIONS)
    with pytest.raises(ProjectError):
        Project.open(project.path)
    monkeypatch.undo()
    with Project.open(project.path) as again:
        assert "hash" not in [row[1] for row in again.db.execute("PRAGMA table_info(images)")]


def test_merge_rename_delete_and_back_again(project: Project) -> None:
    fill(project, ["hook", "crane-hook", "boom"])
    states = [dump(project)]
    entries = []
    for act in (
        lambda: classes.merge(project, ["crane-hook", " hook "], "crane_hook"),
        lambda: classes.rename(project, "boom", "crane_boom"),
        lambda: classes.delete(project, ["crane_boom"]),
        lambda: classes.delete(project, ["crane_hook"]),
    ):
        entries.append(act())
        states.append(dump(project))
    assert [entry.kind for entry in entries] == [
        "classes.merge", "classes.rename", "classes.delete", "classes.delete",
    ]  # fmt: skip
    assert project.summary().annotations == 0
    for state in reversed(states[:-1]):
        assert project.undo() is not None
        assert dump(project) == state
    for state in states[1:]:
        assert project.redo() is not None
        assert dump(project) == state
    assert project.redo() is None


def test_undo_goes_back_to_the_empty_project_and_forward(project: Project) -> None:
    empty = dump(project)
    fill(project, ["a", "b"])
    fill(project, ["b", "c"])
    classes.merge(project, ["a", "c"], "b")
    assert counts(project) == {"b": (12, 12)}
    while project.undo():
        pass
    assert project.summary().images == 0
    assert counts(project) == {}
    while project.redo():
        pass
    assert counts(project) == {"b": (12, 12)}
    # A new change ends what could be redone, and its leftovers go with it.
    while project.undo():
        pass
    with project.change("test", "something else") as change:
        change.insert("classes", {"name": "new"})
    assert project.redo() is None
    project.undo()
    assert [line for line in dump(project) if "classes" not in line] == [
        line for line in empty if "classes" not in line
    ]


def test_images_of_a_class_are_counted_once_each(project: Project) -> None:
    import_id = fill(project, ["a", "b"], images=2)
    # One image of `a` gets an annotation of `b` too: three annotations of b on three images.
    with project.change("test", "label more") as change:
        image = project.db.execute("SELECT min(id) FROM images").fetchone()[0]
        label = project.db.execute(
            "SELECT id FROM labels WHERE name = 'b' AND import_id = ?", (import_id,)
        ).fetchone()[0]
        change.insert("annotations", {
            "image_id": image, "label_id": label, "x": 0, "y": 0, "w": 1, "h": 1,
        })  # fmt: skip
    assert counts(project) == {"a": (2, 2), "b": (3, 3)}
    classes.merge(project, ["a"], "b")
    assert counts(project) == {"b": (5, 4)}
    project.undo()
    project.undo()
    assert counts(project) == {"a": (2, 2), "b": (2, 2)}


def test_deleting_annotations_moves_the_counts_and_undo_brings_them_back(project: Project) -> None:
    fill(project, ["a"], images=4)
    ids = [row[0] for row in project.db.execute("SELECT id FROM annotations LIMIT 3")]
    with project.change("test", "Deleted three") as change:
        assert change.update_many("annotations", ["deleted"], [(i, 1) for i in ids]) == 3
    assert counts(project) == {"a": (1, 1)}
    project.undo()
    assert counts(project) == {"a": (4, 4)}


def test_deleting_with_reassignment_is_one_step(project: Project) -> None:
    fill(project, ["a", "b", "c"])
    classes.delete(project, ["a", "b"], reassign_to="c")
    assert counts(project) == {"c": (9, 9)}
    project.undo()
    assert counts(project) == {"a": (3, 3), "b": (3, 3), "c": (3, 3)}


@pytest.mark.parametrize(
    ("act", "message", "hint"),
    [
        (lambda p: classes.rename(p, "hook", "boom"), "Merge instead", "--target boom"),
        (lambda p: classes.rename(p, "hok", "x"), "no class 'hok'", "'hook'"),
        (lambda p: classes.rename(p, "Hook", "x"), "no class 'Hook'", "'hook'"),
        (lambda p: classes.merge(p, ["hook", "zzz"], "x"), "no class 'zzz'", "classes list"),
        (lambda p: classes.merge(p, [], "x"), "No class", "at least one"),
        (lambda p: classes.rename(p, "hook", "  "), "needs a name", "not blank"),
        (lambda p: classes.delete(p, ["hook"], "bom"), "no class 'bom'", "'boom'"),
    ],
)
def test_senseless_class_changes_say_so_and_change_nothing(
    project: Project, act, message: str, hint: str
) -> None:
    fill(project, ["hook", "boom"])
    before, entries = dump(project), len(project.history())
    with pytest.raises(ClassError, match=message) as caught:
        act(project)
    assert hint in caught.value.hint
    assert dump(project) == before
    assert len(project.history()) == entries


def test_names_can_be_swapped_merged_and_dropped_at_once(project: Project) -> None:
    fill(project, ["a", "b"], images=1)
    fill(project, ["c", "d"], images=2)
    fill(project, ["e"], images=4)
    before = dump(project)
    mapping = {"a": "b", "b": "a", "c": "a", "d": None, "e": "e"}
    what = classes.plan(project, mapping)
    assert what == classes.Plan(
        renamed={"a": "b"}, merged={"a": ("b", "c")}, dropped=("d",), annotations=1 + 1 + 2 + 2
    )
    assert dump(project) == before
    entry = classes.remap(project, mapping, kind="classes.apply", summary="Applied clean.yaml")
    assert entry is not None
    assert entry.summary == (
        "Applied clean.yaml: renamed a to b, merged 2 classes into a, deleted 1 class: d"
        " (6 annotations)"
    )
    assert counts(project) == {"a": (3, 3), "b": (1, 1), "e": (4, 4)}
    labels = dict(project.db.execute(
        "SELECT labels.name, classes.name FROM labels JOIN classes ON classes.id = class_id"
    ))  # fmt: skip
    assert labels == {"a": "b", "b": "a", "c": "a", "e": "e"}
    project.undo()
    assert dump(project) == before


def test_doing_nothing_leaves_no_entry(project: Project) -> None:
    fill(project, ["a"])
    assert classes.rename(project, "a", " a ") is None
    assert classes.merge(project, ["a"], "a") is None
    assert [entry.kind for entry in project.history()] == ["import"]


def test_history_says_who_when_and_how_many(project: Project) -> None:
    fill(project, ["hook", "Hook"])
    entry = classes.merge(project, ["Hook"], "hook")
    assert entry is not None
    assert entry.summary == "Merged Hook into hook (3 annotations)"
    assert entry.detail == {
        "renamed": {}, "merged": {"hook": ["Hook"]}, "dropped": [], "annotations": 3,
        "joined": {"2": 1},
    }  # fmt: skip
    assert "@" in entry.who
    assert entry.at.tzinfo is not None
    project.undo()
    assert [item.undone for item in project.history()] == [True, False]
    assert len(project.history(limit=1)) == 1


def test_an_error_in_a_change_takes_all_of_it_back(project: Project) -> None:
    before = dump(project)

    def break_off() -> None:
        with project.change("test", "breaks") as change:
            change.insert("classes", {"name": "a"})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert dump(project) == before
    assert project.history() == []


def test_the_second_writer_is_told_who_the_first_is(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.data.store.lock.WAIT_S", 0.1)
    script = (
        "import sys\n"
        "from core.data.store.lock import write_lock\n"
        "from pathlib import Path\n"
        "with write_lock(Path(sys.argv[1]), 'a long import'):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    path = project.path / "project.lock"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=-1, stdout=-1, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ProjectLocked, match=f"process {holder.pid} .*a long import"):
            fill(project, ["a"])
        assert project.summary().classes == 0, "reading goes on meanwhile"
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    # The kernel let go of the dead process's lock; its note does not keep anybody out.
    fill(project, ["a"])
    assert project.summary().classes == 1


def test_a_note_from_another_machine_is_taken_at_its_word(project: Project) -> None:
    path = project.path / "project.lock"
    path.write_text(json.dumps({"host": "login-2", "pid": 1, "what": "an import", "at": 1}))
    with pytest.raises(ProjectLocked, match="login-2") as caught, write_lock(path, "x", wait_s=0):
        pass
    assert str(path) in caught.value.hint
    path.unlink()
    fill(project, ["a"])


def test_a_reader_sees_the_old_state_while_a_change_is_open(project: Project) -> None:
    fill(project, ["a"])
    with Project.open(project.path) as reader:
        with project.change("test", "rename") as change:
            change.update("classes", 1, {"name": "b"})
            assert [row.name for row in classes.list_classes(reader)] == ["a"]
        assert [row.name for row in classes.list_classes(reader)] == ["b"]


def test_delete_removes_the_folder(project: Project) -> None:
    project.close()
    Project.delete(project.path)
    assert list(project.path.parent.iterdir()) == []
    with pytest.raises(ProjectError, match="no project"):
        Project.delete(project.path)


def test_kill_9_at_any_moment_leaves_the_state_before_or_after(project: Project) -> None:
    """Children are killed while they merge and undo without pause, until both ends were met."""
    fill(project, [f"class {n}" for n in range(40)], images=2)
    whole = counts(project)
    merged = {"all": (80, 80)}
    rng = random.Random(7)
    seen: Counter[str] = Counter()
    for number in range(400):
        if number >= 30 and min(seen["merged"], seen["whole"]) > 5:
            break
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                with Project.open(project.path) as mine:
                    os.write(writer, b".")
                    while True:
                        if len(classes.list_classes(mine)) == 1:
                            mine.undo()
                        else:
                            classes.merge(mine, [f"class {n}" for n in range(40)], "all")
            finally:
                os._exit(1)
        os.read(reader, 1)
        # The killing moment is the random thing under test, not something to wait for.
        select.select([], [], [], rng.uniform(0.0005, 0.03))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reader)
        os.close(writer)
        with Project.open(project.path) as after:
            state = counts(after)
            assert state in (whole, merged)
            seen["merged" if state == merged else "whole"] += 1
            assert after.db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert min(seen["merged"], seen["whole"]) > 5, "the kills fell on both sides of the change"


def test_a_row_changed_twice_in_one_call_comes_back_as_it_was(tmp_path: Path) -> None:
    with Project.create(tmp_path / "p") as project:
        with project.change("c", "c") as change:
            row = change.insert("classes", {"name": "first"})
        with project.change("c", "c") as change:
            rows = [(row, "second"), (row, "third")]
            assert change.update_many("classes", ["name"], rows) == 2
        project.undo()
        assert project.db.execute("SELECT name FROM classes").fetchall()[0][0] == "first"
        project.redo()
        assert project.db.execute("SELECT name FROM classes").fetchall()[0][0] == "third"
        with pytest.raises(KeyError, match="no row 99"), project.change("c", "c") as change:
            change.update_many("classes", ["name"], [(row, "x"), (99, "y")])


def test_images_of_a_class_from_several_imports(tmp_path: Path) -> None:
    from core.data.classes import list_classes, merge

    with Project.create(tmp_path / "p") as project:
        fill(project, ["a", "b"], images=3)
        fill(project, ["c", "d"], images=2)
        fill(project, ["e"], images=4)
        merge(project, ["a", "b", "c", "e"], "all")

        def compare() -> dict[str, int]:
            said = {row.name: row.images for row in list_classes(project)}
            counted = project.db.execute(
                "SELECT class_name, count(DISTINCT image_id) FROM v_annotations GROUP BY class_name"
            ).fetchall()
            assert said == {name: count for name, count in counted}  # noqa: C416 (rows)
            return said

        assert compare()["all"] == 3 + 3 + 2 + 4
        project.undo()
        assert set(compare()) == {"a", "b", "c", "d", "e"}


@pytest.mark.parametrize("had", range(1, len(schema.MIGRATIONS)))
def test_a_project_of_every_earlier_version_opens_with_all_it_had(
    tmp_path: Path, had: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:had])
        earlier.setattr("core.data.store.project.MIGRATIONS", schema.MIGRATIONS)
        with Project.create(tmp_path / "old") as old:
            fill(old, ["hook", "boom"])
            classes.rename(old, "hook", "crane hook")
            before = [line for line in dump(old) if line.startswith("INSERT")]
    with Project.open(tmp_path / "old") as now:
        assert now.db.execute("PRAGMA user_version").fetchone()[0] == len(schema.MIGRATIONS)
        assert counts(now) == {"crane hook": (3, 3), "boom": (3, 3)}
        columns = "source, model, score, edited, track, class_name"
        (row,) = now.db.execute(f"SELECT DISTINCT {columns} FROM v_annotations WHERE image_id = 1")
        assert tuple(row) == (None, None, None, 0, None, "crane hook")
        assert now.undo() is not None
        assert counts(now) == {"hook": (3, 3), "boom": (3, 3)}
        assert now.redo() is not None
        # Each row begins as it was; columns that came later follow.
        after = dump(now)
        for line in before:
            assert any(new.startswith(line.removesuffix(");")) for new in after), line
