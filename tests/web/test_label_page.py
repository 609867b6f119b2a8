"""The labelling page in a real browser: what one sees, what is stored, and that nothing is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from browsers import expect, until
from label_server import LabelServer
from label_tab import HOOK, MAN, PROJECT, Tab, close, encoded, stored

from core.data.labels.edit import edit
from core.data.labels.ops import parse_ops
from core.data.labels.prompts import Example, prompts_of
from core.data.store import Project


def test_from_the_projects_to_a_box_that_is_saved(context: Any, server: LabelServer) -> None:
    tab = Tab(context, server)
    tab.page.goto(f"{server.address}/label/")
    tab.page.get_by_text(PROJECT).click()  # a name is text, never HTML
    tab.page.locator(".thumb").first.click()
    until(tab.page, "batman.state().picture")
    tab.keys("2").drag((20, 420), (80, 470)).saved()
    [drawn] = [box for box in stored(server).boxes if box.source == "person"]
    assert close(drawn.box, [20, 420, 60, 50])
    assert drawn.class_id == MAN
    assert tab.state["selected"] == f"b{drawn.id}"
    expect(tab.page.locator("main b, .side i, .topbar b")).to_have_count(0)
    assert tab.said == []


def test_boxes_are_moved_resized_classed_nudged_and_deleted(tab: Tab, server: LabelServer) -> None:
    tab.click(180, 180)
    chosen = tab.state["selected"]
    assert chosen == f"b{next(b.id for b in stored(server).boxes if b.box[2] == 60)}"
    tab.drag((210, 180), (260, 180)).saved()  # an edge
    assert close(stored(server).boxes[-1].box, [150, 150, 110, 60])
    tab.drag((260, 210), (240, 230)).saved()  # a corner
    assert close(stored(server).boxes[-1].box, [150, 150, 90, 80])
    tab.drag((190, 190), (200, 180)).saved()  # the whole
    before = stored(server).boxes[-1].box
    assert close(before, [160, 140, 90, 80])
    tab.keys("ArrowRight", "Shift+ArrowDown", "Alt+ArrowLeft", "Alt+Shift+ArrowUp").saved()
    x, y, w, h = before
    assert close(stored(server).boxes[-1].box, [x, y + 11, w + 1, h - 1], 0.01)
    tab.keys("2").saved()
    assert stored(server).boxes[-1].class_id == MAN
    tab.keys("Delete").saved()
    assert len(stored(server).boxes) == 1


def test_the_smallest_box_first_and_the_next_below_by_another_click(tab: Tab) -> None:
    small, large = (
        f"b{box['id']}" for box in sorted(tab.state["boxes"], key=lambda b: b["box"][2])
    )
    tab.click(180, 180)
    assert tab.state["selected"] == small
    tab.click(180, 180)
    assert tab.state["selected"] == large
    tab.click(180, 180)
    assert tab.state["selected"] == small
    tab.click(20, 20)
    assert tab.state["selected"] is None


def test_a_box_inside_a_box_and_one_that_is_given_up(tab: Tab, server: LabelServer) -> None:
    tab.keys("n").drag((300, 300), (340, 350)).saved()
    assert close(stored(server).boxes[-1].box, [300, 300, 40, 50])
    assert tab.state["mode"] == "select"
    tab.page.mouse.move(*tab.at(20, 20))
    tab.page.mouse.down()
    tab.page.mouse.move(*tab.at(60, 60), steps=3)
    tab.keys("Escape")
    tab.page.mouse.up()
    assert len(tab.saved().boxes) == 3


def test_suggestions_one_by_one_and_all_that_are_shown(tab: Tab, server: LabelServer) -> None:
    assert [key[0] for key in tab.state["shown"]] == ["b", "b", "s", "s"]  # 0.2 is below 0.5
    tab.keys("Tab")
    assert tab.state["selected"].startswith("s")
    tab.keys("a")
    assert tab.state["selected"].startswith("s"), "the next one"
    tab.keys("r").saved()
    now = stored(server)
    accepted = next(box for box in now.boxes if box.source == "model")
    assert (accepted.model, accepted.score, accepted.edited) == ("night-3", 0.9, False)
    assert [each.score for each in now.suggestions] == [0.2]
    tab.keys(*"[" * 7)  # 0.5 down to 0.15
    assert len(tab.state["shown"]) == 4
    tab.keys("o")
    assert len(tab.state["shown"]) == 3, "only those below"
    tab.keys("o", "Enter")
    until(tab.page, "batman.state().image === 2")
    tab.saved()
    assert (stored(server).suggestions, stored(server).review) == ((), "done")


def test_a_suggestion_that_is_mended_is_accepted(tab: Tab, server: LabelServer) -> None:
    tab.click(500, 100)
    tab.drag((550, 100), (580, 100)).saved()
    mended = next(box for box in stored(server).boxes if box.source == "model")
    assert close(mended.box, [450, 50, 130, 100])
    assert mended.edited


def test_undo_and_redo_reach_back_over_a_reload(tab: Tab, server: LabelServer) -> None:
    start = stored(server).boxes
    tab.click(180, 180).keys("Delete").saved().keys("Tab", "a").saved().keys("Space")
    until(tab.page, "batman.state().image === 2")
    tab.saved()
    end = stored(server)
    tab.page.reload()
    until(tab.page, "batman.state().picture")
    for left in (2, 1, 0):
        tab.keys("u")
        until(tab.page, f"batman.state().done === {left}")
    assert stored(server).boxes == start
    assert stored(server).review is None
    until(tab.page, "batman.state().image === 1")  # where it was
    # What came before is not this tab's: not the pass, and not the import of the pictures.
    tab.keys("u").told("nothing to take back that you did")
    with Project.open(server.folder / PROJECT) as project:
        stands = [entry.kind for entry in project.history() if not entry.undone]
    assert sorted(stands) == ["import", "labels.pass"]
    for done in (1, 2, 3):
        tab.keys("Control+y")
        until(tab.page, f"batman.state().done === {done}")
    assert stored(server).boxes == end.boxes
    assert stored(server).review == "done"


def test_review_states_and_the_pictures_they_are_found_by(tab: Tab, server: LabelServer) -> None:
    tab.keys("l")
    until(tab.page, "batman.state().image === 2")
    tab.keys("Space")
    until(tab.page, "batman.state().image === 3")
    tab.saved()
    assert [stored(server, image).review for image in (1, 2, 3)] == ["later", "done", None]
    tab.keys("/")
    until(tab.page, "document.activeElement.type === 'search'")
    tab.page.keyboard.type("is:reviewed")
    tab.keys("Enter")
    until(tab.page, "document.querySelectorAll('.thumb').length === 1")
    assert "b.jpg" in tab.page.inner_text(".thumb")


def test_fast_strokes_are_for_the_picture_that_comes(tab: Tab, server: LabelServer) -> None:
    tab.keys("Space", "Space", "Space").saved()
    assert [stored(server, image).review for image in (1, 2, 3)] == ["done"] * 3


def test_offline_edits_wait_and_arrive_once_in_their_order(
    tab: Tab, context: Any, server: LabelServer
) -> None:
    context.set_offline(True)
    tab.drag((20, 420), (80, 470)).keys("2", "ArrowLeft").keys("Tab", "a")
    until(tab.page, "batman.state().save === 'offline' && batman.state().waiting === 4")
    tab.told("offline, 4 waiting")
    assert len(stored(server).boxes) == 2
    context.set_offline(False)
    tab.saved()
    drawn = next(box for box in stored(server).boxes if box.source == "person")
    assert close(drawn.box, [19, 420, 60, 50])
    assert drawn.class_id == MAN
    assert [box.source for box in stored(server).boxes].count("model") == 1


def test_a_picture_at_hand_stays_while_nobody_answers(tab: Tab, server: LabelServer) -> None:
    asked: list[str] = []

    def cut(route: Any) -> None:
        asked.append(route.request.url)
        route.abort()

    def draw(x: int) -> None:
        with Project.open(server.folder / PROJECT) as project:
            edit(project, 1, parse_ops([{"op": "add", "class": HOOK, "box": [x, 400, 20, 20]}]))

    tab.page.route("**/images/1", cut)
    draw(10)
    until(tab.page, "batman.state().listening")
    while not asked:
        tab.page.wait_for_timeout(20)
    tab.page.wait_for_timeout(50)  # the answer's way through the page
    expect(tab.page.locator(".stage .over")).to_have_count(0)
    tab.page.unroute("**/images/1", cut)
    draw(60)
    until(tab.page, "batman.state().boxes.length === 4")


def test_what_waits_outlives_the_tab(context: Any, server: LabelServer) -> None:
    tab = Tab(context, server, 1)
    context.set_offline(True)
    tab.drag((20, 420), (80, 470)).keys("2")
    until(tab.page, "batman.state().save === 'offline' && batman.state().waiting === 2")
    tab.page.close(run_before_unload=False)
    context.set_offline(False)
    Tab(context, server, 2).saved()
    [drawn] = [box for box in stored(server).boxes if box.source == "person"]
    assert drawn.class_id == MAN


def test_a_lost_answer_does_not_draw_twice(tab: Tab, server: LabelServer) -> None:
    lost: list[str] = []

    def lose(route: Any) -> None:
        if not lost:
            lost.append(route.fetch().text())  # the server has done it
            route.abort()
        else:
            route.continue_()

    tab.page.route("**/ops", lose)
    tab.drag((20, 420), (80, 470)).saved()
    assert len(lost) == 1
    assert len(stored(server).boxes) == 3
    assert len(tab.boxes) == 3


def test_a_stale_tab_is_told_and_writes_over_nothing(context: Any, server: LabelServer) -> None:
    tab = Tab(context, server)
    tab.page.route("**/api/events", lambda route: route.abort())  # nobody tells it what is new
    tab.open()
    small = stored(server).boxes[-1]
    theirs = {"op": "set", "id": small.id, "was": {"box": small.box, "class": HOOK}}
    with Project.open(server.folder / PROJECT) as project:  # the app, say: the page is not told
        edit(project, 1, parse_ops([{**theirs, "box": [150, 150, 90, 90]}]))
    tab.click(180, 180).drag((180, 180), (190, 190))
    tab.told("your edit was not made")
    assert stored(server).boxes[-1].box == (150, 150, 90, 90)
    assert [150, 150, 90, 90] in tab.boxes
    tab.page.click("[data-insist]")
    tab.saved()
    assert close(stored(server).boxes[-1].box, [160, 160, 60, 60])
    assert tab.state["conflict"] is None


def answer_once(tab: Tab, status: int, body: dict[str, Any]) -> None:
    """Let the server's next answer to an edit be another; the edit does not reach it."""
    left = [json.dumps(body)]

    def answer(route: Any) -> None:
        if left:
            route.fulfill(status=status, content_type="application/json", body=left.pop())
        else:
            route.continue_()

    tab.page.route("**/ops", answer)


