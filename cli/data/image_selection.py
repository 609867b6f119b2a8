"""Images named on the command line: by name, by a list in a file, or by a filter."""

from __future__ import annotations

import argparse
import json
from collections.abc import Collection
from pathlib import Path

from core.common.errors import BatmanError
from core.data.images.filter import (
    ImageFilter,
    filter_problems,
    find_images,
    parse_filter,
    unfinished,
)
from core.data.store import Project

WHERE = "a filter as on the images screen, such as 'import:2 class:crane split:none'"


def add_chosen(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the three ways to say which images are meant, of which one is needed."""
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument(
        "--images",
        nargs="+",
        action="extend",
        metavar="NAME",
        help="names of image files, as the source had them",
    )
    chosen.add_argument(
        "--file", type=Path, metavar="FILE", help="a text file with a name of an image a line"
    )
    chosen.add_argument("--where", metavar="FILTER", help=WHERE)


def chosen_images(project: Project, args: argparse.Namespace) -> list[int]:
    """Return the ids of the images that are meant.

    Raises BatmanError when a name is none of an image, or nothing matches.
    """
    if args.where is None:
        return _named(project, args.images or _lines(args.file))
    ids = find_images(project, filter_of(project, args.where))
    if not ids:
        raise BatmanError("No image matches the filter.", "Nothing was changed.")
    return ids


def filter_of(project: Project, text: str) -> ImageFilter:
    """Return the filter that `text` says; for a `finding:KIND` in it, the data is checked first.

    Raises BatmanError for a key without a value, for `class:$NAME` with no such variable would else
    mean every image, and for a term or a value that there is not, naming the nearest.
    """
    key = unfinished(text)
    if key is not None:
        raise BatmanError(
            f"The filter '{text}' does not say what '{key}' is.",
            "Give it a value, such as class:crane or split:train. Nothing was changed.",
        )
    found: dict[str, frozenset[int]] = {}
    if "finding:" not in text:
        _require_sense(project, text, None)
        return parse_filter(text)
    from core.data.health import check
    from core.data.health.report import finding_images

    for finding in check(project).findings:
        images = finding_images(project, finding)
        found[finding.kind] = found.get(finding.kind, frozenset()) | images
    _require_sense(project, text, found)
    return parse_filter(text, found)


def _require_sense(project: Project, text: str, findings: Collection[str] | None) -> None:
    for message, hint in filter_problems(project, text, findings):
        raise BatmanError(message, f"{hint} Nothing was changed.")


def _lines(file: Path) -> list[str]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BatmanError(f"'{file}' cannot be read: {error}.", "Nothing was changed.") from None
    return [line.strip() for line in lines if line.strip()]


def _named(project: Project, names: list[str]) -> list[int]:
    """Return the images with these names; all that have one, for imports may share names."""
    rows = project.db.execute(
        "SELECT id, name FROM v_images WHERE name IN (SELECT value FROM json_each(?))",
        (json.dumps(names),),
    ).fetchall()
    known = {row["name"] for row in rows}
    unknown = [name for name in dict.fromkeys(names) if name not in known]
    if unknown:
        more = f" and {len(unknown) - 1:,} more" if len(unknown) > 1 else ""
        raise BatmanError(
            f"The project has no image named '{unknown[0]}'{more}.",
            "Nothing was changed. Names are those of the imported files.",
        )
    return [row["id"] for row in rows]
