"""Pictures of every screen, as SVG and (where rsvg-convert is installed) PNG.

    python scripts/screenshots.py OUT_FOLDER [NAME …]
    python scripts/screenshots.py OUT_FOLDER --every [THEME]

Each is made at 80×24 and 120×40 from data made here, at a fixed time, so that a picture changes
only when its screen does. With `--every` it is each screen and dialog that the code has, as it
opens, to look at them all.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic

# Whatever terminal this is started from; Textual looks when it is imported.
os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "screens"), str(ROOT / "tests" / "unit")]

from all_screens import made, screens  # noqa: E402
from evaluation_data import make_evaluation  # noqa: E402
from harness import FrozenApp, settled, until  # noqa: E402
from picture_data import make_pictures  # noqa: E402
from plain_world import plain_world  # noqa: E402
from prediction_data import make_predictions  # noqa: E402
from run_data import better, failed, finished, make_run, running  # noqa: E402
from sample_data import make_workspace  # noqa: E402
from textual.pilot import Pilot  # noqa: E402
from textual.widgets import Input, Static  # noqa: E402

from batman_tui.autolabel.dialog import AutolabelDialog  # noqa: E402
from batman_tui.evaluate.screen import EvaluationScreen  # noqa: E402
from batman_tui.predictions.screen import PredictionsScreen  # noqa: E402
from batman_tui.runs.compare import CompareScreen  # noqa: E402
from batman_tui.sweep.screen import SweepScreen, open_sweep  # noqa: E402
from batman_tui.widgets.picture.picture import Picture  # noqa: E402
from core.autolabel.record import Recorded  # noqa: E402
from core.common.progress import Progress  # noqa: E402
from core.data.labels.passes import Found, PassInfo, record_pass  # noqa: E402
from core.data.store import Project  # noqa: E402
from core.training.run.events import Event  # noqa: E402
from core.training.run.worker_process import write_worker  # noqa: E402

SIZES = ((80, 24), (120, 40))
FONT = "DejaVu Sans Mono"
CELL = 12.2
NBSP = "&#160;"
Scene = Callable[[Pilot[int], Path], Awaitable[None]]


async def _keys(pilot: Pilot[int], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settled(pilot)


async def projects(pilot: Pilot[int], _root: Path) -> None:
    """The list of projects."""
    await _keys(pilot, "j")


async def projects_light(pilot: Pilot[int], _root: Path) -> None:
    """The list of projects in the light theme."""
    await _keys(pilot, "j", "f2")


async def project_new(pilot: Pilot[int], _root: Path) -> None:
    """A name for a new project, one that is taken."""
    await _keys(pilot, "n", *"blood-cells")


async def project_delete(pilot: Pilot[int], _root: Path) -> None:
    """What deleting a project would lose."""
    await _keys(pilot, "j", "d")


async def data(pilot: Pilot[int], root: Path) -> None:
    """What is in the data."""
    from core.data.importers import import_coco
    from core.data.store import Project
    from core.demo.shapes import make_shapes

    path = root / "data" / "projects" / "shapes"
    make_shapes(root / "set", train=60, valid=20, test=10)
    with Project.create(path) as project:
        import_coco(project, root / "set")
    pilot.app.open_data(path)  # type: ignore[attr-defined]
    await settled(pilot)


async def versions(pilot: Pilot[int], root: Path) -> None:
    """Named states, and what changed since."""
    from core.data.classes import merge
    from core.data.store import Project
    from core.data.versions import name_state

    path = root / "data" / "projects" / "building-site"
    with Project.open(path) as project:
        name_state(project, "as imported", "before anything was cleaned")
        merge(project, ["crane-hook", "crane_hook", "Crane Hook"], "crane hook")
        name_state(project, "hooks merged")
        merge(project, ["hardhat"], "hard hat")
        project.db.execute("UPDATE versions SET at = '2026-03-14T09:00:00+00:00', who = 'ada'")
    pilot.app.open_versions(path)  # type: ignore[attr-defined]
    await settled(pilot)
    await _keys(pilot, "j")


async def _classes(pilot: Pilot[int], root: Path, name: str = "building-site") -> None:
    pilot.app.open_classes(root / "data" / "projects" / name)  # type: ignore[attr-defined]
    await settled(pilot)


async def classes_by_split(pilot: Pilot[int], root: Path) -> None:
    """The classes with the annotations of each split, the rarest of valid first."""
    await _classes(pilot, root)
    await _keys(pilot, "S", "o", "o", "O")


async def classes(pilot: Pilot[int], root: Path) -> None:
    """The classes, some marked."""
    await _classes(pilot, root)
    await _keys(pilot, "j", "j", "space", "space", "space")


async def classes_light(pilot: Pilot[int], root: Path) -> None:
    """The classes in the light theme."""
    await _keys(pilot, "f2")
    await classes(pilot, root)


async def classes_filter(pilot: Pilot[int], root: Path) -> None:
    """The classes that match what is typed."""
    await _classes(pilot, root)
    await _keys(pilot, "slash", *"hook")


async def merge(pilot: Pilot[int], root: Path) -> None:
    """What becomes what."""
    await _classes(pilot, root)
    await _keys(pilot, "slash", *"hook", "enter", "a", "m")


async def rename(pilot: Pilot[int], root: Path) -> None:
    """A name that is taken."""
    await _classes(pilot, root)
    await _keys(pilot, "slash", *"hardhat", "enter", "r", "ctrl+u", *"hard hat")


async def suggest(pilot: Pilot[int], root: Path) -> None:
    """Classes that look alike."""
    await _classes(pilot, root)
    await _keys(pilot, "s")


async def convention(pilot: Pilot[int], root: Path) -> None:
    """What one way of writing makes of every name."""
    await _classes(pilot, root)
    await _keys(pilot, "n")


async def reassign(pilot: Pilot[int], root: Path) -> None:
    """Which class gets the annotations of one that goes."""
    await _classes(pilot, root)
    await _keys(pilot, "d", "r", *"hook")


async def history(pilot: Pilot[int], root: Path) -> None:
    """What was done, some of it undone."""
    await _classes(pilot, root)
    await _keys(pilot, "slash", *"hook", "enter", "a", "m", "enter")
    await _keys(pilot, "slash", "escape", "d", "y", "u")
    if pilot.app.size.width < 120:
        await _keys(pilot, "h")


async def import_form(pilot: Pilot[int], root: Path) -> None:
    """What to import, seen from its files."""
    (root / "sets" / "site" / "train").mkdir(parents=True)
    (root / "sets" / "site" / "train" / "_annotations.coco.json").touch()
    await _keys(pilot, "j", "i")
    pilot.app.screen.query_one("#path", Input).value = str(root / "sets" / "site")
    await settled(pilot)


def _import_way(number: int) -> Scene:
    async def scene(pilot: Pilot[int], root: Path) -> None:
        await _keys(pilot, "j", "i", *["f3"] * number)
        if number == 1:
            pilot.app.screen.query_one("#zoo", Input).value = "person, traffic ligt"
        elif number == 3:
            for name in ("night-1.mp4", "night-2.mp4"):
                (root / name).touch()
            pilot.app.screen.query_one("#video", Input).value = str(root / "night-*.mp4")
        await settled(pilot)

    return scene


async def export(pilot: Pilot[int], _root: Path) -> None:
    """A project as a data set for other tools."""
    await _keys(pilot, "j", "x", "f3")


async def imports(pilot: Pilot[int], root: Path) -> None:
    """Where a project's images came from."""
    pilot.app.open_imports(root / "data" / "projects" / "building-site")  # type: ignore[attr-defined]
    await settled(pilot)


