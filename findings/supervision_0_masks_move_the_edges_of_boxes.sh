#!/usr/bin/env bash
# supervision 0.31.2 and opencv-python-headless 5.0.0.93 (PyPI), Python 3.11.
#
# One object of 20 by 10 pixels at 10, 10, read from COCO with `force_masks=True`, written as COCO, YOLO and Pascal VOC by
# supervision and read back by it. Its segmentation is either a mask (RLE, 200 pixels) or an outline of the same corners.
#
# Seen, left top right bottom: of the mask, YOLO gives 10 10 29 19 (a pixel less on the right and below, while the mask
# keeps its 200 pixels), COCO and VOC give 10 10 30 20. Of the outline, whose mask has 231 pixels, VOC gives 10 10 31 21,
# COCO and YOLO 10 10 30 20. The boxes are the same when they are read without masks.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet supervision==0.31.2 opencv-python-headless==5.0.0.93
cat >"$folder/show.py" <<'PY'
import json
import sys
import warnings
from pathlib import Path

import supervision as sv
from PIL import Image

warnings.simplefilter("ignore")
root = Path(sys.argv[1])
(root / "images").mkdir()
Image.new("RGB", (64, 48)).save(root / "images" / "a.png")
left, top, width, height = 10, 10, 20, 10
right, bottom = left + width, top + height
# Down the columns, as COCO counts: what is before the object, then its columns and what is between them.
counts = [left * 48 + top, *[height, 48 - height] * width]
counts[-1] = 64 * 48 - sum(counts[:-1])
kinds = {
    "mask": {"size": [48, 64], "counts": counts},
    "outline": [[left, top, right, top, right, bottom, left, bottom]],
}


def show(kind, format, dataset):
    _, _, found = next(iter(dataset))
    pixels = int(found.mask.sum())
    print(kind, format, *(round(float(value)) for value in found.xyxy[0]), pixels)


for kind, segmentation in kinds.items():
    annotation = {
        "id": 1, "image_id": 1, "category_id": 1, "bbox": [left, top, width, height], "area": width * height,
        "iscrowd": int(kind == "mask"), "segmentation": segmentation,
    }
    content = {
        "images": [{"id": 1, "width": 64, "height": 48, "file_name": "a.png"}],
        "categories": [{"id": 1, "name": "dog"}],
        "annotations": [annotation],
    }
    (root / "set.json").write_text(json.dumps(content))
    dataset = sv.DetectionDataset.from_coco(str(root / "images"), str(root / "set.json"), force_masks=True)
    show(kind, "read", dataset)
    images, labels, names = (str(root / kind / name) for name in ("images", "labels", "names.yaml"))
    read = {}
    dataset.as_coco(images, labels + ".json")
    read["coco"] = sv.DetectionDataset.from_coco, (images, labels + ".json")
    dataset.as_yolo(images, labels + "-yolo", names)
    read["yolo"] = sv.DetectionDataset.from_yolo, (images, labels + "-yolo", names)
    dataset.as_pascal_voc(images, labels + "-voc")
    read["voc"] = sv.DetectionDataset.from_pascal_voc, (images, labels + "-voc")
    for format, (reader, files) in read.items():
        for masks in (True, False):
            show(kind, format, reader(*files, force_masks=masks))
PY
"$folder/env/bin/python" "$folder/show.py" "$folder" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN' || { echo "changed: masks move boxes otherwise"; exit 1; }
mask read 10 10 30 20 200
mask coco 10 10 30 20 200
mask coco 10 10 30 20 200
mask yolo 10 10 29 19 200
mask yolo 10 10 29 19 200
mask voc 10 10 30 20 200
mask voc 10 10 30 20 200
outline read 10 10 30 20 231
outline coco 10 10 30 20 231
outline coco 10 10 30 20 231
outline yolo 10 10 30 20 231
outline yolo 10 10 30 20 231
outline voc 10 10 31 21 231
outline voc 10 10 31 21 231
SEEN
