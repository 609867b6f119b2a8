"""Names found by a few letters, and lines that say where to go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from batman_tui.navigation.index import Found
from batman_tui.navigation.search import best, places
from batman_tui.navigation.typed import VERBS, TypedLine
from core.common.errors import BatmanError

NAMES = ["Run site-base-1", "Run site-base-12", "Project site: classes", "Class crane · site",
         "Theme: nord", "Images: Split"]  # fmt: skip


class Calls:
    """Stands for the ways of an app, and says which of them was taken."""

    def current(self, of: str) -> Path | None:
        return Path("/w/b") if of == "project" else None

    def themes(self) -> list[str]:
        return ["nord", "batman-dark"]

    def __getattr__(self, name: str) -> Any:
        def called(*args: object, **options: object) -> tuple[object, ...]:
            return (name, *args, *options.items())

        return called


FOUND = Found(
    projects={"harbour": Path("/w/a"), "harvest": Path("/w/b")},
    runs={"site-base-1": Path("/r/1")},
    classes={"crane · harbour": (Path("/w/a"), "crane"), "crane · harvest": (Path("/w/b"), "crane"),
             "ship · harbour": (Path("/w/a"), "ship")},
    jobs={"17": "vega"},
    clusters=("vega",),
)  # fmt: skip


def went(line: str) -> object:
    """Return which way a line takes."""
    reader: Any = TypedLine
    return reader(Calls(), FOUND).read(line)()


def hits(query: str) -> list[str]:
    return [name for _, name in best(NAMES, query, str.casefold, 10)]


def test_what_begins_a_word_and_is_short_comes_first() -> None:
    assert hits("run site") == ["Run site-base-1", "Run site-base-12"]
    assert hits("CLASS site")[0] == "Class crane · site", "the name begins with it"
    assert hits("split") == ["Images: Split"]
    assert hits("rnsb12") == ["Run site-base-12"], "letters in their order, where no word is"
    assert hits("site")[-1] != "Theme: nord"
    assert hits("") == hits("qqq") == []


def test_only_so_many_are_returned_and_the_exact_one_is_among_them() -> None:
    many = [f"Run site-base-{number}" for number in range(6000)]
    found = best(many, "run site-base-4711", str.casefold, 60)
    assert next(name for _, name in found) == "Run site-base-4711"
    assert len(best(many, "r", str.casefold, 60)) == 60


def test_the_letters_are_shown_for_which_a_name_was_found() -> None:
    assert places("base", "Run site-base-1") == [9, 10, 11, 12]
    assert places("rb1", "Run site-base-1") == [0, 9, 14]
    assert places("x", "Run") == []


@pytest.mark.parametrize(
    ("line", "way"),
    [
        ("runs", ("to_view", "runs", "")),
        ("r map50>0.5 -tag:old", ("to_view", "runs", "map50>0.5 -tag:old")),
        ("runs site-base-1", ("to", "run", Path("/r/1"))),
        ("run site", ("to", "run", Path("/r/1"))),
        ("project HARBOUR", ("to", "classes", Path("/w/a"))),
        ("images", ("to", "images", None)),
        ("vers harv", ("to", "versions", Path("/w/b"))),
        ("jobs vega", ("to_view", "jobs", ("of", "vega"))),
        ("jobs gpu", ("to_view", "jobs", "gpu")),
        ("job 17", ("to_view", "jobs", ("row", "17"), ("of", "vega"))),
        ("class crane", ("to_class", Path("/w/b"), "crane")),
        ("class ship", ("to_class", Path("/w/a"), "ship")),
        ("theme nord", ("to_theme", "nord")),
        ("settings files", ("to_setting", "files")),
        ("help", ("help",)),
        ("? images", ("to_help", "images")),
        ("q", ("quit",)),
    ],
)
def test_a_line_takes_its_way(line: str, way: tuple[object, ...]) -> None:
    assert went(line) == way


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("projcet x", "Did you mean 'project'"),
        ("project harbuor", "Did you mean 'harbour'"),
        ("project har", "2 begin with 'har'"),
        ("job", "Which job?"),
        ("cluster nowhere", "There is no cluster 'nowhere'"),
        ("i", "may mean"),
        ("theme nrod", "Did you mean 'nord'"),
    ],
)
def test_what_makes_no_sense_is_said_with_the_nearest(line: str, said: str) -> None:
    with pytest.raises(BatmanError) as caught:
        went(line)
    assert said in f"{caught.value.message} {caught.value.hint}"


def test_lines_are_completed() -> None:
    reader: Any = TypedLine
    line = reader(Calls(), FOUND)
    assert line.completions("vers") == ["versions"]
    assert line.completions("images har") == ["images harbour", "images harvest"]
    assert line.completions("images vest") == ["images harvest"], "also what holds it"
    assert line.completions("nonsense x") == []
    assert line.completions("class c", most=1) == ["class crane · harbour"]
    assert all(verb.about.endswith(".") for verb in VERBS.values())
