"""A picture is found by the name that a label file, a list or a record has for it."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from core.data.importers import find_picture
from core.data.importers.find_picture import Met, Pictures, Unmet, tell
from core.data.importers.image_files import Folders
from core.data.importers.report import Problems


def tree(top: Path, *names: str) -> Pictures:
    for name in names:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(b"x")
    return Pictures(top, Folders())


NFD = unicodedata.normalize("NFD", "été")
FILES = (
    "images/a b.jpg",
    "images/train/site1/cam2/f.jpg",
    "images/val/site1/cam2/f.jpg",
    "images/train/site1/cam3/f.jpg",
    "images/50%25.jpg",
    "images/enc%20oded.png",
    "images/set/c.png",
    "images/x/images/d.png",
    f"images/{NFD}/e.png",
    "other/g.bmp",
    "images/h.v2.jpg",
    "images/both.jpg",
    "images/both.png",
    "train/t.jpg",
    "twice/w.jpg",
    "again/w.jpg",
    "images/photo.jpg",
)


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("a b.jpg", "images/a b.jpg"),
        ("./a b.jpg", "images/a b.jpg"),
        ("A B.JPG", "images/a b.jpg"),
        ("train\\site1\\cam2\\f.jpg", "images/train/site1/cam2/f.jpg"),
        ("Train/Site1/CAM2/f.jpg", "images/train/site1/cam2/f.jpg"),
        ("ÉTÉ/e.png", f"images/{NFD}/e.png"),
        ("enc%20oded.png", "images/enc%20oded.png"),
        ("{top}/images/set/c.png", "images/set/c.png"),
        ("{top}/other/../other/g.bmp", "other/g.bmp"),
    ],
)
def test_a_name_that_is_spelled_so(tmp_path: Path, name: str, there: str) -> None:
    pictures = tree(tmp_path, *FILES)
    met = pictures.named(name.replace("{top}", str(tmp_path)), [f"{tmp_path}/images"])
    assert met is not None
    assert (met.found.path, met.guess) == (f"{tmp_path}/{there}", "")


MEANT = [
    ("a%20b.jpg", "images/a b.jpg"),
    ("images/a%20b.jpg", "images/a b.jpg"),
    ("a%2520b.jpg", "images/a b.jpg"),
    ("enc oded.png", "images/enc%20oded.png"),
    ("50%.jpg", "images/50%25.jpg"),
    ("https://host.org/x/a%20b.jpg?sig=1/2", "images/a b.jpg"),
    ("s3://bucket/set/c.png#x", "images/set/c.png"),
    ("/data/local-files/?d=set%2Fc.png", "images/set/c.png"),
    ("/data/local-files/?d=set/c.png&x=1", "images/set/c.png"),
    ("../../label-studio/media/upload/4/a%20b.jpg", "images/a b.jpg"),
    ("..\\..\\media\\upload\\4\\a b.jpg", "images/a b.jpg"),
    ("/data/upload/1/0f3a9b7c-photo.jpg", "images/photo.jpg"),
    ("data/images/train/site1/cam2/f.jpg", "images/train/site1/cam2/f.jpg"),
    ("/home/me/val/site1/cam2/f.jpg", "images/val/site1/cam2/f.jpg"),
    ("C:\\sets\\train\\site1\\cam3\\f.jpg", "images/train/site1/cam3/f.jpg"),
    ("cam3/f.jpg", "images/train/site1/cam3/f.jpg"),
    ("1/a b.jpg", "images/a b.jpg"),
    ("images/1/2/a b.jpg", "images/a b.jpg"),
    ("d.png", "images/x/images/d.png"),
    ("g.bmp", "other/g.bmp"),
    ("ete/e.png", f"images/{NFD}/e.png"),
    ("h.v2", "images/h.v2.jpg"),
]


@pytest.mark.parametrize(("name", "there"), MEANT)
def test_a_name_that_means_one_picture(tmp_path: Path, name: str, there: str) -> None:
    pictures = tree(tmp_path, *FILES)
    places = [f"{tmp_path}/images"]
    assert pictures.named(name, places) is None
    met = pictures.meant(name, places)
    assert isinstance(met, Met)
    assert met.found == (f"{tmp_path}/{there}", False)
    assert met.guess == there
    assert met.name == there.removeprefix("images/")


@pytest.mark.parametrize(
    "name",
    [
        "f.jpg",  # Three are called so.
        "site1/f.jpg",
        "w.jpg",
        "a b.png",
        "both",
        "",
        "..",
        "/",
        "?d=",
        "a\0b.jpg",
        "\ud800.jpg",
        "%00.jpg",
        "%ff%fe.jpg",
        "a b.jpg/",
        "%" * 9_000 + "a b.jpg",
        "x/" * 2_100 + "a b.jpg",
    ],
)
def test_a_name_that_means_none_or_several(tmp_path: Path, name: str) -> None:
    pictures = tree(tmp_path, *FILES)
    met = pictures.meant(name, [f"{tmp_path}/images"])
    if name == "a b.jpg/":
        assert isinstance(met, Met)
        return
    assert isinstance(met, Unmet)
    assert name in met.detail


def test_another_ending_only_where_it_is_warranted(tmp_path: Path) -> None:
    pictures = tree(tmp_path, *FILES)
    assert isinstance(pictures.meant("photo.png", [str(tmp_path)]), Unmet)
    met = pictures.meant("photo.png", [str(tmp_path)], any_ending=True)
    assert isinstance(met, Met)
    assert met.guess == "images/photo.jpg"
    both = pictures.meant("x/both.gif", [str(tmp_path)], any_ending=True)
    assert isinstance(both, Unmet)
    assert "'images/both.jpg', 'images/both.png'" in both.detail


def test_a_picture_that_has_its_own_name_elsewhere_is_not_meant(tmp_path: Path) -> None:
    pictures = tree(tmp_path, "cam1/000.jpg")
    met = pictures.meant("cam3/000.jpg", [str(tmp_path)], taken={f"{tmp_path}/cam1/000.jpg"})
    assert met == Unmet(
        "no file 'cam3/000.jpg'; 'cam1/000.jpg' is called by its own name elsewhere"
    )
    assert isinstance(pictures.meant("cam3/000.jpg", [str(tmp_path)]), Met)


def test_two_names_do_not_mean_one_picture(tmp_path: Path) -> None:
    pictures = tree(tmp_path, "pics/000.jpg", "pics/cam1/1.jpg")
    names = ["cam3/000.jpg", "cam4/000.jpg", "x/cam1/1.jpg", "x/cam2/1.jpg"]
    met = pictures.all_meant(names, [str(tmp_path)])
    assert [isinstance(met[name], Met) for name in names] == [False, False, True, False]
    assert met["cam3/000.jpg"][0] == (
        "no file 'cam3/000.jpg'; 'pics/000.jpg' could be it or 'cam4/000.jpg'"
    )


def test_pictures_of_another_split_are_not_meant(tmp_path: Path) -> None:
    pictures = tree(tmp_path, "Train/t.jpg", "images/testing/u.jpg", "all/v.jpg")
    places = [str(tmp_path)]
    assert isinstance(pictures.meant("x/t.jpg", places, split="valid"), Unmet)
    assert isinstance(pictures.meant("u.jpg", places, split="train"), Unmet)
    assert isinstance(pictures.meant("u.jpg", places, split="test"), Met)
    assert isinstance(pictures.meant("v.jpg", places, split="train"), Met)
    # The name itself says so.
    assert isinstance(pictures.meant("data/train/t.jpg", places, split="valid"), Met)


def test_places_come_in_their_order_and_may_lie_elsewhere(tmp_path: Path) -> None:
    pictures = tree(tmp_path / "set", "train/a.jpg", "valid/a.jpg")
    tree(tmp_path / "far", "deep/z.jpg")
    places = [f"{tmp_path}/set/valid", f"{tmp_path}/set", f"{tmp_path}/far"]
    met = pictures.meant("/x/a.jpg", places)
    assert isinstance(met, Met)
    assert met.found.path == f"{tmp_path}/set/valid/a.jpg"
    met = pictures.meant("/x/z.jpg", places)
    assert isinstance(met, Met)
    assert (met.found.path, met.name) == (f"{tmp_path}/far/deep/z.jpg", "deep/z.jpg")


def test_no_name_leads_out_of_the_data_set(tmp_path: Path) -> None:
    pictures = tree(tmp_path / "set", "a.jpg")
    tree(tmp_path, "out.jpg")
    (tmp_path / "set" / "link").symlink_to(tmp_path)
    places = [f"{tmp_path}/set"]
    for name in ("../out.jpg", f"{tmp_path}/out.jpg", "a/../../out.jpg", "%2e%2e/out.jpg",
                 "?d=../out.jpg", f"{tmp_path}/set/../out.jpg"):  # fmt: skip
        assert pictures.named(name, places) is None
        assert isinstance(pictures.meant(name, places), Unmet), name


def test_a_whole_disk_is_not_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find_picture, "MOST_FILES", 3)
    pictures = tree(tmp_path, *FILES)
    assert isinstance(pictures.meant("g.bmp", [str(tmp_path)]), Unmet)


def test_what_is_told(tmp_path: Path) -> None:
    pictures = tree(tmp_path, *FILES)
    problems = Problems()
    for name in ("1/a b.jpg", "/x/a b.jpg", "no.jpg", "/no.jpg", "w.jpg", "/w.jpg"):
        met = pictures.meant(name, [str(tmp_path)])
        assert (tell(met, name, "list: line 1", problems) is not None) == ("a b" in name)
    assert [(p.kind, p.detail, p.action) for p in problems.listed] == [
        ("guessed file name", "'1/a b.jpg' is taken to be 'images/a b.jpg'", "kept"),
        ("unsafe file name", "'/x/a b.jpg' is taken to be 'images/a b.jpg'", "kept"),
        ("missing image", "no file 'no.jpg'", "left out"),
        ("unsafe file name", "'/no.jpg'", "left out"),
        ("missing image", "no file 'w.jpg'; it could be 'again/w.jpg', 'twice/w.jpg'", "left out"),
        ("unsafe file name", "no file '/w.jpg'; it could be 'again/w.jpg', 'twice/w.jpg'",
         "left out"),
    ]  # fmt: skip


def test_folders_fold_their_letters_too(tmp_path: Path) -> None:
    tree(tmp_path, "Images/Été/a.jpg", "A/x.jpg", "a/y.jpg", "a/z.jpg", "A/z.jpg", "B/a/z.jpg")
    folders = Folders()
    found = folders.find(str(tmp_path), f"images/{NFD}/A.JPG")
    assert found is not None
    assert found.path == f"{tmp_path}/Images/Été/a.jpg"
    assert folders.find(str(tmp_path), "a/x.jpg") == (f"{tmp_path}/A/x.jpg", False)
    assert folders.find(str(tmp_path), "a/z.jpg") == (f"{tmp_path}/a/z.jpg", False)
    assert folders.find(f"{tmp_path}/B", "A/z.jpg") == (f"{tmp_path}/B/a/z.jpg", False)
    assert folders.find(str(tmp_path), "b/c/z.jpg") is None