def test_another_writer_is_named_and_waited_for(tab: Tab, server: LabelServer) -> None:
    answer_once(tab, 423, {"error": "locked", "holder": "batman import on node3"})
    tab.drag((20, 420), (80, 470))
    tab.told("batman import on node3 is writing")
    tab.saved()
    assert len(stored(server).boxes) == 3


def test_what_the_server_refuses_is_told_and_shown_no_longer(tab: Tab, server: LabelServer) -> None:
    answer_once(tab, 400, {"error": "There is no class 9.", "hint": "Merged."})
    tab.drag((20, 420), (80, 470)).told("There is no class 9.")
    assert len(tab.saved().boxes) == 2
    assert len(stored(server).boxes) == 2


def test_a_link_that_is_no_longer_valid_loses_nothing(tab: Tab, server: LabelServer) -> None:
    answer_once(tab, 401, {})
    tab.drag((20, 420), (80, 470))
    tab.told("no longer valid")
    assert tab.state["save"] == "shut"
    tab.page.reload()  # as after the link of the new start was opened
    tab.saved()
    assert len(stored(server).boxes) == 3


def test_a_page_of_a_proxy_is_no_answer(tab: Tab, server: LabelServer) -> None:
    left = ["<html>Log in</html>"]
    tab.page.route(
        "**/ops", lambda route: route.fulfill(body=left.pop()) if left else route.continue_()
    )
    tab.drag((20, 420), (80, 470)).told("Something between here and the server").saved()
    assert len(stored(server).boxes) == 3


