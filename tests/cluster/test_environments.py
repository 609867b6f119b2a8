"""Modules and images on a real SLURM: trained with, checked, and said where they are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from asking import ask_often
from cluster_runs import Lab, make_project
from environments import apptainer, has_modules

from batman import Client, JobFailed
from core.common.errors import BatmanError
from slurm.setup.setup import NO_GPU, Options, plan_facts, plan_setup, run_setup, steps
from slurm.site.discover import discover
from slurm.site.profiles import remove_profile
from slurm.site.site import open_site

WISH = {"gpu": "h100-96", "cpus": 1, "model": "tiny", "epochs": 2}


@pytest.fixture(autouse=True)
def _asked_often(monkeypatch: pytest.MonkeyPatch) -> None:
    ask_often(monkeypatch)


def changed(lab: Lab, prelude: Sequence[str] = (), **values: object) -> Lab:
    profile = lab.profile.model_copy(update={"prelude": list(prelude), **values})
    remove_profile(profile.name)  # a lab saves its own
    return replace(lab, profile=profile)


@has_modules
def test_a_run_trains_with_modules_and_says_which_is_missing(lab: Lab, tmp_path: Path) -> None:
    folder = tmp_path / "modulefiles" / "detection"
    folder.mkdir(parents=True)
    (folder / "1.0").write_text('#%Module1.0\nputs stderr "detection is loaded"\n')
    prelude = [f"export MODULEPATH='{folder.parent}'"]
    lab = changed(lab, prelude, modules=["detection/1.0"])
    make_project(lab.workspace, "birds")
    client = Client("bat", lab.workspace.root)
    job = client.train("birds", **WISH)
    assert job.result(timeout=200).epochs == 2
    assert job.log().splitlines()[0] == "detection is loaded"
    lab = changed(lab, prelude, modules=["detection/1.0", "detection/2.0"])
    client = Client("bat", lab.workspace.root)
    job = client.train("birds", **WISH)
    with pytest.raises(JobFailed, match=r"module 'detection/2\.0' cannot be loaded on"):
        job.result(timeout=200)


@has_modules
def test_a_module_that_is_missing_is_one_error_of_test_and_setup(lab: Lab) -> None:
    lab = changed(lab, modules=["detection/2.0"])
    done = lab.batman("clusters", "test", "bat")
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout.count("✗") == 1, done.stdout
    assert "✗ the module 'detection/2.0' cannot be loaded on" in done.stdout
    with pytest.raises(BatmanError, match=r"The module 'detection/2\.0' cannot be loaded on"):
        plan_setup(lab.site, discover(lab.host), Options(gpu=NO_GPU))


def test_a_run_trains_in_an_image_and_setup_checks_it(lab: Lab, tmp_path: Path) -> None:
    """The image's program is a stand-in that runs the command: no Debian here has the real one."""
    bin_ = apptainer(tmp_path)
    image = tmp_path / "batman image.sif"
    python = str(tmp_path / "env 'a'" / "bin" / "python")
    lab = changed(lab, [f"export PATH='{bin_}':$PATH"], image=str(image), python=python)
    site = open_site(lab.host, lab.profile, lab.workspace)
    with pytest.raises(BatmanError, match=r"There is no image '.*batman image\.sif' on"):
        plan_setup(site, discover(lab.host), Options(gpu=NO_GPU))
    image.touch()
    setup = plan_setup(site, discover(lab.host), Options(gpu=NO_GPU))
    assert plan_facts(setup)[0] == ("image", str(image))
    assert [step.title for step in steps(setup)] == ["Check it with a job"]
    setup = replace(setup, check=replace(setup.check, modules=("json", "msgspec")))
    said = run_setup(setup, lambda line: None)
    assert set(said.modules) == {"json", "msgspec"}
    make_project(lab.workspace, "birds")
    job = Client("bat", lab.workspace.root).train("birds", **{**WISH, "epochs": 3000})
    words = bin_ / "words"
    words.unlink()
    # Its checkpoint is written when SLURM ends it: signals reach what runs in the image.
    while "RUNNING" not in job.state or not (job.run.events_file).is_file():
        job._session.until(lambda: False, 1)
    job.cancel()
    with pytest.raises(JobFailed, match="did not finish"):
        job.result(timeout=200)
    assert "asked to end; writing a checkpoint" in job.log()
    assert job.run.state() == "stopped"
    told = words.read_text().split("\n")
    assert told[:3] == ["exec", "--nv", "--bind"]
    assert str(image) in told
