"""Cluster profiles: what a person knows about a cluster, one TOML file each in their config folder.

A profile says how the cluster is reached, where Batman may write there, and what to ask for to get
each type of GPU. Everything has a default; a cluster's own tools tell the rest (`discover`).
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from core.common.errors import BadName, BatmanError
from core.common.files import read_plain, safe_name, write_atomic
from core.common.parse import parse_toml
from core.common.text import clean, did_you_mean, sentence, shell_word
from slurm.site.features import feature_names
from slurm.site.gpu_kinds import kind_of
from slurm.site.profile_files import list_profiles, profile_file
from slurm.site.slurm_values import parse_duration, parse_memory

# Administrators ask for no more than a look every 15 seconds; see docs.
LEAST_POLL_S = 15.0


class ProfileError(BatmanError):
    """A cluster profile that is missing, exists already, or holds something wrong."""


def _no_control(value: str) -> str:
    if any(ord(char) < 32 or ord(char) == 127 for char in value):
        raise ValueError("control characters and line ends cannot stand here")
    return value.strip()


class GpuType(BaseModel):
    """How one type of GPU is asked for.

    `gres` is SLURM's name without a count (`gpu:h100-96`; empty: no GPU is asked for), `memory` is
    a node's share (`256G`; empty: the cluster's default), `time` the partition's limit, `batch` the
    batch size that fits, `max_per_node` the most that one node has (0: not known). `constraint` are
    features of its nodes, for clusters whose GPUs are told apart by those, and `gpu_memory` is one
    GPU's memory in GB (0: not known). Of `mps` and `shard` (`shard:a100`), `share` is how many a
    job asks for of one GPU's, which are `max_per_node` then.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    gres: str = ""
    partition: str = ""
    memory: str = ""
    time: str = ""
    batch: Annotated[int, Field(ge=1, le=65_536)] | None = None
    max_per_node: int = Field(default=0, ge=0, le=65_536)
    constraint: str = ""
    gpu_memory: int = Field(default=0, ge=0, le=4096)
    share: int = Field(default=1, ge=1, le=65_536)

    _plain = field_validator("gres", "partition", "memory", "time", "constraint")(_no_control)

    @field_validator("constraint")
    @classmethod
    def _features(cls, value: str) -> str:
        feature_names(value or "x")
        return value

    @field_validator("memory")
    @classmethod
    def _a_size(cls, value: str) -> str:
        if value and parse_memory(value) is None:
            raise ValueError(f"'{clean(value)}' is no amount of memory: write 64G")
        return value

    @field_validator("time")
    @classmethod
    def _a_time(cls, value: str) -> str:
        if value:
            parse_time(value)
        return value

    @property
    def kind(self) -> str:
        """What nodes call it: `a100` of `gpu:a100`, and `shard:a100` of itself."""
        return kind_of(self.gres)

    @property
    def memory_mb(self) -> int | None:
        """The memory in MiB, None where none is named."""
        return parse_memory(self.memory)

    @property
    def time_s(self) -> int | None:
        """The time limit in seconds, None where there is none or it is not known."""
        return parse_duration(self.time) if self.time else None


