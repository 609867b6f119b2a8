"""Pictures of every dialog, in both sizes, in the dark and in the light theme.

    python scripts/dialogs.py OUT_FOLDER [CLASS …]

The list is made from the code: a dialog without a case here fails.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import pkgutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from screenshots import SIZES, draw  # first: it sets the terminal and the path

from job_data import FakeCluster, jobs_app  # isort: skip
from harness import settled
from label_data import make_labels
from run_data import finished, make_run, running
from sample_data import make_workspace

import batman_tui
import themes
from batman_tui.connections import use_host
from batman_tui.widgets.frame.base import BatmanDialog
from core.data.classes import list_classes
from core.data.store import Project
from core.training.config.options import parse_config
from slurm.site.profiles import Profile, save_profile

THEMES = {"dark": themes.DARK, "light": themes.LIGHT}


class World:
    """A workspace with something for every dialog to show."""

    def __init__(self, folder: Path) -> None:
        root = self.root = make_workspace(folder)
        self.project = root / "data" / "projects" / "building-site"
        self.frames = make_labels(root / "data" / "projects" / "frames", images=30, files=True)
        self.run = make_run(root, "building-site-small-3", finished("building-site-small-3"))
        (self.run / "best.pth").touch()
        self.going = make_run(root, "building-site-small-4", running("building-site-small-4"))
        self.profile = Profile(name="vega", host="selina@vega.example", workspace="/scratch/selina")
        save_profile(self.profile)
        host = FakeCluster("vega")
        self.app = jobs_app(root, host)
        use_host(self.app, self.profile, host)  # type: ignore[arg-type]
        with Project.open(self.project) as project:
            self.classes = list(list_classes(project))

    def makers(self) -> dict[str, Callable[[Any], Any]]:
        """Return what makes each dialog from its class."""
        from batman_tui.crops.sheet import Crops
        from batman_tui.widgets.dialogs.help import collect
        from batman_tui.widgets.dialogs.pick import Item
        from core.data.classes.similar_names import Suggestion
        from core.data.labels.open_suggestions import OpenClass

        rows, project, run = self.classes, self.project, self.run
        hooks = [row for row in rows if "hook" in row.name.lower()]
        values = {"model": "small", "epochs": 50, "project": project}
        config = parse_config({**values, "augmentation": "aerial"})
        columns = {name: name.capitalize() for name in ("state", "model", "loss", "lr", "epochs")}
        return {
            "AcceptClassDialog": lambda kind: kind(
                self.frames, OpenClass(1, "crane hook", 34, 12, 0.5), Crops()
            ),
            "AnswerDialog": lambda kind: kind(
                "selina@vega.example", "Verification code:", secret=False
            ),
            "AugmentationDialog": lambda kind: kind(config),
            "AutolabelDialog": lambda kind: kind(self.frames),
            "ClusterDialog": lambda kind: kind(self.profile),
            "ColumnsDialog": lambda kind: kind(columns, ["state", "loss"]),
            "ConfirmDialog": lambda kind: kind(
                "Delete building-site?",
                ["1,480 images and 9,204 annotations go with it.", "This cannot be undone."],
                yes="Delete", no="Keep", typed="building-site",
            ),
            "ConventionDialog": lambda kind: kind(rows),
            "DeleteDialog": lambda kind: kind(rows[:2], rows),
            "ExportDialog": lambda kind: kind(project),
            "GoDialog": lambda kind: kind(self.app.ways, self.app.index, ["runs site"]),
            "HelpScreen": lambda kind: kind(
                "Runs", "Every run of the workspace.", collect(self.app.screen)
            ),
            "ImportDialog": lambda kind: kind(project),
            "LookDialog": lambda kind: kind(run, str(self.frames / "images")),
            "MappingFileDialog": lambda kind: kind(rows, project),
            "MergeDialog": lambda kind: kind(hooks, rows),
            "ModelDialog": lambda kind: kind("small"),
            "ModelExportDialog": lambda kind: kind(run),
            "PassesDialog": lambda kind: kind(self.frames),
            "PickDialog": lambda kind: kind(
                "Split", [Item("train", "train", count=1036), Item("test", "test", count=148)]
            ),
            "PromptDialog": lambda kind: kind(
                "Rename the class", label="New name", value="crane hook", button="Rename"
            ),
            "SetupDialog": lambda kind: kind(self.profile),
            "StartDialog": lambda kind: kind(config),
            "SubmitDialog": lambda kind: kind(values, images={"train": 1036, "valid": 296}),
            "SuggestDialog": lambda kind: kind(
                [Suggestion("crane hook", ("crane-hook", "Crane Hook"), "spelling", 912)],
                lambda names, target: None,
            ),
            "SweepDialog": lambda kind: kind(
                project, {**values, "from_scratch": True}, "lr=1e-4,5e-5 model=small,base"
            ),
            "TextDialog": lambda kind: kind(
                "The same on the command line", "batman train --project building-site --lr 5e-5",
                file=self.root / "train.sh", lead="c copies it, w writes it to train.sh.",
            ),
        }  # fmt: skip


def dialogs() -> dict[str, type[BatmanDialog[Any]]]:
    """Return every dialog of the app that is not only the base of others, by its name."""
    for module in pkgutil.walk_packages(batman_tui.__path__, "batman_tui."):
        importlib.import_module(module.name)
    found: dict[str, type[BatmanDialog[Any]]] = {}

    def walk(kind: type[BatmanDialog[Any]]) -> None:
        below = kind.__subclasses__()
        if not below:
            found[kind.__name__] = kind
        for each in below:
            walk(each)

    walk(BatmanDialog)
    return found


async def pictures(
    world: World, wanted: list[str], name: str, size: tuple[int, int], out: Path
) -> None:
    """Write `CLASS-WxH-NAME.svg` (and `.png`) of each dialog, in the theme called `name`."""
    app = world.app
    async with app.run_test(size=size) as pilot:
        app.theme = THEMES[name]
        await pilot.press("2")
        await settled(pilot)
        makers = world.makers()
        for dialog in wanted:
            screen = makers[dialog](dialogs()[dialog])
            app.push_screen(screen)
            # What goes on for ever, such as preparing, is pictured as it goes on.
            with suppress(TimeoutError):
                async with asyncio.timeout(8):
                    await settled(pilot)
            draw(
                app.export_screenshot(title="Batman"),
                out / f"{dialog}-{size[0]}x{size[1]}-{name}.svg",
            )
            for worker in app.workers:
                worker.cancel()
            while screen in app.screen_stack:
                await app.pop_screen()
            await pilot.pause()


def main() -> int:
    """Make the pictures that were asked for, or all."""
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    wanted = sys.argv[2:] or sorted(dialogs())
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BATMAN_CONFIG_DIR"] = f"{folder}/first-config"
        missing = set(wanted) - set(World(Path(folder) / "first").makers())
        assert not missing, f"no case for {', '.join(sorted(missing))}"
        for name in THEMES:
            for size in SIZES:
                os.environ["BATMAN_CONFIG_DIR"] = f"{folder}/{name}-{size[0]}-config"
                world = World(Path(folder) / f"{name}-{size[0]}")
                asyncio.run(pictures(world, wanted, name, size, out))
                print(name, *size)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
