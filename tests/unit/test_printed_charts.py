"""What the command line draws with plotext, on terminals of every kind."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len

from cli.model.evaluate import show
from cli.runs.plots import Ink, say_bars, say_chart
from core.data.images.class_colours import class_colour
from core.evaluation.result import ClassResult, Confusion, EvaluationResult
from core.plots.chart import Chart, Curve

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
Printed = Callable[..., list[str]]


class Terminal(io.TextIOWrapper):
    """A file that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Printed:
    """What a call prints on a terminal of so many columns, by line; `raw` with colour codes."""

    def show(
        call: Callable[[], None],
        columns: int = 60,
        encoding: str = "utf-8",
        colours: bool = True,
        raw: bool = False,
    ) -> list[str]:
        out = Terminal(io.BytesIO(), encoding=encoding, errors="replace", newline="")
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            patch.setenv("COLUMNS", str(columns))
            patch.setenv("TERM", "xterm-256color")
            patch.setenv("COLORTERM", "truecolor")
            patch.delenv("NO_COLOR", raising=False)
            if not colours:
                patch.setenv("NO_COLOR", "1")
            call()
        out.flush()
        text = out.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
        return (text if raw else _COLOUR.sub("", text)).splitlines()

    return show


def chart(*ys: Sequence[float], **more: Any) -> Chart:
    """Return a chart of curves `a`, `b` … over 0, 1, 2 …"""
    curves = tuple(
        Curve("abcdef"[n], np.arange(len(y), dtype=float), np.array(y, dtype=float), colour=n)
        for n, y in enumerate(ys)
    )
    return Chart(curves, **more)  # type: ignore[arg-type]


def bars(*rows: tuple[str, int]) -> Callable[[], None]:
    inks: list[Ink] = [(10, 20, 30 + n) for n in range(len(rows))]
    return lambda: say_bars(
        "Annotations", [(*row, ink) for row, ink in zip(rows, inks, strict=True)]
    )


_LETTERED = """
Loss  o a  x b
3.0┤x                 o                x
   │xx              oooo              xx
   │ xx            oo  ooo           xx
2.5┤  x          ooo     oo          x
   │  xx        oo        oo        xx
   │   xx     ooo          ooo     xx
2.0┤    xx   oo              oo   xx
   │     x  oo                ooo x
   │     xooo                   oox
   │     oox                     oo
1.5┤   ooo xx                   xxooo
   │  oo    x                  xx   oo
   │ooo     xx                xx     ooo
1.0┤o        xxxxxxxxxxxxxxxxxx        o
   └┬────────┬────────┬───────┬────────┬
    0        1        2       3        4
                    step
"""


def test_two_curves_without_colours_in_forty_columns(printed: Printed) -> None:
    """The first curve is on top, but for the points that lie beside it."""
    two = chart([1, 2, 3, 2, 1], [3, 1, 1, 1, 3])
    lines = printed(lambda: say_chart(two, "Loss"), 40, colours=False)
    assert "\n".join(lines) == _LETTERED.rstrip()


def test_colours_and_dots_or_letters(printed: Printed) -> None:
    def both() -> None:
        say_chart(chart([0, 1], [1, 0]), "Loss", [(1, 2, 3), 4])

    coloured = "\n".join(printed(both, raw=True))
    assert "\x1b[38;2;1;2;3m" in coloured
    assert "\x1b[34m" in coloured
    assert re.search("[⠁-⣿]", coloured)
    assert "━ a" in _COLOUR.sub("", coloured)
    plain = "\n".join(printed(both, colours=False, raw=True))
    assert not re.search(r"\x1b\[[0-9;]*[349][0-9]", plain)
    assert not re.search("[⠁-⣿]", plain)
    assert "o a" in plain
    assert "x b" in plain
    drawn = plain.split("\n", 2)[2]
    assert min(drawn.count("o"), drawn.count("x")) >= 25, "a letter in each column, near enough"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
def test_a_terminal_without_dots_gets_ascii(printed: Printed, encoding: str) -> None:
    """What Python would write as '?' is not among it, but in names."""
    lines = printed(lambda: say_chart(chart([0, 1], [1, 0]), "Loss"), encoding=encoding)
    assert "\n".join(lines).isascii()
    assert "?" not in "\n".join(lines)
    assert re.fullmatch(r" +\+[-+]+", lines[-3])
    lines = printed(bars(("猫", 2), ("a name of thirty letters, or so", 4)), encoding=encoding)
    assert "\n".join(lines).isascii()
    assert "?  " in lines[3]
    assert "…" not in lines[2]
    assert (lines[2].count("#"), lines[3].count("#")) == (38, 20)
    assert lines[2].index("|") == lines[3].index("|") == lines[4].index("+")


@pytest.mark.parametrize("columns", [5, 20, 40, 80, 120, 300])
def test_charts_are_as_wide_as_the_terminal(printed: Printed, columns: int) -> None:
    lines = printed(lambda: say_chart(chart(range(50), range(50, 0, -1)), "Loss"), columns)
    wide = max(columns, 20)
    axis = next(line for line in lines if "└" in line)
    assert len(axis) == wide
    assert max(map(len, lines)) == wide
    assert len([line for line in lines if "│" in line or "┤" in line]) == 14
    lines = printed(bars(("cats", 8), ("dogs", 4)), columns)
    assert next(len(line) for line in lines if "█" in line) == wide
    assert max(map(len, lines)) == wide