def test_two_tabs_see_each_other(tab: Tab, context: Any, server: LabelServer) -> None:
    other = Tab(context, server, 1)
    other.drag((20, 420), (80, 470)).saved()
    until(tab.page, "batman.state().boxes.length === 3")
    tab.told("changed this picture")
    expect(other.page.get_by_text("changed this picture")).to_have_count(0)


def test_zoom_at_the_cursor_pan_fit_and_the_original_when_closer(tab: Tab) -> None:
    tab.page.mouse.move(*tab.at(200, 150))
    where = tab.at(200, 150)
    tab.page.mouse.wheel(0, -800)
    assert tab.at(200, 150) == pytest.approx(where, abs=1)  # the mouse has whole pixels
    assert tab.state["view"]["scale"] > 3
    x = tab.state["view"]["x"]
    tab.page.mouse.down(button="right")
    tab.page.mouse.move(where[0] + 40, where[1], steps=2)
    tab.page.mouse.up(button="right")
    assert tab.state["view"]["x"] == pytest.approx(x + 40)
    tab.keys("0").click(180, 180).keys("z")
    left, _ = tab.at(150, 150)
    right, _ = tab.at(210, 210)
    assert right - left > 250
    tab.keys("b", "v")
    assert tab.state["brightness"] > 1
    assert tab.state["hidden"]
    assert "brightness" in tab.page.evaluate(
        "document.querySelector('canvas.picture').style.filter"
    )


