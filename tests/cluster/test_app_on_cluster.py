"""The app against a real SLURM and live logins: questions in dialogs, the form, clone, ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest
from asking import forget_asks
from cluster_runs import make_profile, make_project, quick_python
from code_server import CodeServer
from slurm_cluster import Cluster
from test_setup import stand_ins
from textual.pilot import Pilot

sys.path.append(str(Path(__file__).parents[1] / "screens"))

from harness import FrozenApp, screen_text, settled, until, words_on

from batman_tui.cluster.profile_dialog import ClusterDialog
from batman_tui.cluster.setup_dialog import SetupDialog
from batman_tui.jobs.screen import JobsScreen
from batman_tui.run.screen import RunScreen
from batman_tui.train.screen import TrainScreen
from batman_tui.train.submit_dialog import SubmitDialog
from batman_tui.widgets.dialogs.asker import AnswerDialog
from batman_tui.widgets.dialogs.dialogs import ConfirmDialog
from batman_tui.widgets.form.field import Field
from core.common.workspace import Workspace
from core.training.config.options import default_for
from core.training.run.run import Run
from slurm.hosts.host_key import fingerprint
from slurm.queue.poll import LEAST_GAP_S, MOST_A_MINUTE
from slurm.setup.check import MODULES
from slurm.setup.setup import Options
from slurm.site.profiles import Profile, load_profile, save_profile

WAIT = 60.0


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATMAN_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("BATMAN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def code_server(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[CodeServer]:
    """A login node that wants a key, then a password and a code; the key has a passphrase."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    key = home / "key"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ecdsa", "-N", "open sesame", "-f", str(key)], check=True
    )
    for name, value in cluster.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(home))
    server = CodeServer(
        paramiko.PKey.from_path(key, b"open sesame"),  # type: ignore[arg-type]
        ["Password: ", "Verification code: "],
        ["hunter2", "492817"],
    )
    (home / ".ssh" / "config").write_text(
        f"Host hpc\n  HostName 127.0.0.1\n  Port {server.port}\n  User ada\n  IdentityFile {key}\n"
    )
    yield server
    server.close()


async def asked(pilot: Pilot[int], app: FrozenApp, prompt: str, answer: str) -> None:
    """Wait for the question `prompt` and answer it."""
    await until(
        pilot,
        lambda: isinstance(app.screen, AnswerDialog) and prompt in app.screen._prompt,
        seconds=WAIT,
    )
    assert answer not in screen_text(app)
    await pilot.press(*("space" if char == " " else char for char in answer))
    assert answer not in screen_text(app), "what is typed is not echoed"
    await pilot.press("enter")


async def test_a_login_asks_in_dialogs_in_the_servers_order(
    code_server: CodeServer, tmp_path: Path
) -> None:
    save_profile(Profile(name="hpc", host="hpc", workspace=str(tmp_path / "there")))
    app = FrozenApp(tmp_path)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog), seconds=WAIT)
        assert fingerprint(code_server.host_key) in words_on(app).replace(" ", "")
        await pilot.press("y")
        await asked(pilot, app, "Passphrase for", "open sesame")
        await asked(pilot, app, "Password:", "hunter2")
        await asked(pilot, app, "Verification code:", "492817")
        await until(pilot, lambda: "waiting · mine" in screen_text(app), seconds=WAIT)
        assert code_server.logins == 1
        # Cut: it is said, and nobody is asked before a key is pressed.
        code_server.cut()
        screen = app.screen
        assert isinstance(screen, JobsScreen)

        def look() -> bool:
            forget_asks(screen.cluster.poller)
            return "F5 connects again" in screen_text(app)

        await until(pilot, look, seconds=WAIT)
        assert app.screen is screen
        assert code_server.logins == 1
        await pilot.press("f5")
        await asked(pilot, app, "Password:", "hunter2")
        await asked(pilot, app, "Verification code:", "492817")
        await until(pilot, lambda: "F5 connects" not in screen_text(app), seconds=WAIT)
        assert code_server.logins == 2
    known = (tmp_path / "home" / ".ssh" / "known_hosts").read_text()
    assert known.count(code_server.host_key.get_base64()) == 1


