"""Exporting a run's model in the app, and what a run has to show beside its curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harness import FrozenApp, screen_text, settled, until, words_on
from PIL import Image
from run_data import finished, make_run
from sample_data import NOW

from batman_tui.pictures.picture_screen import PictureScreen
from batman_tui.pictures.viewer import Viewer
from batman_tui.run import export_dialog
from batman_tui.run.export_dialog import ModelExportDialog
from batman_tui.run.screen import RunScreen
from batman_tui.widgets.dialogs.text_dialog import TextDialog
from batman_tui.widgets.form.line_input import LineInput
from core.common.errors import ExportFailed
from core.common.progress import Progress
from core.export.formats import FORMATS, lack_of
from core.processes.installation import how_to_install
from core.training.run_list.outputs import remember

NAME = "site"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    made = make_run(tmp_path, NAME, finished(NAME))
    (made / "best.pth").touch()
    return made


async def asked(pilot: Any, run: Path) -> ModelExportDialog:
    await settled(pilot)
    pilot.app.open_run(run)
    await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen) and pilot.app.screen.run)
    await settled(pilot)
    await pilot.press("x")
    await until(pilot, lambda: isinstance(pilot.app.screen, ModelExportDialog))
    await settled(pilot)
    return pilot.app.screen


class Child:
    """Stands in for `python -m core.export`: one format passes, one differs."""

    def __init__(self) -> None:
        self.options: Any = None
        self.error: ExportFailed | None = None

    def __call__(self, module: str, options: Any, report, cancelled, *, name: str) -> Any:
        assert module == "core.export"
        self.options = options
        report(Progress("checking onnx", 1, 2))
        if self.error is not None:
            raise self.error
        options.output.mkdir(parents=True)
        (options.output / "MODEL_CARD.md").write_text("# RF-DETR [small]\n")
        remember(options.target / "best.pth", "export", options.output, {"as": "pth"})
        one = {"name": "model.pth", "bytes": 128_000_000, "scores": 0.0, "pixels": 2.5e-4,
               "tolerance": 0.001}  # fmt: skip
        failed = {"format": "onnx", "message": "model.onnx does not agree.", "hint": "Report it."}
        return {
            "output": str(options.output), "checked_on": "50 images of dataset/valid",
            "files": [one], "failed": [failed], "warnings": [],
        }  # fmt: skip


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Child:
    made = Child()
    monkeypatch.setattr(export_dialog, "run_job", made)
    monkeypatch.setattr("core.training.launch.local.require_trainer", lambda: None)
    return made


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=str)
async def test_what_came_out_is_a_table_with_the_card(
    run: Path, tmp_path: Path, child: Child, size: tuple[int, int], opened
) -> None:
    app = FrozenApp(tmp_path)
    async with opened(app, size) as pilot:
        dialog = await asked(pilot, run)
        dialog.query_one("#names", LineInput).value = "a,b"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: dialog.phase == "report")
        assert child.options.output == tmp_path / "exports" / NAME
        assert (child.options.formats, child.options.classes) == (["pth", "onnx"], ["a", "b"])
        await settled(pilot)
        said = words_on(app)
        for part in ("model.pth 128.0 MB 0.0e+00 2.5e-04 px 0.001", "model.onnx – not written",
                     "checked on 50 images", "model.onnx does not agree. Report it."):  # fmt: skip
            assert part in said, said
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        assert "RF-DETR [small]" in app.screen.text
        await pilot.press("escape", "escape")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        screen = app.screen
        await until(pilot, lambda: screen.details.made)
        screen.details.tab = "made"
        screen.query_one("#made").focus()
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))


async def test_formats_say_what_they_lack(
    run: Path, tmp_path: Path, child: Child, monkeypatch: pytest.MonkeyPatch, opened
) -> None:
    lacks = {"tensorrt": ExportFailed("TensorRT needs tensorrt, which is not installed.",
                                      "Install with: pip install 'rfdetr[tensorrt]'")}  # fmt: skip
    monkeypatch.setattr(export_dialog, "lack_of", lambda kind: lacks.get(kind.name))
    app = FrozenApp(tmp_path)
    async with opened(app, (80, 24)) as pilot:
        dialog = await asked(pilot, run)
        assert [row.lack for row in dialog.table.rows() if row.lack] == ["not installed"]
        dialog.table.move_to("tensorrt")
        await settled(pilot)
        assert "pip install 'rfdetr[tensorrt]'" in words_on(app)
        await pilot.press("space")
        dialog.table.move_to("openvino")
        await pilot.press("space")
        dialog.table.move_to("pth")
        await pilot.press("space")
        chosen = [row.name for row in dialog.table.rows() if row.chosen]
        assert chosen == ["onnx", "openvino"]
        child.error = ExportFailed("Nothing agrees.", "Report it.")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "Nothing agrees. Report it." in words_on(app))
        assert child.options.formats == ["onnx", "openvino"]
        assert dialog.phase == "form"


def test_what_a_format_lacks_is_told_without_loading_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    said = lack_of(FORMATS["onnx"])
    assert said is not None
    assert said.message == "ONNX needs onnx and onnxruntime, which are not installed."
    assert how_to_install("batman-tui[train]") in said.hint
    assert lack_of(FORMATS["pth"]) is None


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=str)
async def test_validation_pictures_are_shown_by_epoch(
    run: Path, tmp_path: Path, size: tuple[int, int], opened
) -> None:
    folder = run / "val_images"
    folder.mkdir()
    for epoch in (2, 11):
        for name in ("yard-7", "gate_2"):
            picture = Image.new("RGB", (64, 48), (20 * epoch, 40, 60))
            picture.save(folder / f"epoch_{epoch:04d}_{name}.jpg")
    (folder / "notes.txt").touch()
    app = FrozenApp(tmp_path)
    async with opened(app, size) as pilot:
        await settled(pilot)
        app.open_run(run)
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.run)
        screen = app.screen
        screen.details.tab = "pictures"
        table = screen.query_one("#val-pictures")
        await until(pilot, lambda: table.row_count == 4)
        assert [(row.epoch, row.name) for row in table.rows()] == [
            (11, "gate_2"), (11, "yard-7"), (2, "gate_2"), (2, "yard-7"),
        ]  # fmt: skip
        table.focus()
        shown = screen.query_one(Viewer)
        await until(pilot, lambda: shown.seen == folder / "epoch_0011_gate_2.jpg")
        # Others are drawn while one looks.
        Image.new("RGB", (64, 48)).save(folder / "epoch_0012_gate_2.jpg")
        screen._look()
        await until(pilot, lambda: table.row_count == 5)
        await until(pilot, lambda: shown.seen == folder / "epoch_0012_gate_2.jpg")
        await pilot.press("j")
        await until(pilot, lambda: shown.seen == folder / "epoch_0011_gate_2.jpg")
        # Enter gives it the whole screen, and the others are walked through there.
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, PictureScreen))
        await until(pilot, lambda: app.screen.viewer.seen == (11, "gate_2"))
        assert "epoch 11" in screen_text(app)


async def test_a_run_without_a_model_offers_neither(tmp_path: Path, opened) -> None:
    run = make_run(tmp_path, NAME, finished(NAME))
    app = FrozenApp(tmp_path)
    async with opened(app, (80, 24)) as pilot:
        await settled(pilot)
        app.open_run(run)
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.run)
        await settled(pilot)
        await pilot.press("i", "x")
        await settled(pilot)
        assert isinstance(app.screen, RunScreen)
        assert screen_text(app)
        assert app.now() == NOW
