"""Every option of the original's four commands: taken with its meaning, or answered."""

from __future__ import annotations

import argparse
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from import_data import coco, put, put_coco
from test_original_layout import original
from test_video_frames import film

from cli.common import run_module
from cli.exits import Exit
from cli.main import main
from cli.original.options import OPTIONS, Option
from cli.original.scripts import SCRIPTS
from cli.parser import BatmanParser
from core.data.importers import import_coco, import_original, import_video, list_imports
from core.data.store import Project
from core.training.config.options import TrainingConfig
from core.training.run.run import Run

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "original.md").read_text(encoding="utf-8")

# What the original takes (`cli/*.py` of github.com/jugheadjones10/batman at b7f48db8, 932f52b3).
TAKES = {
    "importer roboflow": "--project --create --api-key --workspace --rf-project --version --format",
    "importer coco": "--project --create --classes --split --max-samples",
    "importer list": "--projects-dir",
    "classes list": "--project",
    "classes rename": "--project --old-name --new-name",
    "classes merge": "--project --source --target",
    "train": "--project --dataset --checkpoint --output-dataset --train-split --val-split"
    " --test-split --video-id --prepare-only --no-clean --filter-classes --output-dir --model"
    " --epochs --batch-size --image-size --lr --device --num-workers --patience --resume"
    " --grad-accum --mps-fallback --inference --confidence --inference-output --export --seed"
    " --classes",
    "inference": "--checkpoint -c --run -r --latest --input -i --output -o --no-visualizations"
    " --no-json --model --device --confidence -t --no-optimize --optimize-compile"
    " --frame-interval -n --track --no-kalman --track-thresh --track-buffer --match-thresh"
    " --project -p --classes",
}
# What our parsers ask for, beside the option that is looked at.
NEEDED = {
    "importer roboflow": "--project p --workspace w --rf-project r --version 1",
    "importer coco": "--project p",
    "classes list": "--project p",
    "classes rename": "--project p --old-name a --new-name b",
    "classes merge": "--project p --source a --target b",
    "inference": "--input a.jpg",
}
NUMBERS = (int, float)
Capture = pytest.CaptureFixture[str]


def parser_of(command: str) -> tuple[BatmanParser, list[str]]:
    module, *sub = command.split()
    parser = BatmanParser(prog=f"python -m cli.{module}")
    importlib.import_module(f"cli.{module}").add_arguments(parser)
    return parser, sub


def options_of(parser: argparse.ArgumentParser, sub: list[str]) -> argparse.ArgumentParser:
    """The parser of the sub-command itself."""
    for name in sub:
        (group,) = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
        parser = group.choices[name]
    return parser


def name_of(option: Option) -> str:
    return f"{option.command} {option.flags[0]}"


ROWS = [(option, flag) for option in OPTIONS for flag in option.flags]


def test_the_table_has_every_option_of_the_original() -> None:
    have: dict[str, set[str]] = {}
    for option in OPTIONS:
        for flag in option.flags:
            assert flag not in have.setdefault(option.command, set()), flag
            have[option.command].add(flag)
    assert {command: set(flags.split()) - have[command] for command, flags in TAKES.items()} == {
        command: set() for command in TAKES
    }


