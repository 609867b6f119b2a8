"""MOTChallenge as CVAT and Datumaro read and write it: a folder for each video, with its tracks.

`SPLIT/VIDEO/gt/gt.txt` has a line for each box: frame (from 1), track, left, top, width, height (in
pixels from 0, as Datumaro at 4a218b8 `mot.py` and CVAT at 0040384 `formats/mot.py` have them), 1,
the class's place in `gt/labels.txt` from 1, and 1 for all of it to be seen. A box on no track has
the number -1. Frames are `img1/000001.jpg`, in the order of the video; pictures of no video are a
sequence of their own. Crowd regions are left out.
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from core.common.text import clean
from core.data.exporters.sequences import Sequences
from core.data.exporters.snapshot import ExportReport, Image, Snapshot
from core.data.exporters.writing import Kept, Labelled, decimal, export_labels
from core.data.store import Project

_KEEPS: tuple[Kept, ...] = ("track",)


def export_mot(project: Project, out: Path, **options: Any) -> ExportReport:
    """Write the project as MOTChallenge sequences to the new folder `out`.

    `options` and errors are those of `core.data.exporters.writing.export_labels`.
    """
    sequences = Sequences("img1/{:06d}", 1)
    write = partial(_write, sequences)
    return export_labels(write, project, out, place=sequences.place, keeps=_KEEPS, **options)


def _write(sequences: Sequences, snapshot: Snapshot, folder: Path, labelled: Labelled) -> None:
    """Write ground truth, classes and what is known of each sequence."""
    made = labelled.made
    lines: dict[str, list[tuple[int, str]]] = defaultdict(list)
    alone = 0
    for image, rows in snapshot.by_image():
        frame = sequences.frames[image.id]
        for row_id, _, number, x, y, w, h, _, _ in labelled.boxes(rows):
            track = made[row_id].track if row_id in made else None
            alone += track is None
            sides = ",".join(map(decimal, (x, y, w, h)))
            line = f"{frame.number},{track or -1},{sides},1,{number + 1},1\n"
            lines[frame.folder].append((frame.number, line))
    names = "".join(f"{' '.join(clean(name).split())}\n" for name in snapshot.classes)
    for name, sequence in sequences.of.items():
        truth = folder / name / "gt"
        truth.mkdir(parents=True)
        text = "".join(line for _, line in sorted(lines[name], key=lambda item: item[0]))
        (truth / "gt.txt").write_text(text, encoding="utf-8")
        (truth / "labels.txt").write_text(names, encoding="utf-8")
        about = _about(name, sequence.images)
        (folder / name / "seqinfo.ini").write_text(about, encoding="utf-8")
    labelled.lost("tracks of boxes that are on none (written as -1)", alone)


def _about(name: str, images: list[Image]) -> str:
    """Return `seqinfo.ini`; the rate is that of the pictures, where their times tell."""
    times = [image.time for image in images if image.time is not None]
    steps = [after - before for before, after in pairwise(times) if after > before]
    rate = f"frameRate={decimal(round(1 / median(steps), 6))}\n" if steps else ""
    first = images[0]
    return (
        f"[Sequence]\nname={name.rpartition('/')[2]}\nimDir=img1\n{rate}seqLength={len(images)}\n"
        f"imWidth={first.width}\nimHeight={first.height}\nimExt={Path(first.name).suffix}\n"
    )
