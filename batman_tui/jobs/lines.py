"""How jobs, GPUs and partitions are laid out and put in words on the jobs screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from textual.content import Content

from batman_tui.widgets.table.table import Column
from core.common.text import ago, clean, duration, plural
from slurm.queue.arrays import JobLine, why
from slurm.queue.columns import JOB_COLUMNS, ON_DEMAND
from slurm.queue.job_detail import JobUse
from slurm.queue.jobs import Job
from slurm.queue.queue import QueueSnapshot
from slurm.site.free_gpus import partition_rooms
from slurm.site.gpu_kinds import gpu_words, is_share, share_words
from slurm.site.slurm_values import format_duration
from slurm.watch.cluster_jobs import Watched
from slurm.watch.node_views import node_views

Now = Callable[[], datetime]


def columns(now: Now, wanted: Sequence[str] = ()) -> list[Column[JobLine]]:
    """Return the columns of the list of jobs: those in `wanted`, in its order, else the usual ones.

    Of the usual ones, those that do not fit are left out; chosen ones are shown all. Names that are
    not known are left out.
    """
    every = {column.key: column for column in _columns(now)}
    chosen = [every[name] for name in wanted if name in every]
    if not chosen:
        return [column for column in every.values() if column.from_width < ON_DEMAND]
    return [replace(column, from_width=0) for column in chosen]


def column_names(now: Now) -> dict[str, str]:
    """Return the titles of all columns there are, by key."""
    return {column.key: column.title for column in _columns(now)}


def _columns(now: Now) -> list[Column[JobLine]]:
    return [column.on_screen(now) for column in JOB_COLUMNS.values()]


def status_text(
    cluster: str, watched: Watched | None, everyone: bool, now: datetime, width: int
) -> Content:
    """Return the line above the list: how much runs and waits, how old that is, free GPUs.

    As many GPU types are named as fit into `width` cells, those with most of them free first.
    """
    name = Content.styled(clean(cluster), "bold $accent")
    if watched is None or watched.jobs is None or watched.view.snapshot is None:
        return name
    snapshot, age = watched.jobs, age_text(watched.jobs, now)
    if watched.view.error is not None or snapshot.errors:
        age = f"as of {age}"
    elif age == "just now":
        age = ""
    whose = "everyone's" if everyone else "mine"
    line = Content.assemble(
        name,
        f"  {snapshot.running:,} running · {snapshot.waiting:,} waiting · {whose}",
        (f"  {age}" if age else "", "$text-warning" if age.startswith("as of") else ""),
    )
    pools = snapshot.gpus
    if pools:
        line = Content.assemble(line, ("   free", "$foreground-muted"))
    for number, pool in enumerate(pools):
        style = "$text-success" if pool.free else "$foreground-muted"
        part = Content.assemble("  ", (f"{clean(pool.name)} {pool.free}/{pool.total}", style))
        more = 3 if number + 1 < len(pools) else 0
        if line.cell_length + part.cell_length + more > width:
            return Content.assemble(line, (" …", "$foreground-muted"))
        line = Content.assemble(line, part)
    return line


def problem_lines(watched: Watched, now: datetime) -> list[Content]:
    """Return what the last look failed of, to stand above what is known since before."""
    error = watched.view.error
    if error is None:
        failed = watched.jobs.errors.values() if watched.jobs is not None else ()
        return [Content.styled(f"▲ {clean(text)}", "$text-warning") for text in failed]
    key = "F5 connects again." if watched.view.needs_person else "F5 asks again now."
    lines = [
        Content.styled(f"✖ {clean(error.message)}", "bold $text-error"),
        Content(f"{clean(error.hint)} {key}".strip()),
    ]
    if watched.view.snapshot is not None:
        age = age_text(watched.view.snapshot, now)
        lines.append(Content.styled(f"Shown is what was known {age}.", "$foreground-muted"))
    return lines


def age_text(snapshot: QueueSnapshot, now: datetime) -> str:
    """Return how old what is shown is."""
    return ago(datetime.fromtimestamp(snapshot.taken_at, UTC), now)


def facts_of(
    line: JobLine, now: datetime, logs: list[str] | None, use: JobUse | None
) -> dict[str, str]:
    """Return what the details panel says of a job, by the names of its facts."""
    job = line.job
    waiting, running, done, bad = line.counts
    facts = {
        "job": f"{line.id}  {job.name}",
        "state": job.state.words,
        "why": why(job),
        "tasks": "",
        "starts": "",
        "time": "",
        "asks": _asks(job),
        "nodes": job.node_list if not job.state.waiting else "",
        "since": "",
        "log": " ".join(logs) if logs else "",
        "folder": job.work_dir,
        "run": line.run.name if line.run else "",
        "uses": use_text(use) if use else "",
    }
    if line.folded:
        facts["tasks"] = f"{running:,} running, {waiting:,} waiting, {done:,} finished" + (
            f", {bad:,} failed or cancelled" if bad else ""
        )
    if job.state.waiting:
        facts["starts"] = "not known yet" if job.start is None else f"about {_when(job.start)}"
        if job.place is not None:
            facts["starts"] += f"; place {job.place.place:,} of {job.place.line:,} in the line"
    if job.time_used is not None and not job.state.waiting:
        limit = f" of {duration(job.time_limit)}" if job.time_limit else ""
        facts["time"] = duration(job.time_used) + limit
    begun = job.submitted if job.state.waiting else job.end if job.state.ended else job.start
    if begun is not None:
        word = "submitted" if job.state.waiting else "ended" if job.state.ended else "started"
        facts["since"] = f"{word} {ago(datetime.fromtimestamp(begun, UTC), now)}"
    return facts


def _asks(job: Job) -> str:
    parts = [
        " ".join(map(gpu_words, job.gpus)),
        *filter(None, map(share_words, job.gpus)),
        plural(job.cpus, "CPU") if job.cpus else "",
        f"{job.nodes} nodes" if job.nodes > 1 else "",
        job.partition,
        format_duration(job.time_limit) if job.time_limit and job.state.waiting else "",
    ]
    return ", ".join(part for part in parts if part)


def _when(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC).astimezone():%d %b %H:%M}"


def use_text(use: JobUse) -> str:
    """Return what a job uses in one line."""
    parts = [
        f"GPU {gpu.index} on {gpu.node}: "
        + (f"{gpu.busy}% busy" if gpu.busy is not None else "busy not told")
        + (f", {gpu.used_mb:,} of {gpu.total_mb:,} MiB" if gpu.used_mb and gpu.total_mb else "")
        for gpu in use.gpus
    ]
    if use.memory_mb is not None:
        parts.append(f"memory {use.memory_mb:,.0f} MiB at most")
    parts += [use.said] if use.said else []
    parts += [f"not known: {problem}" for problem in use.problems]
    return "; ".join(parts) or "the nodes told nothing of it"


FACTS = ("job", "state", "why", "tasks", "starts", "time", "since", "asks", "nodes", "uses",
         "run", "log", "folder")  # fmt: skip


@dataclass(frozen=True)
class Room:
    """A line of the list of what is free: a GPU type, a partition or a node."""

    kind: str
    name: str
    free: str
    share: float
    about: str


def rooms(snapshot: QueueSnapshot) -> list[Room]:
    """Return GPU types, then partitions, then nodes, with what is free of each."""
    lines = [
        Room("Share" if is_share(pool.type) else "GPU", pool.name,
             f"{pool.free}/{pool.total} free", _share(pool.free, pool.total),
             f"in {', '.join(pool.partitions)}; at most {pool.most_free} on one node"
             + (f"; {pool.away} on nodes that are down" if pool.away else ""))
        for pool in snapshot.gpus
    ]  # fmt: skip
    for room in partition_rooms(snapshot.partitions, snapshot.nodes):
        part = room.partition
        limit = "no limit" if part.time_limit is None else format_duration(part.time_limit)
        up = "" if part.up else "down; "
        lines.append(
            Room("Partition", part.name, f"{room.free_gpus}/{room.gpus} GPUs",
                 _share(room.free_gpus, room.gpus),
                 f"{up}{limit}; {room.usable} of {room.nodes} nodes up,"
                 f" {room.free_cpus:,} of {room.cpus:,} CPUs free")
        )  # fmt: skip
    for view in node_views(snapshot):
        node = view.node
        total, free = node.count(""), node.free("")
        kinds = ", ".join(gpus.type or "GPU" for gpus in node.gpus)
        used = f"; load {view.load}, memory {view.memory}" if node.load is not None else ""
        lines.append(
            Room("Node", node.name, f"{free}/{total} GPUs", _share(free, total),
                 f"{node.state}; {f'{view.about}; ' if view.about else ''}"
                 f"{kinds + '; ' if kinds else ''}{node.free_cpus} of {node.cpus} CPUs free{used}")
        )  # fmt: skip
    return lines


def room_columns() -> list[Column[Room]]:
    """Return the columns of the list of what is free."""
    return [
        Column("kind", "", lambda room: room.kind, width=9, muted=True),
        Column("name", "Name", lambda room: room.name, width=12),
        Column("free", "Free", lambda room: room.free, width=10, sort=lambda room: room.share),
        Column("share", "", lambda room: room.share, kind="bar", width=8, from_width=70),
        Column("about", "", lambda room: room.about, least=10),
    ]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
