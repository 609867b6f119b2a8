"""`batman project version`: name states of a project, tell them apart, go back, export one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.answers.printing import say_json
from cli.common import add_workspace, open_project
from cli.exits import Exit
from cli.output import say, say_change, say_table
from cli.parser import BatmanParser, Subcommands
from core.common.text import plural

if TYPE_CHECKING:
    from core.data.versions import Version

_NOW = "now"
_STATE = "a version's name, a number of batman classes history, or now"


def add(commands: Subcommands) -> None:
    """Add the sub-command to `batman project`."""
    group = commands.group("version", "name states of a project, compare them, go back to one")
    versions = Subcommands(group)

    name = _of(versions.add("create", "name the state a project is in", _create))
    name.add_argument("name", metavar="NAME", help="what to call it, such as 'before cleaning'")
    name.add_argument("--note", default="", help="what is to be known of it")
    name.add_argument("--at", metavar="STATE", default=_NOW, help=f"another state: {_STATE}")

    _of(versions.add("list", "list the versions, the newest state first", _list))

    diff = _of(versions.add("diff", "pictures, boxes, classes and splits that differ", _diff))
    diff.add_argument("before", metavar="STATE", help=_STATE)
    diff.add_argument("after", nargs="?", default=_NOW, metavar="STATE", help="the other one")

    back = _of(versions.add("restore", "go back to one, as a new state; can be undone", _restore))
    back.add_argument("state", metavar="STATE", help=_STATE)

    export = _of(versions.add("export", "write one as it was for other tools", _export))
    export.add_argument("state", metavar="STATE", help=_STATE)
    export.add_argument("out", type=Path, metavar="OUT", help="folder to write, new or empty")
    export.add_argument("--format", default="coco", metavar="FORMAT", help="default: coco")

    delete = _of(versions.add("delete", "take a name away; the data stays as it is", _delete))
    delete.add_argument("name", metavar="NAME", help="the version")


def _of(parser: BatmanParser) -> BatmanParser:
    parser.add_argument("project", metavar="PROJECT", help="name or folder")
    add_workspace(parser)
    return parser


def _create(args: argparse.Namespace) -> int:
    from core.data.versions import find_state, name_state

    with open_project(args, args.project) as project:
        version = name_state(project, args.name, args.note, find_state(project, args.at))
    say(f"Named change {version.state} '{version.name}'.")
    if args.json:
        say_json(_plain(version))
    return Exit.OK


def _plain(version: Version) -> dict[str, Any]:
    return {
        "name": version.name,
        "state": version.state,
        "at": version.at.isoformat(),
        "who": version.who,
        "note": version.note,
    }


def _list(args: argparse.Namespace) -> int:
    from core.data.versions import list_versions, moved_on
    from core.data.versions.compare import compare

    with open_project(args, args.project) as project:
        versions = list_versions(project)
        since = {each.state: moved_on(project, each.state) for each in versions}
        latest = compare(project, versions[0].state) if versions and args.json else None
    if args.json:
        say_json(
            [
                {
                    **_plain(each),
                    "now": since[each.state],
                    **({"difference": latest.to_dict()} if latest and each is versions[0] else {}),
                }
                for each in versions
            ]
        )
        return Exit.OK
    if not versions:
        say("No state has a name yet.")
        say("Name the present one with batman project version create PROJECT NAME.", "dim")
        return Exit.OK
    say_table(
        ["version", "change", "named", "by", "now", "note"],
        [
            (
                each.name,
                each.state,
                f"{each.at.astimezone():%Y-%m-%d %H:%M}",
                each.who,
                since[each.state],
                each.note or None,
            )
            for each in versions
        ],
        right=("change",),
        spare=("by", "note", "named"),
    )
    return Exit.OK


def _diff(args: argparse.Namespace) -> int:
    from core.data.versions import find_state
    from core.data.versions.compare import compare
    from core.data.versions.words import difference_lines

    with open_project(args, args.project) as project:
        before, after = find_state(project, args.before), find_state(project, args.after)
        found = compare(project, before, after)
    if args.json:
        say_json(found.to_dict())
        return Exit.OK
    for line in difference_lines(found):
        say(line)
    if found.per_class:
        say()
        say_table(
            ["class", "boxes before", "after", "change"],
            [(name, f"{a:,}", f"{b:,}", f"{b - a:+,}") for name, (a, b) in found.per_class.items()],
            right=("boxes before", "after", "change"),
        )
    return Exit.OK


def _restore(args: argparse.Namespace) -> int:
    from core.data.versions import find_state, restore

    with open_project(args, args.project) as project:
        return say_change(restore(project, find_state(project, args.state)))


def _export(args: argparse.Namespace) -> int:
    from cli.data.export import format_named, say_export
    from cli.progress import Stages
    from core.data.versions import at_state, find_state

    chosen = format_named(args.format)
    with (
        open_project(args, args.project) as project,
        at_state(project, find_state(project, args.state)) as past,
        Stages() as show,
    ):
        report = chosen.write(past, args.out, progress=lambda at: show(at.stage, at.done, at.total))
    return say_export(report)


def _delete(args: argparse.Namespace) -> int:
    from core.data.versions import list_versions, remove_version

    with open_project(args, args.project) as project:
        gone = remove_version(project, args.name)
        left = len(list_versions(project))
    rest = plural(left, "version")
    say(f"Took the name '{gone.name}' away from change {gone.state}; {rest} left.")
    say(f"Name it again with --at {gone.state}.", "dim")
    if args.json:
        say_json({**_plain(gone), "versions_left": left})
    return Exit.OK
