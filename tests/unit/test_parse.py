"""Texts of files that anybody may have written: one kind of error for all that can be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

import themes
from batman_tui import settings
from core.common.errors import BatmanError
from core.common.notify import load_notify
from core.common.parse import ParseError, parse_json, parse_toml
from core.common.text import whole_number
from core.data.classes.mapping import read_mapping
from core.models.onnx import read_facts
from slurm.site.profiles import ProfileError, load_profile

DEEP = 20_000


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"[" * DEEP, "nested too deeply"), (b'{"a":' * DEEP, "nested too deeply"),
        (b"[1,", "truncated"), (b'"\xff"', "utf-8"), (b"", "truncated"),
        (b"naN,", "malformed|invalid|truncated"),
    ],
)  # fmt: skip
def test_json(data: bytes, why: str) -> None:
    with pytest.raises(ParseError, match=f"(?i){why}"):
        parse_json(data, object)
    assert parse_json(b"[1]", list) == [1]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a = " + "[" * DEEP, "nested too deeply"), ("a = " + "{b=" * DEEP, "nested too deeply"),
        ("a = " + "9" * 5_000, "4300 digits"), ("a = 2024-13-45", "."), ("a =", "."),
    ],
)  # fmt: skip
def test_toml(text: str, why: str) -> None:
    with pytest.raises(ParseError, match=why):
        parse_toml(text)


def test_every_file_of_settings_that_is_nested_deeply_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = "a = " + "[" * DEEP
    for name in ("config.toml", "deep.toml", "clusters/vega.toml"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(deep)
    monkeypatch.setenv("BATMAN_CONFIG_DIR", str(tmp_path))
    assert "nested too deeply" in settings.load(tmp_path).problems[0]
    assert load_notify(tmp_path).command == load_notify(tmp_path / "none").command
    with pytest.raises(BatmanError, match="could not be saved"):
        settings.save_theme("x", tmp_path)
    with pytest.raises(themes.BadTheme, match="nested too deeply"):
        themes.read_theme(tmp_path / "deep.toml")
    with pytest.raises(ProfileError, match="nested too deeply"):
        load_profile("vega")


def test_mappings_and_notes_that_are_nested_deeply(tmp_path: Path) -> None:
    for text in ("[" * DEEP, "{a: " * DEEP, "- " * DEEP, 'a: "\\UFFFFFFFF"'):
        (tmp_path / "m.yaml").write_text(text)
        with pytest.raises(BatmanError, match=r"m\.yaml"):
            read_mapping(tmp_path / "m.yaml")
    # Names that stand for names that stand for names: nothing is written out.
    bomb = "a: &a x\n" + "".join(
        f"{chr(97 + n)}: &{chr(97 + n)} [{', '.join([f'*{chr(96 + n)}'] * 9)}]\n"
        for n in range(1, 20)
    )
    (tmp_path / "m.yaml").write_text(bomb)
    with pytest.raises(BatmanError, match="does not map a name"):
        read_mapping(tmp_path / "m.yaml")

    class Session:
        custom_metadata_map = dict.fromkeys(("batman", "notes"), "[" * DEEP)

        def get_modelmeta(self) -> Session:
            return self

    assert read_facts(tmp_path / "model.onnx", Session()) == {}


def test_whole_numbers() -> None:
    assert (whole_number("007"), whole_number("9" * 15)) == (7, 999_999_999_999_999)
    for text in ("", "-1", "1.0", "\u00b2", "\u0663", "9" * 16, "9" * 5_000, " 1", "x"):
        assert whole_number(text) is None
