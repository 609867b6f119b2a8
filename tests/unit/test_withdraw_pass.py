"""A whole pass taken back: what it found goes, what it had replaced comes back, undo undoes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from label_data import HOOK, PERSON, RUN, make_labels

from core.data.labels.bulk import decide
from core.data.labels.passes import Found, PassInfo, list_passes, record_pass, withdraw_pass
from core.data.labels.view import LabelError, picture_labels
from core.data.store import Project


def scores(project: Project, image: int = 2) -> list[float]:
    return sorted(each.score for each in picture_labels(project, image).suggestions)


def test_what_it_replaced_is_open_again(tmp_path: Path) -> None:
    with Project.open(make_labels(tmp_path / "site")) as project:
        box = (20.0, 60.0, 30.0, 25.0)
        second = record_pass(project, RUN, [(2, [Found(HOOK, box, 0.33)])])
        assert scores(project) == [0.33]
        (taken,) = picture_labels(project, 2).suggestions
        decide(project, accept=[taken.id])
        entry = withdraw_pass(project, second.pass_id)
        assert entry.summary.startswith("Took back: 1 suggestion")
        assert scores(project) == [0.6, 0.8]
        assert [each.id for each in list_passes(project)] == [second.pass_id - 1]
        (label,) = picture_labels(project, 2).boxes
        assert label.score == 0.33, "what a person accepted stays"
        with pytest.raises(LabelError, match=f"no pass {second.pass_id} to take back"):
            withdraw_pass(project, second.pass_id)
        project.take_back(entry.id)
        assert [each.id for each in list_passes(project)] == [second.pass_id, second.pass_id - 1]
        assert scores(project) == []


def test_what_a_later_pass_replaced_stays_so(tmp_path: Path) -> None:
    with Project.open(make_labels(tmp_path / "site")) as project:
        (first,) = list_passes(project)
        hooks = PassInfo("run", "site-2", (HOOK,))
        second = record_pass(project, RUN, [(2, [Found(PERSON, (5.0, 5.0, 9.0, 9.0), 0.44)])])
        record_pass(project, hooks, [(2, [Found(HOOK, (60.0, 60.0, 30.0, 25.0), 0.9)])])
        assert scores(project) == [0.44, 0.9]
        before = project.newest()
        entry = withdraw_pass(project, second.pass_id)
        assert scores(project) == [0.6, 0.9], "the hook of 0.8 is replaced by that of 0.9"
        project.take_back(entry.id)
        assert scores(project) == [0.44, 0.9]
        assert project.newest() == before
        withdraw_pass(project, first.id)
        assert scores(project) == [0.44, 0.9]
