"""The training form's logic."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from core.common.hardware import GIB, Gpu
from core.training.config.command_line import equivalent_command, option_names
from core.training.config.form import (
    SECTIONS,
    Form,
    choices,
    is_switch,
    label,
    size_choices,
    to_text,
)
from core.training.config.options import TrainingConfig

A100 = Gpu(0, "NVIDIA A100-SXM4-40GB", 40 * GIB, 40 * GIB)


def test_every_option_stands_in_the_form_once() -> None:
    shown = Counter(name for section in SECTIONS for name in section.names)
    assert set(shown) == set(option_names()) - {"project"}
    assert set(shown.values()) == {1}
    labels = [label(name) for name in shown]
    assert len(set(labels)) == len(labels)
    assert max(len(text) for text in labels) <= 15


def test_an_untouched_form_is_the_defaults_with_a_batch_for_this_machine() -> None:
    reading = Form(Path("p"), [A100]).read()
    assert reading.config is not None
    assert reading.errors == {}
    assert reading.texts["epochs"] == "50"
    assert reading.texts["splits"] == "70/15/15"
    assert (reading.texts["batch_size"], reading.texts["grad_accum"]) == ("8", "2")
    assert reading.effective_batch == 16
    assert "A100" in reading.batch_reason
    assert reading.config.lr == TrainingConfig().lr


def test_defaults_stay_out_of_the_command() -> None:
    form = Form(Path("p"), [A100])
    form.type("epochs", "50")
    form.type("lr", "0.0001")
    reading = form.read()
    assert reading.config is not None
    command = equivalent_command(reading.config)
    assert "--epochs" not in command
    assert "--lr" not in command
    assert command[command.index("--grad-accum") + 1] == "2"


def test_the_batch_follows_model_and_size_until_it_is_typed() -> None:
    form = Form(Path("p"), [A100])
    before = form.read().texts["batch_size"]
    form.type("image_size", "1288")
    assert int(form.read().texts["batch_size"]) < int(before)
    form.type("batch_size", "4")
    reading = form.read()
    assert (reading.texts["batch_size"], reading.texts["grad_accum"]) == ("4", "4")
    form.type("grad_accum", "3")
    assert form.read().effective_batch == 12


def test_without_a_gpu_it_says_so() -> None:
    reading = Form(Path("p")).read()
    assert "No GPU" in reading.batch_reason
    assert reading.effective_batch == 16


def test_a_model_brings_its_own_defaults_and_gives_them_back() -> None:
    form = Form(Path("p"))
    form.type("epochs", "7")
    form.type("model", "tiny")
    reading = form.read()
    assert reading.config is not None
    assert reading.texts["image_size"] == "128"
    assert reading.config.lr == 1e-3
    assert reading.config.epochs == 7
    form.type("model", "small")
    assert form.read().texts["image_size"] == "640"


def test_an_image_size_that_does_not_fit_is_answered() -> None:
    form = Form(Path("p"))
    assert "616 instead of 640" in form.read().size_note
    form.type("image_size", "616")
    assert form.read().size_note == ""


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("epochs", "ten", "whole number"),
        ("epochs", "", "needs a value"),
        ("lr", "0", "more than 0"),
        ("batch_size", "many", "whole number or auto"),
        ("splits", "70/40", "add up to"),
        ("image_size", "1", "at least 32"),
        ("device", "tpu", "no device"),
        ("model", "huge", "no model size"),
    ],
)
def test_errors_stand_by_their_field(name: str, text: str, part: str) -> None:
    form = Form(Path("p"))
    form.type(name, text)
    reading = form.read()
    assert reading.config is None
    assert part in reading.errors[name]
    assert reading.texts[name] == text, "what was typed is never taken away"
    form.forget(name)
    assert form.read().errors == {}


def test_a_conflict_between_fields_has_no_field() -> None:
    form = Form(Path("p"))
    form.type("from_scratch", "yes")
    form.type("pretrained", "a.pth")
    assert "exclude each other" in form.read().errors[""]


def test_an_optional_field_may_be_emptied() -> None:
    form = Form(Path("p"))
    form.type("filter_classes", "cat|dog")
    assert form.read().config.filter_classes == ["cat", "dog"]
    form.type("filter_classes", "")
    assert form.read().config.filter_classes is None


def test_auto_batch_has_no_effective_size() -> None:
    form = Form(Path("p"), [A100])
    form.type("batch_size", "auto")
    reading = form.read()
    assert reading.config is not None
    assert reading.effective_batch is None


def test_every_default_survives_being_typed() -> None:
    """What a field shows is what the config reads back, for every option and model."""
    for section in SECTIONS:
        for name in section.names:
            value = getattr(TrainingConfig(), name)
            text = to_text(name, value)
            if text:
                assert getattr(TrainingConfig.model_validate({name: text}), name) == value, name


def test_kinds_of_fields() -> None:
    assert choices("precision") == ["auto", "bf16", "fp16", "fp32"]
    assert choices("epochs") is None
    assert is_switch("ema")
    assert not is_switch("epochs")


def test_beside_an_image_size_stands_what_the_model_makes_of_it() -> None:
    assert size_choices("base", "640") == "trains at 616: multiples of 56"
    assert size_choices("base", "616") == "multiples of 56"
    assert size_choices("nano", "1") == "trains at 64: multiples of 32"
    assert size_choices("nano", "large") == size_choices("nonesuch", "640") == ""


@pytest.mark.parametrize("model", ["base", "tiny", "nano", "large"])
@pytest.mark.parametrize("gpus", [[], [A100]])
def test_typing_the_suggested_batch_again_changes_nothing(model: str, gpus: list[Gpu]) -> None:
    form = Form(Path("p"), gpus)
    form.type("model", model)
    before = form.read()
    form.type("batch_size", "")
    form.type("batch_size", before.texts["batch_size"])
    after = form.read()
    assert after.effective_batch == before.effective_batch
    assert after.texts["grad_accum"] == before.texts["grad_accum"]
