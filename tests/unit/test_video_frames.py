"""Frames of videos: at an interval, with their time, similar ones passed over."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from import_data import check, files_below, put, state

from core.common.errors import BatmanError, Cancelled, ImportFailed
from core.common.temporary import name_beside
from core.data.importers import import_video, list_imports
from core.data.importers.video.child import import_video_in_child, require_video
from core.data.store import Project

RATE = 10
av = pytest.importorskip("av", reason="needs the video extra")


@pytest.fixture
def project(tmp_path: Path):
    with Project.create(tmp_path / "cranes") as made:
        yield made


def film(path: Path, scenes: list[int], *, each: int = 10) -> Path:
    """Write a video of 64×48 at 10 frames a second; each scene is `each` frames of a pattern."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for scene in scenes:
            picture = np.random.default_rng(scene).integers(0, 255, (6, 8, 3), dtype=np.uint8)
            pixels = np.ascontiguousarray(picture.repeat(8, axis=0).repeat(8, axis=1))
            for _ in range(each):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


def frames(project: Project) -> list[tuple[Any, ...]]:
    rows = project.db.execute("SELECT grp, name, time FROM v_images ORDER BY id")
    return [(row[0], row[1], round(row[2], 3)) for row in rows]


@pytest.mark.parametrize(
    ("interval", "numbers"),
    [
        ({}, [0, 10, 20]),
        ({"every_s": 0.5}, [0, 5, 10, 15, 20, 25]),
        ({"every_s": 0.75}, [0, 8, 15, 23]),
        ({"every_s": 99}, [0]),
        ({"every_s": 0.001}, list(range(30))),
        ({"every_frames": 7}, [0, 7, 14, 21, 28]),
        ({"every_frames": 1}, list(range(30))),
    ],
)
def test_intervals(
    project: Project, tmp_path: Path, interval: dict[str, Any], numbers: list[int]
) -> None:
    video = film(tmp_path / "yard.avi", [1, 2, 3])
    report = import_video(project, video, **interval)
    assert frames(project) == [
        ("yard", f"yard_{number:06d}.jpg", pytest.approx(number / RATE)) for number in numbers
    ]
    assert (report.images, report.annotations, report.kind) == (len(numbers), 0, "video")
    check(project)
    size = project.db.execute("SELECT width, height FROM v_images").fetchone()
    assert tuple(size) == (64, 48)
    assert sorted(entry.name for entry in project.images_dir.iterdir()) == ["1"]


def test_similar_frames_are_passed_over_on_request(project: Project, tmp_path: Path) -> None:
    video = film(tmp_path / "yard.avi", [1, 2, 1])
    import_video(project, video, every_frames=2, skip_similar=True)
    assert [time for _, _, time in frames(project)] == [0, 1, 2]
    (row,) = list_imports(project)
    (about,) = row.detail["videos"]
    assert (about["frames"], about["taken"], about["similar"]) == (30, 3, 12)
    assert (row.origin, about["path"]) == (str(video), str(video))


def test_many_videos_are_one_step_and_keep_apart(project: Project, tmp_path: Path) -> None:
    film(tmp_path / "set" / "a.avi", [1])
    film(tmp_path / "set" / "b.AVI", [2])
    film(tmp_path / "other" / "a.mp4", [3])
    import_video(project, [tmp_path / "set", tmp_path / "other" / "a.mp4"])
    assert frames(project) == [
        ("a", "a_000000.jpg", 0), ("b", "b_000000.jpg", 0), ("a (2)", "a (2)_000000.jpg", 0),
    ]  # fmt: skip
    assert len(project.history()) == 1
    project.undo()
    assert frames(project) == []


def test_videos_in_folders_below_are_found(project: Project, tmp_path: Path) -> None:
    film(tmp_path / "set" / "monday" / "cam.avi", [1])
    film(tmp_path / "set" / "tuesday" / "late" / "cam.avi", [2])
    film(tmp_path / "set" / ".trash" / "old.avi", [3])
    (tmp_path / "set" / "round").symlink_to(tmp_path / "set")
    import_video(project, tmp_path / "set")
    assert [group for group, _, _ in frames(project)] == ["cam", "cam (2)"]


def test_a_damaged_video_gives_what_is_before_the_damage(project: Project, tmp_path: Path) -> None:
    whole = film(tmp_path / "whole.avi", [1, 2, 3])
    cut = put(tmp_path / "cut.avi", whole.read_bytes()[: int(whole.stat().st_size * 0.9)])
    junk = put(tmp_path / "junk.mp4", b"no film at all" * 50)
    report = import_video(project, [whole, cut, junk], every_frames=1)
    groups = [group for group, _, _ in frames(project)]
    assert groups.count("whole") == 30
    assert 0 < groups.count("cut") < 30
    assert report.counts() == {"damaged video": 1, "unreadable video": 1}
    assert "of about 30 frames" in report.problems[0].detail
    check(project)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every_s": 1, "every_frames": 1}, "not both"),
        ({"every_frames": 0}, "at least one frame"),
        ({"every_s": 0}, "longer than no time"),
        ({"every_s": float("nan")}, "longer than no time"),
    ],
)
def test_senseless_intervals(
    project: Project, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ImportFailed, match=message):
        import_video(project, tmp_path / "x.mp4", **options)


def test_what_is_no_video_changes_nothing(project: Project, tmp_path: Path) -> None:
    put(tmp_path / "set" / "a.txt", "x")
    before = state(project)
    for source, message in (
        (tmp_path / "none.mp4", "There is no"),
        (tmp_path / "set", r"no video in .*a\.txt"),
        (tmp_path / "set" / "a.txt", "no image to import"),
        ([], "No video was named"),
    ):
        with pytest.raises(ImportFailed, match=message):
            import_video(project, source)
    assert state(project) == before
    assert files_below(project.images_dir) == {}