@pytest.mark.parametrize(("option", "flag"), ROWS, ids=[f"{o.command} {f}" for o, f in ROWS])
def test_every_row_is_so(option: Option, flag: str, capsys: Capture) -> None:
    parser, sub = parser_of(option.command)
    needed = NEEDED.get(option.command, "").split()
    own = options_of(parser, sub)
    action = own._option_string_actions[flag]
    for word in option.flags:  # what is looked at is not given twice
        while word in needed and action.nargs != 0:
            place = needed.index(word)
            del needed[place : place + 2]
    words = [*sub, *needed, flag, *option.values]
    if option.way == "refused":
        with pytest.raises(SystemExit) as ended:
            parser.parse_args(words)
        assert ended.value.code == Exit.WRONG
        err = capsys.readouterr().err
        assert f"The option {flag} of the original is not here.\n{option.here}\n" in err
        return
    args = parser.parse_args(words)
    err = capsys.readouterr().err
    assert err == (f"{flag}: {option.here}\n" if option.way == "said" else "")
    shown = action.help != argparse.SUPPRESS
    assert shown == (option.way == "same")
    assert (flag in own.format_help()) == shown
    assert (flag in own.options()) == shown
    if option.way == "said":
        return
    value = getattr(args, action.dest)
    if not option.values:
        assert value is (action.const is True)
    elif isinstance(value, NUMBERS) and not isinstance(value, bool):
        assert float(value) == float(option.values[0])
    elif isinstance(value, list):
        assert value == list(option.values)
    else:
        assert str(value) == option.values[0]


