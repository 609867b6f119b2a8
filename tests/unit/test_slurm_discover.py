"""Asking a cluster what it has, by a login shell whose programs are made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from slurm.hosts import LocalHost
from slurm.site.discover import Facts, Place, discover
from slurm.site.profiles import Profile
from slurm.site.suggest import suggest_profile

SINFO = """#!/bin/sh
case "$*" in
  --version) echo 'slurm 23.11.4' ;;
  *-O*) sep=$(printf '%s' "$*" | sed 's/.*StateLong:\\([a-z0-9]*\\).*/\\1/')
    for field in g1 gpu gpu:a100:4 gpu:a100:1 mixed 4/60/0/64 512000 1:00:00 up mixed; do
      printf '%s%s' "$field" "$sep"
    done; echo ;;
  *) echo 'gpu*' ;;
esac
"""
MODULES = """module() { cat >&2 <<'EOF'
/apps/modulefiles:
cuda/12.8(default)
cuda/
gcc/13.2
python/3.12.4
miniconda3/24.1
a heading of words
EOF
}
"""


@pytest.fixture
def facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Facts:
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    # A shim of a version that is not installed, as pyenv leaves them.
    for name, text in (
        ("sinfo", SINFO),
        ("python3", "#!/bin/sh\necho Python 3.12.4\n"),
        ("python3.9", "#!/bin/sh\necho 'python3.9: command not found' >&2; exit 127\n"),
    ):
        (bin_ / name).write_text(text)
        (bin_ / name).chmod(0o755)
    (tmp_path / "modules" / "init").mkdir(parents=True)
    (tmp_path / "modules" / "init" / "sh").write_text(MODULES)
    scratch = tmp_path / "my scratch"
    scratch.mkdir()
    monkeypatch.setenv("PATH", f"{bin_}:/usr/bin:/bin")
    monkeypatch.setenv("MODULESHOME", str(tmp_path / "modules"))
    monkeypatch.delenv("LMOD_PKG", raising=False)
    monkeypatch.setenv("SCRATCH", str(scratch))
    return discover(LocalHost())


def test_pythons_modules_and_places(facts: Facts, tmp_path: Path) -> None:
    assert facts.version == "23.11.4"
    assert f"Python 3.12.4 {tmp_path}/bin/python3" in facts.pythons
    assert not any("not found" in python for python in facts.pythons)
    assert facts.modules == ("cuda/12.8", "python/3.12.4", "miniconda3/24.1")
    assert f"{tmp_path}/my scratch" in [place.path for place in facts.places]
    assert facts.partitions["gpu"].default


def test_a_new_profile_goes_where_there_is_room() -> None:
    facts = Facts(places=(Place("/home/ada", 9), Place("/scratch/ada", 5), Place("/work/ada", 7)))
    profile = Profile(name="hpc", host="ada@hpc")
    assert suggest_profile(profile, facts).workspace == "/work/ada/batman"
    assert suggest_profile(profile, facts, keep_workspace=True).workspace == "~/batman"
    here = Profile(name="here")
    assert suggest_profile(here, facts).workspace == "~/batman"
