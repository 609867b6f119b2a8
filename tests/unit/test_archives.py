"""Archives that were made to write elsewhere, to fill the disk, or that were damaged on the way."""

from __future__ import annotations

import io
import random
import warnings
import zipfile
from pathlib import Path

import pytest

from core.common import zip_archive
from core.common.errors import Cancelled, DiskFull, ImportFailed
from core.common.full_disk import mount_of
from core.common.zip_archive import extract_zip

GOOD = {"train/a.jpg": b"picture", "train/deep/er/b.jpg": bytes(1000), "readme.txt": b"hello"}


def archive(folder: Path, *extra: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    path = folder / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name that is there twice is what one test wants
        for name, content in (*GOOD.items(), *extra):
            file.writestr(name, content)
    return path


def special(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def test_a_sound_archive_is_unpacked(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = archive(tmp_path, ("empty/", b""))
    assert extract_zip(path, tmp_path / "out", progress=lambda *at: seen.append(at)) == 3
    found = {
        str(file.relative_to(tmp_path / "out")): file.read_bytes()
        for file in (tmp_path / "out").rglob("*")
        if file.is_file()
    }
    assert found == GOOD
    assert seen[-1] == (1012, 1012)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../evil", "unsafe path"),
        ("train/../../evil", "unsafe path"),
        ("/evil", "unsafe path"),
        ("..\\evil", "unsafe path"),
        ("C:\\evil", "unsafe path"),
        ("a\x1b[31mevil", "unsafe path"),
        (special("link", 0o120777), "a link or a device"),
        (special("fifo", 0o010644), "a link or a device"),
        (special("disk", 0o060644), "a link or a device"),
        ("train/a.jpg", "same path twice"),
        ("./train//a.jpg", "same path twice"),
        ("train", "same path twice"),
        ("readme.txt/evil", "same path twice"),
    ],
)
def test_members_that_lead_elsewhere_are_refused(
    tmp_path: Path, name: str | zipfile.ZipInfo, message: str
) -> None:
    path = archive(tmp_path, (name, b"/etc/passwd"))
    with pytest.raises(ImportFailed, match=message) as caught:
        extract_zip(path, tmp_path / "out")
    assert "\x1b" not in caught.value.message
    assert [file for file in tmp_path.rglob("*") if file.name == "evil"] == []
    assert [file for file in tmp_path.rglob("*") if file.is_symlink()] == []


def test_bombs_are_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zip_archive, "ALLOWANCE", 1_000_000)
    path = archive(tmp_path, ("zeros", bytes(5_000_000)))
    with pytest.raises(ImportFailed, match="would grow from"):
        extract_zip(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(zip_archive, "MEMBERS", 2)
    with pytest.raises(ImportFailed, match="too many"):
        extract_zip(archive(tmp_path), tmp_path / "out")


def test_a_size_that_is_a_lie_does_not_get_past_the_limit(tmp_path: Path) -> None:
    path = archive(tmp_path, ("zeros", bytes(5_000_000)))
    raw = path.read_bytes().replace((5_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(raw)
    with pytest.raises(ImportFailed, match="damaged"):
        extract_zip(path, tmp_path / "out")
    assert (tmp_path / "out" / "zeros").stat().st_size <= 10


def test_any_cut_or_damage_is_one_clear_error_or_nothing(tmp_path: Path) -> None:
    whole = archive(tmp_path, ("noise", random.Random(1).randbytes(5000))).read_bytes()
    chance = random.Random(2)
    refused = 0
    for turn in range(150):
        raw = bytearray(whole)
        if turn % 3 == 0:
            raw = raw[: chance.randrange(len(raw))]
        else:
            for _ in range(chance.randrange(1, 9)):
                raw[chance.randrange(len(raw))] = chance.randrange(256)
        path = tmp_path / "damaged.zip"
        path.write_bytes(raw)
        out = tmp_path / "outs" / str(turn)
        try:
            extract_zip(path, out)
        except ImportFailed:
            refused += 1
    assert refused > 100
    outside = [p for p in tmp_path.iterdir() if p.name not in ("set.zip", "damaged.zip", "outs")]
    assert outside == []


def test_a_password_is_said(tmp_path: Path) -> None:
    path = archive(tmp_path)
    raw = path.read_bytes()
    # Bit 0 of the flags, in the entries of the central directory (PKWARE APPNOTE 4.3.12).
    path.write_bytes(
        raw.replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01")
    )
    with pytest.raises(ImportFailed, match="password"):
        extract_zip(path, tmp_path / "out")


def test_unpacking_can_be_stopped(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        extract_zip(archive(tmp_path), tmp_path / "out", cancelled=lambda: True)


def test_what_is_no_archive_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(io.BytesIO(b"<html>").getvalue())
    with pytest.raises(ImportFailed, match="not a zip file"):
        extract_zip(path, tmp_path / "out")


def test_a_name_that_is_no_text_is_damage(tmp_path: Path) -> None:
    path = archive(tmp_path, ("é.txt", b"x"))
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\xfe"))
    with pytest.raises(ImportFailed, match="damaged or incomplete"):
        extract_zip(path, tmp_path / "out")


def test_one_that_does_not_fit_names_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = archive(tmp_path)
    monkeypatch.setattr("core.common.zip_archive.free_bytes", lambda _: 1)
    with pytest.raises(DiskFull, match="too full: the archive") as told:
        extract_zip(path, tmp_path / "out")
    assert f"on '{mount_of(tmp_path)}'" in told.value.message
    assert list((tmp_path / "out").iterdir()) == []
