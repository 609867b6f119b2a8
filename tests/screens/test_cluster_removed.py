"""Removing a cluster from its dialog: a question first, and the jobs screen shows what is left."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import FrozenApp, settled, until, words_on
from job_data import FakeCluster
from textual.widgets import Static

from batman_tui.cluster.profile_dialog import ClusterDialog
from batman_tui.connections import use_host
from batman_tui.jobs.screen import JobsScreen
from batman_tui.widgets.dialogs.dialogs import ConfirmDialog
from slurm.site.profile_files import list_profiles
from slurm.site.profiles import Profile, save_profile


def _known(app: FrozenApp, *names: str) -> None:
    for name in names:
        profile = Profile(name=name, host=f"selina@{name}.example", workspace="/scratch/x")
        save_profile(profile)
        use_host(app, profile, FakeCluster(name))  # type: ignore[arg-type]


async def test_a_cluster_is_removed_after_a_question(
    tmp_path: Path, opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slurm.watch.cluster_jobs.shutil.which", lambda name: None)
    app = FrozenApp(tmp_path)
    _known(app, "orion", "vega")
    async with opened(app, (120, 40)) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: "48210" in words_on(app))
        jobs = app.screen
        assert isinstance(jobs, JobsScreen)
        assert jobs.of_here == "orion"

        async def asked() -> None:
            await pilot.press("i")
            await until(pilot, lambda: isinstance(app.screen, ClusterDialog))
            await until(pilot, lambda: "^s saves what was changed" in words_on(app))
            await pilot.press("f8")
            await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))

        await asked()
        assert "Its profile here is deleted." in str(app.screen.query(Static).first().content)
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, ClusterDialog))
        assert list_profiles() == ["orion", "vega"]
        await pilot.press("f8", "y")
        await until(pilot, lambda: app.screen is jobs and jobs.of_here == "vega")
        assert list_profiles() == ["vega"]
        assert [each.profile.name for each in app.queue_watcher.looked_at] == ["vega"]
        await until(pilot, lambda: "48210" in words_on(app))
        await asked()
        await pilot.press("y")
        await until(pilot, lambda: app.screen is jobs and jobs.cluster is None)
        await settled(pilot)
        assert list_profiles() == []
        assert app.queue_watcher.looked_at == []
        assert "No cluster is known" in words_on(app)
        assert "48210" not in words_on(app)
        # A new one is not there to be removed.
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, ClusterDialog))
        await pilot.press("f8")
        await until(pilot, lambda: "It is not saved yet" in words_on(app))
