"""The log: staying at the end, searching, and lines that are data."""

from __future__ import annotations

from textual.app import App, ComposeResult

from batman_tui.widgets.panel.log_view import KEEP, LogView


class LogApp(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, int]] = []

    def compose(self) -> ComposeResult:
        yield LogView()

    def on_mount(self) -> None:
        self.query_one(LogView).focus()

    def on_log_view_searched(self, message: LogView.Searched) -> None:
        self.found.append((message.at, message.count))

    @property
    def log_view(self) -> LogView:
        return self.query_one(LogView)

    def rows(self) -> list[str]:
        view = self.log_view
        return [view.render_line(y).text.rstrip() for y in range(view.size.height)]


async def test_stays_at_the_end_until_scrolled_away() -> None:
    app = LogApp()
    async with app.run_test(size=(40, 10)) as pilot:
        app.log_view.append(f"line {n}" for n in range(100))
        await pilot.pause()
        assert app.rows()[-1] == "line 99"
        await pilot.press("k", "k")
        app.log_view.append(["line 100"])
        await pilot.pause()
        assert app.rows()[-1] == "line 97", "whoever reads is left alone"
        await pilot.press("G")
        app.log_view.append(["line 101"])
        await pilot.pause()
        assert app.rows()[-1] == "line 101"
        await pilot.press("g")
        assert app.rows()[0] == "line 0"


async def test_search_goes_round_and_finds_new_lines() -> None:
    app = LogApp()
    async with app.run_test(size=(40, 10)) as pilot:
        app.log_view.append(f"{'Loss [x]' if n % 10 == 0 else 'other'} {n}" for n in range(100))
        view = app.log_view
        assert view.why_not("next_match", ()) == "Nothing is searched for: / searches the log."
        view.search = "nowhere"
        assert view.why_not("previous_match", ()) == "'nowhere' is nowhere in the log."
        view.search = "loss [X]"
        assert view.why_not("next_match", ()) == view.why_not("top", ()) == ""
        await pilot.pause()
        assert app.found[-1] == (10, 10), "the newest match first"
        assert "Loss [x] 90" in app.rows()
        await pilot.press("n")
        await pilot.pause()
        assert app.found[-1] == (1, 10)
        assert app.rows()[0] == "Loss [x] 0"
        await pilot.press("N")
        await pilot.pause()
        assert app.found[-1] == (10, 10)
        app.log_view.append(["a LOSS [x] again"])
        await pilot.pause()
        assert app.found[-1][1] == 11
        line = next(y for y, row in enumerate(app.rows()) if row == "Loss [x] 90")
        pieces = [s.text for s in app.log_view.render_line(line) if s.text.strip()]
        assert "Loss [x]" in pieces, "the match is a piece of its own"
        app.log_view.search = "nowhere"
        await pilot.pause()
        assert app.found[-1] == (0, 0)
        await pilot.press("n")


async def test_lines_are_data() -> None:
    app = LogApp()
    async with app.run_test(size=(60, 10)) as pilot:
        app.log_view.append(["[bold]x[/nothing]", "\x1b[31mred\x1b[0m", "行人 🚗"])
        await pilot.pause()
        rows = app.rows()
        assert rows[0] == "[bold]x[/nothing]"
        assert "\x1b" not in rows[1]
        assert rows[2] == "行人 🚗"


async def test_the_oldest_lines_go() -> None:
    app = LogApp()
    async with app.run_test(size=(40, 10)) as pilot:
        app.log_view.append(f"hit {n}" for n in range(KEEP))
        app.log_view.search = "hit 0"
        app.log_view.append(f"new {n}" for n in range(10))
        await pilot.pause()
        assert len(app.log_view.lines) == KEEP
        assert app.log_view.lines[0] == "hit 10"
        assert app.rows()[-1] != ""
        await pilot.press("n", "G")
        assert app.rows()[-1] == "new 9"
