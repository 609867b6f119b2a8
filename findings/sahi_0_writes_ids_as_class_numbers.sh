#!/usr/bin/env bash
# sahi 0.12.8 (PyPI), Python 3.11.
#
# A COCO file of two classes, dog with the id 1 and cat with the id 2 as COCO itself counts, a dog, a cat and a crowd of
# dogs, read by `Coco.from_coco_dict_or_path`.
# 1. `export_as_yolo` writes the ids as class numbers, but the names as a list: class 1 is the list's second name, so the
#    dogs are cats, and class 2 is none.
# 2. Read, sliced (`slice_coco`) or written again, the crowd is an ordinary object (`iscrowd` 0).
#
# Seen: names [dog, cat], and lines of the classes 1, 2 and 1; `iscrowd` 0 0 0 in both files. Nothing is said of either.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet sahi==0.12.8 opencv-python-headless==5.0.0.93
cat >"$folder/show.py" <<'PY'
import json
import sys
from pathlib import Path

from PIL import Image
from sahi.slicing import slice_coco
from sahi.utils.coco import Coco

root = Path(sys.argv[1])
(root / "images").mkdir()
Image.new("RGB", (200, 100)).save(root / "images" / "a.png")
boxes = [(1, [10, 10, 40, 20], 0), (2, [70, 10, 20, 20], 0), (1, [110, 20, 80, 70], 1)]
content = {
    "images": [{"id": 1, "width": 200, "height": 100, "file_name": "a.png"}],
    "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}],
    "annotations": [
        {"id": number, "image_id": 1, "category_id": category, "bbox": box, "area": box[2] * box[3], "iscrowd": crowd}
        for number, (category, box, crowd) in enumerate(boxes, 1)
    ],
}
file = root / "set.json"
file.write_text(json.dumps(content))
whole = Coco.from_coco_dict_or_path(str(file), image_dir=str(root / "images"))
whole.export_as_yolo(output_dir=str(root / "yolo"), train_split_rate=1.0)
names = (root / "yolo" / "data.yml").read_text().splitlines()
print(*(line for line in names if line.startswith("names")))
print("classes", *(line.split()[0] for line in (root / "yolo" / "train" / "a.txt").read_text().splitlines()))
print("written", *(each["iscrowd"] for each in whole.json["annotations"]))
sliced, _ = slice_coco(
    coco_annotation_file_path=str(file), image_dir=str(root / "images"), output_coco_annotation_file_name="sliced",
    output_dir=str(root / "sliced"), slice_height=100, slice_width=100, overlap_height_ratio=0,
    overlap_width_ratio=0,
)
print("sliced", *(each["iscrowd"] for each in sliced["annotations"]))
PY
"$folder/env/bin/python" "$folder/show.py" "$folder" 2>/dev/null | grep -v INFO | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN' || { echo "changed: sahi writes class numbers or crowds otherwise"; exit 1; }
names: [dog, cat]
classes 1 2 1
written 0 0 0
sliced 0 0 0
SEEN
