"""A pass on a real SLURM: pictures and weights sent, requeued, brought back, recorded."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from asking import ask_often, forget_asks
from cluster_runs import USUAL, Lab, make_project
from slurm_cluster import wait_for

from batman import Client
from core.autolabel.choice import parse_choice
from core.autolabel.job import resume_autolabel
from core.autolabel.pass_folder import PassTask, TaskImage
from core.autolabel.prepare import AutolabelRequest, plan_pass, unfinished
from core.common.errors import BatmanError
from core.data.labels.passes import list_passes
from core.data.store import Project
from slurm.job.attempts import read_attempts
from slurm.site.discover import discover
from slurm.site.site import Site, open_host, open_site
from slurm.submit.autolabel import PassOrder, order_pass, preview_pass, send_pass
from slurm.watch.cluster_jobs import QueueWatch
from slurm.watch.keep_mirrors import RunKeeper
from slurm.watch.pass_watch import pass_mirror, take_pass, wait_for_pass

PICTURES = 9


@pytest.fixture
def quick(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A cluster whose labeller takes half a second a picture."""
    python = tmp_path / "env 'a'" / "bin" / "python"
    stand_in = Path(__file__).with_name("quick_labeller.py")
    python.write_text(
        "#!/bin/sh\n"
        'if [ "$2" = core.autolabel ]; then shift 2\n'
        f'  exec {sys.executable} {stand_in} 0.5 "$@"\nfi\n'
        f'exec {sys.executable} "$@"\n'
    )
    monkeypatch.setattr("slurm.watch.pass_watch._REFRESH_S", 0.2)
    lab.profile = lab.profile.model_copy(update={"poll_seconds": 1})
    lab.site = replace(lab.site, profile=lab.profile)
    return lab


def planned(project: Path, weights: Path) -> tuple[PassTask, list[TaskImage]]:
    weights.write_bytes(b"weights")
    with Project.open(project) as opened:
        return plan_pass(opened, AutolabelRequest(parse_choice("run:tiny")), weights)


def ordered(site: Site, project: Path, weights: Path) -> PassOrder:
    return order_pass(site, discover(site.host), *planned(project, weights), USUAL)


def recorded(project: Path) -> list[tuple[int, float]]:
    with Project.open(project) as opened:
        rows = opened.db.execute("SELECT image_id, x FROM suggestions ORDER BY image_id")
        return [tuple(row) for row in rows]


def test_a_pass_is_requeued_goes_on_and_is_recorded_once(quick: Lab, tmp_path: Path) -> None:
    project = make_project(quick.workspace, "p", nasty=True)
    order = ordered(quick.site, project, tmp_path / "best.pth")
    stages: list[str] = []
    folder, record = send_pass(quick.site, project, order, lambda at: stages.append(at.stage))
    assert {"sending code", "sending pictures", "sending weights"} <= set(stages)
    with pytest.raises(BatmanError, match="has a job already"):
        send_pass(quick.site, project, order, folder=folder)
    mirror = pass_mirror(quick.site, folder)
    wait_for("the first pictures", lambda: mirror.refresh() and folder.state()[0] >= 2)
    assert recorded(project) == []
    quick.cluster.call("scontrol", "requeue", record.job_id)
    told: list[tuple[str, int]] = []
    state = wait_for_pass(mirror, lambda at: told.append((at.stage, at.done)))
    assert (state.done, state.total, state.complete) == (PICTURES, PICTURES, True)
    attempts = read_attempts((folder.path / "attempts.jsonl").read_bytes())
    assert [a.what for a in attempts if a.what != "next"].count("begin") == 2
    assert 0 < [a.step for a in attempts if a.what == "begin"][1] < PICTURES
    assert (attempts[-1].what, attempts[-1].code) == ("end", 0)
    lines = (folder.path / "found.jsonl").read_bytes()
    assert lines == (Path(record.run_dir) / "found.jsonl").read_bytes()
    made = take_pass(mirror, state, project)
    assert made.report is not None
    assert made.report.images == PICTURES
    assert recorded(project) == [(n, float(n)) for n in range(1, PICTURES + 1)]
    assert unfinished(project) == []
    # A second one sends neither pictures nor weights nor code.
    stages.clear()
    again, _ = send_pass(
        quick.site, project, ordered(quick.site, project, tmp_path / "best.pth"),
        lambda at: stages.append(at.stage),
    )  # fmt: skip
    assert not [stage for stage in stages if stage.startswith("sending")]
    second = pass_mirror(quick.site, again)
    shown = quick.batman("jobs", "list", "--json")
    jobs = {job["id"]: job for job in json.loads(shown.stdout)["jobs"]}
    assert jobs[second.record.job_id]["pass"] == str(again.path)
    # Its job is cancelled: what it found is kept, and the pass can go on anywhere.
    wait_for("a picture", lambda: second.refresh() and again.state()[0] >= 1)
    quick.cluster.call("scancel", second.record.job_id)
    ended = wait_for_pass(second)
    assert not ended.complete
    with pytest.raises(BatmanError, match=r"at \d of 9 pictures\. Its log ends with: ") as raised:
        take_pass(second, ended, project)
    assert "batman submit --autolabel --continue" in raised.value.hint
    assert not again.is_submitted()
    (left,) = unfinished(project)
    assert left.done >= 1


