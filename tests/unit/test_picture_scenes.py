"""What is drawn of a picture's boxes, what stands at them, and what is said of them: no widget."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from batman_tui.pictures.decoded_pictures import DecodedPictures
from batman_tui.pictures.legend import class_keys, legend
from batman_tui.pictures.scene import Kind, Look, Scene, SceneBox, marks, shown_boxes
from batman_tui.pictures.tags import tags
from batman_tui.pictures.thumbnail_page import Tile, badge, caption
from batman_tui.pictures.window import Window, whole
from batman_tui.widgets.picture.box_lines import cells_of
from batman_tui.widgets.picture.marks import Mark

RED, BLUE = (200, 0, 0), (0, 0, 200)
CELL = (1, 2)


def box(
    name: str, kind: Kind = "label", at: tuple[float, float, float, float] = (0, 0, 9, 9),
    score: float | None = None,
) -> SceneBox:  # fmt: skip
    return SceneBox(at, name, RED if name == "RBC" else BLUE, kind, score)


def scene(*boxes: SceneBox, size: tuple[int, int] = (100, 100)) -> Scene:
    return Scene(Path("a.jpg"), size, boxes, "a.jpg")


MANY = scene(
    *[box("RBC", "missed") for _ in range(18)], box("WBC", "missed"),
    *[box("Platelets", "wrong", score=0.5) for _ in range(2)],
    *[box("RBC", "right", score=0.9) for _ in range(34)], *[box("RBC", "found") for _ in range(34)],
)  # fmt: skip


def test_the_legend_is_counts_by_what_became_of_boxes_and_by_class() -> None:
    assert legend(MANY, Look(), 200).plain == (
        "━ too many ■ Platelets 2   ╍ missed ■ RBC 18, ■ WBC 1   ─ right ■ RBC 34"
    )
    labels = scene(box("RBC"), box("WBC"), box("RBC"))
    assert legend(labels, Look(), 80).plain == "─ ■ RBC 2, ■ WBC 1"
    assert legend(scene(), Look(), 80).plain == "no boxes"
    painted = Scene(Path("a.jpg"), (9, 9), drawn=True)
    assert legend(painted, Look(), 80).plain == "", "boxes that are part of the picture"
    assert legend(MANY, Look(), 20).cell_length <= 20


def test_the_legend_says_what_is_not_drawn() -> None:
    assert legend(MANY, Look(hidden=True), 200).plain.startswith("boxes hidden   ")
    said = legend(MANY, Look(only_wrong=True, alone="WBC"), 200)
    assert said.plain.startswith("only wrong   only WBC   ")
    struck = [said.plain[s.start : s.end].strip() for s in said.spans if "strike" in str(s.style)]
    assert "RBC 18" in struck
    assert "WBC 1" not in struck


def test_keys_of_classes_count_from_the_most_frequent() -> None:
    assert class_keys(MANY, Look(off=frozenset({"WBC"})), 80).plain == (
        "1 ■ RBC  2 ■ Platelets  3 □ WBC"
    )


@pytest.mark.parametrize(
    ("look", "shown"),
    [
        (Look(), {"label", "missed", "wrong", "right"}),
        (Look(hidden=True), set()),
        (Look(only_wrong=True), {"missed", "wrong"}),
        (Look(alone="WBC"), {"label"}),
        (Look(off=frozenset({"RBC"})), {"label", "wrong"}),
        (Look(only_wrong=True, off=frozenset({"RBC"})), {"wrong"}),
    ],
)
def test_boxes_are_drawn_as_one_wants(look: Look, shown: set[str]) -> None:
    found = scene(box("WBC"), box("RBC", "missed"), box("Platelets", "wrong"), box("RBC", "right"))
    assert {each.kind for each in shown_boxes(found, look)} == shown


def test_what_is_wrong_is_drawn_over_what_is_right_and_small_over_large() -> None:
    large, small = box("RBC", "right", (0, 0, 50, 50)), box("RBC", "right", (0, 0, 5, 5))
    wrong = box("RBC", "wrong", (0, 0, 90, 90))
    assert shown_boxes(scene(wrong, small, large), Look()) == [large, small, wrong]
    # Beside many boxes those that were found are left out: what found them is there.
    assert "found" not in {each.kind for each in shown_boxes(MANY, Look())}
    few = scene(box("RBC", "right"), box("RBC", "found"))
    assert [each.kind for each in shown_boxes(few, Look())] == ["found", "right"]


def test_one_class_alone_goes_round_and_all_come_between() -> None:
    look, names = Look(hidden=True, off=frozenset({"b"})), ["a", "b"]
    seen = []
    for _ in range(3):
        look = look.next_alone(names, 1)
        seen.append(look.alone)
    assert seen == ["a", "b", None]
    assert not look.hidden
    assert Look().next_alone(names, -1).alone == "b"
    assert Look(alone="gone").next_alone(names, 1).alone == "a"
    assert Look(alone="a").toggled("b") == Look(off=frozenset({"b"}))


def placed(*boxes: SceneBox, shown: tuple[int, int] = (100, 100)) -> list[tuple[int, int, str]]:
    window = Window(0, 0, 100, 100, shown)
    return [(each.line, each.column, each.text) for each in tags(boxes, window, CELL)]


def test_a_tag_lies_on_the_upper_line_of_its_box_and_is_as_long_as_fits() -> None:
    wide = (10, 20, 40, 30)
    assert placed(box("RBC", "missed", wide)) == [(10, 11, "missed RBC")]
    assert placed(box("RBC", "wrong", wide, 0.62)) == [(10, 11, "+RBC .62")]
    assert placed(box("RBC", "right", wide, 0.9)) == [(10, 11, "RBC .90")]
    assert placed(box("RBC", "open", wide, 0.9)) == [(10, 11, "?RBC .90")]
    assert placed(box("RBC", "missed", (10, 20, 8, 30))) == [(9, 10, "missed RBC")]
    # What is right and has no room has no name; what is wrong always has a sign.
    assert placed(box("RBC", "right", (10, 20, 4, 30), 0.9)) == []
    assert placed(box("RBC", "label", (10, 20, 6, 30))) == [(10, 11, "RBC")]


def test_an_object_that_was_taken_for_another_class_has_one_tag_for_both() -> None:
    missed = box("RBC", "missed", (10, 20, 40, 30))
    wrong = box("WBC", "wrong", (11, 21, 40, 30), 0.6)
    assert placed(missed, wrong) == [(10, 12, "−RBC +WBC .60")]
    narrow = [replace(each, box=(10, 20, 8, 30)) for each in (missed, wrong)]
    assert placed(*narrow) == [(9, 10, "−RBC +WBC .60")]
    assert placed(*(replace(each, box=(0, 0, 8, 90)) for each in (missed, wrong))) == [
        (45, 0, "−RBC +WBC .60")
    ]
    tiny = [replace(each, box=(88, 0, 12, 12), name=each.name * 9) for each in (missed, wrong)]
    assert placed(*tiny, shown=(20, 20)) == [(2, 11, "−RBC +WBC")]
    # Each its own: a loose box of the same class, one elsewhere, one more at the same place.
    loose, apart = (30, 20, 40, 30), (55, 60, 40, 30)
    assert len(placed(missed, replace(wrong, name="RBC", box=loose))) == 2
    assert len(placed(missed, replace(wrong, box=apart))) == 2
    twice = placed(missed, wrong, replace(wrong, box=(14, 24, 40, 30), score=0.7))
    assert sorted(text for *_, text in twice) == ["+WBC .70", "−RBC +WBC .60"]
    # Where the wrong one is not wanted the missed one has its own.
    assert placed(missed) == [(10, 11, "missed RBC")]


def test_tags_do_not_lie_on_each_other_nor_on_upper_left_corners() -> None:
    boxes = [
        box("RBC", "missed" if n % 2 else "wrong", (7 * (n % 9), 9 * (n // 9), 14, 12), 0.5)
        for n in range(60)
    ]
    window = Window(0, 0, 100, 100, (100, 100))
    found = tags(boxes, window, CELL)
    cells = [(each.line, each.column + n) for each in found for n in range(len(each.text))]
    assert len(cells) == len(set(cells))
    corners = {cells_of(Mark(window.view_corners(each.box), RED), CELL)[1::-1] for each in boxes}
    assert not corners & set(cells)
    assert len(found) > 40


def test_what_is_wrong_has_its_sign_however_crowded_it_is() -> None:
    """Scenes by chance, of 25 boxes in 60 by 20 cells: a third wrong, some taken for another."""
    for seed in range(100):
        dice = random.Random(seed)
        boxes = []
        for number in range(24):
            at = (dice.randrange(52), dice.choice([0, dice.randrange(34)]),
                  dice.randrange(6, 16), dice.randrange(8, 20))  # fmt: skip
            kind: Kind = "right" if number % 3 else dice.choice(["missed", "wrong"])
            boxes.append(box("RBC", kind, at, None if kind == "missed" else 0.9))
        boxes += [box("RBC", "missed", at), box("WBC", "wrong", at, 0.8)]
        window = Window(0, 0, 60, 40, (60, 40))
        mixed_up = 1 + sum(each.kind == "missed" and each.box == at for each in boxes[:-2])
        wrong = sum(each.is_wrong for each in boxes)
        signed = [each for each in tags(boxes, window, CELL) if each.text[0] in "+−m"]
        assert wrong - len(signed) <= mixed_up, seed


def test_names_of_what_is_right_are_left_out_where_there_are_many() -> None:
    right = [box("RBC", "right", (10, 20 * n, 40, 15), 0.9) for n in range(4)]
    assert len(placed(*right)) == 4
    crowd = [box("RBC", "right", (10, 2 * n, 40, 15), 0.9) for n in range(30)]
    assert placed(*crowd) == []
    assert [text for *_, text in placed(*crowd, box("WBC", "missed", (60, 50, 30, 30)))] == [
        "missed WBC"
    ]
    # Looked at closely there are few in sight.
    near = Window(0, 0, 100, 10, (100, 10))
    assert len(tags(crowd[:12], near, CELL)) > 0


def test_marks_are_where_the_window_shows_them() -> None:
    (mark,) = marks([box("RBC", "wrong", (50, 20, 10, 10))], whole((100, 100), (200, 200)))
    assert mark.corners == (100, 40, 120, 60)
    assert mark.pen == "heavy"


def test_under_a_thumbnail_stand_its_name_from_the_end_and_its_counts() -> None:
    wrong = scene(box("RBC", "missed"), box("RBC", "missed"), box("WBC", "wrong"), box("WBC"))
    assert badge(wrong) == "−2 +1"
    assert badge(scene(box("RBC"), box("RBC", "right"), box("RBC", "found"))) == "2"
    assert badge(None) == "gone"
    long = Scene(Path("a"), (9, 9), wrong.boxes, "train/BloodImage_00038.jpg")
    assert caption(Tile(1, long, None), 18, marked=False) == "…Image_00038 −2 +1"
    assert caption(Tile(1, long, None), 18, marked=True) == "● …age_00038 −2 +1"
    assert caption(Tile(7, None, None), 12, marked=False) == "7       gone"
    assert len(caption(Tile(1, long, None), 6, marked=True)) <= 6


@pytest.mark.parametrize("window", [(0, 0, 800, 600), (96, 48, 480, 360), (100, 50, 40, 30)])
def test_a_part_of_a_picture_is_where_it_is_however_it_is_scaled(
    tmp_path: Path, window: tuple[int, int, int, int]
) -> None:
    image = Image.new("RGB", (800, 600), (0, 0, 0))
    image.paste((255, 255, 255), (window[0] + window[2] // 2, 0, 800, 600))
    image.save(tmp_path / "a.png")
    pictures = DecodedPictures()
    for _ in range(2):
        part = pictures.view(tmp_path / "a.png", (800, 600), Window(*window, (80, 60)))
        assert part.size == (80, 60)
        assert part.getpixel((37, 30)) == (0, 0, 0)
        assert part.getpixel((42, 30)) == (255, 255, 255)
