"""A workspace with something of each: pictures, labels, suggestions, runs, finds and a cluster."""

from __future__ import annotations

from pathlib import Path

from all_screens import World
from evaluation_data import make_evaluation
from job_data import FakeCluster
from picture_data import make_pictures
from prediction_data import make_predictions
from run_data import failed, finished, make_run

from core.data.labels.passes import Found, PassInfo, record_pass
from core.data.store import Project


def plain_world(root: Path) -> World:
    """Make the workspace in `root`, and an app that shows it; a profile goes into the settings."""
    project = make_pictures(root / "data/projects/site")
    with Project.open(project) as opened:
        found = ((image, [Found(1, (20.0, 20, 30, 25), 0.8), Found(2, (90.0, 50, 20, 40), 0.6)])
                 for image in range(1, 13))  # fmt: skip
        record_pass(opened, PassInfo("run", "site-1", (1, 2)), found)
    runs = [
        make_run(root, "site-1", finished("site-1"), project=project),
        make_run(root, "site-2", finished("site-2"), project=project),
        make_run(root, "site-3", failed("site-3"), project=project),
    ]
    for run in runs[:2]:
        make_evaluation(run)
    return World(root, "crane", project, runs, make_predictions(root), FakeCluster("vega"))
