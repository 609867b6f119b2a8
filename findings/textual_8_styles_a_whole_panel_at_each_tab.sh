#!/usr/bin/env bash
# textual 8.2.8 (PyPI), Python 3.11.
#
# Where a container has a rule with `:focus-within`, such as a border that shows where one is, each
# move of the focus inside it asks the style sheet anew for every widget in it: also for those that
# no rule with `:focus-within` meets, and although the container has the focus within it as before.
#
# Seen:
#   one Tab asked for 323 widgets, 300 of them labels
#   without :focus-within it asked for 14 widgets, 0 of them labels
# Batman's screens ask for what the focus can have changed: batman_tui/widgets/frame/focus_styles.py.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet textual==8.2.8
cat >"$folder/form.py" <<'PY'
import asyncio

from textual.app import App
from textual.containers import Vertical
from textual.css.stylesheet import Stylesheet
from textual.widgets import Input, Label


async def asked(rule: str) -> tuple[int, int]:
    class Form(App[None]):
        CSS = "Vertical { border: round gray; } " + rule

        def compose(self):
            with Vertical():
                yield Input(compact=True)
                yield Input(compact=True)
                for number in range(300):
                    yield Label(str(number))

    app = Form()
    async with app.run_test() as pilot:
        await pilot.pause()
        widgets = set()
        apply = Stylesheet.apply

        def counted(sheet, node, **options):
            widgets.add(node)
            apply(sheet, node, **options)

        Stylesheet.apply = counted
        try:
            await pilot.press("tab")
            await pilot.pause()
        finally:
            Stylesheet.apply = apply
        return len(widgets), sum(isinstance(widget, Label) for widget in widgets)


widgets, labels = asyncio.run(asked("Vertical:focus-within { border: round green; }"))
print(f"one Tab asked for {widgets} widgets, {labels} of them labels")
fewer, few_labels = asyncio.run(asked(""))
print(f"without :focus-within it asked for {fewer} widgets, {few_labels} of them labels")
if labels != 300 or few_labels != 0:
    raise SystemExit("changed: not every label is asked for because of its container")
PY
"$folder/env/bin/python" "$folder/form.py"
