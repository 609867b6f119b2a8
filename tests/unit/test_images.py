"""Images of a project: filters, lines, deletion; splits by hand and drawn; small pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from batman_tui.images.choices import DRAW, narrowings, quoted, splits
from cli.exits import Exit
from cli.main import main
from core.common.errors import ConfigError, ProjectError
from core.data.classes import class_ids, list_classes, merge
from core.data.health import before_training, check, one_line
from core.data.health.report import finding_images
from core.data.images.class_colours import class_colour
from core.data.images.exif_orientation import turned
from core.data.images.filter import filter_problems, find_images, parse_filter, unfinished
from core.data.images.rows import Box, delete_images, image_boxes, image_lines
from core.data.images.thumbnails import (
    Crop,
    class_crops,
    class_strip,
    crop,
    picture,
    with_boxes,
)
from core.data.splits.edit import draw_splits, images_by_split, set_splits, split_counts
from core.data.store import Project

SHARES = (0.7, 0.15, 0.15)
GREEN, RED = (0, 200, 0), (220, 0, 0)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Twelve images of two imports; a crane on the even ones, a safety vest on every third.

    Images 1 to 4 are frames of one video. A picture is green with a red square where the box is.
    """
    with Project.create(tmp_path / "p") as made:
        with made.change("import", "made") as change:
            labels = {}
            for name in ("crane", "safety vest"):
                of = change.insert("classes", {"name": name})
                labels[name] = change.insert(
                    "labels", {"import_id": 1, "name": name, "class_id": of}
                )
            for number in (1, 2):
                change.insert(
                    "imports", {"kind": "made", "origin": "here", "at": "2026-03-14", "active": 1}
                )
                (made.images_dir / str(number)).mkdir()
            for number in range(1, 13):
                imported = 1 if number <= 8 else 2
                path = f"{imported}/frame_{number:02}.png"
                image = Image.new("RGB", (80, 60), GREEN)
                image.paste(RED, (20, 10, 40, 30))
                image.save(made.images_dir / path)
                change.insert(
                    "images",
                    {
                        "import_id": imported,
                        "path": path,
                        "name": Path(path).name,
                        "width": 80,
                        "height": 60,
                        "split": ("train", "valid", None)[number % 3],
                        "grp": "video" if number <= 4 else None,
                    },
                )
                for name, every in (("crane", 2), ("safety vest", 3)):
                    if number % every == 0:
                        change.insert(
                            "annotations",
                            {
                                "image_id": number,
                                "label_id": labels[name],
                                "x": 20,
                                "y": 10,
                                "w": 20,
                                "h": 20,
                            },
                        )
        yield made


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", list(range(1, 13))),
        ("FRAME_1", [10, 11, 12]),
        ("frame_ 05", [5]),
        ("class:crane", [2, 4, 6, 8, 10, 12]),
        ('class:"safety vest"', [3, 6, 9, 12]),
        ('class:"safety v', [3, 6, 9, 12]),
        ("class:Vest split:train", [3, 6, 9, 12]),
        ("split:none", [2, 5, 8, 11]),
        ("split:v", [1, 4, 7, 10]),
        ("split:elsewhere", []),
        ("import:2", [9, 10, 11, 12]),
        ("import:two", []),
        ("video:video", [1, 2, 3, 4]),
        ("video:video split:none", [2]),
        ("video:vid", []),
        ("is:unlabelled", [1, 5, 7, 11]),
        ("is:unlabelled import:1 0", [1, 5, 7]),
        ("is:unlabeled", [1, 5, 7, 11]),
        ("is:labelled", []),
        ("finding:leakage", [3, 4]),
        ("finding:no-such", []),
        ("class:", list(range(1, 13))),
        ("%", []),
        ("class:%", []),
    ],
)
def test_a_filter_finds(project: Project, text: str, ids: list[int]) -> None:
    wanted = parse_filter(text, {"leakage": frozenset({3, 4})})
    assert find_images(project, wanted) == ids


