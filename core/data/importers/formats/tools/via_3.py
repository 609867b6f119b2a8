"""A project of VIA 3 as the records of VIA 2, which `via` reads.

As VIA 3.0 writes it (`via-3.x.y/CodeDoc.md` and `src/js/_via_metadata.js`, `_via_attribute.js`):
`file` has the files (`fname`, `type`: 2 is a picture, 4 a film, 8 sound), `view` which of them are
seen together (`fid_list`), `attribute` the questions (`aname`, and for choices `options` by id),
and `metadata` the answers: the view (`vid`), `xy` of a shape's number and its numbers in pixels,
`z` of times in a film, and `av` of attributes' ids and values.
"""

from __future__ import annotations

from typing import Any

_PICTURE = 2
# By the number of a shape (`_VIA_RSHAPE`): its name in VIA 2, and what its numbers are there.
_SHAPES: dict[int, tuple[str, tuple[str, ...]]] = {
    1: ("point", ("cx", "cy")),
    2: ("rect", ("x", "y", "width", "height")),
    3: ("circle", ("cx", "cy", "r")),
    4: ("ellipse", ("cx", "cy", "rx", "ry")),
}
# Shapes of points: the four of an extreme rectangle lie on its sides.
_OF_POINTS = {5: "line", 6: "polyline", 7: "polygon", 8: "rectangle of four points"}
_KEYS = ("project", "metadata", "view", "file")


def is_via_3(head: str) -> bool:
    """Whether the beginning of a JSON file is that of a project of VIA 3."""
    return '"project"' in head and (('"pid"' in head and '"vid_list"' in head) or '"__VIA' in head)


def as_via_2(value: dict[str, Any]) -> tuple[list[dict[str, Any]], int] | None:
    """Return the records of the pictures, and how many regions and times are of films and sound.

    None for what is no project of VIA 3.
    """
    if not all(isinstance(value.get(key), dict) for key in _KEYS):
        return None
    attributes = _part(value, "attribute")
    records: dict[str, dict[str, Any]] = {}
    for key, view in _part(value, "view").items():
        listed = view.get("fid_list") if isinstance(view, dict) else None
        # The attributes of a region are about the first of the files that are seen together.
        first = str(listed[0]) if isinstance(listed, list) and listed else ""
        file = value["file"].get(first)
        if isinstance(file, dict) and file.get("type", _PICTURE) == _PICTURE:
            records[str(key)] = {"filename": file.get("fname"), "regions": []}
    elsewhere = 0
    for item in value["metadata"].values():
        shape = item.get("xy") if isinstance(item, dict) else None
        record = records.get(str(item.get("vid"))) if isinstance(item, dict) else None
        if record is None:
            elsewhere += 1
        elif shape:
            answers = item.get("av")
            record["regions"].append(
                {
                    "shape_attributes": _shape(shape),
                    "region_attributes": _answers(answers, attributes),
                }
            )
    return list(records.values()), elsewhere


def _part(value: dict[str, Any], key: str) -> dict[str, Any]:
    part = value.get(key)
    return part if isinstance(part, dict) else {}


def _shape(xy: Any) -> dict[str, Any] | None:
    """Return a shape as VIA 2 has it, None for what is none."""
    if not isinstance(xy, list) or not isinstance(xy[0], int):
        return None
    kind, rest = xy[0], xy[1:]
    if kind in _SHAPES:
        name, keys = _SHAPES[kind]
        return {"name": name, **dict(zip(keys, rest, strict=False))}
    return {
        "name": _OF_POINTS.get(kind, f"shape of number {kind}"),
        **({"all_points_x": rest[0::2], "all_points_y": rest[1::2]} if kind in _OF_POINTS else {}),
    }


def _answers(answers: Any, attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the answers by the attributes' names; of choices the texts of the options."""
    found: dict[str, Any] = {}
    for key, answer in answers.items() if isinstance(answers, dict) else ():
        about = attributes.get(key)
        about = about if isinstance(about, dict) else {}
        options = about.get("options")
        name = about.get("aname")
        if isinstance(options, dict) and options and isinstance(answer, str):
            # A checkbox has the ids of all that are ticked, between commas.
            ticked = [str(options.get(part, part)) for part in answer.split(",") if part]
            answer = dict.fromkeys(ticked, True) if len(ticked) > 1 else "".join(ticked)
        found[name if isinstance(name, str) and name else str(key)] = answer
    return found
