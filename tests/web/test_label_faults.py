"""Two tabs at once over a line that fails: no edit is lost, none is done twice."""

from __future__ import annotations

import random
from typing import Any

from browsers import expect, until
from label_server import LabelServer
from label_tab import PROJECT, Tab, stored

from core.data.store import Project


def shake(tab: Tab) -> list[str]:
    """Lose requests before the server, and answers after it; return what was done to each."""
    done: list[str] = []

    def fault(route: Any) -> None:
        # However few the requests are that edits are sent in, each is met by all three.
        done.append(("lost before", "lost after", "fine", "fine", "fine")[len(done) % 5])
        if done[-1] == "fine":
            route.continue_()
        else:
            if done[-1] == "lost after":
                route.fetch()
            route.abort()

    tab.page.route("**/ops", fault)
    return done


def test_nothing_is_lost_or_doubled(context: Any, server: LabelServer) -> None:
    chance = random.Random(5)
    tabs = [Tab(context, server, 2), Tab(context, server, 2)]
    faults = [shake(tab) for tab in tabs]
    more = 0
    for turn in range(12):
        tab = tabs[turn % 2]
        tab.page.bring_to_front()  # the moves of a mouse behind another tab take a second each
        x, y = chance.randint(5, 500), chance.randint(5, 380)
        tab.keys("n").drag((x, y), (x + chance.randint(20, 100), y + chance.randint(20, 80)))
        more += 1
        # While it is on its way: what was drawn is moved, classed, and sometimes taken away.
        for _ in range(chance.randint(0, 3)):
            tab.keys(chance.choice(("ArrowRight", "Shift+ArrowDown", "Alt+ArrowUp", "1", "2")))
        if chance.random() < 0.25:
            tab.keys("Delete")
            more -= 1
    for tab in tabs:
        tab.saved()
        expect(tab.page.locator(".toast.error")).to_have_count(0)
        assert tab.state["conflict"] is None
    for done in faults:
        assert {"fine", "lost before", "lost after"} <= set(done)
    truth = sorted((box.id, *box.box, box.class_id) for box in stored(server, 2).boxes)
    assert len(truth) == more
    for tab in tabs:
        until(tab.page, f"batman.state().boxes.length === {more}")
        seen = sorted((box["id"], *box["box"], box["class"]) for box in tab.state["boxes"])
        assert seen == truth
    with Project.open(server.folder / PROJECT) as project:
        while (entry := project.newest()) and entry.kind == "labels.edit":
            project.undo(entry.id)
    assert stored(server, 2).boxes == ()
    assert [tab.said for tab in tabs] == [[], []]
