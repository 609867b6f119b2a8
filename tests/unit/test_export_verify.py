"""Whether two models say the same: what a user gets is compared, and ties are no difference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from core.export.verify import compare
from core.models.detector import Detector, Floats, Pixels

PLACES, QUERIES, SIDE = 6, 4, 32
IMAGE = np.zeros((SIDE, SIDE, 3), np.uint8)
BACKGROUND = -9.0


class TwoStage(Detector):
    """As RF-DETR works: the best places become queries, and each query adds something of its own.

    `scores` are those of the places; query number q finds its place's box `shift` * q to the right.
    """

    def __init__(
        self,
        scores: Sequence[float],
        *,
        shift: float = 0.02,
        visible: bool = True,
        swap: tuple[int, int] | None = None,
        off: float = 0.0,
    ) -> None:
        super().__init__(
            Path("some.onnx"), classes=["a", "b"], model_size="tiny", resolution=SIDE,
            num_select=QUERIES * 3, device="cpu", batch_size=4,
        )  # fmt: skip
        self.scores = np.array(scores, np.float32)
        self.shift, self.visible, self.swap, self.off = shift, visible, swap, off
        self.passes = 0

    def selection(self, batch: Pixels) -> Floats | None:
        return np.stack([self.scores] * len(batch)) if self.visible else None

    def forward(self, batch: Pixels) -> tuple[Floats, Floats]:
        return self.forward_with(batch, np.zeros((len(batch), PLACES), np.float32))

    def forward_with(self, batch: Pixels, added: Floats) -> tuple[Floats, Floats]:
        self.passes += 1
        boxes, logits = [], []
        for more in added:
            order = np.argsort(-(self.scores + more), kind="stable")
            if self.swap is not None and not more.any():
                order[list(self.swap)] = order[list(self.swap[::-1])]
            queries = np.arange(QUERIES)
            x = 0.1 + 0.13 * order[:QUERIES] + self.shift * queries + self.off
            boxes.append(np.stack([x, 0 * x + 0.5, 0 * x + 0.1, 0 * x + 0.2], axis=1))
            strong = 2.0 - 0.5 * queries
            columns = [strong, np.full(QUERIES, BACKGROUND), np.full(QUERIES, BACKGROUND)]
            logits.append(np.stack(columns, axis=1))
        return np.array(boxes, np.float32), np.array(logits, np.float32)


CLEAR = (5.0, 4.0, 3.0, 2.0, 1.0, 0.0)
TIED = (5.0, 4.0, 4.0 - 2e-6, 2.0, 1.0, 0.0)
AT_THE_END = (5.0, 4.0, 3.0, 2.0, 2.0 - 2e-6, 0.0)


def test_the_same_model_agrees_and_its_order_does_not_matter() -> None:
    same = compare(TwoStage(CLEAR), TwoStage(CLEAR), [IMAGE] * 3)
    assert (same.largest, same.tied, same.images) == (0.0, 0, 3)
    assert same.compared == 3 * 2 * QUERIES
    # What the queries are called matters to nobody, where they add nothing of their own.
    one, other = TwoStage(CLEAR, shift=0), TwoStage(CLEAR, shift=0)
    raw = other.forward(IMAGE[None])
    other.forward = lambda batch: tuple(part[:, ::-1] for part in raw)  # type: ignore[return-value,assignment]
    assert compare(one, other, [IMAGE]).largest == 0.0


@pytest.mark.parametrize(("scores", "swap"), [(TIED, (1, 2)), (AT_THE_END, (3, 4))])
def test_queries_that_tie_may_come_in_another_order(
    scores: tuple[float, ...], swap: tuple[int, int]
) -> None:
    """Also the last query and the first place that is none."""
    one, other = TwoStage(scores), TwoStage(scores, swap=swap)
    assert np.abs(one.forward(IMAGE[None])[0] - other.forward(IMAGE[None])[0]).max() > 0.01
    found = compare(one, other, [IMAGE, IMAGE])
    assert (found.largest, found.tied) == (0.0, 2)


def test_scores_that_are_equal_leave_the_first_of_them_to_chance() -> None:
    scores = (5.0, 4.0, 4.0, 2.0, 1.0, 0.0)
    for one, other in (((1, 2), None), (None, (1, 2))):
        found = compare(TwoStage(scores, swap=one), TwoStage(scores, swap=other), [IMAGE])
        assert (found.largest, found.tied) == (0.0, 1)


def test_three_that_tie_may_come_in_any_order() -> None:
    scores = (5.0, 4.0, 4.0 - 2e-6, 4.0 - 4e-6, 1.0, 0.0)
    other = TwoStage((5.0, 4.0 - 4e-6, 4.0, 4.0 - 2e-6, 1.0, 0.0))
    assert compare(TwoStage(scores), other, [IMAGE]).largest == 0.0


def test_an_order_that_the_scores_decide_is_a_difference() -> None:
    """The same exchange, but the gap is a thousand times what rounding makes."""
    scores = (5.0, 4.0, 3.997, 2.0, 1.0, 0.0)
    one, other = TwoStage(scores), TwoStage(scores, swap=(1, 2))
    found = compare(one, other, [IMAGE] * 2)
    assert found.largest > 0.01
    assert found.tied == 0
    # With a tolerance as wide as TF32 needs it, it would be a tie.
    assert compare(one, other, [IMAGE], tolerance=0.04).tied == 1


def test_a_tie_excuses_nothing_else() -> None:
    """Boxes that are off, with a tie on the image and without: refused either way."""
    for swap in (None, (1, 2)):
        one, other = TwoStage(TIED), TwoStage(TIED, swap=swap, off=0.003)
        found = compare(one, other, [IMAGE] * 8)
        assert found.boxes == pytest.approx(0.003, abs=1e-5) or found.boxes > 0.01
        assert found.tied == 0
        # It is not looked into again and again.
        assert one.passes < 8


def test_what_is_found_twice_has_to_be_found_twice() -> None:
    one, other = TwoStage(CLEAR), TwoStage(CLEAR)
    boxes, logits = one.forward(IMAGE[None])
    boxes[0, 1] = boxes[0, 0]
    logits[0, 1] = logits[0, 0]
    one.forward = lambda batch: (boxes, logits)  # type: ignore[method-assign]
    assert compare(one, one, [IMAGE]).largest == 0.0
    single = logits.copy()
    single[0, 1] = BACKGROUND
    other.forward = lambda batch: (boxes, single)  # type: ignore[method-assign]
    assert compare(one, other, [IMAGE]).largest > 0.5


def test_a_model_whose_choice_cannot_be_seen_has_no_ties() -> None:
    one, other = TwoStage(TIED, visible=False), TwoStage(TIED, swap=(1, 2))
    found = compare(one, other, [IMAGE])
    assert found.largest > 0.01
    assert found.tied == 0


def test_a_class_in_anothers_place_is_a_difference() -> None:
    one, other = TwoStage(CLEAR), TwoStage(CLEAR)
    boxes, logits = one.forward(IMAGE[None])
    other.forward = lambda batch: (boxes, logits[..., [1, 0, 2]])  # type: ignore[method-assign]
    assert compare(one, other, [IMAGE]).largest > 0.5


def test_scores_at_the_threshold_and_at_the_end_of_the_list() -> None:
    """One model shows it just above what counts, the other just below: nothing is missing."""
    one, other = TwoStage(CLEAR), TwoStage(CLEAR)
    boxes, logits = one.forward(IMAGE[None])
    for model, at in ((one, -2.9445), (other, -2.9443)):
        mine = logits.copy()
        mine[0, 3, 0] = at
        model.forward = lambda batch, mine=mine: (boxes, mine)  # type: ignore[method-assign,misc]
    assert compare(one, other, [IMAGE]).scores < 1e-4
    # Two pairs that score the same, of which each model selects another.
    for model, last in ((one, 2), (other, 3)):
        model.num_select = 3
        mine = logits.copy()
        mine[0, 2:, 0] = 1.0
        mine[0, last, 0] += 1e-6
        model.forward = lambda batch, mine=mine: (boxes, mine)  # type: ignore[method-assign,misc]
    assert compare(one, other, [IMAGE]).largest == 0.0
