"""Training on a cluster from the form, and the dialog of a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import FrozenApp, screen_text, settled, until, words_on
from job_data import FakeCluster
from sample_data import SITE, make_project
from textual.pilot import Pilot

from batman_tui.cluster.profile_dialog import ClusterDialog
from batman_tui.connections import use_host
from batman_tui.train.submit_dialog import SubmitDialog
from batman_tui.widgets.form.field import Field
from batman_tui.widgets.table.table import VirtualTable
from slurm.hosts import NotConnected
from slurm.site.profiles import Profile, load_profile, save_profile

VALUES = {"model": "base", "epochs": 50}
SIZES = [(80, 24), (120, 40)]


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATMAN_CONFIG_DIR", str(tmp_path / "config"))


def app_with(tmp_path: Path, host: FakeCluster) -> FrozenApp:
    """Return an app that reaches the cluster `vega` by `host`."""
    profile = Profile(name="vega", host="selina@vega.example")
    save_profile(profile)
    app = FrozenApp(tmp_path)
    use_host(app, profile, host)  # type: ignore[arg-type]
    return app


async def asked(pilot: Pilot[int], app: FrozenApp, dialog: SubmitDialog) -> None:
    app.push_screen(dialog)
    await until(pilot, lambda: dialog._facts is not None or "F5 asks" in words_on(app))
    await settled(pilot)


def say(dialog: SubmitDialog, name: str, text: str) -> None:
    dialog.query_one(f"#field-{name}", Field).editor.value = text


async def test_the_soonest_stands_first_and_what_cannot_be_is_said(tmp_path: Path, opened) -> None:
    app = app_with(tmp_path, FakeCluster())
    async with opened(app, (100, 40)) as pilot:
        dialog = SubmitDialog({**VALUES, "num_gpus": 2})
        await asked(pilot, app, dialog)
        rows = dialog.query_one(VirtualTable).rows()
        assert [row.gpu for row in rows] == ["h100-96", "a100-40", "h200-141"]
        text = screen_text(app)
        assert "in 1h 30m" in text
        assert "Requested node configuration is not" in text
        assert "2 × h100-96, in gpu-long, for 1d 00h a go" in words_on(app)
        say(dialog, "time", "10 bats")
        await until(pilot, lambda: "is no time" in words_on(app))
        assert dialog._order is None
        await pilot.press("ctrl+s")
        assert dialog.working is None
        say(dialog, "time", "90m")
        say(dialog, "sweep", "lr=1e-4,5e-5 modle=base")
        await until(pilot, lambda: "did you mean 'model'" in words_on(app))
        say(dialog, "sweep", "lr=1e-4,5e-5 model=base,medium")
        say(dialog, "parallel", "2")
        await until(pilot, lambda: "A sweep of 4 runs, 2 at once." in words_on(app))
        assert "for 1h 30m a go" in words_on(app)
        await pilot.press("f6")
        await until(pilot, lambda: app.screen is not dialog)
        script = app.screen.text
        assert "#SBATCH --array=0-3%2" in script
        assert "#SBATCH --gres=gpu:h100-96:2" in script


async def test_features_and_shares_are_offered_where_there_are_any(tmp_path: Path, opened) -> None:
    host = FakeCluster()
    host.nodes = [[*row] for row in host.nodes[:3]]
    host.nodes[2][2] = "gpu:a100-40:4,shard:a100-40:16"
    host.features = {"g04": "gpu_mem_96,rack1", "g05": "gpu_mem_96,rack2", "g11": "gpu_mem_40"}
    host.starts = [f"sbatch: Job 9 to start at {n} using 8 processors on nodes g" for n in "321"]
    app = app_with(tmp_path, host)
    async with opened(app, (80, 24)) as pilot:
        dialog = SubmitDialog(VALUES)
        await asked(pilot, app, dialog)
        assert [row.gpu for row in dialog.query_one(VirtualTable).rows()] == [
            "shard:a100-40", "h100-96", "a100-40",
        ]  # fmt: skip
        assert "1 × shard:a100-40, in gpu-long" in words_on(app)
        share = dialog.query_one("#field-share", Field)
        assert share._said == "of 4; empty: 1"
        say(dialog, "share", "5")
        await until(pilot, lambda: "One GPU has 4 shares of shard:a100-40" in words_on(app))
        say(dialog, "share", "2")
        await until(pilot, lambda: "2 × shard:a100-40" in words_on(app))
        await pilot.press("down")
        await until(pilot, lambda: "1 × h100-96" in words_on(app))
        assert not share.display
        assert dialog.query_one("#field-constraint", Field)._said == "gpu_mem_96, rack1, rack2"
        say(dialog, "constraint", "rack3")
        await until(pilot, lambda: "No node has the feature 'rack3'" in words_on(app))
        say(dialog, "constraint", "rack2")
        await until(pilot, lambda: "on nodes with rack2" in words_on(app))
        assert dialog._order is not None
        asks = dialog._order.resources
        assert (asks.gres, asks.constraint, asks.share) == ("gpu:h100-96", "rack2", 0)


async def test_a_cluster_out_of_reach_can_be_asked_again(tmp_path: Path, opened) -> None:
    host = FakeCluster()
    host.error = NotConnected("The connection was cut.", "Wait.")
    app = app_with(tmp_path, host)
    async with opened(app, (100, 40)) as pilot:
        dialog = SubmitDialog(VALUES)
        await asked(pilot, app, dialog)
        assert "The connection was cut. Wait. F5 asks again." in words_on(app)
        host.error = None
        await pilot.press("f5")
        await until(pilot, lambda: dialog._order is not None)
        await pilot.press("escape")
        await settled(pilot)
        assert app.screen is not dialog


async def test_no_cluster_is_said_with_the_way_out(tmp_path: Path, opened) -> None:
    app = FrozenApp(tmp_path)
    async with opened(app, (100, 40)) as pilot:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("slurm.watch.cluster_jobs.shutil.which", lambda _: None)
            app.push_screen(SubmitDialog(VALUES))
            await until(pilot, lambda: "No cluster is known." in words_on(app))
            await pilot.press("ctrl+s", "f5", "f6")
        assert isinstance(app.screen, SubmitDialog)


async def test_a_known_cluster_is_shown_and_changed(tmp_path: Path, opened) -> None:
    app = app_with(tmp_path, FakeCluster())
    async with opened(app, (100, 40)) as pilot:
        app.push_screen(ClusterDialog(load_profile("vega")))
        await until(pilot, lambda: "23.11.4" in screen_text(app))
        for part in ("h100-96 1/4 free, 2 a node in gpu-long", "gpu 03:00:00", "cuda/12.8",
                     "/scratch/selina (107.4 GB free)"):  # fmt: skip
            assert part in words_on(app), part
        app.screen.query_one("#field-time", Field).editor.value = "soon"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "is no time" in words_on(app))
        app.screen.query_one("#field-time", Field).editor.value = "12h"
        app.screen.query_one("#field-prelude", Field).editor.value = "module load a ;; b 'c;d'"
        app.screen.query_one("#field-binds", Field).editor.value = "data"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "no absolute path" in words_on(app))
        app.screen.query_one("#field-binds", Field).editor.value = "/data ;; /projects/a b"
        app.screen.query_one("#field-gpu_option", Field).editor.value = "gpus"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: not isinstance(app.screen, ClusterDialog))
    profile = load_profile("vega")
    assert (profile.time, profile.prelude) == ("12h", ["module load a", "b 'c;d'"])
    assert (profile.binds, profile.gpu_option) == (["/data", "/projects/a b"], "gpus")


@pytest.mark.parametrize("size", SIZES)
def test_the_dialog(tmp_path: Path, snap_compare, size: tuple[int, int]) -> None:
    host = FakeCluster()
    host.starts[0] = host.starts[1]
    app = app_with(tmp_path, host)
    project = make_project(tmp_path / "data" / "projects" / "site", SITE, images=10)

    async def open_it(pilot: Pilot[int]) -> None:
        app.open_train(project)
        await settled(pilot)
        dialog = SubmitDialog({**VALUES, "project": project})
        await asked(pilot, app, dialog)
        say(dialog, "sweep", "lr=1e-4,5e-5")
        await settled(pilot)

    assert snap_compare(app, terminal_size=size, run_before=open_it)
