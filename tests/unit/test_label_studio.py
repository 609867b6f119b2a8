"""Label Studio's JSON and JSON-MIN."""

from __future__ import annotations

from pathlib import Path

from import_data import png
from tool_data import RECTANGLE, annotation, put, read, result, rows, task


def test_label_studio_has_percent_and_turns_about_the_corner(tmp_path: Path) -> None:
    results = [
        result("rectanglelabels", **RECTANGLE),
        result("rectanglelabels", **RECTANGLE | {"x": 50.0, "width": 10.0, "rotation": 90}),
        result("polygonlabels", points=[[10, 10], [20, 10], [20, 50]], closed=True),
        result("ellipselabels", x=50, y=50, radiusX=10, radiusY=10, rotation=90),
        result("brushlabels", format="rle", rle=[0, 1]),
        result("keypointlabels", x=22, y=31, width=0.2),
        {"id": "c", "type": "choices", "value": {"choices": ["good"]}},
        {"id": "r", "type": "rectangle", "value": RECTANGLE, "original_width": 200},
        {"id": "r", "type": "labels", "value": RECTANGLE | {"labels": ["dog"]}},
    ]
    folder = put(
        tmp_path, {"p.json": [task("/data/upload/1/1f2e3d4c-a.png", annotation(*results))]}
    )
    put(folder, {"images/a.png": None})
    data = read("label-studio", folder)
    assert rows(data) == [
        ("a.png", "car", (20, 20, 60, 40)),
        ("a.png", "car", (60, 20, 40, 20)),
        ("a.png", "car", (20, 10, 20, 40)),
        ("a.png", "car", (90, 30, 20, 40)),
        ("a.png", "dog", (20, 20, 60, 40)),
    ]
    assert data.problems.counts == {
        "unsafe file name": 1,
        "shape taken as a box": 2,
        "no box": 2,
    }
    assert data.balance.objects == 7


def test_label_studio_takes_the_latest_annotation_and_no_suggestion(tmp_path: Path) -> None:
    older = annotation(result("rectanglelabels", label="old", **RECTANGLE))
    newer = annotation(
        result("rectanglelabels", label="new", **RECTANGLE), id=8, updated_at="2026-01-01T00:00:00Z"
    )
    skipped = annotation(
        result("rectanglelabels", label="skipped", **RECTANGLE),
        was_cancelled=True,
        updated_at="2027-01-01T00:00:00Z",
    )
    suggestion = {"result": [result("rectanglelabels", label="model", **RECTANGLE)]}
    tasks = [
        task("s3://bucket/a%20b.png", newer, older, skipped, id=1, predictions=[suggestion]),
        task("/data/local-files/?d=set%2Fc.png", annotation(), id=2),
        task("d.png", id=4),
        task("e.png", skipped, id=5),
    ]
    folder = put(tmp_path, {"p.json": tasks, "a b.png": None, "set/c.png": None})
    put(folder, {"d.png": None, "e.png": None})
    data = read("label-studio", folder)
    assert [row[:2] for row in rows(data)] == [("a b.png", "new")]
    assert [picture.name for picture in data.images] == ["a b.png", "c.png"]
    assert data.problems.counts["several annotations"] == 1
    assert data.problems.counts["predictions"] == 1
    assert data.problems.counts["not labelled"] == 2
    assert len(data.balance.left) == 2, "the pictures that are not labelled"


def test_label_studio_has_a_short_json_too(tmp_path: Path) -> None:
    value = RECTANGLE | {
        "rectanglelabels": ["car"],
        "original_width": 200,
        "original_height": 100,
    }
    about = {"annotator": 1, "annotation_id": 4, "created_at": "2025", "lead_time": 2.0}
    old = about | {"updated_at": "2024", "annotation_id": 3}
    records = [
        {"image": "/data/upload/1/1f2e3d4c-a.png", "id": 1, "label": [value]}
        | about
        | {"updated_at": "2025"},
        {"image": "/data/upload/1/1f2e3d4c-a.png", "id": 1, "label": []} | old,
        {"image": "b.png", "id": 2} | about,
    ]
    folder = put(tmp_path, {"min.json": records, "1f2e3d4c-a.png": None, "b.png": None})
    data = read("label-studio", folder)
    assert rows(data) == [("1f2e3d4c-a.png", "car", (20, 20, 60, 40))]
    assert len(data.images) == 2


def test_label_studio_has_several_pictures_in_one_task(tmp_path: Path) -> None:
    second = result("rectanglelabels", **RECTANGLE) | {"item_index": 1}
    tasks = [task("", annotation(second), data={"pages": ["a.png", "b.png"]})]
    data = read("label-studio", put(tmp_path, {"p.json": tasks, "a.png": None, "b.png": None}))
    assert rows(data) == [("b.png", "car", (20, 20, 60, 40))]
    assert len(data.images) == 2


# What `mask2rle` of label-studio-sdk 2.1.2 makes of 6 rows of 10 pixels, of which columns 3 to 6 of
# rows 2 to 4 are set, and column 8 of row 4.
BRUSH = [
    *(0, 0, 0, 240, 57, 27, 254, 91, 0, 191, 255, 133, 192),
    *(47, 255, 225, 112, 11, 255, 241, 128, 71, 255, 138, 192, 0),
]  # fmt: skip


def test_a_brush_is_the_box_around_its_pixels(tmp_path: Path) -> None:
    size = {"original_width": 10, "original_height": 6}
    brushes = [
        result("brushlabels", format="rle", rle=BRUSH) | size,
        result("brushlabels", format="rle", rle=BRUSH[:9]) | size,
        result("brushlabels", format="rle", rle=BRUSH),
        result("brushlabels", format="rle", rle=["a", 300]) | size,
    ]
    folder = put(tmp_path, {"p.json": [task("a.png", annotation(*brushes))]})
    (folder / "a.png").write_bytes(png(10, 6))
    data = read("label-studio", folder)
    assert rows(data) == [("a.png", "car", (3, 2, 6, 3))]
    assert data.area == {0: 13}
    assert data.problems.counts == {"shape taken as a box": 1, "no box": 3}