async def jobs(pilot: Pilot[int], _root: Path) -> None:
    """The jobs of a cluster that is made up."""
    from job_data import LOGS, FakeCluster
    from textual.screen import Screen

    from batman_tui.connections import use_host
    from batman_tui.jobs.screen import JobsScreen
    from batman_tui.widgets.panel.log_view import LogView
    from slurm.site.profiles import Profile

    host = FakeCluster()
    lines = (f"epoch {n:2}  loss {3 / (n + 2):.4f}  mAP50-95 {0.6 - 1 / (n + 1):.3f}\n"
             for n in range(2, 31))  # fmt: skip
    host.files[f"{LOGS}/48213.log"] = "".join(lines).encode()

    profile = Profile(name=host.name, host="selina@vega")
    use_host(pilot.app, profile, host)  # type: ignore[arg-type]

    def shown() -> Screen[None]:
        return JobsScreen(lambda: [profile])

    await pilot.app.remove_mode("jobs")
    pilot.app.add_mode("jobs", shown)
    await pilot.press("3")
    screen = pilot.app.screen
    assert isinstance(screen, JobsScreen)
    await until(pilot, lambda: screen.table.row_count)
    screen.table.move_to("48213")
    await until(pilot, lambda: screen.query_one(LogView).lines)
    await _keys(pilot, "space", "j", "space", "k", "k", "k")
    await until(pilot, lambda: screen.query_one(LogView).lines)


