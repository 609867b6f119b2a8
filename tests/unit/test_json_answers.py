"""`--json` on every command: answers as documented, errors too, and words on standard error."""

from __future__ import annotations

import importlib.util
import json
import shlex
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import msgspec
import pytest
from import_data import put_coco
from json_shapes import holds, holds_error
from labelled_rows import labelled
from test_everywhere import commands
from test_loop import trained

from cli.answers.printing import for_program, say_json
from cli.answers.registry import ANSWERS, FOR_PEOPLE
from cli.exits import Exit
from cli.main import main
from core.common.workspace import Workspace
from core.data.store import Project
from core.evaluation.result import Confusion, EvaluationResult
from core.export.export import ExportedFile, ExportReport, FailedFormat
from core.inference import InferenceSummary, Skipped
from core.training.run.run import Run
from slurm.job.states import parse_state
from slurm.site.discover import Facts

TESTS = Path(__file__).parents[1]
A, B = (10.0, 10.0, 100.0, 80.0), (200.0, 20.0, 60.0, 60.0)

# What wants a GPU, a cluster or a worker, and where its answer is held against its shape.
ELSEWHERE = {
    "autolabel": "unit/test_autolabel.py",
    "demo": "unit/test_cli_runs.py",
    "probe": "unit/test_probe.py",
    "train": "unit/test_cli_runs.py",
    "jobs list": "cluster/test_jobs_command.py",
    "jobs show": "cluster/test_jobs_command.py",
    "jobs logs": "cluster/test_jobs_command.py",
    "jobs watch": "cluster/test_jobs_command.py",
    "jobs nodes": "cluster/test_jobs_command.py",
    "jobs script": "cluster/test_jobs_command.py",
    "jobs shell": "cluster/test_jobs_command.py",
    "jobs pin": "cluster/test_jobs_command.py",
    "submit": "cluster/test_submit_training.py",
    "clusters setup": "cluster/test_setup.py",
    "labels snap": "unit/test_cli_labels.py",
    **{f"sweeps {verb}": "unit/test_cli_sweeps.py"
       for verb in ("list", "show", "stop", "resume", "cancel")},
    "labels import": "unit/test_predictions_back.py",
}  # fmt: skip

