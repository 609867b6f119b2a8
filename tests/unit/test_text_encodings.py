"""Every format's text files are read whichever encoding of Unicode they were saved in."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from import_data import put_coco, taken
from table_samples import OTHERS, SAMPLES
from tool_data import SETS
from tool_data import put as put_files

from core.common.errors import ImportFailed
from core.data.importers.coco.json_lists import Lists

MAKE: dict[str, Callable[[Path], Path]] = {
    **{name: make for name, (_, make) in SAMPLES.items()},
    **OTHERS,
    **{name: partial(put_files, files=value) for name, value in SETS.items()},
}
TEXTS = (".json", ".jsonl", ".csv", ".txt", ".xml", ".yaml", ".odgt", ".ini")
# With a byte order mark as Notepad's "Unicode" and PowerShell's `>` write it, the other way
# round, and without one.
ENCODINGS = (("utf-16", ""), ("utf-16-be", "\ufeff"), ("utf-16-le", ""))


@pytest.mark.parametrize("name", MAKE)
def test_a_set_saved_as_utf16_is_the_same_set(tmp_path: Path, name: str) -> None:
    folder = MAKE[name](tmp_path / "set")
    texts = {
        file: file.read_text("utf-8") for file in folder.rglob("*") if file.suffix.lower() in TEXTS
    }
    expected = taken(folder, tmp_path / "utf-8")
    assert texts
    assert expected
    # One mechanism reads all three: each format has its turn with one of them.
    encoding, mark = ENCODINGS[list(MAKE).index(name) % len(ENCODINGS)]
    for file, text in texts.items():
        file.write_bytes((mark + text).encode(encoding))
    assert taken(folder, tmp_path / "utf-16") == expected


def test_utf16_that_breaks_off_within_a_character_names_its_file(tmp_path: Path) -> None:
    put_coco(tmp_path, json.dumps({"images": []}).encode("utf-16")[:-1])
    with pytest.raises(ImportFailed, match=r"'x\.json' is not whole as UTF-16 text"):
        Lists(tmp_path / "_annotations.coco.json", "x.json")


DECLARED = '<?xml version="1.0" encoding="{}"?>\n'


@pytest.mark.parametrize("name", ["Pascal VOC", "cvat"])
@pytest.mark.parametrize("declared", ["utf-8", "UTF-16", "us-ascii"])
def test_xml_saved_as_utf16_is_read_whatever_it_declares(
    tmp_path: Path, name: str, declared: str
) -> None:
    """An editor that saves a file in another encoding leaves its first line as it was."""
    folder = MAKE[name](tmp_path / "set")
    expected = taken(folder, tmp_path / "before")
    for file in folder.rglob("*.xml"):
        text = file.read_text("utf-8").partition("?>\n")[2] or file.read_text("utf-8")
        file.write_bytes((DECLARED.format(declared) + text).encode("utf-16"))
    assert taken(folder, tmp_path / "after") == expected
