"""Projects, their classes and lists of pictures, as the page gets them."""

from __future__ import annotations

from typing import Any

from core.common.errors import BatmanError
from core.common.workspace import Workspace
from core.data.classes.edit import list_classes
from core.data.images.class_colours import class_colour
from core.data.images.filter import find_images, parse_filter
from core.data.images.rows import ImageLine, image_lines
from core.data.labels.passes import list_passes
from core.data.labels.prompts import prompts_of
from core.data.labels.queue.compare import compare
from core.data.labels.queue.unsure import unsure
from core.data.labels.view import progress
from core.data.store import Project

PAGE = 500
"""The most pictures of a page of a list."""
_KEYS = "1234567890"


def list_all(workspace: Workspace) -> list[dict[str, Any]]:
    """Return every project of the workspace with its counts; `error` of one that cannot be read."""
    return [_line(path) for path in workspace.list_projects()]


def _line(path: Any) -> dict[str, Any]:
    try:
        with Project.open(path) as project:
            summary, done = project.summary(), progress(project)
    except BatmanError as error:
        return {"name": path.name, "error": error.message}
    return {
        "name": summary.name,
        "description": summary.description,
        "images": summary.images,
        "annotations": summary.annotations,
        "classes": summary.classes,
        "open": done.open_suggestions,
        "reviewed": done.done,
        "updated": summary.updated_at.isoformat(timespec="seconds"),
    }


def project_json(project: Project, runs: list[str]) -> dict[str, Any]:
    """Return what a page knows of a project: classes, progress, passes; `runs` can label."""
    prompts = prompts_of(project)
    open_of = dict(
        project.db.execute(
            "SELECT class_id, count(*) FROM v_suggestions WHERE state = 'open' GROUP BY class_id"
        ).fetchall()
    )
    classes = sorted(list_classes(project), key=lambda line: line.id)
    newest = project.newest()
    done = progress(project)
    return {
        "name": project.name,
        "description": project.setting("description"),
        "classes": [
            {
                "id": line.id,
                "name": line.name,
                "colour": "#{:02x}{:02x}{:02x}".format(*class_colour(line.id)),
                "key": _KEYS[at] if at < len(_KEYS) else None,
                "annotations": line.annotations,
                "open": open_of.get(line.id, 0),
                "prompts": {
                    "phrases": prompts[line.id].phrases,
                    "least": prompts[line.id].least,
                    "examples": len(prompts[line.id].examples),
                },
            }
            for at, line in enumerate(classes)
        ],
        "progress": {
            "images": done.images,
            "done": done.done,
            "later": done.later,
            "open_images": done.open_images,
            "open_suggestions": done.open_suggestions,
        },
        "passes": [
            {
                "id": line.id,
                "at": line.at,
                "who": line.who,
                "labeller": line.labeller,
                "model": line.model,
                "images": line.images,
                "found": sum(line.states.values()),
                "open": line.states.get("open", 0),
                "accepted": line.states.get("accepted", 0),
                "rejected": line.states.get("rejected", 0),
            }
            for line in list_passes(project)
        ],
        "runs": runs,
        "newest": newest and newest.id,
    }


def list_pictures(
    project: Project, text: str, order: str, after: int | None, count: int
) -> dict[str, Any]:
    """Return a page of the pictures that a filter means, those behind the picture `after`.

    `order` is `` or `id` (as they came), `name`, `time` (of a video), `unsure` (without labels,
    where a model is least sure first) or `differ` (labels and model differ most first); `queue` is
    `differ` and then `unsure`.
    """
    wanted = find_images(project, parse_filter(text), order="name" if order == "name" else "id")
    why: dict[int, str] = {}
    if order == "time":
        rows = project.db.execute("SELECT id, grp, time FROM v_images").fetchall()
        at = {row[0]: (row[1] or "", row[2] or 0.0) for row in rows}
        wanted.sort(key=lambda image: at.get(image, ("", 0.0)))
    elif order in ("unsure", "differ", "queue"):
        among = set(wanted)
        if order != "unsure":
            why |= {each.image_id: each.why for each in compare(project, limit=None).entries}
        if order != "differ":
            for each in unsure(project, limit=None).entries:
                why.setdefault(each.image_id, each.why)
        wanted = [image for image in why if image in among]
    start = wanted.index(after) + 1 if after in wanted else 0
    shown = wanted[start : start + max(0, min(count, PAGE))]
    more = shown and start + len(shown) < len(wanted)
    return {
        "images": [_picture(line, why) for line in image_lines(project, shown)],
        "total": len(wanted),
        "next": shown[-1] if more else None,
    }


def _picture(line: ImageLine, why: dict[int, str]) -> dict[str, Any]:
    return {
        "id": line.id,
        "name": line.name,
        "width": line.width,
        "height": line.height,
        "split": line.split,
        "grp": line.group,
        "time": line.time,
        "review": line.review,
        "boxes": line.boxes,
        "open": line.open,
        "why": why.get(line.id),
    }


def crops_json(
    project: Project,
    class_id: int,
    least: float,
    most: float,
    after: int | None,
    count: int,
) -> dict[str, Any]:
    """Return open suggestions of a class that score from `least` to `most`, the surest first.

    Those behind the suggestion `after`, at most `count`; `total` counts all of them.
    """
    where = "state = 'open' AND class_id = ? AND score >= ? AND score <= ?"
    values: list[Any] = [class_id, least, most]
    (total,) = project.db.execute(
        f"SELECT count(*) FROM v_suggestions WHERE {where}", values
    ).fetchone()
    if after is not None:
        # The one it followed may be decided by now: its place is that of its score.
        at = project.db.execute("SELECT score FROM suggestions WHERE id = ?", (after,)).fetchone()
        if at is not None:
            where += " AND (score < ? OR (score = ? AND id > ?))"
            values += [at[0], at[0], after]
    rows = project.db.execute(
        f"SELECT id, image_id, class_id, score, x, y, w, h FROM v_suggestions WHERE {where}"
        " ORDER BY score DESC, id LIMIT ?",
        [*values, max(0, min(count, PAGE)) + 1],
    ).fetchall()
    shown = rows[: max(0, min(count, PAGE))]
    return {
        "crops": [
            {
                "id": row["id"],
                "image": row["image_id"],
                "class": row["class_id"],
                "score": row["score"],
                "box": [row["x"], row["y"], row["w"], row["h"]],
            }
            for row in shown
        ],
        "total": total,
        "next": shown[-1]["id"] if shown and len(rows) > len(shown) else None,
    }
