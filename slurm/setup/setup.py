"""Setting Batman up on a cluster: an environment with what training needs, checked by a job.

Every environment is a folder of its own, named for what is in it, so nothing that runs is touched;
the profile names a new one only after a job has shown that it works. Every step finds what an
earlier try has done, so the command is simply given again after a break.
"""

from __future__ import annotations

import hashlib
import secrets
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.common.errors import BatmanError
from core.common.errors import Cancelled as WasCancelled
from core.common.folders import cache_dir
from core.common.progress import Cancelled, Progress, Report, never, nothing
from core.common.text import clean, sentence, size
from slurm.hosts import Host, HostError
from slurm.setup.check import TIME_S, Check, Said, judge, run_check
from slurm.setup.install import Install, install_script, run_install, shown
from slurm.setup.look import OLDEST, There, look_there
from slurm.setup.wheel import own_wheel
from slurm.setup.wheelhouse import (
    OVERRIDES,
    build_house,
    compile_command,
    download_command,
    fetch_uv,
)
from slurm.site.discover import Facts
from slurm.site.profiles import Profile, save_profile
from slurm.site.site import Site, expand_paths
from slurm.submit.plan import gpu_table, plan
from slurm.submit.request import JobRequest
from slurm.submit.resources import Resources
from slurm.submit.start_estimate import soonest
from slurm.sync.pack import pack_folder
from slurm.sync.patience import persist
from slurm.sync.upload import send

