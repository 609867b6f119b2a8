"""Suggestions, conventions and mapping files for class names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.common.errors import ClassError
from core.data import classes
from core.data.classes.mapping import apply_mapping, current_mapping, read_mapping, write_mapping
from core.data.classes.similar_names import convention_mapping, convert, key, suggest
from core.data.store import Project


@pytest.mark.parametrize(
    "names",
    [
        ["crane-hook", "crane_hook", "Crane Hook", "crane hooks", "craneHook", "CRANE HOOK"],
        ["box", "boxes", "Box"],
        ["city", "cities"],
        ["glass", "Glass", "glasses"],
        ["ｆｕｌｌ width", "full-width"],
        ["caf\u00e9", "cafe\u0301"],
        ["zero\u200bwidth", "zerowidth"],
        ["❤️", "❤"],
    ],
)
def test_spellings_of_one_name_share_a_key(names: list[str]) -> None:
    assert len({key(name) for name in names}) == 1


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("bus", "bu"),
        ("class 1", "class 2"),
        ("glass", "glas"),
        ("鉤", "釘"),
        ("?", "!"),
        # Vowels of Hindi and Thai are marks, not letters of their own.
        ("हुक", "हाक"),
        ("กุ้ง", "กั้ง"),
        ("C", "C++"),
        ("C", "C#"),
        ("< 5 mm", "> 5 mm"),
        ("50", "50%"),
        ("😀 car", "car"),
        ("HER2+", "HER2-"),
    ],
)
def test_different_names_keep_different_keys(a: str, b: str) -> None:
    assert key(a) != key(b)


def test_suggestions_group_what_looks_alike_and_nothing_else() -> None:
    counts = {
        "crane_hook": 900, "crane-hook": 20, "Crane Hook": 5, "crane hooks": 3, "crane_hok": 1,
        "person": 500, "persn": 2, "cat": 50, "car": 60, "cart": 10, "card": 9,
        "lane 1": 7, "lane 2": 8, "hook": 40, "< 5 mm": 9, "> 5 mm": 8,
    }  # fmt: skip
    found = suggest(counts)
    assert [(item.target, set(item.sources), item.reason) for item in found] == [
        ("crane_hook", {"crane-hook", "Crane Hook", "crane hooks", "crane_hok"}, "typo"),
        ("person", {"persn"}, "typo"),
    ]
    assert found[0].annotations == 929


def test_typos_do_not_chain() -> None:
    counts = {"backpack": 100, "backpaca": 50, "backpaaa": 20}
    (found,) = suggest(counts)
    assert (found.target, found.sources) == ("backpack", ("backpaca",))


def test_suggestions_for_many_classes_are_complete() -> None:
    # Names far apart from each other, each with one misspelling.
    letters = "abcdefghijklmnopqrstuvwxyz"
    names = [a * 3 + b * 3 + c * 3 for a in letters for b in letters for c in letters[:3]]
    counts = dict.fromkeys(names, 10) | {"x" + name[:4] + "q" + name[4:]: 1 for name in names}
    alone = [key(name) for name in names]
    assert len(set(alone)) == len(names) == 2028
    found = suggest(counts)
    assert sum(len(item.sources) for item in found) >= 0.99 * len(names)


@pytest.mark.parametrize(
    ("name", "convention", "expected"),
    [
        ("Crane Hook", "snake", "crane_hook"),
        ("craneHook", "kebab", "crane-hook"),
        ("crane__hook-", "space", "crane hook"),
        ("HTTPServer2", "snake", "http_server2"),
        ("???", "snake", "???"),
        ("Große Straße", "kebab", "grosse-strasse"),
        ("हुक बड़ा", "snake", "हुक_बड़ा"),
        ("กุ้ง", "snake", "กุ้ง"),
        ("C++ Code", "snake", "c++_code"),
        ("< 5 mm", "kebab", "<-5-mm"),
        ("car #1 (front)", "snake", "car_1_front"),
        ("👩🏽‍🚒 Crew", "snake", "👩🏽‍🚒_crew"),
        ("zero\u200bwidth", "snake", "zerowidth"),
    ],
)
def test_conventions(name: str, convention: Any, expected: str) -> None:
    assert convert(name, convention) == expected
    assert convert(expected, convention) == expected, "applying it again changes nothing"


def test_a_convention_names_only_what_changes() -> None:
    assert convention_mapping(["crane_hook", "Crane Hook"], "snake") == {"Crane Hook": "crane_hook"}


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_yaml_and_csv_read_alike(tmp_path: Path) -> None:
    expected = {
        "hooks": "hook",
        "yes": "no",
        "1.0": "two",
        "junk": None,
        "a: b": "c,d",
        "鉤": "hook",
    }
    yaml_file = write(
        tmp_path / "m.yaml",
        'hooks: hook\nyes: no\n1.0: two\njunk: ~\n"a: b": "c,d"\n鉤: hook\n',
    )
    csv_file = write(
        tmp_path / "m.csv",
        '\ufeffold,new\nhooks,hook\nyes,no\n1.0,two\njunk,\na: b,"c,d"\n鉤,hook\n',
    )
    assert read_mapping(yaml_file) == expected
    assert read_mapping(csv_file) == expected
    for suffix in ("yaml", "csv"):
        write_mapping(expected, tmp_path / f"again.{suffix}")
        assert read_mapping(tmp_path / f"again.{suffix}") == expected


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("m.yaml", "a: b\n\t- :x: [", "not valid YAML, line 2"),
        ("m.yaml", "- a\n- b\n", "Line 1 of .* does not map"),
        ("m.yaml", "just text", "Line 1 of .* does not map"),
        ("m.yaml", "a: [b]\n", "Line 1 of"),
        ("m.yaml", "a: b\na: c\n", "two things about 'a'"),
        ("m.yaml", "", "empty"),
        ("m.yaml", "'': b\n", "blank"),
        ("m.csv", "old,new\n", "empty"),
        ("m.csv", "a,b,c\n", "3 columns"),
        ("m.csv", '"a,b\n', "not valid CSV"),
    ],
)
def test_a_bad_mapping_names_the_file_and_the_place(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    with pytest.raises(ClassError, match=message) as caught:
        read_mapping(write(tmp_path / name, text))
    assert name in caught.value.message
    assert caught.value.hint


def test_a_mapping_file_that_is_missing_or_binary(tmp_path: Path) -> None:
    with pytest.raises(ClassError, match="cannot be read"):
        read_mapping(tmp_path / "nothing.yaml")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ClassError, match="UTF-8"):
        read_mapping(tmp_path / "b.csv")


@pytest.fixture
def project(tmp_path: Path):
    with Project.create(tmp_path / "p") as made:
        with made.change("import", "imported") as change:
            import_id = change.insert(
                "imports", {"kind": "coco", "origin": "x", "at": "2026-01-01", "active": 1}
            )
            for name in ("hook", "hooks", "junk", "boom"):
                class_id = change.insert("classes", {"name": name})
                change.insert(
                    "labels", {"import_id": import_id, "name": name, "class_id": class_id}
                )
        yield made


def names(project: Project) -> list[str]:
    return [row.name for row in classes.list_classes(project)]


def test_a_mapping_is_one_step_and_can_be_repeated(project: Project, tmp_path: Path) -> None:
    file = write(tmp_path / "m.yaml", "hooks: hook\njunk:\nboom: crane_boom\nnowhere: x\n")
    done = apply_mapping(project, file)
    assert done.unknown == ("nowhere",)
    assert done.entry is not None
    assert names(project) == ["crane_boom", "hook"]
    again = apply_mapping(project, write(file, "hooks: hook\nboom: crane_boom\n"))
    assert (again.entry, again.unknown) == (None, ())
    project.undo()
    assert names(project) == ["boom", "hook", "hooks", "junk"]


def test_the_current_mapping_repeats_a_clean_up_elsewhere(project: Project, tmp_path: Path) -> None:
    classes.merge(project, ["hooks"], "hook")
    classes.delete(project, ["junk"])
    classes.rename(project, "boom", "crane_boom")
    mapping = current_mapping(project)
    assert mapping == {"hook": "hook", "hooks": "hook", "junk": None, "boom": "crane_boom"}
    cleaned = names(project)
    for _ in range(3):
        project.undo()
    write_mapping(mapping, tmp_path / "m.csv")
    apply_mapping(project, tmp_path / "m.csv")
    assert names(project) == cleaned


def test_names_with_white_space_around_them_make_one_line_of_a_mapping(
    project: Project, tmp_path: Path
) -> None:
    with project.change("import", "another") as change:
        class_id = change.insert("classes", {"name": "new boom"})
        change.insert("labels", {"import_id": 1, "name": " boom ", "class_id": class_id})
    write_mapping(current_mapping(project), tmp_path / "m.yaml")
    assert read_mapping(tmp_path / "m.yaml")["boom"] == "new boom"


@pytest.mark.parametrize("between", [";", "\t"])
def test_a_mapping_from_a_spreadsheet_of_another_country(tmp_path: Path, between: str) -> None:
    lines = ["\ufeffold;new", 'a, b;"c;d"', "junk;", ""]
    path = write(tmp_path / "m.csv", "\r\n".join(line.replace(";", between) for line in lines))
    assert read_mapping(path) == {"a, b": f"c{between}d", "junk": None}


def test_a_mapping_for_another_project_is_refused(project: Project, tmp_path: Path) -> None:
    with pytest.raises(ClassError, match="None of the 2 names"):
        apply_mapping(project, write(tmp_path / "m.yaml", "a: b\nc: d\n"))
