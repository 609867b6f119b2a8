"""`batman clusters`: adding, showing, testing, editing and removing the clusters one trains on."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cli.answers.printing import say_json, words_to
from cli.common import confirm, workspace_of
from cli.connect import Terminal, site_for
from cli.exits import Exit
from cli.output import say, say_error, say_note, say_pairs, say_table
from cli.parser import BatmanParser
from core.common.errors import BatmanError
from core.common.parse import ParseError, parse_toml
from core.common.text import clean, shell_word, size
from slurm.hosts import Host, HostError
from slurm.setup.files import try_files
from slurm.site.discover import Facts, discover
from slurm.site.partitions import partition_words
from slurm.site.profile_files import profile_file
from slurm.site.profiles import (
    EXAMPLE_GPUS,
    Profile,
    ProfileError,
    load_profile,
    make_profile,
    remove_profile,
    save_profile,
    to_toml,
)
from slurm.site.site import Site, open_host
from slurm.site.slurm_values import format_duration
from slurm.site.suggest import free_of, nodes_of, out_of_reach
from slurm.submit.plan import gpu_table
from slurm.submit.start_estimate import suggest_accepted

_SETTINGS = ("via", "workspace", "python", "image", "envs", "account", "qos", "time")
_ABOUT = {
    "via": "ssh to go through the system's ssh, for Kerberos or a master that is open",
    "workspace": "our folder there, which the nodes see",
    "python": "interpreter or environment there that has batman-tui[train]",
    "image": "Apptainer image there that Python runs in; --python is then its name in there",
    "envs": "folder there that setup makes environments in (default: WORKSPACE/envs)",
    "account": "account to charge",
    "qos": "quality of service",
    "time": "time limit asked for where none is chosen",
}


def fill_add(add: BatmanParser) -> None:
    """Give the parser of `add` its options."""
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
    add.add_argument(
        "--module", dest="modules", action="append", metavar="NAME",
        help="module to load before Python runs, such as python/3.11; may be given several times",
    )  # fmt: skip
    add.add_argument(
        "--bind", dest="binds", action="append", metavar="DIR",
        help="further folder that is seen in the image; may be given several times",
    )  # fmt: skip
    table = add.add_mutually_exclusive_group()
    table.add_argument(
        "--example", action="store_true", help="begin with an example GPU table; ask nobody"
    )
    table.add_argument("--no-ask", action="store_true", help="add it without connecting")


def add(args: argparse.Namespace) -> int:
    """Add a cluster, and ask it for its GPUs. Returns the exit code."""
    values: dict[str, Any] = {"name": args.name, "host": args.host}
    listed = (*_SETTINGS, "prelude", "modules", "binds")
    values |= {name: getattr(args, name) for name in listed if getattr(args, name)}
    profile = make_profile(values)
    if profile_file(profile.name).exists():
        save_profile(profile)  # says that it is there
    if args.example:
        profile = profile.model_copy(update={"gpus": dict(EXAMPLE_GPUS)})
    elif not args.no_ask:
        profile, host, facts = _reach(profile)
        profile, doubts = suggest_accepted(
            host, profile, facts, keep_workspace=bool(args.workspace)
        )
        _say_facts(profile, facts)
        for gpu, why in doubts.items():
            say(f"{gpu}: SLURM would not take a job for it now: {why}", "yellow")
    file = save_profile(profile)
    say(f"Added {profile.name}: {file}", "green")
    name = shell_word(profile.name)
    say(f"Install Batman there with: batman clusters setup {name}", "dim")
    say(f"Or name an environment that has it, and check: batman clusters test {name}", "dim")
    if args.json:
        say_json({"profile": profile.model_dump(mode="json"), "file": str(file)})
    return Exit.OK


def _reach(profile: Profile) -> tuple[Profile, Host, Facts]:
    """Ask the cluster what it has; by the system's ssh where that can do what we cannot."""
    host = open_host(profile, Terminal())
    try:
        return profile, host, discover(host)
    except HostError as error:
        why = getattr(error, "by_ssh", "")  # of a LoginFailed, whose module loads paramiko
        if not why:
            raise
        say_note(f"{error.message}\n{why}: trying the system's ssh, as --via ssh does.")
    profile = profile.model_copy(update={"via": "ssh"})
    host = open_host(profile, Terminal())
    return profile, host, discover(host)


def show(args: argparse.Namespace) -> int:
    """Show a cluster, and what it has now. Returns the exit code."""
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
                    "partitions": [
                        {
                            "name": p.name,
                            "time_limit": p.time_limit,
                            "up": p.up,
                            "default": p.default,
                            "hidden": p.hidden,
                            "priority": p.priority,
                            "why_closed": facts.person.why_closed(p, profile.account, profile.qos),
                        }
                        for p in facts.partitions.values()
                    ],
                    "features": facts.features(),
                    "gpus": _gpu_rows(profile, facts),
                },
            }
        )
        return Exit.OK
    words_to().write("\n".join(map(clean, to_toml(profile).splitlines())) + "\n\n")
    if facts is not None:
        _say_facts(profile, facts)
    return Exit.OK


def _gpu_rows(profile: Profile, facts: Facts) -> list[dict[str, Any]]:
    rows = []
    for name, gpu in gpu_table(profile, facts).items():
        nodes = nodes_of(facts, gpu, gpu.partition)
        free, total = free_of(nodes, gpu)
        limit = facts.limit(gpu.partition) or gpu.time_s
        rows.append(
            {
                "gpu": name,
                "partition": gpu.partition,
                "free": free,
                "total": total,
                "nodes": len(nodes),
                "per_node": gpu.max_per_node or None,
                "time_limit": None if limit is None else format_duration(limit),
                "gpu_memory": gpu.gpu_memory or None,
                "memory": gpu.memory or None,
                "batch": gpu.batch,
            }
        )
    return rows


