"""`--notify`: the person's own command is told, and has ended, before ours returns."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from cli.main import main
from core.training.config.options import parse_config
from core.training.run.events import EventWriter, Finished, Started
from core.training.run.run import Run
from core.training.run.worker_process import write_worker

PROGRAM = "import json, os, sys; json.dump(dict(os.environ), open(sys.argv[1], 'w'))"


def test_watch_tells_the_end_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = tmp_path / "told.json"
    monkeypatch.setenv("BATMAN_CONFIG_DIR", str(tmp_path / "config"))
    (tmp_path / "config").mkdir()
    command = json.dumps([sys.executable, "-c", PROGRAM, str(told)])
    (tmp_path / "config" / "config.toml").write_text(f"[notify]\ncommand = {command}\n")
    path = tmp_path / "ws" / "runs" / "cells"
    path.mkdir(parents=True)
    Run(path).save_config(parse_config({"model": "tiny", "epochs": 2}))
    write_worker(path)
    events = EventWriter(path / "events.jsonl")
    events.write(
        Started(
            run="cells", pid=1, host="here", model="tiny", epochs=2, epoch=0, step=0,
            steps_per_epoch=4, batch_size=1, grad_accum=1, effective_batch=1, image_size=128,
            classes=[], device="cpu",
        )
    )  # fmt: skip
    events.write(
        Finished(epoch=2, step=8, best_epoch=1, best_map50_95=0.4, best_map50=0.6, seconds=75)
    )
    words = ["--workspace", str(tmp_path / "ws"), "watch", "cells", "--plain"]
    assert main(words) == 0
    assert not told.exists(), "not without being asked to"
    assert main([*words, "--notify"]) == 0
    env = json.loads(told.read_text())
    assert (env["BATMAN_RUN"], env["BATMAN_STATE"]) == ("cells", "finished")
    assert env["BATMAN_RUN_DIR"] == str(path)
    assert "\a" not in capsys.readouterr().err, "no bell where there is no terminal"
    told.unlink()
    assert main([*words, "--notify"]) == 0
    assert not told.exists()
