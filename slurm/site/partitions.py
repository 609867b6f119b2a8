"""Partitions: who may use them, what they give, and which of them the cluster would rather have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from core.common.text import clean, whole_number
from slurm.site.slurm_values import format_duration

# slurm.conf(5): root may use a partition whatever its groups are.
_ROOT = "root"


@dataclass(frozen=True)
class Partition:
    """A partition: its time limit in seconds (None: none), and whether it takes jobs.

    `hidden` is one that SLURM's commands do not list, `priority` its tier: jobs of a higher one go
    first. `max_nodes` is how many nodes a job may have (None: any number). `groups`, `accounts` and
    `qos` are those that may use it (empty: all), `no_accounts` and `no_qos` those that may not.
    """

    name: str
    time_limit: int | None
    up: bool = True
    default: bool = False
    hidden: bool = False
    priority: int = 1
    max_nodes: int | None = None
    root_only: bool = False
    groups: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    no_accounts: tuple[str, ...] = ()
    qos: tuple[str, ...] = ()
    no_qos: tuple[str, ...] = ()

    def gives(self, seconds: int | None) -> bool:
        """Return whether a job may run so long there."""
        return seconds is None or self.time_limit is None or seconds <= self.time_limit


@dataclass(frozen=True)
class Person:
    """Who we are on a cluster; what is empty is not known, and forbids nothing.

    `accounts` maps each account to its default quality of service, `above` each account to the
    one that it is part of.
    """

    user: str = ""
    groups: tuple[str, ...] = ()
    account: str = ""
    accounts: Mapping[str, str] = field(default_factory=dict)
    above: Mapping[str, str] = field(default_factory=dict)

    def why_closed(self, partition: Partition, account: str = "", qos: str = "") -> str:
        """Return why our jobs do not run in a partition, as what it says of it; empty if they may.

        `account` and `qos` are what a job asks for; without them it has the person's own. SLURM
        takes jobs of the wrong account or quality of service (and `sbatch --test-only` says when
        they would start), and lets them wait for ever (seen with 22.05.8).
        """
        if not partition.up:
            return "takes no jobs now"
        if self.user and self.user != _ROOT:
            if partition.root_only:
                return "is for administrators only"
            if partition.groups and self.groups and not set(self.groups) & set(partition.groups):
                return f"is for {_named('group', partition.groups)} only"
        account = account or self.account
        qos = qos or self.accounts.get(account, "")
        for kind, own, allowed, denied in (
            ("account", account, partition.accounts, partition.no_accounts),
            ("QOS", qos, partition.qos, partition.no_qos),
        ):
            # In newer releases an account stands for those that are part of it too.
            names = self._line(own) if kind == "account" else {own}
            if own and allowed and not names & set(allowed):
                return f"is for {_named(kind, allowed)} only, not for {clean(own)}"
            if own and not allowed and own in denied:
                return f"is not for the {kind} {clean(own)}"
        return ""

    def _line(self, account: str) -> set[str]:
        names: set[str] = set()
        while account and account not in names:
            names.add(account)
            account = self.above.get(account, "")
        return names


def _named(kind: str, names: tuple[str, ...]) -> str:
    return f"the {kind} {' or '.join(map(clean, names))}"


@dataclass(frozen=True)
class Need:
    """What a run needs of a partition: GPUs (or shares of one) on each of so many nodes, memory of
    each in MiB, features by `constraint`.
    """

    gpus: int = 1
    nodes: int = 1
    time_s: int | None = None
    memory: int = 0
    account: str = ""
    qos: str = ""
    constraint: str = ""


def with_rights(partitions: Mapping[str, Partition], text: str) -> dict[str, Partition]:
    """Return partitions with what `scontrol -a -o show partition` printed of them."""
    told = dict(partitions)
    for line in text.splitlines():
        # Names hold no blanks there.
        values = dict(re.findall(r"(?:^| )(\w+)=(\S*)", line))
        known = told.get(values.get("PartitionName", ""))
        if known is None:
            continue
        told[known.name] = replace(
            known,
            up=values.get("State", "UP") == "UP",
            default=values.get("Default") == "YES",
            hidden=values.get("Hidden") == "YES",
            root_only=values.get("RootOnly") == "YES",
            # Before 15.08 there was one number for both; 1 is the default (slurm.conf(5)).
            priority=whole_number(values.get("PriorityTier", "")) or 1,
            max_nodes=whole_number(values.get("MaxNodes", "")),
            groups=_list(values.get("AllowGroups")),
            accounts=_list(values.get("AllowAccounts")),
            no_accounts=_list(values.get("DenyAccounts")),
            qos=_list(values.get("AllowQos")),
            no_qos=_list(values.get("DenyQos")),
        )
    return told


def read_person(user: str, groups: str, associations: str) -> Person:
    """Return who we are from `id -un`, `id -Gn` and accounting's associations.

    Those are lines of `account|default account|default QOS|QOS,…`, as `sacctmgr -n -P show user
    withassoc format=account,defaultaccount,defaultqos,qos` prints them; lines of two are an account
    and the one that it is part of (`show assoc format=account,parentname`). Without a default
    quality of service a job has the only one there is, or slurmdbd's own, called `normal`.
    """
    accounts: dict[str, str] = {}
    above: dict[str, str] = {}
    default = ""
    for line in associations.splitlines():
        fields = line.strip().split("|")
        if len(fields) == 2:
            above[fields[0]] = fields[1]
        elif len(fields) == 4 and fields[0]:
            account, usual, qos, every = fields
            names = every.split(",")
            known = names[0] if len(names) == 1 else "normal" if "normal" in names else ""
            accounts[account] = qos or known
            default = default or usual
    return Person(user.strip(), tuple(groups.split()), default, accounts, above)


def partition_words(partition: Partition, why: str) -> str:
    """Return a partition in words, such as `gpu 03:00:00`; `why` it is closed to us, or empty."""
    limit = partition.time_limit
    words = f"{clean(partition.name)} {'no limit' if limit is None else format_duration(limit)}"
    if not partition.up:
        return f"{words} (down)"
    return f"{words} ({why or 'hidden'})" if why or partition.hidden else words


def preferred(
    partitions: Iterable[Partition], nodes: Mapping[str, int], usual: int | None
) -> list[Partition]:
    """Return partitions in the order in which the cluster would have jobs there.

    First those where a job of the `usual` time (seconds) may end, then the default one, those of a
    higher tier, those with more nodes that fit (`nodes`, by name), and the longer ones.
    """
    return sorted(
        partitions,
        key=lambda partition: (
            partition.gives(usual),
            partition.default,
            partition.priority,
            nodes.get(partition.name, 0),
            float("inf") if partition.time_limit is None else partition.time_limit,
        ),
        reverse=True,
    )


def _list(text: str | None) -> tuple[str, ...]:
    if text is None or text.upper() in ("", "ALL", "(NULL)", "N/A"):
        return ()
    return tuple(part for part in text.split(",") if part)
