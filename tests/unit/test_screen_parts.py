"""Parts of screens that need no terminal: cells, bars, times, guesses, completion."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.cells import cell_len

from batman_tui.widgets.form.path_suggester import complete
from batman_tui.widgets.table.cells import bar, fit
from core.common.text import ago
from core.data.importers.detect_format import guess_kind, typed_paths
from core.data.overview import overview
from core.data.store import Project


@pytest.mark.parametrize("cells", [0, 1, 2, 5, 9, 40])
@pytest.mark.parametrize(
    "text", ["", "a", "person", "行人と自転車", "🚗🚗🚗", "a\x1b[31mb", "e\u0301tude", "x" * 99]
)
def test_text_takes_exactly_its_cells(text: str, cells: int) -> None:
    for align in ("left", "right"):
        fitted = fit(text, cells, align)
        assert cell_len(fitted) == cells
        assert "\x1b" not in fitted


def test_what_is_cut_says_so() -> None:
    assert fit("crane hooks", 6) == "crane…"
    assert fit("crane", 7, "right") == "  crane"
    assert fit("/data/日本/set", 8, keep="end") == "…本/set "
    assert fit("/data/set", 5, keep="end") == "…/set"
    assert fit("/set", 5, keep="end") == "/set "
    assert fit("/set", 1, keep="end") == "…"


def test_bars_grow_by_half_cells_and_are_never_empty_above_zero() -> None:
    assert bar(0, 4) == "    "
    assert bar(0.0001, 4) == "╸   "
    assert bar(0.5, 4) == "━━  "
    assert bar(0.625, 4) == "━━╸ "
    assert bar(1, 4) == "━━━━"
    assert bar(7, 4) == "━━━━"


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=59, seconds=59), "59 min ago"),
        (timedelta(hours=23, minutes=59), "23 h ago"),
        (timedelta(days=6, hours=23), "6 d ago"),
        (timedelta(days=40), "2 Feb 2026"),
    ],
)
def test_times_as_people_say_them(age: timedelta, said: str) -> None:
    now = datetime(2026, 3, 14, 12, tzinfo=UTC)
    assert ago(now - age, now) == said
    assert len(said) <= 11


@pytest.mark.parametrize(
    ("files", "at", "kind"),
    [
        (["train/_annotations.coco.json"], "", "coco-dir"),
        (["annotations/instances.json", "images/a.jpg"], "", "coco-dir"),
        (["instances.json"], "instances.json", "coco-dir"),
        (["data.yaml", "train/labels/a.txt"], "", "yolo"),
        (["data.yaml"], "data.yaml", "yolo"),
        (["labels/a.txt", "images/a.jpg"], "", "yolo"),
        (["Annotations/a.xml", "JPEGImages/a.jpg"], "", "voc"),
        (["a.xml", "a.jpg"], "", "voc"),
        (["train/a.xml"], "", "voc"),
        (["a.jpg"], "", None),
        (["a.jpg"], "a.jpg", None),
        ([".hidden.json"], "", None),
        ([], "not/there", None),
    ],
)
def test_guesses_what_a_folder_holds(
    tmp_path: Path, files: list[str], at: str, kind: str | None
) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert guess_kind(tmp_path / at) == kind


def test_completes_a_path_from_the_disk(tmp_path: Path) -> None:
    (tmp_path / "sets" / "site").mkdir(parents=True)
    (tmp_path / "sets" / "sides.json").touch()
    assert complete(f"{tmp_path}/se") == f"{tmp_path}/sets/"
    assert complete(f"{tmp_path}/sets/sit") == f"{tmp_path}/sets/site/"
    assert complete(f"{tmp_path}/sets/si") == f"{tmp_path}/sets/sides.json"
    assert complete(f"{tmp_path}/sets/") is None
    assert complete(f"{tmp_path}/no/such") is None
    assert complete("~nobody-has-this-name/x") is None
    assert complete("a\x00/b") is None
    assert complete("plain") is None


def test_an_overview_counts_only_what_is_visible(tmp_path: Path) -> None:
    with Project.create(tmp_path / "p") as project:
        for number in range(2):
            with project.change("import", "made") as change:
                source = change.insert(
                    "imports",
                    {"kind": "coco", "origin": f"o{number}", "at": "2026-03-14", "active": 1},
                )
                for image in range(3):
                    change.insert(
                        "images",
                        {
                            "import_id": source,
                            "path": f"{number}/{image}.jpg",
                            "name": f"{image}.jpg",
                            "width": 9,
                            "height": 9,
                            "split": "train" if image else None,
                        },
                    )
        whole = overview(project)
        assert whole.splits == {"train": 4, None: 2}
        assert [item.origin for item in whole.imports] == ["o1", "o0"]
        assert [item.images for item in whole.imports] == [3, 3]
        project.undo()
        half = overview(project)
        assert half.splits == {"train": 2, None: 1}
        assert [item.origin for item in half.imports] == ["o0"]


def test_typed_paths_are_read_as_by_a_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("a.mp4", "b.mp4", "two words.mp4", "it's [1].mp4", "c*.mp4"):
        (tmp_path / name).touch()

    def names(text: str) -> list[str]:
        return [path.name for path in typed_paths(text)]

    assert typed_paths("~/a.mp4 ") == [tmp_path / "a.mp4"]
    assert names(f"{tmp_path}/two words.mp4") == ["two words.mp4"]
    assert names(f"{tmp_path}/it's [1].mp4") == ["it's [1].mp4"]
    assert names("~/a.mp4 ~/b.mp4  ~/a.mp4") == ["a.mp4", "b.mp4"]
    assert names("'~/two words.mp4' ~/b.mp4") == ["two words.mp4", "b.mp4"]
    assert names(f"'{tmp_path}/two words.mp4' {tmp_path}/two\\ words.mp4") == ["two words.mp4"]
    assert names("~/?.mp4") == ["a.mp4", "b.mp4"]
    assert names("~/c*.mp4") == ["c*.mp4"]
    assert names("~/x*.mp4 ~/gone.mp4") == ["x*.mp4", "gone.mp4"]
    assert names("'~/still open.mp") == ["still open.mp"]
    assert typed_paths("  ") == []