def test_a_pass_from_python_is_recorded_when_it_is_waited_for(
    quick: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_often(monkeypatch)
    project = make_project(quick.workspace, "p", train=2, valid=1)
    weights = tmp_path / "best.pth"
    weights.write_bytes(b"weights")
    with Client("bat", quick.workspace.root, gpu="h100-96", cpus=1) as client:
        with pytest.raises(BatmanError, match="no picture to look at"):
            client.autolabel("p", f"run:{weights}", images=[99])
        job = client.autolabel("p", f"run:{weights}")
        told = job.result(timeout=120)
    assert (told.done, told.total, told.unreadable) == (3, 3, ())
    assert told.report is not None
    assert len(recorded(project)) == 3
    assert unfinished(project) == []


def test_on_the_login_node_the_job_works_in_the_folder_itself(
    quick: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in quick.cluster.env.items():
        monkeypatch.setenv(name, value)
    profile = quick.profile.model_copy(update={"host": "local"})
    site = open_site(open_host(profile), profile, quick.workspace)
    project = make_project(quick.workspace, "p", train=1, valid=1)
    order = ordered(site, project, tmp_path / "best.pth")
    assert "-m core.autolabel" in preview_pass(site, project, order).script.text
    assert unfinished(project) == []
    send_pass(site, project, order)
    # Nobody here begins it a second time meanwhile.
    with pytest.raises(BatmanError, match="by a job on a cluster"):
        resume_autolabel(project)
    # An app that stays open on the cluster's jobs records it when it is complete.
    watch = QueueWatch(site.host, profile.name, quick.workspace, poll_s=15)
    keeper = RunKeeper(site.host, profile, quick.workspace)

    def taken() -> bool:
        forget_asks(watch.poller)
        keeper.keep(watch.poll())
        return unfinished(project) == []

    wait_for("the pass in the project", taken, 60)
    assert len(recorded(project)) == 2


def test_real_weights_of_the_hubs_kind_from_the_command_line(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OWLv2, tiny and random, offline: the weights' folder is sent, the real code loads it."""
    pytest.importorskip("transformers")
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "engine"))
    from tiny_labellers import make_owlv2

    project = make_project(lab.workspace, "p", train=2, valid=1)
    weights = make_owlv2(tmp_path / "owl")
    words = ["--project", "p", "--autolabel", "owlv2", "--weights", str(weights), "--least", "0"]
    done = lab.batman(
        "submit", *words, "--gpu", "h100-96", "--cpus", "1", "--prompt", "disc=a round thing",
        "--watch", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    told = json.loads(done.stdout)
    assert (told["recorded"], told["images"], told["looked_at"]) == (True, 3, 3)
    with Project.open(project) as opened:
        (line,) = list_passes(opened)
        assert (line.labeller, line.images) == ("owlv2", 3)