def test_a_class_that_has_the_whole_name_is_meant_alone(project: Project) -> None:
    with project.change("classes", "another") as change:
        of = change.insert("classes", {"name": "cran"})
        label = change.insert("labels", {"import_id": 1, "name": "cran", "class_id": of})
        change.insert(
            "annotations", {"image_id": 5, "label_id": label, "x": 0, "y": 0, "w": 9, "h": 9}
        )
    assert find_images(project, parse_filter("class:CRAN")) == [5]
    with project.change("classes", "in capitals") as change:
        of = change.insert("classes", {"name": "CRAN"})
        label = change.insert("labels", {"import_id": 1, "name": "CRAN", "class_id": of})
        change.insert(
            "annotations", {"image_id": 7, "label_id": label, "x": 0, "y": 0, "w": 9, "h": 9}
        )
    assert find_images(project, parse_filter("class:CRAN")) == [7]
    assert find_images(project, parse_filter("class:cran")) == [5]
    assert find_images(project, parse_filter("class:Cran")) == [5, 7]
    assert 5 in find_images(project, parse_filter("class:cra"))


def test_capitals_and_accents_of_any_language_are_told(project: Project) -> None:
    with project.change("classes", "foreign") as change:
        of = change.insert("classes", {"name": "Stra\u00dfe \u00c9"})
        label = change.insert("labels", {"import_id": 1, "name": "s", "class_id": of})
        change.insert(
            "annotations", {"image_id": 5, "label_id": label, "x": 0, "y": 0, "w": 9, "h": 9}
        )
        change.update("images", 7, {"name": "Sp\u00e4\u00dfe_07.png"})
    for text in ('class:"STRASSE \u00e9"', 'class:"strasse e\u0301"', "class:\u00e9"):
        assert find_images(project, parse_filter(text)) == [5], text
    for text in ("SP\u00c4SSE", "spa\u0308ss", "\u00c4 _07 split:valid"):
        assert find_images(project, parse_filter(text)) == [7], text
    assert find_images(project, parse_filter("\u00c4 frame")) == []


def test_a_class_with_quotes_is_found_as_a_choice_of_the_screen(project: Project) -> None:
    with project.change("classes", "quotes") as change:
        for image, name in ((5, '"quoted"'), (6, '12" wheel'), (7, '" ""')):
            of = change.insert("classes", {"name": name})
            label = change.insert("labels", {"import_id": 1, "name": name, "class_id": of})
            change.insert(
                "annotations",
                {"image_id": image, "label_id": label, "x": 0, "y": 0, "w": 9, "h": 9},
            )
    for image, name in ((5, '"quoted"'), (6, '12" wheel'), (7, '" ""')):
        assert find_images(project, parse_filter(f"{quoted('class', name)} frame")) == [image], name


@pytest.mark.parametrize(
    ("text", "key"),
    [("class:", "class:"), ("a split: b", "split:"), ('class:""', 'class:""'), ("is:x b:", None)],
)
def test_keys_without_a_value_are_found(text: str, key: str | None) -> None:
    assert unfinished(text) == key


@pytest.mark.parametrize(
    ("text", "message", "way"),
    [
        ("clas:crane", "There is no 'clas:' in a filter.", "Did you mean 'class'?"),
        (
            "cam:3.jpg",
            "There is no 'cam:' in a filter.",
            "a name that holds it: name:cam:3.jpg",
        ),
        ("class:cranne", "The project has no class 'cranne'.", "Did you mean 'crane'?"),
        ("split:vaild", "There is no split 'vaild'.", "Did you mean 'valid'?"),
        ("import:9", "The project has no import '9'.", "It has 1"),
        ("is:unlabled", "'is:unlabled' says nothing of an image.", "'unlabelled'"),
        ("source:modle", "No label comes from 'modle'.", "Did you mean 'model'?"),
        ("score:high", "'high' is no score.", "score:<0.6"),
        ("finding:leakge", "The check found no 'leakge'.", "Did you mean 'leakage'?"),
    ],
)
def test_what_a_filter_cannot_mean_is_said(
    project: Project, text: str, message: str, way: str
) -> None:
    ((said, hint),) = filter_problems(project, text, ("leakage", "class-scarce"))
    assert said == message
    assert way in hint


