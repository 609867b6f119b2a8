"""COCO's counting of boxes: `boxes` the columns that are measured, `coco` the measuring."""
