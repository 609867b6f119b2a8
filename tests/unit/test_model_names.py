"""Class names that are given for a model."""

from __future__ import annotations

import pytest

from core.common.errors import ClassError
from core.export.naming import check_classes, split_names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("person,car, bicycle", ["person", "car", "bicycle"]),
        ("person|car", ["person", "car"]),
        ("red, round|[e]", ["red, round", "[e]"]),
        ("person", ["person"]),
    ],
)
def test_names_stand_between_commas_or_bars(text: str, names: list[str]) -> None:
    assert split_names(text) == names


def test_names_that_hold_a_comma_are_shown_as_they_are_to_be_given() -> None:
    own = ["red, round", "square"]
    with pytest.raises(ClassError) as caught:
        check_classes(own, split_names("red, round,square"))
    assert "red, round|square" in caught.value.hint
    assert check_classes(own, split_names("red, round|box"))[0] == ["red, round", "box"]
