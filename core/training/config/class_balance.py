"""Which training images are shown, and how often, where some classes have far more than others.

Two ways, which can be combined: a cap on the images of each class, and repeat-factor sampling,
which shows images of rare classes several times an epoch (Gupta, Dollár and Girshick, "LVIS: A
Dataset for Large Vocabulary Instance Segmentation", 2019).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from core.common.text import clean, plural
from core.late import late

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = late("numpy")


NO_CLASS = -1
"""What images without a box count as."""


def capped(
    classes: Sequence[AbstractSet[int]], groups: Sequence[Hashable | None], most: int, seed: int
) -> list[int]:
    """Return the positions of the images to train on, in order, about `most` of each class.

    `classes` and `groups` have a value an image: the ids of the classes it shows, and what it
    belongs to, such as a video. The rarest class is drawn first. A class keeps `most` images where
    it has them, and more only as far as rarer classes bring it along: an image stays out when
    each of its classes is on `most` others. Images without a box count as a class of their own,
    the last. Of a group one image is taken before another is taken twice, so that no long video
    pushes out the rest. The same arguments give the same answer.
    """
    showing: dict[int, list[int]] = defaultdict(list)
    for at, shown in enumerate(classes):
        for class_id in shown or (NO_CLASS,):
            showing[class_id].append(at)
    empty = showing.pop(NO_CLASS, [])
    order = sorted(showing, key=lambda class_id: (len(showing[class_id]), class_id))
    rank = np.random.default_rng(seed).permutation(len(classes)).tolist()
    kept: set[int] = set()
    on: Counter[int] = Counter()
    for class_id, having in [*((c, showing[c]) for c in order), (NO_CLASS, empty)]:
        room = most - on[class_id]
        if room <= 0:
            continue
        left = [at for at in having if at not in kept]
        for at in _in_turns(sorted(left, key=rank.__getitem__), groups)[:room]:
            kept.add(at)
            on.update(classes[at] or (NO_CLASS,))
    return sorted(kept)


def _in_turns(images: Sequence[int], groups: Sequence[Hashable | None]) -> list[int]:
    """Return `images` with the first of every group before the second of any."""
    seen: Counter[Hashable] = Counter()
    turns: list[tuple[int, int]] = []
    for at in images:
        group = groups[at]
        turns.append((0 if group is None else seen[group], at))
        seen[group] += 1
    return [at for _, at in sorted(turns, key=lambda turn: turn[0])]


def class_factors(classes: Sequence[AbstractSet[int]], share: float) -> dict[int, float]:
    """Return how often an image of each class is to be shown in an epoch, by class id.

    A class c on the share f(c) of the images gets max(1, sqrt(share / f(c))).
    """
    on = Counter(class_id for shown in classes for class_id in shown)
    return {c: max(1.0, float(np.sqrt(share * len(classes) / count))) for c, count in on.items()}


def balance_note(
    classes: Sequence[AbstractSet[int]], names: Mapping[int, str], share: float
) -> str:
    """Return one sentence on which classes `class_factors` has shown more often; for people."""
    factors = class_factors(classes, share)
    rare = sorted((c for c in factors if factors[c] > 1), key=lambda c: -factors[c])
    if not rare:
        return f"Every class is on {share:.3g} of the training images: none is shown more often."
    shown = ", ".join(f"'{clean(names[c])}' {factors[c]:.1f} times" for c in rare[:3])
    more = f" and {plural(len(rare) - 3, 'more class')}" if len(rare) > 3 else ""
    return f"An epoch shows images of rare classes more often: {shown}{more}."


def repeat_factors(classes: Sequence[AbstractSet[int]], share: float) -> NDArray[np.float64]:
    """Return how often each image is to be shown in an epoch, on average: 1 or more.

    An image has the largest factor of its classes, see `class_factors`; one without a box has 1.
    """
    factors = class_factors(classes, share)
    return np.array([max((factors[c] for c in shown), default=1.0) for shown in classes])


def epoch_length(factors: NDArray[np.float64]) -> int:
    """Return how many images an epoch shows with these factors."""
    # A sum that is whole but for rounding of floating-point numbers must not give one more.
    return int(np.ceil(factors.sum() - 1e-6))


def drawn(factors: NDArray[np.float64], start: float) -> list[int]:
    """Return positions of images, each as often as its factor, rounded down or up.

    `start`, from 0 to 1, decides which are rounded up; over all starts each image comes as often
    as its factor says. This is systematic sampling (Madow and Madow, 1944).
    """
    ends = np.floor(np.cumsum(factors) + start).astype(np.int64)
    return np.repeat(np.arange(len(factors)), np.diff(ends, prepend=0)).tolist()