class Profile(BaseModel):
    """A cluster.

    `host` is where its commands run: empty or `local` for this machine (a login node), else as for
    `ssh` (an alias, `user@host`). `via` is how it is reached: empty by a connection of ours, `ssh`
    by the system's `ssh`, for Kerberos and masters that are open. `prelude` are shell lines to run
    before anything of ours there, such as `module load slurm`. `workspace` is our folder there, on
    a file system that the nodes see; `~` and variables such as `$SCRATCH` are the cluster's.
    `python` is the interpreter or environment that has Batman's `train` extra there, and `envs` the
    folder that `batman clusters setup` makes environments in. `modules` are loaded before Python
    runs, `image` is the Apptainer image that it runs in (`python` is then its name in there) and
    `binds` are further folders that are seen in the image. `signal_seconds` before the time
    limit a run is told to write its checkpoint, and `time` is the limit asked for where none is
    chosen. `gpu_option` is by which option of sbatch GPUs are asked for; some sites take one only.
    `sbatch` are further options, each one word such as `--exclude=n3`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    name: str
    host: str = ""
    via: Literal["", "ssh"] = ""
    prelude: list[str] = Field(default_factory=list)
    workspace: str = "~/batman"
    python: str = ""
    envs: str = ""
    modules: list[str] = Field(default_factory=list)
    image: str = ""
    binds: list[str] = Field(default_factory=list)
    account: str = ""
    qos: str = ""
    time: str = "24:00:00"
    cpus_per_gpu: int = Field(default=8, ge=1, le=1024)
    gpu_option: Literal["gres", "gpus", "gpus-per-node"] = "gres"
    sbatch: list[str] = Field(default_factory=list)
    signal_seconds: int = Field(default=120, ge=5, le=65535)
    poll_seconds: float = Field(default=20.0, ge=LEAST_POLL_S, le=3600)
    gpus: dict[str, GpuType] = Field(default_factory=dict)

    _plain = field_validator("host", "workspace", "python", "envs", "image", "account", "qos")(
        _no_control
    )

    @field_validator("modules")
    @classmethod
    def _module_names(cls, values: list[str]) -> list[str]:
        for value in values:
            if not re.fullmatch(r"[A-Za-z0-9][\w.+/-]*", value, re.ASCII):
                raise ValueError(f"'{clean(value)}' is no module: write python/3.11")
        return values

    @field_validator("binds")
    @classmethod
    def _folders(cls, values: list[str]) -> list[str]:
        for value in values:
            _no_control(value)
            if not value.startswith("/"):
                raise ValueError(f"'{clean(value)}' is no absolute path to be seen in the image")
        return values

    @field_validator("name")
    @classmethod
    def _a_name(cls, value: str) -> str:
        try:
            return safe_name(value)
        except BadName as error:
            raise ValueError(error.message.rstrip(".")) from None

    @field_validator("time")
    @classmethod
    def _a_time(cls, value: str) -> str:
        parse_time(value)
        return value

    @field_validator("sbatch")
    @classmethod
    def _options(cls, values: list[str]) -> list[str]:
        for value in values:
            check_sbatch_option(value)
        return values

    @property
    def is_local(self) -> bool:
        """Whether its commands run on this machine."""
        return self.host in ("", "local")


def parse_time(text: str) -> int | None:
    """Return seconds from `10h`, `90m`, `2d`, `3d12h` or any of SLURM's forms; None for no limit.

    Raises `ValueError` that says how to write it.
    """
    short = re.fullmatch(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text.strip().lower())
    if short and any(short.groups()):
        days, hours, minutes, seconds = (int(part or 0) for part in short.groups())
        return days * 86400 + hours * 3600 + minutes * 60 + seconds
    try:
        return parse_duration(text)
    except ValueError:
        raise ValueError(f"'{clean(text)}' is no time: write 10h, 90m, 2d or 10:00:00") from None


# What the script says itself; a second one would change what Batman relies on.
_OURS = (
    "array", "comment", "error", "job-name", "no-requeue", "open-mode", "output", "parsable",
    "requeue", "signal", "test-only", "wait", "wrap",
)  # fmt: skip


def check_sbatch_option(option: str) -> str:
    """Return `option` if it can be handed to sbatch. Raises `ValueError`."""
    match = re.fullmatch(r"--([a-z][a-z0-9-]*)(=.*)?", option, re.DOTALL)
    if match is None:
        raise ValueError(f"'{clean(option)}' is no option of sbatch: write --name=value")
    if match.group(1) in _OURS:
        raise ValueError(f"--{match.group(1)} is given by Batman itself")
    _no_control(option)
    return option


# The table of the cluster that the original tool was made for: an example, since every cluster
# differs. GRES name, default batch, memory asked for, partition, its limit, most GPUs a node.
EXAMPLE_GPUS: Mapping[str, GpuType] = {
    name: GpuType(
        gres=f"gpu:{gres}", partition=partition, memory=memory, time=time, batch=batch,
        max_per_node=most,
    )
    for name, gres, batch, memory, partition, time, most in (
        ("h200", "h200-141", 16, "256G", "gpu", "3:00:00", 4),
        ("h100-96", "h100-96", 16, "256G", "gpu-long", "3-00:00:00", 2),
        ("h100-47", "h100-47", 12, "256G", "gpu-long", "3-00:00:00", 4),
        ("a100-80", "a100-80", 12, "128G", "gpu-long", "3-00:00:00", 1),
        ("a100-40", "a100-40", 8, "64G", "gpu-long", "3-00:00:00", 2),
        ("nv", "nv", 4, "32G", "gpu-long", "3-00:00:00", 2),
    )
}  # fmt: skip


def load_profile(name: str) -> Profile:
    """Return the profile `name`. Raises `ProfileError` naming the nearest, or what is wrong."""
    try:
        path = profile_file(name)
        values = parse_toml(read_plain(path).decode())
    except BadName as error:  # a file that somebody else put there
        raise ProfileError(error.message, error.hint) from None
    except FileNotFoundError:
        known = list_profiles()
        guess = did_you_mean(name, known)
        raise ProfileError(
            f"There is no cluster '{clean(name)}'.",
            sentence(guess) or (f"There are: {', '.join(map(clean, known))}." if known else
                                   "Add it with batman clusters add."),
        ) from None  # fmt: skip
    except (OSError, ValueError) as error:
        raise ProfileError(
            f"'{clean(str(path))}' cannot be read: {clean(str(error))}.",
            f"Put it right with batman clusters edit {shell_word(name)}.",
        ) from None
    return make_profile({**values, "name": path.stem})


def make_profile(values: Mapping[str, Any]) -> Profile:
    """Return a profile of `values`. Raises `ProfileError` that names each wrong one."""
    try:
        return Profile.model_validate(dict(values))
    except ValidationError as error:
        problems = []
        for item in error.errors():
            where = ".".join(str(part) for part in item["loc"])
            if item["type"] == "extra_forbidden":
                known = GpuType.model_fields if len(item["loc"]) > 1 else Profile.model_fields
                text = "unknown entry; " + did_you_mean(str(item["loc"][-1]), known)
            else:
                text = str(item["msg"]).removeprefix("Value error, ")
            problems.append(f"{clean(where)}: {text.rstrip('; ')}")
    raise ProfileError(
        f"The cluster '{clean(str(values.get('name', '')))}': {'; '.join(problems)}.",
        "Put it right with batman clusters edit.",
    )


def save_profile(profile: Profile, *, replace: bool = False) -> Path:
    """Write the profile and return its file. Raises `ProfileError` when there is one already."""
    path = profile_file(profile.name)
    if path.exists() and not replace:
        raise ProfileError(
            f"There is a cluster '{clean(profile.name)}' already.",
            f"Change it with batman clusters edit {shell_word(profile.name)}, or remove it first.",
        )
    write_atomic(path, to_toml(profile))
    return path


def remove_profile(name: str) -> None:
    """Remove the profile `name`. Raises `ProfileError` when there is none."""
    path = profile_file(name)
    if not path.is_file():
        load_profile(name)  # says which there are
    path.unlink()


def choose_profile(name: str | None) -> Profile | None:
    """Return the profile called `name`; without a name the only one there is, None if none is.

    Raises `ProfileError` when there are several to choose from.
    """
    if name is not None:
        return load_profile(name)
    known = list_profiles()
    if len(known) > 1:
        raise ProfileError(
            "There are several clusters.", f"Choose by --cluster: {', '.join(map(clean, known))}."
        )
    return load_profile(known[0]) if known else None


# What the login node that we are on is called where nobody has made a profile for it.
HERE = "here"


def profile_for(name: str | None) -> Profile:
    """Return the chosen cluster, or the only one; on a login node without a profile, this machine.

    Raises BatmanError that says how to add one.
    """
    if name == HERE and HERE not in list_profiles():
        return Profile(name=HERE)
    profile = choose_profile(name)
    if profile is not None:
        return profile
    if shutil.which("sbatch"):
        return Profile(name=HERE)
    raise BatmanError(
        "No cluster is known, and there is no SLURM on this machine.",
        "Add one with batman clusters add NAME --host user@login.node.",
    )


def to_toml(profile: Profile) -> str:
    """Return the profile as TOML, every entry with what it means."""
    lines = []
    for name, help_ in _HELP.items():
        lines += [f"# {help_}", f"{name} = {_toml(getattr(profile, name))}"]
    lines += ["", "# How each type of GPU is asked for."]
    for kind, gpu in profile.gpus.items():
        lines.append(f"[gpus.{_toml(kind)}]")
        lines += [
            f"{name} = {_toml(value)}" for name, value in gpu.model_dump(exclude_none=True).items()
        ]
    return "\n".join(lines) + "\n"


_HELP = {
    "host": "SSH host (an alias of ~/.ssh/config, user@host); empty: this machine",
    "via": "empty: our own SSH; ssh: the system's, for Kerberos or an open master",
    "workspace": "our folder there, on a file system that the nodes see",
    "python": "interpreter or environment with batman-tui[train]; empty: WORKSPACE/env, or ours",
    "modules": 'modules to load before Python runs, such as ["python/3.11", "cuda/12.4"]',
    "image": "Apptainer image that Python runs in; python is then its name in there",
    "binds": "further folders that are seen in the image",
    "envs": "folder that setup makes environments in; empty: WORKSPACE/envs",
    "prelude": "shell lines to run before anything of ours there",
    "account": "account to charge; empty: the cluster's default",
    "qos": "quality of service; empty: the cluster's default",
    "time": "time limit asked for where none is chosen, cut to the partition's",
    "cpus_per_gpu": "CPUs for each GPU",
    "gpu_option": "option that asks for GPUs: gres, gpus or gpus-per-node; sites may take one only",
    "sbatch": 'further options of sbatch, such as ["--exclude=n3"]',
    "signal_seconds": "seconds before the limit in which a run writes its checkpoint",
    "poll_seconds": f"seconds between two looks at the queue, {LEAST_POLL_S:g} at least",
}


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    # JSON's strings and numbers are TOML's, but for DEL, which TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
