"""Answers of the commands about clusters and their jobs."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from cli.answers.runs import Event


class ClusterRow(TypedDict):
    """A cluster of the list; one whose profile cannot be read has the `error` alone."""

    name: str
    host: NotRequired[str]
    workspace: NotRequired[str]
    gpus: NotRequired[list[str]]
    error: NotRequired[str]


class ClusterChanged(TypedDict):
    """A cluster's profile as it is now, and its file."""

    profile: dict[str, Any]
    file: str


class ClusterRemoved(TypedDict):
    """The cluster whose profile was removed."""

    removed: str


class ClusterShown(TypedDict):
    """A profile, and what the cluster says of itself (null with `--no-ask`)."""

    profile: dict[str, Any]
    facts: dict[str, Any] | None


class ClusterTested(TypedDict):
    """What of a cluster is in order and what is not, in words; exit code 2 with problems."""

    cluster: str
    passed: list[str]
    problems: list[str]


class JobGpu(TypedDict):
    """GPUs of a type, or shares of one (`shard:a100`); `gpus` is how many GPUs that is.

    null: the cluster does not tell how many shares make one GPU.
    """

    type: str
    count: int
    gpus: float | None


class Place(TypedDict):
    """The `place`th of `line` jobs that wait for the same partitions."""

    place: int
    line: int


class Job(TypedDict):
    """A job as SLURM tells of it.

    `submitted`, `start` and `end` are Unix times in seconds, `time_used` and `time_limit` seconds.
    `restarts` is how often it was put back into the queue, `place` where it stands in the line.
    """

    job: str
    state: str
    why: str
    gpus: list[JobGpu]
    name: str
    user: str
    account: str
    partition: str
    submitted: int | None
    start: int | None
    end: int | None
    time_used: int | None
    time_limit: int | None
    nodes: int | None
    cpus: int | None
    node_list: str
    work_dir: str
    comment: str
    priority: int | None
    exit_code: int | None
    signal: int | None
    reason: str
    array_id: str
    task: Any
    restarts: int
    qos: str
    place: Place | None


JobRow = TypedDict(
    "JobRow",
    {"id": str, "run": str | None, "tasks": dict[str, int], "pass": str | None, "pinned": bool},
)


class JobLine(Job, JobRow):
    """A line of the queue: a job or the tasks of an array alike, and the run or pass it makes."""


class FreeGpus(TypedDict):
    """GPUs of a type: free of all, on nodes that are away, and the most on one node."""

    type: str
    free: int
    total: int
    away: int
    most_free_on_a_node: int
    partitions: list[str]


class JobScript(TypedDict):
    """The batch script of a job."""

    job: str
    script: str


class JobShell(TypedDict):
    """What to run in a terminal for a shell on the node of a job."""

    job: str
    command: list[str]


class RunHours(TypedDict):
    """What a run has cost: the hours it trained times its GPUs.

    On shares of a GPU it is `share` of the `share_of` that make one; 0: not known, and neither are
    the hours.
    """

    run: str
    project: str
    month: str
    cluster: str
    gpu: str
    gpus: float | None
    hours: float | None
    share: int
    share_of: int


class ProjectHours(TypedDict):
    """GPU hours of a project's runs that began in a month, such as 2026-03.

    Those of `unknown` runs are not among them.
    """

    project: str
    month: str
    runs: int
    gpu_hours: float
    unknown: int


class GpuHours(TypedDict):
    """What the workspace's runs on clusters have cost, each and by project and month."""

    runs: list[RunHours]
    sums: list[ProjectHours]


class NodeGpus(TypedDict):
    """GPUs of a type on a node, and how many of them jobs have."""

    type: str
    count: int
    used: int


class NodeJob(TypedDict):
    """A job that runs on a node."""

    job: str
    user: str
    name: str


