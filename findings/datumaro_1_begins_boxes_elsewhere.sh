#!/usr/bin/env bash
# datumaro 1.13.12, supervision 0.31.2 and motmetrics 1.4.0 (PyPI), Python 3.11. Takes some 1 GB while this runs.
#
# Where datumaro lets a box begin, in three formats that say it otherwise:
# 1. `roboflow_create_ml` takes CreateML's x and y, a box's centre, for its upper left corner.
# 2. `voc` takes corners as they are written; the VOC devkit counts pixels from 1, and supervision takes 1 off
#    xmin and ymin. One file, two boxes, a pixel apart.
# 3. `mot_seq` takes corners as they are written; MOTChallenge counts from 1, and motmetrics takes 1 off. A
#    box of a whole picture reaches a pixel out of it.
# Nothing is said of any of them.
#
# Seen, left top right bottom, pictures of 64 by 48 pixels: CreateML's centre 20 12 with size 20 10 (10 7 30 17)
# is 20 12 40 22; the whole picture is 1 1 64 48 from VOC (supervision: 0 0 64 48) and 1 1 65 49 from MOT
# (motmetrics: 0 0 64 48).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet datumaro==1.13.12 supervision==0.31.2
python3 -m venv "$folder/mot"
"$folder/mot/bin/pip" install --quiet motmetrics==1.4.0
cat >"$folder/show.py" <<'PY'
import json
import sys
from pathlib import Path

import datumaro as dm
import supervision as sv
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


def show(name, folder, format):
    (item,) = dm.Dataset.import_from(str(root / folder), format)
    (box,) = item.annotations
    print(name, *(int(value) for value in box.points))


picture("createml/train/a.png")
box = {"label": "car", "coordinates": {"x": 20, "y": 12, "width": 20, "height": 10}}
put("createml/train/_annotations.createml.json", json.dumps([{"image": "a.png", "annotations": [box]}]))
show("createml datumaro", "createml", "roboflow_create_ml")

picture("voc/JPEGImages/a.jpg")
put("voc/ImageSets/Main/train.txt", "a\n")
put("voc/labelmap.txt", "background:0,0,0::\ncar:1,1,1::\n")
put(
    "voc/Annotations/a.xml",
    "<annotation><folder>voc</folder><filename>a.jpg</filename><size><width>64</width><height>48</height>"
    "<depth>3</depth></size><segmented>0</segmented><object><name>car</name><pose>Unspecified</pose>"
    "<truncated>0</truncated><difficult>0</difficult><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>64</xmax>"
    "<ymax>48</ymax></bndbox></object></annotation>",
)
show("voc datumaro", "voc", "voc")
read = sv.DetectionDataset.from_pascal_voc(str(root / "voc/JPEGImages"), str(root / "voc/Annotations"))
for _, _, found in read:
    print("voc supervision", *(int(value) for value in found.xyxy[0]))

picture("mot/img1/000001.png")
put("mot/gt/gt.txt", "1,1,1,1,64,48,1,1,1\n")
show("mot datumaro", "mot", "mot_seq")
PY
"$folder/env/bin/python" "$folder/show.py" "$folder/sets" | tee "$folder/seen"
"$folder/mot/bin/python" - "$folder/sets/mot/gt/gt.txt" <<'PY' | tee -a "$folder/seen"
import sys

import motmetrics

row = motmetrics.io.loadtxt(sys.argv[1], fmt="mot15-2D").iloc[0]
print("mot motmetrics", *(int(value) for value in (row.X, row.Y, row.X + row.Width, row.Y + row.Height)))
PY
diff "$folder/seen" - <<'SEEN' || { echo "changed: boxes begin elsewhere"; exit 1; }
createml datumaro 20 12 40 22
voc datumaro 1 1 64 48
voc supervision 0 0 64 48
mot datumaro 1 1 65 49
mot motmetrics 0 0 64 48
SEEN