def test_a_gap_stays_a_gap_and_one_point_is_seen(printed: Printed) -> None:
    gap = chart([1, 1, 1, *[float("nan")] * 4, 1, 1, 1])
    lines = printed(lambda: say_chart(gap, "Loss"), 60, colours=False)
    row = next(line for line in lines[2:] if "o" in line)
    assert re.fullmatch(r"[^o]*o{10,16} {22,30}o{10,16}", row)
    one = Chart((Curve("a", np.array([3.0]), np.array([0.5]), markers=True),), x_axis="epoch")
    assert sum(line.count("●") for line in printed(lambda: say_chart(one, "mAP"))) == 1
    lines = printed(lambda: say_chart(one, "mAP"), colours=False)
    assert sum(line.count("o") for line in lines[2:-1]) == 1
    assert "3.0" in lines[-2]


@pytest.mark.parametrize(
    "empty",
    [Chart(), chart([]), chart([float("nan")] * 3), chart([], [float("nan")])],
    ids=["no curve", "no point", "nothing finite", "neither"],
)
def test_nothing_to_draw_is_not_drawn(printed: Printed, empty: Chart) -> None:
    assert printed(lambda: say_chart(empty, "Loss")) == []


def test_one_of_the_curves_may_be_empty(printed: Printed) -> None:
    """Its name is in the legend, and the others keep the colour that goes with their number."""
    curves = chart([], [float("nan")] * 3, [1, 2, 3]).curves
    lines = printed(lambda: say_chart(Chart(curves), "Loss"), raw=True)
    assert "━ a  ━ b  ━ c" in _COLOUR.sub("", lines[1])
    assert "\x1b[32m" in "".join(lines[2:])
    assert "\x1b[33m" not in "".join(lines[2:])


def test_a_long_legend_breaks_between_names(printed: Printed) -> None:
    curves = [Curve(f"a run of length {n}", np.arange(3.0), np.arange(3.0)) for n in range(4)]
    lines = printed(lambda: say_chart(Chart(tuple(curves)), "Loss"), 50)
    names = [f"  ━ a run of length {n}" for n in range(4)]
    assert lines[1:4] == ["Loss" + "".join(names[:2]), "".join(names[2:]), lines[3]]
    assert "┤" in lines[3]


def test_a_spike_that_is_cut_is_said(printed: Printed) -> None:
    y = [2.0] * 200
    y[100] = 4321.0
    lines = printed(lambda: say_chart(chart(y, crop=True), "Loss"), 80)
    assert lines[1] == "Loss  ━ a up to 4321"
    assert "up to" not in printed(lambda: say_chart(chart(y), "Loss"), 80)[1]


@pytest.mark.parametrize("log", [False, True])
def test_values_of_every_size(printed: Printed, log: bool) -> None:
    for y in ([1e300, -1e300, 0], [1e-300, 2e-300], [0, 0], [5, 5], [-3, -7]):
        lines = printed(lambda y=y: say_chart(chart(y, log=log), "Loss"))
        assert len(lines) in (0, 19) if log else len(lines) == 19, y


def test_a_smoothed_curve_has_its_shadow_in_grey(printed: Printed) -> None:
    x, y = np.arange(100.0), np.tile([0.0, 1.0], 50)
    curve = Curve("a", x, y, smoothed=np.full(100, 0.5))
    coloured = printed(lambda: say_chart(Chart((curve,)), "Loss"), raw=True)
    assert "\x1b[38;5;244m" in "".join(coloured)
    lines = printed(lambda: say_chart(Chart((curve,)), "Loss"), colours=False)
    assert sum("o" in line for line in lines[2:-1]) == 1, "the smoothed one only"


def test_a_bar_is_as_long_as_its_count(printed: Printed) -> None:
    lines = printed(bars(*((f"class {n}", n * 5) for n in range(1, 21))), 109)
    assert lines[1] == "Annotations"
    drawn = lines[2:22]
    assert [line.split("│")[0].rstrip() for line in drawn] == [
        f"class {n}" for n in range(20, 0, -1)
    ]
    assert [line.count("█") for line in drawn] == pytest.approx(
        [5 * n for n in range(20, 0, -1)], abs=1
    )
    assert lines[-1].split()[0] == "0"
    assert lines[-1].split()[-1] == "100"


def test_only_the_largest_of_many_classes_are_drawn(printed: Printed) -> None:
    lines = printed(bars(*((f"class {n}", n) for n in range(25))))
    assert lines[1] == "Annotations (the largest 20 of 25)"
    assert [line.split("│")[0].rstrip() for line in lines if "█" in line] == [
        f"class {n}" for n in range(24, 4, -1)
    ]


