"""Augmentation by name or by file: what is read, what holds, and what goes back on a command."""

from __future__ import annotations

import ast
import importlib.util
import json
import shlex
from pathlib import Path

import pytest

from core.common.errors import ConfigError
from core.training.config.augmentation import DEFAULT, NONE, PRESETS
from core.training.config.command_line import equivalent_command
from core.training.config.form import Form
from core.training.config.options import TrainingConfig, errors_by_field, parse_config

FLIP = {"VerticalFlip": {"p": 0.5}}


def test_the_names_are_all_that_rfdetr_has() -> None:
    spec = importlib.util.find_spec("rfdetr")
    assert spec is not None
    assert spec.origin is not None
    source = (Path(spec.origin).parent / "datasets" / "aug_configs.py").read_text()
    targets = [node.targets for node in ast.parse(source).body if isinstance(node, ast.Assign)]
    names = [each.id for (each,) in targets if isinstance(each, ast.Name)]
    theirs = {name.removeprefix("AUG_").lower() for name in names if name.startswith("AUG_")}
    # Theirs for the default is AUG_CONFIG.
    assert theirs - {"config"} == set(PRESETS) - {DEFAULT, NONE}


@pytest.mark.parametrize("text", ["aerial", " Aerial", "AUG_AERIAL"])
def test_a_name_in_any_spelling(text: str) -> None:
    assert parse_config({"augmentation": text}).augmentation == "aerial"


def test_a_file_is_read_into_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(FLIP))
    config = parse_config({"augmentation": str(file)})
    file.unlink()
    config.save(tmp_path / "training_config.json")
    again = TrainingConfig.load(tmp_path / "training_config.json")
    assert again.augmentation == config.augmentation == FLIP


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[]", "object of names"),
        ("{}", "none: switches them off"),
        ('{"HorizontalFlip": 0.5}', "'HorizontalFlip'"),
        ('{"HorizontalFlip": {"p": 2}}', "from 0 to 1"),
        ('{"HorizontalFlip": {"p": NaN}}', "NaN"),
        ("{", "not JSON"),
        ("\xff", "cannot be read"),
    ],
)
def test_a_file_that_holds_no_transforms_says_why(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "mine.json"
    file.write_bytes(content.encode("latin-1"))
    assert words in errors_by_field({"augmentation": str(file)})["augmentation"]


def test_a_name_that_is_none_is_told_with_the_nearest() -> None:
    said = errors_by_field({"augmentation": "arial"})["augmentation"]
    assert "no augmentation and no file" in said
    assert "did you mean 'aerial'?" in said


def test_the_name_says_whether_there_is_any() -> None:
    # tiny has none by its preset.
    assert parse_config({"model": "tiny"}).augment is False
    assert parse_config({"model": "tiny", "augmentation": "aerial"}).augment is True
    assert parse_config({"augmentation": "none"}).augment is False


def test_two_words_that_exclude_each_other_are_an_error() -> None:
    with pytest.raises(ConfigError, match="augment is off, and augmentation is on"):
        parse_config({"augment": False, "augmentation": "aerial"})
    with pytest.raises(ConfigError, match="augment is on, and augmentation is off"):
        parse_config({"augment": True, "augmentation": "none"})


def test_the_newer_word_holds_for_a_run_that_goes_on(tmp_path: Path) -> None:
    parse_config({"augmentation": "aerial"}).save(tmp_path / "c.json")
    saved = TrainingConfig.load(tmp_path / "c.json")
    off = saved.with_changes(augment=False)
    assert (off.augment, off.augmentation) == (False, None)
    other = off.with_changes(augmentation="industrial")
    assert (other.augment, other.augmentation) == (True, "industrial")


@pytest.mark.parametrize("chosen", ["industrial", FLIP])
def test_the_command_says_the_same(chosen: object) -> None:
    config = parse_config({"model": "nano", "augmentation": chosen})
    words = equivalent_command(config)
    flag, value = words[-2:]
    assert flag == "--augmentation"
    assert shlex.split(shlex.join(words)) == words
    assert parse_config({"augmentation": value}).augmentation == chosen


def test_the_form_never_says_both() -> None:
    form = Form(Path("p"))
    form.type("model", "tiny")
    assert form.read().texts["augment"] == "no"
    form.type("augmentation", "aerial")
    reading = form.read()
    assert reading.texts["augment"] == "yes"
    assert reading.config is not None
    assert reading.config.augment
    form.type("augmentation", json.dumps(FLIP))
    config = form.read().config
    assert config is not None
    assert config.augmentation == FLIP