def test_stopping_leaves_nothing(project: Project, tmp_path: Path) -> None:
    video = film(tmp_path / "yard.avi", [1, 2, 3])
    stop = iter([False] * 3)
    with pytest.raises(Cancelled):
        import_video(project, video, every_frames=1, cancelled=lambda: next(stop, True))
    assert list(project.images_dir.iterdir()) == []
    assert frames(project) == []


def test_frames_of_a_killed_import_go_with_the_next(project: Project, tmp_path: Path) -> None:
    mine = name_beside(project.images_dir / "incoming")
    # A process number that none can have: Linux gives out less than 2^22.
    dead = mine.with_name(mine.name.replace(f"-{os.getpid()}-", "-4194399-"))
    for folder in (mine, dead):
        put(folder / "0.jpg", "x")
    import_video(project, film(tmp_path / "yard.avi", [1]))
    assert sorted(entry.name for entry in project.images_dir.iterdir()) == sorted(["1", mine.name])


def test_a_group_is_of_one_video_whatever_its_name(project: Project, tmp_path: Path) -> None:
    first = film(tmp_path / "monday" / "yard.avi", [1])
    second = film(tmp_path / "tuesday" / "yard.avi", [2])
    import_video(project, first)
    import_video(project, second)
    # Other frames of the same video belong with the ones that are there.
    import_video(project, [second, first], every_frames=5)
    assert [frame[:2] for frame in frames(project)] == [
        ("yard", "yard_000000.jpg"), ("yard (2)", "yard (2)_000000.jpg"),
        ("yard (2)", "yard (2)_000005.jpg"), ("yard", "yard_000005.jpg"),
    ]  # fmt: skip
    check(project)


def test_frames_taken_again_are_neither_doubled_nor_numbered_anew(
    project: Project, tmp_path: Path
) -> None:
    video = film(tmp_path / "yard.avi", [1, 2, 3])
    import_video(project, video)
    before = project.db.execute("SELECT id, name, path, time FROM v_images").fetchall()
    with project.change("splits.set", "set") as change:
        change.update_many("images", ["split"], [(row["id"], "valid") for row in before])
    with pytest.raises(ImportFailed, match="All 3 frames at this interval are in the project"):
        import_video(project, video)
    # Moved since, and known all the same; a copy of it is the same video too.
    (tmp_path / "kept").mkdir()
    moved = video.rename(tmp_path / "kept" / "night.avi")
    put(tmp_path / "copy.avi", moved.read_bytes())
    report = import_video(project, [moved, tmp_path / "copy.avi"], every_s=0.5)
    assert (report.images, report.counts()) == (3, {"frames there already": 2})
    assert [problem.detail for problem in report.problems] == ["3 frames", "6 frames"]
    rows = project.db.execute("SELECT id, name, path, time, split FROM v_images ORDER BY id")
    after = [tuple(row) for row in rows]
    assert [row[:4] for row in after[:3]] == [tuple(row) for row in before]
    assert {row[4] for row in after} == {"valid"}
    names = [row[0] for row in project.db.execute("SELECT name FROM v_images ORDER BY time")]
    assert names == [f"yard_{number:06d}.jpg" for number in (0, 5, 10, 15, 20, 25)]
    check(project)


def test_another_video_of_the_same_path_is_another_video(project: Project, tmp_path: Path) -> None:
    video = film(tmp_path / "yard.avi", [1])
    import_video(project, video)
    film(video, [2])
    import_video(project, video)
    assert [group for group, _, _ in frames(project)] == ["yard", "yard (2)"]


def test_frames_that_were_taken_out_come_in_again(project: Project, tmp_path: Path) -> None:
    video = film(tmp_path / "yard.avi", [1, 2])
    import_video(project, video)
    with project.change("images.remove", "remove") as change:
        change.update("images", 2, {"deleted": 1})
    assert import_video(project, video).images == 1
    assert [time for _, _, time in frames(project)] == [0, 1]


def test_what_looks_like_a_frame_that_is_there_is_passed_over(
    project: Project, tmp_path: Path
) -> None:
    video = film(tmp_path / "yard.avi", [1, 2])
    import_video(project, video)
    with pytest.raises(ImportFailed, match="All 2 frames"):
        import_video(project, video, every_frames=5, skip_similar=True)


def test_frames_taken_by_a_child_are_the_same(project: Project, tmp_path: Path) -> None:
    video = film(tmp_path / "set" / "yard.avi", [1, 2])
    (tmp_path / "set" / "junk.mp4").write_bytes(b"no video")
    seen: list[str] = []
    report = import_video_in_child(
        project.path, [tmp_path / "set"], every_s=0.5, progress=lambda at: seen.append(at.stage)
    )
    assert [frame[1] for frame in frames(project)] == [f"yard_{n:06d}.jpg" for n in (0, 5, 10, 15)]
    assert "frames of yard.avi" in seen
    with Project.create(tmp_path / "other") as other:
        assert report == import_video(other, [tmp_path / "set"], every_s=0.5)
    with pytest.raises(ImportFailed, match="are in the project already"):
        import_video_in_child(project.path, video, every_s=0.5)
    with pytest.raises(Cancelled):
        import_video_in_child(project.path, video, every_frames=1, cancelled=lambda: True)
    check(project)
    with pytest.raises(BatmanError, match=r"'junk.mp4' cannot be read as a video"):
        require_video(tmp_path / "set" / "junk.mp4")