async def test_a_host_that_is_not_trusted_is_not_logged_in_to(
    code_server: CodeServer, tmp_path: Path
) -> None:
    save_profile(Profile(name="hpc", host="hpc"))
    app = FrozenApp(tmp_path)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog), seconds=WAIT)
        await pilot.press("n")
        await until(pilot, lambda: "is not known" in screen_text(app), seconds=WAIT)
    assert code_server.logins == 0
    assert not (tmp_path / "home" / ".ssh" / "known_hosts").exists()


async def test_a_cluster_is_added_and_shown_from_the_app(
    cluster: Cluster, ssh_home: Path, tmp_path: Path
) -> None:
    # This machine has a SLURM of its own for these tests, which a laptop has not.
    class Laptop(FrozenApp):
        MODES = {**FrozenApp.MODES, "jobs": lambda: JobsScreen(find_clusters=_profiles)}

    app = Laptop(tmp_path)
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: "No cluster is known" in words_on(app), seconds=WAIT)
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, ClusterDialog))
        dialog = app.screen
        dialog.query_one("#field-host", Field).editor.value = "bat"
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog), seconds=WAIT)
        await pilot.press("y")
        await until(
            pilot, lambda: "22." in screen_text(app) or "Slurm" in screen_text(app), seconds=WAIT
        )
        words = words_on(app)
        for part in ("a100-40 4/4 free", "gpu 03:00:00", "gpu-long 3-00:00:00", "2 nodes",
                     "kept by accounting", "Python 3."):  # fmt: skip
            assert part in words, part
        dialog.query_one("#field-workspace", Field).editor.value = "/tmp/x"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "waiting · mine" in screen_text(app), seconds=WAIT)
    profile = load_profile("bat")
    assert (profile.host, profile.workspace) == ("bat", "/tmp/x")
    assert set(profile.gpus) == {"a100-40", "h100-96"}


def _profiles() -> list[Profile]:
    from slurm.site.profile_files import list_profiles

    return [load_profile(name) for name in list_profiles()]


