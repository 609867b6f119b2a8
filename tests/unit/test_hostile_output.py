"""Every command that prints, with hostile names, into a terminal and into a pipe."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
from pathlib import Path

import pytest
from forked import begin

from core.common.invisible_characters import unseen
from core.data.store import Project

EVIL = "a\x1b]52;c;eA==\x07\x9b31m\u202eb\u200bc\U000e0041\ufeffd\u2028e"
# What rich itself writes: colours, places of the cursor, lines cleared, the cursor hidden.
_OWN_CODES = re.compile(r"\x1b\[[0-9;]*[mABCDEFGHJK]|\x1b\[\?[0-9;]+[hl]|\r\n|\n|\r")
COMMANDS = [
    ["project", "list"],
    ["project", "list", "--json"],
    ["project", "show", "{project}"],
    ["classes", "list", "--project", "{project}"],
    ["classes", "list", "--project", "{project}", "--json"],
    ["classes", "suggest", "--project", "{project}"],
    ["classes", "history", "--project", "{project}"],
    ["classes", "rename", "--project", "{project}", "--old-name", EVIL + "x", "--new-name", "n"],
    [
        "classes",
        "rename",
        "--project",
        "{project}",
        "--old-name",
        "person",
        "--new-name",
        EVIL,
    ],
    ["images", "list", "--project", "{project}"],
    ["images", "list", "--project", "{project}", "--json"],
    ["splits", "count", "--project", "{project}"],
    ["check", "--project", "{project}"],
    ["runs", "list"],
    ["runs", "list", "--json"],
    ["runs", "show", EVIL],
    ["train", "--project", EVIL],
    ["watch", EVIL + "x"],
    ["jobs", "show", EVIL],
    ["clusters", "show", EVIL],
    ["import", "coco", EVIL, "--project", "{project}"],
    ["locate", EVIL],
    [EVIL],
    [f"--{EVIL}"],
    ["project", "list", f"--{EVIL}"],
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a project whose folder, classes, images and sources are hostile."""
    root = tmp_path_factory.mktemp("gotham")
    projects = root / "data" / "projects"
    with Project.create(projects / "plain", EVIL) as project:
        with project.change("import.coco", f"Imported {EVIL}") as change:
            number = change.insert(
                "imports", {"kind": "coco", "origin": EVIL, "at": "2026-01-01", "active": 1}
            )
            for name in (EVIL, "person", "per\u200bson"):
                of = change.insert("classes", {"name": name})
                change.insert("labels", {"import_id": number, "name": name, "class_id": of})
        project.db.execute(
            "INSERT INTO images(import_id, path, name, width, height, split)"
            " VALUES (?, ?, ?, 9, 9, 'train')", (number, f"1/{EVIL}.jpg", f"{EVIL}.jpg"),
        )  # fmt: skip
    (projects / "plain").rename(projects / EVIL)
    (root / "runs" / EVIL).mkdir(parents=True)
    (root / "runs" / EVIL / "training_config.json").write_text(json.dumps({EVIL: EVIL}))
    return root


def printed(root: Path, words: list[str], terminal: bool) -> str:
    """Run `batman` in a process of its own and return all that it prints, errors too."""
    project = str(root / "data" / "projects" / EVIL)
    argv = [word.replace("{project}", project) for word in words]
    env = {**os.environ, "BATMAN_CONFIG_DIR": str(root / "config"), "COLUMNS": "200"}
    ours, theirs = pty.openpty() if terminal else os.pipe()
    child = begin(["--workspace", str(root), *argv], env, theirs, theirs)
    os.close(theirs)
    got = b""
    while True:
        try:
            more = os.read(ours, 65536)
        except OSError:  # The other end is closed: how Linux says it of a terminal.
            break
        if not more:
            break
        got += more
    os.waitpid(child, 0)
    os.close(ours)
    return got.decode()


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: clean_id(words))
def test_no_command_hands_codes_on(root: Path, words: list[str], terminal: bool) -> None:
    text = printed(root, words, terminal)
    assert text
    assert "Traceback" not in text
    assert [hex(ord(char)) for char in unseen(_OWN_CODES.sub("", text))] == []


def clean_id(words: list[str]) -> str:
    """Return a test's name without what it is about."""
    return " ".join(word for word in words if word.isprintable() and "{" not in word) or "unknown"


def test_csv_cells_are_no_formulas(capsys: pytest.CaptureFixture[str]) -> None:
    from cli.output import say_csv

    say_csv(["name"], [["=1+1"], ["\t=1+1"], ["\u200b=1"], [EVIL], [" =1+1"]])
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert [row[0][:1] for row in rows[1:]] == ["'", "⇥", "⟨", "a", "'"]
