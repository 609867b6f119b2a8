"""What the balance of an import costs: 100,000 files with and without it, in processor time.

    python benchmarks/import_balance.py [REPEATS] [FILES]

Makes a YOLO set of FILES / 2 pictures with a label file each, and a COCO set of FILES pictures with
three boxes each, and imports both with the files left in place: as they are, and with readers that
note no more than which files they used, and no balance. Medians of REPEATS (5), taken in turns,
each in a process of its own. Exits with 1 when a limit is broken.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

# How much of an import's processor time the balance may add.
LIMITS = {"yolo": 0.15, "coco": 0.25}


def make(folder: Path, files: int) -> None:
    """Write both sets; the pictures are all the same."""
    from PIL import Image

    folder.mkdir(exist_ok=True)
    picture = BytesIO()
    Image.new("RGB", (64, 48), (90, 80, 70)).save(picture, "PNG")
    yolo, coco = folder / "yolo", folder / "coco"
    for path in (yolo / "images", yolo / "labels", coco):
        path.mkdir(parents=True)
    for number in range(files // 2):
        (yolo / f"images/{number:06}.png").write_bytes(picture.getvalue())
        (yolo / f"labels/{number:06}.txt").write_text("0 .5 .5 .2 .2\n1 .3 .3 .1 .1\n")
    (yolo / "data.yaml").write_text("train: images\nnames: [car, dog]\n")
    for number in range(files):
        (coco / f"{number:06}.png").write_bytes(picture.getvalue())
    document = {
        "images": [
            {"id": n, "file_name": f"{n:06}.png", "width": 64, "height": 48} for n in range(files)
        ],
        "categories": [{"id": 1, "name": "car"}],
        "annotations": [
            {"id": 3 * n + k, "image_id": n, "category_id": 1, "bbox": [k, k, 9, 9]}
            for n in range(files)
            for k in range(3)
        ],
    }
    (coco / "_annotations.coco.json").write_text(json.dumps(document))


def one(kind: str, folder: Path, weighed: bool) -> float:
    """Import once; return the processor seconds, ours and the system's."""
    from core.data import importers
    from core.data.importers import import_folder
    from core.data.importers.balance import Balance
    from core.data.store import Project

    call = {"yolo": importers.import_yolo, "coco": importers.import_coco}[kind]
    with tempfile.TemporaryDirectory() as place, Project.create(Path(place) / "p") as project:
        began = time.process_time()
        if weighed:
            call(project, folder / kind, files="reference")
        else:
            # A reader of YOLO looks again at each label file of which it has not noted the use.
            nothing = {
                name: lambda *_, **__: None
                for name in ("leave", "miss", "line", "split", "found", "root", "describe")
            }
            with (
                patch.object(import_folder, "weigh", lambda *_, **__: None),
                patch.multiple(Balance, **nothing),
            ):
                call(project, folder / kind, files="reference")
        return time.process_time() - began


def main() -> int:
    """Measure, print, and return the exit status."""
    if sys.argv[1:2] == ["--one"]:
        kind, folder, weighed = sys.argv[2:]
        print(one(kind, Path(folder), weighed == "with"))
        return 0
    repeats, files = (int(word) for word in (*sys.argv[1:], *("5", "100000")[len(sys.argv) - 1 :]))
    broken = 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make(folder, files)
        for kind, limit in LIMITS.items():
            times: dict[str, list[float]] = {"without": [], "with": []}
            for _ in range(repeats):
                for how, found in times.items():
                    words = [sys.executable, __file__, "--one", kind, str(folder), how]
                    found.append(float(subprocess.check_output(words, text=True)))
            without, weighed = (statistics.median(found) for found in times.values())
            more = weighed / without - 1
            print(
                f"{kind}: {without:.2f} s without, {weighed:.2f} s with the balance: +{more:.1%}"
                f" (limit +{limit:.0%})"
            )
            broken += more > limit
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
