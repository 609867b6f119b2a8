"""`batman clusters`: the clusters one may train on, and what they have."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cli.cluster import clusters_setup
from cli.common import add_json, add_workspace, confirm, run_module, workspace_of
from cli.connect import Terminal, site_for
from cli.exits import Exit
from cli.output import say, say_error, say_json, say_pairs, say_table
from cli.parser import Subcommands
from core.common.errors import BatmanError
from core.common.parse import ParseError, parse_toml
from core.common.text import clean, size
from slurm.site.discover import Facts, discover, suggest_profile
from slurm.site.profiles import (
    EXAMPLE_GPUS,
    Profile,
    ProfileError,
    list_profiles,
    load_profile,
    make_profile,
    profile_file,
    remove_profile,
    save_profile,
    to_toml,
)
from slurm.site.site import Site, open_host
from slurm.site.slurm_values import format_duration
from slurm.submit.plan import gpu_table

DESCRIPTION = (
    "Add, list, show, set up, test, edit and remove the SLURM clusters that runs are trained on."
)

_SETTINGS = ("via", "workspace", "python", "envs", "account", "qos", "time")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the sub-commands."""
    commands = Subcommands(parser)
    add = commands.add("add", "add a cluster, and ask it for its GPUs", _add)
    add.add_argument("name", metavar="NAME", help="what to call it")
    add.add_argument(
        "--host", default="", metavar="HOST",
        help="SSH host: an alias, user@host or user@host:port (default: this machine)",
    )  # fmt: skip
    for name in _SETTINGS:
        field = Profile.model_fields[name]
        shown = f" (default: {field.default})" if field.default else ""
        add.add_argument(f"--{name}", metavar="TEXT", help=f"{_ABOUT[name]}{shown}")
    add.add_argument(
        "--prelude", action="append", metavar="LINE",
        help="shell line to run before anything there; may be given several times",
    )  # fmt: skip
    table = add.add_mutually_exclusive_group()
    table.add_argument(
        "--example", action="store_true", help="begin with an example GPU table; ask nobody"
    )
    table.add_argument("--no-ask", action="store_true", help="add it without connecting")
    list_ = commands.add("list", "list the clusters", _list)
    add_json(list_)
    show = commands.add("show", "show a cluster, and what it has now", _show)
    show.add_argument("name", metavar="NAME", help="cluster")
    show.add_argument("--no-ask", action="store_true", help="show the profile only")
    add_json(show)
    test = commands.add("test", "check that runs can be trained there", _test)
    test.add_argument("name", metavar="NAME", help="cluster")
    add_workspace(test)
    clusters_setup.add_setup(commands)
    edit = commands.add("edit", "change a cluster, in $EDITOR or by --set", _edit)
    edit.add_argument("name", metavar="NAME", help="cluster")
    edit.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE",
        help="set one entry, such as account=vision or gpus.a100.batch=8",
    )  # fmt: skip
    remove = commands.add("remove", "remove a cluster's profile; nothing there is touched", _remove)
    remove.add_argument("name", metavar="NAME", help="cluster")
    remove.add_argument("--yes", action="store_true", help="do not ask")


_ABOUT = {
    "via": "ssh to go through the system's ssh, for Kerberos or a master that is open",
    "workspace": "our folder there, which the nodes see",
    "python": "interpreter or environment there that has batman-tui[train]",
    "envs": "folder there that setup makes environments in (default: WORKSPACE/envs)",
    "account": "account to charge",
    "qos": "quality of service",
    "time": "time limit asked for where none is chosen",
}


def run(args: argparse.Namespace) -> int:
    """Run the chosen sub-command and return the exit code."""
    return int(args.handler(args))


def _add(args: argparse.Namespace) -> int:
    values: dict[str, Any] = {"name": args.name, "host": args.host}
    values |= {name: getattr(args, name) for name in (*_SETTINGS, "prelude") if getattr(args, name)}
    profile = make_profile(values)
    if profile_file(profile.name).exists():
        save_profile(profile)  # says that it is there
    if args.example:
        profile = profile.model_copy(update={"gpus": dict(EXAMPLE_GPUS)})
    elif not args.no_ask:
        facts = discover(open_host(profile, Terminal()))
        profile = suggest_profile(profile, facts, keep_workspace=bool(args.workspace))
        _say_facts(profile, facts)
    file = save_profile(profile)
    say(f"Added {profile.name}: {file}", "green")
    name = shlex.quote(profile.name)
    say(f"Install Batman there with: batman clusters setup {name}", "dim")
    say(f"Or name an environment that has it, and check: batman clusters test {name}", "dim")
    return Exit.OK