def _say_facts(profile: Profile, facts: Facts) -> None:
    rows = _gpu_rows(profile, facts)
    if rows:
        say_table([title.replace("_", " ") for title in rows[0]], [list(r.values()) for r in rows],
                  right=("free", "total", "nodes", "per node", "gpu memory", "batch"))  # fmt: skip
        say()
    account, qos, person = profile.account, profile.qos, facts.person
    limits = [
        partition_words(p, person.why_closed(p, account, qos)) for p in facts.partitions.values()
    ]
    closed = out_of_reach(facts, account, qos)
    say_pairs(
        [
            ("slurm", facts.version),
            ("partitions", ", ".join(limits)),
            ("features", ", ".join(map(clean, facts.features()))),
            ("not for you", "; ".join(f"{kind}: {why}" for kind, why in closed.items())),
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


def test(args: argparse.Namespace) -> int:
    """Check that runs can be trained there. Returns the exit code."""
    profile = load_profile(args.name)
    site = site_for(profile, workspace_of(args))
    facts = discover(site.host)
    passed: list[str] = []

    def well(text: str) -> None:
        passed.append(text)
        say(f"✓ {text}", "green")

    well(f"connected to {profile.host or 'this machine'}; SLURM {facts.version}")
    problems = [p for p in (_test_folder(site, well), _test_python(site, well)) if p]
    for name, gpu in gpu_table(profile, facts).items():
        kind = gpu.kind
        if gpu.partition not in ("", *facts.partitions):
            problems.append(f"{name}: there is no partition {gpu.partition}")
        elif gpu.gres and kind in facts.gpu_types() and not facts.nodes_with(kind, gpu.partition):
            problems.append(f"{name}: the partition {gpu.partition} has no {gpu.gres}")
        elif gpu.gres and kind not in facts.gpu_types():
            problems.append(f"{name}: no node has {gpu.gres}")
        elif gpu.gres and facts.nodes and not nodes_of(facts, gpu, gpu.partition):
            problems.append(f"{name}: no node with {gpu.gres} has {gpu.constraint}")
    for problem in problems:
        say(f"✗ {problem}", "red")
    if args.json:
        say_json({"cluster": profile.name, "passed": passed, "problems": problems})
    if problems:
        say_error(
            "Runs cannot be trained there yet.",
            f"Install Batman there with batman clusters setup {shell_word(profile.name)}, or put"
            f" the profile right with batman clusters edit {shell_word(profile.name)}.",
        )
        return Exit.WRONG
    say("✓ runs can be trained there", "green")
    return Exit.OK


def _test_folder(site: Site, well: Callable[[str], None]) -> str:
    probe = (
        'mkdir -p -- "$1" && test -w "$1" && for c in tar dd sha256sum find; do command -v $c; done'
    )
    done = site.host.run(["sh", "-c", probe, "sh", site.root])
    if done.code:
        return f"{site.root}: {done.stderr.decode(errors='replace').strip()[:200] or 'no access'}"
    try:
        way = try_files(site.host, site.root)
    except HostError as error:
        return f"{error.message} {error.hint}"
    well(f"can write to {site.root}; {way}")
    return ""


def _test_python(site: Site, well: Callable[[str], None]) -> str:
    script = "\n".join(site.environment.lines())
    words = [site.python, "-c", _PROBE, *_MODULES]
    if site.image:
        script += f'\nshift\nexec {site.environment.inside(site.python, [], gpu=False)} "$@"'
    else:
        script += '\np=$1; [ -d "$p" ] && p=$p/bin/python; shift; exec "$p" "$@"'
    # Where it runs may be a home folder full of scripts that are named as modules are.
    quiet = {"PYTHONSAFEPATH": "1"}
    done = site.host.run(["sh", "-c", script, "sh", *words], timeout=120, env=quiet)
    if lacking := site.environment.said(done.code, done.stderr):
        return f"{lacking}: put modules and image right with batman clusters edit"
    version, *missing = done.text.split() or [""]
    if done.code or not version:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        return f"{site.python} does not run: {said[-1][:200] if said else 'not found'}"
    if missing:
        return f"{site.python} lacks {', '.join(missing)}: install batman-tui[train] there"
    if tuple(map(int, version.split(".")[:2])) < (3, 11):
        return f"{site.python} is Python {version}; 3.11 is needed"
    well(f"{site.python} can train (Python {version})")
    return ""


def edit(args: argparse.Namespace) -> int:
    """Change a cluster, in $EDITOR or by --set. Returns the exit code."""
    file = profile_file(args.name)
    if not file.is_file():
        load_profile(args.name)  # says which there are
    if args.set:
        profile = _with_settings(load_profile(args.name), args.set)
        save_profile(profile, replace=True)
        return _say_changed(args, profile)
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
    profile = make_profile({**values, "name": args.name})
    save_profile(profile, replace=True)
    return _say_changed(args, profile)


def _say_changed(args: argparse.Namespace, profile: Profile) -> int:
    say(f"Changed {profile.name}.", "green")
    if args.json:
        file = str(profile_file(profile.name))
        say_json({"profile": profile.model_dump(mode="json"), "file": file})
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


def remove(args: argparse.Namespace) -> int:
    """Remove a cluster's profile. Returns the exit code."""
    if not profile_file(args.name).is_file():
        load_profile(args.name)  # says which there are
    if not confirm(f"Remove the cluster '{args.name}'?", yes=args.yes):
        return Exit.WRONG
    remove_profile(args.name)
    say(f"Removed {args.name}.")
    if args.json:
        say_json({"removed": args.name})
    return Exit.OK
