"""The page's pure modules, in the browser they are for: boxes, edits, the view, keys, addresses."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from web.pages import STATIC

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def run(browser: Any) -> Iterator[Run]:
    """Call a function of JavaScript with all that a module of the page exports."""
    handler = functools.partial(_Quiet, directory=str(STATIC))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/label/vendor/LICENSES.txt")

        def call(module: str, function: str, *arguments: Any) -> Any:
            return page.evaluate(
                f"""async ([module, given]) => {{
                    const m = await import(`/label/${{module}}`);
                    return ({function})(m, ...given);
                }}""",
                [module, list(arguments)],
            )

        yield call
        page.close()
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("corners", "box"),
    [
        ((10, 20, 30, 50), [10, 20, 20, 30]),
        ((30, 50, 10, 20), [10, 20, 20, 30]),  # drawn upwards
        ((-50, -50, 1000, 1000), [0, 0, 100, 80]),  # out of the picture on all sides
        ((10.123, 20.456, 10.2, 20.5), [10.12, 20.46, 1, 1]),  # never less than a pixel
        ((100, 80, 200, 200), [99, 79, 1, 1]),
    ],
)
def test_a_box_between_two_corners_is_on_the_picture(
    run: Run, corners: tuple[float, ...], box: list[float]
) -> None:
    assert run("base/geometry.js", "(m, c) => m.clipped(...c, 100, 80)", corners) == box


@pytest.mark.parametrize(
    ("handle", "by", "box"),
    [
        ("e", (5, 99), [20, 20, 35, 30]),
        ("w", (5, 99), [25, 20, 25, 30]),
        ("n", (99, -5), [20, 15, 30, 35]),
        ("se", (5, 6), [20, 20, 35, 36]),
        ("w", (50, 0), [50, 20, 20, 30]),  # past the other edge
        ("s", (0, 500), [20, 20, 30, 60]),
    ],
)
def test_edges_and_corners_move_alone(
    run: Run, handle: str, by: tuple[float, float], box: list[float]
) -> None:
    function = "(m, h, by) => m.resized([20, 20, 30, 30], h, ...by, 100, 80)"
    assert run("base/geometry.js", function, handle, by) == box


def test_a_moved_box_keeps_its_size_at_the_edges(run: Run) -> None:
    function = "(m, dx, dy) => m.moved([20, 20, 30, 30], dx, dy, 100, 80)"
    assert run("base/geometry.js", function, 7, -3) == [27, 17, 30, 30]
    assert run("base/geometry.js", function, 999, -999) == [70, 0, 30, 30]


def test_the_smallest_box_lies_on_top(run: Run) -> None:
    items = [{"box": [0, 0, 90, 90]}, {"box": [10, 10, 20, 20]}, {"box": [5, 5, 40, 40]}]
    function = "(m, items, x, y) => m.below(items, x, y, 0).map((item) => item.box[2])"
    assert run("base/geometry.js", function, items, 15, 15) == [20, 40, 90]
    assert run("base/geometry.js", function, items, 60, 60) == [90]
    assert run("base/geometry.js", function, items, 95, 95) == []


@pytest.mark.parametrize(
    ("point", "handle"),
    [
        ((20, 20), "nw"), ((50, 50), "se"), ((50, 20), "ne"), ((17, 53), "sw"),
        ((35, 18), "n"), ((52, 35), "e"), ((35, 35), ""), ((60, 35), ""),
    ],
)  # fmt: skip
def test_where_the_handles_of_a_box_are(run: Run, point: tuple[float, float], handle: str) -> None:
    function = "(m, x, y) => m.handleAt([20, 20, 30, 30], x, y, 5)"
    assert run("base/geometry.js", function, *point) == handle


def test_the_middle_of_a_tiny_box_moves_it(run: Run) -> None:
    assert run("base/geometry.js", "(m) => m.handleAt([20, 20, 4, 4], 22, 22, 9)") == ""


def test_overlap(run: Run) -> None:
    function = "(m, a, b) => m.overlap(a, b)"
    assert run("base/geometry.js", function, [0, 0, 10, 10], [0, 0, 10, 10]) == 1
    assert run("base/geometry.js", function, [0, 0, 10, 10], [5, 0, 10, 10]) == pytest.approx(1 / 3)
    assert run("base/geometry.js", function, [0, 0, 10, 10], [10, 0, 10, 10]) == 0


PICTURE = {
    "id": 1, "review": None,
    "boxes": [
        {"id": 7, "class": 1, "box": [0, 0, 10, 10], "source": "model", "edited": 0,
         "outline": True, "track": None},
        {"id": 8, "class": 2, "box": [50, 50, 10, 10], "source": "import", "edited": 0,
         "outline": False, "track": 3},
    ],
    "suggestions": [
        {"id": 4, "class": 2, "box": [30, 30, 5, 5], "score": 0.8, "model": "night"},
        {"id": 5, "class": 2, "box": [40, 30, 5, 5], "score": 0.3, "model": "night"},
    ],
}  # fmt: skip


def test_edits_show_before_the_server_answers(run: Run) -> None:
    ops = [
        {"op": "add", "tmp": -1, "class": 1, "box": [1, 2, 3, 4]},
        {"op": "set", "id": 7, "was": {}, "box": [5, 5, 5, 5]},
        {"op": "set", "id": -1, "was": {}, "class": 2},
        {"op": "delete", "id": 8, "was": {}},
        {"op": "accept", "id": 4, "tmp": -2, "class": 1},
        {"op": "reject", "id": 5},
        {"op": "review", "state": "done"},
    ]
    got = run("saving/edits.js", "(m, p, ops) => m.applied(p, ops)", PICTURE, ops)
    seven, one, two = got["boxes"]
    assert (seven["box"], seven["edited"], seven["outline"]) == ([5, 5, 5, 5], 1, None)
    assert (one["id"], one["class"], one["source"]) == (-1, 2, "person")
    assert (two["id"], two["class"], two["box"]) == (-2, 1, [30, 30, 5, 5])
    assert (two["source"], two["model"], two["score"], two["edited"]) == ("model", "night", 0.8, 1)
    assert (got["suggestions"], got["review"]) == ([], "done")


def test_what_waits_names_boxes_as_the_server_numbered_them(run: Run) -> None:
    """A box that was drawn and moved before the answer came: the move is of the box it became."""
    sent = [{"op": "add", "tmp": -1, "class": 1, "box": [1, 2, 300, 4]}]
    waiting = [
        {"op": "set", "id": -1, "was": {"box": [1, 2, 300, 4], "class": 1}, "box": [9, 2, 90, 4]},
        {"op": "set", "id": 8, "was": {"box": [50, 50, 10, 10], "class": 2}, "class": 1},
    ]
    # The server cut the box at the edge, and somebody has moved box 8.
    image = {"boxes": [
        {"id": 70, "class": 1, "box": [1, 2, 99, 4]}, {"id": 8, "class": 2, "box": [0, 0, 1, 1]},
    ]}  # fmt: skip
    function = """(m, sent, waiting, image) =>
        m.mapped(waiting, sent, m.numbered(sent, { ids: [70] }), image)"""
    own, other = run("saving/edits.js", function, sent, waiting, image)
    assert (own["id"], own["was"]) == (70, {"box": [1, 2, 99, 4], "class": 1})
    # What another did is not taken for what was seen: the server must refuse that edit.
    assert other["was"] == {"box": [50, 50, 10, 10], "class": 2}


def test_moves_of_one_box_are_one_edit_and_nothing_else_is(run: Run) -> None:
    was = {"box": [0, 0, 9, 9], "class": 1}
    first = [{"op": "set", "id": 7, "was": was, "box": [1, 0, 9, 9]}]
    second = [{"op": "set", "id": 7, "was": {"box": [1, 0, 9, 9], "class": 1}, "box": [2, 0, 9, 9]}]
    join = "(m, a, b) => m.joined(a, b)"
    assert run("saving/edits.js", join, first, second) == [
        {"op": "set", "id": 7, "was": was, "box": [2, 0, 9, 9]}
    ]
    for other in (
        [{**second[0], "id": 8}],
        [{"op": "set", "id": 7, "was": was, "class": 2}],
        [{"op": "delete", "id": 7, "was": was}],
        [*second, *second],
    ):
        assert run("saving/edits.js", join, first, other) is None


def test_temporary_numbers_stay_here_and_differ(run: Run) -> None:
    numbers = run("saving/edits.js", "(m) => Array.from({ length: 500 }, () => m.temporary())")
    assert len(set(numbers)) == 500
    assert max(numbers) < 0
    ops = [{"op": "add", "tmp": -3, "class": 1, "box": [0, 0, 1, 1]}]
    assert run("saving/edits.js", "(m, ops) => m.worded(ops)", ops) == [
        {"op": "add", "class": 1, "box": [0, 0, 1, 1]}
    ]


def test_zoom_keeps_what_is_below_the_cursor(run: Run) -> None:
    function = """(m) => {
        const view = new m.View();
        view.resize(800, 600);
        view.picture(1920, 1080);
        const before = view.toPicture(300, 200);
        view.zoomAt(300, 200, 3);
        const after = view.toPicture(300, 200);
        view.zoomTo([100, 100, 20, 10]);
        const [left, top] = view.toPicture(0, 0);
        const [right, bottom] = view.toPicture(800, 600);
        view.pan(1e6, 1e6);
        const far = [view.x, view.y];
        view.fit();
        return { before, after, seen: [left, top, right, bottom], far, fit: [view.x, view.scale] };
    }"""
    got = run("labelling/view.js", function)
    assert got["after"] == pytest.approx(got["before"])
    left, top, right, bottom = got["seen"]
    assert left < 100 < 120 < right
    assert top < 100 < 110 < bottom
    assert right - left == pytest.approx(40)
    assert got["far"] == [800 - 48, 600 - 48], "some of the picture stays in sight"
    assert got["fit"] == [16, pytest.approx(768 / 1920)]


@pytest.mark.parametrize(
    ("shown", "width", "asked"),
    [
        (640, 3840, 800), (800, 3840, 800), (1500, 3840, 1600), (9000, 3840, None),
        (700, 640, None), (2000, 2400, None),
    ],
)  # fmt: skip
def test_the_picture_is_asked_for_as_large_as_it_is_shown(
    run: Run, shown: int, width: int, asked: int | None
) -> None:
    assert run("labelling/pictures.js", "(m, s, w) => m.wanted(s, w)", shown, width) == asked


def test_every_key_does_one_thing_and_each_is_in_the_help(run: Run) -> None:
    actions = run("labelling/actions.js", "(m) => m.ACTIONS.map(({ run, ...rest }) => rest)")
    keys = [key for action in actions for key in action["keys"]]
    assert len(keys) == len(set(keys))
    wanted = {
        "Tab", "n", "a", "r", "Enter", " ", "p", "/", "[", "]", "v", "z", "0", "u", "Ctrl+z",
        "Ctrl+y", "?", "1", "9", "ArrowLeft", "Shift+ArrowUp", "Alt+ArrowRight",
        "Alt+Shift+ArrowDown", "Delete",
    }  # fmt: skip
    assert wanted <= set(keys)
    assert all(action["title"] and action["group"] for action in actions)


@pytest.mark.parametrize(
    ("event", "key"),
    [
        ({"key": "?", "shiftKey": True}, "?"), ({"key": "z", "ctrlKey": True}, "Ctrl+z"),
        ({"key": "z", "metaKey": True}, "Ctrl+z"),
        ({"key": "ArrowUp", "altKey": True, "shiftKey": True}, "Alt+Shift+ArrowUp"),
        ({"key": "Tab", "shiftKey": True}, "Shift+Tab"), ({"key": "A", "shiftKey": True}, "A"),
    ],
)  # fmt: skip
def test_how_strokes_are_named(run: Run, event: dict[str, Any], key: str) -> None:
    function = "(m, e) => m.keyOf(new KeyboardEvent('keydown', e))"
    assert run("labelling/actions.js", function, event) == key


@pytest.mark.parametrize(
    "name", ["crane hooks", "a/b?c#d", "100 %", "<b>bold</b>", "Kräne", "..", "%2e%2e"]
)
def test_a_name_survives_the_address(run: Run, name: str) -> None:
    function = "(m, name) => m.parse(m.link([name, 'label', 3], { filter: name, order: '' }))"
    assert run("base/route.js", function, name) == {
        "parts": [name, "label", "3"], "query": {"filter": name},
    }  # fmt: skip
    where = run("base/api.js", "(m, name) => m.address(['p', name, 'images'])", name)
    assert where.startswith("api/p/")
    assert where.count("/") == 3


def test_ink_is_read_on_every_colour(run: Run) -> None:
    ink = "(m, colours) => colours.map((colour) => m.inkOn(colour))"
    dark, light = "#10131a", "#ffffff"
    assert run("labelling/stage.js", ink, ["#ffffff", "#f2b632", "#000000", "#3b1f8a"]) == [
        dark, dark, light, light,
    ]  # fmt: skip
