"""`batman train --sweep` and `batman sweeps`, with processes that stand in for training."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from json_shapes import holds
from test_start_run import workspace as workspace
from test_sweep import DRIVER, TRAINER, until

from cli.exits import Exit
from cli.main import main
from core.common.workspace import Workspace
from core.training.launch import local
from core.training.run.delete import delete_run
from core.training.run.worker_process import write_worker
from core.training.sweep import control
from core.training.sweep.sweep import Sweep, find_sweep

# Ends at once: what is left of a run is how it ended. One with 3 epochs fails.
QUICK = TRAINER.replace(
    'while not (run / "go").exists():\n    time.sleep(0.01)\n',
    """
config = (run / "training_config.json").read_text()
if '"epochs": 3' in config:
    events.write(Failed(kind="data", message="Bad data.", seconds=3.0))
    sys.exit(1)
score = 0.5 if '"lr": 0.0001' in config else 0.25
events.write(Validation(epoch=1, step=2, map50_95=score, map50=0.6, map75=0.2, precision=0.6,
    recall=0.7, f1=0.65, per_class={"red": 0.3, "white": 0.2}, best=True))
""",
).replace("best_map50_95=0.25", "best_map50_95=score")
SWEEP = ["train", "--project", "cells", "--model", "tiny", "--from-scratch", "--sweep"]


@pytest.fixture
def quick(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workspace]:
    monkeypatch.setattr(local, "_NEEDED", ("sys",))
    monkeypatch.setenv("BATMAN_WORKSPACE", str(workspace.root))
    script, driver = tmp_path / "trainer.py", tmp_path / "driver.py"
    script.write_text(QUICK)
    driver.write_text(DRIVER.format(script=str(script)))
    monkeypatch.setattr(
        control, "python_command", lambda module, path: [sys.executable, str(driver), path]
    )
    yield workspace
    for sweep in [Sweep(path) for path in (workspace.root / "sweeps").glob("*")]:
        until(lambda sweep=sweep: not sweep.is_worked_off())  # type: ignore[misc]


def test_a_sweep_is_followed_to_its_table(
    quick: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*SWEEP, "lr=5e-5,1e-4", "epochs=2,3"]
    assert main([*words, "--dry-run"]) == Exit.OK
    out = capsys.readouterr().out
    assert "cells-sweep-1-4" in out
    assert not (quick.root / "sweeps").exists()
    for more in (["--estimate"], ["--preview", "a.png"], ["--output-dataset", "x"]):
        assert main([*words, *more]) == Exit.WRONG
        assert "looks at one training" in capsys.readouterr().err
    # Two of them fail, which is told in the exit code; the others are trained all the same.
    assert main([*words, "--plain"]) == Exit.FAILED
    out = capsys.readouterr().out
    lines = [line.split() for line in out.splitlines()]
    assert "The sweep cells-sweep-1: 4 runs, one after the other." in out
    assert out.index("Run 1 of 4, cells-sweep-1-1: lr=5e-5 epochs=2") < out.index("Run 4 of 4")
    assert "cells-sweep-1 is finished: 2 of 4 runs trained, 2 failed, in 24s." in out
    table = lines.index(["run", "lr", "epochs", "mAP50-95", "mAP50", "state", "epoch", "time"])
    assert [line[:4] for line in lines[table + 1 : table + 5]] == [
        ["cells-sweep-1-3", "1e-4", "2", "0.500"],
        ["cells-sweep-1-1", "5e-5", "2", "0.250"],
        ["cells-sweep-1-2", "5e-5", "3", "–"],
        ["cells-sweep-1-4", "1e-4", "3", "–"],
    ]
    assert "Best: cells-sweep-1-3 with lr 1e-4, epochs 2: mAP50-95 0.500." in out
    assert "cells-sweep-1-2: Bad data." in out
    # Afterwards it is all there to be seen.
    assert main(["sweeps", "list"]) == Exit.OK
    assert "lr=5e-5,1e-4 epochs=2,3" in capsys.readouterr().out
    assert main(["sweeps", "show", "--json"]) == Exit.OK
    shown = holds("sweeps show", capsys.readouterr().out)
    assert [run["best_map50_95"] for run in shown["runs"]] == [0.5, 0.25, None, None]
    assert main(["sweeps", "list", "--json"]) == Exit.OK
    assert holds("sweeps list", capsys.readouterr().out) == [shown]
    assert main(["runs", "list", "--filter", "sweep=cells-sweep-1 state=failed"]) == Exit.OK
    heads, *rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert heads[:3] == ["run", "state", "sweep"]
    assert len(rows) == 2
    for command in ("resume", "stop", "cancel"):
        assert main(["sweeps", command]) == Exit.WRONG
    said = capsys.readouterr().err
    assert "nothing left to train" in said
    assert "is not running" in said
    assert "No run of the sweep" in said


def test_a_prepared_sweep_waits_and_is_told_to_programs(
    quick: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*SWEEP, "lr=1e-4,5e-5,1e-3", "--json"]
    assert main([*words, "--dry-run"]) == Exit.OK
    (plan,) = holds("train", capsys.readouterr().out)
    assert [run["choices"] for run in plan["runs"]] == [
        {"lr": "1e-4"}, {"lr": "5e-5"}, {"lr": "1e-3"},
    ]  # fmt: skip
    assert main([*words, "--prepare-only"]) == Exit.OK
    *_, made = holds("train", capsys.readouterr().out)
    assert (made["type"], made["state"]) == ("sweep", "prepared")
    assert [Path(run["path"]).is_dir() for run in made["runs"]] == [True] * 3
    sweep = find_sweep(quick)
    delete_run(sweep.runs()[2])
    assert main(["sweeps", "resume", "--json"]) == Exit.OK
    told = holds("sweeps resume", capsys.readouterr().out)
    assert [event["type"] for event in told] == [
        *["started", "step", "validation", "finished", "ended"] * 2, "sweep_ended",
    ]  # fmt: skip
    assert [run["state"] for run in told[-1]["runs"]] == ["finished", "finished", "gone"]
    assert main([*SWEEP, "seed=1,2,3", "--prepare-only"]) == Exit.OK
    capsys.readouterr()
    child = subprocess.Popen(["sleep", "60"])
    write_worker(find_sweep(quick).runs()[0].path, child.pid)
    assert main(["sweeps", "stop", "--json"]) == Exit.OK
    assert child.wait(30) == -signal.SIGTERM
    stopping = holds("sweeps stop", capsys.readouterr().out)
    assert [run["state"] for run in stopping["runs"]][1:] == ["waiting", "waiting"]
    assert main(["sweeps", "cancel", "cells-sweep-2", "--json"]) == Exit.OK
    cancelled = holds("sweeps cancel", capsys.readouterr().out)
    assert cancelled == {"cancelled": ["cells-sweep-2-2", "cells-sweep-2-3"]}
