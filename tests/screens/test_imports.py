"""What the app's process holds in memory once it is up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAVY = (
    "torch",
    "torchvision",
    "rfdetr",
    "supervision",
    "cv2",
    "transformers",
    "roboflow",
    "paramiko",
    "scipy",
    "pycocotools",
    "pytorch_lightning",
)

PROGRAM = """
import asyncio, sys
from pathlib import Path
from batman_tui.app import BatmanApp
from core.common.workspace import Workspace

async def main():
    app = BatmanApp(Workspace(Path(sys.argv[1])))
    async with app.run_test() as pilot:
        await pilot.pause()
        for key in "enter escape i escape t escape v escape c escape 2 1 f1 escape".split():
            await pilot.press(key)
            await app.workers.wait_for_complete()
            await pilot.pause()
        assert not app.errors, app.errors

asyncio.run(main())
heavy = sorted(set(sys.argv[2].split(",")) & set(sys.modules))
print("heavy:", ",".join(heavy))
"""


def test_no_screen_loads_what_only_training_needs(workspace: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(workspace), ",".join(HEAVY)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parent.parent.parent,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "heavy: "
