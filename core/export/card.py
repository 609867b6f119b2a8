"""The model card: what an exported model is and how to use it, for whoever gets the folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.common.text import clean


def model_card(facts: Mapping[str, Any], files: Sequence[Mapping[str, Any]]) -> str:
    """Return the text of MODEL_CARD.md.

    `facts` is the content of batman.json, `files` the exported files with name, bytes and what
    checking them gave.
    """
    lines = [
        f"# RF-DETR {_md(str(facts['model']))}, {len(facts['classes'])} classes",
        "",
        "An object detector trained with Batman.",
        "",
        "| | |",
        "|---|---|",
        f"| model | RF-DETR {_md(str(facts['model']))} |",
        f"| licence of the model's code and pretrained weights | {_md(str(facts['licence']))} |",
        f"| image size | {facts['resolution']} × {facts['resolution']} pixels |",
        f"| classes | {', '.join(_md(name) for name in facts['classes'])} |",
        f"| made from | {_md(str(facts['source']['checkpoint']))} |",
        f"| exported | {facts['exported_at']}, Batman {facts['batman_version']}, "
        f"rfdetr {facts['rfdetr_version']} |",
    ]
    training = facts.get("training") or {}
    for key, label in (
        ("run", "run"),
        ("best_epoch", "best epoch"),
        ("dataset_fingerprint", "data set (SHA-256)"),
    ):
        if training.get(key) is not None:
            lines.append(f"| {label} | {_md(str(training[key]))} |")
    lines += _metrics(training.get("metrics") or {})
    lines += ["", "## Files", "", "| file | bytes | checked |", "|---|---|---|"]
    lines += [f"| {f['name']} | {f['bytes']:,} | {_md(f['checked'])} |" for f in files]
    pre = facts["preprocessing"]
    names = [str(f["name"]) for f in files]
    lines += [
        "",
        "## Use",
        "",
        f"    batman infer --checkpoint {'model.onnx' if 'model.onnx' in names else names[-1]}"
        " --input image.jpg",
        "",
        "`model.pth` loads with `rfdetr.RFDETR.from_checkpoint`. rfdetr's `predict` scales without",
        # rfdetr 1.11.2: `detr.py`, `predict`, resizes with antialias=False; its validation scales
        # pictures of Pillow, which always antialias (`datasets/_torchvision.py`).
        "antialiasing, unlike its validation and Batman, and scores a little differently from the",
        "figures here. For other programs, the exported",
        "model takes `input` (images, 3, height, width) and gives `dets` (images, queries, 4) and",
        "`labels` (images, queries, classes + 1). ONNX has these names and takes any number of",
        "images; the other formats have the same order, their own names, and take one image:",
        "",
        f"1. Convert the image to {pre['colour']} and scale it to {facts['resolution']} × "
        f"{facts['resolution']} pixels without keeping its shape: {pre['interpolation']}.",
        f"2. Divide by 255, subtract {pre['mean']}, divide by {pre['std']} (red, green, blue).",
        "3. Scores are the sigmoid of `labels`; the last column is the background and does not",
        f"   count. Take the best {facts['num_select']} pairs of query and class.",
        "4. `dets` are centre x, centre y, width and height, relative to the image: multiply by",
        "   the image's width and height.",
        "",
        "Class ids are the places of the names above, from 0. `batman.json` says all of this for",
        "programs.",
        "",
    ]
    return "\n".join(lines)


def _metrics(values: Mapping[str, Any]) -> list[str]:
    names = {
        "map50_95": "mAP50-95", "map50": "mAP50", "map75": "mAP75",
        "precision": "precision", "recall": "recall", "f1": "F1",
    }  # fmt: skip
    known = [(label, values[key]) for key, label in names.items() if values.get(key) is not None]
    if not known:
        return []
    lines = ["", "## On the validation images", "", "| metric | value |", "|---|---|"]
    lines += [f"| {label} | {value:.3f} |" for label, value in known]
    per_class = values.get("per_class") or {}
    if per_class:
        lines += ["", "| class | AP50-95 |", "|---|---|"]
        lines += [f"| {_md(name)} | {value:.3f} |" for name, value in per_class.items()]
    return lines


def _md(text: str) -> str:
    """Return `text` on one line that Markdown does not read as markup."""
    plain = clean(text)
    for char in "\\`*_[]<>|#":
        plain = plain.replace(char, f"\\{char}")
    return plain
