"""What was made of a run's model is remembered in its folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.exits import Exit
from cli.main import main
from core.training.config.options import TrainingConfig
from core.training.run_list.outputs import OUTPUTS_FILE, outputs_of, remember


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "first"
    folder.mkdir(parents=True)
    TrainingConfig(model="tiny", epochs=1).save(folder / "training_config.json")
    (folder / "best.pth").touch()
    return folder


def test_it_is_remembered_newest_first_and_each_folder_once(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "naïve exports"
    out.mkdir()
    assert remember(run / "best.pth", "export", out, {"as": "pth, onnx"}) == ""
    assert (
        remember(run / "best.pth", "inference", tmp_path / "gone", {"images": 1200, "videos": 1})
        == ""
    )
    assert remember(run / "best.pth", "export", out, {"as": "pth"}) == ""
    newest, other = outputs_of(run)
    assert (newest.kind, newest.path, newest.said, newest.there) == ("export", out, "as pth", True)
    assert (other.kind, other.said, other.there) == ("inference", "1,200 images, 1 video", False)
    assert other.model == "best.pth"


def test_a_model_outside_of_a_run_is_no_runs(tmp_path: Path) -> None:
    assert remember(tmp_path / "model.pth", "export", tmp_path / "out", {}) == ""
    assert not list(tmp_path.iterdir())


def test_what_is_torn_or_foreign_is_passed_over(run: Path, tmp_path: Path) -> None:
    remember(run / "best.pth", "export", tmp_path, {})
    lines = run / OUTPUTS_FILE
    lines.write_bytes(lines.read_bytes() + b'[1]\n\xff\xfe\n{"kind": "other"}\n{"kind": "exp')
    assert [one.path for one in outputs_of(run)] == [tmp_path]
    # The torn line ends here, and the next is whole.
    remember(run / "best.pth", "inference", tmp_path, {})
    assert [one.kind for one in outputs_of(run)] == ["inference", "export"]
    assert outputs_of(tmp_path) == []


def test_a_run_that_cannot_be_written_says_so(run: Path, tmp_path: Path) -> None:
    (run / OUTPUTS_FILE).mkdir()
    said = remember(run / "best.pth", "export", tmp_path, {})
    assert said.startswith("The run does not remember it: ")
    assert outputs_of(run) == []


def test_the_command_line_lists_it(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remember(run / "best.pth", "inference", tmp_path / "gone", {"images": 3, "from": 0.5})
    words = ["runs", "show", "first", "--workspace", str(tmp_path)]
    assert main(words) == Exit.OK
    out = capsys.readouterr().out
    assert "inference" in out
    assert "3 images, from 0.5" in out
    assert f"{tmp_path / 'gone'} (no longer there)" in out
    assert main([*words, "--json"]) == Exit.OK
    (one,) = json.loads(capsys.readouterr().out)["outputs"]
    assert (one["kind"], one["there"], one["facts"]) == (
        "inference", False, {"images": 3, "from": 0.5},
    )  # fmt: skip
