"""A page of crops: which letter each has, and which are struck out."""

from __future__ import annotations

from collections.abc import Sequence

LETTERS = "abcdefghijklmnopqrstvwxy"
"""The letters of a page: 24, without u, which takes back as everywhere."""


class Page:
    """The suggestions of a page and which of them are struck out."""

    def __init__(self, ids: Sequence[int] = ()) -> None:
        self.ids = tuple(ids)
        self._struck: set[int] = set()

    def letter(self, number: int) -> str:
        """Return the letter of the crop with this number, from 0."""
        return LETTERS[number]

    def struck(self, number: int) -> bool:
        """Return whether the crop with this number is struck out."""
        return self.ids[number] in self._struck

    def press(self, letter: str) -> int | None:
        """Strike out the crop with a letter, or take that back; None for a letter of none."""
        number = LETTERS.find(letter) if len(letter) == 1 else -1
        if not 0 <= number < len(self.ids):
            return None
        self._struck ^= {self.ids[number]}
        return number

    def strike_all(self) -> None:
        """Strike out all, or none when all are."""
        self._struck = set() if len(self._struck) == len(self.ids) else set(self.ids)

    @property
    def accepted(self) -> list[int]:
        """The suggestions that are right."""
        return [number for number in self.ids if number not in self._struck]

    @property
    def rejected(self) -> list[int]:
        """The suggestions that are wrong."""
        return [number for number in self.ids if number in self._struck]
