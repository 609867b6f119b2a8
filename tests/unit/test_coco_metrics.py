"""COCO's metrics are those of pycocotools to the last bits, whatever the boxes are."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.metrics import coco

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SEEDS = range(200)


@pytest.fixture
def random_case(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Any]:
    """What draws the cases of the benchmark, which measures 10,000 of them."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import coco_backends

    return coco_backends.random_case


@pytest.mark.parametrize("first", SEEDS[::50])
def test_random_cases_are_measured_as_pycocotools_does(
    first: int, random_case: Callable[[int], Any]
) -> None:
    pytest.importorskip("pycocotools")
    pytest.importorskip("ultrafast_pycocotools")
    from coco_backends import difference

    for seed in range(first, first + 50):
        case = random_case(seed)
        apart = difference(coco.by_pycocotools(*case), coco.by_ultrafast(*case))
        assert not apart, f"case {seed}: {apart}"


def test_the_cases_have_what_metrics_go_wrong_on(random_case: Callable[[int], Any]) -> None:
    cases = [random_case(seed) for seed in SEEDS]
    objects, found, images, classes, limits = zip(*cases, strict=True)
    assert any(there.crowd.any() for there in objects)
    # Ties, classes without an object, classes that nothing is found of, more than a limit takes.
    assert any(len(set(seen.scores.tolist())) < len(seen.scores) for seen in found)
    assert any(len(np.unique(o.classes)) < n for o, n in zip(objects, classes, strict=True))
    assert any(len(np.unique(f.classes)) < n for f, n in zip(found, classes, strict=True))
    assert any(
        np.bincount(seen.images * most + seen.classes).max(initial=0) > limit[-1] > 100
        for seen, most, limit in zip(found, classes, limits, strict=True)
    )
    assert any(not len(seen.scores) for seen in found)
    assert any(not len(there.areas) for there in objects)
    assert any(np.isin(there.areas, (32.0**2, 96.0**2)).any() for there in objects)
    assert any(len(np.unique(there.images)) < n for there, n in zip(objects, images, strict=True))


def test_pycocotools_measures_where_the_faster_package_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ultrafast_pycocotools", None)
    assert coco._chosen() is coco.by_pycocotools
    monkeypatch.undo()
    assert coco._chosen() is coco.by_ultrafast