def test_terms_that_can_be_meant_have_no_problem(project: Project) -> None:
    good = (
        "class:CRA split:v import:1 is:un source:m score:>=0.3 finding:leakage model:any "
        "12:30.jpg name:cam:3 class: C:9"
    )
    assert list(filter_problems(project, good, ("leakage",))) == []
    assert list(filter_problems(project, "finding:anything")) == []
    assert parse_filter("name:cam:3 frame").words == ("cam:3", "frame")


def test_orders(project: Project) -> None:
    by_boxes = find_images(project, order="boxes", reverse=True)
    assert by_boxes[:2] == [6, 12]
    assert set(by_boxes[-4:]) == {1, 5, 7, 11}
    assert find_images(project, order="split")[:4] == [3, 6, 9, 12]
    assert find_images(project, order="split")[-4:] == [2, 5, 8, 11]
    assert find_images(project, order="name", reverse=True)[0] == 12


def test_lines_say_what_is_on_an_image(project: Project) -> None:
    first, second = image_lines(project, [6, 999, 5])
    assert (first.id, first.boxes) == (6, 2)
    assert first.classes == (("crane", 1), ("safety vest", 1))
    assert (second.id, second.split, second.boxes, second.classes) == (5, None, 0, ())
    merge(project, ["crane", "safety vest"], "thing")
    assert image_lines(project, [6])[0].classes == (("thing", 2),)


def test_deleted_images_go_with_their_boxes_and_come_back(project: Project) -> None:
    entry = delete_images(project, [6, 7])
    assert entry is not None
    assert entry.summary == "Deleted 2 images with 2 annotations"
    assert 6 not in find_images(project)
    assert [row.annotations for row in list_classes(project)] == [5, 3]
    assert delete_images(project, [6, 7]) is None
    project.undo()
    assert find_images(project) == list(range(1, 13))
    assert [row.annotations for row in list_classes(project)] == [6, 4]


def test_images_of_a_finding(project: Project) -> None:
    with project.change("edit", "a flat box") as change:
        change.update("annotations", 1, {"h": 0})
    report = check(project, files="skip")
    flat, scarce = report.find("box-degenerate"), report.find("class-scarce")
    assert flat is not None
    assert scarce is not None
    assert finding_images(project, flat) == {2}
    assert finding_images(project, scarce) == {2, 3, 4, 6, 8, 9, 10, 12}


# Splits


def test_a_split_set_by_hand_takes_the_video_along(project: Project) -> None:
    entry = set_splits(project, [1, 5], "test")
    assert entry is not None
    assert entry.detail == {"split": "test", "images": 5, "along": 3}
    assert find_images(project, parse_filter("split:test")) == [1, 2, 3, 4, 5]
    assert set_splits(project, [1, 5], "test") is None
    project.undo()
    assert find_images(project, parse_filter("split:test")) == []
    set_splits(project, [1], "test", groups=False)
    assert find_images(project, parse_filter("split:test")) == [1]
    assert split_counts(project).torn == 1
    set_splits(project, [1], None, groups=False)
    assert 1 in find_images(project, parse_filter("split:none"))


def test_a_split_that_is_none_is_refused(project: Project) -> None:
    with pytest.raises(ConfigError, match=r"'val'; did you mean 'valid'\?"):
        set_splits(project, [1], "val")


def test_counts_by_class(project: Project) -> None:
    counts = split_counts(project)
    assert counts.images == {"train": 4, "valid": 4, "test": 0, "none": 4}
    crane, vest = counts.classes
    assert crane.annotations == {"train": 2, "valid": 2, "test": 0, "none": 2}
    assert vest.images == {"train": 4, "valid": 0, "test": 0, "none": 0}


