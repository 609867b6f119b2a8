"""Shapes of objects in Pascal VOC's XML that have no box: what the box around one is."""

from __future__ import annotations

import math
from xml.etree.ElementTree import Element

from core.data.importers.formats.reading.text_files import number


def around_shape(element: Element) -> tuple[float, float, float, float] | None:
    """Return the corners of the box around an object's polygon or turned box, None without one.

    Roboflow writes `<polygon>` of `x1`, `y1`, `x2`, …; roLabelImg `<robndbox>` of a centre, sizes
    and an angle in radians, as its readers in public repositories have it.
    """
    polygon, turned = element.find("polygon"), element.find("robndbox")
    if turned is not None:
        parts = [number(turned.findtext(key) or "") for key in ("cx", "cy", "w", "h", "angle")]
        if not all(map(math.isfinite, parts)):
            return None
        cx, cy, w, h, angle = parts
        cos, sin = abs(math.cos(angle)), abs(math.sin(angle))
        across, down = (w * cos + h * sin) / 2, (w * sin + h * cos) / 2
        return cx - across, cy - down, cx + across, cy + down
    if polygon is not None:
        xs = [number(part.text or "") for part in polygon if str(part.tag).startswith("x")]
        ys = [number(part.text or "") for part in polygon if str(part.tag).startswith("y")]
        if len(xs) >= 3 and len(xs) == len(ys) and all(map(math.isfinite, xs + ys)):
            return min(xs), min(ys), max(xs), max(ys)
    return None
