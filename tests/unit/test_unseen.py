"""What nobody sees, or a terminal obeys, is shown as what it is; writing keeps what it needs."""

from __future__ import annotations

import re
import sys
import unicodedata

import pytest

from core.common import invisible_characters
from core.common.errors import BatmanError
from core.common.files import BadName, safe_name
from core.common.invisible_characters import restored, visible, without_unseen
from core.common.text import clean
from core.data.classes import rename
from core.data.store import Project
from core.training.run.notes import read_notes, write_note

EVIL = "a\x1b]52;c;eA==\x07\x9b31m\u202eb\u200bc\U000e0041\ufeffd"
WRITING = [
    "👩\u200d🔬", "👨🏽\u200d💻", "❤\ufe0f\u200d🔥", "☂\ufe0f", "1\ufe0f\u20e3",
    "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "می\u200cخواهم", "क्\u200dष", "क्\u200cष", "র\u200d্য", "ශ්\u200dරී",
    "שלום", "مرحبا", "ไทย", "é", "e\u0301", "検出\u3000車", "\u0600٤",
]  # fmt: skip


@pytest.mark.parametrize("text", WRITING)
def test_writing_keeps_what_it_needs(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("per\u200bson", "per⟨U+200B⟩son"),
        ("a\u200db", "a⟨U+200D⟩b"),
        ("ا\u200cب", "ا⟨U+200C⟩ب"),  # Alef does not join on: there nobody sees it.
        ("🚗\ufe0f", "🚗⟨U+FE0F⟩"),
        ("\U0001f3f4\U000e0078\U000e007f", "\U0001f3f4⟨U+E0078⟩⟨U+E007F⟩"),
        ("hard\xa0hat", "hard⟨U+00A0⟩hat"),
        ("\u0301x", "◌\u0301x"),
        ("x\u2028y\u3164z\u2800", "x⟨U+2028⟩y⟨U+3164⟩z⟨U+2800⟩"),
        ("\x9b31m\x1b]0;t\x07", "⟨U+009B⟩31m⟨U+001B⟩]0;t⟨U+0007⟩"),
        ("a\n\tb", "a⏎⇥b"),
    ],
)
def test_what_nobody_sees_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown == visible(shown)


def test_no_code_point_gets_through_unseen() -> None:
    for number in range(sys.maxunicode + 1):
        char = chr(number)
        kind = unicodedata.category(char)
        shown = visible(f"a{char}b")
        if kind in ("Cc", "Cs", "Co", "Zl", "Zp") or (kind == "Zs" and char not in " \u3000"):
            assert char not in shown, hex(number)
        elif kind[0] in "LNP" and not re.compile(invisible_characters._BLANK).match(char):
            assert shown == f"a{char}b", hex(number)
        assert visible(shown) == shown


def test_the_tables_are_those_of_unicode() -> None:
    regex = pytest.importorskip("regex")
    ignorable = regex.compile(r"\p{Default_Ignorable_Code_Point}")
    text_emoji = regex.compile(r"(?V1)[\p{Emoji}--\p{Emoji_Presentation}]")
    joins_on = regex.compile(r"[\p{Joining_Type=D}\p{Joining_Type=L}]")
    joins_back = regex.compile(r"[\p{Joining_Type=D}\p{Joining_Type=L}\p{Joining_Type=R}]")
    for number in range(sys.maxunicode + 1):
        char = chr(number)
        if ignorable.match(char):
            assert char not in visible(f"a{char}b"), hex(number)
        known = re.compile(invisible_characters._TEXT_EMOJI).match(char)
        assert bool(text_emoji.match(char)) == bool(known), hex(number)
        if number <= 0xFFFF and unicodedata.category(char)[0] == "L":
            assert bool(joins_on.match(char)) == bool(invisible_characters._ON.match(char)), hex(
                number
            )
            assert bool(joins_back.match(char)) == bool(invisible_characters._BACK.match(char)), (
                hex(number)
            )


def test_what_was_left_alone_is_the_original() -> None:
    for text in (EVIL, "per\u200bson", "", "plain"):
        shown = visible(text)
        assert restored(shown, text) == text
        assert restored(f"x{shown} y", text) == f"x{text} y"
    assert restored("perXson", "per\u200bson") == "perXson"
    assert restored("per⟨U+200Bson", "per\u200bson") == "per⟨U+200Bson"
    assert restored("", "per\u200bson") == ""


def test_what_is_pasted_loses_what_nobody_sees() -> None:
    assert without_unseen("per\u200bson") == ("person", "⟨U+200B⟩")
    assert without_unseen("two\nlines\xa0here") == ("two lines here", "")
    assert without_unseen("👩\u200d🔬 ok") == ("👩\u200d🔬 ok", "")


def test_new_names_and_notes_are_refused_by_name(tmp_path) -> None:
    with Project.create(tmp_path / "p") as project:
        with project.change("test", "two classes") as change:
            change.insert("classes", {"name": EVIL})
            change.insert("classes", {"name": "person"})
        with pytest.raises(BatmanError, match=r"⟨U\+200B⟩"):
            rename(project, "person", "per\u200bson")
        # What is there already can be named, to be cleaned up.
        assert rename(project, EVIL, "clean") is not None
    with pytest.raises(BadName):
        safe_name("a\u3164b")
    (tmp_path / "notes.json").write_text('{"note": "old\\u200bnote", "tags": []}')
    with pytest.raises(BatmanError, match=r"⟨U\+001B⟩"):
        write_note(tmp_path, "x\x1b[31m")
    assert write_note(tmp_path, "old\u200bnote, longer").text == "old\u200bnote, longer"
    assert read_notes(tmp_path).text == "old\u200bnote, longer"
    assert clean(EVIL).isprintable()
