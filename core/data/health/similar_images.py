"""Groups images that are the same, or look the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from core.common.errors import Cancelled
from core.data.health.scan import ScannedImage, thumbs
from core.late import late

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = late("numpy")


DISTANCE = 6
"""At most this many of the 64 bits differ between near-duplicates."""
DIFFERENCE = 6.0
"""And their 16×16 grey thumbnails differ by at most this much of 255 on average, …"""
BRIGHTNESS = 24.0
"""… brightness apart, which may differ by at most this much."""
# Pigeonhole: two hashes that differ in at most DISTANCE bits agree in one of DISTANCE + 1 bands.
_WIDTHS = [10] + [9] * DISTANCE
_CHUNK = 1 << 22


def same(images: Sequence[ScannedImage]) -> list[list[int]]:
    """Return groups of ids of images whose files are equal byte by byte, two or more each."""
    groups: dict[bytes, list[int]] = {}
    for image in images:
        groups.setdefault(image.digest, []).append(image.id)
    return [ids for ids in groups.values() if len(ids) > 1]


def alike(
    images: Sequence[ScannedImage], cancelled: Callable[[], bool] | None = None
) -> list[list[int]]:
    """Return groups of ids of images that look the same but are not the same file.

    Two images are alike when at most `DISTANCE` bits of their difference hashes differ and their
    grey thumbnails differ by little (`DIFFERENCE`, `BRIGHTNESS`); groups are what is reached from
    one to the next. Of equal files only the first is in a group. 120,000 images take a few
    seconds: hashes are compared only within bands. Raises `Cancelled`.
    """
    first: dict[bytes, int] = {}
    for at, image in enumerate(images):
        first.setdefault(image.digest, at)
    chosen = [images[at] for at in first.values()]
    if len(chosen) < 2:
        return []
    pictures = thumbs(chosen).astype(np.float32)
    means = pictures.mean(axis=1)
    pictures -= means[:, None]
    hashes = np.array([image.dhash for image in chosen], dtype=np.uint64)
    unique, where = np.unique(hashes, return_inverse=True)
    order = np.argsort(where, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(where[order]) > 0])
    # Images of one hash stand for each other in the search, by their first one.
    heads = order[starts]
    joined = _Groups(len(chosen))

    def join(left: NDArray[np.int64], right: NDArray[np.int64]) -> None:
        step = max(1, _CHUNK // pictures.shape[1])
        for start in range(0, len(left), step):
            a, b = left[start : start + step], right[start : start + step]
            fits = np.abs(pictures[a] - pictures[b]).mean(axis=1) <= DIFFERENCE
            fits &= np.abs(means[a] - means[b]) <= BRIGHTNESS
            for one, other in zip(a[fits].tolist(), b[fits].tolist(), strict=True):
                joined.join(one, other)

    follow = np.diff(np.r_[starts, len(order)])
    twins = order[np.repeat(follow, follow) > 1]
    leaders = heads[where[twins]]
    join(leaders, twins)
    for left, right in _close(unique):
        if cancelled is not None and cancelled():
            raise Cancelled("The check was stopped.", "Nothing was changed.")
        join(heads[left], heads[right])
    return [[chosen[at].id for at in group] for group in joined.groups()]


def _close(unique: NDArray[np.uint64]) -> Iterable[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield arrays of pairs of positions of hashes that differ in at most `DISTANCE` bits."""
    shift = 0
    for width in _WIDTHS:
        band = (unique >> np.uint64(shift)) & np.uint64((1 << width) - 1)
        shift += width
        order = np.argsort(band, kind="stable")
        edges = np.flatnonzero(np.r_[True, np.diff(band[order]) > 0, True])
        for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            members = order[start:end]
            rows = max(1, _CHUNK // (end - start))
            for at in range(0, len(members), rows):
                some = members[at : at + rows]
                differing = np.bitwise_count(unique[some][:, None] ^ unique[members][None, :])
                left, right = np.nonzero(differing <= DISTANCE)
                left, right = some[left], members[right]
                yield left[left < right], right[left < right]


class _Groups:
    """Union-find over positions, with path halving."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def root(self, at: int) -> int:
        parent = self._parent
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    def join(self, one: int, other: int) -> None:
        a, b = self.root(one), self.root(other)
        if a != b:
            self._parent[max(a, b)] = min(a, b)

    def groups(self) -> list[list[int]]:
        found: dict[int, list[int]] = {}
        for at in range(len(self._parent)):
            root = self.root(at)
            if root != at:
                found.setdefault(root, [root]).append(at)
        return list(found.values())
