"""Take what a labeller found into the project: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.autolabel.choice import licence_of
from core.autolabel.pass_folder import PassFolder
from core.common.errors import BatmanError
from core.common.temporary import remove_tree
from core.common.text import clean, plural
from core.data.labels.passes import Found, PassInfo, PassReport, record_pass
from core.data.store import Project


@dataclass(frozen=True)
class Recorded:
    """What became of a pass: the report (None: it had been recorded already), how many pictures
    were looked at of how many, the files that could not be read and why, and the labeller's notes.
    """

    report: PassReport | None
    model: str
    done: int
    total: int
    unreadable: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    device: str

    def passed_over(self) -> tuple[str, ...]:
        """Return what was looked at and is in no suggestion, a sentence each."""
        said = []
        if self.report is not None and self.report.gone_images:
            one = self.report.gone_images == 1
            count = plural(self.report.gone_images, "picture")
            said.append(f"{count} {'is' if one else 'are'} no longer in the project: passed over.")
        if self.report is not None and self.report.gone_objects:
            count = plural(self.report.gone_objects, "box", "boxes")
            said.append(f"{count} of classes that are no longer there: left out.")
        return tuple(said)


def record_folder(project: Project, folder: PassFolder, *, partly: bool = False) -> Recorded:
    """Record the pass in `folder` in the project as one step, and remove the folder.

    Killed in between, the next call finds it recorded and only removes the folder. Raises
    BatmanError when pictures are left to look at and not `partly`, when nothing was looked at, and
    when another process is at it; as `record_pass` does otherwise. The folder then stays.
    """
    with folder.locked():
        task = folder.task()
        done, total = folder.state()
        if done < total and not partly:
            raise BatmanError(
                f"The pass '{clean(task.name)}' is at {done:,} of {plural(total, 'picture')}.",
                f"Go on with --continue {clean(task.name)}, or take what is there with --take.",
            )
        if not done:
            raise BatmanError(
                f"The pass '{clean(task.name)}' has looked at no picture yet.",
                f"Go on with --continue {clean(task.name)}.",
            )
        begun = folder.begun()
        paths = {image.id: image.path for image in folder.images()}
        unreadable = tuple(
            (paths[line.image], line.error)
            for line in folder.found()
            if line.error is not None and line.image in paths
        )
        report = None
        if not _is_recorded(project, task.key):
            if len(unreadable) == done:
                raise BatmanError(
                    f"None of the {plural(done, 'picture')} could be read: "
                    f"'{clean(unreadable[0][0])}' {clean(unreadable[0][1])}.",
                    "See batman check.",
                )
            detail = {
                "key": task.key,
                "name": task.name,
                "least": task.least,
                "device": begun.device if begun else task.device,
                "prompts": {str(row.id): list(row.phrases) for row in task.classes},
                "notes": list(begun.notes) if begun else [],
                "unreadable": len(unreadable),
                "licence": licence_of(task.kind, task.model),
            }
            looked_for = begun.classes if begun else tuple(row.id for row in task.classes)
            info = PassInfo(task.kind, task.model, looked_for, detail)
            report = record_pass(project, info, _found(folder, set(paths)))
        remove_tree(folder.path)
    return Recorded(
        report,
        task.model,
        done,
        total,
        unreadable,
        begun.notes if begun else (),
        begun.device if begun else task.device,
    )


def _found(folder: PassFolder, wanted: set[int]) -> Iterator[tuple[int, Sequence[Found]]]:
    for line in folder.found():
        if line.image in wanted and line.error is None:
            yield (
                line.image,
                [Found(row[0], (row[1], row[2], row[3], row[4]), row[5]) for row in line.boxes],
            )


def _is_recorded(project: Project, key: str) -> bool:
    row = project.db.execute(
        "SELECT 1 FROM passes WHERE json_extract(detail, '$.key') = ?", (key,)
    ).fetchone()
    return row is not None