def test_counts_of_nothing_and_of_one(printed: Printed) -> None:
    assert printed(bars()) == []
    assert printed(bars(("cat", 0))) == []
    lines = printed(bars(("cat", 1), ("dog", 0)))
    assert lines[-1].split() == ["0", "1"], "no halves of an annotation"
    assert ["█" in line for line in lines[2:4]] == [True, False]


def test_names_are_shown_as_wide_as_they_are_and_never_obeyed(printed: Printed) -> None:
    names = (
        "猫と犬",
        "\x1b]0;title\x07 [bold]x",
        "é́e",
        "a-name-that-is-longer-than-all-others",
        "x\ny",
    )
    for columns in (40, 80):
        lines = printed(bars(*((name, 9 - n) for n, name in enumerate(names))), columns, raw=True)
        text = "\n".join(lines)
        assert "\x1b]" not in text
        assert "\x07" not in text
        shown = [_COLOUR.sub("", line) for line in lines[2:]]
        # The axis stands below itself.
        assert len({cell_len(re.split("[│└]", line)[0]) for line in shown[:6]}) == 1
        assert "⟨U+001B⟩]0" in shown[1]
        assert shown[0].startswith("猫と犬 ")
        assert "…" in shown[3]
        assert shown[4].startswith("x⏎y ")
    hostile = Chart((Curve("\x1b[2J猫", np.arange(3.0), np.arange(3.0)),))
    text = "\n".join(printed(lambda: say_chart(hostile, "Loss\x1b[2J"), raw=True))
    assert "\x1b[2J" not in text
    assert "━ ⟨U+001B⟩[2J猫" in _COLOUR.sub("", text)


def test_an_evaluation_draws_classes_in_their_own_colours(printed: Printed, tmp_path: Path) -> None:
    """Not in the order of the chart: `big` has more objects, and the project's id 3."""
    rows = [
        ClassResult(name="small", annotations=1, curve=[1.0, 0.5, 0.0], ap50=0.5),
        ClassResult(name="big", annotations=9, curve=[1.0, 1.0, 1.0], ap50=1.0),
    ]
    result = EvaluationResult(
        checkpoint="best.pth", model="tiny", resolution=64, dataset="d", split="test",
        images=1, annotations=10, predictions=2, classes=["small", "big"], class_ids=[2, 3],
        max_detections=500, map50_95=None, map50=None, map75=None, ar=None, coco100={},
        confidence=0.5, precision=0, recall=0, f1=0, per_class=rows, sizes=[],
        confusion=Confusion(labels=[], matrix=[]), worst=[], device="cpu", seconds=1,
        images_per_s=1, finished_at=0,
    )  # fmt: skip
    lines = printed(lambda: show(result, tmp_path), 80, raw=True)
    at = next(n for n, line in enumerate(lines) if "Precision over recall" in line)
    small, big = (f"\x1b[38;2;{r};{g};{b}m" for r, g, b in map(class_colour, (2, 3)))
    assert _COLOUR.sub("", lines[at]) == (
        "Precision over recall, IoU 0.5  ━ big AP50 1.000  ━ small AP50 0.500"
    )
    assert lines[at].index(big) < lines[at].index(small)
    drawn = lines[at + 1 : at + 15]
    assert [n for n, line in enumerate(drawn) if big in line] == [0], "at 1.0 all along"
    below = [n for n, line in enumerate(drawn) if small in line]
    assert below[-1] == pytest.approx(7, abs=1), "down to 0.5, and to no 0"


def test_a_pipe_gets_no_chart(capsys: pytest.CaptureFixture[str]) -> None:
    say_chart(chart([1, 2, 3]), "Loss")
    bars(("cat", 1))()
    assert capsys.readouterr().out == ""


def test_plotext_opens_nothing_and_calls_nobody() -> None:
    """Of what Python's audit hooks tell (PEP 578): no file to write, no process, no network."""
    code = """
import io, json, sys
seen = []
def hook(event, args):
    if event.split(".")[0] in ("socket", "subprocess", "urllib", "http", "ftplib", "webbrowser"):
        seen.append(event)
    elif event in ("os.system", "os.exec", "os.fork", "os.posix_spawn"):
        seen.append(event)
    elif event == "open" and set(str(args[1] or "")) & set("wax+") and ".pyc" not in str(args[0]):
        seen.append([event, str(args[0])])
import cli.runs.plots as plots, numpy as np, cli.output, rich.ansi, rich.text
loaded = "plotext" in sys.modules
class Terminal(io.StringIO):
    def isatty(self): return True
real, sys.stdout = sys.stdout, Terminal()
sys.stdin = None
sys.addaudithook(hook)
from core.data.images.class_colours import class_colour
from core.evaluation.result import ClassResult, Confusion, EvaluationResult
from core.plots.chart import Chart, Curve
plots.say_chart(Chart((Curve("a", np.arange(9.0), np.arange(9.0)),)), "Loss")
plots.say_bars("Counts", [("a", 1, 2)])
drawn, sys.stdout = sys.stdout.getvalue(), real
print(json.dumps([loaded, "plotext" in sys.modules, seen, "Counts" in drawn]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout) == [False, True, [], True]
    assert done.stderr == ""
