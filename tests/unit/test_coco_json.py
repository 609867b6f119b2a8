"""Finding and reading the lists of a COCO file, wherever they lie in it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.common.errors import ImportFailed
from core.data.importers.coco import json_lists
from core.data.importers.coco.json_lists import BadRecord, Lists


class Record(msgspec.Struct):
    id: int


DECODER = msgspec.json.Decoder(list[Record])
LISTS = {
    key: [{"id": number} for number in range(count)]
    for key, count in (("images", 3), ("annotations", 20), ("categories", 2))
}
# What may stand between the lists and looks like one.
BESIDE: tuple[dict[str, Any], ...] = (
    {},
    {"info": {"annotations": [1, 2]}},
    {"videos": [{"id": 9}, {"id": 8}]},
    {"note": '"annotations": [5], "categories"'},
)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few records a part."""
    monkeypatch.setattr(json_lists, "_CHUNK", 30)


def read(path: Path, text: str) -> dict[str, list[Any]]:
    """Return the ids in each list of a file with this text."""
    path.write_text(text)
    lists = Lists(path, path.name)

    def plain(place: int, record: Any) -> Record:
        raise BadRecord("wrong type", f"number {place + 1}", str(record))

    wrong: list[BadRecord] = []
    found: dict[str, list[Any]] = {
        key: [record.id for part in lists.records(key, DECODER, plain, wrong.append)
              for record in part]
        for key in ("images", "annotations")
    }  # fmt: skip
    assert not wrong
    return {**found, "categories": [record["id"] for record in lists.plain("categories")]}


@pytest.mark.parametrize("beside", BESIDE, ids=lambda extra: "-".join(extra) or "nothing")
@pytest.mark.parametrize("order", itertools.permutations(LISTS), ids="-".join)
def test_the_lists_are_found_in_any_order_beside_anything(
    order: tuple[str, ...], beside: dict[str, Any], tmp_path: Path
) -> None:
    ids = {key: list(range(len(records))) for key, records in LISTS.items()}
    for place in range(4):
        items = [(key, LISTS[key]) for key in order]
        items[place:place] = list(beside.items())
        for indent in (None, 1):
            assert read(tmp_path / "f.json", json.dumps(dict(items), indent=indent)) == ids


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('"annotations": [{"id": 1},\n{"id": 2} {"id": 3}]', "',' delimiter at line 2, column 11"),
        ('"annotations": [{"id": 1},\n{"id": 2}]]', "line 2, column 11"),
        ('"annotations": [{"id": 1}, {"id": 2}', "line 1, column"),
        ('"annotations": [{"id": 1}], "annotations": [{"id": 7}]', "more than one list"),
    ],
)
def test_what_is_broken_among_the_annotations_is_named(
    text: str, said: str, tmp_path: Path
) -> None:
    whole = f'{{"images": [{{"id": 1}}], {text}, "categories": []}}'
    with pytest.raises(ImportFailed, match=r"f\.json") as caught:
        read(tmp_path / "f.json", whole)
    assert said in caught.value.message