def test_the_page_says_what_the_table_says() -> None:
    for command in TAKES:
        section = PAGE.split(f"\n## {command}\n")[1].split("\n## ")[0]
        told = re.findall(r"^\| `(.+?)` \| (.+) \|$", section, re.MULTILINE)
        escaped = [
            (", ".join(o.flags) + "".join(f" {v}" for v in o.values), o.here)
            for o in OPTIONS
            if o.command == command
        ]
        assert told == [(a.replace("|", "\\|"), b.replace("|", "\\|")) for a, b in escaped]
    section = PAGE.split("\n## Scripts\n")[1]
    assert re.findall(r"^\| `(.+?)` \| (.+) \|$", section, re.MULTILINE) == list(SCRIPTS.items())


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_are_answered(script: str, capsys: Capture, tmp_path: Path) -> None:
    assert main([script, "--run", "r"]) == Exit.WRONG
    err = capsys.readouterr().err
    assert SCRIPTS[script] in err
    done = subprocess.run(
        [sys.executable, "-m", f"cli.{script}", "--checkpoint", "best.pth"],
        capture_output=True, text=True, check=False, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (Exit.WRONG, err)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["a", "b"], ["a", "b"]),
        (["a,b"], ["a", "b"]),
        (["a, b"], ["a", "b"]),
        (["a,", "b"], ["a", "b"]),
        (["a|b,c"], ["a", "b,c"]),
        (["crane hook", "a,b"], ["crane hook", "a,b"]),
    ],
    ids=str,
)
def test_class_names_are_words_or_one(
    words: list[str], names: list[str], asked: list[Any], workspace: Path
) -> None:
    assert main(["infer", "-c", "best.pth", "-i", "a.jpg", "--classes", *words]) == Exit.OK
    assert run_module("train", ["--checkpoint", "best.pth", "--export", "e", "--classes", *words])
    assert [options.classes for options in asked] == [names, names]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "best.pth", "a model")
    return tmp_path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the children are asked to do; an inference is answered, an export refused."""
    jobs: list[Any] = []
    result = {
        "images": 1, "videos": 0, "detections": 0, "seconds": 1.0, "frames": 1, "device": "cpu",
        "tracks": None, "per_class": {}, "skipped": [], "checkpoint": "c", "annotated": None,
        "csv": "x", "coco": None,
    }  # fmt: skip

    def child(module: str, options: Any, **_: Any) -> Any:
        jobs.append(options() if callable(options) else options)
        if module != "core.inference":
            raise SystemExit(Exit.FAILED)
        return result

    for module in ("cli.inference", "cli.model.export_model"):
        monkeypatch.setattr(f"{module}.run_child", child)
    monkeypatch.setattr("core.training.launch.local.require_trainer", lambda: None)
    return jobs


def test_the_short_forms_and_the_tracker(asked: list[Any], workspace: Path) -> None:
    words = "-c best.pth -i a.jpg b.mp4 -o out -t 0.6 -n 5 --track --track-thresh 0.3"
    words += " --track-buffer 60 --match-thresh 0.7 --no-kalman --no-json --no-visualizations"
    assert run_module("inference", [*words.split(), "--no-optimize"]) == Exit.OK
    (options,) = asked
    assert options.target == workspace / "best.pth"
    assert (options.inputs, options.output) == (["a.jpg", "b.mp4"], Path("out"))
    assert (options.confidence, options.frame_interval, options.track) == (0.6, 5, True)
    assert (options.track_start, options.track_buffer) == (0.3, 60)
    assert options.track_overlap == pytest.approx(0.3)
    assert not any((options.predict, options.coco, options.annotate, options.optimise))


def test_without_them_nothing_is_changed(asked: list[Any], workspace: Path) -> None:
    from core.inference import InferenceOptions

    assert run_module("inference", ["-c", "best.pth", "-i", "a.jpg", "-o", "out"]) == Exit.OK
    assert asked == [
        InferenceOptions(target=workspace / "best.pth", inputs=["a.jpg"], output=Path("out"))
    ]


def test_names_from_a_project(asked: list[Any], workspace: Path, capsys: Capture) -> None:
    words = ["-c", "best.pth", "-i", "a.jpg", "-p"]
    original(workspace / "data" / "projects" / "yard")
    assert run_module("inference", [*words, "data/projects/yard"]) == Exit.OK
    with Project.create(workspace / "data" / "projects" / "mine") as project:
        import_coco(project, put_coco(workspace / "set"))
    assert run_module("inference", [*words, "mine"]) == Exit.OK
    assert [options.spare_classes for options in asked] == [
        ["hook", "boom", "unused", "person"], ["boom", "hook"],
    ]  # fmt: skip
    assert run_module("inference", [*words, "nobody"]) == Exit.WRONG
    assert "no project at" in capsys.readouterr().err


def test_an_inference_by_train(asked: list[Any], workspace: Path, capsys: Capture) -> None:
    words = ["--checkpoint", "best.pth", "--inference", "a.jpg", "b.jpg", "--confidence", "0.7"]
    assert run_module("train", [*words, "--inference-output", "found", "--classes", "a", "b"]) == 0
    (options,) = asked
    assert options.target == workspace / "best.pth"
    assert (options.inputs, options.output) == (["a.jpg", "b.jpg"], Path("found"))
    assert (options.confidence, options.classes) == (0.7, ["a", "b"])
    assert run_module("train", ["--project", "p", "--inference", "a.jpg"]) == Exit.WRONG
    assert "--inference needs --checkpoint" in capsys.readouterr().err


def test_projects_are_listed(workspace: Path, capsys: Capture) -> None:
    with Project.create(workspace / "data" / "projects" / "mine") as project:
        import_coco(project, put_coco(workspace / "set"))
    original(workspace / "elsewhere" / "yard")
    assert run_module("importer", ["list"]) == Exit.OK
    assert re.search(r"^mine +2 +3 +2 ", capsys.readouterr().out, re.MULTILINE)
    assert run_module("importer", ["list", "--projects-dir", "elsewhere"]) == Exit.OK
    assert "batman import original elsewhere/yard --project yard" in capsys.readouterr().out
    assert run_module("importer", ["list", "--project", "mine", "--json"]) == Exit.OK
    assert [row["kind"] for row in json.loads(capsys.readouterr().out)] == ["coco"]
    both = ["list", "--project", "mine", "--projects-dir", "data"]
    assert run_module("importer", both) == Exit.WRONG


def dataset(folder: Path, **files: Any) -> Path:
    """A COCO data set of three splits, as the original prepares it."""
    for split in ("train", "valid", "test"):
        put_coco(folder / split)
    return folder


def below(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file's content and time of change."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file():
            state = path.stat()
            name = path.relative_to(folder).as_posix()
            found[name] = (path.read_bytes(), state.st_mtime_ns)
    return found


PREPARE = ["--model", "tiny", "--prepare-only"]


def test_training_on_a_folder(workspace: Path, capsys: Capture) -> None:
    folder = dataset(workspace / "datasets" / "hooks")
    before = below(folder)
    assert run_module("train", ["--dataset", "datasets/hooks", *PREPARE]) == Exit.OK
    assert "Made the project hooks of 6 images and 9 annotations" in capsys.readouterr().out
    assert below(folder) == before
    config = Run(workspace / "runs" / "hooks-tiny-1").config()
    assert config.project == workspace / "data" / "projects" / "hooks"
    assert config.dataset is not None
    assert config.dataset.images == {"train": 2, "valid": 2, "test": 2}
    # The next time it is found again.
    assert run_module("train", ["--dataset", str(folder), *PREPARE]) == Exit.OK
    assert "Training on the project hooks, which holds" in capsys.readouterr().out
    # What was changed meanwhile is not passed over, nor is the project of before lost.
    one = coco(annotations=[{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 10, 12]}])
    put(folder / "train" / "_annotations.coco.json", json.dumps(one))
    assert run_module("train", ["--dataset", "datasets/hooks", *PREPARE]) == Exit.OK
    out = capsys.readouterr().out
    assert "changed since 'hooks' was made" in out
    assert "Made the project hooks-2 of 6 images and 7 annotations" in out
    assert {path.name for path in (workspace / "data" / "projects").iterdir()} == {
        "hooks", "hooks-2",
    }  # fmt: skip


def test_a_dry_run_on_a_folder_writes_nothing(workspace: Path, capsys: Capture) -> None:
    dataset(workspace / "hooks")
    before = below(workspace)
    assert run_module("train", ["--dataset", "hooks", "--model", "tiny", "--dry-run"]) == Exit.OK
    told = capsys.readouterr().out
    (images,) = re.findall(r"^images +(.+)$", told, re.MULTILINE)
    assert sum(int(count) for count in re.findall(r"\d+", images)) == 6
    assert below(workspace) == before
    assert not (workspace / "data").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--dataset", "nowhere"], "There is no folder 'nowhere'"),
        (["--dataset", "empty"], "empty"),
        (["--dataset", "empty", "--project", "p"], "--project and --dataset"),
        ([], "No project was chosen"),
    ],
    ids=str,
)
def test_nothing_to_train_on(
    workspace: Path, capsys: Capture, words: list[str], message: str
) -> None:
    (workspace / "empty").mkdir()
    assert run_module("train", [*words, *PREPARE]) == Exit.WRONG
    assert message in capsys.readouterr().err
    assert not list((workspace / "data" / "projects").glob("*"))


def test_the_prepared_data_set_is_put_where_it_is_wanted(workspace: Path, capsys: Capture) -> None:
    dataset(workspace / "hooks")
    words = ["--dataset", "hooks", *PREPARE, "--output-dataset", "out/set"]
    assert run_module("train", words) == Exit.OK
    made = below(Run(workspace / "runs" / "hooks-tiny-1").dataset_dir)
    assert {n: c[0] for n, c in below(workspace / "out" / "set").items()} == {
        name: content[0] for name, content in made.items()
    }
    capsys.readouterr()
    assert run_module("train", [*words, "--no-clean"]) == Exit.WRONG
    err = capsys.readouterr().err
    assert "There is something at 'out/set' already" in err
    assert "--no-clean: Batman never removes a data set" in err
    assert not (workspace / "runs" / "hooks-tiny-2").exists()
    # And from there it is trained on, as the original's guide has it.
    assert run_module("train", ["--dataset", "out/set", *PREPARE]) == Exit.OK


@pytest.fixture
def settings(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> list[TrainingConfig]:
    """The settings of the trainings that are started, and a project `mine`."""
    started: list[TrainingConfig] = []

    def ready(_: Any, config: TrainingConfig, *__: Any, **___: Any) -> Run:
        started.append(config)
        raise SystemExit(0)

    monkeypatch.setattr("core.training.launch.prepare_run.ready_run", ready)
    with Project.create(workspace / "data" / "projects" / "mine") as project:
        import_coco(project, put_coco(workspace / "set"))
    return started


@pytest.mark.parametrize(
    ("words", "splits", "policy"),
    [
        ("", (0.7, 0.15, 0.15), "auto"),
        ("--train-split 0.8", (0.8, 0.15, 0.05), "random"),
        ("--val-split 0.1", (0.7, 0.1, 0.2), "random"),
        ("--train-split 0.8 --val-split 0.1 --test-split 0.1", (0.8, 0.1, 0.1), "random"),
        ("--train-split 0.8 --split-policy auto", (0.8, 0.15, 0.05), "auto"),
    ],
)
def test_shares(
    settings: list[TrainingConfig], words: str, splits: tuple[float, ...], policy: str
) -> None:
    run_module("train", ["--project", "mine", *PREPARE, *words.split()])
    (config,) = settings
    assert (config.splits, config.split_policy) == (splits, policy)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--train-split 0.9", "Train 0.9, val 0.15 and test 0 do not make 1"),
        ("--train-split 0.5 --val-split 0.1 --test-split 0.1", "do not make 1"),
        ("--train-split 0.8 --splits 80/10/10", "given twice"),
        ("--train-split 80", "must be at least 0 and at most 1"),
    ],
)
def test_shares_that_make_no_sense(
    settings: list[TrainingConfig], capsys: Capture, words: str, message: str
) -> None:
    assert run_module("train", ["--project", "mine", *PREPARE, *words.split()]) == Exit.WRONG
    assert message in capsys.readouterr().err
    assert settings == []


def test_other_names_of_settings(
    settings: list[TrainingConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTORCH_ENABLE_MPS_FALLBACK", raising=False)
    words = "--num-workers 3 --max-frames-per-class 50 --mps-fallback"
    run_module("train", ["--project", "mine", *PREPARE, *words.split()])
    (config,) = settings
    assert (config.workers, config.max_per_class) == (3, 50)
    from core.processes.child_process import python_environment

    assert python_environment()["PYTORCH_ENABLE_MPS_FALLBACK"] == "1"


def test_a_part_of_a_project(
    settings: list[TrainingConfig], workspace: Path, capsys: Capture
) -> None:
    def train(project: str, part: str) -> tuple[int, str]:
        code = run_module("train", ["--project", project, *PREPARE, "--video-id", part])
        return code, capsys.readouterr().err

    assert [train("mine", part)[0] for part in ("all", "imports", "1")] == [0, 0, 0]
    assert len(settings) == 3
    with Project.create(workspace / "data" / "projects" / "yard") as project:
        import_original(project, original(workspace / "old" / "yard"))
        numbers = {row.detail["video_id"]: row.id for row in list_imports(project)}
    code, err = train("yard", "imports")
    assert code == Exit.WRONG
    assert f"has more than --video-id imports: import {numbers[7]}." in err
    assert f"batman import remove {numbers[7]} --project yard" in err
    code, err = train("yard", "-1")
    assert code == Exit.WRONG
    assert f"import {numbers[7]}, {numbers[-2]}." in err
    assert "no import or video -9" in train("yard", "-9")[1]
    assert train("yard", "all")[0] == 0
    pytest.importorskip("av", reason="needs the video extra")
    with Project.open(workspace / "data" / "projects" / "mine") as project:
        import_video(project, film(workspace / "a.mp4", [1]))
    assert "has more than --video-id imports: import 2." in train("mine", "imports")[1]
    assert len(settings) == 4


def test_what_is_misspelt_is_not_guessed_as_something_hidden(capsys: Capture) -> None:
    assert run_module("train", ["--num-worker", "2"]) == Exit.WRONG
    err = capsys.readouterr().err
    assert "--workers" in err
    assert "--num-workers" not in err