async def _vega(pilot: Pilot[int]) -> None:
    """Let the app know a cluster that is made up."""
    from job_data import FakeCluster

    from batman_tui.connections import use_host
    from slurm.site.profiles import Profile, save_profile

    host = FakeCluster()
    # In no hurry, and the same in every picture.
    host.starts = [host.starts[1], *host.starts[1:]]
    profile = Profile(name=host.name, host="selina@vega")
    save_profile(profile, replace=True)
    use_host(pilot.app, profile, host)  # type: ignore[arg-type]


async def submit(pilot: Pilot[int], root: Path) -> None:
    """Training on a cluster, from the form."""
    from batman_tui.train.submit_dialog import SubmitDialog

    await _vega(pilot)
    await train(pilot, root)
    await _keys(pilot, "f7")
    await until(pilot, lambda: getattr(pilot.app.screen, "_order", None) is not None)
    assert isinstance(pilot.app.screen, SubmitDialog)
    await settled(pilot)


async def cluster(pilot: Pilot[int], _root: Path) -> None:
    """What a cluster has."""
    from batman_tui.cluster.profile_dialog import ClusterDialog
    from batman_tui.widgets.panel.facts import Facts
    from slurm.site.profiles import load_profile

    await _vega(pilot)
    dialog = ClusterDialog(load_profile("vega"))
    await pilot.app.push_screen(dialog)
    await until(pilot, lambda: dialog.query_one("#facts-there", Facts).said("Slurm"))
    await settled(pilot)


async def help_keys(pilot: Pilot[int], _root: Path) -> None:
    """The keys of a screen."""
    await _keys(pilot, "f1")


async def palette(pilot: Pilot[int], _root: Path) -> None:
    """The command palette."""
    await _keys(pilot, "ctrl+p", *"blo")
    await asyncio.sleep(0.5)
    await settled(pilot)


RUN = "building-site-small-3"


async def _run(pilot: Pilot[int], root: Path, events: list[Event]) -> None:
    pilot.app.open_run(make_run(root, RUN, events))  # type: ignore[attr-defined]
    await until(pilot, lambda: getattr(pilot.app.screen, "run", None) is not None)
    await settled(pilot)
    await until(pilot, lambda: pilot.app.screen.query_one("#log").lines)  # type: ignore[attr-defined]


async def run(pilot: Pilot[int], root: Path) -> None:
    """A run that is under way."""
    await _run(pilot, root, running(RUN))


async def run_light(pilot: Pilot[int], root: Path) -> None:
    """A run in the light theme."""
    await run(pilot, root)
    await _keys(pilot, "f2")


async def run_cursor(pilot: Pilot[int], root: Path) -> None:
    """The parts of the loss on a logarithmic scale, read by a cursor."""
    await run(pilot, root)
    await _keys(pilot, "p", "L", "c", "N")


async def run_failed(pilot: Pilot[int], root: Path) -> None:
    """A run that failed, and what to do about it."""
    await _run(pilot, root, failed(RUN))


async def runs(pilot: Pilot[int], root: Path) -> None:
    """Every run of the workspace."""
    for name, events in (("cells-base-1", finished), (RUN, running), ("harbour-nano-2", failed)):
        make_run(root, name, events(name))
    await _keys(pilot, "2")
    await until(pilot, lambda: pilot.app.screen.table.row_count == 3)  # type: ignore[attr-defined]
    await settled(pilot)


async def compare(pilot: Pilot[int], root: Path) -> None:
    """Three runs side by side."""
    made = [make_run(root, "site-small-1", running("site-small-1"))]
    made.append(make_run(root, "site-base-2", better("site-base-2"), lr=5e-5, model="base"))
    made.append(make_run(root, "site-small-3", failed("site-small-3"), seed=3))
    pilot.app.switch_mode("runs")
    await settled(pilot)
    pilot.app.push_screen(CompareScreen(made))
    await until(pilot, lambda: pilot.app.screen.runs)  # type: ignore[attr-defined]
    await settled(pilot)


