"""Notes and tags of runs, and the language that filters by them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from core.common.errors import ConfigError, RunError
from core.training.config.options import TrainingConfig
from core.training.run.notes import (
    NOTE_LENGTH,
    NOTES_FILE,
    Notes,
    change_tags,
    normal_tag,
    parse_tag_changes,
    read_notes,
    said_of,
    write_note,
)
from core.training.run.run import Run
from core.training.run.summary import RunSummary
from core.training.run_list.filter import read_filter, require_filter, sort_runs


def summary(name: str, **values: Any) -> RunSummary:
    given: dict[str, object] = {"path": Path(name), "state": "finished", "model": "base", **values}
    config = given.pop("config", None)
    if isinstance(config, TrainingConfig):
        given["settings"] = config.model_dump_json().encode()
    return RunSummary(name, **given)  # type: ignore[arg-type]


RUNS = [
    summary(
        "site-1",
        best_map50_95=0.4,
        best_map50=0.6,
        tags=("baseline",),
        seconds=7300,
        loss=3.5,
        config=TrainingConfig(lr=1e-4, batch_size=8, filter_classes=["hook", "hard hat"]),
    ),
    summary(
        "site-2",
        model="small",
        best_map50_95=0.5,
        best_map50=0.8,
        note="low LR [bold]",
        loss=2.0,
        config=TrainingConfig(model="small", lr=5e-5, batch_size="auto", ema=False),
    ),
    summary("cells-[x]", state="failed", project="Blood cells", tags=("old", "low-lr")),
]


def kept(text: str) -> list[str]:
    keep = require_filter(text).keeps
    return [run.name for run in RUNS if keep(run)]


def test_a_note_and_tags_are_kept_beside_each_other(tmp_path: Path) -> None:
    assert read_notes(tmp_path) == Notes()
    write_note(tmp_path, "  the good one\n")
    notes = change_tags(tmp_path, ["#Baseline", "Two words"], [])
    assert notes == read_notes(tmp_path) == Notes("the good one", ("baseline", "two-words"))
    assert change_tags(tmp_path, ["b"], ["BASELINE", "absent"]).tags == ("b", "two-words")
    assert write_note(tmp_path, "") == Notes("", ("b", "two-words"))
    assert [path.name for path in tmp_path.iterdir()] == [NOTES_FILE]


def test_a_run_shows_its_notes_even_when_its_settings_are_broken(tmp_path: Path) -> None:
    TrainingConfig().save(tmp_path / "training_config.json")
    write_note(tmp_path, "promising")
    change_tags(tmp_path, ["a"])
    found = Run(tmp_path).summary()
    assert (found.note, found.tags) == ("promising", ("a",))
    (tmp_path / "training_config.json").write_text("{")
    broken = Run(tmp_path).summary()
    assert broken.error
    assert (broken.note, broken.tags) == ("promising", ("a",))


def test_a_broken_file_is_read_as_empty_and_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / NOTES_FILE).write_text("{half")
    found = read_notes(tmp_path)
    assert (found.text, found.tags) == ("", ())
    assert "notes.json' cannot be read" in found.problem
    with pytest.raises(RunError, match="cannot be read"):
        write_note(tmp_path, "x")
    assert (tmp_path / NOTES_FILE).read_text() == "{half"


def test_tags_of_another_writer_are_put_right(tmp_path: Path) -> None:
    file = tmp_path / NOTES_FILE
    file.write_text(json.dumps({"tags": ["B", "#a"], "more": {"kept": 1}}))
    assert read_notes(tmp_path) == Notes("", ("a", "b"))
    write_note(tmp_path, "mine")
    assert json.loads(file.read_text()) == {"note": "mine", "tags": ["a", "b"], "more": {"kept": 1}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"cells": [], "nbformat": 4}, "something else than a note"),
        ({"tags": ["a", "", "\x1b[31m"]}, "'' is no tag"),
        ({"note": 5}, "cannot be read"),
    ],
)
def test_what_another_program_keeps_there_is_said_and_not_written_over(
    tmp_path: Path, content: object, said: str
) -> None:
    file = tmp_path / NOTES_FILE
    file.write_text(json.dumps(content))
    assert said in read_notes(tmp_path).problem
    before = file.read_bytes()
    with pytest.raises(RunError, match=re.escape(said)):
        change_tags(tmp_path, ["new"])
    assert file.read_bytes() == before


def test_what_no_file_can_hold_is_replaced(tmp_path: Path) -> None:
    assert write_note(tmp_path, "a\udcffb").text == "a?b"
    with pytest.raises(ConfigError, match="characters"):
        write_note(tmp_path, "x" * (NOTE_LENGTH + 1))


@pytest.mark.parametrize("tag", ["", "#", "  ", "-a", "a,b", "a*", "x" * 41, "a\x1bb", 'a"'])
def test_what_is_no_tag(tag: str) -> None:
    with pytest.raises(ConfigError):
        normal_tag(tag)


def test_changes_of_tags() -> None:
    assert parse_tag_changes(["+a", "-B", "c,-d", ""]) == (["a", "c"], ["b", "d"])
    with pytest.raises(ConfigError):
        parse_tag_changes(["+"])
    assert said_of(("a", "b"), "note") == "#a #b note"
    assert said_of((), "") == ""


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["site-1", "site-2", "cells-[x]"]),
        ("SITE", ["site-1", "site-2"]),
        ("site finished base", ["site-1"]),
        ('"blood cells"', ["cells-[x]"]),
        ('project="blood cells"', ["cells-[x]"]),
        ("project:blood", ["cells-[x]"]),
        ("model=SMALL", ["site-2"]),
        ("model!=base", ["site-2"]),
        ("name=site*", ["site-1", "site-2"]),
        ("name=*[x]", ["cells-[x]"]),
        ("map50>0.6", ["site-2"]),
        ("map50>=0.6", ["site-1", "site-2"]),
        ("mAP50-95<0.5", ["site-1"]),
        ("map!=0.4", ["site-2"]),
        ("-map>0.45", ["site-1", "cells-[x]"]),
        ("took>2h", ["site-1"]),
        ("took<=120m", ["site-2", "cells-[x]"]),
        ("tag:low", []),
        ("tag:low*", ["cells-[x]"]),
        ("tag:#Baseline", ["site-1"]),
        ("-tag:baseline", ["site-2", "cells-[x]"]),
        ("#old", ["cells-[x]"]),
        ("note:[bold]", ["site-2"]),
        ("-state=failed -low", ["site-1"]),
        ("-", ["site-1", "site-2", "cells-[x]"]),
        ("loss<3", ["site-2"]),
        # Settings, whichever way a number is written; a run without any has none of them.
        ("lr=1e-4", ["site-1"]),
        ("lr=0.0001 model=base", ["site-1"]),
        ("lr<1e-4", ["site-2"]),
        ("lr!=1e-4", ["site-2"]),
        ("-lr=1e-4", ["site-2", "cells-[x]"]),
        ("batch-size=8", ["site-1"]),
        ("batch=AUTO", ["site-2"]),
        ("batch_size>4", ["site-1"]),
        ("ema=yes", ["site-1"]),
        ("ema!=yes", ["site-2"]),
        ("filter-classes:hat", ["site-1"]),
        ('filter-classes=*"hard hat"', ["site-1"]),
        ("lr-scheduler=s*", ["site-1", "site-2"]),
    ],
)
def test_what_a_filter_keeps(text: str, names: list[str]) -> None:
    assert kept(text) == names


def test_a_term_that_makes_no_sense_is_named_and_left_out() -> None:
    filter_ = read_filter("model=base modle=x map50>high map50> name>3")
    assert [run.name for run in RUNS if filter_.keeps(run)] == ["site-1", "cells-[x]"]
    told = " ".join(filter_.problems)
    assert "'much' is no number" in read_filter("lr>much").problems[0]
    for part in ("Did you mean 'model'?", "'high' is no number", "'map50>' says", "is text"):
        assert part in told, part
    with pytest.raises(ConfigError):
        require_filter("modle=x")


def test_sorting_puts_what_has_no_value_last() -> None:
    def order(by: str, reverse: bool = False) -> list[str]:
        return [run.name for run in sort_runs(RUNS, by, reverse)]

    assert order("map50") == ["site-2", "site-1", "cells-[x]"]
    assert order("map50", reverse=True) == ["site-1", "site-2", "cells-[x]"]
    assert order("name") == ["cells-[x]", "site-1", "site-2"]
    assert order("tags") == ["site-1", "cells-[x]", "site-2"]
    assert order("loss") == ["site-1", "site-2", "cells-[x]"]
    assert order("lr", reverse=True) == ["site-2", "site-1", "cells-[x]"]
    assert order("batch-size") == ["site-1", "site-2", "cells-[x]"]
    with pytest.raises(ConfigError, match="sorted"):
        order("colour")
