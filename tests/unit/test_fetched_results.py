"""Results of a function that a cluster called, unpacked here, whatever Python this is."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from slurm.client.calls import _unpack

OLD = "a Python before 3.11.4"


@pytest.fixture(params=["this Python", OLD], autouse=True)
def _python(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == OLD:
        monkeypatch.delattr(tarfile, "data_filter", raising=False)


def packed(folder: Path, *members: tuple[str, bytes, str]) -> Path:
    """An archive of members: name, kind, and content or where it leads."""
    path = folder / "results.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind, said in members:
            member = tarfile.TarInfo(name)
            member.type, member.mode = kind, 0o4711
            if kind == tarfile.REGTYPE:
                member.size = len(said)
            else:
                member.linkname = said
            archive.addfile(member, io.BytesIO(said.encode()))
    return path


def test_files_folders_and_links_among_them_come(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    path = packed(
        tmp_path,
        ("./", tarfile.DIRTYPE, ""),
        ("./pictures", tarfile.DIRTYPE, ""),
        ("./pictures/1.jpg", tarfile.REGTYPE, "one"),
        ("./pictures/2.jpg", tarfile.LNKTYPE, "./pictures/1.jpg"),
    )
    _unpack(path, there)
    assert sorted(p.name for p in there.rglob("*")) == ["1.jpg", "2.jpg", "pictures"]
    assert (there / "pictures" / "2.jpg").read_text() == "one"
    mode = (there / "pictures" / "1.jpg").stat().st_mode & 0o7777
    assert mode & 0o600 == 0o600
    assert not mode & 0o7022


@pytest.mark.parametrize(
    "member",
    [
        ("../beside", tarfile.REGTYPE, "no"),
        ("inside", tarfile.SYMTYPE, "../beside"),
        ("inside", tarfile.LNKTYPE, "../beside"),
        ("inside", tarfile.FIFOTYPE, ""),
    ],
    ids=["a name", "a link", "a hard link", "a pipe"],
)
def test_what_leads_out_or_is_no_file_does_not(
    member: tuple[str, bytes, str], tmp_path: Path
) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (tmp_path / "beside").write_text("as it was")
    with pytest.raises(tarfile.TarError):
        _unpack(packed(tmp_path, member), there)
    assert not list(there.iterdir())
    assert (tmp_path / "beside").read_text() == "as it was"