Ask = Callable[..., Any]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("BATMAN_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("BATMAN_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("BATMAN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return Workspace(tmp_path)


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """Give what runs a command with `--json`, holds its answer against its shape, returns it."""

    def call(line: str, code: int = Exit.OK) -> Any:
        words = shlex.split(line)
        capsys.readouterr()
        assert main([*words, "--json"]) == code, capsys.readouterr().err
        return holds(_command(words), capsys.readouterr().out)

    return call


def _command(words: list[str]) -> str:
    """Return the command that a line's first words name."""
    known = [" ".join(words[:n]) for n in (3, 2, 1)]
    if words[0] == "submit":
        known = ["submit --watch"]
    return next(name for name in known if name in ANSWERS)


def test_every_command_has_json_or_is_for_people() -> None:
    there = commands()
    formats = {name for name in there if name.startswith(("import ", "export "))}
    assert there - formats - {*ANSWERS} == set(FOR_PEOPLE)
    assert {*ANSWERS} - there == {"import", "export", "submit --watch"}


def test_json_is_an_option_of_each_of_them() -> None:
    from cli.main import COMMANDS
    from cli.parser import BatmanParser

    without = set()
    for name, command in COMMANDS.items():
        parser = BatmanParser(prog=name)
        importlib.import_module(f"cli.{command.module}").add_arguments(parser)
        without |= {prog for prog, leaf in _leaves(parser, name) if "--json" not in leaf.options()}
    assert without == set(FOR_PEOPLE)


def _leaves(parser: Any, name: str) -> list[tuple[str, Any]]:
    below = [a for a in parser._actions if hasattr(a, "choices") and isinstance(a.choices, dict)]
    below = [a for a in below if a.option_strings == []]
    inner = [(w, p) for a in below for w, p in a.choices.items() if hasattr(p, "options")]
    if not inner:
        return [(name, parser)]
    return [leaf for word, p in inner for leaf in _leaves(p, f"{name} {word}")]


def test_answers_about_data(
    workspace: Workspace, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = workspace.root
    put_coco(root / "there")
    assert ask("project create other --description mine")["images"] == 0
    made = ask("import coco-dir there --project cells --create")
    assert (made["images"], made["annotations"], made["classes"]) == (2, 3, ["boom", "hook"])
    assert [row["name"] for row in ask("project list")] == ["cells", "other"]
    assert ask("project show cells")["class_annotations"] == {"hook": 2, "boom": 1}
    assert ask("project stats cells")["annotations"]
    named = ask("project version create cells begun")
    ask("project version list cells")
    assert ask("import list")[0]["name"] == "cells"
    (row,) = ask("import list --project cells")
    assert ask("import show 1 --project cells")["images"] == row["images"]
    assert ask("classes list --project cells")[0]["name"] == "boom"
    step = ask("classes rename --project cells --old-name hook --new-name Hook")
    assert step["history"]["summary"] == step["summary"]
    assert ask("classes undo --project cells")["history"] == step["history"]
    assert ask("classes redo --project cells")["summary"]
    assert ask("classes redo --project cells") == {"history": None, "summary": None, "detail": None}
    assert ask("classes history --project cells --limit 1")[0]["kind"] == "classes.rename"
    assert ask("project version diff cells begun")["renamed"] == [["hook", "Hook"]]
    assert ask("classes mapping names.yaml --project cells")["mapping"]["hook"] == "Hook"
    Path("more.csv").write_text("Hook,hooks\nnot there,x\n")
    (change,) = ask("classes apply more.csv --dry-run --project cells")["changes"]
    assert change == {"class": "Hook", "becomes": "hooks", "by": "rename"}
    assert ask("classes apply more.csv --project cells")["unknown"] == ["not there"]
    assert ask("classes convention snake --project cells")["history"] is None
    assert ask("classes convention snake --dry-run --project cells")["changes"] == []
    assert ask("classes suggest --project cells") == []
    ask("classes merge --project cells --source hooks boom --target thing")
    ask("classes delete --project cells --name thing")
    assert len(ask("images list --project cells")) == 2
    assert ask("splits show --project cells")["images"]["none"] == 2
    assert ask("splits set train --where a.png --project cells")["summary"]
    assert ask("splits draw --project cells")["notes"] is not None
    # Deleting the last class left pictures without boxes: serious.
    assert ask("check --project cells --quick", Exit.FAILED)["fixed"] == []
    written = ask("export coco out --project cells")
    assert Path(written["path"]).is_dir()
    assert ask(f"project version export cells {named['state']} out2")["images"] == 2
    assert ask("images delete --images a.png --yes --project cells")["summary"]
    assert ask("project version restore cells begun")["summary"]
    assert ask("project version delete cells begun")["versions_left"] == 0
    assert ask("import remove 1 --project cells")["history"]["kind"] == "import.remove"
    assert ask("project delete other --yes")["deleted"]
    assert ask("locate config") == {"config": str(root / "config" / "config.toml")}
    assert ask("clusters add far --host me@far --no-ask")["profile"]["host"] == "me@far"
    assert ask("clusters edit far --set account=vision")["profile"]["account"] == "vision"
    assert ask("clusters list")[0]["host"] == "me@far"
    work = "cli.cluster.clusters_manage"
    monkeypatch.setattr(f"{work}.open_host", lambda *_: None)
    monkeypatch.setattr(f"{work}.site_for", lambda *_: SimpleNamespace(host=None))
    monkeypatch.setattr(f"{work}.discover", lambda _: Facts(version="slurm 23.11"))
    monkeypatch.setattr(f"{work}._test_folder", lambda *_: "")
    monkeypatch.setattr(f"{work}._test_python", lambda *_: "no Python")
    assert ask("clusters show far")["facts"]["version"] == "slurm 23.11"
    assert ask("clusters test far", Exit.WRONG)["problems"] == ["no Python"]
    assert ask("clusters remove far --yes") == {"removed": "far"}


def test_answers_about_labels(
    workspace: Workspace, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with labelled(workspace.projects_dir / "yard") as made:
        looked = made.looked(1, 2, 3)
        first = made.found(looked, 1, "crane", A, 0.9)
        made.found(looked, 2, "crane", B, 0.4)
        made.found(looked, 3, "vest", B, 0.6)
        made.label(2, "vest", A)
    assert ask("classes add --name hat --project yard")["history"]["kind"]
    assert ask("labels queue --project yard")["total"] == 2
    assert ask("labels compare --project yard")["images"][0]["differences"]
    assert ask("labels passes --project yard")[0]["decided"]["n"] == 0
    assert ask(f"labels accept --id {first} --project yard")["summary"]
    assert ask("labels reject --project yard --class vest --yes")["summary"]
    assert [row["class"] for row in ask("labels scores --project yard")] == ["crane", "vest"]
    assert ask("labels review --images p1.png --project yard")["summary"]
    drawn = ask("labels add --image p3.png --class vest --box 1 2 30 40 --project yard")
    (label,) = drawn["ids"]
    assert drawn["picture"]["labels"][0]["box"] == [1, 2, 30, 40]
    ask(f"labels set --id {label} --class crane --project yard")
    assert ask("labels undo --project yard")["history"]["id"]
    ask("labels redo --project yard")
    ask(f"labels delete --id {label} --project yard")
    Path("ops.json").write_text("[]")
    ask("labels edit --image p3.png --ops ops.json --project yard")
    assert ask("labels show --image p1.png --project yard")["labels"]
    trained(workspace, "yard-1", workspace.projects_dir / "yard", 0.5)
    assert ask("loop --project yard")["rounds"][0]["run"] == "yard-1"
    _video(workspace)
    monkeypatch.setattr("cli.label.tracks.link_in_child", lambda *_: None)
    tracks = "labels tracks"
    assert ask(f"{tracks} list --project night")["tracks"][0]["class_name"] == "car"
    assert ask(f"{tracks} show 1 --project night")[0]["picture"]["name"] == "night_0.jpg"
    assert ask(f"{tracks} problems --project night")[0]["what"] == "box jump"
    assert ask(f"{tracks} link night --project night")["history"] is None
    assert ask(f"{tracks} split 1 night_2.jpg --project night")["summary"]
    assert ask(f"{tracks} merge 1 2 --project night")["summary"]
    assert ask(f"{tracks} class 1 dog --project night")["summary"]
    assert ask(f"{tracks} approve 1 --project night")["summary"]
    ask(f"{tracks} interpolate 1 --project night")
    assert ask(f"{tracks} remove 1 --project night")["summary"]


def test_answers_about_runs_and_models(
    workspace: Workspace, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = workspace.projects_dir / "yard"
    for name, best in (("one", 0.5), ("two", 0.6)):
        trained(workspace, name, project, best)
    assert {row["name"] for row in ask("runs list")} == {"one", "two"}
    assert ask("runs show one")["results"]["best"]["map50_95"] == 0.5
    assert ask("runs compare one two --metric loss")["metric"] == "loss"
    assert ask("runs note one 'looks good'")["note"] == "looks good"
    assert ask("runs tag one +best")["tags"] == ["best"]
    told = ask("watch one")
    assert [event["type"] for event in told] == ["started", "finished", "ended"]
    assert told[-1]["state"] == "finished"
    stopped: list[str] = []
    monkeypatch.setattr(Run, "stop", lambda run: stopped.append(run.name))
    assert ask("runs stop one")["stopping"][0]["name"] == "one"
    assert stopped == ["one"]
    monkeypatch.setattr("core.training.launch.local.require_trainer", lambda: None)
    (workspace.runs_dir / "one" / "best.pth").write_bytes(b"model")
    _evaluated(workspace.runs_dir / "one" / "evaluation" / "valid", monkeypatch)
    assert ask("evaluate one")["map50"] == 0.5
    answers = {
        "core.inference": InferenceSummary(
            checkpoint=Path("best.pth"), output=Path("o"), csv=Path("o/d.csv"), coco=None,
            annotated=None, device="cpu", classes=["crane"], images=1, videos=0, frames=1,
            detections=2, per_class={"crane": 2}, tracks=None, skipped=[Skipped("a", "why")],
            seconds=0.5,
        ),
        "core.export": ExportReport(
            Path("out"), [ExportedFile("model.onnx", "onnx", 9, 0.0, 0.0, 0.0, 4, 1e-4, 0)],
            ["crane"], "tiny", 128, "4 images", [], [FailedFormat("coreml", "No.", "")],
        ),
    }  # fmt: skip

    def child(module: str, *_: object, **__: object) -> Any:
        return json.loads(msgspec.json.encode(answers[module], enc_hook=str))

    monkeypatch.setattr("cli.inference.run_child", child)
    monkeypatch.setattr("cli.model.export_model.run_child", child)
    (result,) = ask("infer --run one --input .")
    assert (result["type"], result["detections"]) == ("result", 2)
    assert ask("export model one out", Exit.FAILED)["failed"][0]["format"] == "coreml"
    asked: list[str] = []
    monkeypatch.setattr("cli.cluster.jobs.open_host", lambda *_: None)
    running = SimpleNamespace(state=parse_state("RUNNING"))
    known = {"12": [running]}
    monkeypatch.setattr("cli.cluster.jobs.known_jobs", lambda *_: known)
    monkeypatch.setattr("cli.cluster.jobs.act", lambda _, verb, ids: asked.append(verb))
    main(["clusters", "add", "far", "--no-ask"])
    for verb in ("cancel", "hold", "release", "requeue"):
        yes = "--yes" if verb in ("cancel", "requeue") else ""
        assert ask(f"jobs {verb} 12 {yes}")["jobs"] == ["12"]
    assert asked == ["cancel", "hold", "release", "requeue"]
    sent = SimpleNamespace(
        runs=[Run(workspace.runs_dir / "one")],
        records=[SimpleNamespace(job_id="7", log="job_7.log", run_dir="/there/one")],
    )
    for name in ("site_for", "profile_for", "discover", "make_order", "say_findings"):
        monkeypatch.setattr(f"cli.cluster.submit.{name}", lambda *_, **__: MagicMock())
    monkeypatch.setattr("cli.cluster.submit.send_order", lambda *_, **__: sent)
    monkeypatch.setattr("cli.cluster.submit.kept_up", lambda *_: nullcontext())
    told = ask("submit --watch --resume one")
    assert [event["type"] for event in told] == ["submitted", "started", "finished", "ended"]
    script = SimpleNamespace(command=lambda: ["sbatch"], script=SimpleNamespace(text="#!/bin/sh"))
    monkeypatch.setattr("cli.cluster.submit.preview", lambda *_: script)
    monkeypatch.setattr("slurm.submit.clone.clone_job", lambda *_: None)
    monkeypatch.setattr("cli.cluster.jobs_clone.fill_in", lambda *_: None)
    assert ask("jobs clone 7 --resume one --dry-run")["command"] == ["sbatch"]
    assert ask("jobs hours") == {"runs": [], "sums": []}
    removed = ask("runs delete two --yes")
    assert removed["removed"][0]["freed_bytes"] > 0


def test_every_answer_is_held_against_its_shape() -> None:
    """By the tests above, or where `ELSEWHERE` says; the words stand in the files themselves."""
    here = Path(__file__).read_text(encoding="utf-8")
    for command in ANSWERS:
        if command in ELSEWHERE:
            text = (TESTS / ELSEWHERE[command]).read_text(encoding="utf-8")
            assert "holds(" in text, command
            assert f'"{command.rpartition(" ")[2]}"' in text, command
        else:
            words = command.replace("labels tracks", "{tracks}")
            group, _, verb = command.partition(" ")
            asked = f'ask("{words} ', f'ask(f"{words} ', f'ask("{words}"', f'"{verb}"'
            assert any(word in here for word in asked), (command, group)


@pytest.mark.parametrize(
    "line",
    [
        "classes list --project none",
        "classes list",
        "classes list --projekt cells",
        "nonsense",
        "images delete --project cells --images x",
        "train",
        "watch",
        "jobs list --cluster nowhere",
        "import coco-dir nowhere --project new --create",
        "project delete cells",
    ],
)
def test_an_error_is_the_only_answer(
    line: str, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    Project.create(workspace.projects_dir / "cells").close()
    code = main([*shlex.split(line), "--json"])
    told = capsys.readouterr()
    error = holds_error(told.out, code)
    assert told.out.count("\n") == 1
    assert error["message"] in told.err
    assert code == Exit.WRONG


def test_a_defect_is_answered_too(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("cli.data.project.folders_with", broken)
    assert main(["project", "list", "--json"]) == Exit.FAILED
    assert "defect" in holds_error(capsys.readouterr().out, Exit.FAILED)["message"]


def test_words_go_to_standard_error(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    put_coco(workspace.root / "there")
    assert main(["import", "there", "--project", "cells", "--create", "--json"]) == Exit.OK
    told = capsys.readouterr()
    holds("import", told.out)
    assert "This looks like COCO" in told.err
    # And afterwards they are where they were.
    assert main(["project", "create", "more"]) == Exit.OK
    assert "Created" in capsys.readouterr().out


def test_what_is_no_number_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    with for_program(True):
        say_json({"loss": float("nan"), "best": [float("inf"), 1.5]})
    assert json.loads(capsys.readouterr().out) == {"loss": None, "best": [None, 1.5]}


def test_the_page_and_the_schema_are_as_the_code_says() -> None:
    spec = importlib.util.spec_from_file_location(
        "json_page", TESTS.parent / "scripts" / "json_page.py"
    )
    assert spec is not None
    assert spec.loader is not None
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    again = "Run python scripts/json_page.py."
    assert page.SCHEMA.read_text(encoding="utf-8") == page.schema_text(), again
    text = page.PAGE.read_text(encoding="utf-8")
    assert text == page.page_text(text), again


def _video(workspace: Workspace) -> None:
    """Make the project `night`: a car on four frames, which jumps on the third."""
    path = workspace.projects_dir / "night"
    with Project.create(path) as made, made.change("import", "Import") as change:
        change.insert("imports", {"kind": "video", "origin": "o", "at": "2026", "active": 1})
        for name in ("car", "dog"):
            change.insert("classes", {"name": name})
        change.insert("labels", {"import_id": 1, "name": "car", "class_id": 1})
        change.insert("tracks", {"grp": "night", "class_id": 1})
        for number, x in enumerate((0.0, 2.0, 60.0, 62.0)):
            name = f"night_{number}.jpg"
            row = {"import_id": 1, "path": f"1/{name}", "name": name, "grp": "night"}
            row |= {"time": number / 2, "width": 100, "height": 100}
            image = change.insert("images", row)
            box = {"label_id": 1, "x": x, "y": 0.0, "w": 20.0, "h": 20.0, "track": 1}
            change.insert("annotations", {"image_id": image, **box})


def _evaluated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `batman evaluate` find an evaluation in `folder`."""
    folder.mkdir(parents=True)
    EvaluationResult(
        checkpoint="best.pth", model="tiny", resolution=128, dataset="d", split="valid", images=1,
        annotations=1, predictions=1, classes=["crane"], max_detections=500, map50_95=0.4,
        map50=0.5, map75=0.4, ar=None, coco100={"map50": 0.5}, confidence=0.3, precision=1.0,
        recall=1.0, f1=1.0, per_class=[], sizes=[], confusion=Confusion(labels=[], matrix=[]),
        worst=[], device="cpu", seconds=1.0, images_per_s=1.0, finished_at=1.0,
    ).save(folder)  # fmt: skip
    monkeypatch.setattr("cli.model.evaluate.evaluate_in_child", lambda *_, **__: folder)
