"""`batman autolabel` from the wish to the suggestions, with a labeller that needs no torch."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from json_shapes import holds
from PIL import Image

from cli.main import main
from core.autolabel import cost, job, prepare
from core.autolabel.choice import parse_choice
from core.autolabel.job import plan_autolabel, resume_autolabel, start_autolabel
from core.autolabel.pass_folder import PassFolder
from core.autolabel.prepare import AutolabelRequest, begin_pass, plan_pass
from core.common.errors import BatmanError, Cancelled, ClassError, RunError
from core.common.progress import Progress
from core.common.workspace import Workspace
from core.data.labels.edit import edit
from core.data.labels.ops import Review
from core.data.labels.passes import list_passes
from core.data.labels.prompts import Example, Prompts, prompts_of, set_prompts
from core.data.store import Project
from core.processes.child_process import python_command, python_environment

IMAGES = 6


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace with the project `site` of six pictures, the first labelled, and a run."""
    monkeypatch.setenv("BATMAN_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setattr(job, "MODULE", "labelling_child")
    monkeypatch.setattr(prepare, "require_trainer", lambda: None)
    monkeypatch.setattr(prepare, "require_transformers", lambda: None)
    monkeypatch.setattr(cost, "find_gpus", list)
    monkeypatch.setattr(cost, "usable_cores", lambda: 1)
    monkeypatch.setattr(cost, "_apple", lambda: False)
    (tmp_path / "runs" / "shapes").mkdir(parents=True)
    (tmp_path / "runs" / "shapes" / "best.pth").write_bytes(b"weights")
    workspace = Workspace(tmp_path)
    with Project.create(workspace.project_path("site")) as project:
        folder = project.images_dir / "1"
        folder.mkdir()
        with project.change("import", "Import") as change:
            change.insert("imports", {"kind": "coco", "origin": "o", "at": "2026", "active": 1})
            for name in ("hook", "boom"):
                change.insert("classes", {"name": name})
            change.insert("labels", {"import_id": 1, "name": "hook", "class_id": 1})
            for number in range(1, IMAGES + 1):
                name = f"{number}.png"
                Image.new("RGB", (80, 60), (number, 0, 0)).save(folder / name)
                row = {"import_id": 1, "path": f"1/{name}", "name": name}
                change.insert("images", {**row, "width": 80, "height": 60})
            box = {"x": 40.0, "y": 40.0, "w": 20.0, "h": 10.0}
            change.insert("annotations", {"image_id": 1, "label_id": 1, **box})
    return workspace


def suggestions(workspace: Workspace) -> list[tuple[Any, ...]]:
    with Project.open(workspace.project_path("site")) as project:
        return [
            tuple(row)
            for row in project.db.execute(
                "SELECT image_id, class_id, x, y, w, h, round(score, 4), state FROM v_suggestions"
                " ORDER BY image_id"
            )
        ]


def expected(images: range = range(1, IMAGES + 1)) -> list[tuple[Any, ...]]:
    # The sliver at the border is under a pixel of the picture, and left out.
    return [(n, 1, float(n), float(n), 20.0, 10.0, round(0.1 + n / 100, 4), "open") for n in images]


def autolabel(*words: str) -> int:
    return main(["autolabel", "--project", "site", *words])


def folders(workspace: Workspace) -> list[str]:
    return sorted(p.name for p in (workspace.project_path("site") / "passes").glob("*"))


def request(labeller: str, **wishes: Any) -> AutolabelRequest:
    return AutolabelRequest(parse_choice(labeller), **wishes)


def test_a_run_proposes_boxes(site: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert autolabel("--with", "shapes") == 0
    assert capsys.readouterr().out.splitlines() == [
        "pictures: 6 of 6",
        "shapes looked at 6 pictures on cpu: 6 suggestions to review.",
        "Reads best.pth.",
    ]
    assert suggestions(site) == expected()
    assert folders(site) == []
    with Project.open(site.project_path("site")) as project:
        (line,) = list_passes(project)
        assert (line.labeller, line.model, line.images) == ("run", "shapes", 6)
        assert project.undo() is not None
    assert suggestions(site) == []


def test_json_and_which_pictures(site: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    (site.project_path("site") / "images" / "1" / "3.png").write_bytes(b"")
    words = ("--with", "shapes", "--skip-labelled", "--images", "png", "--json")
    assert autolabel(*words) == 0
    said = holds("autolabel", capsys.readouterr().out)
    assert said["unreadable"] == [
        {"file": "1/3.png", "reason": "cannot be read as an image: it is empty"}
    ]
    assert (said["model"], said["images"], said["open"]) == ("shapes", 4, 4)
    assert (said["looked_at"], said["wanted"], said["recorded"]) == (5, 5, True)
    assert [row[0] for row in suggestions(site)] == [2, 4, 5, 6]
    assert autolabel("--with", "shapes", "--images", "no such picture") == 2
    assert "No image matches" in capsys.readouterr().err


def test_killed_at_any_picture_it_goes_on(
    site: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LABELLER_ENDS", f"{signal.SIGKILL:d}:4")
    assert autolabel("--with", "shapes") == 2
    assert "SIGKILL" in capsys.readouterr().err
    assert suggestions(site) == []
    assert folders(site) == ["shapes-1"]
    assert PassFolder(site.project_path("site") / "passes" / "shapes-1").state() == (3, IMAGES)
    # The same command says that it is there, and does not begin another.
    monkeypatch.delenv("LABELLER_ENDS")
    assert autolabel("--with", "shapes") == 2
    said = capsys.readouterr().err
    assert "An unfinished pass of shapes is there (3 of 6 pictures): 'shapes-1'." in said
    assert "--continue shapes-1" in said
    assert "--take shapes-1" in said
    assert folders(site) == ["shapes-1"]
    monkeypatch.setenv("LABELLER_ENDS", f"{signal.SIGKILL:d}:1")
    assert autolabel("--continue") == 2
    monkeypatch.delenv("LABELLER_ENDS")
    capsys.readouterr()
    assert autolabel("--continue", "shapes-1") == 0
    assert "shapes looked at 6 pictures" in capsys.readouterr().out
    assert suggestions(site) == expected()
    assert folders(site) == []


def test_ctrl_c_says_how_to_go_on_and_how_to_take_what_is_there(
    site: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LABELLER_ENDS", f"{signal.SIGINT:d}:3")
    assert autolabel("--with", "shapes") == 130
    told = capsys.readouterr()
    assert "Stopped after 3 of 6 pictures; what was found is kept." in told.err
    command = "batman autolabel --project site"
    for option in ("continue", "take", "discard"):
        assert f"{command} --{option} shapes-1" in told.err
    assert suggestions(site) == []
    assert autolabel("--take") == 0
    assert "looked at 3 of 6 pictures on cpu: 3 suggestions" in capsys.readouterr().out
    assert suggestions(site) == expected(range(1, 4))
    monkeypatch.setenv("LABELLER_ENDS", f"{signal.SIGINT:d}:1")
    assert autolabel("--with", "shapes", "--images", "5") == 0, "the last picture was done"
    assert autolabel("--with", "shapes") == 130
    assert autolabel("--discard", "shapes-1") == 0
    assert "which was at 1 of 6 pictures" in capsys.readouterr().out
    assert folders(site) == []
    assert autolabel("--take") == 2
    assert autolabel("--continue", "--with", "shapes") == 2


def test_what_cannot_be_leaves_nothing(
    site: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, message in (
        ((), "No labeller is named"),
        (("--with", "shaps"), "no run 'shaps'"),
        (("--with", "sam4"), "Did you mean 'sam3'?"),
        (("--with", "shapes", "--classes", "hok"), "no class 'hok'"),
        (("--with", "shapes", "--prompt", "hook=x"), "not for phrases"),
        (("--with", "shapes", "--weights", "x"), "--weights is for labellers"),
        (("--with", "shapes", "--device", "cuda"), "no NVIDIA GPU"),
        (("--with", "owlv2", "--map", "a=hook"), "no classes of its own to map"),
        (("--with", "owlv2", "--weights", "nowhere"), "is not there"),
        (("--with", "sam3", "--batch-size", "4"), "SAM 3 looks at one picture at a time"),
        (("--with", "coco:nano", "--weights", "x.pth"), "no weights at"),
        (("--with", "shapes", "--least", "1.5"), "Argument --least"),
    ):
        assert autolabel(*words) == 2, words
        assert message in capsys.readouterr().err
    monkeypatch.setenv("RF_HOME", str(site.root / "none"))
    assert autolabel("--with", "coco:nano") == 2
    said = capsys.readouterr().err
    assert "(rf-detr-nano.pth) are not on this machine" in said
    assert "--download" in said
    # A labeller that falls over before its first picture leaves no pass to go on with.
    monkeypatch.setenv("LABELLER_ENDS", f"{signal.SIGKILL:d}:1")
    assert autolabel("--with", "shapes") == 2
    assert folders(site) == []
    with Project.open(site.project_path("site")) as project:
        assert [entry.kind for entry in project.history()] == ["import"]


def test_a_damaged_pass_is_named_and_can_be_thrown_away(
    site: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = site.project_path("site") / "passes" / "shapes-1"
    folder.mkdir(parents=True)
    (folder / "pass.json").write_text("{")
    for words in (("--continue",), ("--continue", "shapes-1"), ("--take", "shapes-1")):
        assert autolabel(*words) == 2
        told = capsys.readouterr().err
        assert "The pass 'shapes-1' cannot be read:" in told, words
        assert "--discard shapes-1" in told
    assert autolabel("--discard", "shapes-1") == 0
    assert "which could not be read" in capsys.readouterr().out
    assert folders(site) == []
    assert autolabel("--discard", "shapes-1") == 2


def test_wishes_that_look_for_nothing(site: Workspace) -> None:
    project = site.project_path("site")
    for wish, said in (({"classes": []}, "No class is named"), ({"least": 1.5}, "score of 1.5")):
        with pytest.raises(BatmanError, match=said):
            plan_autolabel(project, request("shapes", **wish), workspace=site)


@pytest.fixture
def owl(site: Workspace) -> Path:
    """A folder with the files of OWLv2, as far as their names go."""
    folder = site.root / "owl"
    folder.mkdir()
    for name in ("model.safetensors", "processor_config.json", "tokenizer.json"):
        (folder / name).write_text("{}")
    (folder / "config.json").write_text('{"model_type": "owlv2"}')
    return folder


def test_a_cpu_is_asked_about_and_phrases_are_kept(
    site: Workspace, owl: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--with", "owlv2", "--weights", str(owl), "--prompt", "hook=crane hook")
    assert autolabel(*words) == 2
    said = capsys.readouterr().err
    assert "There is no GPU here" in said
    assert "will take about 1m 11s for 6 pictures" in said
    assert "Give --yes" in said
    with Project.open(site.project_path("site")) as project:
        assert prompts_of(project)[1] == Prompts(("hook",)), "nothing was begun"
        set_prompts(project, 1, Prompts((), (Example(1),), 0.4))
    assert autolabel(*words, "--yes") == 0
    assert "1m 11s" in capsys.readouterr().out
    with Project.open(site.project_path("site")) as project:
        kept = prompts_of(project)
        assert kept[1] == Prompts(("crane hook",), (Example(1),), 0.4)
        assert list_passes(project)[0].detail["prompts"] == {"1": ["crane hook"], "2": ["boom"]}
    # Little enough is said, and not asked.
    assert autolabel("--with", "owlv2", "--weights", str(owl), "--images", "3.png") == 0
    assert "about 12s for 1 picture" in capsys.readouterr().out


def test_the_task_says_all_that_a_labeller_needs(site: Workspace, owl: Path) -> None:
    with Project.open(site.project_path("site")) as project:
        set_prompts(project, 1, Prompts(("hook", "block"), (Example(1), Example(1, False))))
        wish = request("owlv2", images=[2, 99], classes=["hook"])
        task, images = plan_pass(project, wish, owl)
        assert [image.id for image in images] == [2]
        (row,) = task.classes
        assert row.phrases == ("hook", "block")
        assert [(e.image, e.box, e.like) for e in row.examples] == [
            (1, (40.0, 40.0, 20.0, 10.0), True),
            (1, (40.0, 40.0, 20.0, 10.0), False),
        ]
        assert [image.path for image in task.example_images] == ["1/1.png"]
        folder = begin_pass(project, task, images)
        assert folder.task() == task
        with pytest.raises(ClassError, match="no class 'hok'"):
            plan_pass(project, request("owlv2", prompts={"hok": ["x"]}), owl)
        with pytest.raises(BatmanError, match="no picture to look at"):
            plan_pass(project, request("owlv2", images=[1], skip_labelled=True), owl)
        # A picture that somebody looked at and found empty is no question either.
        edit(project, 2, [Review("done")])
        _, images = plan_pass(project, request("owlv2", images=[1, 2, 3], skip_labelled=True), owl)
        assert [image.id for image in images] == [3]
        # One of another labeller may be made beside it.
        task, images = plan_pass(project, request("shapes"), site.root)
        begin_pass(project, task, images)
    assert folders(site) == ["owlv2-base-patch16-ensemble-1", "shapes-1"]


def test_a_job_for_the_app_tells_how_far_it_is(site: Workspace) -> None:
    project = site.project_path("site")
    seen: list[Progress] = []
    started = start_autolabel(project, request("shapes"), workspace=site, report=seen.append)
    assert started.wait(60)
    assert started.ended
    assert started.error is None
    assert started.result is not None
    assert started.result.report is not None
    assert started.result.report.open == IMAGES
    assert started.progress == Progress("pictures", 6, 6)
    assert [at.done for at in seen if at.stage == "pictures"] == list(range(7))
    assert started.first_s is not None
    assert started.seconds_left == 0
    stopped = plan_autolabel(project, request("shapes"), workspace=site)

    def stop(at: Progress) -> None:
        if at == Progress("pictures", 2, 6):
            stopped.cancel()

    with pytest.raises(Cancelled):
        stopped.run(stop)
    again = resume_autolabel(project)
    assert (again.pictures, again.left < 6) == (6, True)
    assert again.cpu_seconds() is None
    again.run()
    assert folders(site) == []
    failed = plan_autolabel(project, request("shapes"), workspace=site)
    (project / "passes").rmdir()
    (project / "passes").write_text("in the way")
    failed.start()
    assert failed.wait(60)
    assert isinstance(failed.error, OSError)


def test_the_command_for_a_cluster_needs_no_project(site: Workspace) -> None:
    with Project.open(site.project_path("site")) as project:
        task, images = plan_pass(project, request("shapes"), site.root / "elsewhere.pth")
        folder = PassFolder(site.root / "job")
        folder.create(task, images)
        moved = site.root / "pictures"
        project.images_dir.rename(moved)
        (moved / "1" / "2.png").unlink()
        command = [*python_command("labelling_child"), str(folder.path), "--images", str(moved)]

        def run(**env: str) -> subprocess.CompletedProcess[str]:
            there = {**python_environment(), **env}
            return subprocess.run(command, env=there, text=True, capture_output=True, timeout=60)

        stopped = run(LABELLER_ENDS=f"{signal.SIGTERM:d}:2")
        assert (stopped.returncode, stopped.stderr) == (3, "Stopped after 3 of 6 pictures.\n")
        ended = run()
        assert ended.returncode == 0, ended.stderr
        last = ended.stdout.splitlines()[-1]
        assert last == "6 pictures, 5 objects, 1 could not be read"
        assert "pictures: 6 of 6" in ended.stdout
        assert run().stdout.splitlines() == [last], "there is nothing left to load it for"
        refused = subprocess.run(
            [*command[:-3], str(site.root)], env=python_environment(), text=True,
            capture_output=True, timeout=60,
        )  # fmt: skip
        assert refused.returncode == 1
        (moved.parent / "job" / "found.jsonl").unlink()
        away = subprocess.run(
            command[:-2], env=python_environment(), text=True, capture_output=True, timeout=60
        )
        assert (away.returncode, away.stdout) == (1, "")
        assert f"pictures, '{project.images_dir}', is not there" in away.stderr
        assert "no folder of a pass" in refused.stderr


def test_a_child_that_dies_is_said(site: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "MODULE", "no_such_module")
    with pytest.raises(RunError, match="The labeller ended"):
        plan_autolabel(site.project_path("site"), request("shapes"), workspace=site).run()
    assert folders(site) == []
