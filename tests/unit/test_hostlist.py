"""Host lists as SLURM writes them."""

from __future__ import annotations

import pytest

from slurm.site.hostlist import MOST, expand_hostlist


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("n1", ["n1"]),
        ("", []),
        ("n[1-3,07],gpu-a", ["n1", "n2", "n3", "n07", "gpu-a"]),
        ("r[08-09]n[1,2]", ["r08n1", "r08n2", "r09n1", "r09n2"]),
        ("n[odd", ["n[odd"]),
    ],
)  # fmt: skip
def test_names_in_a_list(text: str, names: list[str]) -> None:
    assert expand_hostlist(text) == names


def test_a_range_without_end_is_cut() -> None:
    assert len(expand_hostlist("n[1-999999999]")) <= MOST + 1
