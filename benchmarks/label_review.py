"""The loop on real pictures: labels hidden, a run trained on the rest, its suggestions reviewed.

    python benchmarks/label_review.py [SECONDS] [EPOCHS] [IMAGE SIZE]

Takes the blood cells (BCCD: 364 pictures, three classes; the folder is `$BATMAN_TEST_DATA/bccd`,
else `shared/data/bccd` or `/work/shared/data/bccd`), hides the labels of 60 pictures drawn by
chance, trains the size `tiny` from random weights on the others (`--only-reviewed`, on the CPU, at
most SECONDS, by default 640, and EPOCHS, by default 60), and lets it propose boxes on the 60. A
script then reviews as a person does on pages of crops: of one class, the surest first, 24 a page,
a letter for each that is none, Enter for the rest; what overlaps an object of its class by 0.5 or
more is taken, once for each object. All of it by the commands that a person would type.

Prints, for what is accepted from each least score on: precision and recall against the hidden
labels, with keys a box; what would be there without a review; the thresholds that follow from the
decisions; and what `batman labels compare` finds. The precision of a review that knows the truth is
1 by construction, but for boxes that two suggestions claim: recall and keys are the figures.
Exits with 1 when an accepted box is none, or a review takes more keys than drawing the boxes would
(a digit and two letters for each of two corners: 7, `docs/labelling`).
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

HIDDEN = 60
PAGE = 24
DRAWN = 7  # keys of a new box in the terminal
LEAST = (0.1, 0.2, 0.3, 0.4, 0.5)
NAME = "cells"


@dataclass
class Reviewed:
    """What a review from one least score on came to."""

    least: float
    shown: int
    taken: int
    truth: int
    found: int
    keys: int


def data() -> Path:
    """Return the folder of the blood cells."""
    places = [ROOT / "shared/data/bccd", Path("/work/shared/data/bccd")]
    if given := os.environ.get("BATMAN_TEST_DATA"):
        places.insert(0, Path(given) / "bccd")
    for place in places:
        if place.is_dir():
            return place
    raise SystemExit("There are no blood cells: set BATMAN_TEST_DATA.")


def batman(*words: str, workspace: Path, limit: float | None = None) -> str:
    """Run a command and return what it printed; it is interrupted after `limit` seconds."""
    command = [sys.executable, "-m", "cli.main", "--workspace", str(workspace), *words]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            out, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            # As Ctrl-C: training stops after its step, with the best model kept.
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate()
        code = process.returncode
    if code not in (0, 3, 130):
        raise SystemExit(f"batman {' '.join(words)} ended with {code}:\n{out[-3000:]}")
    return out


def hide(project: Any) -> tuple[list[int], dict[int, list[tuple[int, tuple[float, ...]]]]]:
    """Hide the labels of 60 pictures; return these and their objects, the others are reviewed."""
    images = [row[0] for row in project.db.execute("SELECT id FROM v_images ORDER BY id")]
    hidden = sorted(random.Random(7).sample(images, HIDDEN))
    truth: dict[int, list[tuple[int, tuple[float, ...]]]] = {image: [] for image in hidden}
    gone = []
    for row in project.db.execute("SELECT id, image_id, class_id, x, y, w, h FROM v_annotations"):
        if row["image_id"] in truth:
            gone.append((row["id"], 1))
            truth[row["image_id"]].append((row["class_id"], tuple(row)[3:]))
    with project.change("benchmark", "labels hidden") as change:
        change.update_many("annotations", ["deleted"], gone)
    from core.data.labels.review import review_images

    review_images(project, [image for image in images if image not in truth], "done")
    return hidden, truth


def right_ones(rows: list[Any], truth: dict[int, list[tuple[int, tuple[float, ...]]]]) -> set[int]:
    """Return the suggestions that a person takes: an object each, the surest first."""
    from core.data.labels.matching import SAME, as_boxes, overlaps

    taken: set[tuple[int, int]] = set()
    right = set()
    for row in rows:
        objects = truth[row["image_id"]]
        if not objects:
            continue
        box = as_boxes([(row["x"], row["y"], row["w"], row["h"])])
        table = overlaps(box, as_boxes([edges for _, edges in objects]))[0]
        for place in table.argsort()[::-1].tolist():
            free = (row["image_id"], place) not in taken
            if table[place] >= SAME and objects[place][0] == row["class_id"] and free:
                taken.add((row["image_id"], place))
                right.add(row["id"])
                break
    return right


def pages(rows: list[Any], right: set[int]) -> int:
    """Return the keys of a review by pages of crops: a letter for each wrong one, Enter a page."""
    keys = 0
    for class_id in {row["class_id"] for row in rows}:
        of = [row for row in rows if row["class_id"] == class_id]
        keys += math.ceil(len(of) / PAGE) + sum(row["id"] not in right for row in of)
    return keys


def review(project: Any, truth: dict[int, list[Any]]) -> list[Reviewed]:
    """Review what is open from each least score on; each review but the last is taken back."""
    from core.data.labels.bulk import decide

    results = []
    for least in LEAST:
        rows = project.db.execute(
            "SELECT * FROM v_suggestions WHERE state IN ('open', 'accepted', 'rejected')"
            " AND score >= ? ORDER BY score DESC, id",
            (least,),
        ).fetchall()
        right = right_ones(rows, truth)
        wrong = [row["id"] for row in rows if row["id"] not in right]
        if not rows:
            continue
        if results:
            project.undo()
        decide(project, sorted(right), wrong)
        taken, found = against(project, truth)
        total = sum(map(len, truth.values()))
        results.append(Reviewed(least, len(rows), taken, total, found, pages(rows, right)))
    return results


def against(project: Any, truth: dict[int, list[Any]]) -> tuple[int, int]:
    """Return how many labels the hidden pictures have now, and how many of the objects they are."""
    wanted = json.dumps(list(truth))
    rows = project.db.execute(
        "SELECT id, image_id, class_id, x, y, w, h FROM v_annotations"
        " WHERE image_id IN (SELECT value FROM json_each(?)) ORDER BY score DESC, id",
        (wanted,),
    ).fetchall()
    return len(rows), len(right_ones(rows, truth))


def untouched(project: Any, truth: dict[int, list[Any]], least: float) -> tuple[float, float]:
    """Return precision and recall of all suggestions from `least` on, taken as they are."""
    rows = project.db.execute(
        "SELECT * FROM v_suggestions WHERE state = 'open' AND score >= ? ORDER BY score DESC, id",
        (least,),
    ).fetchall()
    right = len(right_ones(rows, truth))
    total = sum(map(len, truth.values()))
    return right / max(1, len(rows)), right / total


@contextlib.contextmanager
def place() -> Iterator[Path]:
    """A workspace that goes again, unless BATMAN_BENCHMARK_KEEP names one."""
    if kept := os.environ.get("BATMAN_BENCHMARK_KEEP"):
        yield Path(kept)
        return
    folder = Path(tempfile.mkdtemp(prefix="label-review-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Run it and print the figures."""
    from core.data.store import Project

    seconds, epochs, size = (*sys.argv[1:], *("640", "60", "128")[len(sys.argv) - 1 :])
    with place() as workspace:
        batman(
            "import", "coco-dir", str(data()), "--project", NAME, "--create", workspace=workspace
        )
        path = workspace / "data/projects" / NAME
        with Project.open(path) as project:
            hidden, truth = hide(project)
        began = time.monotonic()
        words = ("--model", "tiny", "--epochs", epochs, "--image-size", size, "--batch-size", "2",
                 "--patience", "0", "--device", "cpu", "--lr", "5e-4", "--lr-encoder", "5e-4",
                 "--only-reviewed",
                 "--no-tensorboard", "--val-images", "0", "--plain")  # fmt: skip
        batman("train", "--project", NAME, *words, workspace=workspace, limit=float(seconds))
        took = time.monotonic() - began
        standing = json.loads(batman("loop", "--project", NAME, "--json", workspace=workspace))
        round_ = standing["rounds"][-1]
        print(f"{round_['run']}: {round_['train']} pictures of train, {took:.0f} s on the CPU,"
              f" mAP50-95 {round_['map50_95']:.3f}, mAP50 {round_['map50']:.3f}")  # fmt: skip
        batman("autolabel", "--project", NAME, "--with", f"run:{round_['run']}", "--images",
               "is:unreviewed", "--yes", workspace=workspace)  # fmt: skip
        with Project.open(path) as project:
            before = {least: untouched(project, truth, least) for least in LEAST}
            results = review(project, truth)
            for image in hidden:
                assert image in truth
        if not results:
            raise SystemExit("The model proposed nothing from 0.1 on: give it more time.")
        print(f"\n{HIDDEN} pictures, {results[0].truth} objects hidden")
        print(
            "least  shown  taken  precision  recall  keys  keys a box | unreviewed: prec.  recall"
        )
        worse = False
        for r in results:
            precision, recall = r.found / max(1, r.taken), r.found / r.truth
            a_box = r.keys / max(1, r.taken)
            worse |= precision < 0.99 or a_box > DRAWN
            plain = before[r.least]
            print(
                f"{r.least:5.1f} {r.shown:6d} {r.taken:6d} {precision:10.3f} {recall:7.3f}"
                f" {r.keys:5d} {a_box:11.2f} | {plain[0]:17.3f} {plain[1]:7.3f}"
            )
        print("\n" + batman("labels", "scores", "--project", NAME, workspace=workspace))
        print(batman("labels", "compare", "--project", NAME, "--limit", "3", workspace=workspace))
    return int(worse)


if __name__ == "__main__":
    sys.exit(main())
