"""Tracks of a video: listed, split, merged, re-classed, drawn between keyframes, linked, undone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.common.errors import Cancelled
from core.data.labels.bulk import accept_all
from core.data.labels.edit import edit
from core.data.labels.ops import parse_ops
from core.data.labels.passes import Found, PassInfo, record_pass
from core.data.labels.tracks import edit as tracks
from core.data.labels.tracks.interpolate import interpolate_track
from core.data.labels.tracks.problems import find_problems
from core.data.labels.tracks.view import list_tracks, list_videos, track_boxes, video_pictures
from core.data.labels.view import LabelError, picture_labels
from core.data.store import HistoryEntry, Project
from core.inference.link_tracks import LinkOptions, link_in_child, link_video

CAR, DOG = 1, 2
PICTURES = 16
TABLES = ("images", "annotations", "labels", "classes", "passes", "suggestions", "tracks")


@pytest.fixture
def project(tmp_path: Path):
    """A video `yard` of 16 pictures of 200 × 100, a second apart, in no order; `gate` of one."""
    with Project.create(tmp_path / "street") as made:
        with made.change("import", "Import") as change:
            change.insert("imports", {"kind": "video", "origin": "o", "at": "2026", "active": 1})
            for name in ("car", "dog"):
                change.insert("classes", {"name": name})
            change.insert("labels", {"import_id": 1, "name": "auto", "class_id": CAR})
            for place in range(PICTURES):
                image(change, f"yard_{place}", "yard", place * 7 % PICTURES)
            image(change, "gate_0", "gate", 0)
        yield made


def image(change: Any, name: str, group: str, time: float | None) -> int:
    row = {"import_id": 1, "path": f"1/{name}.jpg", "name": f"{name}.jpg", "grp": group}
    return int(change.insert("images", {**row, "time": time, "width": 200, "height": 100}))


def at(place: int) -> int:
    """Return the picture that is `place` seconds into the yard."""
    return next(i + 1 for i in range(PICTURES) if i * 7 % PICTURES == place)


def track(project: Project, places: dict[int, tuple[float, ...]], class_id: int = CAR) -> int:
    """Draw a track of the yard: a box by place, (x, y), or (x, y, w, h), or with a class last."""
    with project.change("labels.edit", "draw") as change:
        label = {CAR: 1}.get(class_id) or change.insert(
            "labels", {"import_id": 1, "name": "dog", "class_id": class_id}
        )
        number = change.insert("tracks", {"grp": "yard", "class_id": class_id})
        for place, sides in places.items():
            x, y, w, h = (*sides, 20.0, 20.0)[:4]
            row = {"image_id": at(place), "label_id": label, "x": x, "y": y, "w": w, "h": h}
            change.insert("annotations", {**row, "source": "person", "track": number})
    return number


def suggest(project: Project, *found: tuple[int, Found]) -> None:
    by_image: dict[int, list[Found]] = {at(place): [] for place in range(PICTURES)}
    for place, item in found:
        by_image[at(place)].append(item)
    record_pass(project, PassInfo("run", "shapes-1", (CAR, DOG)), by_image.items())


def places(project: Project, number: int) -> list[int]:
    return [box.picture.place for box in track_boxes(project, number)]


def rows(project: Project) -> list[tuple[object, ...]]:
    return [
        (table, *row) for table in TABLES for row in project.db.execute(f"SELECT * FROM {table}")
    ]


def test_videos_and_tracks_are_listed_in_the_order_of_the_video(project: Project) -> None:
    late = track(project, {9: (0, 0), 12: (5, 5)})
    early = track(project, {3: (0, 50), 1: (9, 50), 2: (5, 50)}, DOG)
    assert [p.name for p in video_pictures(project, "yard")][:3] == [
        "yard_0.jpg", "yard_7.jpg", "yard_14.jpg",
    ]  # fmt: skip
    one, other = list_tracks(project, "yard")
    assert (one.id, one.class_name, one.first.place, one.last.place) == (early, "dog", 1, 3)
    assert (other.id, other.labels, other.sources, other.models) == (late, 2, {"person": 2}, ())
    suggest(project, (13, Found(CAR, (0, 0, 9, 9), 0.9)), (14, Found(CAR, (0, 0, 9, 9), 0.4)))
    project.db.execute("UPDATE suggestions SET track = ?", (late,))
    assert [
        (t.id, t.labels, t.suggestions, t.last.place, t.models) for t in list_tracks(project)
    ] == [(early, 3, 0, 3, ()), (late, 2, 2, 14, ("shapes-1",))]
    assert [(v.name, v.pictures, v.seconds, v.tracks) for v in list_videos(project)] == [
        ("gate", 1, 0.0, 0), ("yard", 16, 15.0, 2),
    ]  # fmt: skip
    with pytest.raises(LabelError, match=r"no video 'yart'.*yard"):
        list_tracks(project, "yart")


def test_pictures_without_a_time_are_in_the_order_of_their_numbers(project: Project) -> None:
    with project.change("import", "more") as change:
        for number in (10, 9, 100):
            image(change, f"frame_{number}", "film", None)
    names = [picture.name for picture in video_pictures(project, "film")]
    assert names == ["frame_9.jpg", "frame_10.jpg", "frame_100.jpg"]


def test_a_split_moves_the_boxes_and_a_merge_puts_them_back(project: Project) -> None:
    number = track(project, {0: (0, 0), 1: (1, 0), 5: (5, 0), 6: (6, 0)})
    entry = tracks.split_track(project, number, at(3))
    new = entry.detail["new"]
    assert (places(project, number), places(project, new)) == ([0, 1], [5, 6])
    assert entry.summary == f"Split track {number} at yard_5.jpg: 2 boxes are track {new}"
    tracks.merge_tracks(project, number, new)
    assert places(project, number) == [0, 1, 5, 6]
    with pytest.raises(LabelError, match=f"no track {new}"):
        track_boxes(project, new)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, a, b: tracks.split_track(p, a, at(0)), "no box before 'yard_0.jpg'"),
        (lambda p, a, b: tracks.split_track(p, a, at(9)), "no box from 'yard_15.jpg' on"),
        (lambda p, a, b: tracks.split_track(p, a, PICTURES + 1), "not of the video 'yard'"),
        (lambda p, a, b: tracks.merge_tracks(p, a, b), r"both on 'yard_7\.jpg': a track has one"),
        (lambda p, a, b: tracks.merge_tracks(p, a, a), "with itself"),
        (lambda p, a, b: tracks.merge_tracks(p, a, 99), "no track 99"),
        (lambda p, a, b: tracks.reclass_track(p, a, 99), "no class 99"),
        (lambda p, a, b: interpolate_track(p, a, at(0), at(5)), "no keyframe on picture"),
        (lambda p, a, b: interpolate_track(p, b, at(1)), "1 keyframe"),
    ],
)
def test_what_makes_no_sense_changes_nothing(
    project: Project, change: Callable[[Project, int, int], object], message: str
) -> None:
    one, other = track(project, {0: (0, 0), 1: (1, 0)}), track(project, {1: (50, 50)})
    before = rows(project)
    with pytest.raises(LabelError, match=message):
        change(project, one, other)
    assert rows(project) == before


def test_a_whole_track_is_re_classed(project: Project) -> None:
    number = track(project, {0: (0, 0), 1: (1, 0)})
    suggest(project, (2, Found(CAR, (0, 0, 20, 20), 0.9, track=7)))
    (model_track,) = (t.id for t in list_tracks(project) if t.id != number)
    tracks.merge_tracks(project, number, model_track)
    tracks.reclass_track(project, number, DOG)
    assert tracks.reclass_track(project, number, DOG) is None
    boxes = [picture_labels(project, at(place)).boxes[0] for place in (0, 1)]
    assert [(box.class_id, box.edited) for box in boxes] == [(DOG, True)] * 2
    tracks.approve_track(project, number, accept=True)
    (taken,) = picture_labels(project, at(2)).boxes
    assert (taken.class_id, taken.source, taken.edited, taken.track) == (DOG, "model", True, number)
    (approved,) = list_tracks(project)
    assert (approved.approved, approved.labels, approved.suggestions) == (True, 3, 0)


def test_boxes_are_drawn_evenly_between_keyframes(project: Project) -> None:
    number = track(project, {2: (0, 0, 10, 10), 6: (40, 20, 30, 10), 8: (40, 40)})
    assert interpolate_track(project, number, at(2), at(6)) is not None
    boxes = {box.picture.place: box for box in track_boxes(project, number)}
    assert [boxes[place].box for place in (3, 4, 5)] == [
        (10, 5, 15, 10), (20, 10, 20, 10), (30, 15, 25, 10),
    ]  # fmt: skip
    assert {boxes[place].source for place in (3, 4, 5)} == {"interpolation"}
    assert 7 not in boxes
    assert interpolate_track(project, number, at(2), at(6)) is None
    # A person's change makes a keyframe of it: the others follow.
    was = {"box": boxes[4].box, "class": CAR}
    edit(project, at(4), parse_ops([
        {"op": "set", "id": boxes[4].id, "was": was, "box": [60, 10, 20, 10]}
    ]))  # fmt: skip
    entry = interpolate_track(project, number)
    assert entry is not None
    assert (entry.detail["drawn"], entry.detail["moved"]) == (1, 2)
    boxes = {box.picture.place: box for box in track_boxes(project, number)}
    assert [boxes[place].box[0] for place in (2, 3, 4, 5, 6, 7, 8)] == [0, 30, 60, 50, 40, 40, 40]
    assert [boxes[place].key for place in (2, 3, 4)] == [True, False, True]


def test_a_track_gets_no_second_box_on_a_picture(project: Project) -> None:
    number = track(project, {0: (0, 0), 4: (40, 0)})
    other = track(project, {0: (0, 50)})
    suggest(project, (2, Found(CAR, (90, 50, 20, 20), 0.9, track=1)))
    (suggested,) = (t.id for t in list_tracks(project) if t.suggestions)
    tracks.merge_tracks(project, number, suggested)
    interpolate_track(project, number)
    assert places(project, number) == [0, 1, 2, 3, 4]
    assert [box.suggested for box in track_boxes(project, number)].index(True) == 2
    add = {"op": "add", "class": CAR, "box": [60, 60, 9, 9], "track": number}
    with pytest.raises(LabelError, match=r"has a box on 'yard_0\.jpg' already"):
        edit(project, at(0), parse_ops([add]))
    with pytest.raises(LabelError, match="no track 99"):
        edit(project, at(0), parse_ops([{**add, "track": 99}]))
    with pytest.raises(LabelError, match="no track"):
        edit(project, PICTURES + 1, parse_ops([add]))
    box = next(box for box in picture_labels(project, at(0)).boxes if box.track == other)
    was = {"box": box.box, "class": CAR}
    with pytest.raises(LabelError, match="already"):
        edit(project, at(0), parse_ops([{"op": "set", "id": box.id, "was": was, "track": number}]))
    # Copied from the picture before, and accepted: drawn, but on no track.
    edit(project, at(2), parse_ops([{**add, "box": [0, 0, 9, 9]}]))
    accept_all(project)
    assert sorted(b.track or 0 for b in picture_labels(project, at(2)).boxes) == [0, number]


def test_a_labellers_numbers_become_tracks_of_each_video(project: Project) -> None:
    record_pass(
        project,
        PassInfo("sam3", "sam3", (CAR,)),
        [
            (at(0), [Found(CAR, (0, 0, 9, 9), 0.9, 5), Found(CAR, (50, 0, 9, 9), 0.8, 5)]),
            (at(1), [Found(CAR, (1, 0, 9, 9), 0.9, 5), Found(CAR, (60, 0, 9, 9), 0.8)]),
            (PICTURES + 1, [Found(CAR, (1, 0, 9, 9), 0.9, 5)]),
        ],
    )
    assert [(t.video, t.suggestions) for t in list_tracks(project)] == [("gate", 1), ("yard", 2)]
    project.undo()
    assert list_tracks(project) == []
    project.redo()
    assert len(list_tracks(project)) == 2


def test_problems_are_found_worst_first(project: Project) -> None:
    bad = track(project, {0: (0, 0), 1: (60, 0), 2: (60, 0, 40, 40), 14: (70, 0, 40, 40)})
    good = track(project, {0: (0, 70), 1: (30, 70), 2: (60, 70, 24, 24), 12: (80, 70, 24, 24)})
    found = find_problems(project, "yard")
    assert [(p.track_id, p.picture.place, p.what, round(p.severity, 2)) for p in found] == [
        (bad, 2, "size jump", 0.69), (bad, 1, "box jump", 0.6), (bad, 14, "gap", 0.24),
    ]  # fmt: skip
    assert [p.says for p in found] == [
        "is 4.0 times as large", "moved by 30% of the picture", "not seen for 11 pictures",
    ]  # fmt: skip
    labels = [box for box in track_boxes(project, good) if box.picture.place == 1]
    with project.change("labels.edit", "a dog") as change:
        tracks.reclass(project, change, labels, DOG)
    worst = find_problems(project)[:2]
    assert [(p.track_id, p.says) for p in worst] == [
        (good, "car became dog"), (good, "dog became car"),
    ]  # fmt: skip
    tracks.approve_track(project, good)
    tracks.approve_track(project, bad)
    assert find_problems(project) == []
    assert len(find_problems(project, approved=True)) == 5


def moving(place: int, y: float = 0.0) -> tuple[float, float, float, float]:
    return (place * 8.0, y, 24.0, 24.0)


def test_linking_follows_objects_from_their_first_box_on(project: Project) -> None:
    suggest(
        project,
        *[(place, Found(CAR, moving(place), 0.9)) for place in range(6)],
        *[(place, Found(DOG if place == 4 else CAR, moving(place, 60), 0.8)) for place in range(8)],
        (3, Found(CAR, (150, 30, 10, 10), 0.9)),
    )
    entry = link_video(project, LinkOptions(project.path, "yard"))
    assert entry is not None
    assert entry.kind == "labels.tracks"
    assert entry.summary == (
        "Linked 14 boxes of yard: 2 new tracks; 1 box met no other and is on none"
    )
    one, other = list_tracks(project, "yard")
    assert {one.suggestions, other.suggestions} == {6, 8}
    assert {one.class_id, other.class_id} == {CAR}
    changes = [p.picture.place for p in find_problems(project) if p.what == "class change"]
    assert changes == [4, 5]
    assert link_video(project, LinkOptions(project.path, "yard")) is None


def test_linking_keeps_what_was_put_right_and_lets_it_grow(project: Project) -> None:
    one = track(project, {0: moving(0), 1: moving(1)})
    other = track(project, {5: moving(5), 6: moving(6), 7: moving(7)})
    tracks.approve_track(project, other)
    suggest(project, *[(place, Found(CAR, moving(place), 0.9)) for place in (2, 3, 8)])
    entry = link_video(project, LinkOptions(project.path, "yard"))
    assert entry is not None
    assert (entry.detail["new"], entry.detail["linked"]) == (0, 3)
    assert places(project, one) == [0, 1]
    assert places(project, other) == [2, 3, 5, 6, 7, 8]
    assert not any(t.approved for t in list_tracks(project))


def test_linking_in_a_child_process_is_the_same_step(project: Project) -> None:
    suggest(project, *[(place, Found(CAR, moving(place), 0.9)) for place in range(4)])
    number = link_in_child(LinkOptions(project.path, "yard"))
    assert number is not None
    assert project.entry(number).detail["linked"] == 4
    with pytest.raises(Cancelled):
        link_video(project, LinkOptions(project.path, "yard"), cancelled=lambda: True)


Step = Callable[[Project, int, int], HistoryEntry | None]
STEPS: dict[str, Step] = {
    "split": lambda p, a, b: tracks.split_track(p, a, at(4)),
    "merge": lambda p, a, b: tracks.merge_tracks(p, a, b),
    "class": lambda p, a, b: tracks.reclass_track(p, a, DOG),
    "approve": lambda p, a, b: tracks.approve_track(p, b, accept=True),
    "remove": lambda p, a, b: tracks.remove_track(p, b),
    "interpolate": lambda p, a, b: interpolate_track(p, a),
    "link": lambda p, a, b: link_video(p, LinkOptions(p.path, "yard")),
}


@pytest.mark.parametrize("name", STEPS)
def test_each_step_is_undone_redone_and_taken_back_alone(project: Project, name: str) -> None:
    one = track(project, {0: moving(0), 4: moving(4)})
    suggest(
        project,
        *[(place, Found(CAR, moving(place, 50), 0.9, track=3)) for place in (1, 2)],
        *[(place, Found(CAR, moving(place, 75), 0.9)) for place in (1, 2)],
    )
    other = next(t.id for t in list_tracks(project) if t.id != one)
    before = rows(project)
    entry = STEPS[name](project, one, other)
    assert entry is not None
    assert entry.kind == "labels.tracks"
    after = rows(project)
    assert after != before
    project.undo(entry.id)
    assert rows(project) == before
    project.redo(entry.id)
    assert rows(project) == after
    # Somebody draws elsewhere meanwhile.
    drawn = edit(project, at(15), parse_ops([{"op": "add", "class": CAR, "box": [9, 9, 9, 9]}]))
    assert project.take_back(entry.id).kind == "labels.undo"
    assert drawn.history_id is not None
    # What the step drew is marked as deleted, never used again for another box.
    marked = project.db.execute("SELECT id FROM annotations WHERE deleted = 1")
    gone = {("annotations", row[0]) for row in marked} - {row[:2] for row in before}
    gone.add(("annotations", drawn.ids[0]))
    kept = [row for row in rows(project) if row[:2] not in gone]
    labels_made = {row[:2] for row in kept} - {row[:2] for row in before}
    assert labels_made <= {row[:2] for row in kept if row[0] == "labels"}
    assert [r for r in kept if r[0] != "labels"] == [r for r in before if r[0] != "labels"]


def test_a_split_that_somebody_drew_on_keeps_its_track_when_taken_back(project: Project) -> None:
    number = track(project, {0: (0, 0), 4: (40, 0)})
    entry = tracks.split_track(project, number, at(4))
    new = entry.detail["new"]
    edit(project, at(5), parse_ops([
        {"op": "add", "class": CAR, "box": [50, 0, 9, 9], "track": new}
    ]))  # fmt: skip
    project.take_back(entry.id)
    assert (places(project, number), places(project, new)) == ([0, 4], [5])
    tracks.merge_tracks(project, number, new)
    assert places(project, number) == [0, 4, 5]
