"""A workspace in which every text that comes from outside would like to steer the terminal.

The codes are harmless ones: a clipboard that would hold "x", a title, a colour, a direction.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest
from evaluation_data import make_evaluation
from job_data import FakeCluster, job
from prediction_data import make_predictions
from run_data import finished, make_run, running
from sample_data import make_project

from core.common.invisible_characters import unseen
from core.data.store import Project
from core.training.run.events import Failed, Warning_

EVIL = "a\x1b]52;c;eA==\x07\x9b31m\u202eb\u200bc\U000e0041\u2066\ufeff\x1b]0;t\x07d\x7f\x85\u2028e"
FOLDER = EVIL
# What Textual writes itself: colours, places of the cursor, parts to clear, the pointer (OSC 22).
_OWN_CODES = re.compile(r"\x1b\[[0-9;]*[mHABCDEFGJK]|\x1b\[\?[0-9;]+[hl]|\x1b\]22;[a-z-]*\x07")


def foreign_codes(painted: str) -> list[str]:
    """Return what is in `painted` that neither a person sees nor the app itself makes."""
    text = _OWN_CODES.sub("", painted).replace("\n", "")
    return [repr(text[max(0, text.index(c) - 40) :][:80]) for c in unseen(text)]


def make_hostile_project(root: Path) -> Path:
    """Make a project whose folder, classes, images, sources and history are hostile; return it."""
    projects = root / "data" / "projects"
    made = make_project(
        projects / "plain",
        {EVIL: 30, "person": 20, "per\u200bson": 10, "two\nlines": 4},
        images=30,
        origin=f"/data/{EVIL}",
    )
    with Project.open(made) as project:
        project.db.execute("UPDATE images SET name = ? || name, path = ? || name", (EVIL, EVIL))
        project.db.execute("UPDATE history SET summary = ?, who = ?", (f"Merged {EVIL}", EVIL))
    return made.rename(projects / FOLDER)


def make_hostile_run(root: Path, monkeypatch: pytest.MonkeyPatch, name: str = FOLDER) -> Path:
    """Make a finished run, evaluated, with hostile classes, note, tags, warnings and log."""
    classes = {EVIL: 0.7, "hard hat": 0.5, "per\u200bson": 0.4, "person": 0.3}
    for module in ("run_data", "evaluation_data"):
        monkeypatch.setattr(f"{module}.CLASSES", classes)
    events = finished(name)
    warning = Warning_(
        t=events[-1].t, code=EVIL, message=f"Loss {EVIL}", hint=EVIL, command=EVIL, epoch=4, step=9
    )
    events.insert(-1, warning)
    events[0] = msgspec.structs.replace(events[0], host=EVIL, gpu=EVIL, run=EVIL, model=EVIL)
    log = f"line {EVIL}\n\x1b[2Jcleared\rover {EVIL}\n" * 4
    path = make_run(root, name, events, log=log, project=root / "data" / "projects" / FOLDER)
    notes = {"note": f"note {EVIL} end", "tags": ["good", EVIL]}
    (path / "notes.json").write_text(json.dumps(notes))
    make_evaluation(path, "valid")
    for file in path.rglob("*.json"):
        text = file.read_text()
        if "site-[" in text:
            file.write_text(text.replace("site-[", json.dumps(EVIL)[1:-1]))
    return path


def make_failed_run(root: Path) -> Path:
    """Make a run that failed with a hostile message, hint and traceback."""
    events = running("failed", 2)
    failed = Failed(t=events[-1].t + 1, kind="data", message=EVIL, hint=EVIL, traceback=EVIL)
    return make_run(root, "failed", [*events, failed])


def make_hostile_predictions(root: Path) -> Path:
    """Write predictions whose folder, pictures and classes are hostile; return the folder."""
    return make_predictions(root, name=EVIL, classes=[EVIL, f"other {EVIL}", "two\nlines"])


def hostile_cluster() -> FakeCluster:
    """Return a cluster whose jobs, nodes, partitions, reasons and logs are hostile.

    Line ends and the marks that part fields cannot be in what SLURM prints.
    """
    host = FakeCluster("vega")
    host.jobs = [
        job("48210", "RUNNING", EVIL, node="g04", used="1:00", start=1, comment=EVIL),
        job("48242", "PENDING", EVIL, reason=EVIL, partition=EVIL, user=EVIL, gpus=EVIL),
    ]
    host.nodes = [[*row[:1], EVIL, *row[2:]] for row in host.nodes]
    host.files["/scratch/selina/logs/48210.log"] = f"log {EVIL}\n".encode() * 5
    return host
