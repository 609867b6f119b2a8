"""The records of the original Batman's files, with what its own models of them demand.

Its web app reads `project.json` by pydantic, and one project that does not fit fails the whole
list; its command line builds a dataclass of `config`. Source: github.com/jugheadjones10/batman,
`backend/app/models/*.py` and `src/core/{project,importer}.py` at commits 2dae4f27 and 37e54525.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeGuard

from core.data.importers.past_imports import ImportRow

Video = int | str
# An import's frames are numbered from its own (negative) number times this.
FRAMES = 1_000_000

_SOURCES = {"roboflow": "roboflow", "coco-zoo": "coco_zoo"}


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether a value from JSON is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


# Of each setting: what a new project has, and what the original takes.
_CONFIG: dict[str, tuple[Any, Callable[[Any], bool]]] = {
    "sample_mode": ("seconds", lambda value: value in ("frames", "seconds")),
    "sample_interval": (0.5, is_number),
    "tracking_mode": (
        "visible_only",
        lambda value: value in ("visible_only", "occlusion_tolerant"),
    ),
    "max_age": (30, _whole),
    "iou_threshold": (0.3, is_number),
    "min_hits": (3, _whole),
    "use_appearance_embedding": (False, lambda value: isinstance(value, bool)),
}


def config_record(kept: Any, sampled: Mapping[str, Any]) -> dict[str, Any]:
    """Return the project's settings: those that were `kept` where they are of a kind it takes.

    `sampled` takes the place of the defaults. An interval belongs to its mode: without a known one
    it has no meaning.
    """
    have = dict(kept) if isinstance(kept, dict) else {}
    if "sample_mode" in have and not _CONFIG["sample_mode"][1](have["sample_mode"]):
        have.pop("sample_interval", None)
    fresh = {name: default for name, (default, _) in _CONFIG.items()} | dict(sampled)
    right = {
        name: value
        for name, value in have.items()
        if name not in _CONFIG or _CONFIG[name][1](value)
    }
    return {**fresh, **right}


def sampling(imports: list[ImportRow]) -> dict[str, Any]:
    """Return how the first import of videos took its frames, as the original says it."""
    for row in imports:
        if row.kind == "video" and is_number(row.detail.get("every_frames")):
            return {"sample_mode": "frames", "sample_interval": row.detail["every_frames"]}
        if row.kind == "video" and is_number(row.detail.get("every_s")):
            return {"sample_mode": "seconds", "sample_interval": row.detail["every_s"]}
    return {}


def project_record(
    about: Mapping[str, Any],
    *,
    name: str,
    description: str,
    created_at: datetime,
    classes: list[str],
    source_of: Callable[[str], str],
    sampled: Mapping[str, Any],
    counts: Mapping[str, int],
) -> dict[str, Any]:
    """Return `project.json`: what came from the original, put right where it would not take it."""
    now = stamp(datetime.now(UTC))
    sources = about.get("class_sources")
    had = sources if isinstance(sources, dict) else {}
    title, words = about.get("name"), about.get("description", description)
    iteration = about.get("current_iteration")
    return {
        **about,
        "name": title if isinstance(title, str) and title else name,
        "description": words if words is None or isinstance(words, str) else description,
        "classes": classes,
        "class_sources": {
            label: had[label] if isinstance(had.get(label), str) else source_of(label)
            for label in classes
        },
        "config": config_record(about.get("config"), sampled),
        **counts,
        "current_iteration": iteration if _whole(iteration) else 0,
        "created_at": about["created_at"]
        if _is_time(about.get("created_at"))
        else stamp(created_at),
        "updated_at": now,
    }


def class_source(kinds: list[str]) -> str:
    """Return where a class is from, by the kinds of the imports that have it, oldest first."""
    return _SOURCES.get(kinds[0], "manual") if kinds else "manual"


def import_type(row: ImportRow) -> str:
    """Return what the original calls such an import: roboflow, coco_zoo or local_coco."""
    kept = row.detail.get("provenance") or {}
    return str(kept.get("type") or _SOURCES.get(row.kind, "local_coco"))


def import_record(row: ImportRow, video: Video) -> dict[str, Any]:
    """Return an import's entry: the one it came with, or one made of what is known."""
    kept = row.detail.get("provenance")
    if kept:
        return {**kept, "video_id": video}
    entry: dict[str, Any] = {"imported_at": stamp(row.at), "video_id": video}
    known = row.detail.get
    if row.kind == "roboflow":
        named = {key: known(key) for key in ("workspace", "project", "version", "format")}
        named["format"] = named["format"] or "coco"
        return {"type": "roboflow", **entry, **named}
    if row.kind == "coco-zoo":
        chosen = {key: known(key) for key in ("split", "max_samples")}
        return {"type": "coco_zoo", **entry, "classes": row.classes, **chosen}
    return {"type": "local_coco", **entry, "path": row.origin}


def frame_name(video: Video, index: int) -> str:
    """Return the number (as text) of a video's or import's frame."""
    return str(video * FRAMES + index) if isinstance(video, int) else f"{video}_{index:06d}"


def box_record(
    extra: Mapping[str, Any], size: tuple[int, int], box: tuple[float, float, float, float]
) -> dict[str, float]:
    """Return a box (left, top, width, height in pixels) as centre and size in fractions.

    It has its first digits if it is still the same. The original takes fractions from 0 to 1, and
    a quotient may lie a last digit beside them.
    """
    (width, height), (x, y, w, h) = size, box
    centred = {
        "x": (x + w / 2) / width,
        "y": (y + h / 2) / height,
        "width": w / width,
        "height": h / height,
    }
    same = all(
        isinstance(extra.get(key), int | float) and abs(extra[key] - value) < 1e-9
        for key, value in centred.items()
    )
    if same:
        return {key: extra[key] for key in centred}
    return {key: min(1.0, max(0.0, value)) for key, value in centred.items()}


def stamp(at: datetime) -> str:
    """Return a time as the original writes it: ISO 8601, UTC, without a zone."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")


def _is_time(value: Any) -> bool:
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True
