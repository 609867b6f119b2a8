"""Telling the person that a run ended: settings, escape sequences, their own command, once."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from core.common import notify as module
from core.common.notify import NotifySettings, desktop_way, escape, load_notify, notify, read_notify
from core.common.workspace import Workspace
from core.training.config.options import parse_config
from core.training.run.events import EventWriter, Failed, Finished, Started
from core.training.run.run import Run
from core.training.run.worker_process import write_worker
from core.training.run_list.run_ends import EndWatch, claim, end_of_run

NASTY = "a\x1b]0;title\x07b;c\nd $(touch hacked)"


@pytest.fixture
def no_desktop(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "TMUX", "VTE_VERSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def test_settings_say_what_is_wrong_and_keep_the_rest(tmp_path: Path) -> None:
    settings, problems = read_notify(
        {"bell": "yes", "desktop": "osc9", "command": "my-tool --say 'it ended'", "comand": 1}
    )
    assert settings == NotifySettings(True, "osc9", ("my-tool", "--say", "it ended"))
    assert problems == [
        "notify.bell must be true or false",
        "unknown entry 'notify.comand'; did you mean 'command'?",
    ]
    assert read_notify({"desktop": "loud"})[1][0].startswith("notify.desktop must be one of auto")
    assert read_notify({"command": "my-tool 'unended"}) == (
        NotifySettings(), ["notify.command cannot be taken apart: No closing quotation"]
    )  # fmt: skip
    assert read_notify({"command": [1]})[1][0].startswith("notify.command must be a command line")
    assert read_notify(3)[1] == ["notify must be a table: [notify]"]
    (tmp_path / "config.toml").write_text('[notify]\nbell = false\ncommand = ["a", "b c"]\n')
    assert load_notify(tmp_path) == NotifySettings(False, "auto", ("a", "b c"))
    (tmp_path / "config.toml").write_text("[notify")
    assert load_notify(tmp_path) == NotifySettings()


@pytest.mark.parametrize(
    ("env", "way"),
    [
        ({"TERM": "xterm-256color"}, "osc9"),
        ({"TERM": "foot"}, "osc777"),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7600"}, "osc777"),
        ({"TERM": "linux"}, "off"),
        ({}, "off"),
        ({"TERM": "xterm", "DISPLAY": ":0", "SSH_CONNECTION": "x"}, "osc9"),
    ],
)
def test_the_way_to_the_desktop(env: dict[str, str], way: str) -> None:
    assert desktop_way(env) == way


def test_what_others_named_ends_no_escape_sequence() -> None:
    for way in ("osc9", "osc777"):
        text = escape(way, NASTY, NASTY, {})
        assert text.startswith("\x1b]")
        assert text.endswith("\x1b\\")
        inside = text[2:-2]
        assert not any(ord(char) < 32 or ord(char) == 127 for char in inside)
    assert escape("osc777", "a;b", "c;d", {}) == "\x1b]777;notify;a,b;c,d\x1b\\"
    assert escape("osc9", "4;1;50", "", {}) == "\x1b]9; 4;1;50\x1b\\", "not a progress bar"


def test_tmux_and_screen_are_asked_to_pass_it_on() -> None:
    plain = escape("osc9", "t", "b", {})
    assert escape("osc9", "t", "b", {"TMUX": "/tmp/x"}) == (
        "\x1bPtmux;" + plain.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    )
    assert escape("osc9", "t", "b", {"TERM": "screen"}) == "\x1bP\x1b]9;t: b\a\x1b\\"


def test_bell_desktop_and_a_command_without_a_shell(no_desktop: None, tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    program = (
        "import json, os, sys; json.dump([sys.argv[2:], dict(os.environ)], open(sys.argv[1], 'w'))"
    )
    command = (sys.executable, "-c", program, str(told), "$(touch hacked)")
    written: list[str] = []
    threads = notify(
        NotifySettings(command=command), "ended", "well", {"BATMAN_RUN": NASTY}, written.append
    )
    assert written == ["\a\x1b]9;ended: well\x1b\\"]
    for thread in threads:
        thread.join(30)
    words, env = json.loads(told.read_text())
    assert words == ["$(touch hacked)"]
    assert env["BATMAN_RUN"] == NASTY
    assert not list(tmp_path.glob("hacked"))
    notify(NotifySettings(bell=False, desktop="off"), "ended", "", {}, written.append)
    assert len(written) == 1


def test_a_command_that_fails_is_said(no_desktop: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMMAND_S", 0.2)
    said: list[str] = []
    for command in (
        (sys.executable, "-c", "import sys; sys.exit('no luck')"),
        ("/nowhere/tool",),
        (sys.executable, "-c", "import time; time.sleep(60)"),
    ):
        for thread in notify(NotifySettings(command=command), "t", "b", {}, None, said.append):
            thread.join(30)
    assert said[0].endswith("ended with code 1: no luck.")
    assert "cannot be run: No such file" in said[1]
    assert "took longer than 0.2 s" in said[2]


def begin(workspace: Workspace, name: str) -> tuple[Run, EventWriter]:
    path = workspace.runs_dir / name
    path.mkdir(parents=True, exist_ok=True)
    run = Run(path)
    run.save_config(parse_config({"model": "tiny", "epochs": 2}))
    write_worker(path)
    events = EventWriter(run.events_file)
    events.write(
        Started(
            run=name, pid=1, host="here", model="tiny", epochs=2, epoch=0, step=0,
            steps_per_epoch=4, batch_size=1, grad_accum=1, effective_batch=1, image_size=128,
            classes=[], device="cpu",
        )
    )  # fmt: skip
    return run, events


def finished() -> Finished:
    return Finished(epoch=2, step=8, best_epoch=1, best_map50_95=0.41, best_map50=0.6, seconds=75)


def test_each_end_is_told_once(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    _, events = begin(workspace, "old")
    events.write(finished())
    run, events = begin(workspace, "new")
    watch, other = EndWatch(workspace), EndWatch(workspace)
    assert watch.look() == other.look() == [], "what ended before is no news"
    assert end_of_run(run) is None
    best = {"epoch": 1, "map50_95": 0.41, "map50": 0.6}
    (run.path / "results.json").write_text(json.dumps({"best": best}))
    events.write(finished())
    (end,) = watch.look()
    assert (end.name, end.state, end.title) == ("new", "finished", "new finished")
    assert end.variables()["BATMAN_BEST_MAP"] == "0.4100"
    assert "mAP50-95 0.410, in 1m 15s" in end.body
    assert watch.look() == []
    assert other.look() == [], "somebody else told it"
    assert not claim(run)
    # It goes on, and ends again: that is another end.
    run, events = begin(workspace, "new")
    assert watch.look() == []
    events.write(Failed(kind="oom", message="out of memory", hint=""))
    (end,) = watch.look()
    assert (end.state, end.error) == ("failed", "out of memory")
    assert len(list(run.path.glob(".told-*"))) == 1


def test_a_run_that_begins_and_ends_between_two_looks_is_told(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    watch = EndWatch(workspace)
    assert watch.look() == []
    _, events = begin(workspace, "quick")
    events.write(finished())
    assert [end.name for end in watch.look()] == ["quick"]
