"""ByteTrack is loaded without the rest of its packages, tracks as ever, and they become whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from installed import needs

pytestmark = needs("trackers", "supervision", "scipy")

# Objects that cross, hide and are found weakly, with doubles; everything that is told of each.
FOLLOW = """
import hashlib, sys
from fractions import Fraction
import numpy as np
from core.inference.tracking import Tracker
from core.models.detector import Prediction

random = np.random.default_rng(5)
tracker = Tracker(Fraction(25), 0.5, doubles=True)
places = random.uniform(50, 900, (40, 2))
speeds = random.normal(0, 9, (40, 2))
told, numbers = hashlib.sha256(), set()
for frame in range(150):
    places = places + speeds
    seen = np.flatnonzero(random.uniform(size=40) > 0.15)
    seen = np.concatenate([seen, seen[:3]])
    middles = places[seen] + random.normal(0, 2, (len(seen), 2))
    boxes = np.concatenate([middles - 30, middles + 30], axis=1).astype(np.float32)
    scores = random.uniform(0.1, 1, len(seen)).astype(np.float32)
    order = np.argsort(-scores)
    found = Prediction(boxes[order], scores[order], (seen % 3)[order])
    now, before = tracker.update(found)
    between, on = tracker.between(0.5)
    numbers.update(now)
    told.update(repr((now, before, on)).encode() + between.boxes.tobytes())
    for track in tracker._tracker.tracks:
        told.update(track.state_estimator.kf.state.tobytes())
        told.update(track.state_estimator.kf.state_covariance.tobytes())
print(len(numbers), told.hexdigest())
print(len([name for name in sys.modules if name.partition(".")[0] in ("scipy", "supervision")]))
"""


def run(code: str, **env: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=False, env={**os.environ, **env},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()


def test_it_follows_as_ever() -> None:
    """To the last bit, in a sixth of the modules."""
    light, few = run(FOLLOW)
    whole, many = run(FOLLOW, BATMAN_WHOLE_LIBRARIES="1")
    assert light == whole
    assert int(light.split()[0]) > 40
    assert int(few) < 60
    assert int(many) > 300


@pytest.mark.parametrize("package", ["trackers", "supervision"])
def test_another_release_is_loaded_whole(package: str, tmp_path: Path) -> None:
    told = tmp_path / f"{package}-99.1.dist-info" / "METADATA"
    told.parent.mkdir()
    told.write_text(f"Metadata-Version: 2.4\nName: {package}\nVersion: 99.1\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import core.inference.byte_track\n"
        "print('scipy.interpolate' in sys.modules, 'trackers.core.sort' in sys.modules)\n"
    )
    assert run(code) == ["True True"]


def test_the_packages_are_whole_once_more_of_them_is_wanted() -> None:
    told = run("""
import sys
from core.inference.byte_track import ByteTrackTracker, Detections
print([n for n in ("scipy.interpolate", "supervision.annotators") if n in sys.modules])
import scipy, supervision as sv, trackers
from trackers.core.bytetrack import tracker as module
print(sv.Detections is Detections is sv.detection.core.Detections)
print(sv.BoxAnnotator().annotate.__module__, sv.Detections is Detections, type(sv).__name__)
print(sv is sys.modules["supervision"], sv.__spec__.loader is sv.__loader__, sv.__version__[:2])
print(trackers.SORTTracker.__name__, trackers.ByteTrackTracker is ByteTrackTracker)
print(module.linear_sum_assignment is scipy.optimize.linear_sum_assignment)
print(float(scipy.optimize.minimize_scalar(lambda x: (x - 2) ** 2).x).__round__(3))
print(type(trackers).__name__, type(scipy.optimize).__name__, module is trackers.core.bytetrack.tracker)
""")  # noqa: E501
    assert told == [
        "[]",
        "True",
        "supervision.annotators.core True module",
        "True True 0.",
        "SORTTracker True",
        "True",
        "2.0",
        "module module True",
    ]
