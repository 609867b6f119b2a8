"""From a rough box to an object's box: what needs no model, and the process that keeps one."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.autolabel.snap import model
from core.autolabel.snap import service as service_module
from core.autolabel.snap.model import RunSnapper, Snapped, Snapper, mask_box, serve
from core.autolabel.snap.service import SnapService
from core.autolabel.snap.which_model import (
    NoSnapper,
    SnapChoice,
    find_snap_model,
    keep_snap_choice,
    snap_choice,
    snap_models,
)
from core.common.errors import BatmanError, Cancelled, RunError, WeightsMissing
from core.common.folders import config_dir
from core.common.workspace import Workspace
from core.models.backend import Opened
from core.models.detector import Prediction


def approx(value: float) -> Any:
    return pytest.approx(value)


class Detector:
    classes = ["disc", "square"]
    device = "cpu"
    looked = 0
    found = Prediction(
        np.array([[10, 10, 30, 30], [40, 40, 90, 90], [-5, 50, 20, 80]], np.float32),
        np.array([0.9, 0.4, 0.8], np.float32),
        np.array([0, 1, 1]),
    )

    def prepare(self, _picture: Any) -> Any:
        return np.zeros((4, 4, 3), np.uint8)

    def predict_prepared(self, *_: Any) -> list[Prediction]:
        self.looked += 1
        return [self.found]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.new("RGB", (200, 160)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_a_run_s_nearest_detection_is_taken(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detector: Any = Detector()
    monkeypatch.setattr("core.models.backend.open_model", lambda *_, **__: Opened(detector, []))
    snapper = RunSnapper(Path("best.pth"))
    size = (100, 80)  # as the project knows it
    assert snapper.snap(picture, size, (8, 12, 22, 20)) == Snapped(
        (10, 10, 20, 20), approx(0.9), "disc"
    )
    found = snapper.snap(picture, size, (45, 41, 50, 35))
    assert found == Snapped((40, 40, 50, 40), approx(0.4), "square"), "cut at the border"
    assert snapper.snap(picture, size, (0, 50, 18, 30)) == Snapped(
        (0, 50, 20, 30), approx(0.8), "square"
    )
    assert snapper.snap(picture, size, (70, 0, 20, 20)) is None
    assert snapper.snap(picture, size, (10, 10, 80, 70)) is not None, "IoU 0.36"
    assert snapper.snap(picture, size, (10, 10, 8, 8)) is None, "IoU 0.16"
    assert detector.looked == 1, "a picture is looked at once"
    with pytest.raises(BatmanError, match="not on the picture"):
        snapper.snap(picture, size, (200, 10, 5, 5))
    detector.found = Prediction.none()
    snapper.snap(picture, (50, 40), (8, 12, 22, 20))
    assert detector.looked == 2
    with pytest.raises(BatmanError, match=r"'none\.png' cannot be read"):
        snapper.snap(picture.with_name("none.png"), size, (8, 12, 22, 20))


def test_the_box_around_a_mask() -> None:
    mask = np.zeros((20, 30), bool)
    assert mask_box(mask) is None
    mask[3:7, 11:12] = True
    mask[5, 25] = True
    assert mask_box(mask) == (11, 3, 15, 4)


class Doubled(Snapper):
    """Answers with a box twice as wide; small ones stand for nothing, some kill it."""

    def look(self, picture: Any, size: Any) -> Any:
        return picture.size

    def find(self, seen: Any, size: Any, box: Any) -> Snapped | None:
        x, y, w, h = box
        if w == 13:
            raise SystemExit(7)
        return None if w < 3 else Snapped((x, y, 2 * w, h), 0.5, f"{seen[0]}")


def opened(kind: str, weights: Path, device: str) -> Snapper:
    if kind == "sam3":
        raise WeightsMissing("They are not here.", "Fetch them.")
    return Doubled(device)


def test_one_line_a_box(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "open_snapper", opened)
    box = {"file": str(picture), "size": [100, 80], "box": [1, 2, 3, 4]}
    lines = [
        {"kind": "run", "weights": "/w"},
        box,
        {**box, "box": [1, 1, 2, 2]},
        {**box, "file": "x"},
    ]
    out = io.StringIO()
    assert serve(map(json.dumps, lines), out) == 0
    ready, snapped, nothing, failed = map(json.loads, out.getvalue().splitlines())
    assert ready == {"event": "ready", "device": "auto"}
    assert snapped == {"event": "snapped", "box": [1, 2, 6, 4], "score": 0.5, "class": "200"}
    assert nothing == {"event": "snapped", "box": None, "score": None, "class": None}
    assert (failed["event"], failed["kind"]) == ("failed", "BatmanError")
    out = io.StringIO()
    assert serve(iter(['{"kind": "sam3", "weights": "/w"}']), out) == 1
    assert json.loads(out.getvalue())["kind"] == "WeightsMissing"
    assert serve([], out) == 0


def test_a_process_keeps_the_model(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setattr(service_module, "MODULE", "snapping_child")
    size = (100, 80)
    with SnapService("run", Path("/w")) as service:
        found = service.snap(picture, size, (1, 2, 30, 4))
        assert found == Snapped((1, 2, 60, 4), 0.5, "200")
        process = service._process
        assert service.snap(picture, size, (1, 2, 2, 4)) is None
        with pytest.raises(BatmanError, match="not on the picture"):
            service.snap(picture, size, (300, 2, 2, 4))
        assert service._process is process
        with pytest.raises(RunError, match="The model that snaps boxes ended with code 7"):
            service.snap(picture, size, (1, 2, 13, 4))
        assert service.snap(picture, size, (1, 2, 30, 4)) == found, "another is started"
        process = service._process
    assert process is not None
    assert process.poll() is not None
    with (
        SnapService("sam3", Path("/w")) as service,
        pytest.raises(WeightsMissing, match="not here"),
    ):
        service.snap(picture, size, (1, 2, 30, 4))


def test_an_idle_model_ends_and_a_stopped_one_at_once(
    picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setattr(service_module, "MODULE", "snapping_child")
    with SnapService("run", Path("/w"), idle_s=0.05) as service:
        service.load()
        process = service._process
        assert process is not None
        process.wait(20)
        assert not service.ready
        assert service.snap(picture, (100, 80), (1, 2, 30, 4)) is not None, "another is started"
    monkeypatch.setattr(service_module, "MODULE", "json.tool")  # waits for the end of its input
    with SnapService("run", Path("/w")) as service:
        with pytest.raises(Cancelled):
            service.load(lambda: True)
        assert service._process is None


def test_which_model_snaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    workspace = Workspace(tmp_path)
    run = tmp_path / "runs" / "night" / "best.pth"
    run.parent.mkdir(parents=True)
    run.touch()
    (run.parent / "training_config.json").write_text("{}")
    assert snap_models(workspace) == ["sam3", "night"]
    assert snap_choice() == SnapChoice()
    with pytest.raises(NoSnapper, match="No model that snaps boxes was chosen yet"):
        find_snap_model(snap_choice(), workspace)
    keep_snap_choice(SnapChoice("night"), workspace)
    assert find_snap_model(snap_choice(), workspace).weights == run
    for wrong, said in (
        (SnapChoice("sam3"), "not on this machine"),
        (SnapChoice("sam3", "/no/folder"), "is not there"),
        (SnapChoice("grounding-dino"), "cannot snap a box"),
    ):
        with pytest.raises(BatmanError, match=said):
            keep_snap_choice(wrong, workspace)
    assert snap_choice() == SnapChoice("night"), "the one before stays"
    (config_dir() / "snap.json").write_text("[1]")
    assert snap_choice() == SnapChoice()
