"""VoTT 2: the JSON it exports, or its own files, one `ID-asset.json` a picture.

As VoTT 2 writes them (`src/providers/export/vottJson.ts` at 008c7f5, `models/applicationState.ts`
at 002033f): an asset has a name, a path (`file:` and percent-encoded), a size and a state (0 not
visited, 1 visited, 2 tagged); a region its tags and a `boundingBox` in pixels with left, top, width
and height, and for polygons its points. A frame of a video is named `video.mp4#t=1.5`; it is no
file of its own, unless the export wrote it as one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.data.importers.dataset import DataSet
from core.data.importers.formats.look import Look
from core.data.importers.formats.reading.json_records import number, numbers
from core.data.importers.formats.reading.labelled_pictures import LabelledPictures
from core.data.importers.report import Watch

NAME = "vott"
_SIDES = ("left", "top", "width", "height")


def is_vott(look: Look) -> bool:
    """Whether one of the first JSON files is VoTT's: a project with assets, or one asset's."""
    return bool(look.ending("-asset.json", ".vott")) or any(
        ('"assets"' in head and ('"lastVisitedAssetId"' in head or '"securityToken"' in head))
        or ('"boundingBox"' in head and '"regions"' in head and '"asset"' in head)
        for head in look.heads(".json")
    )


def read_vott(source: Path, watch: Watch) -> DataSet:
    """Read VoTT's JSON at `source`, a folder or one file. Raises `ImportFailed`."""
    into = LabelledPictures(NAME, source, watch)
    if into.source.suffix.lower() == ".vott":
        # The project names its assets; what is on them lies in files beside it.
        into = LabelledPictures(NAME, into.root, watch)
    seen: set[str] = set()
    for file, value in into.each_json(into.files(".json")):
        assets = _assets(value)
        if assets is None:
            into.other(file, "it is no file of VoTT")
            continue
        into.data.balance.use(str(file))
        for tag in value.get("tags", []) if isinstance(value.get("tags"), list) else []:
            if isinstance(tag, dict):
                into.label(tag.get("name"), f"{into.name_of(file)}: tags")
        for item in assets:
            key = str(item["asset"].get("id") or item["asset"].get("name"))
            # An export beside the project's own files says everything twice.
            if key not in seen:
                seen.add(key)
                _asset(into, file, item)
    into.leave_rest("no file of VoTT names it")
    return into.finish("JSON files of VoTT")


def _assets(value: Any) -> list[dict[str, Any]] | None:
    """Return the assets with their regions in a file, None when it is no such file."""
    if not isinstance(value, dict):
        return None
    listed = value.get("assets")
    found = (
        [value] if "asset" in value else list(listed.values()) if isinstance(listed, dict) else []
    )
    right = [
        item for item in found if isinstance(item, dict) and isinstance(item.get("asset"), dict)
    ]
    return right if right or isinstance(listed, dict) else None


def _asset(into: LabelledPictures, file: Path, item: dict[str, Any]) -> None:
    asset = item["asset"]
    names = [text for key in ("name", "path") if isinstance(text := asset.get(key), str) and text]
    where = f"{into.name_of(file)}: '{names[0] if names else asset.get('id')}'"
    regions = item.get("regions")
    regions = regions if isinstance(regions, list) else []
    into.data.balance.found(len(regions))
    if asset.get("state") == 0 and not regions:
        detail = "VoTT says that nobody visited it: its picture is left out"
        return into.data.problems.add("not labelled", where, detail)
    size = asset.get("size")
    sides = [number(size.get(k)) for k in ("width", "height")] if isinstance(size, dict) else []
    width, height = (*sides, None, None)[:2]
    stated = (width, height) if width and height else None
    image = into.picture(names, where, beside=file.parent, size=stated)
    for place, region in enumerate(regions if image is not None else (), 1):
        _region(into, image or 0, region, f"{where}: region {place}")
    return None


def _region(into: LabelledPictures, image: int, region: Any, where: str) -> None:
    region = region if isinstance(region, dict) else {}
    tags = region.get("tags")
    tags = tags if isinstance(tags, list) else []
    if len(tags) > 1:
        detail = f"it has {len(tags)} tags, the first is taken"
        into.data.problems.add("several classes", where, detail, "kept")
    label = into.label(tags[0] if tags else None, where)
    if label is None:
        return None
    points = region.get("points")
    pairs = [
        numbers([point.get("x"), point.get("y")]) if isinstance(point, dict) else None
        for point in (points if isinstance(points, list) else [])
    ]
    flat = [value for pair in pairs if pair for value in pair]
    if region.get("type") == "POLYGON" and len(flat) >= 6:
        return into.outline(image, label, flat, where)
    box = region.get("boundingBox")
    values = numbers([box.get(key) for key in _SIDES]) if isinstance(box, dict) else None
    if values is None:
        return into.data.problems.add("no box", where, "it has no bounding box")
    return into.box(image, label, (values[0], values[1], values[2], values[3]), where)