async def test_submitted_from_the_form_watched_told_and_cloned(
    cluster: Cluster, ssh_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = " ".join((cluster.root / "ssh" / "host.pub").read_text().split()[:2])
    (ssh_home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{cluster.ports['ssh']} {key}\n")
    there = tmp_path / "there"
    python = quick_python(tmp_path / "quick", 0.02)
    save_profile(make_profile("hpc", "bat", there, python))
    workspace = Workspace(tmp_path / "ws")
    project = make_project(workspace, "cells")
    monkeypatch.setattr(TrainScreen, "drafts", {project: {"model": "tiny", "epochs": "3"}})
    told: list[str] = []
    app = FrozenApp(workspace.root)
    app.run_ends.write_to_terminal = told.append  # type: ignore[assignment]
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_train(project)
        await until(pilot, lambda: isinstance(app.screen, TrainScreen), seconds=WAIT)
        await settled(pilot)
        await pilot.press("f7")
        await until(pilot, lambda: isinstance(app.screen, SubmitDialog), seconds=WAIT)
        dialog = app.screen
        await until(pilot, lambda: dialog._order is not None, seconds=WAIT)
        assert "now" in screen_text(app)
        dialog.query_one("#soonest").move_to("a100-40")
        dialog.query_one("#field-time", Field).editor.value = "100d"
        await until(pilot, lambda: "at most" in words_on(app), seconds=WAIT)
        await pilot.press("ctrl+s")
        assert dialog.working is None, "what cannot be given is not submitted"
        dialog.query_one("#field-time", Field).editor.value = "20m"
        await until(pilot, lambda: dialog._order is not None, seconds=WAIT)
        assert "1 × a100-40, in gpu-long, for 20m 00s" in words_on(app)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, JobsScreen), seconds=WAIT)
        screen = app.screen
        (run,) = workspace.list_runs()

        def back(done: bool) -> bool:
            if screen.cluster is not None:
                forget_asks(screen.cluster.poller)
            app.run_ends.look()
            return done

        await until(pilot, lambda: back(bool(told)), seconds=WAIT)
        assert screen.chosen is not None
        assert screen.chosen.run == run, "the cursor is on what was submitted"
        assert Run(run).state() == "finished"
        best = run / "best.pth"
        await until(pilot, lambda: back(best.is_file()), seconds=WAIT)
        assert best.read_bytes() == b"weights" * 1000, "it came back by itself"
        assert any(text.startswith("\a") for text in told)
        assert len(told) == 1
        # The job's run, straight from the cluster.
        await until(
            pilot, lambda: screen.chosen is not None and screen.chosen.run == run, seconds=WAIT
        )
        await pilot.press("enter")
        await until(
            pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.run, seconds=WAIT
        )
        assert app.screen.run.epoch == 3
        await pilot.press("escape")
        await settled(pilot)
        # Again, with other settings and as a sweep.
        await pilot.press("C")
        await until(pilot, lambda: isinstance(app.screen, TrainScreen), seconds=WAIT)
        assert app.screen.form.typed["epochs"] == "3"
        await settled(pilot)
        app.screen.query_one("#field-epochs", Field).editor.value = "2"
        await settled(pilot)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, SubmitDialog), seconds=WAIT)
        dialog = app.screen
        await until(pilot, lambda: dialog._order is not None, seconds=WAIT)
        assert dialog._order.resources.gpu == "a100-40"
        assert dialog._order.resources.time_s == 20 * 60
        dialog.query_one("#field-sweep", Field).editor.value = "lr=1e-4,5e-5"
        await until(pilot, lambda: "A sweep of 2 runs" in words_on(app), seconds=WAIT)
        assert screen.cluster is not None
        poller = screen.cluster.poller
        # As if it had just been asked: by itself the next question has a while.
        # (Nobody may ask while the form is in front.)
        poller._hurried = False
        poller._asks.extend([poller._clock()] * MOST_A_MINUTE)
        assert poller.due_in > LEAST_GAP_S
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.screen is screen, seconds=WAIT)
        # Where nothing runs it is asked once a minute; now it is to be asked, or was.
        found = poller.view.snapshot
        assert poller.due_in <= LEAST_GAP_S or (found is not None and found.active)
    runs = [Run(path).config() for path in workspace.list_runs()]
    assert sorted((config.epochs, config.lr) for config in runs) == [
        (2, 5e-5), (2, 1e-4), (3, default_for("lr", "tiny")),
    ]  # fmt: skip


async def test_a_cluster_is_set_up_from_the_app(
    cluster: Cluster, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = stand_ins(tmp_path / "index")
    for name, value in {
        "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "UV_NO_INDEX": "1",
        "UV_FIND_LINKS": str(wheels), "UV_OFFLINE": "1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    there = tmp_path / "there's $(room)"
    profile = Profile(name="bat", host="bat", workspace=str(there))
    save_profile(profile)
    options = Options(requirements=MODULES, python=sys.executable, offline=True)
    app = FrozenApp(tmp_path)
    async with app.run_test(size=(100, 40)) as pilot:
        app.push_screen(SetupDialog(profile, options))
        await until(pilot, lambda: "^s installs Batman there" in words_on(app), seconds=WAIT)
        assert not there.exists(), "so far it was only looked at"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "check job" in screen_text(app), seconds=WAIT)
        await until(pilot, lambda: "from now on" in words_on(app), seconds=WAIT)
        assert "torch sees 1 of them: Pretend GPU" in words_on(app)
        await pilot.press("escape")
        await settled(pilot)
    python = Path(load_profile("bat").python)
    assert python.parent == there / "envs"
    assert (python / ".complete").is_file()
