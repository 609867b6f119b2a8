"""Snap on the page: a model is chosen once, loaded where one sees it, and its box is an edit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from browsers import until
from label_server import LabelServer
from label_tab import Tab, close, stored

from core.autolabel.snap import service
from core.autolabel.snap.which_model import SnapChoice, snap_choice

UNIT = Path(__file__).parents[1] / "unit"


@pytest.fixture(autouse=True)
def _small_child(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The child with the real lines and a model that doubles the width, without torch."""
    monkeypatch.setenv("PYTHONPATH", str(UNIT))
    monkeypatch.setattr(service, "MODULE", "snapping_child")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


def make_run(server: LabelServer) -> None:
    run = server.folder.parent.parent / "runs" / "night-4"
    run.mkdir(parents=True)
    (run / "best.pth").touch()


def test_a_box_is_snapped_by_a_model_that_is_chosen_once(tab: Tab, server: LabelServer) -> None:
    make_run(server)
    tab.keys("s").told("Select the box")
    tab.click(180, 180).keys("s").told("Choose SAM 3 with the folder of its files")
    page = tab.page
    page.get_by_label("Weights", exact=True).fill("/no/such/folder")
    page.get_by_role("button", name="Take it").click()
    until(page, "document.querySelector('[data-said]')?.innerText.includes('is not there')")
    assert snap_choice() == SnapChoice(), "what cannot be is not kept"
    page.get_by_label("Model", exact=True).fill("night-4")
    page.get_by_label("Weights", exact=True).fill("")
    page.get_by_role("button", name="Take it").click()
    until(page, "document.querySelector('[data-snap]')?.innerText.includes('loading')")
    until(page, "batman.state().done === 1")
    assert snap_choice() == SnapChoice("night-4")
    assert close(stored(server).boxes[-1].box, [150, 150, 120, 60])
    tab.told("takes it for 640")  # the class that this model names
    tab.saved().keys("s")
    until(page, "batman.state().done === 2")
    assert close(stored(server).boxes[-1].box, [150, 150, 240, 60])
    for left, width in ((1, 120), (0, 60)):
        tab.keys("u")
        until(page, f"batman.state().done === {left}")
        assert close(stored(server).boxes[-1].box, [150, 150, width, 60])


def test_a_suggestion_that_is_snapped_is_accepted(tab: Tab, server: LabelServer) -> None:
    make_run(server)
    answer = tab.page.evaluate(
        """fetch("api/snap", {method: "POST", headers: {"Content-Type": "application/json"},
        body: JSON.stringify({with: "night-4"})}).then((answer) => answer.json())"""
    )
    assert answer == {"title": "the run night-4"}
    tab.click(500, 100).keys("s")
    until(tab.page, "batman.state().done === 1")
    accepted = next(box for box in stored(server).boxes if box.source == "model")
    assert accepted.edited
    assert close(accepted.box, [450, 50, 190, 100])  # cut at the picture's edge


def test_a_box_that_was_moved_meanwhile_stays(tab: Tab, server: LabelServer) -> None:
    make_run(server)
    held: list[Any] = []
    tab.page.route("**/images/1/snap", lambda route: held.append(route))
    tab.click(180, 180).keys("s")
    until(tab.page, "document.querySelector('[data-snap]')")
    while not held:
        tab.page.wait_for_timeout(10)
    tab.keys("ArrowRight").saved()
    held[0].fulfill(json={"box": [1, 2, 3, 4], "score": 0.9, "class": None, "model": "SAM 3"})
    tab.told("changed or left meanwhile")
    assert close(stored(server).boxes[-1].box, [151, 150, 60, 60])


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"with": "owlv2"}, "OWLv2 cannot snap a box"),
        ({"with": "coco:base"}, "cannot snap a box"),
        ({"with": "sam3"}, "not on this machine"),
        ({"with": "no-such-run"}, "no-such-run"),
    ],
)
def test_a_model_that_cannot_snap_is_refused(tab: Tab, wish: dict[str, str], said: str) -> None:
    status, answer = tab.page.evaluate(
        """async (wish) => {
            const answer = await fetch("api/snap", {method: "POST", body: JSON.stringify(wish),
                headers: {"Content-Type": "application/json"}});
            return [answer.status, await answer.json()];
        }""",
        wish,
    )
    assert status == 400
    assert said in answer["error"]
    assert snap_choice() == SnapChoice()
