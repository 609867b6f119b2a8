"""Saying of pictures that they are reviewed, put off, or to do again.

A picture that was reviewed can be reviewed again once a model has looked at it since: what the two
differ in is then settled (`core.data.labels.queue.compare`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal

from core.common.text import plural
from core.data.store import HistoryEntry, Project
from core.data.store.project_file import now, who

_SAID = {"done": "Reviewed", "later": "Put off", None: "To do again:"}


# A pass that stands looked at the image `i` after it was reviewed.
_SINCE = (
    "EXISTS (SELECT 1 FROM pass_images pi JOIN passes p ON p.id = pi.pass_id"
    " WHERE pi.image_id = i.id AND p.active = 1 AND p.at >= i.reviewed_at)"
)


def looked_at_since(project: Project, image_id: int) -> bool:
    """Whether a pass looked at a picture after it was reviewed."""
    row = project.db.execute(f"SELECT {_SINCE} FROM images i WHERE id = ?", (image_id,)).fetchone()
    return row is not None and bool(row[0])


def review_images(
    project: Project, image_ids: Sequence[int], state: Literal["done", "later"] | None
) -> HistoryEntry | None:
    """Set the review of pictures, as one step; None when all of them are so already.

    Pictures that are not there are passed over; see above for those that are reviewed again.
    """
    with project.change("labels.review", "review pictures") as change:
        rows = project.db.execute(
            f"SELECT id FROM v_images i WHERE (review IS NOT ? OR (review = 'done' AND {_SINCE}))"
            " AND id IN (SELECT value FROM json_each(?))",
            (state, json.dumps(list(image_ids))),
        ).fetchall()
        at, by = (now(), who()) if state else (None, None)
        columns = ["review", "reviewed_at", "reviewed_by"]
        changed = change.update_many("images", columns, [(row[0], state, at, by) for row in rows])
        if change.empty:
            return None
        said = f"{_SAID[state]} {plural(changed, 'picture')}"
        project.describe(change, said, {"images": changed, "state": state})
    return project.entry(change.history_id)
