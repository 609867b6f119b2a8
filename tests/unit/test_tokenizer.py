"""How a typed filter falls into words, keys, operators and values."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.common.tokenizer import Token, Tokenizer
from core.training.run.summary import RunSummary
from core.training.run_list.filter import read_filter

_RICH = Tokenizer(None, ("=", "!=", ">", ">=", "<", "<=", ":"), rich=True)
_PLAIN = Tokenizer(("class", "split"), (":",), rich=False)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("one  two", [Token("one", None, "", "one"), Token("two", None, "", "two")]),
        ('"one two"', [Token('"one two"', None, "", "one two")]),
        ('o"ne t"wo', [Token('o"ne t"wo', None, "", "one two")]),
        ("map50>=0.5", [Token("map50>=0.5", "map50", ">=", "0.5")]),
        ("lr-scheduler!=cosine", [Token("lr-scheduler!=cosine", "lr-scheduler", "!=", "cosine")]),
        ('note:"a b"c', [Token('note:"a b"c', "note", ":", "a bc")]),
        ('note:"12"" wheel"', [Token('note:"12"" wheel"', "note", ":", '12" wheel')]),
        ('note:"a b', [Token('note:"a b', "note", ":", "a b")]),
        ('"a"=b', [Token('"a"=b', None, "", "a=b")]),
        ("a==b", [Token("a==b", "a", "=", "=b")]),
        ("a=", [Token("a=", "a", "=", "")]),
        ('a=""', [Token('a=""', "a", "=", "")]),
        ("-tag:old", [Token("tag:old", "tag", ":", "old", 1)]),
        ("--x", [Token("x", None, "", "x", 2)]),
        ('-"a b"', [Token('"a b"', None, "", "a b", 1)]),
        ("- -", [Token("-", None, "", "-"), Token("-", None, "", "-")]),
        ("0.5>x", [Token("0.5>x", None, "", "0.5>x")]),
    ],
)
def test_with_quotes_and_minuses_anywhere(text: str, tokens: list[Token]) -> None:
    assert list(_RICH.tokens(text)) == tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ('12" -x', [Token('12"', None, "", '12"'), Token("-x", None, "", "-x")]),
        ("class:a", [Token("class:a", "class", ":", "a")]),
        ('class:"a b"', [Token('class:"a b"', "class", ":", "a b")]),
        ('class:"a b', [Token('class:"a b', "class", ":", "a b")]),
        ('class:"12"" wheel"', [Token('class:"12"" wheel"', "class", ":", '12" wheel')]),
        ('class:"a""', [Token('class:"a""', "class", ":", 'a"')]),
        ('class:"a"b', [Token('class:"a"', "class", ":", "a"), Token("b", None, "", "b")]),
        ('class:12"', [Token('class:12"', "class", ":", '12"')]),
        ("class: b", [Token("class:", "class", ":", ""), Token("b", None, "", "b")]),
        ("klass:a", [Token("klass:a", None, "", "klass:a")]),
        ("subclass:a", [Token("subclass:a", None, "", "subclass:a")]),
    ],
)
def test_with_quotes_around_a_value_only(text: str, tokens: list[Token]) -> None:
    assert list(_PLAIN.tokens(text)) == tokens


def test_a_thousand_minuses_are_a_filter_like_another() -> None:
    run = RunSummary("cells-base-1", Path("cells-base-1"), "finished")
    assert read_filter("-" * 5000 + "cells").keeps(run)
    assert not read_filter("-" * 5001 + "cells").keeps(run)
