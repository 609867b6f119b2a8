"""Hundreds of damaged inputs: each ends in a report or one clear error, and harms nothing.

`BATMAN_FUZZ=10000` runs more of them; a failure names the seed that made it.
"""

from __future__ import annotations

import copy
import json
import os
import random
import re
import shutil
import warnings
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from import_data import check, coco, files_below, put, state, voc_xml

from core.common.errors import BatmanError
from core.common.zip_archive import extract_zip
from core.data.importers import import_coco, import_voc, import_yolo
from core.data.store import Project

# Data sets of three formats, and archives.
KINDS = 4
COUNT = int(os.environ.get("BATMAN_FUZZ", "400"))
FORMATS: dict[str, Any] = {"coco": import_coco, "yolo": import_yolo, "voc": import_voc}

ODD = [
    b"NaN", b"-Infinity", b"1e999", b"-1", b"0", b"9" * 400, b"1e-320", b"null", b"true", b"{}",
    b"[]", b'""', b'"\\u0000"', b'"\\ud800"', b"[[[[", b"}", b"\xff\xfe", b"\0", b"\x1b[2J", b"&x;",
    b"<!DOCTYPE a>", b"</annotation>", b"*a", b"!!python/object:os.system", b"../../x.png",
    b"/etc/passwd", b"C:\\x.png", b"~/x.png", b"\xf0\x9f\x92\xa9", b" " * 50, b"\r\n", b"---\n",
]  # fmt: skip


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Damage a file in one to three ways."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(data) + 1)
        tokens = [m.span() for m in re.finditer(rb'"[^"]*"|[-+.\w]+|[\[\]{}:,<>]', data)]
        way = rng.randrange(8)
        if way == 0:
            data = data[:at]
        elif way == 1 and data:
            flip = bytes([data[at - 1] ^ 1 << rng.randrange(8)])
            data = data[: at - 1] + flip + data[at:] if at else flip + data[1:]
        elif way == 2:
            data = data[:at] + rng.randbytes(rng.randint(1, 9)) + data[at:]
        elif way == 3:
            data = data[:at] + data[at + rng.randint(1, 60) :]
        elif way == 4:
            data = data[:at] + data[at : at + rng.randint(1, 300)] * 2 + data[at:]
        elif tokens:
            start, end = rng.choice(tokens)
            other = data[slice(*rng.choice(tokens))]
            data = data[:start] + (rng.choice(ODD) if way < 7 else other) + data[end:]
    return data


VALUES = [
    None, True, -1, 0, 1.5, 10**30, float("nan"), float("inf"), "", "x", "../x.png", "/etc/passwd",
    "a.png\0", "\ud800", [], {}, [[]], [None], [1, 2, 3, 4], [1e308] * 4, {"id": 1}, "7", "b.png",
]  # fmt: skip