async def evaluation(pilot: Pilot[int], root: Path) -> None:
    """How good a model is, class by class."""
    made = make_run(root, RUN, finished(RUN))
    make_evaluation(made)
    pilot.app.switch_mode("runs")
    await settled(pilot)
    pilot.app.push_screen(EvaluationScreen(made))
    await until(pilot, lambda: pilot.app.screen.result)  # type: ignore[attr-defined]
    await settled(pilot)


async def evaluation_confusions(pilot: Pilot[int], root: Path) -> None:
    """What is taken for what."""
    await evaluation(pilot, root)
    await _keys(pilot, "right_square_bracket")


async def evaluation_confusions_light(pilot: Pilot[int], root: Path) -> None:
    """The same in the light theme."""
    await evaluation_confusions(pilot, root)
    await _keys(pilot, "f2")


async def evaluation_images(pilot: Pilot[int], root: Path) -> None:
    """The worst images of an evaluation."""
    await evaluation(pilot, root)
    await _keys(pilot, "left_square_bracket")
    await until(pilot, lambda: pilot.app.screen.query_one(Picture).shown)
    await settled(pilot)


async def train(pilot: Pilot[int], root: Path) -> None:
    """The form, with what follows from it."""
    pilot.app.open_train(root / "data" / "projects" / "building-site")  # type: ignore[attr-defined]
    from batman_tui.train.screen import TrainScreen
    from batman_tui.train.training_facts import TrainingFacts

    await until(pilot, lambda: isinstance(pilot.app.screen, TrainScreen))
    await until(pilot, lambda: pilot.app.screen.query_one(TrainingFacts).data is not None)
    await settled(pilot)


async def _pictures(pilot: Pilot[int], root: Path, room: str, *keys: str) -> None:
    path = make_pictures(root / "data" / "projects" / "site")
    getattr(pilot.app, f"open_{room}")(path)
    await settled(pilot)
    await _keys(pilot, *keys)
    await until(pilot, lambda: all(item.settled for item in pilot.app.screen.query(Picture)))


async def images(pilot: Pilot[int], root: Path) -> None:
    """The images, some marked, and one of them with its boxes."""
    await _pictures(pilot, root, "images", "j", "j", "space", "j", "space", *["j"] * 6)


async def _labels(pilot: Pilot[int], root: Path, room: str, *keys: str) -> None:
    from label_data import make_labels

    path = make_labels(root / "data" / "projects" / "frames", images=30, files=True)
    getattr(pilot.app, f"open_{room}")(path)
    await settled(pilot)
    for key in keys:
        await pilot.press(key)
        await settled(pilot)
    shown = pilot.app.screen.query(Picture)
    await until(pilot, lambda: all(picture.settled for picture in shown))
    await settled(pilot)


async def label(pilot: Pilot[int], root: Path) -> None:
    """A picture with what a model proposes, one of it looked at closely."""
    await _labels(pilot, root, "label", "tab", "a")


async def label_ruler(pilot: Pilot[int], root: Path) -> None:
    """The ruler that puts an edge right."""
    await _labels(pilot, root, "label", "tab", "e", "l")


async def label_corners(pilot: Pilot[int], root: Path) -> None:
    """The grid that names the corners of a new box."""
    await _labels(pilot, root, "label", "n")


async def crops(pilot: Pilot[int], root: Path) -> None:
    """A page of crops, two of them struck out."""
    await _labels(pilot, root, "crops", "b", "d")


async def autolabel(pilot: Pilot[int], root: Path) -> None:
    """Which model looks for what, on which pictures."""
    await _labels(pilot, root, "label", "m")


async def autolabel_running(pilot: Pilot[int], root: Path) -> None:
    """A pass under way, some pictures in; no work stands behind it, which would go on for ever."""
    await _labels(pilot, root, "label", "m")
    dialog = pilot.app.screen
    assert isinstance(dialog, AutolabelDialog)
    dialog.began = monotonic() - 14
    dialog.phase = "running"
    dialog.set_focus(None)
    dialog.post_message(dialog.Moved(Progress("looking at pictures", 12, 30)))
    await until(pilot, lambda: "12 of 30" in str(dialog.query_one("#stage", Static).render()))


