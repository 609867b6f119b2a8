"""Numbers that nobody means: refused where they are typed, in files as on the command line."""

from __future__ import annotations

import argparse

import pytest

from cli.numbers import number, whole
from core.training.config.options import TrainingConfig, validate_field

NUMERIC = [
    name
    for name, field in TrainingConfig.model_fields.items()
    if field.annotation in (int, float) or "int" in str(field.annotation)
]


@pytest.mark.parametrize("name", NUMERIC)
def test_every_number_of_a_training_is_finite_and_bounded(name: str) -> None:
    for text in ("nan", "inf", "-inf", "1e400", "-1", str(10**30), "9" * 5_000, "²"):
        assert validate_field(name, text), (name, text)
    for value in (float("nan"), float("inf"), 10**30, -1):
        assert validate_field(name, value), (name, value)


def test_paths_that_cannot_be_are_refused_by_the_settings() -> None:
    for name in ("output_dir", "resume", "pretrained", "project"):
        assert "no home folder" in (validate_field(name, "~nobody-is-called-so/x") or "")
        assert "NUL" in (validate_field(name, "a\0b") or "")
        assert validate_field(name, "a\udcff")
        assert validate_field(name, "x/y") is None


def test_types_of_arguments() -> None:
    assert (whole(1, 9)("9"), number(0, 1)("0.5"), number(above=True)("1e-3")) == (9, 0.5, 0.001)
    for kind, texts in (
        (whole(1, 9), ("0", "10", "1.5", "nan", "9" * 5_000, "²", "")),
        (number(0, 1), ("nan", "inf", "1.01", "-0.1", "1e999", "x", "")),
        (number(above=True), ("0", "-1", "1e10")),
    ):
        for text in texts:
            with pytest.raises(argparse.ArgumentTypeError) as told:
                kind(text)
            assert len(str(told.value)) < 120
