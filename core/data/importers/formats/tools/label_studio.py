"""Label Studio: JSON (tasks with annotations) and JSON-MIN (one flat record an annotation).

As Label Studio's own converter reads them (label-studio-sdk 2.x, `converter/converter.py` and
`converter/utils.py`): x, y, width and height are percent of the picture, from its upper left
corner; `rotation` turns a rectangle clockwise about that corner (`convert_annotation_to_yolo_obb`).
A shape and its class are one result, or two of the same id (`<Rectangle>` with `<Labels>`). Of
several annotations of a task the latest that was not skipped (`was_cancelled`) is taken, while
Label Studio's own COCO and YOLO have a picture for each. What models suggested (`predictions`) is
not taken. A task without annotations is not labelled yet, which differs from one that was submitted
with no box.

Pictures are named by address: `/data/upload/3/1f2e3d4c-a.jpg`, `/data/local-files/?d=set/a.jpg`,
`https://…`. They lie where the person put them; their names are found by
`core.data.importers.find_picture`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from core.data.importers.dataset import DataSet
from core.data.importers.formats.look import Look
from core.data.importers.formats.reading.json_records import number, numbers
from core.data.importers.formats.reading.labelled_pictures import LabelledPictures, ellipse_box
from core.data.importers.formats.reading.masks import brush_box
from core.data.importers.formats.reading.xml_files import xml_root
from core.data.importers.image_files import is_image
from core.data.importers.report import Watch

NAME = "label-studio"
_FLAT = frozenset(("id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time"))
_SHAPES = ("rectangle", "polygon", "ellipse", "brush", "keypoint", "bitmask", "vector")


def is_label_studio(look: Look) -> bool:
    """Whether one of the first JSON files has tasks: results in percent, or JSON-MIN's keys."""
    return any(
        '"original_width"' in head
        or ('"data"' in head and ('"was_cancelled"' in head or '"predictions"' in head))
        or ('"annotation_id"' in head and '"lead_time"' in head)
        for head in look.heads(".json")
    )


def read_label_studio(source: Path, watch: Watch) -> DataSet:
    """Read Label Studio's JSON at `source`, a folder or one file. Raises `ImportFailed`."""
    into = LabelledPictures(NAME, source, watch)
    shown = _interface(into)
    files = into.files(".json")
    for file, value in into.each_json(files):
        tasks = value if isinstance(value, list) else [value]
        tasks = [task for task in tasks if isinstance(task, dict) and _is_task(task)]
        if not tasks and value != []:
            into.other(file, "it holds no tasks of Label Studio")
            continue
        into.data.balance.use(str(file))
        flat = [task for task in tasks if "data" not in task]
        for task in [*(task for task in tasks if "data" in task), *_latest(into, file, flat)]:
            _Task(into, file, task, shown).read()
    into.leave_rest("no task of Label Studio names it")
    return into.finish("tasks of Label Studio")


def _interface(into: LabelledPictures) -> dict[str, str]:
    """Take the classes of the labeling interface, when it lies there as `label_config.xml`.

    Returns which of a task's data each of its pictures shows: `<Image name="a" value="$left"/>`.
    """
    file = into.root / "label_config.xml"
    if not file.is_file():
        return {}
    try:
        root = xml_root(into.read(file))
    # Whatever a damaged file makes of the parser; `DefusedXmlException` for entities.
    except Exception as error:
        into.refuse(file, f"not XML: {error}")
        return {}
    into.data.balance.describe(file)
    for kind in ("RectangleLabels", "PolygonLabels", "EllipseLabels", "BrushLabels", "Labels"):
        for element in root.iterfind(f".//{kind}/Label"):
            into.label(element.get("value"), f"{into.name_of(file)}: {kind}")
    shown: dict[str, str] = {}
    for element in root.iter("Image"):
        value = element.get("value") or element.get("valueList") or ""
        shown[element.get("name", "")] = value.lstrip("$")
    return shown


def _is_task(task: dict[str, Any]) -> bool:
    return isinstance(task.get("data"), dict) or "annotation_id" in task


