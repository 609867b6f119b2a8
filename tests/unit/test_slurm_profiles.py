"""Cluster profiles: kept as TOML, checked, chosen; and the command that keeps them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from cli.common import run_module
from cli.exits import Exit
from core.common.errors import BadName
from core.common.files import write_atomic
from core.common.workspace import Workspace
from slurm.hosts import Completed, HostError
from slurm.site.profile_files import list_profiles, profile_file
from slurm.site.profiles import (
    EXAMPLE_GPUS,
    GpuType,
    Profile,
    ProfileError,
    check_sbatch_option,
    choose_profile,
    load_profile,
    parse_time,
    remove_profile,
    save_profile,
    to_toml,
)
from slurm.site.site import open_site

NASTY = 'it\'s "x" $(y) \\ é \x7f#'[:-2].strip()


def full() -> Profile:
    return Profile(
        name="hpc 1",
        host="ada@login.example.org:2222",
        prelude=["module load slurm", f"echo '{NASTY}'"],
        workspace="$SCRATCH/batman",
        python="~/env",
        account="vision",
        sbatch=["--exclude=n3", f"--reservation={NASTY}"],
        gpus={**EXAMPLE_GPUS, NASTY: GpuType(gres="gpu:odd", batch=3)},
    )


def test_what_is_saved_is_what_is_loaded() -> None:
    profile = full()
    file = save_profile(profile)
    assert load_profile("hpc 1") == profile
    assert tomllib.loads(file.read_text())["gpus"]["h200"]["gres"] == "gpu:h200-141"
    assert list_profiles() == ["hpc 1"]
    with pytest.raises(ProfileError, match="already"):
        save_profile(profile)
    save_profile(profile.model_copy(update={"account": ""}), replace=True)
    assert load_profile("hpc 1").account == ""
    remove_profile("hpc 1")
    assert list_profiles() == []


def test_every_entry_is_explained_in_the_file() -> None:
    text = to_toml(Profile(name="x"))
    for name in set(Profile.model_fields) - {"name", "gpus"}:
        (at,) = [i for i, line in enumerate(text.splitlines()) if line.startswith(f"{name} =")]
        assert text.splitlines()[at - 1].startswith("# ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hots = 'x'", "hots: unknown entry; did you mean 'host'"),
        ("poll_seconds = 1", "poll_seconds: .*15"),
        ("sbatch = ['--output=x']", "--output is given by Batman itself"),
        ("sbatch = ['rm -rf']", "'rm -rf' is no option"),
        ("time = 'soon'", "'soon' is no time: write 10h"),
        ('workspace = "a\\nb"', "control characters"),
        ("[gpus.a]\nmemory = 'lots'", "gpus.a.memory: 'lots' is no amount"),
        ("[gpus.a]\ngress = 'x'", "did you mean 'gres'"),
        ("host = ", "cannot be read"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(text: str, said: str) -> None:
    write_atomic(profile_file("x"), text)
    with pytest.raises(ProfileError, match=said):
        load_profile("x")


def test_a_name_that_is_no_file_is_refused() -> None:
    with pytest.raises(BadName):
        profile_file("../x")
    with pytest.raises(ValueError, match="name"):
        Profile(name="../x")


def test_choosing() -> None:
    assert choose_profile(None) is None
    with pytest.raises(ProfileError, match="no cluster 'hcp'"):
        choose_profile("hcp")
    save_profile(Profile(name="hpc"))
    assert choose_profile(None) == Profile(name="hpc")
    with pytest.raises(ProfileError, match="no cluster 'hcp'") as caught:
        choose_profile("hcp")
    assert "Did you mean 'hpc'" in caught.value.hint
    save_profile(Profile(name="other"))
    with pytest.raises(ProfileError, match="several"):
        choose_profile(None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10h", 36000), ("90m", 5400), ("2d", 172800), ("1d12h", 129600), ("3:00:00", 10800),
     ("2-00:00:00", 172800), ("60", 3600), ("UNLIMITED", None)],
)  # fmt: skip
def test_times_as_people_and_slurm_write_them(text: str, seconds: int | None) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize("option", ["-p", "--wrap=x", "--x;rm", "--a=b\nc", "exclude=n1"])
def test_options_that_cannot_be_handed_on(option: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        check_sbatch_option(option)


class Shell:
    """A host that has two variables."""

    name = "hpc"

    def run(self, argv: list[str], **_: object) -> Completed:
        have = {"HOME": "/home/ada", "SCRATCH": "/scratch/ada x"}
        text = "".join(f"{have.get(name, '')}\0" for name in argv[4:])
        return Completed(tuple(argv), 0, text.encode(), b"")


@pytest.mark.parametrize(
    ("workspace", "root"),
    [("~/batman", "/home/ada/batman"), ("$SCRATCH/b/", "/scratch/ada x/b"),
     ("${SCRATCH}", "/scratch/ada x"), ("batman", "/home/ada/batman"), ("/w/~x", "/w/~x"),
     ("/w/$(x)", "/w/$(x)")],
)  # fmt: skip
def test_places_are_made_absolute_by_the_host(workspace: str, root: str) -> None:
    profile = Profile(name="x", host="hpc", workspace=workspace)
    site = open_site(Shell(), profile, Workspace(Path("/here")))  # type: ignore[arg-type]
    assert (site.root, site.python) == (root, f"{root}/env")
    assert not site.shared


def test_a_variable_that_is_not_set_there_is_said() -> None:
    profile = Profile(name="x", host="hpc", workspace="$WORK/b")
    with pytest.raises(HostError, match=r"no \$WORK on hpc"):
        open_site(Shell(), profile, Workspace(Path("/here")))  # type: ignore[arg-type]


# The command line


def clusters(*words: str) -> int:
    return run_module("cluster.clusters", list(words), "batman clusters")


def test_add_edit_list_remove(capsys: pytest.CaptureFixture[str]) -> None:
    assert clusters("add", "hpc", "--host", "ada@hpc", "--example", "--account", "vision") == 0
    assert load_profile("hpc").gpus == dict(EXAMPLE_GPUS)
    assert clusters("add", "hpc", "--no-ask") == Exit.WRONG
    assert clusters("edit", "hpc", "--set", "time=10:00:00", "--set", "gpus.h200.batch=32",
                    "--set", "sbatch=['--nice']", "--set", "poll_seconds=60") == 0  # fmt: skip
    changed = load_profile("hpc")
    assert (changed.time, changed.gpus["h200"].batch) == ("10:00:00", 32)
    assert (changed.sbatch, changed.poll_seconds) == (["--nice"], 60)
    assert clusters("edit", "hpc", "--set", "cpus_per_gpu=none") == Exit.WRONG
    assert load_profile("hpc") == changed
    capsys.readouterr()
    assert clusters("list", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["host"] == "ada@hpc"
    assert "h200" in row["gpus"]
    assert clusters("show", "hpc", "--no-ask") == 0
    assert "vision" in capsys.readouterr().out
    assert clusters("remove", "hpc") == Exit.WRONG  # nobody is here to agree
    assert clusters("remove", "hpc", "--yes") == 0
    assert clusters("remove", "hpc", "--yes") == Exit.WRONG


def test_an_editor_that_leaves_nonsense_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert clusters("add", "hpc", "--no-ask") == 0
    before = profile_file("hpc").read_text()
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho "host = = 1" > "$1"\n')
    editor.chmod(0o755)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", str(editor))
    assert clusters("edit", "hpc") == Exit.WRONG
    assert profile_file("hpc").read_text() == before
    editor.write_text('#!/bin/sh\nsed -i \'s/^qos.*/qos = "long"/\' "$1"\n')
    assert clusters("edit", "hpc") == 0
    assert load_profile("hpc").qos == "long"
