"""The original Batman's project folder: in without loss, and out as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from import_data import check, files_below, png, put, put_coco, state

from core.common.errors import ImportFailed
from core.data import classes
from core.data.exporters import export_original
from core.data.importers import import_coco, import_original, list_imports
from core.data.store import Project

WIDTH, HEIGHT = 64, 48


@pytest.fixture
def project(tmp_path: Path):
    with Project.create(tmp_path / "cranes") as made:
        yield made


def original(folder: Path) -> Path:
    """Two imports and a video, as the original tool leaves them."""
    about = {
        "name": "yard",
        "description": "Hooks",
        "classes": ["hook", "boom", "unused", "person"],
        "class_sources": {
            "hook": "manual", "boom": "roboflow", "unused": "manual", "person": "coco_zoo",
        },
        "config": {"sample_mode": "frames", "sample_interval": 12, "tracking_mode": "visible_only",
                   "max_age": 30, "iou_threshold": 0.3, "min_hits": 3,
                   "use_appearance_embedding": False},
        "video_count": 1,
        "frame_count": 5,
        "annotation_count": 5,
        "current_iteration": 4,
        "created_at": "2025-01-02T03:04:05.678901",
        "updated_at": "2025-02-03T04:05:06.789012",
    }  # fmt: skip
    imports = {
        "1": {"type": "roboflow", "imported_at": "2025-01-03T10:00:00", "video_id": -1,
              "workspace": "w", "project": "p", "version": 3, "format": "coco"},
        "2": {"type": "coco_zoo", "imported_at": "2025-01-04T11:00:00", "video_id": -2,
              "classes": ["person"], "split": "validation", "max_samples": 50},
    }  # fmt: skip

    def frame(video: int, number: int, name: str, **more: Any) -> dict[str, Any]:
        return {
            "video_id": video, "frame_number": number, "timestamp": number * 0.4,
            "image_path": f"data/projects/yard/frames/{video}/{name}", "is_approved": True,
            "needs_review": False, "source": "import" if video < 0 else "extracted",
            "import_id": -video if video < 0 else None, "original_filename": f"src_{name}",
            "split": None, **more,
        }  # fmt: skip

    frames = {
        -1: {"-1000000": frame(-1, 0, "f0.png", split="train"),
             "-999999": frame(-1, 1, "f1.png", split="valid", needs_review=True)},
        -2: {"-2000000": frame(-2, 0, "f0.png", split="val")},
        7: {"31": frame(7, 0, "f0.png"), "32": frame(7, 12, "f1.png", is_approved=False)},
    }  # fmt: skip
    annotations = {
        "1": {"frame_id": -1000000, "class_label_id": 0, "track_id": None, "x": 0.3, "y": 0.3,
              "width": 0.1, "height": 0.2, "confidence": 1.0, "source": "import"},
        "2": {"frame_id": -999999, "class_label_id": 1, "track_id": None, "x": 0.51, "y": 0.47,
              "width": 1 / 3, "height": 1 / 7, "confidence": 0.875, "source": "sam3",
              "prompt": "crane boom"},
        "5": {"frame_id": -2000000, "class_label_id": 3, "track_id": None, "x": 0.5, "y": 0.5,
              "width": 1.0, "height": 1.0, "confidence": 1.0, "source": "import"},
        "8": {"frame_id": 31, "class_label_id": 0, "track_id": 4, "x": 0.2, "y": 0.2,
              "width": 0.123456789, "height": 0.1, "confidence": 0.5, "source": "auto"},
        "9": {"frame_id": 32, "class_label_id": 0, "track_id": 4, "x": 0.25, "y": 0.2,
              "width": 0.12, "height": 0.1, "confidence": 0.4, "source": "track"},
    }  # fmt: skip
    tracks = {"4": {"class_label_id": 0, "start_frame": 0, "end_frame": 12, "is_approved": False}}
    put(folder / "project.json", json.dumps(about))
    put(folder / "imports" / "imports.json", json.dumps(imports))
    put(folder / "labels" / "current" / "annotations.json", json.dumps(annotations))
    put(folder / "labels" / "current" / "tracks.json", json.dumps(tracks))
    put(folder / "videos" / "7_yard.mp4", b"not really a film")
    for video, of in frames.items():
        put(folder / "frames" / str(video) / "frames.json", json.dumps(of))
        for record in of.values():
            name = record["image_path"].rpartition("/")[2]
            put(
                folder / "frames" / str(video) / name,
                png(WIDTH, HEIGHT) + f"{video} {name}".encode(),
            )
    return folder


def load(folder: Path) -> dict[str, Any]:
    """Read a project as the description of the layout says its loader does."""

    def read(name: str) -> Any:
        return json.loads((folder / name).read_text())

    about = read("project.json")
    loaded: dict[str, Any] = {"project": about, "imports": read("imports/imports.json")}
    loaded["tracks"] = read("labels/current/tracks.json")
    loaded["frames"], loaded["annotations"] = {}, read("labels/current/annotations.json")
    for listing in sorted((folder / "frames").glob("*/frames.json")):
        for key, record in json.loads(listing.read_text()).items():
            assert record["video_id"] == int(listing.parent.name)
            path = Path(record["image_path"])
            if not path.is_file():
                path = listing.parent / path.name
            assert path.read_bytes().startswith(png(WIDTH, HEIGHT))
            loaded["frames"][key] = {k: v for k, v in record.items() if k != "image_path"}
    for record in loaded["annotations"].values():
        assert str(record["frame_id"]) in loaded["frames"]
        assert 0 <= record["class_label_id"] < len(about["classes"])
    assert about["frame_count"] == len(loaded["frames"])
    assert about["annotation_count"] == len(loaded["annotations"])
    about.pop("updated_at")
    return loaded


def test_in_and_out_again_is_the_same(project: Project, tmp_path: Path) -> None:
    source = original(tmp_path / "yard")
    reports = import_original(project, source)
    assert [(r.images, r.annotations, r.counts()) for r in reports] == [
        (2, 2, {}), (1, 1, {}), (2, 2, {}),
    ]  # fmt: skip
    check(project)
    report = export_original(project, tmp_path / "out")
    assert (report.images, report.annotations) == (5, 5)
    assert load(tmp_path / "out") == load(source)
    assert (tmp_path / "out" / "videos" / "7_yard.mp4").read_bytes() == b"not really a film"
    # And a second time, from what was exported, also after it was moved.
    (tmp_path / "out").rename(tmp_path / "moved")
    with Project.create(tmp_path / "second") as second:
        import_original(second, tmp_path / "moved" / "project.json")
        export_original(second, tmp_path / "third")
    assert load(tmp_path / "third") == load(source)


def test_what_it_says_is_in_the_project(project: Project, tmp_path: Path) -> None:
    import_original(project, original(tmp_path / "yard"))
    rows = project.db.execute(
        "SELECT name, split, grp, time, width, height FROM v_images ORDER BY id"
    ).fetchall()
    assert [tuple(row) for row in rows] == [
        ("src_f0.png", "train", None, 0.0, 64, 48),
        ("src_f1.png", "valid", None, 0.4, 64, 48),
        ("src_f0.png", "valid", None, 0.0, 64, 48),
        ("src_f0.png", None, "yard video 7", 0.0, 64, 48),
        ("src_f1.png", None, "yard video 7", pytest.approx(4.8), 64, 48),
    ]
    assert {row.name: row.annotations for row in classes.list_classes(project)} == {
        "boom": 1, "hook": 3, "person": 1, "unused": 0,
    }  # fmt: skip
    listed = [(row.kind, row.detail["type"], row.at.isoformat()) for row in list_imports(project)]
    assert listed[1:] == [
        ("original", "coco_zoo", "2025-01-04T11:00:00+00:00"),
        ("original", "roboflow", "2025-01-03T10:00:00+00:00"),
    ]
    assert listed[0][:2] == ("original", "video")
    assert list_imports(project)[2].origin.endswith("yard (roboflow w/p/3)")
    assert len(project.history()) == 1
    project.undo()
    assert project.summary().images == 0
    project.redo()
    assert project.summary().images == 5


def test_changes_go_out_and_the_rest_stays(project: Project, tmp_path: Path) -> None:
    source = original(tmp_path / "yard")
    import_original(project, source)
    classes.merge(project, ["person"], "hook")
    classes.rename(project, "boom", "crane_boom")
    import_coco(project, put_coco(tmp_path / "set"))
    with project.change("test", "moved a box") as change:
        change.update("annotations", 1, {"x": 3.2})
    export_original(project, tmp_path / "out")
    before = load(source)
    after = load_any(tmp_path / "out")
    assert after["project"]["classes"] == ["hook", "boom", "unused", "crane_boom"]
    assert after["annotations"]["2"] == {**before["annotations"]["2"], "class_label_id": 3}
    assert after["annotations"]["5"]["class_label_id"] == 0
    assert after["annotations"]["1"]["x"] == pytest.approx(3.2 / 64 + 0.05)
    assert after["tracks"] == before["tracks"]
    assert after["imports"]["4"]["type"] == "local_coco"
    assert after["imports"]["4"]["path"] == str(tmp_path / "set")
    assert sorted(after["frames"]) == sorted([*before["frames"], "-3000000", "-2999999"])
    assert len(after["annotations"]) == 8


def load_any(folder: Path) -> dict[str, Any]:
    frames = {}
    for listing in (folder / "frames").glob("*/frames.json"):
        frames.update(json.loads(listing.read_text()))
    names = {
        "project": "project.json",
        "imports": "imports/imports.json",
        "annotations": "labels/current/annotations.json",
        "tracks": "labels/current/tracks.json",
    }
    files = {key: json.loads((folder / name).read_text()) for key, name in names.items()}
    return {"frames": frames, **files}


def test_any_project_can_go_out(project: Project, tmp_path: Path) -> None:
    import_coco(project, put_coco(tmp_path / "set"))
    export_original(project, tmp_path / "out")
    loaded = load(tmp_path / "out")
    assert loaded["project"]["classes"] == ["boom", "hook"]
    assert set(loaded["frames"]) == {"-1000000", "-999999"}
    with Project.create(tmp_path / "back") as back:
        (report,) = import_original(back, tmp_path / "out")
        assert (report.images, report.annotations, report.counts()) == (2, 3, {})
        query = "SELECT x, y, w, h FROM annotations ORDER BY id"
        assert [tuple(r) for r in back.db.execute(query)] == [
            pytest.approx(tuple(r)) for r in project.db.execute(query)
        ]


DAMAGE: list[tuple[str, str, Any, dict[str, int]]] = [
    ("frame without a path", "frames/-1/frames.json", {"-1000000": {"video_id": -1}},
     {"wrong type": 1, "image left out": 1, "unknown image": 1}),
    ("unsafe path", "frames/-1/frames.json", {"-1000000": {"image_path": "../../../etc/x.png"}},
     {"missing image": 1, "image left out": 1, "unknown image": 1}),
    ("no image", "frames/-1/frames.json", {"-1000000": {"image_path": "/etc/passwd"}},
     {"missing image": 1, "image left out": 1, "unknown image": 1}),
    ("annotation a list", "labels/current/annotations.json", {"1": [1]}, {"wrong type": 1}),
    ("unknown class", "labels/current/annotations.json",
     {"1": {"frame_id": 31, "class_label_id": 9, "x": 0, "y": 0, "width": 1, "height": 1}},
     {"unknown category": 1}),
    ("class true", "labels/current/annotations.json",
     {"1": {"frame_id": 31, "class_label_id": True, "x": 0, "y": 0, "width": 1, "height": 1}},
     {"unknown category": 1}),
    ("no box", "labels/current/annotations.json", {"1": {"frame_id": 31, "class_label_id": 0}},
     {"non-finite number": 1}),
    ("zero box", "labels/current/annotations.json",
     {"1": {"frame_id": 31, "class_label_id": 0, "x": 0.5, "y": 0.5, "width": 0, "height": 1}},
     {"zero-size box": 1}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "value", "expected"), [row[1:] for row in DAMAGE], ids=[row[0] for row in DAMAGE]
)
def test_bad_records_are_reported(
    project: Project, tmp_path: Path, file: str, value: Any, expected: dict[str, int]
) -> None:
    source = original(tmp_path / "yard")
    put(source / file, json.dumps(value))
    reports = import_original(project, source)
    found: dict[str, int] = {}
    for report in reports:
        for kind, count in report.counts().items():
            found[kind] = found.get(kind, 0) + count
    assert found == expected
    check(project)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("project.json", "{", "project.json' is not valid JSON"),
        ("project.json", '{"classes": 5}', "'classes' is not a list"),
        ("project.json", "[]", "is not an object"),
        ("frames/-1/frames.json", "{", "frames/-1/frames.json' is not valid JSON"),
        ("labels/current/annotations.json", "[]", "is not an object"),
        ("imports/imports.json", "\0\0", "not valid JSON"),
        ("labels/current/tracks.json", "nope", "not valid JSON"),
    ],
)
def test_a_broken_file_changes_nothing(
    project: Project, tmp_path: Path, file: str, text: str, message: str
) -> None:
    source = original(tmp_path / "yard")
    put(source / file, text)
    before = state(project)
    with pytest.raises(ImportFailed, match=message):
        import_original(project, source)
    assert state(project) == before
    assert files_below(project.images_dir) == {}


def test_a_folder_that_is_none_is_told_so(project: Project, tmp_path: Path) -> None:
    with pytest.raises(ImportFailed, match=r"no project\.json") as caught:
        import_original(project, tmp_path)
    assert "frames.json" in caught.value.hint
