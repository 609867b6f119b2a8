"""The parts of `batman classes` that clean up many classes at once."""

from __future__ import annotations

import argparse
from pathlib import Path

from cli.answers.printing import asked, say_json
from cli.common import open_project
from cli.exits import Exit
from cli.numbers import whole
from cli.output import say, say_change, say_table
from cli.parser import Subcommands
from core.common.errors import ClassError
from core.common.text import clean, plural, shell_word
from core.data import classes
from core.data.store import Project


def add_commands(commands: Subcommands) -> list[argparse.ArgumentParser]:
    """Add the sub-commands and return their parsers, for the options that all of them share."""
    suggest = commands.add("suggest", "find classes that look like the same thing", _suggest)
    suggest.add_argument(
        "--merge",
        nargs="+",
        action="extend",
        type=whole(1),
        default=[],
        metavar="N",
        help="merge these groups",
    )
    suggest.add_argument(
        "--write", type=Path, metavar="FILE", help="write the groups as a mapping to edit and apply"
    )

    apply = commands.add("apply", "apply a mapping file (old name to new name)", _apply)
    apply.add_argument("file", type=Path, metavar="FILE", help="YAML or CSV")
    apply.add_argument(
        "--dry-run", action="store_true", help="say what it would do and change nothing"
    )

    mapping = commands.add("mapping", "write what the imports' names have become", _mapping)
    mapping.add_argument("file", type=Path, metavar="FILE", help="YAML or CSV, by its suffix")

    convention = commands.add("convention", "write all names one way", _convention)
    convention.add_argument(
        "style", choices=("snake", "kebab", "space"), help="how names are written"
    )
    convention.add_argument(
        "--dry-run", action="store_true", help="say what it would do and change nothing"
    )
    return [suggest, apply, mapping, convention]


def _suggest(args: argparse.Namespace) -> int:
    from core.data.classes.mapping import write_mapping
    from core.data.classes.similar_names import suggest

    with open_project(args) as project:
        rows = classes.list_classes(project)
        groups = suggest({row.name: row.annotations for row in rows})
        if args.merge:
            wrong = [number for number in args.merge if not 1 <= number <= len(groups)]
            if wrong:
                raise ClassError(
                    f"There is no group {wrong[0]}.",
                    f"Choose from 1 to {len(groups)}." if groups else "No classes look alike.",
                )
            chosen = {
                name: groups[number - 1].target
                for number in args.merge
                for name in groups[number - 1].sources
            }
            return say_change(classes.remap(project, chosen, kind="classes.suggest"))
    if args.write:
        write_mapping(
            {name: group.target for group in groups for name in group.sources}, args.write
        )
        say(f"Wrote {plural(len(groups), 'group')} to {args.write}.")
        say(f"Edit it, then: batman classes apply {args.write} --project {args.project}", "dim")
    if args.json:
        say_json(
            [
                {
                    "target": group.target,
                    "sources": group.sources,
                    "reason": group.reason,
                    "annotations": group.annotations,
                }
                for group in groups
            ]
        )
    elif args.write:
        pass  # said above
    elif not groups:
        say("No classes look alike.")
    else:
        say_table(
            ["", "into", "merge", "why", "annotations"],
            [
                (n, group.target, ", ".join(group.sources), group.reason, f"{group.annotations:,}")
                for n, group in enumerate(groups, 1)
            ],
            right=("", "annotations"),
        )
        say(
            f"Merge some: batman classes suggest --project {shell_word(args.project)} --merge 1 …",
            "dim",
        )
    return Exit.OK


def _apply(args: argparse.Namespace) -> int:
    from core.data.classes.mapping import apply_mapping, read_mapping

    with open_project(args) as project:
        if args.dry_run:
            have = {row.name for row in classes.list_classes(project)}
            mapping = read_mapping(args.file)
            return _preview(project, {old: new for old, new in mapping.items() if old in have})
        done = apply_mapping(project, args.file)
    code = say_change(done.entry, unknown=list(done.unknown))
    if done.unknown:
        shown = ", ".join(clean(name) for name in done.unknown[:5])
        more = f" and {len(done.unknown) - 5} more" if len(done.unknown) > 5 else ""
        say(f"No class here: {shown}{more}.", "dim")
    return code


def _mapping(args: argparse.Namespace) -> int:
    from core.data.classes.mapping import current_mapping, write_mapping

    with open_project(args) as project:
        mapping = current_mapping(project)
    write_mapping(mapping, args.file)
    say(f"Wrote {plural(len(mapping), 'name')} to {args.file}.")
    if args.json:
        say_json({"file": str(args.file), "mapping": mapping})
    return Exit.OK


def _convention(args: argparse.Namespace) -> int:
    from core.data.classes.similar_names import convention_mapping

    with open_project(args) as project:
        names = [row.name for row in classes.list_classes(project)]
        mapping: dict[str, str | None] = dict(convention_mapping(names, args.style))
        if args.dry_run:
            return _preview(project, mapping)
        return say_change(
            classes.remap(
                project, mapping, kind="classes.convention", summary=f"Names in {args.style} style"
            )
        )


def _preview(project: Project, mapping: dict[str, str | None]) -> int:
    plan = classes.plan(project, mapping)
    rows = [
        *((old, new, "rename") for old, new in plan.renamed.items()),
        *((old, new, "merge") for new, sources in plan.merged.items() for old in sources),
        *((old, None, "delete") for old in plan.dropped),
    ]
    if asked():
        say_json(
            {
                "changes": [{"class": old, "becomes": new, "by": by} for old, new, by in rows],
                "annotations": plan.annotations,
            }
        )
    elif rows:
        say_table(["class", "becomes", "by"], rows)
        say(f"{plural(plan.annotations, 'annotation')} would change; nothing was changed.", "dim")
    else:
        say("There is nothing to change.")
    return Exit.OK
