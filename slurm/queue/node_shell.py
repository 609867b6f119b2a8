"""A shell on the node of a running job, and the batch script of any job."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from core.common.errors import BatmanError
from core.common.text import clean
from slurm.hosts import Host
from slurm.hosts.ssh_command import packed_line
from slurm.job.record import SCRIPT_FILE, JobRecord
from slurm.queue.job_actions import check_ids
from slurm.queue.jobs import Job
from slurm.site.hostlist import expand_hostlist
from slurm.site.profiles import Profile

# $1 the job, $2 a node or nothing. srun takes no `123_4` (22.05.8); `--overlap` (20.11 and later)
# shares what the job has instead of waiting for it to be free.
_SHELL = """
raw=$(scontrol show job -o "$1" 2>/dev/null | sed -n '1s/^JobId=\\([0-9]*\\) .*/\\1/p')
exec srun --jobid="${raw:-$1}" --overlap --ntasks=1 --nodes=1 ${2:+"--nodelist=$2"} --pty \\
  "${SHELL:-/bin/sh}" -l
"""


def shell_command(profile: Profile, job: Job, node: str = "") -> list[str]:
    """Return what a terminal has to run for a shell on a node of a job, the first by itself.

    Raises BatmanError for a job that does not run, or not on `node`.
    """
    (job_id,) = check_ids([job.id])
    nodes = expand_hostlist(job.node_list)
    if not job.state.running or not nodes:
        raise BatmanError(
            f"Job {clean(job.id)} does not run ({job.state.words}).",
            "A shell can be opened on the node of a running job.",
        )
    if node and node not in nodes:
        raise BatmanError(
            f"Job {clean(job.id)} does not run on '{clean(node)}'.",
            f"It is on: {', '.join(map(clean, nodes))}.",
        )
    there = ["sh", "-c", _SHELL, "sh", job_id, node or nodes[0]]
    if profile.is_local:
        return there
    lines = [*profile.prelude, f"exec {shlex.join(there)}"]
    # The login shell may be none of sh's kind: tcsh takes no line break between quotes.
    line = packed_line("\n".join(lines))
    target = profile.host
    if re.fullmatch(r"[^:]+:\d+", target):  # a URI to ssh, where an alias is none
        target = f"ssh://{target}"
    return ["ssh", "-t", "--", target, line]


def shell_places(jobs: Iterable[Job]) -> list[tuple[Job, str]]:
    """Return each node on which one of the jobs, or tasks of an array, runs."""
    return [
        (job, node) for job in jobs if job.state.running for node in expand_hostlist(job.node_list)
    ]


def batch_script(host: Host, job: Job, record: JobRecord | None) -> str:
    """Return the script that a job was submitted with.

    SLURM keeps it for as long as it remembers the job; of ours one lies in the run folder. Raises
    BatmanError where nobody has it, or it is somebody else's, and `HostError`.
    """
    (job_id,) = check_ids([job.id])
    asked = re.sub(r"_\[(\d+).*\]", r"_\1", job_id)
    done = host.run(["scontrol", "write", "batch_script", asked, "-"], timeout=30)
    if done.code == 0 and done.stdout:
        return done.text
    if record is not None:
        path = f"{record.run_dir}/{SCRIPT_FILE}"
        size = host.size(path)
        if size:
            return host.read(path, 0, size).decode(errors="replace")
    raise BatmanError(
        f"There is no script of job {clean(job.id)} to be had: {done.said}.",
        "SLURM shows it to whoever submitted it, while it remembers the job; jobs of srun and"
        " salloc have none.",
    )
