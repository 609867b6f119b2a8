#!/usr/bin/env bash
# labelformat 0.1.17, pycocotools 2.0.11, faster-coco-eval 1.8.0, ultrafast-pycocotools 0.1.14, hotcoco 1.3.0 and
# supervision 0.31.2 (PyPI), Python 3.11.
#
# A COCO file of two objects, converted by labelformat to COCO again: annotations keep `image_id`, `category_id` and `bbox`,
# and lose `id`, `area` and `iscrowd`.
#
# Seen: pycocotools, faster-coco-eval and ultrafast-pycocotools end with KeyError: 'id' while they read it; hotcoco takes
# both for annotation 0, so that one of two is found by its id; supervision reads both boxes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet labelformat==0.1.17 pycocotools==2.0.11 faster-coco-eval==1.8.0 \
  ultrafast-pycocotools==0.1.14 hotcoco==1.3.0 supervision==0.31.2 opencv-python-headless==5.0.0.93
cat >"$folder/whole.json" <<'JSON'
{"images": [{"id": 1, "file_name": "a.png", "width": 200, "height": 100}],
 "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}],
 "annotations": [
  {"id": 1, "image_id": 1, "category_id": 1, "bbox": [90, 10, 20, 20], "area": 400, "iscrowd": 0},
  {"id": 2, "image_id": 1, "category_id": 2, "bbox": [10, 10, 50, 50], "area": 2500, "iscrowd": 1}]}
JSON
"$folder/env/bin/labelformat" convert --task object-detection --input-format coco --input-file "$folder/whole.json" \
  --output-format coco --output-file "$folder/again.json" >/dev/null 2>&1
cat >"$folder/read.py" <<'PY'
import contextlib
import importlib
import io
import json
import sys
from pathlib import Path

from PIL import Image

root = Path(sys.argv[1])
for each in json.loads((root / "again.json").read_text())["annotations"]:
    print("written", *each)
for name, module in {
    "pycocotools": "pycocotools.coco", "faster-coco-eval": "faster_coco_eval",
    "ultrafast-pycocotools": "ultrafast_pycocotools", "hotcoco": "hotcoco",
}.items():
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            read = importlib.import_module(module).COCO(str(root / "again.json"))
        print(name, len(read.anns))
    except Exception as error:
        print(name, repr(error))
import supervision as sv

Image.new("RGB", (200, 100)).save(root / "a.png")
_, _, found = next(iter(sv.DetectionDataset.from_coco(str(root), str(root / "again.json"))))
print("supervision", len(found))
PY
"$folder/env/bin/python" "$folder/read.py" "$folder" 2>/dev/null | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN' || { echo "changed: labelformat's COCO is written or read otherwise"; exit 1; }
written image_id category_id bbox
written image_id category_id bbox
pycocotools KeyError('id')
faster-coco-eval KeyError('id')
ultrafast-pycocotools KeyError('id')
hotcoco 1
supervision 2
SEEN
