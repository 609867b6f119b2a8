#!/usr/bin/env bash
# datumaro 1.13.12 (PyPI), Python 3.11. Its environment takes some 600 MB while this runs.
#
# Three things are lost with no error and no warning:
# 1. `roboflow_yolo` reads no picture whose label file is empty or missing: those that show nothing.
# 2. `cvat` (images 1.1) reads no <ellipse>, and its picture keeps its other shapes.
# 3. `yolo` and `yolo_ultralytics` write no box that is turned (RotatedBbox), and its picture keeps the others.
# A fourth is changed: `coco_instances` writes `iscrowd` 0 for a crowd (1) that is a box without a mask,
# so that a region to pass over becomes an object.
#
# Seen: of pictures a (a box), b (empty file), c (no file) only a; of a box and an ellipse the box; of two
# boxes, one turned, one line; a crowd is read as one and written as none.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet datumaro==1.13.12
cat >"$folder/show.py" <<'PY'
import json
import sys
from pathlib import Path

import datumaro as dm
from datumaro.components.annotation import Bbox, RotatedBbox
from PIL import Image

root = Path(sys.argv[1])


def put(path, text):
    path = root / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def picture(path):
    path = root / path
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 48)).save(path)
    return str(path)


for name in "abc":
    picture(f"yolo/train/images/{name}.png")
put("yolo/train/labels/a.txt", "0 0.5 0.5 0.25 0.25\n")
put("yolo/train/labels/b.txt", "")
put("yolo/data.yaml", "train: ../train/images\nval: ../valid/images\nnc: 1\nnames: ['car']\n")
read = dm.Dataset.import_from(str(root / "yolo"), "roboflow_yolo")
print("roboflow_yolo:", *sorted(item.id for item in read))

picture("cvat/images/a.png")
put(
    "cvat/default.xml",
    """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
<meta><task><labels><label><name>car</name><attributes></attributes></label></labels></task></meta>
<image id="0" name="a.png" width="64" height="48">
<box label="car" source="manual" occluded="0" xtl="1.0" ytl="2.0" xbr="11.0" ybr="12.0" z_order="0"></box>
<ellipse label="car" source="manual" occluded="0" cx="30.0" cy="20.0" rx="8.0" ry="5.0" z_order="0"></ellipse>
</image></annotations>""",
)
(item,) = dm.Dataset.import_from(str(root / "cvat"), "cvat")
print("cvat:", *(shape.type.name for shape in item.annotations))

boxes = [Bbox(1, 2, 10, 10, label=0), RotatedBbox(30, 20, 16, 10, 30, label=0)]
media = dm.Image.from_file(path=picture("a.png"))
items = [dm.DatasetItem("a", subset="train", media=media, annotations=boxes)]
items += [dm.DatasetItem("b", subset="val", media=media, annotations=boxes[:1])]
for format in ("yolo", "yolo_ultralytics"):
    dm.Dataset.from_iterable(items, categories=["car"]).export(str(root / f"{format}-out"), format, save_media=True)
    (labels,) = (root / f"{format}-out").rglob("a.txt")
    print(f"{format}:", len(labels.read_text().splitlines()), "of", len(boxes))

picture("coco/images/train/a.png")
crowd = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 10, 10], "area": 100, "iscrowd": 1, "segmentation": []}
put(
    "coco/annotations/instances_train.json",
    json.dumps(
        {
            "images": [{"id": 1, "file_name": "a.png", "width": 64, "height": 48}],
            "categories": [{"id": 1, "name": "car", "supercategory": ""}],
            "annotations": [crowd],
        }
    ),
)
read = dm.Dataset.import_from(str(root / "coco"), "coco_instances")
(kept,) = (shape.attributes["is_crowd"] for item in read for shape in item.annotations)
read.export(str(root / "coco-out"), "coco_instances")
(written,) = json.loads((root / "coco-out/annotations/instances_train.json").read_text())["annotations"]
print("coco_instances: read", kept, "written", written["iscrowd"])
PY
"$folder/env/bin/python" "$folder/show.py" "$folder/sets" >"$folder/seen" 2>"$folder/said" ||
  { cat "$folder/said"; exit 1; }
cat "$folder/seen" "$folder/said"
grep -qiE 'warn|error|skip|ellipse|rotated|crowd' "$folder/said" && { echo "changed: something is said"; exit 1; }
diff "$folder/seen" - <<'SEEN' || { echo "changed: more or less is lost"; exit 1; }
roboflow_yolo: a
cvat: bbox
yolo: 1 of 2
yolo_ultralytics: 1 of 2
coco_instances: read True written 0
SEEN
