"""The app tells when runs end, whichever screen is in front."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from harness import FrozenApp, screen_text, until, words_on
from run_data import finished, make_run, running

from core.common.files import write_json
from core.common.notify import NotifySettings
from core.training.run.events import EventWriter, Finished
from core.training.run.worker_process import write_worker


async def test_an_end_is_told_in_the_app_by_the_bell_and_by_a_command(
    tmp_path: Path, opened
) -> None:
    run = make_run(tmp_path, "site [small]", running("site [small]"))
    write_worker(run, since=0.5)
    told = tmp_path / "told.json"
    program = "import json, os, sys; json.dump(dict(os.environ), open(sys.argv[1], 'w'))"
    settings = NotifySettings(desktop="osc9", command=(sys.executable, "-c", program, str(told)))
    app = FrozenApp(tmp_path, notify=settings)
    written: list[str] = []
    app.run_ends.write_to_terminal = written.append  # type: ignore[assignment]
    async with opened(app, (100, 30)) as pilot:
        app.run_ends.look()
        await until(pilot, lambda: app.run_ends._watch and not app.run_ends._looking.locked())
        writer = EventWriter(run / "events.jsonl")
        writer.write(
            Finished(epoch=3, step=9, best_epoch=1, best_map50_95=0.5, best_map50=0.6, seconds=75)
        )
        writer.close()
        app.run_ends.look()
        await until(pilot, lambda: "site [small] finished" in screen_text(app))
        await until(pilot, lambda: told.is_file() and told.read_text().endswith("}"))
        assert written[0].startswith("\a\x1b]9;site [small] finished")
        assert json.loads(told.read_text())["BATMAN_STATE"] == "finished"
        # Once.
        app.run_ends.look()
        await until(pilot, lambda: not app.run_ends._looking.locked())
        assert len(written) == 1


async def test_a_command_that_cannot_be_run_is_said(tmp_path: Path, opened) -> None:
    run = make_run(tmp_path, "site", running("site"))
    write_worker(run, since=0.5)
    app = FrozenApp(tmp_path, notify=NotifySettings(command=("/nowhere/tool",)))
    async with opened(app, (100, 30)) as pilot:
        app.run_ends.look()
        await until(pilot, lambda: app.run_ends._watch and not app.run_ends._looking.locked())
        writer = EventWriter(run / "events.jsonl")
        writer.write(
            Finished(epoch=3, step=9, best_epoch=1, best_map50_95=0.5, best_map50=0.6, seconds=75)
        )
        writer.close()
        app.run_ends.look()
        await until(pilot, lambda: "/nowhere/tool" in screen_text(app))


async def test_the_end_of_a_sweep_is_told_as_that_of_a_run(tmp_path: Path, opened) -> None:
    run = make_run(tmp_path, "site-1", finished("site-1"))
    sweep = tmp_path / "sweeps" / "site-sweep"
    sweep.mkdir(parents=True)
    plan = {
        "words": ["lr=1e-4"], "created": 1.0, "prepared": True,
        "runs": [{"folder": "runs/site-1", "choices": {"lr": "1e-4"}, "settings": {}}],
    }  # fmt: skip
    write_json(sweep / "sweep.json", plan)
    write_worker(sweep)  # this very process
    told = tmp_path / "told.json"
    program = "import json, os, sys; json.dump(dict(os.environ), open(sys.argv[1], 'w'))"
    settings = NotifySettings(desktop="osc9", command=(sys.executable, "-c", program, str(told)))
    app = FrozenApp(tmp_path, notify=settings)
    written: list[str] = []
    app.run_ends.write_to_terminal = written.append  # type: ignore[assignment]
    async with opened(app, (100, 30)) as pilot:
        app.run_ends.look()
        await until(pilot, lambda: app.run_ends._sweeps and not app.run_ends._looking.locked())
        write_worker(sweep, 2**22 + 1)  # gone
        app.run_ends.look()
        await until(pilot, lambda: "site-sweep finished. 1 of 1 run trained" in words_on(app))
        await until(pilot, lambda: told.is_file() and told.read_text().endswith("}"))
        assert written[0].startswith("\a\x1b]9;site-sweep finished")
        facts = json.loads(told.read_text())
        assert facts["BATMAN_SWEEP_DIR"] == str(sweep)
        assert facts["BATMAN_RUN_DIR"] == str(run)