def test_tab_leads_from_suggestion_to_suggestion_and_then_to_labels(tab: Tab) -> None:
    seen = []
    for _ in range(5):
        tab.keys("Tab")
        seen.append(tab.state["selected"][0])
    assert seen == ["s", "s", "b", "b", "s"]
    tab.keys("Z", "Tab")  # each fills half of the stage
    box = next(
        each["box"]
        for each in tab.state["suggestions"]
        if f"s{each['id']}" == tab.state["selected"]
    )
    stage = tab.page.locator(".stage").bounding_box()
    (left, top), (right, bottom) = tab.at(*box[:2]), tab.at(box[0] + box[2], box[1] + box[3])
    assert max((right - left) / stage["width"], (bottom - top) / stage["height"]) == pytest.approx(
        0.5, abs=0.01
    )


def test_review_by_crops_with_letters(context: Any, server: LabelServer) -> None:
    tab = Tab(context, server)
    tab.page.goto(f"{server.address}/label/#/{encoded(PROJECT)}/review?class={MAN}")
    tab.page.wait_for_selector(".crops figure")
    expect(tab.page.locator(".crops figure")).to_have_count(2)
    tab.keys(*[">"] * 9)  # nothing scores so high: it is said what there is
    tab.told("No suggestion of man <i>x</i> is open from 0.95 on. 3 others of it are open.")
    tab.page.locator("[data-all]").click()
    until(tab.page, "document.querySelectorAll('.crops figure').length === 3")
    tab.keys("?").told("strike out that crop").keys("Escape", *[">"] * 10)
    until(tab.page, "document.querySelectorAll('.crops figure').length === 2")
    tab.keys("<", "<", "<", "<", "<", "<", "<")
    until(tab.page, "document.querySelectorAll('.crops figure').length === 3")
    tab.keys("b")
    until(tab.page, "document.querySelectorAll('.crops figure.out').length === 1")
    tab.keys("Enter")
    until(tab.page, "document.querySelectorAll('.crops figure').length === 0")
    tab.saved()
    accepted = sorted(box.score for box in stored(server).boxes if box.source == "model")
    assert accepted == [0.2, 0.9]
    tab.keys("Control+z")
    until(tab.page, "document.querySelectorAll('.crops figure').length === 3")
    assert len(stored(server).suggestions) == 3
    assert tab.said == []


def test_all_of_a_class_with_the_count_first(tab: Tab, server: LabelServer) -> None:
    tab.keys("Tab", "A")
    until(tab.page, "document.querySelector('[data-count]')?.textContent.startsWith('2 open')")
    tab.page.get_by_role("button", name="Accept all", exact=True).click()
    until(tab.page, "batman.state().suggestions.length === 1")
    assert [box.source for box in stored(server).boxes].count("model") == 2
    tab.keys("u")
    until(tab.page, "batman.state().suggestions.length === 3")


def test_a_picture_that_was_removed_is_not_shown(tab: Tab, server: LabelServer) -> None:
    with Project.open(server.folder / PROJECT) as project, project.change("test", "v") as change:
        change.update("images", 1, {"deleted": 1})
    tab.told("There is no picture 1")
    expect(tab.page.locator(".stage.absent")).to_have_count(1)
    expect(tab.page.locator(".side")).to_have_text("")


def test_a_picture_that_cannot_be_shown_says_why_and_can_be_labelled(
    context: Any, server: LabelServer
) -> None:
    (server.folder / PROJECT / "images" / "1" / "b.jpg").write_bytes(b"no picture")
    tab = Tab(context, server)
    tab.page.goto(f"{server.address}/label/#/{encoded(PROJECT)}/pictures")
    tab.page.locator(".thumb.unseen", has_text="b.jpg").click()
    tab.page.locator("[data-unseen]", has_text="'b.jpg' cannot be read").wait_for()
    tab.keys("PageDown")
    until(tab.page, "batman.state().picture && batman.state().image === 3")
    expect(tab.page.locator("[data-unseen]")).to_have_count(0)
    assert tab.said == []