def mutate_values(data: bytes, rng: random.Random) -> bytes:
    """Damage JSON that stays JSON: values replaced, removed, repeated."""
    root = json.loads(data)
    for _ in range(rng.randint(1, 4)):
        spot: Any = root
        while True:
            keys = list(spot) if isinstance(spot, dict) else list(range(len(spot)))
            key = rng.choice(keys)
            if not isinstance(spot[key], dict | list) or not spot[key] or rng.random() < 0.15:
                break
            spot = spot[key]
        way = rng.randrange(4)
        if way == 0 and len(spot) > 1:
            del spot[key]
        elif way == 1 and isinstance(spot, list):
            spot.append(copy.deepcopy(spot[key]))
        else:
            spot[key] = copy.deepcopy(rng.choice(VALUES))
    return json.dumps(root).encode()


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whole data sets of each format: three pictures with a few boxes each."""
    root = tmp_path_factory.mktemp("bases")
    names = ["a.png", "b.png", "deep/c.png"]
    images = [
        {"id": n, "file_name": name, "width": 64, "height": 48} for n, name in enumerate(names)
    ]
    annotations = [
        {"id": n, "image_id": n % 3, "category_id": 1 + n % 2, "bbox": [n * 3, n, 10.5, 9],
         "area": 94.5, "iscrowd": (n % 5 == 4 and 1) or 0,
         "segmentation": [[n, 1, 9, 1, 9, 9]] if n % 3 else []}
        for n in range(9)
    ]  # fmt: skip
    value = coco(images=images, annotations=annotations)
    put(root / "coco" / "train" / "_annotations.coco.json", json.dumps(value))
    put(root / "yolo" / "data.yaml", "train: images\nval: list.txt\nnames: {0: hook, 1: boom}\n")
    put(root / "yolo" / "list.txt", "./other/d.png\nother/d.png\n")
    put(root / "yolo" / "other" / "d.png")
    put(root / "yolo" / "other" / "d.txt", "1 0.5 0.5 0.2 0.2\n")
    put(root / "voc" / "ImageSets" / "Main" / "train.txt", "a\nb\n")
    for name in names:
        put(root / "coco" / "train" / name)
        put(root / "yolo" / "images" / name)
        stem = name.removesuffix(".png")
        put(root / "yolo" / "labels" / f"{stem}.txt", "0 .5 .5 .2 .3\n1 .1 .1 .3 .1 .3 .4\n")
        flat = name.rpartition("/")[2]
        put(root / "voc" / "JPEGImages" / flat)
        xml = voc_xml(flat, ("hook", 2, 3, 11, 14), ("boom", 21, 9, 50, 38))
        put(root / "voc" / "Annotations" / flat.replace(".png", ".xml"), xml)
    return root


@pytest.mark.parametrize("kind", FORMATS)
def test_damaged_input_ends_in_a_report_or_one_error(
    bases: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    clean = files_below(bases / kind)
    targets = sorted(clean)
    outcomes: Counter[str] = Counter()
    template = bases / f"template-{kind}"
    Project.create(template).close()

    def fresh() -> Project:
        shutil.copytree(template, tmp_path / "cranes")
        made = Project.open(tmp_path / "cranes")
        # What a power cut would do is not asked here, and waiting for the disk takes long.
        made.db.execute("PRAGMA synchronous = OFF")
        return made

    project = fresh()
    empty = state(project)
    for seed in range(-(-COUNT // KINDS)):
        rng = random.Random(f"{kind} {seed}")
        source = tmp_path / "set"
        shutil.copytree(bases / kind, source)
        # Now and then a picture; nearly always what describes them.
        texts = [name for name in targets if not name.endswith(".png")]
        name = rng.choice(targets if rng.random() < 0.1 else texts)
        damage = mutate_values if name.endswith(".json") and rng.random() < 0.6 else mutate
        put(source / name, damage(clean[name], rng))
        given = files_below(source)
        failure, report = None, None
        try:
            report = FORMATS[kind](project, source)
        except BatmanError as error:
            failure = error
        if report is None:
            outcomes["error"] += 1
            assert failure is not None
            assert failure.message, seed
            assert failure.hint, seed
            assert state(project) == empty, seed
            assert files_below(project.images_dir) == {}, seed
        else:
            outcomes["problems" if report.problems else "fine"] += 1
            assert report.images == project.summary().images > 0, seed
            assert report.annotations == project.summary().annotations, seed
            json.dumps(report.to_dict())
            check(project)
            project.close()
            shutil.rmtree(project.path)
            project = fresh()
        assert files_below(source) == given, seed
        assert sorted(entry.name for entry in tmp_path.iterdir()) == ["cranes", "here", "set"], seed
        assert list(here.iterdir()) == [], seed
        shutil.rmtree(source)
    project.close()
    assert outcomes["problems"] > COUNT / 30
    assert outcomes["error"] > COUNT / 80 or kind == "voc"


EVIL = [
    "../evil", "train/../../evil", "/tmp/evil", "..\\evil", "C:\\evil", "train", "train/a.png/x",
    "train/A.PNG", "\x1b[2J", "nul\0l", "a" * 300, "b/" * 600 + "x", ".", "", "é", "train/./a.png",
]  # fmt: skip


def pack(path: Path, files: dict[str, bytes], rng: random.Random) -> None:
    """Write the files as an archive, now and then with a member that has no business in it."""
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names that are there twice
        members = [(zipfile.ZipInfo(name), data) for name, data in files.items()]
        for _ in range(rng.choice([0, 0, 1, 2])):
            info = zipfile.ZipInfo(rng.choice([*EVIL, *files]))
            kind = rng.choice([0, 0, 0, 0o120777, 0o010644, 0o040755, 0o060644])
            info.external_attr = kind << 16
            members.insert(rng.randrange(len(members) + 1), (info, b"/etc/passwd"))
        for info, data in members:
            way = rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED])
            archive.writestr(info, data, way)


def damage_zip(data: bytes, rng: random.Random) -> bytes:
    """Damage an archive: its headers and its list at the end more often than what is packed."""
    for _ in range(rng.randint(0, 3)):
        heads = [m.start() for m in re.finditer(rb"PK[\x01\x03\x05][\x02\x04\x06]", data)]
        if not heads or rng.random() < 0.3:
            data = mutate(data, rng)
            continue
        at = min(len(data) - 1, rng.choice(heads) + rng.randrange(60))
        if rng.random() < 0.5:
            data = data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
        else:
            wide = rng.choice([1, 2, 4])
            data = data[:at] + rng.choice([b"\xff", b"\0", b"\x7f"]) * wide + data[at + wide :]
    return data


def test_damaged_archives_end_in_an_import_or_one_error(
    bases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, place = tmp_path / "here", tmp_path / "place"
    here.mkdir()
    monkeypatch.chdir(here)
    clean = files_below(bases / "coco")
    Project.create(bases / "template-zip").close()
    outcomes: Counter[str] = Counter()
    for seed in range(-(-COUNT // KINDS)):
        rng = random.Random(f"zip {seed}")
        place.mkdir()
        shutil.copytree(bases / "template-zip", place / "cranes")
        pack(place / "set.zip", clean, rng)
        put(place / "set.zip", damage_zip((place / "set.zip").read_bytes(), rng))
        with Project.open(place / "cranes") as project:
            project.db.execute("PRAGMA synchronous = OFF")
            before = state(project)
            failure, report = None, None
            try:
                extract_zip(place / "set.zip", place / "out")
                report = import_coco(project, place / "out")
            except BatmanError as error:
                failure = error
            if report is None:
                outcomes["error"] += 1
                assert failure is not None
                assert failure.message, seed
                assert "\x1b" not in failure.message + failure.hint, seed
                assert state(project) == before, seed
                assert files_below(project.images_dir) == {}, seed
            else:
                outcomes["imported"] += 1
                assert report.images == project.summary().images > 0, seed
                check(project)
        assert {entry.name for entry in place.iterdir()} <= {"cranes", "set.zip", "out"}, seed
        assert not [path for path in place.rglob("*") if path.is_symlink()], seed
        assert sorted(entry.name for entry in tmp_path.iterdir()) == ["here", "place"], seed
        assert list(here.iterdir()) == [], seed
        shutil.rmtree(place)
    assert outcomes["imported"] > COUNT / 40
    assert outcomes["error"] > COUNT / 20
