#!/usr/bin/env bash
# pycocotools 2.0.11, faster-coco-eval 1.8.0, hotcoco 1.3.0, ultrafast-pycocotools 0.1.14 and vernier 0.5.4 (PyPI), Python 3.11.
#
# `useCats = 0` asks COCO's metrics whether something is found, of whatever class. Two questions:
# - keypoints: one person, predicted exactly. AP is 1 with the class. Without it pycocotools and vernier match nothing
#   and say 0.0, hotcoco and ultrafast-pycocotools say 1.0, and faster-coco-eval raises RuntimeError.
# - boxes: an object of the first class; two predictions of the same score, first in the list the one that fits, of
#   the second class. vernier takes equal scores in the order of the list (1.0), the others by class first (0.5).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet numpy==2.4.6 pyarrow==26.0.1 pycocotools==2.0.11 faster-coco-eval==1.8.0 \
  hotcoco==1.3.0 ultrafast-pycocotools==0.1.14 vernier==0.5.4
cat >"$folder/measure.py" <<'PY'
import contextlib
import copy
import importlib
import io
import json
import os
import sys
import warnings
from pathlib import Path

PACKAGES = {
    "pycocotools": ("pycocotools.coco", "pycocotools.cocoeval", "COCOeval"),
    "faster-coco-eval": ("faster_coco_eval", "faster_coco_eval", "COCOeval_faster"),
    "hotcoco": ("hotcoco", "hotcoco", "COCOeval"),
    "ultrafast-pycocotools": ("ultrafast_pycocotools", "ultrafast_pycocotools", "COCOeval"),
    "vernier": ("pycocotools.coco", "vernier", "COCOeval"),
}
warnings.simplefilter("ignore")  # hotcoco says that no leaderboard counts so
os.chdir(sys.argv[1])
images = [{"id": 1, "width": 200, "height": 200, "file_name": "1.jpg"}]
points = [value for i in range(17) for value in (10 + 5 * i, 20 + 3 * i, 2)]
person = {
    "info": {},
    "images": images,
    "categories": [{"id": 1, "name": "person", "keypoints": [str(i) for i in range(17)], "skeleton": []}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [5, 15, 90, 60], "area": 5400, "iscrowd": 0,
         "keypoints": points, "num_keypoints": 17}
    ],
}
seen_person = [{"image_id": 1, "category_id": 1, "keypoints": points, "score": 0.9}]
animal = {
    "info": {},
    "images": images,
    "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 40, 40], "area": 1600, "iscrowd": 0}
    ],
}
seen_animals = [
    {"image_id": 1, "category_id": 2, "bbox": [0, 0, 40, 40], "score": 0.5},
    {"image_id": 1, "category_id": 1, "bbox": [100, 100, 40, 40], "score": 0.5},
]
for name, (data, measure, measured) in PACKAGES.items():
    reader = importlib.import_module(data).COCO
    evaluator = getattr(importlib.import_module(measure), measured)
    for kind, content, found in (("keypoints", person, seen_person), ("bbox", animal, seen_animals)):
        answers = []
        for classes in (1, 0):
            Path("truth.json").write_text(json.dumps(content))
            Path("found.json").write_text(json.dumps(found))
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    truth = reader("truth.json")
                    # vernier takes what pycocotools read, but not the arrays that it makes of a file of results.
                    result = truth.loadRes(copy.deepcopy(found) if name == "vernier" else "found.json")
                    counted = evaluator(truth, result, kind)
                    counted.params.useCats = classes
                    counted.evaluate()
                    counted.accumulate()
                    counted.summarize()
                answers.append(f"{float(counted.stats[0]):.3f}")
            except Exception as error:
                answers.append(type(error).__name__)
        print(name, kind, *answers)
PY
"$folder/env/bin/python" "$folder/measure.py" "$folder" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN' || { echo "changed: the packages answer otherwise without classes"; exit 1; }
pycocotools keypoints 1.000 0.000
pycocotools bbox 0.000 0.500
faster-coco-eval keypoints 1.000 RuntimeError
faster-coco-eval bbox 0.000 0.500
hotcoco keypoints 1.000 1.000
hotcoco bbox 0.000 0.500
ultrafast-pycocotools keypoints 1.000 1.000
ultrafast-pycocotools bbox 0.000 0.500
vernier keypoints 1.000 0.000
vernier bbox 0.000 1.000
SEEN
