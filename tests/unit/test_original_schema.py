"""What the original Batman demands of a project's files, and that what we write is so."""

from __future__ import annotations

import json
import random
import re
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import pytest
from import_data import png, put, put_coco
from pydantic import BaseModel, ConfigDict, Field
from test_original_layout import original

from core.data import classes
from core.data.exporters import export_original
from core.data.importers import import_coco, import_original, import_video
from core.data.store import Project

Fraction = Annotated[float, Field(ge=0, le=1)]


def time(text: str) -> None:
    """UTC without a zone, as `datetime.utcnow().isoformat()` writes it."""
    assert datetime.fromisoformat(text).tzinfo is None


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")


class Config(Strict):
    sample_mode: Literal["frames", "seconds"]
    sample_interval: float
    tracking_mode: Literal["visible_only", "occlusion_tolerant"]
    max_age: int
    iou_threshold: float
    min_hits: int
    use_appearance_embedding: bool


class About(Strict):
    name: Annotated[str, Field(min_length=1)]
    description: str | None
    classes: list[str]
    class_sources: dict[str, Literal["manual", "roboflow", "coco_zoo"]]
    config: Config
    video_count: int
    frame_count: int
    annotation_count: int
    current_iteration: int
    created_at: str
    updated_at: str


class Frame(Strict):
    video_id: int | str
    frame_number: Annotated[int, Field(ge=0)]
    timestamp: float
    image_path: str
    is_approved: bool
    needs_review: bool
    source: str
    import_id: int | str | None
    original_filename: str
    split: str | None


class Box(Strict):
    frame_id: int | str
    class_label_id: Annotated[int, Field(ge=0)]
    track_id: int | None
    x: Fraction
    y: Fraction
    width: Fraction
    height: Fraction
    confidence: Fraction
    source: str


class Video(Strict):
    filename: str
    width: int
    height: int
    fps: float
    duration: float
    total_frames: int
    frame_count: int
    created_at: str


class Import(Strict):
    type: Literal["roboflow", "coco_zoo", "local_coco"]
    imported_at: str
    video_id: int


def demand(folder: Path) -> dict[str, Any]:
    """Read the project as strictly as the layout is described; return it."""

    def read(name: str) -> Any:
        return json.loads((folder / name).read_text())

    found: dict[str, Any] = {"project": read("project.json")}
    about = About.model_validate(found["project"])
    assert set(about.class_sources) == set(about.classes)
    time(about.created_at)
    time(about.updated_at)
    found["imports"] = read("imports/imports.json")
    of = {}
    for key, entry in found["imports"].items():
        time(Import.model_validate(entry).imported_at)
        of[entry["video_id"]] = key
    found["frames"] = {}
    videos = set()
    for listing in (folder / "frames").glob("*/frames.json"):
        number = int(listing.parent.name)
        videos |= {str(number)} if number > 0 else set()
        for key, value in json.loads(listing.read_text()).items():
            frame = Frame.model_validate(value)
            assert re.fullmatch(r"-?\d+", key)
            assert frame.video_id == number
            assert (number < 0) == (str(frame.import_id) == of.get(number))
            path = PurePosixPath(frame.image_path)
            assert not path.is_absolute()
            assert path.parts[:3] == ("data", "projects", folder.name)
            assert folder.joinpath(*path.parts[3:]).is_file()
            assert listing.parent / path.name == folder.joinpath(*path.parts[3:])
            found["frames"][key] = value
    found["videos"] = {}
    if (folder / "videos" / "videos.json").is_file():
        found["videos"] = read("videos/videos.json")
        for value in found["videos"].values():
            Video.model_validate(value)
    assert about.video_count == len(videos | set(found["videos"]))
    assert about.frame_count == len(found["frames"])
    found["tracks"] = read("labels/current/tracks.json")
    found["annotations"] = read("labels/current/annotations.json")
    for key, value in found["annotations"].items():
        box = Box.model_validate(value)
        assert int(key) > 0
        assert str(box.frame_id) in found["frames"]
        assert box.class_label_id < len(about.classes)
    for track in found["tracks"].values():
        assert track["class_label_id"] < len(about.classes)
    assert about.annotation_count == len(found["annotations"])
    return found


