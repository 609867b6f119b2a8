"""`batman clusters setup`: install Batman on a cluster, and have a job check that it works."""

from __future__ import annotations

import argparse
import secrets
from pathlib import Path

from cli.answers.printing import say_json
from cli.common import add_workspace, workspace_of
from cli.connect import site_for
from cli.exits import Exit
from cli.output import say, say_pairs
from cli.parser import BatmanParser
from cli.progress import Stages
from core.common.errors import BatmanError
from core.common.text import clean
from slurm.setup.check import judge, summary
from slurm.setup.setup import (
    NO_GPU,
    Options,
    Setup,
    others,
    plan_facts,
    plan_setup,
    run_setup,
    steps,
)
from slurm.site.discover import discover
from slurm.site.profiles import load_profile


def fill_setup(setup: BatmanParser) -> None:
    """Give the parser of `setup` its options."""
    setup.add_argument("name", metavar="NAME", help="cluster")
    setup.add_argument(
        "--folder", default="", metavar="DIR",
        help="folder there for environments (default: the profile's envs, or WORKSPACE/envs)",
    )  # fmt: skip
    setup.add_argument(
        "--python", default="", metavar="FILE", help="Python there to build on (default: found)"
    )
    way = setup.add_mutually_exclusive_group()
    way.add_argument(
        "--offline", action="store_true",
        help="fetch every package here and copy it over (default: if the cluster has no network)",
    )  # fmt: skip
    way.add_argument("--online", action="store_true", help="have the cluster fetch the packages")
    setup.add_argument(
        "--requirements", type=Path, metavar="FILE",
        help="install what this file lists instead of the usual packages, such as another torch",
    )  # fmt: skip
    gpu = setup.add_mutually_exclusive_group()
    gpu.add_argument(
        "--gpu", default="", metavar="TYPE", help="GPU to check with (default: the one free first)"
    )
    gpu.add_argument("--no-gpu", action="store_true", help="check without a GPU")
    setup.add_argument("--partition", default="", metavar="NAME", help="partition for the check")
    setup.add_argument("--account", default="", metavar="NAME", help="account for the check")
    setup.add_argument(
        "--fresh", action="store_true", help="make a new environment, even if it is there already"
    )
    setup.add_argument(
        "--dry-run", action="store_true", help="print every step and its commands; change nothing"
    )
    add_workspace(setup)


def set_up(args: argparse.Namespace) -> int:
    """Install Batman on a cluster and check it with a job. Returns the exit code."""
    profile = load_profile(args.name)
    site = site_for(profile, workspace_of(args))
    facts = discover(site.host)
    setup = plan_setup(site, facts, _options(args))
    if args.dry_run:
        _say_steps(setup, as_json=args.json)
        return Exit.OK
    if not args.json:
        say_pairs(plan_facts(setup))
    with Stages(quiet=args.json) as show:
        said = run_setup(
            setup,
            lambda line: None if args.json else say(line, "dim"),
            lambda at: show(at.stage, at.done, at.total),
        )
    if args.json:
        say_json({"environment": setup.env, **summary(said)})
        return Exit.OK
    for line in judge(said, gpu=setup.gpu)[0]:
        say(f"✓ {line}", "green")
    say(f"✓ {profile.name} trains with {setup.env} from now on.", "green")
    old = others(setup)
    if old:
        say(f"Earlier environments, for runs that still use them: {', '.join(old)}", "dim")
    return Exit.OK


def _options(args: argparse.Namespace) -> Options:
    requirements: tuple[str, ...] = ()
    if args.requirements is not None:
        try:
            text = args.requirements.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BatmanError(
                f"'{clean(str(args.requirements))}' cannot be read: {clean(str(error))}."
            ) from None
        lines = (line.strip() for line in text.splitlines())
        requirements = tuple(line for line in lines if line and not line.startswith("#"))
        if not requirements:
            raise BatmanError(f"'{clean(str(args.requirements))}' lists nothing.")
    return Options(
        folder=args.folder,
        python=args.python,
        offline=True if args.offline else False if args.online else None,
        requirements=requirements,
        gpu=NO_GPU if args.no_gpu else args.gpu,
        partition=args.partition,
        account=args.account,
        fresh=secrets.token_hex(4) if args.fresh else "",
    )


def _say_steps(setup: Setup, *, as_json: bool) -> None:
    if as_json:
        say_json(
            {
                "steps": [
                    {"title": step.title, "on": "here" if step.here else setup.site.name,
                     "commands": list(step.commands)}
                    for step in steps(setup)
                ]
            }
        )  # fmt: skip
        return
    for number, step in enumerate(steps(setup), 1):
        say(f"{number}. {step.title} ({'here' if step.here else setup.site.name})", "bold")
        for line in step.commands:
            say(f"   {line}")