async def autolabel_done(pilot: Pilot[int], root: Path) -> None:
    """What became of a pass, and its suggestions on the picture."""
    await _labels(pilot, root, "label", "m")
    dialog = pilot.app.screen
    assert isinstance(dialog, AutolabelDialog)

    def make(project: Project, _progress: object, _stopped: object) -> Recorded:
        found = [Found(1, (40.0, 30.0, 60.0, 50.0), 0.9)]
        report = record_pass(project, PassInfo("run", "yard-1", (1,)), [(1, found)])
        return Recorded(report, "the run yard-1", 30, 30, (("f7.jpg", "it is cut off"),), (), "cpu")

    dialog.begin(make, "")
    await until(pilot, lambda: pilot.app.screen is not dialog)
    await settled(pilot)
    pictures = pilot.app.screen.query(Picture)
    await until(pilot, lambda: all(picture.settled for picture in pictures))


async def images_narrow(pilot: Pilot[int], root: Path) -> None:
    """What images can be narrowed to."""
    await _pictures(pilot, root, "images", "f")


async def check(pilot: Pilot[int], root: Path) -> None:
    """What is wrong with the data, and an example."""
    await _pictures(pilot, root, "health", "n")


async def class_pictures(pilot: Pilot[int], root: Path) -> None:
    """What a class looks like."""
    keys = ["j"] if pilot.app.size.width >= 100 else ["p", "j"]
    await _pictures(pilot, root, "classes", *keys)


async def predictions(pilot: Pilot[int], root: Path) -> None:
    """What a model found in pictures and in the frames of a video, at a lower confidence."""
    screen = PredictionsScreen(make_predictions(root))
    pilot.app.push_screen(screen)
    await until(pilot, lambda: screen.found is not None)
    await _keys(pilot, "left")
    await until(pilot, lambda: screen.query_one(Picture).settled)


async def _with_model(pilot: Pilot[int], root: Path, *keys: str) -> None:
    path = make_run(root, "building-site-small-3", finished("building-site-small-3"))
    (path / "best.pth").touch()
    pilot.app.open_run(path)  # type: ignore[attr-defined]
    await until(pilot, lambda: getattr(pilot.app.screen, "run", None))
    await settled(pilot)
    await _keys(pilot, *keys)


async def look(pilot: Pilot[int], root: Path) -> None:
    """What is asked before a model looks at pictures."""
    await _with_model(pilot, root, "i")


async def model_export(pilot: Pilot[int], root: Path) -> None:
    """The formats that a model is exported to, and what is not installed."""
    await _with_model(pilot, root, "x", *"jjj")


async def sweep(pilot: Pilot[int], root: Path) -> None:
    """A sweep of four: two trained, one on its way, one that waits."""
    from core.common.files import write_json

    name = "building-site-sweep-1"
    ends = [finished, better, running, None]
    runs = []
    for number, (lr, model) in enumerate(itertools.product((1e-4, 5e-5), ("small", "base")), 1):
        make = ends[number - 1]
        run = f"{name}-{number}"
        made = make_run(root, run, make(run) if make else [], lr=lr, model=model, sweep=name)
        if make is None:
            (made / "worker.json").unlink()
        choices = {"lr": f"{lr:g}".replace("e-0", "e-").replace("0.0001", "1e-4"), "model": model}
        runs.append({"folder": f"runs/{run}", "choices": choices, "settings": {}})
    folder = root / "sweeps" / name
    words = ["lr=1e-4,5e-5", "model=small,base"]
    write_json(
        folder / "sweep.json", {"words": words, "created": 1.0, "runs": runs, "prepared": True}
    )
    write_worker(folder)
    open_sweep(pilot.app, folder)
    screen = pilot.app.screen
    await until(pilot, lambda: isinstance(screen, SweepScreen) and screen.rows)
    await settled(pilot)


