"""One small data set of each format of text, CSV and records, as its tools write it.

Every set has the pictures `a` (64 × 48) and `b`, and the box x 4, y 6, 20 × 12 on `a`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from import_data import png, put, put_coco, put_voc, put_yolo, voc_xml

BOX = (4, 6, 20, 12)


def put_tensorflow(folder: Path, header: str = "", *rows: str) -> Path:
    put(folder / "train" / "a.png")
    put(folder / "train" / "b.png")
    lines = [
        header or "filename,width,height,class,xmin,ymin,xmax,ymax",
        *(rows or ("a.png,64,48,car,4,6,24,18", "a.png,64,48,bus,0,0,64,48")),
    ]
    put(folder / "train" / "_annotations.csv", "\n".join(lines) + "\n")
    return folder


def put_retinanet(folder: Path) -> Path:
    put(folder / "images" / "a.png")
    put(folder / "images" / "b.png")
    put(folder / "train.csv", "images/a.png,4,6,24,18,car\nimages/b.png,,,,,\n")
    put(folder / "classes.csv", "car,0\nbus,1\n")
    return folder


def put_wheat(folder: Path) -> Path:
    put(folder / "train" / "a.png")
    put(folder / "train" / "b.png")
    rows = 'image_id,width,height,bbox,source\na,64,48,"[4.0, 6.0, 20.0, 12.0]",usask_1\n'
    put(folder / "train.csv", rows)
    return folder


OPEN_IMAGES = (
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,"
    "IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside\n"
)


def put_open_images(folder: Path, *rows: str) -> Path:
    put(folder / "train" / "a.png")
    put(folder / "train" / "b.png")
    text = "".join(rows or ("a,xclick,/m/0k4j,1,0.0625,0.375,0.125,0.375,1,0,0,0,-1\n",))
    put(folder / "train-annotations-bbox.csv", OPEN_IMAGES + text)
    put(folder / "class-descriptions-boxable.csv", "/m/0k4j,Car\n/m/01g317,Person\n")
    return folder


def put_fiftyone_open_images(folder: Path) -> Path:
    put(folder / "train" / "data" / "a.png")
    put(folder / "train" / "data" / "b.png")
    row = "a,xclick,/m/0k4j,1,0.0625,0.375,0.125,0.375,1,0,0,0,-1\n"
    put(folder / "train" / "labels" / "detections.csv", OPEN_IMAGES + row)
    put(folder / "train" / "metadata" / "classes.csv", "/m/0k4j,Car\n")
    return folder


def put_oidv4(folder: Path) -> Path:
    place = folder / "Dataset" / "train" / "Car"
    put(place / "a.png")
    put(place / "b.png")
    put(place / "Label" / "a.txt", "Car 4.0 6.0 24.0 18.0\n")
    put(place / "Label" / "b.txt", "Car 0.0 0.0 64.0 48.0\n")
    return folder


KITTI = "Car 0.00 0 -1.57 4.00 6.00 24.00 18.00 1.5 1.6 3.7 1.0 1.7 13.2 -1.6\n"
DONT_CARE = "DontCare -1 -1 -10 30.0 20.0 40.0 30.0 -1 -1 -1 -1000 -1000 -1000 -10\n"


def put_kitti(folder: Path, text: str = KITTI + DONT_CARE) -> Path:
    put(folder / "training" / "image_2" / "a.png")
    put(folder / "training" / "image_2" / "b.png")
    put(folder / "training" / "label_2" / "a.txt", text)
    put(folder / "testing" / "image_2" / "c.png")
    return folder


def put_mot(folder: Path, text: str = "1,1,5,7,20,12,1,1,0.8\n2,1,5,7,20,12,0,1,1\n") -> Path:
    place = folder / "train" / "MOT17-02"
    put(place / "img1" / "000001.jpg")
    put(place / "img1" / "000002.jpg")
    put(place / "gt" / "gt.txt", text)
    put(place / "det" / "det.txt", "1,-1,5,7,20,12,0.9,-1,-1,-1\n")
    put(place / "seqinfo.ini", "[Sequence]\nname=MOT17-02\nimDir=img1\nimWidth=64\nimHeight=48\n")
    return folder


def put_dota(folder: Path) -> Path:
    put(folder / "train" / "images" / "a.png")
    put(folder / "train" / "images" / "b.png")
    text = (
        "imagesource:GoogleEarth\ngsd:0.14\n4.0 6.0 24.0 6.0 24.0 18.0 4.0 18.0 large-vehicle 1\n"
    )
    put(folder / "train" / "labelTxt" / "a.txt", text)
    put(folder / "train" / "labelTxt" / "b.txt", "imagesource:GoogleEarth\ngsd:null\n")
    return folder


def put_wider(folder: Path, text: str = "") -> Path:
    images = folder / "WIDER_train" / "images" / "0--Parade"
    put(images / "a.png")
    put(images / "b.png")
    text = text or (
        "0--Parade/a.png\n2\n4 6 20 12 2 0 0 0 1 0 \n40 30 5 5 0 0 0 1 0 0 \n"
        "0--Parade/b.png\n0\n0 0 0 0 0 0 0 0 0 0 \n"
    )
    put(folder / "wider_face_split" / "wider_face_train_bbx_gt.txt", text)
    return folder


def put_visdrone(folder: Path) -> Path:
    place = folder / "VisDrone2019-DET-train"
    put(place / "images" / "a.png")
    put(place / "images" / "b.png")
    text = "4,6,20,12,1,4,0,1\n30,20,10,10,0,0,0,0\n1,1,5,5,0,11,0,0,\n"
    put(place / "annotations" / "a.txt", text)
    return folder


def put_bdd(folder: Path) -> Path:
    put(folder / "images" / "100k" / "train" / "a.png")
    put(folder / "images" / "100k" / "train" / "b.png")
    box = {"x1": 4.0, "y1": 6.0, "x2": 24.0, "y2": 18.0}
    value = [
        {
            "name": "a.png",
            "labels": [
                {"id": "0", "category": "car", "attributes": {"occluded": True}, "box2d": box},
                {"id": "1", "category": "lane", "poly2d": [{"vertices": [[0, 0], [9, 9]]}]},
            ],
        },
        {"name": "b.png", "labels": None},
    ]
    put(folder / "labels" / "det_20" / "det_train.json", json.dumps(value))
    return folder


def put_crowdhuman(folder: Path) -> Path:
    put(folder / "Images" / "273,a.png")
    put(folder / "Images" / "273,b.png")
    boxes = [
        {"fbox": [4, 6, 20, 12], "vbox": [4, 6, 20, 8], "hbox": [8, 6, 4, 4], "tag": "person"},
        {"fbox": [30, 20, 10, 10], "tag": "mask", "extra": {"ignore": 1}},
    ]
    lines = [{"ID": "273,a", "gtboxes": boxes}, {"ID": "273,b", "gtboxes": []}]
    put(folder / "annotation_train.odgt", "".join(json.dumps(line) + "\n" for line in lines))
    return folder


def put_azure_lines(folder: Path) -> Path:
    put(folder / "images" / "a.png")
    put(folder / "images" / "b.png")
    corners = {"topX": 0.0625, "topY": 0.125, "bottomX": 0.375, "bottomY": 0.375}
    store = "azureml://subscriptions/s/resourcegroups/g/workspaces/w/datastores/d/paths/set"
    lines = [
        {
            "image_url": f"{store}/images/a.png",
            "image_details": {"format": "png", "width": "64px", "height": "48px"},
            "label": [{"label": "car", **corners, "isCrowd": 0}],
        },
        {"image_url": "AmlDatastore://images/b.png", "label": []},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    put(folder / "train_annotations.jsonl", text)
    return folder


def put_azure_coco(folder: Path) -> Path:
    put(folder / "a.png")
    put(folder / "b.png")
    value = {
        "images": [
            {"id": number, "width": 64, "height": 48, "file_name": f"set/{name}.png",
             "coco_url": f"AmlDatastore://set/{name}.png"}
            for number, name in enumerate("ab", 1)
        ],
        "annotations": [
            {"id": 1, "category_id": 1, "image_id": 1, "bbox": [0.0625, 0.125, 0.3125, 0.25]}
        ],
        "categories": [{"id": 1, "name": "car"}],
    }  # fmt: skip
    put(folder / "export.json", json.dumps(value))
    return folder


def put_paligemma(folder: Path) -> Path:
    put(folder / "a.png")
    put(folder / "b.png")
    lines = [
        {"image": "a.png", "prefix": "detect car ; bus",
         "suffix": "<loc0128><loc0064><loc0384><loc0384> car"},
        {"image": "b.png", "prefix": "detect car ; bus", "suffix": ""},
    ]  # fmt: skip
    text = "".join(json.dumps(line) + "\n" for line in lines)
    put(folder / "_annotations.train.jsonl", text)
    return folder


def put_florence(folder: Path) -> Path:
    put(folder / "a.png")
    put(folder / "b.png")
    suffix = "car<loc_62><loc_125><loc_375><loc_375>"
    lines = [{"image": "a.png", "prefix": "<OD>", "suffix": suffix}]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    put(folder / "_annotations.valid.jsonl", text)
    return folder


def put_voc_beside(folder: Path) -> Path:
    put(folder / "a.png")
    put(folder / "a.xml", voc_xml("a.png", ("car", 2, 3, 11, 14)))
    return folder


def put_plain_yolo(folder: Path) -> Path:
    for name in "ab":
        put(folder / "images" / f"{name}.png", png())
        put(folder / "labels" / f"{name}.txt", "0 0.5 0.5 0.25 0.25\n1 0.1 0.2 0.3 0.1 0.2 0.2\n")
    put(folder / "classes.txt", "car\nbus\n")
    return folder


# The word of the command line for each sample.
SAMPLES: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "TensorFlow CSV": ("csv", put_tensorflow),
    "RetinaNet CSV": ("csv", put_retinanet),
    "Kaggle CSV": ("csv", put_wheat),
    "Open Images": ("open-images", put_open_images),
    "Open Images of FiftyOne": ("open-images", put_fiftyone_open_images),
    "Open Images of the OIDv4 toolkit": ("open-images", put_oidv4),
    "KITTI": ("kitti", put_kitti),
    "MOT": ("mot", put_mot),
    "DOTA": ("dota", put_dota),
    "WIDER FACE": ("wider-face", put_wider),
    "VisDrone": ("visdrone", put_visdrone),
    "BDD100K": ("bdd100k", put_bdd),
    "CrowdHuman": ("crowdhuman", put_crowdhuman),
    "Azure JSON lines": ("azure", put_azure_lines),
    "Azure COCO": ("azure", put_azure_coco),
    "PaliGemma": ("paligemma", put_paligemma),
    "Florence-2": ("paligemma", put_florence),
}
OTHERS: dict[str, Callable[[Path], Path]] = {
    "COCO": put_coco,
    "YOLO": put_yolo,
    "YOLO without data.yaml": put_plain_yolo,
    "Pascal VOC": put_voc,
    "Pascal VOC beside its images": put_voc_beside,
}