def _list(args: argparse.Namespace) -> int:
    rows = []
    for name in list_profiles():
        try:
            profile = load_profile(name)
            rows.append({"name": name, "host": profile.host or "this machine",
                         "workspace": profile.workspace, "gpus": list(profile.gpus)})  # fmt: skip
        except ProfileError as error:
            rows.append({"name": name, "error": error.message})
    if args.json:
        say_json(rows)
        return Exit.OK
    if not rows:
        say("There are none. Add one with: batman clusters add NAME --host user@login.node")
        return Exit.OK
    say_table(
        ["cluster", "host", "workspace", "gpus"],
        [
            (row["name"], row.get("host"), row.get("error") or row.get("workspace"),
             ", ".join(row.get("gpus", [])))
            for row in rows
        ],
    )  # fmt: skip
    return Exit.OK


def _show(args: argparse.Namespace) -> int:
    profile = load_profile(args.name)
    facts = None if args.no_ask else discover(open_host(profile, Terminal()))
    if args.json:
        say_json(
            {
                "profile": profile.model_dump(mode="json"),
                "facts": None
                if facts is None
                else {
                    "version": facts.version,
                    "accounting": facts.accounting,
                    "pythons": list(facts.pythons),
                    "modules": list(facts.modules),
                    "places": [vars(place) for place in facts.places],
                    "partitions": [vars(p) for p in facts.partitions.values()],
                    "gpus": _gpu_rows(profile, facts),
                },
            }
        )
        return Exit.OK
    sys.stdout.write("\n".join(map(clean, to_toml(profile).splitlines())) + "\n\n")
    if facts is not None:
        _say_facts(profile, facts)
    return Exit.OK


def _gpu_rows(profile: Profile, facts: Facts) -> list[dict[str, Any]]:
    rows = []
    for name, gpu in gpu_table(profile, facts).items():
        kind = gpu.gres.partition(":")[2]
        nodes = facts.nodes_with(kind, gpu.partition)
        limit = facts.limit(gpu.partition) or gpu.time_s
        rows.append(
            {
                "gpu": name,
                "partition": gpu.partition,
                "free": sum(node.free(kind) for node in nodes),
                "total": sum(node.count(kind) for node in nodes),
                "nodes": len(nodes),
                "per_node": gpu.max_per_node or None,
                "time_limit": None if limit is None else format_duration(limit),
                "memory": gpu.memory or None,
                "batch": gpu.batch,
            }
        )
    return rows


def _say_facts(profile: Profile, facts: Facts) -> None:
    rows = _gpu_rows(profile, facts)
    if rows:
        say_table([title.replace("_", " ") for title in rows[0]], [list(r.values()) for r in rows],
                  right=("free", "total", "nodes", "per node", "batch"))  # fmt: skip
        say()
    limits = [
        f"{p.name} {'no limit' if p.time_limit is None else format_duration(p.time_limit)}"
        + ("" if p.up else " (down)")
        for p in facts.partitions.values()
    ]
    say_pairs(
        [
            ("slurm", facts.version),
            ("partitions", ", ".join(limits)),
            (
                "accounting",
                "yes" if facts.accounting else "no: our own records are kept",
            ),
            ("python", ", ".join(facts.pythons)),
            ("modules", ", ".join(facts.modules)),
            ("places", ", ".join(f"{p.path} ({size(p.free)} free)" for p in facts.places)),
        ]
    )


# Nothing is imported: torch alone takes seconds on a network file system.
_MODULES = ("torch", "rfdetr", "pytorch_lightning", "msgspec", "pydantic", "psutil", "platformdirs")
_PROBE = (
    "import importlib.util as u, sys; "
    "print(sys.version.split()[0], *[n for n in sys.argv[1:] if u.find_spec(n) is None])"
)


