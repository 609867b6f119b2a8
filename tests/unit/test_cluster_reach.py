"""`clusters add` goes by the system's ssh where that can do what we cannot, and says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.exits import Exit
from cli.main import main
from slurm.hosts.ssh_login import LoginFailed
from slurm.site.discover import Facts
from slurm.site.profile_files import list_profiles
from slurm.site.profiles import Profile, load_profile


def test_what_only_ssh_can_do_is_done_by_ssh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BATMAN_CONFIG_DIR", str(tmp_path))
    reason = "PKCS11Provider is followed by ssh itself only"

    def ask(way: str) -> Facts:
        if way == "ssh":
            return Facts(version="slurm 23.11")
        failed = LoginFailed("me@far did not let us in.", "Check the key.")
        failed.by_ssh = by_ssh
        raise failed

    def opened(profile: Profile, _: object) -> str:
        return profile.via

    monkeypatch.setattr("cli.cluster.clusters_manage.open_host", opened)
    monkeypatch.setattr("cli.cluster.clusters_manage.discover", ask)
    by_ssh = ""
    assert main(["clusters", "add", "far", "--host", "me@far"]) == Exit.WRONG
    assert list_profiles() == []
    by_ssh = reason
    assert main(["clusters", "add", "far", "--host", "me@far"]) == Exit.OK
    assert load_profile("far").via == "ssh"
    said = capsys.readouterr().err
    assert f"{reason}: trying the system's ssh, as --via ssh does." in said
    assert "me@far did not let us in." in said