EXTRA = "train"
NO_GPU = "none"
# Measured: 6.4 GB with torch 2.15 and its CUDA libraries, and some room to unpack them.
_NEEDED = 8 * 1024**3
# Files below this size are sent together: one by one they are all waiting.
_SMALL = 16 * 1024**2

Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What a person chose for a set-up.

    `folder` is where environments go there (empty: `envs` in the profile's workspace), `python`
    the interpreter there (empty: the newest that fits), `offline` whether a wheel house is sent
    (None: if the cluster does not reach the package index), `requirements` what to install instead
    of the extra `train`, `gpu` the type to check with (empty: the one free soonest, `none`: check
    without one), `fresh` makes a new environment even if the same is there.
    """

    folder: str = ""
    python: str = ""
    offline: bool | None = None
    requirements: tuple[str, ...] = ()
    gpu: str = ""
    partition: str = ""
    account: str = ""
    fresh: str = ""


@dataclass(frozen=True)
class Step:
    """A step as it is shown: what it does, and its commands as one would type them."""

    title: str
    commands: tuple[str, ...]
    here: bool = False


@dataclass(frozen=True)
class Setup:
    """A set-up that is planned: what was found there, what will be made, and how it is checked."""

    site: Site
    there: There
    options: Options
    wheel: Path
    env: str
    tools: str
    offline: bool
    bring_uv: bool
    check: Check

    @property
    def python(self) -> str:
        """The interpreter to make the environment with; a version that uv fetches if none fits."""
        return self.there.python.path if self.there.python else "3.12"

    @property
    def gpu(self) -> str:
        """The type of GPU that the check asks for; empty for none."""
        return self.check.resources.gpu


def plan_setup(site: Site, facts: Facts, options: Options) -> Setup:
    """Look at the cluster and return what would be done; nothing is written there.

    Batman's own wheel is made in our cache. Raises BatmanError saying what is missing there.
    """
    host = site.host
    root = setup_root(site, options.folder)
    pythons = [options.python] if options.python else []
    if site.image:
        return _image_setup(site, facts, options, root)
    names = [p + "/bin/python" for p in pythons] + pythons
    there = look_there(host, root, names, site.environment)
    offline = not there.network if options.offline is None else options.offline
    _able(site, there, options, root, offline=offline)
    wheel = own_wheel(cache_dir() / "wheels" / "own")
    digest = hashlib.sha256()
    for part in (
        wheel.read_bytes(), "\n".join(options.requirements).encode(), str(offline).encode(),
        (there.python.path if there.python else "uv").encode(), options.fresh.encode(),
    ):  # fmt: skip
        digest.update(hashlib.sha256(part).digest())
    name = digest.hexdigest()[:16]
    env = f"{root}/{name}"
    # Without an index pip does; with one, only uv leaves out what servers cannot use.
    pip_does = offline and there.python is not None and there.python.pip
    check = Check(
        env=env,
        work=f"{env}.setup",
        token=f"setup-{name}",
        resources=_resources(site, facts, options),
        prelude=tuple(site.profile.prelude),
        environment=site.environment,
    )
    return Setup(
        site=site,
        there=there,
        options=options,
        wheel=wheel,
        env=env,
        tools=f"{root}/tools",
        offline=offline,
        bring_uv=not there.uv and not pip_does,
        check=check,
    )


def _image_setup(site: Site, facts: Facts, options: Options, root: str) -> Setup:
    """Return what is done for an image, which is there: a job checks it, and nothing is made."""
    lines = "\n".join(site.environment.lines())
    done = site.host.run(["sh", "-c", f"{lines}\nexit 0"], timeout=90)
    if lacking := site.environment.said(done.code, done.stderr):
        raise BatmanError(
            f"{sentence(clean(lacking))}.", "Put modules and image right with batman clusters edit."
        )
    token = secrets.token_hex(8)
    check = Check(
        env=site.image,
        work=f"{root}/image-check-{token}.setup",
        token=f"setup-{token}",
        resources=_resources(site, facts, options),
        prelude=tuple(site.profile.prelude),
        environment=site.environment,
        python=site.python,
    )
    there = There(None)
    return Setup(site, there, options, Path(), site.image, "", False, False, check)


def setup_root(site: Site, folder: str = "") -> str:
    """Return the absolute folder on the cluster that environments go to. Raises `HostError`."""
    if not folder:
        folder = site.profile.envs or f"{site.profile.workspace.rstrip('/')}/envs"
    return expand_paths(site.host, [folder])[0]


def plan_facts(setup: Setup) -> list[tuple[str, str]]:
    """Return what would be done in a few words, a name and a text each."""
    there, asked = setup.there, setup.check.resources
    python = there.python
    check = f"on 1 × {asked.gpu}" if asked.gpu else "on a node without a GPU"
    if setup.site.image:
        return [("image", setup.env), ("python", setup.site.python), ("check", check)]
    return [
        ("environment", setup.env),
        ("python", f"{python.path} ({python.short})" if python else "3.12, fetched by uv"),
        ("packages", "fetched here and copied over" if setup.offline else "fetched by the cluster"),
        ("installer", there.uv or ("uv, copied over" if setup.bring_uv else "pip")),
        ("free", "" if there.free is None else size(there.free)),
        ("check", check),
    ]


def steps(setup: Setup) -> list[Step]:
    """Return every step with its commands, each value quoted."""
    there, env = setup.there, setup.env
    checked = (*setup.check.script().splitlines(), shlex.join(setup.check.command()))
    if setup.site.image:
        return [Step("Check it with a job", checked)]
    found: list[Step] = [
        Step("Make Batman's wheel", (f"# {setup.wheel}",), here=True),
    ]
    if setup.offline and there.python is not None:
        cache = cache_dir() / "wheels" / "house"
        wanted, lock = cache / "wanted.txt", cache / "lock.txt"
        compiled = compile_command(there.python, wanted, cache / "overrides.txt", lock)
        fetch = download_command(there.python, lock, cache / "DIGEST", resolved=True)
        found.append(Step("Fetch every package", tuple(shown([compiled, fetch])), here=True))
    if setup.bring_uv and there.python is not None:
        words = download_command(
            there.python, cache_dir() / "wheels" / "uv" / "wanted.txt",
            cache_dir() / "wheels" / "uv", resolved=True,
        )  # fmt: skip
        found.append(Step("Fetch uv", tuple(shown([words])), here=True))
    found.append(Step("Send what is not there yet", (f"# to {_wheels(setup)}/SHA256/",)))
    install = _install(setup, f"{_wheels(setup)}/SHA256/{setup.wheel.name}", (), "UV_WHEEL")
    script = install_script(install, OVERRIDES)
    found.append(Step("Install into a folder of its own", tuple(script.splitlines())))
    found.append(Step("Check it with a job", checked))
    taken = [] if setup.site.shared else [shlex.join(_link_command(setup))]
    found.append(Step("Take it", (*taken, f"# and python = {env!r} in the profile")))
    return found


def run_setup(
    setup: Setup,
    say: Say,
    report: Report = nothing,
    cancelled: Cancelled = never,
) -> Said:
    """Do every step and return what the check job found; the profile names it if all is well.

    `say` hears lines about how it goes, `report` progress with numbers. Raises BatmanError for a
    step that failed, and for a check that did: the profile is then as it was.
    """
    host, there = setup.site.host, setup.there
    files: list[Path] | None = None
    if setup.site.image:
        host.run(["mkdir", "-p", "--", setup.check.work])
    elif not _complete(host, setup.env):
        if setup.offline:
            assert there.python is not None
            files = build_house(
                there.python, _wanted(setup), cache_dir() / "wheels" / "house", report, cancelled
            )
        uv_wheel = ""
        if setup.bring_uv and there.python is not None:
            uv = fetch_uv(there.python, cache_dir() / "wheels" / "uv", cancelled)
            uv_wheel = _send(setup, [uv], report, cancelled)[0]
        wheel = _send(setup, [setup.wheel], report, cancelled)[0]
        sent = () if files is None else (wheel, *_send(setup, files, report, cancelled))
        install = _install(setup, wheel, tuple(sent), uv_wheel)
        script = install_script(install, OVERRIDES)
        say(f"installing in {setup.env}")
        run_install(host, install, script, say, cancelled)
    else:
        say(f"installed already: {setup.env}")
    try:
        said = run_check(host, setup.check, say, cancelled)
    except (HostError, WasCancelled):
        raise
    except BatmanError:
        forget_check(setup)
        raise
    good, bad = judge(said, gpu=setup.gpu)
    if bad:
        forget_check(setup)
        raise BatmanError(
            f"The environment does not work there. {' '.join(bad)}",
            "The profile is as it was. " + ("What works: " + " ".join(good) if good else ""),
        )
    if not setup.site.image:
        take(setup)
    return said


def take(setup: Setup) -> Profile:
    """Make the profile name the environment, and `env` in the workspace lead to it."""
    profile = setup.site.profile.model_copy(update={"python": setup.env})
    save_profile(profile, replace=True)
    if not setup.site.shared:
        setup.site.host.run(_link_command(setup))
    return profile


def forget_check(setup: Setup) -> None:
    """Remove what a check left, so that the next try makes another."""
    check = setup.check
    setup.site.host.run(["rm", "-rf", "--", check.marker, check.result])


def others(setup: Setup) -> list[str]:
    """Return the other environments there, which nobody removes but the person."""
    root = setup.env.rpartition("/")[0]
    script = 'cd -- "$1" && for d in */; do [ -f "$d/.complete" ] && echo "${d%/}"; done'
    done = setup.site.host.run(["sh", "-c", script, "sh", root])
    return [f"{root}/{name}" for name in done.text.split() if f"{root}/{name}" != setup.env]


def _able(site: Site, there: There, options: Options, root: str, *, offline: bool) -> None:
    """Raise BatmanError for what is missing there."""
    name = clean(site.name)
    if not there.writable:
        raise BatmanError(
            f"Nothing can be written to {clean(root)} on {name}.", "Choose another with --folder."
        )
    if there.free is not None and there.free < _NEEDED and not options.requirements:
        raise BatmanError(
            f"{size(there.free)} are free at {clean(root)} on {name}, and about"
            f" {size(_NEEDED)} are needed.",
            "Choose another place with --folder, or make room.",
        )
    oldest = ".".join(map(str, OLDEST))
    if there.python is None and (offline or not there.uv or options.python):
        old = f" It has {', '.join(map(clean, there.too_old))}." if there.too_old else ""
        raise BatmanError(
            f"There is no Python {oldest} or later on {name}.{old}",
            "Load one by a line of the profile's prelude, such as 'module load python/3.11'"
            " (batman clusters show lists modules), or name it with --python.",
        )


def _resources(site: Site, facts: Facts, options: Options) -> Resources:
    """Return what the check job asks for: one GPU for a few minutes, or none."""
    profile, table = site.profile, gpu_table(site.profile, facts)
    request = JobRequest(
        gpu=options.gpu, memory="4G", cpus=1, partition=options.partition, account=options.account
    )
    if options.gpu == NO_GPU or not table:
        profile = profile.model_copy(update={"gpus": {}})
        facts, request = replace(facts, nodes=()), replace(request, gpu="")
    elif not options.gpu and len(table) > 1:
        rows = soonest(site.host, profile, request, facts)
        able = [row.gpu for row in rows if row.start is not None]
        request = replace(request, gpu=able[0] if able else next(iter(table)))
    resources = plan(profile, request, facts)
    seconds = TIME_S if resources.time_s is None else min(TIME_S, resources.time_s)
    return replace(resources, time_s=seconds)


def _wanted(setup: Setup) -> list[str]:
    """Return the requirement lines that a wheel house is built for."""
    if setup.options.requirements:
        return list(setup.options.requirements)
    return [f"batman-tui[{EXTRA}] @ {setup.wheel.as_uri()}"]


def _install(setup: Setup, wheel: str, files: tuple[str, ...], uv_wheel: str) -> Install:
    return Install(
        env=setup.env,
        tools=setup.tools,
        python=setup.python,
        uv=setup.there.uv,
        wheel=wheel,
        extras=EXTRA,
        requirements=() if setup.offline else setup.options.requirements,
        files=(files or (wheel,)) if setup.offline else None,
        uv_wheel=uv_wheel if setup.bring_uv else "",
        before=tuple(setup.site.environment.lines()),
    )


def _wheels(setup: Setup) -> str:
    return f"{setup.env.rpartition('/')[0]}/wheels"


def _send(setup: Setup, files: Sequence[Path], report: Report, cancelled: Cancelled) -> list[str]:
    """Send files into folders named for their content; return their places there, in order.

    Large ones go by themselves, so that a change of one does not send the others again.
    """
    host: Host = setup.site.host
    small = {file for file in files if file.stat().st_size < _SMALL}
    groups = [{file} for file in files if file not in small] + ([small] if small else [])
    total = sum(file.stat().st_size for file in files)
    places: dict[Path, str] = {}
    done = 0
    for group in groups:
        names = {file.name for file in group}
        folder = next(iter(group)).parent
        pack = pack_folder(folder, lambda name, n=names: name in n, top_only=True)  # type: ignore[misc]
        target = f"{_wheels(setup)}/{pack.digest[:32]}"

        def told(at: Progress, before: int = done) -> None:
            if at.stage.startswith("sending"):
                report(Progress("sending packages", min(before + at.done, total), total))

        send(host, pack, target, "packages", told, cancelled)
        done += sum(file.stat().st_size for file in group)
        places |= {file: f"{target}/{file.name}" for file in group}
    report(Progress("sending packages", total, total))
    return [places[file] for file in files]


def _complete(host: Host, env: str) -> bool:
    return persist(lambda: host.size(f"{env}/.complete"), never) is not None


def _link_command(setup: Setup) -> list[str]:
    """Return the command that makes WORKSPACE/env lead to the environment, in one step.

    A folder of that name, which somebody made by hand, is left alone.
    """
    script = (
        '[ -d "$2" ] && [ ! -L "$2" ] && exit 0; '
        'ln -sfn -- "$1" "$2.new" && mv -Tf -- "$2.new" "$2"'
    )
    return ["sh", "-c", script, "sh", setup.env, f"{setup.site.root}/env"]