@pytest.fixture
def project(tmp_path: Path):
    with Project.create(tmp_path / "cranes") as made:
        yield made


def test_what_never_was_an_original(project: Project, tmp_path: Path) -> None:
    import_coco(project, put_coco(tmp_path / "set"))
    export_original(project, tmp_path / "out")
    found = demand(tmp_path / "out")
    assert {frame["import_id"] for frame in found["frames"].values()} == {"1"}
    assert {frame["source"] for frame in found["frames"].values()} == {"local_coco"}
    assert found["project"]["video_count"] == 0
    assert found["project"]["name"] == "cranes"
    assert [box["confidence"] for box in found["annotations"].values()] == [1.0] * 3


def test_a_quotient_beside_one_is_one(project: Project, tmp_path: Path) -> None:
    boxes = [
        {"id": n, "image_id": 1, "category_id": 1, "bbox": [0, 0, width, width]}
        for n, width in enumerate([49, 98, 103], start=1)
    ]
    put(tmp_path / "set" / "a.png", png(103, 103))
    put(tmp_path / "set" / "_annotations.coco.json", json.dumps({
        "images": [{"id": 1, "file_name": "a.png", "width": 103, "height": 103}],
        "categories": [{"id": 1, "name": "hook"}], "annotations": boxes,
    }))  # fmt: skip
    import_coco(project, tmp_path / "set")
    with project.change("test", "as a sum of fractions gives it") as change:
        change.update("annotations", 3, {"w": 103.00000000000003})
    export_original(project, tmp_path / "out")
    assert demand(tmp_path / "out")["annotations"]["3"]["width"] == 1.0


def test_frames_of_videos(project: Project, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="needs the video extra")
    from test_video_frames import RATE, film

    path = film(tmp_path / "films" / "yard.mp4", [1, 2, 3])
    import_video(project, path, every_frames=10)
    import_coco(project, put_coco(tmp_path / "set"))
    export_original(project, tmp_path / "out")
    found = demand(tmp_path / "out")
    assert [f["frame_number"] for f in found["frames"].values() if f["video_id"] == 1] == [
        0, 10, 20,
    ]  # fmt: skip
    assert found["project"]["video_count"] == 1
    assert found["project"]["config"]["sample_mode"] == "frames"
    assert found["project"]["config"]["sample_interval"] == 10
    video = found["videos"]["1"]
    assert (video["filename"], video["fps"], video["total_frames"]) == ("yard.mp4", RATE, 30)
    assert (video["width"], video["height"], video["frame_count"]) == (64, 48, 3)
    assert video["original_path"] == str(path)


def export_of_before(folder: Path) -> Path:
    """An export as Batman wrote them once: no mode the original knows, absolute paths."""
    source = original(folder)
    about = json.loads((source / "project.json").read_text())
    about["config"] = {
        "sample_mode": "interval", "sample_interval": 30, "tracking_mode": "visual",
        "max_age": 12, "iou_threshold": 0.3, "min_hits": 3, "use_appearance_embedding": False,
    }  # fmt: skip
    about["video_count"] = 3
    put(source / "project.json", json.dumps(about))
    for listing in source.glob("frames/*/frames.json"):
        frames = json.loads(listing.read_text())
        for frame in frames.values():
            frame["image_path"] = "/gone/" + frame["image_path"]
            frame["import_id"] = None
            frame["source"] = "import"
        put(listing, json.dumps(frames))
    return source