def test_few_are_counted_as_many_are(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    merge(project, ["crane"], "safety vest")  # a class of two labels, images with both
    delete_images(project, [9, 10])
    few = split_counts(project)
    monkeypatch.setattr("core.data.splits.edit._FEW", -1)
    assert split_counts(project) == few
    (vest,) = few.classes
    assert sum(vest.annotations.values()) > sum(vest.images.values()) > 0


def test_what_images_can_be_narrowed_to_and_put_into(project: Project) -> None:
    delete_images(project, [9, 10, 11, 12])
    set_splits(project, [5, 6, 7, 8], "test")
    assert images_by_split(project) == {"train": 1, "valid": 2, "test": 4, "none": 1}
    items = narrowings(project, {"leakage": frozenset({3, 4}), "blurred": frozenset()})
    assert {item.value: item.count for item in items} == {
        "split:train": 1,
        "split:valid": 2,
        "split:test": 4,
        "split:none": 1,
        "is:unlabelled": 3,
        "finding:leakage": 2,
        "import:1": 8,
        'class:"crane"': 4,
        'class:"safety vest"': 2,
    }
    for item in items:
        if not item.value.startswith("finding:"):
            assert len(find_images(project, parse_filter(item.value))) == item.count, item.value
    assert [(item.value, item.name, item.count) for item in splits(project)] == [
        ("train", "train", 1),
        ("valid", "valid", 2),
        ("test", "test", 4),
        ("none", "no split", 1),
        (DRAW, "draw every image anew …", 8),
    ]


def test_ids_of_classes(project: Project) -> None:
    assert class_ids(project) == {row.name: row.id for row in list_classes(project)}
    merge(project, ["crane"], "safety vest")
    assert class_ids(project).keys() == {"safety vest"}


def test_drawn_splits_are_one_step_and_keep_videos_whole(project: Project) -> None:
    before = split_counts(project)
    entry, plan = draw_splits(project, SHARES, 7)
    assert entry is not None
    assert plan.counts() == {
        name: count for name, count in split_counts(project).images.items() if name != "none"
    }
    assert split_counts(project).torn == 0
    again, _ = draw_splits(project, SHARES, 7)
    assert again is None
    project.undo()
    assert split_counts(project) == before


def test_drawing_for_those_without_a_split_leaves_the_others(project: Project) -> None:
    draw_splits(project, SHARES, 7, policy="auto")
    assert split_counts(project).images["none"] == 0
    assert set(find_images(project, parse_filter("split:train"))) >= {3, 6, 9, 12}


@pytest.mark.parametrize(
    "shares", [(0.5, 0.2, 0.2), (1.2, -0.2, 0.0), (0.0, 0.5, 0.5), (float("nan"), 0.5, 0.5)]
)
def test_wrong_shares(project: Project, shares: tuple[float, float, float]) -> None:
    with pytest.raises(ConfigError, match="sum to 1"):
        draw_splits(project, shares, 1)


def test_the_command(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--project", str(project.path)]
    assert main(["splits", "set", "test", "--where", "import:2", *where]) == Exit.OK
    assert main(["splits", "set", "valid", "--images", "frame_05.png", *where]) == Exit.OK
    capsys.readouterr()
    assert main(["splits", "show", "--json", *where]) == Exit.OK
    told = json.loads(capsys.readouterr().out)
    assert told["images"] == {"train": 2, "valid": 4, "test": 4, "none": 2}
    assert main(["splits", "set", "test", "--images", "no.png", *where]) == Exit.WRONG
    assert "no image named 'no.png'" in capsys.readouterr().err
    assert main(["splits", "draw", "--seed", "3", *where]) == Exit.OK
    assert "Drew splits with seed 3" in capsys.readouterr().out
    assert main(["splits", "show", *where]) == Exit.OK
    assert "safety vest" in capsys.readouterr().out


# Pictures


def near(pixel: object, colour: tuple[int, int, int]) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(have - want) < 40 for have, want in zip(pixel, colour, strict=True))


def test_a_picture_fills_the_room_and_keeps_its_shape(project: Project) -> None:
    file = project.images_dir / "1/frame_02.png"
    assert picture(file, (40, 100)).size == (40, 30)
    assert picture(file, (400, 60)).size == (80, 60)
    assert picture(file, (1, 1)).size == (1, 1)


def test_boxes_are_drawn_where_they_are(project: Project) -> None:
    file = project.images_dir / "1/frame_02.png"
    boxes = image_boxes(project, 2)
    assert [box.class_name for box in boxes] == ["crane"]
    shown = with_boxes(file, (80, 60), boxes, (160, 120))
    colour = class_colour(boxes[0].class_id)
    assert shown.getpixel((40, 20)) == colour
    assert shown.getpixel((80, 60)) == colour
    assert near(shown.getpixel((60, 40)), RED)
    assert near(shown.getpixel((10, 10)), GREEN)


def test_boxes_may_be_in_another_scale_past_the_edge_or_thin(project: Project) -> None:
    file = project.images_dir / "1/frame_02.png"
    boxes = [Box(1, 3, "a", -50, -50, 900, 900), Box(2, 4, "b", 400, 300, 0, 0)]
    shown = with_boxes(file, (800, 600), boxes, (80, 60))
    assert shown.getpixel((0, 0)) == class_colour(3)
    assert shown.getpixel((40, 30)) == class_colour(4)


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_a_crop_shows_the_box(tmp_path: Path, kind: str) -> None:
    image = Image.new("RGB", (800, 600), GREEN)
    image.paste(RED, (200, 100, 400, 300))
    file = tmp_path / f"a.{kind}"
    image.save(file, quality=95)
    shown = crop(Crop(file, (800, 600), (200, 100, 200, 200)), (20, 20))
    assert shown.size == (20, 20)
    assert near(shown.getpixel((10, 10)), RED)
    assert near(shown.getpixel((0, 0)), GREEN)
    tall = crop(Crop(file, (80, 60), (20, 10, 5, 20)), (20, 20), margin=0)
    assert tall.size == (5, 20)
    assert near(tall.getpixel((2, 10)), RED)


@pytest.mark.parametrize("side", [20, 160])
def test_a_crop_has_its_box_drawn_around_what_it_is_on(tmp_path: Path, side: int) -> None:
    image = Image.new("RGB", (800, 600), GREEN)
    image.paste(RED, (200, 100, 400, 300))
    file = tmp_path / "a.png"
    image.save(file)
    blue = (0, 0, 255)
    shown = crop(Crop(file, (800, 600), (200, 100, 200, 200), blue), (side, side))
    middle = side // 2
    row = [shown.getpixel((x, middle)) for x in range(side)]
    # A quarter of the box at each side: the box begins at a sixth.
    edge = round(side / 6)
    assert blue in row[max(0, edge - 5) : edge + 1]
    assert blue in row[side - edge - 1 : side - edge + 5]
    assert near(row[0], GREEN), "what is outside of the box is seen"
    assert all(near(pixel, RED) for pixel in row[edge + 2 : side - edge - 2]), "nothing is hidden"
    # A box that the picture ends at: its sides are drawn at the edge.
    whole = crop(Crop(file, (800, 600), (0, 0, 800, 600), blue), (side, side))
    for at in ((0, whole.height // 2), (whole.width - 1, whole.height // 2), (middle, 0)):
        assert near(whole.getpixel(at), blue)


def test_what_cannot_be_read_is_one_clear_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"<html>no image</html>")
    with pytest.raises(ProjectError, match=r"'broken\.jpg' cannot be read"):
        picture(broken, (10, 10))
    with pytest.raises(ProjectError, match=r"'gone\.jpg' is not there"):
        picture(tmp_path / "gone.jpg", (10, 10))
    torn = tmp_path / "torn.png"
    Image.new("RGB", (300, 300), RED).save(torn)
    torn.write_bytes(torn.read_bytes()[:200])
    with pytest.raises(ProjectError, match="cannot be read"):
        picture(torn, (10, 10))
    good = tmp_path / "good.png"
    Image.new("RGB", (10, 10), RED).save(good)
    with pytest.raises(ProjectError, match="outside"):
        crop(Crop(good, (10, 10), (20, 20, 5, 5)), (4, 4))


def test_crops_come_from_all_over_the_project(project: Project) -> None:
    crane = next(row.id for row in list_classes(project) if row.name == "crane")
    names = [item.file.stem for item in class_crops(project, crane, 3)]
    assert len(set(names)) == 3
    assert names[0] == "frame_02"
    assert class_crops(project, crane, 3) == class_crops(project, crane, 3)
    assert len(class_crops(project, crane, 50)) == 6
    assert class_crops(project, 999, 5) == []


def test_a_strip_leaves_out_what_cannot_be_read(project: Project) -> None:
    crane = next(row.id for row in list_classes(project) if row.name == "crane")
    for number in (2, 4, 6):
        (project.images_dir / f"1/frame_{number:02}.png").unlink()
    sheet = class_strip(project, crane, (10, 10), 2, 36)
    assert sheet is not None
    assert sheet.size == (36, 10)
    assert [sheet.getpixel((x, 5))[3] for x in (5, 11, 17, 29)] == [255, 0, 255, 255]  # type: ignore[index]
    for number in (8, 10, 12):
        (project.images_dir / f"{1 if number == 8 else 2}/frame_{number:02}.png").unlink()
    assert class_strip(project, crane, (10, 10), 2, 36) is None


# Before training


def test_training_tells_what_is_grave(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    with project.change("edit", "a flat box and a lost file") as change:
        change.update("annotations", 1, {"h": 0})
    (project.images_dir / "1/frame_04.png").unlink()
    lines = [one_line(finding) for finding in before_training(project.path, 640)]
    assert lines[0] == "Error: 1 box without a width or height (box-degenerate)"
    assert any(line.endswith("(image-missing)") for line in lines)
    assert not any(line.startswith("Notice") for line in lines)
    assert main(["train", "--project", str(project.path), "--dry-run"]) == Exit.OK
    told = capsys.readouterr().out
    assert "(box-degenerate)." in told
    assert "batman check --project p" in told


def test_what_images_show_is_what_the_views_say(project: Project) -> None:
    from core.data.images.images_per_class import boxes_by_image, boxes_shown, classes_shown

    def compare() -> int:
        boxes = project.db.execute(
            "SELECT class_id, image_id FROM v_annotations ORDER BY class_id, image_id"
        ).fetchall()
        found = [tuple(pair) for pair in boxes]
        assert list(zip(*(part.tolist() for part in boxes_shown(project)), strict=True)) == found
        once = sorted(set(found))
        assert list(zip(*(part.tolist() for part in classes_shown(project)), strict=True)) == once
        assert boxes_by_image(project) == dict(
            project.db.execute("SELECT image_id, count(*) FROM v_annotations GROUP BY image_id")
        )
        counts = split_counts(project)
        for row in counts.classes:
            ids = [image for class_id, image in found if class_id == id_of(row.name)]
            assert sum(row.annotations.values()) == len(ids)
            assert sum(row.images.values()) == len(set(ids))
        return len(found)

    def id_of(name: str) -> int:
        return next(row.id for row in list_classes(project) if row.name == name)

    everything = compare()
    assert everything > 0
    delete_images(project, [1, 2, 9])
    assert compare() < everything
    merge(project, ["crane"], "safety vest")
    compare()
    for _ in range(2):
        project.undo()
    assert compare() == everything
    with project.change("nothing", "left") as change:
        change.update_many("labels", ["class_id"], [(1, None), (2, None)])
    assert compare() == 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_their_boxes_are(tmp_path: Path, orientation: int) -> None:
    # A red square near the top left of the upright picture, 60 wide and 80 high.
    upright = Image.new("RGB", (60, 80), GREEN)
    upright.paste(RED, (10, 20, 30, 40))
    stored = turned(upright, {6: 8, 8: 6}.get(orientation, orientation))
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = tmp_path / "phone.png"
    stored.save(file, exif=exif)
    shown = with_boxes(file, (60, 80), [], (60, 80))
    assert shown.size == (60, 80)
    assert shown.getpixel((20, 30)) == RED
    assert shown.getpixel((45, 60)) == GREEN
    cut = crop(Crop(file, (60, 80), (10, 20, 20, 20)), (10, 10), margin=0)
    assert {cut.getpixel((x, y)) for x in (2, 7) for y in (2, 7)} == {RED}
    # Where the project knows another size as it is stored, so are the boxes.
    if stored.size == (60, 80):
        return
    as_it_is = with_boxes(file, stored.size, [], stored.size)
    assert as_it_is.tobytes() == stored.tobytes()
