"""What lies at a path is recognised by its content, and an error for another format names it."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import table_samples
from import_data import png
from tool_data import LABELME, SETS
from tool_data import put as files

from cli.exits import Exit
from cli.main import main
from core.common.errors import ImportFailed
from core.data.importers.detect_format import KINDS, guess_kind, recognise
from core.data.importers.formats.look import Look
from core.data.importers.formats.lying_together import lying_together
from core.data.importers.import_named import import_named
from core.data.store import Project

CVAT_TASK = {"name": "night", "bug_tracker": "", "status": "annotation", "version": "1.0"}
# What is recognised and not read, and a word of what is to be exported instead.
UNREAD = {
    "task.json": (json.dumps(CVAT_TASK), "CVAT for images"),
    "project-1.csv": ("annotation_id,annotator,image,label,lead_time\n1,1,a,b,2\n", "JSON"),
    "x.conll": ("-DOCSTART- -X- O\nword -X- _ B-car\n", "COCO"),
    "export.ndjson": ('{"data_row":{"id":"c"},"media_attributes":{}}\n', "COCO"),
    "tasks.json": ('[{"task_id":"5","callback_url":"x","params":{}}]', "COCO"),
    "labelmap.txt": ("# label:color_rgb:parts:actions\ncar:1,2,3::\n", "COCO"),
    "web.xml": (
        "<annotation><object><name>car</name><polygon><pt><x>1</x></pt></polygon></object>"
        "</annotation>",
        "CVAT for images",
    ),
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


@pytest.mark.parametrize("typed", ["coco-dir", "yolo", "voc"])
@pytest.mark.parametrize("there", SETS)
def test_every_tools_format_is_named_by_the_errors_of_the_others(
    project: Project, tmp_path: Path, there: str, typed: str
) -> None:
    folder = files(tmp_path / "set", SETS[there])
    with pytest.raises(ImportFailed) as told:
        import_named(project, folder, typed)
    assert f"batman import {there} " in told.value.hint
    assert import_named(project, folder).annotations == 1


def test_the_command_line_reads_what_is_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    labelme_at(tmp_path / "set")
    report = tmp_path / "report.json"
    words = ["import", "auto", "set", "--project", "p", "--create", "--report", str(report)]
    assert main(words) == Exit.OK
    assert json.loads(report.read_text(encoding="utf-8"))["kind"] == "labelme"
    assert main(["import", "labelme", "set", "--project", "p"]) != Exit.OK
    assert "in the project already" in capsys.readouterr().err
    assert main(["import", "labelme", "set", "--project", "p", "--again", "--copy"]) == Exit.OK
    main(["import", "--help"])
    told = capsys.readouterr().out
    listed = [kind.name for kind in KINDS if re.search(rf"^ +{kind.name}\b", told, re.MULTILINE)]
    assert listed == [kind.name for kind in KINDS]


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
    # The old LabelMe's XML is that of Pascal VOC, with points where that has boxes.
    voc = [] if name == "web.xml" else ["voc"]
    for kind in ("auto", "coco-dir", "yolo", *voc, "labelme"):
        with pytest.raises(ImportFailed) as told:
            import_named(project, tmp_path / "set", kind)
        assert found.title in told.value.message
        assert instead in told.value.hint
        assert "batman import" not in told.value.message + told.value.hint


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
@pytest.mark.parametrize(
    "there",
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
    project: Project, tmp_path: Path, there: dict[str, str], kind: str
) -> None:
    (tmp_path / "set").mkdir()
    for name, text in there.items():
        put(tmp_path / "set" / name, text)
    with pytest.raises(ImportFailed) as told:
        import_named(project, tmp_path / "set", kind)
    words = f"{told.value.message} {told.value.hint}"
    assert not re.search(rf"batman import {kind}\b", words), words


@pytest.mark.parametrize(
    "there",
    [
        {"labels/0.txt": "0 .5 .5 .2 .2", "classes.txt": "car", "notes.json": '{"categories":[]}'},
        {"obj_train_data/0.txt": "0 .5 .5 .2 .2", "obj.names": "car", "train.txt": "0.jpg"},
        {"data.yaml": "names: [car]\ntrain: images", "images/0.txt": "0 .5 .5 .2 .2"},
    ],
    ids=["Label Studio", "Darknet", "Ultralytics"],
)
def test_labels_exported_without_their_images_are_told(
    project: Project, tmp_path: Path, there: dict[str, str]
) -> None:
    for name, text in there.items():
        put(tmp_path / "set" / name, text)
    assert guess_kind(tmp_path / "set") == "yolo"
    with pytest.raises(ImportFailed) as told:
        import_named(project, tmp_path / "set", "yolo")
    assert "data.yaml" not in told.value.hint
    assert "The pictures are missing" in told.value.message
    assert "COCO" not in told.value.message


def test_a_json_that_is_none_of_coco_is_not_taken_for_it(tmp_path: Path) -> None:
    assert guess_kind(put(tmp_path / "package.json", '{"name": "x"}')) is None
    assert guess_kind(put(tmp_path / "a.json", '{"info": {}, "images": []}')) == "coco-dir"


def test_what_nothing_is_recognised_in_lists_the_formats(project: Project, tmp_path: Path) -> None:
    put(tmp_path / "set" / "a.txt", "hello")
    with pytest.raises(ImportFailed) as told:
        import_named(project, tmp_path / "set")
    assert all(kind.name in told.value.hint for kind in KINDS)
    with pytest.raises(ImportFailed, match="There is no"):
        import_named(project, tmp_path / "gone")
    with pytest.raises(ImportFailed, match="There is no format"):
        import_named(project, tmp_path / "set", "nothing")


def test_every_format_of_the_samples_lies_alone(tmp_path: Path) -> None:
    made = {name: value for name, value in vars(table_samples).items() if name.startswith("put_")}
    for name, make in made.items():
        found = lying_together(Look(make(tmp_path / name)))
        assert found == [guess_kind(tmp_path / name)]
    for name, set_ in SETS.items():
        assert lying_together(Look(files(tmp_path / name, set_))) == [name]


def test_a_folder_with_three_formats_names_all_of_them(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "three sets"
    table_samples.put_coco(folder)
    table_samples.put_voc(folder)
    table_samples.put_yolo(folder)
    assert lying_together(Look(folder)) == ["coco-dir", "yolo", "voc"]
    report = import_named(project, folder, "auto")
    told = {p.where: p.detail for p in report.problems if p.kind == "another format"}
    taken = guess_kind(folder)
    assert set(told) == {"COCO", "YOLO", "Pascal VOC"} - {
        kind.title for kind in KINDS if kind.name == taken
    }
    assert f"batman import voc '{folder}'" in told["Pascal VOC"]