def _latest(
    into: LabelledPictures, file: Path, flat: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Yield JSON-MIN's records as tasks: of those of one task, the latest."""
    by_task: dict[str, list[dict[str, Any]]] = {}
    for place, record in enumerate(flat):
        by_task.setdefault(str(record.get("id", f"number {place}")), []).append(record)
    for key, records in by_task.items():
        annotations = [
            {
                "id": record.get("annotation_id"),
                "created_at": record.get("created_at"),
                "updated_at": record.get("updated_at"),
                "result": [
                    {"type": _type(value), "value": value, **_sizes(value)}
                    for name, values in record.items()
                    if name not in _FLAT and isinstance(values, list)
                    for value in values
                    if isinstance(value, dict)
                ],
            }
            for record in records
        ]
        data = {name: value for name, value in records[-1].items() if name not in _FLAT}
        yield {"id": key, "data": data, "annotations": annotations}


def _type(value: dict[str, Any]) -> str:
    """Return the type of a result of JSON-MIN, which has the labels' key only."""
    key = next((key for key in value if key.endswith("labels")), "")
    if key == "labels" or not key:
        return "polygon" if "points" in value else "ellipse" if "radiusX" in value else "rectangle"
    return key


def _sizes(value: dict[str, Any]) -> dict[str, Any]:
    return {key: value[key] for key in ("original_width", "original_height") if key in value}


class _Task:
    def __init__(
        self, into: LabelledPictures, file: Path, task: dict[str, Any], shown: dict[str, str]
    ) -> None:
        self.into = into
        self.file = file
        self.task = task
        self.shown = shown
        self.where = f"{into.name_of(file)}: task {task.get('id')}"

    def read(self) -> None:
        problems = self.into.data.problems
        if self.task.get("predictions"):
            detail = "what a model suggested is no label until someone accepts it"
            problems.add("predictions", self.where, detail)
        found = _list(self.task.get("annotations", self.task.get("completions")))
        listed = [item for item in found if isinstance(item, dict)]
        done = [a for a in listed if not (a.get("was_cancelled") or a.get("skipped"))]
        if not done:
            why = "its annotations were skipped" if listed else "it has no annotation"
            return problems.add("not labelled", self.where, f"{why}: its picture is left out")
        done.sort(key=lambda item: str(item.get("updated_at") or item.get("created_at") or ""))
        if len(done) > 1:
            detail = f"of {len(done)} annotations the latest is taken ({done[-1].get('id')})"
            problems.add("several annotations", self.where, detail, "kept")
        results = _list(done[-1].get("result"))
        return self._results([item for item in results if isinstance(item, dict)])

    def _results(self, results: list[dict[str, Any]]) -> None:
        shapes = [item for item in results if _shape(item) is not None]
        # The class of a shape may be a result of its own.
        classes: dict[Any, Any] = {}
        for item in results:
            if item.get("type") == "labels" and isinstance(item.get("value"), dict):
                classes.setdefault(item.get("id"), item["value"].get("labels"))
        self.into.data.balance.found(len({(item.get("id"), n) for n, item in enumerate(shapes)}))
        names = _pictures(self.task["data"])
        if not names:
            return self.into.data.problems.add("missing image", self.where, "it names no picture")
        on: dict[str, list[tuple[int, dict[str, Any]]]] = {}
        for place, item in enumerate(shapes, 1):
            on.setdefault(self._key(item, names, shapes), []).append((place, item))
        for key in on or [next(iter(names))]:
            of_key = on.get(key, [])
            if key not in names:
                for _, item in of_key:
                    detail = (
                        f"it is on '{item.get('to_name')}', one of several pictures of its task:"
                        " which one, label_config.xml says, and it is not there"
                    )
                    self.into.data.problems.add("unknown image", self.where, detail)
                continue
            items = [item for _, item in of_key]
            images = {
                index: self._picture(name, index, items) for index, name in enumerate(names[key])
            }
            for place, item in of_key:
                image = images.get(_index(item))
                if image is not None:
                    self._object(image, item, classes, f"{self.where}: result {place}")
        return None

    def _key(
        self, item: dict[str, Any], names: dict[str, list[str]], shapes: list[dict[str, Any]]
    ) -> str:
        """Return under which of the task's data the picture stands that a result is on.

        "" where the task has several pictures, results on several, and nothing says which is which.
        """
        to = item.get("to_name")
        said = self.shown.get(to, to) if isinstance(to, str) else ""
        if said in names:
            return said
        several = len(names) > 1 and len({str(other.get("to_name")) for other in shapes}) > 1
        return "" if several else next(iter(names))

    def _picture(self, name: str, index: int, shapes: list[dict[str, Any]]) -> int | None:
        first = next((item for item in shapes if _index(item) == index), {})
        width, height = (number(first.get(f"original_{side}")) for side in ("width", "height"))
        # Of its local storage the path is in the query.
        local = parse_qs(urlsplit(name).query).get("d", []) if "?d=" in name else []
        return self.into.picture(
            [*local, name],
            self.where,
            beside=self.file.parent,
            size=(width, height),
        )

    def _object(
        self, image: int, item: dict[str, Any], classes: dict[Any, Any], where: str
    ) -> None:
        into, value = self.into, item["value"]
        named = next((_list(value[key]) for key in value if key.endswith("labels")), [])
        names = named or _list(classes.get(item.get("id")))
        if len(names) > 1:
            detail = f"it has {len(names)} classes, the first is taken"
            into.data.problems.add("several classes", where, detail, "kept")
        label = into.label(names[0] if names else None, where)
        if label is None:
            return None
        picture = into.data.images[image]
        across, down = picture.width / 100, picture.height / 100
        kind = _shape(item)
        if kind == "rectangle" and (box := numbers([value.get(k) for k in _BOX])):
            x, y, w, h = box[0] * across, box[1] * down, box[2] * across, box[3] * down
            angle = number(value.get("rotation", 0)) or 0.0
            return into.turned(image, label, (x, y, w, h), angle, (x, y), where)
        if kind == "polygon":
            pairs = [numbers(pair, 2) for pair in _list(value.get("points"))]
            points = [n * (down if i else across) for p in pairs if p for i, n in enumerate(p)]
            return into.outline(image, label, [] if None in pairs else points, where)
        if kind == "ellipse" and (parts := numbers([value.get(k) for k in _ELLIPSE])):
            x, y, rx, ry = parts[0] * across, parts[1] * down, parts[2] * across, parts[3] * down
            angle = number(value.get("rotation", 0)) or 0.0
            return into.box(image, label, ellipse_box(x, y, rx, ry, angle), where, "an ellipse")
        if kind in ("brush", "bitmask") and "rle" in value:
            size = [number(item.get(f"original_{side}")) for side in ("width", "height")]
            mask = brush_box(value["rle"], *(int(n or 0) for n in size))
            if mask is None:
                return into.data.problems.add("no box", where, "a brush's mask that is empty")
            x, y, w, h = mask.box
            # The mask is of the picture's own pixels, unless it was labelled in another size.
            wide, high = across * 100 / (size[0] or 1), down * 100 / (size[1] or 1)
            scaled = (x * wide, y * high, w * wide, h * high)
            area = mask.area * wide * high
            return into.box(image, label, scaled, where, "a brush's mask", area=area)
        if kind == "keypoint":
            return into.data.problems.add("no box", where, "a point")
        return into.data.problems.add("no box", where, f"a {kind} without the numbers of a box")


_BOX = ("x", "y", "width", "height")
_ELLIPSE = ("x", "y", "radiusX", "radiusY")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _shape(item: dict[str, Any]) -> str | None:
    """Return what kind of shape a result is, None for a choice, a text or a class alone."""
    kind = item.get("type")
    if not isinstance(kind, str) or not isinstance(item.get("value"), dict):
        return None
    bare = kind.removesuffix("labels")
    return bare if bare in _SHAPES else None


def _index(item: dict[str, Any]) -> int:
    """Return which of a task's several pictures a result is on (`item_index`)."""
    index = item.get("item_index")
    return index if isinstance(index, int) and index >= 0 else 0


def _pictures(data: dict[str, Any]) -> dict[str, list[str]]:
    """Return the names of a task's pictures by what they stand under: of a list, all of them.

    The likeliest first. Where nothing looks like the name of a picture, the first text is one.
    """
    found: dict[str, list[str]] = {}
    other: dict[str, list[str]] = {}
    for key in sorted(data, key=lambda key: (key not in ("image", "img", "picture"), key)):
        value = data[key]
        texts = value if isinstance(value, list) else [value]
        names = [text for text in texts if isinstance(text, str) and _looks(text)]
        if names and len(names) == len(texts):
            found[key] = names
        elif texts and isinstance(texts[0], str) and texts[0] and not other:
            other[key] = texts[:1]
    return found or other


def _looks(name: str) -> bool:
    return is_image(name) or is_image(urlsplit(name).path) or "?d=" in name
