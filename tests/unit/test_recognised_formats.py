"""What lies at a path is recognised by its content, and an error for another format names it."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from import_data import png

from core.common.errors import ImportFailed
from core.data.importers.detect_format import KINDS, guess_kind, recognise
from core.data.importers.import_named import import_named
from core.data.store import Project

LABELME = {
    "version": "5.5.0",
    "flags": {},
    "shapes": [
        {
            "label": "car",
            "points": [[5, 5], [20, 25]],
            "group_id": None,
            "shape_type": "rectangle",
            "flags": {},
        }
    ],
    "imagePath": "a.png",
    "imageData": None,
    "imageHeight": 60,
    "imageWidth": 80,
}
CVAT_TASK = {"name": "night", "bug_tracker": "", "status": "annotation", "version": "1.0"}
# What is recognised and not read, and a word of what is to be exported instead.
UNREAD = {
    "task.json": (json.dumps(CVAT_TASK), "CVAT for images"),
    "project-1.csv": ("annotation_id,annotator,image,label,lead_time\n1,1,a,b,2\n", "JSON"),
    "x.conll": ("-DOCSTART- -X- O\nword -X- _ B-car\n", "COCO"),
    "export.ndjson": ('{"data_row":{"id":"c"},"media_attributes":{}}\n', "COCO"),
    "tasks.json": ('[{"task_id":"5","callback_url":"x","params":{}}]', "COCO"),
    "labelmap.txt": ("# label:color_rgb:parts:actions\ncar:1,2,3::\n", "COCO"),
    "output.manifest": ('{"source-ref":"s3://a","x":{},"x-metadata":{}}\n', "COCO"),
}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "project") as made:
        yield made


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def labelme_at(folder: Path) -> Path:
    for name in "ab":
        put(folder / f"{name}.json", json.dumps(LABELME | {"imagePath": f"{name}.png"}))
        (folder / f"{name}.png").write_bytes(png(80, 60))
    return folder


def test_recognised_in_a_folder_a_file_and_an_archive(tmp_path: Path) -> None:
    folder = labelme_at(tmp_path / "set")
    packed = tmp_path / "set.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"below/{file.name}")
    for path in (folder, folder / "a.json", packed):
        assert guess_kind(path) == "labelme"
    assert guess_kind(tmp_path / "nothing") is None
    assert guess_kind(tmp_path / ("x" * 300)) is None
    assert guess_kind(tmp_path / "a\0b") is None


@pytest.mark.parametrize("kind", ["coco-dir", "yolo", "voc"])
def test_an_error_names_the_format_that_is_there_and_its_command(
    project: Project, tmp_path: Path, kind: str
) -> None:
    folder = labelme_at(tmp_path / "two words")
    with pytest.raises(ImportFailed) as told:
        import_named(project, folder, kind)
    assert told.value.message.endswith("It looks like labelme.")
    assert told.value.hint == f"Read it with batman import labelme '{folder}'"
    assert import_named(project, folder, "auto").annotations == 2


@pytest.mark.parametrize("name", UNREAD)
def test_a_format_that_is_not_read_is_named_with_what_to_export(
    project: Project, tmp_path: Path, name: str
) -> None:
    text, instead = UNREAD[name]
    put(tmp_path / "set" / name, text)
    (tmp_path / "set" / "a.png").write_bytes(png(80, 60))
    found = recognise(tmp_path / "set")
    assert found is not None
    assert found.kind is None
    for kind in ("auto", "coco-dir", "yolo", "voc", "labelme"):
        with pytest.raises(ImportFailed) as told:
            import_named(project, tmp_path / "set", kind)
        assert found.title in told.value.message
        assert instead in told.value.hint
        assert "batman import" not in told.value.message + told.value.hint


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
@pytest.mark.parametrize(
    "files",
    [
        {},
        {"a.txt": "0 1 2"},
        {"data.yaml": "names: [a]"},
        {"Annotations/a.xml": "<annotation/>"},
        {"a.json": "{}", "b.json": "{}"},
        {"labels/0.txt": "0 .5 .5 .2 .2", "classes.txt": "car"},
        {"annotations.xml": "<annotations/>"},
    ],
    ids=str,
)
def test_no_error_points_back_at_the_command_that_was_typed(
    project: Project, tmp_path: Path, files: dict[str, str], kind: str
) -> None:
    (tmp_path / "set").mkdir()
    for name, text in files.items():
        put(tmp_path / "set" / name, text)
    with pytest.raises(ImportFailed) as told:
        import_named(project, tmp_path / "set", kind)
    words = f"{told.value.message} {told.value.hint}"
    assert not re.search(rf"batman import {kind}\b", words), words


def test_what_nothing_is_recognised_in_lists_the_formats(project: Project, tmp_path: Path) -> None:
    put(tmp_path / "set" / "a.txt", "hello")
    with pytest.raises(ImportFailed) as told:
        import_named(project, tmp_path / "set")
    assert all(kind.name in told.value.hint for kind in KINDS)
    with pytest.raises(ImportFailed, match="There is no"):
        import_named(project, tmp_path / "gone")
    with pytest.raises(ImportFailed, match="There is no format"):
        import_named(project, tmp_path / "set", "nothing")
