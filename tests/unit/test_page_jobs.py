"""How long the work that goes on behind the labelling page takes yet."""

from __future__ import annotations

import threading

import pytest

from core.common.progress import Progress
from web.label import jobs
from web.label.jobs import Jobs


def test_each_stage_has_a_pace_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(jobs.time, "monotonic", lambda: now[0])
    said: list[object] = []
    ended = threading.Event()

    def act(report: jobs.Report, _stopped: object) -> str:
        def at(seconds: float, stage: str, done: int, total: int | None) -> None:
            now[0] = seconds
            report(Progress(stage, done, total))
            said.append(job.json()["seconds_left"])

        begun.wait(10)
        at(100, "loading", 0, None)
        at(160, "labelling", 10, 50)  # gone on with: ten were there
        at(170, "labelling", 15, 50)
        at(200, "labelling", 50, 50)
        ended.set()
        return "done"

    begun = threading.Event()
    job = Jobs().start("a pass", act)
    begun.set()
    assert ended.wait(10)
    assert said == [None, None, 70.0, 0.0]