def _test(args: argparse.Namespace) -> int:
    profile = load_profile(args.name)
    site = site_for(profile, workspace_of(args))
    facts = discover(site.host)
    say(f"✓ connected to {profile.host or 'this machine'}; SLURM {facts.version}", "green")
    problems = [problem for problem in (_test_folder(site), _test_python(site)) if problem]
    for name, gpu in gpu_table(profile, facts).items():
        kind = gpu.gres.partition(":")[2]
        if gpu.partition not in ("", *facts.partitions):
            problems.append(f"{name}: there is no partition {gpu.partition}")
        elif gpu.gres and kind in facts.gpu_types() and not facts.nodes_with(kind, gpu.partition):
            problems.append(f"{name}: the partition {gpu.partition} has no {gpu.gres}")
        elif gpu.gres and kind not in facts.gpu_types():
            problems.append(f"{name}: no node has {gpu.gres}")
    for problem in problems:
        say(f"✗ {problem}", "red")
    if problems:
        say_error(
            "Runs cannot be trained there yet.",
            f"Install Batman there with batman clusters setup {clean(profile.name)}, or put the"
            f" profile right with batman clusters edit {clean(profile.name)}.",
        )
        return Exit.WRONG
    say("✓ runs can be trained there", "green")
    return Exit.OK


def _test_folder(site: Site) -> str:
    probe = (
        'mkdir -p -- "$1" && test -w "$1" && for c in tar dd sha256sum find; do command -v $c; done'
    )
    done = site.host.run(["sh", "-c", probe, "sh", site.root])
    if done.code:
        return f"{site.root}: {done.stderr.decode(errors='replace').strip()[:200] or 'no access'}"
    say(f"✓ can write to {site.root}", "green")
    return ""


def _test_python(site: Site) -> str:
    script = 'p=$1; [ -d "$p" ] && p=$p/bin/python; shift; exec "$p" "$@"'
    words = [site.python, "-c", _PROBE, *_MODULES]
    # Where it runs may be a home folder full of scripts that are named as modules are.
    quiet = {"PYTHONSAFEPATH": "1"}
    done = site.host.run(["sh", "-c", script, "sh", *words], timeout=120, env=quiet)
    version, *missing = done.text.split() or [""]
    if done.code or not version:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        return f"{site.python} does not run: {said[-1][:200] if said else 'not found'}"
    if missing:
        return f"{site.python} lacks {', '.join(missing)}: install batman-tui[train] there"
    if tuple(map(int, version.split(".")[:2])) < (3, 11):
        return f"{site.python} is Python {version}; 3.11 is needed"
    say(f"✓ {site.python} can train (Python {version})", "green")
    return ""


def _edit(args: argparse.Namespace) -> int:
    file = profile_file(args.name)
    if not file.is_file():
        load_profile(args.name)  # says which there are
    if args.set:
        profile = _with_settings(load_profile(args.name), args.set)
        save_profile(profile, replace=True)
        say(f"Changed {profile.name}.", "green")
        return Exit.OK
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or shutil.which("nano") or "vi"
    with tempfile.TemporaryDirectory() as folder:
        # A copy, so that the profile stays good until the new one is.
        copy = Path(folder) / file.name
        shutil.copyfile(file, copy)
        code = subprocess.call([*shlex.split(editor), str(copy)])
        if code:
            raise BatmanError(f"The editor ended with code {code}; nothing was changed.")
        try:
            values = parse_toml(copy.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ProfileError(
                f"What was written is no TOML: {clean(str(error))}.", "Nothing was changed."
            ) from None
    save_profile(make_profile({**values, "name": args.name}), replace=True)
    say(f"Changed {args.name}.", "green")
    return Exit.OK


def _with_settings(profile: Profile, settings: Sequence[str]) -> Profile:
    """Return the profile with `name=value` settings; values are TOML, or else text."""
    values: dict[str, Any] = profile.model_dump(exclude_none=True)
    for word in settings:
        name, equals, text = word.partition("=")
        if not equals:
            raise ProfileError(f"'{clean(word)}' sets nothing.", "Write --set account=vision.")
        *path, last = name.strip().split(".")
        place = values
        for part in path:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise ProfileError(f"'{clean(name)}' cannot be set.")
        try:
            value = parse_toml(f"value = {text}")["value"]
        except ParseError:
            value = text
        # TOML takes 10:00:00 for a time of day.
        place[last] = value if isinstance(value, (int, float, list)) else text.strip("\"'")
    return make_profile(values)


def _remove(args: argparse.Namespace) -> int:
    if not profile_file(args.name).is_file():
        load_profile(args.name)  # says which there are
    if not confirm(f"Remove the cluster '{args.name}'?", yes=args.yes):
        return Exit.WRONG
    remove_profile(args.name)
    say(f"Removed {args.name}.")
    return Exit.OK


if __name__ == "__main__":
    sys.exit(run_module("cluster.clusters"))
