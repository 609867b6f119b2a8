"""A clean-up of classes as a file, so that it can be repeated on the next import.

YAML (`old name: new name`) or CSV (two columns, a header `old,new` or none); an empty new name or
YAML's null drops the class. Old names are what imports call things, or classes as they are now.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from core.common.errors import ClassError
from core.common.files import write_atomic
from core.common.text import clean, plural
from core.data import classes
from core.data.store import HistoryEntry, Project


@dataclass(frozen=True)
class Applied:
    """What applying a mapping did; `entry` is None when every class was right already."""

    entry: HistoryEntry | None
    unknown: tuple[str, ...]


class _Names(yaml.SafeLoader):
    """YAML in which `yes`, `1.0` and `2024-01-01` are names, and only null is special."""

    yaml_implicit_resolvers = {
        first: [(tag, regexp) for tag, regexp in resolvers if tag == "tag:yaml.org,2002:null"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read_mapping(path: Path) -> dict[str, str | None]:
    """Return old name → new name, or None to drop. Raises `ClassError` that names file and line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ClassError(
            f"The mapping '{clean(str(path))}' cannot be read: {error.strerror}.",
            "Give a YAML or CSV file; `batman classes mapping` writes one.",
        ) from None
    except UnicodeDecodeError:
        raise ClassError(
            f"The mapping '{clean(str(path))}' is not UTF-8 text.", "Save it as UTF-8."
        ) from None
    pairs = _from_csv(path, text) if path.suffix.lower() == ".csv" else _from_yaml(path, text)
    if not pairs:
        raise ClassError(
            f"The mapping '{clean(str(path))}' is empty.", "Write lines such as 'hooks: hook'."
        )
    mapping: dict[str, str | None] = {}
    for old, new in pairs:
        name, value = old.strip(), (new or "").strip() or None
        if not name:
            raise ClassError(
                f"A name in the mapping '{clean(str(path))}' is blank.", "Give each old name."
            )
        if mapping.get(name, value) != value:
            raise ClassError(
                f"The mapping '{clean(str(path))}' says two things about '{clean(name)}'.",
                "Keep one of its lines.",
            )
        mapping[name] = value
    return mapping


def apply_mapping(project: Project, path: Path) -> Applied:
    """Apply a mapping file to the project's classes in one undoable step.

    Names in the file that are no class here are returned, not refused: the file was made for
    several imports. Raises `ClassError` for an unreadable file, or when it names no class at all.
    """
    mapping = read_mapping(path)
    have = {row.name for row in classes.list_classes(project)}
    known = {old: new for old, new in mapping.items() if old in have}
    # A class that was renamed already needs nothing: its old name is rightly gone.
    unknown = tuple(old for old, new in mapping.items() if old not in have and new not in have)
    if not known and unknown:
        raise ClassError(
            f"None of the {plural(len(mapping), 'name')} in '{clean(path.name)}' is a class here.",
            "Compare it with `batman classes list`.",
        )
    entry = classes.remap(
        project, known, kind="classes.apply", summary=f"Applied the mapping {path.name}"
    )
    return Applied(entry, unknown)


def current_mapping(project: Project) -> dict[str, str | None]:
    """Return what every import's own names have become here; the newest import decides.

    Names without the white space around them, which `read_mapping` does not see either.
    """
    return {
        str(old).strip(): new
        for old, new in project.db.execute(
            "SELECT labels.name, classes.name FROM labels"
            " JOIN imports ON imports.id = labels.import_id"
            " LEFT JOIN classes ON classes.id = labels.class_id"
            " WHERE imports.active = 1 ORDER BY labels.id"
        )
    }


def write_mapping(mapping: Mapping[str, str | None], path: Path) -> None:
    """Write a mapping as CSV or YAML by the file's suffix, atomically; `read_mapping` reads it."""
    if path.suffix.lower() == ".csv":
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(["old", "new"])
        writer.writerows([old, new or ""] for old, new in mapping.items())
        text = buffer.getvalue()
    else:
        text = yaml.safe_dump(dict(mapping), allow_unicode=True, sort_keys=False, width=1000)
    write_atomic(path, text)


def _from_yaml(path: Path, text: str) -> list[tuple[str, str | None]]:
    try:
        node = yaml.compose(text, Loader=_Names)
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ClassError(
            f"The mapping '{clean(str(path))}' is not valid YAML{where}.",
            "Write one `old name: new name` a line; quote names with special characters.",
        ) from None
    if node is None:
        return []
    # Read from the nodes, so that a name given twice is seen and not overwritten.
    pairs: list[tuple[str, str | None]] = []
    for old, new in node.value if isinstance(node, yaml.MappingNode) else [(node, None)]:
        if not isinstance(old, yaml.ScalarNode) or not isinstance(new, yaml.ScalarNode):
            raise ClassError(
                f"Line {old.start_mark.line + 1} of '{clean(str(path))}' does not map a name"
                " to a name.",
                "Write one `old name: new name` a line.",
            )
        dropped = new.tag == "tag:yaml.org,2002:null"
        pairs.append((str(old.value), None if dropped else str(new.value)))
    return pairs


def _from_csv(path: Path, text: str) -> list[tuple[str, str | None]]:
    pairs: list[tuple[str, str | None]] = []
    try:
        # Spreadsheets write what stands between columns by the country they are set to.
        first = text.lstrip().partition("\n")[0]
        between = next((char for char in ",;\t" if char in first), ",")
        rows = list(csv.reader(io.StringIO(text), strict=True, delimiter=between))
    except csv.Error as error:
        raise ClassError(
            f"The mapping '{clean(str(path))}' is not valid CSV: {clean(str(error))}.",
            "Write two columns, old and new.",
        ) from None
    for number, row in enumerate(rows, 1):
        if not row or (number == 1 and [cell.strip().lower() for cell in row] == ["old", "new"]):
            continue
        if len(row) != 2:
            raise ClassError(
                f"Line {number} of '{clean(str(path))}' has {plural(len(row), 'column')}, not 2.",
                "Write two columns, old and new; leave new empty to drop a class.",
            )
        pairs.append((row[0], row[1]))
    return pairs
