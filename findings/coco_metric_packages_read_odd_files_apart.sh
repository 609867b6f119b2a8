#!/usr/bin/env bash
# pycocotools 2.0.11, faster-coco-eval 1.8.0, hotcoco 1.3.0, ultrafast-pycocotools 0.1.14 and vernier 0.5.4 (PyPI), Python 3.11.
#
# Five packages that measure COCO's metrics, each named as taking the place of pycocotools, and three kinds of files that
# occur: Roboflow's exports number annotations from 0, hand-made files leave out `area`, those of segmentation tools leave
# out `bbox`. Six objects of 40 by 40 pixels (medium, in COCO's terms), each predicted exactly, so that AP is 1.
#
# Seen, AP and AP of small and of medium objects (-1: there are none):
# - annotations from 0: pycocotools and faster-coco-eval count the first as not found (AP 0.782), the others do not;
# - no `area`: pycocotools and vernier refuse the file; to faster-coco-eval the objects are small, to hotcoco and
#   ultrafast-pycocotools medium;
# - no `bbox`, but outlines: pycocotools, faster-coco-eval and vernier refuse the file; hotcoco and ultrafast-pycocotools
#   answer with an AP of 0.
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
from pathlib import Path

PACKAGES = {
    "pycocotools": ("pycocotools.coco", "pycocotools.cocoeval", "COCOeval"),
    "faster-coco-eval": ("faster_coco_eval", "faster_coco_eval", "COCOeval_faster"),
    "hotcoco": ("hotcoco", "hotcoco", "COCOeval"),
    "ultrafast-pycocotools": ("ultrafast_pycocotools", "ultrafast_pycocotools", "COCOeval"),
    "vernier": ("pycocotools.coco", "vernier", "COCOeval"),
}
os.chdir(sys.argv[1])
objects = [
    {"id": i + 1, "image_id": 1 + i % 2, "category_id": 1 + i // 2 % 2, "bbox": [20 * i, 10, 40, 40],
     "area": 1600, "iscrowd": 0}
    for i in range(6)
]
whole = {
    "info": {},
    "images": [{"id": i, "width": 200, "height": 200, "file_name": f"{i}.jpg"} for i in (1, 2)],
    "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    "annotations": objects,
}
found = [
    {"image_id": o["image_id"], "category_id": o["category_id"], "bbox": o["bbox"], "score": 0.9 - 0.1 * i}
    for i, o in enumerate(objects)
]


def from_zero(annotation):
    annotation["id"] -= 1


def no_area(annotation):
    del annotation["area"]


def no_box(annotation):
    x, y, width, height = annotation.pop("bbox")
    annotation["segmentation"] = [[x, y, x + width, y, x + width, y + height, x, y + height]]


for name, (data, measure, measured) in PACKAGES.items():
    reader = importlib.import_module(data).COCO
    evaluator = getattr(importlib.import_module(measure), measured)
    for change in (None, from_zero, no_area, no_box):
        truth = copy.deepcopy(whole)
        for annotation in truth["annotations"] if change else ():
            change(annotation)
        Path("truth.json").write_text(json.dumps(truth))
        Path("found.json").write_text(json.dumps(found))
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                truth = reader("truth.json")
                # vernier takes what pycocotools read, but not the arrays that it makes of a file of results.
                result = truth.loadRes(copy.deepcopy(found) if name == "vernier" else "found.json")
                counted = evaluator(truth, result, "bbox")
                counted.evaluate()
                counted.accumulate()
                counted.summarize()
            answer = " ".join(f"{float(counted.stats[i]):.3f}" for i in (0, 3, 4))
        except Exception as error:
            answer = type(error).__name__
        print(name, change.__name__ if change else "whole", answer)
PY
"$folder/env/bin/python" "$folder/measure.py" "$folder" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN' || { echo "changed: the packages read these files otherwise"; exit 1; }
pycocotools whole 1.000 -1.000 1.000
pycocotools from_zero 0.782 -1.000 0.782
pycocotools no_area KeyError
pycocotools no_box KeyError
faster-coco-eval whole 1.000 -1.000 1.000
faster-coco-eval from_zero 0.782 -1.000 0.782
faster-coco-eval no_area 1.000 1.000 -1.000
faster-coco-eval no_box KeyError
hotcoco whole 1.000 -1.000 1.000
hotcoco from_zero 1.000 -1.000 1.000
hotcoco no_area 1.000 -1.000 1.000
hotcoco no_box 0.000 -1.000 0.000
ultrafast-pycocotools whole 1.000 -1.000 1.000
ultrafast-pycocotools from_zero 1.000 -1.000 1.000
ultrafast-pycocotools no_area 1.000 -1.000 1.000
ultrafast-pycocotools no_box 0.000 -1.000 0.000
vernier whole 1.000 -1.000 1.000
vernier from_zero 1.000 -1.000 1.000
vernier no_area ValueError
vernier no_box ValueError
SEEN