class NodeRow(TypedDict):
    """A node: load, memory in MiB, GPUs, the jobs on it, and why it takes none (empty: it does).

    `load` and `memory_given` (to jobs) are null where they are not told.
    """

    node: str
    state: str
    usable: bool
    reason: str
    partitions: list[str]
    load: float | None
    cpus: int
    free_cpus: int
    memory: int
    memory_given: int | None
    gpus: list[NodeGpus]
    jobs: list[NodeJob]


class PartitionRow(TypedDict):
    """A partition: its time limit in seconds (null: none), its nodes and GPUs."""

    name: str
    time_limit: int | None
    up: bool
    nodes: int
    usable_nodes: int
    gpus: int
    free_gpus: int


class JobList(TypedDict):
    """The queue; `taken_at` is a Unix time in seconds, `damaged` are unreadable records."""

    cluster: str
    taken_at: float
    accounting: bool
    errors: dict[str, str]
    damaged: list[str]
    jobs: list[JobLine]
    gpus: list[FreeGpus]
    partitions: list[PartitionRow]


JobExtra = TypedDict(
    "JobExtra",
    {
        "logs": list[str], "run": str | None, "pass": str | None,
        "usage": dict[str, Any] | None, "scontrol": dict[str, str] | None,
    },
)  # fmt: skip


class JobShown(Job, JobExtra):
    """All that is known of a job: its logs, its run, with `--usage` what it takes of its nodes."""


class ArrayTask(Job):
    """A task of an array, or those that wait, and the run that it trains here."""

    run: str | None


class ArrayShown(Job):
    """An array by its own number: what its task that tells most says, and each of its tasks."""

    id: str
    run: str | None
    tasks: dict[str, int]
    jobs: list[ArrayTask]


class JobsDone(TypedDict):
    """What was done (cancel, hold, release, requeue, pin, unpin), and to which jobs."""

    done: str
    jobs: list[str]
    cluster: str


class JobEvent(Event, Job):
    """A job of which something changed."""


class JobsEndedEvent(Event):
    """All jobs have ended, some of them `failed` or not."""

    failed: bool
    exit_code: int


class LineEvent(Event):
    """A line of the log."""

    text: str


class LogEndedEvent(Event):
    """There is no more of the log, at present or at all, by the job's state."""

    job: str
    state: str
    log: str
    exit_code: int


class Submitted(TypedDict):
    """A run that was submitted: its folder here and there, its job and log."""

    run: str
    path: str
    cluster: str
    job: str
    log: str
    run_dir: str


class SubmittedEvent(Event):
    """What was submitted, before the run is followed (`--watch`)."""

    jobs: list[Submitted]


PassSubmitted = TypedDict(
    "PassSubmitted",
    {"pass": str, "pictures": int, "cluster": str, "job": str, "log": str},
)
PassSubmitted.__doc__ = """A labeller's pass that was submitted (`--autolabel`)."""


class SubmitPreview(TypedDict):
    """What `--dry-run` would submit."""

    command: list[str]
    script: str


class Soonest(TypedDict):
    """When a job could start on a type of GPU (`--soonest`): SLURM's estimate, Unix seconds."""

    gpu: str
    partition: str
    free: int
    total: int
    start: int | None
    why_not: str


class SetUp(TypedDict):
    """What the check of an installation found on its node; the environment it is in.

    `modules` are versions by name and `wrong` what could not be imported and why, `visible` is
    CUDA_VISIBLE_DEVICES, `cuda` what torch was built for, `gpus` the names of those torch sees.
    """

    environment: str
    python: str
    host: str
    modules: dict[str, str]
    wrong: dict[str, str]
    visible: str | None
    gpus: list[str]
    cuda: str | None
    driver: str


class SetUpStep(TypedDict):
    """A step of `--dry-run`: what, on which machine, by which commands."""

    title: str
    on: str
    commands: list[str]


class SetUpPlan(TypedDict):
    """What `--dry-run` would do; nothing was changed."""

    steps: list[SetUpStep]
