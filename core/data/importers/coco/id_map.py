"""Looking up ids by the hundred thousand, and noticing one that comes twice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from core.late import late

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = late("numpy")


# Ids spread over at most so many numbers are looked up in a table instead of a dictionary.
_DENSE = 20_000_000
_PADDED = re.compile(r"-?[0-9]{1,18}")


def number_of(key: Any) -> Any:
    """Return the number that a text of digits means (7 for "007"), else the id as it is."""
    return int(key) if isinstance(key, str) and _PADDED.fullmatch(key) else key


def meant_by(keys: Iterable[Any]) -> dict[Any, Any]:
    """Return for each number the one of `keys` that means it; none where two do, as "007" and 7."""
    meant: dict[Any, Any] = {}
    twice = set()
    for key in keys:
        number = number_of(key)
        if meant.setdefault(number, key) is not key:
            twice.add(number)
    return {number: key for number, key in meant.items() if number not in twice}


class IdMap:
    """From ids, usually whole numbers, to numbers from 0: filled, then built, then asked.

    "007" is an id of its own beside 7; where there is only one of the two, each finds it.
    `numbers` may be filled directly.
    """

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}
        self._table: NDArray[np.int32] | None = None
        self._low = 0
        # From a number to the id that means it, where ids are not all whole numbers.
        self._meant: dict[Any, Any] | None = None

    def __contains__(self, key: Any) -> bool:
        return key in self.numbers

    def add(self, key: Any, number: int) -> None:
        """Give an id its number."""
        self.numbers[key] = number

    def build(self) -> None:
        """Prepare for `lookup`; nothing may be added afterwards."""
        numbers = self.numbers
        if not numbers or not all(type(key) is int for key in numbers):
            self._meant = meant_by(numbers)
            return
        low, high = min(numbers), max(numbers)
        if high - low < _DENSE and low > -(2**62) and high < 2**62:
            # An entry at each end stands for every id outside.
            self._low = low - 1
            self._table = np.full(high - low + 3, -1, np.int32)
            keys = np.fromiter(numbers, np.int64, len(numbers))
            self._table[keys - self._low] = np.fromiter(numbers.values(), np.int32, len(numbers))

    def lookup(self, keys: Sequence[Any] | NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the numbers of the ids, (n,), -1 for unknown ones."""
        if self._table is not None:
            try:
                ids = _whole(keys)
            except (TypeError, OverflowError):
                pass  # Ids that are text or fractions, or beyond 64 bits: one by one.
            else:
                last = self._low + len(self._table) - 1
                return self._table[np.clip(ids, self._low, last) - self._low]
        return np.fromiter(map(self._number, _plain(keys)), np.int32, len(keys))

    def _number(self, key: Any) -> int:
        found = self.numbers.get(key)
        if found is None:
            number = number_of(key)
            found = self.numbers.get(number if self._meant is None else self._meant.get(number))
        return -1 if found is None else found


class Seen:
    """Which ids came before. Ids that only rise, as nearly all files have them, cost next to
    nothing; the first that does not has the ones before it gathered.
    """

    def __init__(self) -> None:
        self._rising: list[NDArray[np.int64]] = []
        self._last = -(2**63)
        self._set: set[Any] | None = None

    def fresh(self, ids: Sequence[Any] | NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of the ids, (n,), did not come before; None is always fresh."""
        if self._set is None:
            try:
                array = _whole(ids)
            except (TypeError, OverflowError):
                array = np.zeros(0, np.int64)
            if len(array) and array[0] > self._last and bool((np.diff(array) > 0).all()):
                self._rising.append(array)
                self._last = int(array[-1])
                return np.ones(len(ids), bool)
            self._set = set(np.concatenate(self._rising).tolist()) if self._rising else set()
            self._rising = []
        fresh = np.ones(len(ids), bool)
        for place, key in enumerate(_plain(ids)):
            if key is not None:
                fresh[place] = key not in self._set
                self._set.add(key)
        return fresh


def _whole(ids: Sequence[Any] | NDArray[np.int64]) -> NDArray[np.int64]:
    """Return ids as an array, (n,). Raises TypeError, OverflowError for others.

    numpy itself would take 1.5 and "007" for whole numbers.
    """
    if isinstance(ids, np.ndarray):
        return ids
    if {*map(type, ids)} - {int}:
        raise TypeError("an id is no whole number")
    return np.fromiter(ids, np.int64, len(ids))


def _plain(ids: Sequence[Any] | NDArray[np.int64]) -> Sequence[Any]:
    return ids.tolist() if isinstance(ids, np.ndarray) else ids
