"""Damaged inputs by the hundred: each ends in a report or one clear error, and harms nothing.

`BATMAN_FUZZ=1000` runs more of them than the suite does; a failure names the seed that made it.
"""

from __future__ import annotations

import copy
import json
import os
import random
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from import_data import check, coco, files_below, put, state, voc_xml

from core.errors import BatmanError
from core.importers import import_coco, import_voc, import_yolo
from core.store import Project

COUNT = int(os.environ.get("BATMAN_FUZZ", "300"))
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
    for seed in range(COUNT // len(FORMATS) + 1):
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
    assert outcomes["problems"] > COUNT / 20
    assert outcomes["error"] > COUNT / 60 or kind == "voc"