def test_an_export_of_before_is_put_right(project: Project, tmp_path: Path) -> None:
    reports = import_original(project, export_of_before(tmp_path / "yard"))
    assert [(report.images, report.counts()) for report in reports] == [(2, {}), (1, {}), (2, {})]
    export_original(project, tmp_path / "out")
    found = demand(tmp_path / "out")
    config = found["project"]["config"]
    assert (config["sample_mode"], config["sample_interval"]) == ("seconds", 0.5)
    assert (config["tracking_mode"], config["max_age"]) == ("visible_only", 12)
    assert {frame["video_id"]: frame["import_id"] for frame in found["frames"].values()} == {
        -1: "1", -2: "2", 7: None,
    }  # fmt: skip
    assert found["project"]["video_count"] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": None},
        {"name": 7},
        {"created_at": "yesterday"},
        {"created_at": None},
        {"current_iteration": "4"},
        {"config": None},
        {"config": []},
        {"config": {"sample_mode": 3, "max_age": 1.5, "min_hits": True, "iou_threshold": "0.3"}},
        {"class_sources": []},
        {"class_sources": {"hook": None}},
        {"description": None},
        {"description": 9},
    ],
    ids=str,
)
def test_what_it_would_not_take_is_not_handed_back(
    project: Project, tmp_path: Path, wrong: dict[str, Any]
) -> None:
    source = original(tmp_path / "yard")
    about = json.loads((source / "project.json").read_text())
    put(source / "project.json", json.dumps({**about, **wrong}))
    import_original(project, source)
    export_original(project, tmp_path / "out")
    demand(tmp_path / "out")


def test_two_projects_in_one(project: Project, tmp_path: Path) -> None:
    """Numbers of tracks, videos and frames that both have are given once each."""
    first, second = original(tmp_path / "a" / "yard"), original(tmp_path / "b" / "yard")
    tracks = json.loads((second / "labels/current/tracks.json").read_text())
    tracks["4"].update({"track_id": 4, "video_id": 7})
    put(second / "labels/current/tracks.json", json.dumps(tracks))
    listing = {
        "7": {
            "filename": "yard.mp4", "original_path": "data/projects/yard/videos/7_yard.mp4",
            "proxy_path": None, "width": 64, "height": 48, "fps": 25.0, "duration": 2.0,
            "total_frames": 50, "has_proxy": False, "frame_count": 2,
            "created_at": "2025-01-02T03:04:05",
        }
    }  # fmt: skip
    for source in (first, second):
        put(source / "videos" / "videos.json", json.dumps(listing))
    import_original(project, first)
    import_original(project, second, files="reference")
    export_original(project, tmp_path / "out")
    found = demand(tmp_path / "out")
    assert set(found["tracks"]) == {"4", "1"}
    assert found["tracks"]["1"]["track_id"] == 1
    assert found["tracks"]["1"]["video_id"] == 1
    assert {key: video["original_path"] for key, video in found["videos"].items()} == {
        "7": "data/projects/out/videos/7_yard.mp4",
        "1": "data/projects/out/videos/7_yard~1.mp4",
    }
    assert (tmp_path / "out/videos/7_yard~1.mp4").read_bytes() == b"not really a film"
    on = {box["track_id"]: 0 for box in found["annotations"].values()}
    for box in found["annotations"].values():
        video = found["frames"][str(box["frame_id"])]["video_id"]
        on[box["track_id"]] += 1
        assert box["track_id"] == {7: 4, 1: 1}.get(video)
    assert on == {None: 6, 4: 2, 1: 2}


def test_a_track_follows_its_class(project: Project, tmp_path: Path) -> None:
    import_original(project, original(tmp_path / "yard"))
    classes.rename(project, "hook", "zz_hook")
    classes.merge(project, ["boom"], "person")
    report = export_original(project, tmp_path / "out")
    found = demand(tmp_path / "out")
    assert found["project"]["classes"] == ["unused", "person", "zz_hook"]
    assert found["tracks"]["4"]["class_label_id"] == 2
    assert report.left_out == {}
    classes.delete(project, ["zz_hook"])
    report = export_original(project, tmp_path / "without")
    assert demand(tmp_path / "without")["tracks"] == {}
    assert report.left_out == {"track": 1}