def test_a_thousand_classes_are_found_by_their_names(context: Any, server: LabelServer) -> None:
    with Project.open(server.folder / PROJECT) as project, project.change("test", "c") as change:
        for number in range(1_000):
            change.insert("classes", {"name": f"kind {number:05}"})
    tab = Tab(context, server).open()
    expect(tab.page.locator(".classes li")).to_have_count(100)
    tab.told("902 others by name")
    tab.keys("Tab", "c")
    tab.page.keyboard.type("kind 00987")
    tab.keys("Enter").saved()
    expect(tab.page.locator(".classes li", has_text="kind 00987")).to_have_count(1)
    tab.page.goto(f"{server.address}/label/#/{encoded(PROJECT)}/classes")
    tab.told("200 of 1,002 classes")
    expect(tab.page.locator("tbody tr")).to_have_count(200)
    tab.page.get_by_label("Find").fill("00987")
    until(tab.page, "document.querySelectorAll('tbody tr').length === 1")
    assert tab.said == []


def test_a_label_becomes_an_example_of_its_class(tab: Tab, server: LabelServer) -> None:
    tab.keys("2").drag((20, 420), (80, 470)).keys("f")
    tab.told("The next pass looks for man")
    [drawn] = [box for box in stored(server).boxes if box.source == "person"]
    with Project.open(server.folder / PROJECT) as project:
        assert prompts_of(project)[MAN].examples == (Example(drawn.id, True),)


def test_the_keyboard_alone_reaches_everything(tab: Tab) -> None:
    focused = "document.activeElement.className + ' ' + document.activeElement.tagName"
    assert "stage" in tab.page.evaluate(focused)
    tab.keys("F6")
    assert tab.page.evaluate("Boolean(document.activeElement.closest('.side'))")
    tab.keys("F6", "?", "Escape", "?")
    until(tab.page, "document.querySelectorAll('dialog[open] kbd').length > 30")
    tab.keys("Escape")
    assert "stage" in tab.page.evaluate(focused)
    nameless = """[...document.querySelectorAll("button, input, select, a, canvas[tabindex]")]
        .filter((each) => !(each.ariaLabel || each.textContent.trim() || each.labels?.length))
        .map((each) => each.outerHTML)"""
    assert tab.page.evaluate(nameless) == []


def test_fingers_draw_and_pinch(browser: Any, server: LabelServer) -> None:
    context = browser.new_context(viewport={"width": 1024, "height": 768}, has_touch=True)
    tab = Tab(context, server, 1)
    session = context.new_cdp_session(tab.page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        touches = [{"x": x, "y": y, "id": at} for at, (x, y) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    help_ = tab.page.locator("[data-action=help]").bounding_box()
    assert help_["y"] + help_["height"] <= 768, "every tool can be reached without scrolling"
    touch("touchStart", tab.at(20, 420))
    touch("touchMove", tab.at(50, 450))
    touch("touchMove", tab.at(80, 470))
    touch("touchEnd")
    tab.saved()
    drawn = next(box for box in stored(server).boxes if box.source == "person")
    assert close(drawn.box, [20, 420, 60, 50], 2)
    scale = tab.state["view"]["scale"]
    (x, y), far = tab.at(320, 240), 50
    touch("touchStart", (x - far, y), (x + far, y))
    touch("touchMove", (x - 2 * far, y), (x + 2 * far, y))
    touch("touchEnd")
    assert tab.state["view"]["scale"] == pytest.approx(2 * scale, rel=0.05)
    assert len(tab.saved().boxes) == 3
    context.close()


def test_dark_and_light(tab: Tab) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    tab.page.emulate_media(color_scheme="dark")
    until(tab.page, f"{ground} === 'rgb(13, 16, 23)'")
    tab.page.emulate_media(color_scheme="light")
    until(tab.page, f"{ground} === 'rgb(246, 245, 241)'")
    tab.page.get_by_role("button", name="Dark").click()
    until(tab.page, f"{ground} === 'rgb(13, 16, 23)'")
    tab.page.reload()
    until(tab.page, f"{ground} === 'rgb(13, 16, 23)'")


def test_only_our_own_addresses_are_asked(context: Any, server: LabelServer) -> None:
    tab = Tab(context, server)
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    tab.open().keys("Tab", "a").saved()
    own = (server.address, "data:", "blob:")
    assert [url for url in asked if not url.startswith(own)] == []
