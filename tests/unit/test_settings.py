"""Settings, keys of one's own, and themes: read from files that people write by hand."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from textual.color import Color

import themes
from batman_tui import keys, settings
from core.common.errors import BatmanError


def write(folder: Path, text: str) -> Path:
    (folder / settings.FILE).write_text(text, encoding="utf-8")
    return folder


def test_no_file_is_a_good_file(tmp_path: Path) -> None:
    assert settings.load(tmp_path) == settings.Settings()


def test_every_setting_can_be_written(tmp_path: Path) -> None:
    """What there is to set is read: none is an unknown entry."""
    names = {item.name for item in fields(settings.Settings)} - {"problems"}
    text = "".join(f"{name} = 1979-05-27\n" for name in sorted(names))
    problems = settings.load(write(tmp_path, text)).problems
    assert {problem.split()[1] for problem in problems} == names
    assert all(" must " in problem for problem in problems)


def test_the_folder_can_be_set_for_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATMAN_CONFIG_DIR", str(tmp_path / "here"))
    assert settings.config_dir() == tmp_path / "here"
    monkeypatch.delenv("BATMAN_CONFIG_DIR")
    assert settings.config_dir().name == "batman"


def test_reads_every_setting(tmp_path: Path) -> None:
    found = settings.load(
        write(
            tmp_path,
            'theme = "nord"\nlight_theme = "a"\ndark_theme = "b"\nfiles = "copy"\n'
            'animations = false\n[keys]\n"classes.merge" = "M"\n',
        )
    )
    assert found == settings.Settings(
        theme="nord",
        light_theme="a",
        dark_theme="b",
        files="copy",
        animations=False,
        keys={"classes.merge": "M"},
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('themee = "nord"', "unknown entry 'themee'; did you mean 'theme' or"),
        ("zzz = 1", "unknown entry 'zzz'"),
        ("theme = 3", "theme must be a text in quotes"),
        ('animations = "no"', "animations must be true or false"),
        (
            'pictures = "ascii"',
            "pictures must be one of auto, kitty, sixel, octants, sextants, quadrants, blocks",
        ),
        ('files = "steal"', "files must be one of link, copy, move, reference"),
        ("keys = 3", "keys must map action names to keys"),
        ("[keys]\na = 3", "keys must map action names to keys"),
        ("theme = ", "Invalid value"),
    ],
)
def test_a_wrong_entry_is_told_and_the_rest_is_used(tmp_path: Path, text: str, told: str) -> None:
    found = settings.load(write(tmp_path, text))
    assert len(found.problems) == 1
    assert told in found.problems[0]
    assert found.theme == "batman-dark"


def test_a_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    (tmp_path / settings.FILE).write_bytes(b"\xff\xfe\x00")
    assert settings.load(tmp_path).problems


@pytest.mark.parametrize(
    "before",
    [
        "",
        'theme = "old"\n',
        '# a note\nfiles = "copy" # why\n',
        '[keys]\n"classes.merge" = "M"\ntheme = "not this one"\n',
        'files = "copy"\n\ntheme   =   "old"\n[keys]\n',
    ],
)
def test_saving_the_theme_changes_one_line(tmp_path: Path, before: str) -> None:
    write(tmp_path, before)
    settings.save_theme("nord", tmp_path)
    old, new = tomllib.loads(before), tomllib.loads((tmp_path / settings.FILE).read_text())
    assert new == {**old, "theme": "nord"}
    for line in before.splitlines():
        if not line.startswith("theme"):
            assert line in (tmp_path / settings.FILE).read_text()


def test_a_broken_file_is_not_made_worse(tmp_path: Path) -> None:
    write(tmp_path, "theme = = 1\nfiles = \n")
    with pytest.raises(BatmanError, match="could not be saved"):
        settings.save_theme("nord", tmp_path)
    assert (tmp_path / settings.FILE).read_text() == "theme = = 1\nfiles = \n"


def test_actions_are_known_once_and_say_what_they_do() -> None:
    assert len(keys.ACTIONS) == len(keys._TABLE)
    for action in keys.ACTIONS.values():
        assert action.id.partition(".")[0] in keys.TITLES, action.id
        assert action.help.endswith((".", "…")), action.id
        assert 0 < len(action.label) <= 14, action.id


def test_no_key_does_two_things_in_one_room() -> None:
    taken: dict[tuple[str, str], str] = {}
    for action in keys.ACTIONS.values():
        for key in action.keys.split(","):
            place = (action.id.partition(".")[0], key)
            assert place not in taken, (action.id, taken.get(place))
            taken[place] = action.id


def test_rooms_that_are_not_there_are_a_defect() -> None:
    with pytest.raises(KeyError):
        keys.bindings("clases")


def test_a_key_table_keeps_what_is_right() -> None:
    usable, problems = keys.keymap({"classes.merge": "M", "clases.merge": "x", "app.help": " "})
    assert usable == {"classes.merge": "M"}
    assert "no action 'clases.merge'; did you mean 'classes.merge'" in problems[0]
    assert problems[1:] == ["keys: 'app.help' has no key"]


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.1, 1.4.3: 1 for the same colour, 21 for black on white."""

    def luminance(text: str) -> float:
        linear = [
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
            for part in Color.parse(text).normalized
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("name", [themes.DARK, themes.LIGHT])
def test_our_themes_can_be_read(name: str) -> None:
    found, problems = themes.load(themes.OWN)
    assert problems == []
    theme = next(theme for theme in found if theme.name == name)
    assert theme.dark is (name == themes.DARK)
    for ground in (theme.background, theme.surface):
        for colour in ("primary", "secondary", "foreground", "success", "warning", "error"):
            assert contrast(getattr(theme, colour), ground) >= 4.5, (colour, ground)
        assert contrast(theme.variables["footer-description-foreground"], ground) >= 4.5
    for cursor in ("block-cursor", "block-cursor-blurred"):
        on = theme.variables[f"{cursor}-background"]
        assert contrast(theme.variables[f"{cursor}-foreground"], on) >= 4.5


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name = 'x'\n", "colors.primary is missing"),
        ("[colors]\nprimary = '#zz'\n", "is not a colour"),
        ("[colors]\nprimary = 'red'\nprimray = 'red'\n", "unknown colour 'primray'"),
        ("colours = 1\n", "unknown entry 'colours'"),
        ("[colors]\nprimary = 3\n", "must map names to strings"),
        ("[colors\n", "x.toml"),
    ],
)
def test_a_broken_theme_says_which_line_to_mend(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "x.toml").write_text(text)
    found, problems = themes.load(tmp_path)
    assert found == []
    assert len(problems) == 1
    assert told in problems[0]
