"""Where labels are from, and what was reviewed: out of a project and into another, unchanged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from import_data import png, put

from core.common.errors import ExportFailed
from core.data.exporters import export_coco, export_cvat, export_label_studio, export_original
from core.data.exporters.registry import FORMATS, Format
from core.data.importers import import_coco, import_original
from core.data.store import Project

AT, WHO = "2026-03-14T15:09:26+00:00", "mo@yard"


def labelled(folder: Path) -> Project:
    """A project with boxes of every origin, a video with two tracks, and every state of review."""
    project = Project.create(folder)
    with project.change("import", "made") as change:
        change.insert("imports", {"kind": "m", "origin": "h", "at": "2026-03-14", "active": 1})
        labels = []
        for name in ("crane", "vest"):
            of = change.insert("classes", {"name": name})
            row = {"import_id": 1, "name": name, "class_id": of}
            labels.append(change.insert("labels", row))
        tracks = [
            change.insert("tracks", {"grp": "film.mp4", "class_id": 1, "approved": approved})
            for approved in (1, 0)
        ]
        reviews = {1: "done", 2: "later", 3: "done", 4: None, 5: "done"}
        for number, state in reviews.items():
            put(project.images_dir / f"1/film_{number:06}.jpg", png(64, 48))
            frame = {"grp": "film.mp4", "time": number / 2} if number in (3, 4) else {}
            review = {"review": state, "reviewed_at": AT, "reviewed_by": WHO} if state else {}
            path = f"1/film_{number:06}.jpg"
            row = {"import_id": 1, "path": path, "name": path[2:], "width": 64, "height": 48}
            change.insert("images", {**row, **frame, **review})
        model = {"source": "model", "model": "run:yard-2", "score": 0.625}
        for image, more in (
            (1, {}),
            (1, {"edited": 1}),
            (1, {"source": "person"}),
            (2, {"source": "person", "edited": 1}),
            (2, model),
            (2, {**model, "edited": 1, "label_id": labels[1]}),
            (3, {**model, "track": tracks[0]}),
            (4, {"source": "interpolation", "track": tracks[0]}),
            (4, {"source": "person", "track": tracks[1]}),
            (4, {"source": "model", "score": 1.0}),
        ):  # fmt: skip
            box = {"x": 4.0 + image, "y": 8.0, "w": 16.0, "h": 12.0}
            change.insert("annotations", {"image_id": image, "label_id": labels[0], **box, **more})
    return project


def signature(project: Project) -> tuple[Any, Any]:
    """What is known of the images and of their boxes, tracks by what is on them."""
    images = project.db.execute(
        "SELECT name, review, reviewed_at, reviewed_by, time FROM v_images ORDER BY name"
    ).fetchall()
    boxes = project.db.execute(
        "SELECT i.name, a.class_name, round(a.x, 4), a.source, a.model, a.score, a.edited,"
        " t.approved, (SELECT count(*) FROM annotations b WHERE b.track = a.track), i.grp IS NULL"
        " FROM v_annotations a JOIN images i ON i.id = a.image_id"
        " LEFT JOIN tracks t ON t.id = a.track"
    ).fetchall()
    return [tuple(row) for row in images], sorted(map(repr, (tuple(row) for row in boxes)))


WAYS: dict[str, Any] = {
    "coco": (export_coco, import_coco),
    "original": (export_original, import_original),
}


@pytest.mark.parametrize("way", WAYS)
def test_out_and_in_again_is_the_same(tmp_path: Path, way: str) -> None:
    export, read = WAYS[way]
    with labelled(tmp_path / "yard") as project:
        want = signature(project)
        assert len(want[1]) == 10
        export(project, tmp_path / "out1")
    for turn in (1, 2):
        with Project.create(tmp_path / f"p{turn}") as project:
            read(project, tmp_path / f"out{turn}")
            images, boxes = signature(project)
            if way == "original":
                # There every picture of a video or an import has a time.
                images = [(*image[:4], image[4] or None) for image in images]
                assert [b.rsplit(",", 1)[0] for b in boxes] == [
                    b.rsplit(",", 1)[0] for b in want[1]
                ]
            else:
                assert boxes == want[1]
            assert images == want[0]
            export(project, tmp_path / f"out{turn + 1}")


def test_undo_of_an_import_takes_its_tracks_back(tmp_path: Path) -> None:
    with labelled(tmp_path / "yard") as project:
        export_coco(project, tmp_path / "out")
    with Project.create(tmp_path / "p") as project:
        import_coco(project, tmp_path / "out")
        assert project.db.execute("SELECT count(*) FROM tracks").fetchone()[0] == 2
        project.undo()
        assert project.db.execute("SELECT count(*) FROM tracks").fetchone()[0] == 0


def test_a_plain_project_has_no_key_of_ours(tmp_path: Path) -> None:
    with labelled(tmp_path / "yard") as project:
        with project.change("t", "t") as change:
            change.update_many("images", ["review", "grp"], [(i, None, None) for i in range(1, 6)])
            rows = project.db.execute("SELECT id FROM annotations").fetchall()
            columns = ["source", "edited", "track"]
            change.update_many("annotations", columns, [(row[0], None, 0, None) for row in rows])
        export_coco(project, tmp_path / "out")
    assert "batman" not in (tmp_path / "out/train/_annotations.coco.json").read_text()


@pytest.mark.parametrize(
    "said",
    [
        "words",
        {"source": "elsewhere", "model": 7, "score": 3, "edited": True},
        {"source": "model", "model": "\0", "score": "0.5", "track": {"a": 1}},
        {"source": "model", "score": 1e999, "edited": "yes"},
        {"track": 4},
        [1],
    ],
)
def test_what_makes_no_sense_is_no_provenance(tmp_path: Path, said: Any) -> None:
    value = {
        "images": [{"id": 1, "file_name": "a.png", "width": 64, "height": 48,
                    "batman": {"review": said, "time": said, "group": 4}}],
        "categories": [{"id": 1, "name": "crane"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 20],
                         "batman": said}],
    }  # fmt: skip
    put(tmp_path / "set/train/a.png", png(64, 48))
    put(tmp_path / "set/train/_annotations.coco.json", json.dumps(value))
    with Project.create(tmp_path / "p") as project:
        report = import_coco(project, tmp_path / "set")
        assert (report.images, report.annotations) == (1, 1)
        row = project.db.execute("SELECT source, model, score, track FROM annotations").fetchone()
        assert row[0] in (None, "model")
        assert tuple(row[1:]) == (None, None, None)
        assert tuple(project.db.execute("SELECT review, grp, time FROM images").fetchone()) == (
            (None, None, None)
        )


def test_the_originals_words_follow_what_a_person_did(tmp_path: Path) -> None:
    with labelled(tmp_path / "yard") as project:
        export_original(project, tmp_path / "out")
    boxes = json.loads((tmp_path / "out/labels/current/annotations.json").read_text())
    words = sorted((box["source"], box["confidence"]) for box in boxes.values())
    assert words == [
        ("auto", 0.625), ("auto", 0.625), ("auto", 1.0), ("auto", 1.0), ("corrected", 0.625),
        ("corrected", 1.0), ("local_coco", 1.0), ("manual", 1.0), ("manual", 1.0),
        ("manual", 1.0),
    ]  # fmt: skip
    frames = [
        frame
        for listing in (tmp_path / "out/frames").glob("*/frames.json")
        for frame in json.loads(listing.read_text()).values()
    ]
    flags = {f["original_filename"]: (f["is_approved"], f["needs_review"]) for f in frames}
    assert flags["film_000001.jpg"] == (True, False)
    assert flags["film_000002.jpg"] == (False, True)
    assert flags["film_000004.jpg"] == (False, False)
    tracks = json.loads((tmp_path / "out/labels/current/tracks.json").read_text())
    told = sorted((t["is_approved"], t["start_frame"], t["end_frame"]) for t in tracks.values())
    assert told == [(False, 4, 4), (True, 3, 4)]


def test_a_project_from_before_the_columns_keeps_what_its_records_say(tmp_path: Path) -> None:
    """Imported by an older Batman: sources, approvals and tracks are in `extra` alone."""
    with labelled(tmp_path / "yard") as project:
        export_original(project, tmp_path / "out")
    with Project.create(tmp_path / "p") as project:
        import_original(project, tmp_path / "out")
        db = project.db
        db.execute("UPDATE annotations SET source = NULL, model = NULL, score = NULL, edited = 0,"
                   " track = NULL")  # fmt: skip
        db.execute("UPDATE images SET review = NULL, reviewed_at = NULL, reviewed_by = NULL")
        db.execute("DELETE FROM tracks")
        db.execute("UPDATE imports SET detail = json_remove(detail, '$.columns', '$.tracks')")
        export_original(project, tmp_path / "again")
    for name in ("labels/current/annotations.json", "labels/current/tracks.json"):
        assert json.loads((tmp_path / "again" / name).read_text()) == json.loads(
            (tmp_path / "out" / name).read_text()
        )
    for listing in (tmp_path / "out/frames").glob("*/frames.json"):
        again = tmp_path / "again" / listing.relative_to(tmp_path / "out")
        there = json.loads(listing.read_text().replace("projects/out", "projects/again"))
        assert json.loads(again.read_text()) == there


ORIGINS, MODELS, SCORES, TRACKS, REVIEWS = (
    "origins of boxes (by a person or a model, changed by hand)",
    "names of models",
    "scores of models",
    "tracks of boxes",
    "reviews of images",
)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_what_a_format_has_no_place_for_is_counted(tmp_path: Path, form: Format) -> None:
    said = {ORIGINS: 9, MODELS: 3, SCORES: 4, TRACKS: 3, REVIEWS: 4}
    kept = {
        "coco": said, "original": said, "mot": {TRACKS}, "cvat-video": {ORIGINS, TRACKS},
        "cvat": {ORIGINS, SCORES, TRACKS}, "label-studio": {ORIGINS, SCORES, TRACKS},
    }  # fmt: skip
    with labelled(tmp_path / "yard") as project:
        left_out = form.write(project, tmp_path / "out").left_out
        lost = {what: count for what, count in said.items() if what not in kept.get(form.name, ())}
        assert {what: count for what, count in left_out.items() if what in said} == lost
        # Of what is not written nothing is lost.
        some = form.write(project, tmp_path / "some", only_reviewed=True).left_out
        assert some.get(REVIEWS, 3) == 3
        project.db.execute("UPDATE images SET review = NULL")
        with pytest.raises(ExportFailed, match="reviewed"):
            form.write(project, tmp_path / "none", only_reviewed=True)
        assert not (tmp_path / "none").exists()


def test_labelling_tools_are_told_where_boxes_are_from(tmp_path: Path) -> None:
    with labelled(tmp_path / "yard") as project:
        export_cvat(project, tmp_path / "cvat")
        export_label_studio(project, tmp_path / "ls")
    text = (tmp_path / "cvat/annotations.xml").read_text()
    assert text.count('source="semi-auto"') == 1
    assert text.count('source="auto"') == 4
    assert text.count('<attribute name="score">0.625</attribute>') == 3
    assert text.count('<attribute name="track_id">') == 3
    assert text.count("<name>track_id</name>") == 2  # each label names it
    tasks = json.loads((tmp_path / "ls/tasks.json").read_text())
    results = [r for task in tasks for r in task["annotations"][0]["result"]]
    origins = sorted(result["origin"] for result in results)
    assert origins == ["manual"] * 5 + ["prediction"] * 4 + ["prediction-changed"]
    assert sum(result.get("score") == 0.625 for result in results) == 3