SCENES: dict[str, Scene] = {
    "projects": projects,
    "projects-light": projects_light,
    "project-new": project_new,
    "project-delete": project_delete,
    "data": data,
    "versions": versions,
    "classes": classes,
    "classes-light": classes_light,
    "classes-filter": classes_filter,
    "merge": merge,
    "rename": rename,
    "suggest": suggest,
    "history": history,
    "classes-splits": classes_by_split,
    "convention": convention,
    "reassign": reassign,
    "class-pictures": class_pictures,
    "images": images,
    "images-narrow": images_narrow,
    "label": label,
    "label-ruler": label_ruler,
    "label-corners": label_corners,
    "crops": crops,
    "autolabel": autolabel,
    "autolabel_running": autolabel_running,
    "autolabel_done": autolabel_done,
    "check": check,
    "import": import_form,
    "import-zoo": _import_way(1),
    "import-roboflow": _import_way(2),
    "import-video": _import_way(3),
    "import-original": _import_way(4),
    "imports": imports,
    "export": export,
    "train": train,
    "run": run,
    "run-light": run_light,
    "run-cursor": run_cursor,
    "run-failed": run_failed,
    "runs": runs,
    "compare": compare,
    "sweep": sweep,
    "look": look,
    "model-export": model_export,
    "predictions": predictions,
    "evaluation": evaluation,
    "evaluation-confusions": evaluation_confusions,
    "evaluation-confusions-light": evaluation_confusions_light,
    "evaluation-images": evaluation_images,
    "jobs": jobs,
    "submit": submit,
    "cluster": cluster,
    "help": help_keys,
    "palette": palette,
}


def exact(svg: str) -> str:
    """Return the picture with each text where its cells are, whatever draws it.

    Renderers drop spaces at the start of a text and need not know `textLength`, so the spaces
    become a place further right, and the font gets the size at which its advance of 0.602 em is
    Rich's cell of 12.2 px.
    """
    svg = svg.replace("Fira Code", FONT).replace("font-size: 20px", "font-size: 20.266px")

    def shift(text: re.Match[str]) -> str:
        spaces = len(text[3]) // len(NBSP)
        return f'<text{text[1]}x="{float(text[2]) + spaces * CELL:g}"{text[4]}>'

    return re.sub(
        rf'<text([^>]*?)x="([\d.]+)"(?=[^>]*>((?:{NBSP})*))([^>]*)>(?:{NBSP})*', shift, svg
    )


async def picture(name: str, scene: Scene, size: tuple[int, int], root: Path, out: Path) -> None:
    """Run the app at `size`, play the scene and write `NAME-WxH.svg` (and `.png`)."""
    app = FrozenApp(root)
    async with app.run_test(size=size, notifications=True) as pilot:
        await settled(pilot)
        await scene(pilot, root)
        svg = app.export_screenshot(title="Batman")
    draw(svg, out / f"{name}-{size[0]}x{size[1]}.svg")


async def every(size: tuple[int, int], root: Path, out: Path, theme: str) -> None:
    """Write a picture of each screen and dialog as it opens, but for the one that begins a run."""
    world = plain_world(root)
    app = world.app
    if theme:
        app.theme = theme
    async with app.run_test(size=size, notifications=True) as pilot:
        await settled(pilot)
        for name in sorted(screens().keys() - {"StartDialog"}):
            screen = made(name, world)
            app.push_screen(screen)
            await until(pilot, lambda screen=screen: screen in app.screen_stack)
            await settled(pilot)
            shown = [each for front in app.screen_stack for each in front.query(Picture)]
            await until(pilot, lambda shown=shown: all(each.settled for each in shown))
            draw(app.export_screenshot(title=name), out / f"{name}-{size[0]}x{size[1]}.svg")
            while len(app.screen_stack) > 1:
                app.pop_screen()
                await settled(pilot)


def draw(svg: str, file: Path) -> None:
    """Write a picture to the SVG `file`, and as a PNG beside it where that can be done."""
    file.write_text(exact(svg), encoding="utf-8")
    if shutil.which("rsvg-convert"):
        png = file.with_suffix(".png")
        subprocess.run(["rsvg-convert", "-o", str(png), str(file)], check=True)


def main() -> int:
    """Make the pictures that were asked for, or all."""
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    wanted = sys.argv[2:] or list(SCENES)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BATMAN_CONFIG_DIR"] = f"{folder}/config"
        if wanted[0] == "--every":
            for size in SIZES:
                os.environ["BATMAN_CONFIG_DIR"] = f"{folder}/config-{size[0]}"
                root = Path(folder) / f"every-{size[0]}"
                asyncio.run(every(size, root, out, "".join(wanted[1:])))
            return 0
        for name in wanted:
            for size in SIZES:
                # A workspace each: some scenes change it.
                root = make_workspace(Path(folder) / f"{name}-{size[0]}")
                asyncio.run(picture(name, SCENES[name], size, root, out))
            print(name)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
