"""Setting a cluster up from its dialog: what would be done, how it goes, and what came of it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from harness import FrozenApp, screen_text, settled, until, words_on
from job_data import FakeCluster
from textual.pilot import Pilot

from batman_tui.cluster.profile_dialog import ClusterDialog
from batman_tui.cluster.setup_dialog import SetupDialog
from batman_tui.connections import use_host
from batman_tui.widgets.dialogs.text_dialog import TextDialog
from batman_tui.widgets.form.field import Field
from batman_tui.widgets.panel.log_view import LogView
from core.common.errors import BatmanError, Cancelled
from core.common.progress import Progress
from slurm.hosts.ssh_login import LoginFailed
from slurm.setup.check import Check, Said
from slurm.setup.look import Python, There
from slurm.setup.setup import Options, Setup
from slurm.site.profiles import Profile, load_profile, save_profile
from slurm.site.site import Site
from slurm.submit.resources import Resources

SIZES = [(80, 24), (120, 40)]
ENV = "/scratch/selina/batman/envs/4f2a91c07be3d568"
PYTHON = Python("/opt/python/3.12/bin/python3.12", (3, 12, 4), "x86_64", (2, 28), True)
LINES = [f"installing in {ENV}", "Resolved 96 packages in 2.1s", "Installed [torch]==2.15.0"]


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATMAN_CONFIG_DIR", str(tmp_path / "config"))


class Room:
    """Plays the cluster: goes on when a test lets it, and ends as the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go = threading.Event()
        self.began = 0
        self.error: BatmanError | None = None
        monkeypatch.setattr("batman_tui.cluster.setup_dialog.plan_setup", self.plan)
        monkeypatch.setattr("batman_tui.cluster.setup_dialog.run_setup", self.run)

    def plan(self, site: Site, facts, options: Options) -> Setup:
        if self.error is not None:
            raise self.error
        asked = Resources(
            gpu="h100-96", gres="gpu:h100-96", partition="gpu-long", memory="4G", time_s=900,
            nodes=1, gpus_per_node=1, cpus_per_gpu=1, account="", qos="", extra=(),
        )  # fmt: skip
        return Setup(
            site=site, there=There(PYTHON, uv="/opt/uv", network=True, free=90 * 2**30),
            options=options, wheel=Path("/home/selina/.cache/batman.whl"), env=ENV,
            tools="/scratch/selina/batman/envs/tools", offline=False, bring_uv=False,
            check=Check(env=ENV, work=f"{ENV}.setup", token="setup-4f", resources=asked),
        )  # fmt: skip

    def run(self, setup: Setup, say, report, cancelled) -> Said:
        self.began += 1
        for line in LINES:
            say(line)
        report(Progress("sending packages", 3, 4))
        while not self.go.wait(0.02):
            if cancelled():
                raise Cancelled("Left; it goes on there. Setting up again follows it.")
        if self.error is not None:
            raise self.error
        save_profile(setup.site.profile.model_copy(update={"python": ENV}), replace=True)
        return Said(python="3.12.4", host="g04", modules={"torch": "2.15.0"},
                    gpus=["NVIDIA H100"], cuda="13.0")  # fmt: skip


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    return Room(monkeypatch)


def app_with(tmp_path: Path) -> FrozenApp:
    profile = Profile(name="vega", host="selina@vega.example", workspace="/scratch/selina/batman")
    save_profile(profile)
    app = FrozenApp(tmp_path)
    use_host(app, profile, FakeCluster())  # type: ignore[arg-type]
    return app


async def planned(pilot: Pilot[int], app: FrozenApp) -> SetupDialog:
    """Come from the cluster's dialog, as a person does."""
    app.push_screen(ClusterDialog(load_profile("vega")))
    await until(pilot, lambda: "^s saves what was changed" in words_on(app))
    await pilot.press("f7")
    await until(pilot, lambda: isinstance(app.screen, SetupDialog))
    dialog = app.screen
    assert isinstance(dialog, SetupDialog)
    await until(pilot, lambda: "Looking at" not in words_on(app))
    await settled(pilot)
    return dialog


