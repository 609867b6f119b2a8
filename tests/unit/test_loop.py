"""`batman loop`: where one stands, and the next command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from labelled_rows import Labelled, labelled

from cli.main import main
from core.autolabel.loop import Standing, standing
from core.common.workspace import Workspace
from core.training.config.options import DatasetInfo, TrainingConfig
from core.training.run.events import EventWriter, Finished, Started
from core.training.run.run import Run

# In 2030: after whatever is reviewed in these tests.
BEGAN = 1_900_000_000.0
A = (10.0, 10.0, 100.0, 80.0)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("BATMAN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("BATMAN_WORKSPACE", str(tmp_path))
    return Workspace(tmp_path)


@pytest.fixture
def made(workspace: Workspace) -> Iterator[Labelled]:
    with labelled(workspace.projects_dir / "yard") as project:
        yield project


def trained(
    workspace: Workspace, name: str, project: Path, best: float, valid: int = 2, **config: Any
) -> None:
    """Make the folder of a run that ended."""
    run = Run(workspace.runs_dir / name)
    run.path.mkdir(parents=True)
    info = DatasetInfo(
        dir=Path("dataset"), fingerprint="f", class_names=["crane"],
        images={"train": 4, "valid": valid, "test": 0}, annotations={},
    )  # fmt: skip
    run.save_config(TrainingConfig(project=project, dataset=info, **config))
    events = EventWriter(run.events_file)
    events.write(Started(
        run=name, pid=1, host="h", model="tiny", epochs=5, epoch=0, step=0, steps_per_epoch=10,
        batch_size=8, grad_accum=1, effective_batch=8, image_size=128, classes=["crane"],
        device="cpu", t=BEGAN + len(list(workspace.runs_dir.iterdir())),
    ))  # fmt: skip
    events.write(
        Finished(epoch=5, step=50, best_epoch=5, best_map50_95=best, best_map50=best, seconds=1.0)
    )
    events.close()
    (run.path / "results.json").write_text(
        json.dumps({"best": {"epoch": 5, "map50_95": best, "map50": best}})
    )


def commands(found: Standing) -> list[str]:
    return [step.command for step in found.steps]


def test_an_empty_project_is_told_to_import(workspace: Workspace) -> None:
    with labelled(workspace.projects_dir / "yard", count=0) as made:
        found = standing(workspace, made.project)
    assert commands(found) == ["batman import FOLDER --project yard"]


def test_each_stage_of_the_loop_names_the_next_command(
    made: Labelled, workspace: Workspace
) -> None:
    project = made.project
    assert commands(standing(workspace, project))[0] == (
        "batman autolabel --project yard --with coco:base"
    )
    first = made.looked(1, 2, 3, model="coco:base")
    for image in (1, 2, 3):
        made.found(first, image, "crane", A, 0.8)
    found = standing(workspace, project)
    assert found.steps[0].what.startswith("Review 3 suggestions on 3 pictures")
    assert found.steps[0].command == "batman review yard --crops"
    assert found.last_pass is not None

    project.db.execute("UPDATE suggestions SET state = 'agrees'")
    for image in (1, 2, 3):
        made.label(image, "crane", A, source="model")
        made.review(image)
    found = standing(workspace, project)
    assert commands(found)[0] == "batman train --project yard --only-reviewed"
    assert "splits draw" in found.steps[0].what
    assert (found.unreviewed, found.labelled, found.unsplit) == (3, 3, 6)

    trained(workspace, "yard-tiny-1", project.path, 0.4, only_reviewed=True)
    trained(workspace, "other", project.path.parent / "elsewhere", 0.9)
    found = standing(workspace, project)
    assert [(of.run, of.map50_95, of.reviewed) for of in found.rounds] == [("yard-tiny-1", 0.4, 6)]
    assert commands(found)[0] == (
        "batman autolabel --project yard --with run:yard-tiny-1 --images is:unreviewed"
    )
    made.looked(4, 5, 6, model="yard-tiny-1")
    found = standing(workspace, project)
    assert commands(found)[0] == "batman review yard --walk differ"
    assert found.steps[1].what.startswith("Review 3 pictures")


def test_new_reviews_ask_for_another_training_and_rounds_are_told_apart(
    made: Labelled, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    for image in range(1, 5):
        made.label(image, "crane", A)
        made.review(image)
    # Not held to what is reviewed: counted by when pictures were reviewed.
    trained(workspace, "yard-tiny-1", made.project.path, 0.4, valid=1)
    trained(workspace, "yard-tiny-2", made.project.path, 0.3, valid=2)
    found = standing(workspace, made.project)
    assert [(of.reviewed, of.same) for of in found.rounds] == [(4, True), (4, False)]
    assert found.best is not None
    assert found.best.run == "yard-tiny-1"
    made.review(5, at="2099-01-01T00:00:00+00:00")
    found = standing(workspace, made.project)
    assert found.steps[0].what.startswith("Train again: 1 picture reviewed since the last run.")
    assert main(["loop", "--project", "yard"]) == 0
    out = capsys.readouterr().out
    assert "0.400" in out
    assert "* measured on other pictures" in out
    assert "  batman train --project yard --only-reviewed" in out
    assert main(["loop", "--project", "yard", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["reviewed"], told["unreviewed"], told["best"]) == (5, 1, "yard-tiny-1")
    assert told["next"][0]["command"] == "batman train --project yard --only-reviewed"
    assert [of["valid_as_before"] for of in told["rounds"]] == [True, False]
