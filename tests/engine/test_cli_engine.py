"""The command line on a real model: what the guide does with a run, and the whole demo."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from json_shapes import holds

from cli.common import run_module
from cli.exits import Exit
from cli.main import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def workspace(tmp_path: Path, learned: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, a workspace with the guide's run and image in it."""
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "my_training_run").symlink_to(learned)
    image = next((learned / "dataset" / "test").glob("*.png"))
    # The guide's name; what a file is, its content says.
    (tmp_path / "test_image.jpg").write_bytes(image.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_guides_inference(workspace: Path, capsys: Capture) -> None:
    words = shlex.split("--run my_training_run --input test_image.jpg --confidence 0.5")
    assert run_module("inference", [*words, "--json"]) == Exit.OK
    result = holds("infer", capsys.readouterr().out)[-1]
    assert result["images"] == 1
    assert result["classes"] == ["disc", "square"]
    assert Path(result["annotated"], "test_image.jpg").is_file()
    assert Path(result["csv"]).read_text().count("\n") == 1 + result["detections"]


def test_the_guides_export_and_its_onnx(workspace: Path, capsys: Capture) -> None:
    words = shlex.split(
        "--checkpoint runs/my_training_run/best.pth --export exports/my_model_v1"
        ' --classes "disc,square"'
    )
    assert run_module("train", words) == Exit.OK
    out = capsys.readouterr().out
    assert "model.onnx" in out
    assert (workspace / "exports" / "my_model_v1" / "model.pth").is_file()
    words = ["--checkpoint", "exports/my_model_v1/model.onnx", "--input", "test_image.jpg"]
    assert run_module("inference", words) == Exit.OK
    assert "1 image" in capsys.readouterr().out
    assert main(["infer", *words, "--class-confidence", "dsc=0.4"]) == Exit.WRONG
    assert "did you mean 'disc'" in capsys.readouterr().err.lower()


def test_evaluate_prints_what_it_found(workspace: Path, capsys: Capture) -> None:
    words = ["evaluate", "my_training_run", "--split", "test", "--output", "found", "--worst", "2"]
    assert main(words) == Exit.OK
    out = capsys.readouterr().out
    found = json.loads((workspace / "found" / "evaluation.json").read_text())
    assert f"{found['map50_95']:.3f}" in out
    assert "square" in out
    assert main([*words, "--dataset", "nowhere"]) == Exit.WRONG


def test_the_demo_learns_its_shapes(demonstrated: Path) -> None:
    out = (demonstrated.parents[2] / "said.txt").read_text()
    assert demonstrated.parts[-3:] == ("demo", "runs", "shapes-tiny-1")
    results = json.loads((demonstrated / "results.json").read_text())
    assert results["best"]["map50"] >= 0.8
    assert sorted(results["classes"]) == ["disc", "square"]
    assert "--source disc Disc disk --target disc" in out
    assert "What to try next" in out
    assert (demonstrated / "evaluation/test/evaluation.json").is_file()