async def test_nothing_is_done_until_it_is_said(tmp_path: Path, opened, room: Room) -> None:
    app = app_with(tmp_path)
    async with opened(app, (100, 40)) as pilot:
        dialog = await planned(pilot, app)
        words = words_on(app)
        for part in (ENV, PYTHON.path, "fetched by the cluster", "/opt/uv", "1 × h100-96"):
            assert part in words, part
        await pilot.press("f6")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        assert "sbatch --parsable --job-name=batman-setup" in app.screen.text  # type: ignore[attr-defined]
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is dialog)
        await pilot.press("escape")
        await until(pilot, lambda: not app.screen.is_modal)
        assert room.began == 0
        assert load_profile("vega").python == ""
        # What only ssh itself can do, it is offered for.
        app.push_screen(ClusterDialog(load_profile("vega")))
        await until(pilot, lambda: "^s saves what was changed" in words_on(app))
        failed = LoginFailed("vega did not let us in.", "Check the key.")
        failed.by_ssh = "PKCS11Provider is followed by ssh itself only"
        app.screen.post_message(ClusterDialog.Answered(load_profile("vega"), None, failed))
        await until(pilot, lambda: "only: Via is the system's ssh now" in words_on(app))
        assert app.screen.query_one("#field-via", Field).text == "ssh"


async def test_it_is_watched_cancelled_and_done(tmp_path: Path, opened, room: Room) -> None:
    app = app_with(tmp_path)
    async with opened(app, (100, 40)) as pilot:
        dialog = await planned(pilot, app)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "Sending packages 75%" in words_on(app))
        await until(pilot, lambda: "Installed [torch]==2.15.0" in screen_text(app))
        # It is under way already.
        await pilot.press("ctrl+s")
        await pilot.press("escape")
        await until(pilot, lambda: "Setting up again follows it" in words_on(app))
        assert app.screen is dialog
        assert room.began == 1
        assert load_profile("vega").python == ""
        room.go.set()
        await pilot.press("ctrl+s")
        await until(pilot, lambda: f"vega trains with {ENV} from now on" in words_on(app))
        assert "torch sees 1 of them: NVIDIA H100" in words_on(app)
        assert dialog.query_one(LogView).lines[: len(LINES)] == LINES
        # Once is enough.
        await pilot.press("ctrl+s")
        await pilot.press("escape")
        await until(pilot, lambda: not app.screen.is_modal)
        assert room.began == 2
        assert load_profile("vega").python == ENV


async def test_what_fails_is_said_and_can_be_tried_again(
    tmp_path: Path, opened, room: Room
) -> None:
    app = app_with(tmp_path)
    async with opened(app, (100, 40)) as pilot:
        await planned(pilot, app)
        room.error = BatmanError("torch [sees] no GPU.", "Name another with --requirements.")
        room.go.set()
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "torch [sees] no GPU. Name another" in words_on(app))
        assert "tries again" in words_on(app)
        room.error = None
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "from now on" in words_on(app))


async def test_what_is_missing_there_is_said_first(tmp_path: Path, opened, room: Room) -> None:
    app = app_with(tmp_path)
    room.error = BatmanError("There is no Python 3.11 or later on vega.", "Load one.")
    async with opened(app, (100, 40)) as pilot:
        await planned(pilot, app)
        assert "There is no Python 3.11 or later on vega. Load one." in words_on(app)
        await pilot.press("ctrl+s")
        await settled(pilot)
        assert room.began == 0


@pytest.mark.usefixtures("painting")
@pytest.mark.parametrize("size", SIZES)
def test_the_dialog(tmp_path: Path, snap_compare, room: Room, size: tuple[int, int]) -> None:
    app = app_with(tmp_path)

    async def open_it(pilot: Pilot[int]) -> None:
        await planned(pilot, app)
        # A picture is taken when no thread works any more.
        room.go.set()
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "from now on" in words_on(app))
        await settled(pilot)

    assert snap_compare(app, terminal_size=size, run_before=open_it)