def test_the_later_layout_of_names_comes_in_too(project: Project, tmp_path: Path) -> None:
    source = tmp_path / "later"
    names = {"roboflow_hooks_1": "r1", "video_1": "video_1_000000", "manual_data": "m"}
    for folder, frame in names.items():
        record = {"video_id": folder, "frame_number": 0, "timestamp": 0.0,
                  "image_path": f"data/projects/later/frames/{folder}/{frame}.png",
                  "is_approved": False, "needs_review": True}  # fmt: skip
        put(source / "frames" / folder / "frames.json", json.dumps({frame: record}))
        put(source / "frames" / folder / f"{frame}.png")
    put(source / "frames" / "stray" / "x.png")
    put(source / "exports" / "coco" / "train" / "x.png")
    put(source / "project.json", json.dumps({"name": "later", "classes": ["hook"]}))
    put(source / "imports/imports.json", json.dumps({
        "i": {"type": "roboflow", "source_key": "roboflow_hooks_1",
              "imported_at": "2026-01-01T00:00:00"}}))  # fmt: skip
    boxes = {
        str(n): {"frame_id": frame, "class_label_id": 0, "x": 0.5, "y": 0.5, "width": 0.5,
                 "height": 0.25, "source": "manual"}
        for n, frame in enumerate(names.values(), start=1)
    }  # fmt: skip
    put(source / "labels/current/annotations.json", json.dumps(boxes))
    assert [(r.images, r.annotations) for r in import_original(project, source)] == [(1, 1)] * 3
    kinds = project.db.execute("SELECT json_extract(detail, '$.type') FROM imports ORDER BY id")
    assert [row[0] for row in kinds] == ["import", "roboflow", "video"]
    export_original(project, tmp_path / "out")
    for folder, frame in names.items():
        listing = json.loads((tmp_path / "out/frames" / folder / "frames.json").read_text())
        before = json.loads((source / "frames" / folder / "frames.json").read_text())
        assert listing[frame].pop("image_path") == f"data/projects/out/frames/{folder}/{frame}.png"
        del before[frame]["image_path"]
        assert listing[frame] == (before[frame] | ({"import_id": "i"} if "robo" in folder else {}) |
                                  ({"import_id": "1"} if "manual" in folder else {}))  # fmt: skip


def generated(folder: Path, seed: int) -> Path:
    """A project of the original with whatever its format allows, drawn from `seed`."""
    rng = random.Random(seed)
    names = rng.sample(
        ["hook", "crane hook", "bööm", "人", "a|b", "0", "person"], rng.randint(1, 5)
    )
    videos = [-n for n in range(1, rng.randint(1, 4))]
    videos += rng.sample(range(1, 40), rng.randint(0 if videos else 1, 3))
    imports: dict[str, Any] = {}
    frames: dict[str, int] = {}
    more: Any
    for video in videos:
        entry = f"import_{-video}_20260128_103000"
        if video < 0:
            kind = rng.choice(["roboflow", "coco_zoo", "local_coco"])
            more = {
                "roboflow": {"workspace": "w", "project": "p", "version": 2, "format": "coco"},
                "coco_zoo": {"classes": names[:1], "split": "validation", "max_samples": None},
                "local_coco": {"path": "/data/set"},
            }[kind]
            imports[entry] = {"type": kind, "video_id": video, **more,
                              "imported_at": "2026-01-28T10:30:00.123456"}  # fmt: skip
        listing = {}
        for index in range(rng.randint(1, 6)):
            key = str(video * 1_000_000 + index)
            frames[key] = video
            path = folder / "frames" / str(video) / f"{int(key):08d}.png"
            put(path, png(rng.choice([64, 65]), 48) + key.encode())
            listing[key] = {
                "video_id": video, "frame_number": index * (1 if video < 0 else 12),
                "timestamp": 0.0 if video < 0 else index * 0.4,
                "image_path": rng.choice([str(path), f"data/projects/{folder.name}/frames/{video}/"
                                          f"{path.name}"]),
                "is_approved": rng.random() < 0.5, "needs_review": rng.random() < 0.5,
                "source": imports[entry]["type"] if video < 0 else "video",
                "import_id": entry if video < 0 else None,
                "original_filename": rng.choice(["a.jpg", "ü 1.jpg", path.name]),
                "split": rng.choice(["train", "valid", "val", "test", "data", None]),
            }  # fmt: skip
        put(folder / "frames" / str(video) / "frames.json", json.dumps(listing))
    tracks = {
        str(n): {"track_id": n, "class_label_id": rng.randrange(len(names)), "start_frame": 0,
                 "video_id": rng.choice(videos), "end_frame": 24, "is_approved": True}
        for n in rng.sample(range(1, 99), rng.randint(0, 4))
    }  # fmt: skip
    boxes = {}
    for n in rng.sample(range(1, 999), rng.randint(0, 30)):
        width, height = rng.uniform(0.05, 1), rng.uniform(0.05, 1)
        track = rng.choice([None, *tracks])
        label = tracks[track]["class_label_id"] if track else rng.randrange(len(names))
        boxes[str(n)] = {
            "frame_id": int(rng.choice(list(frames))), "class_label_id": label,
            "track_id": int(track) if track else None,
            "x": rng.uniform(width / 2, 1 - width / 2),
            "y": rng.uniform(height / 2, 1 - height / 2),
            "width": width, "height": height, "confidence": rng.random(),
            "source": rng.choice(["auto", "manual", "corrected", "roboflow"]),
            "is_exemplar": rng.random() < 0.1, "updated_at": "2026-01-28T10:30:00.5",
        }  # fmt: skip
    real = [video for video in videos if video > 0]
    about = {
        "name": folder.name, "description": rng.choice(["", "Hooks\nand more", None]),
        "classes": names,
        "class_sources": {n: rng.choice(["manual", "roboflow", "coco_zoo"]) for n in names},
        "config": {"sample_mode": rng.choice(["frames", "seconds"]),
                   "sample_interval": rng.choice([0.5, 12]),
                   "tracking_mode": rng.choice(["visible_only", "occlusion_tolerant"]),
                   "max_age": 30, "iou_threshold": 0.25, "min_hits": 3,
                   "use_appearance_embedding": True},
        "video_count": len(real), "frame_count": len(frames), "annotation_count": len(boxes),
        "current_iteration": rng.randint(0, 9), "created_at": "2025-01-02T03:04:05.678901",
        "updated_at": "2025-02-03T04:05:06.789012",
    }  # fmt: skip
    for video in real:
        put(folder / "videos" / f"{video}_yard.mp4", f"film {video}")
    listing = {
        str(video): {
            "filename": "yard.mp4", "width": 64, "height": 48, "fps": 25.0, "duration": 2.0,
            "original_path": f"data/projects/{folder.name}/videos/{video}_yard.mp4",
            "total_frames": 50, "has_proxy": False, "frame_count": 2,
            "created_at": "2025-01-02T03:04:05",
        } for video in real
    }  # fmt: skip
    if listing:
        put(folder / "videos" / "videos.json", json.dumps(listing))
    for name, value in {"project.json": about, "imports/imports.json": imports,
                        "labels/current/annotations.json": boxes,
                        "labels/current/tracks.json": tracks}.items():  # fmt: skip
        put(folder / name, json.dumps(value))
    return folder


def told(folder: Path) -> dict[str, Any]:
    """All that the project says, but for where it lies and when it was written."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*.json")):
        found[path.relative_to(folder).as_posix()] = json.loads(path.read_text())
    found["project.json"].pop("updated_at")
    for name, value in found.items():
        if name.startswith("frames/"):
            for frame in value.values():
                frame["image_path"] = PurePosixPath(frame["image_path"]).name
    found.pop("videos/videos.json", None)
    videos = [path for path in folder.glob("videos/*") if path.name != "videos.json"]
    found["files"] = {path.name: path.read_bytes() for path in videos}
    found["pictures"] = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.glob("frames/*/*.png")
    }
    return found


@pytest.mark.parametrize("seed", range(12))
def test_in_out_and_in_again_is_the_same(tmp_path: Path, seed: int) -> None:
    source = generated(tmp_path / "source" / f"yard {seed}", seed)
    before = told(source)
    out = source
    for turn in ("one", "two"):
        with Project.create(tmp_path / turn / "cranes") as project:
            reports = import_original(project, out, files="copy")
            assert all(report.counts() == {} for report in reports)
            out = tmp_path / f"out-{turn}" / f"yard {seed}"
            out.parent.mkdir()
            export_original(project, out)
        demand(out)
        assert told(out) == before
        moved = tmp_path / f"moved-{turn}"
        out.rename(moved)
        out = moved
