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
from slurm.site.environment import Environment
from slurm.site.hostlist import expand_hostlist
from slurm.site.profiles import Profile

# $1 the job, $2 a node or nothing; $3 what loads modules and $4 what has it run, or neither. srun
# takes no `123_4` (22.05.8); `--overlap` (20.11 and later) shares what the job has instead of
# waiting for it to be free.
_SHELL = """
raw=$(scontrol show job -o "$1" 2>/dev/null | sed -n '1s/^JobId=\\([0-9]*\\) .*/\\1/p')
job=${raw:-$1} node=$2
if [ $# -gt 2 ]; then set -- /bin/sh -c "$4" sh "$3"; else set -- "${SHELL:-/bin/sh}" -l; fi
exec srun --jobid="$job" --overlap --ntasks=1 --nodes=1 ${node:+"--nodelist=$node"} --pty "$@"
"""
# Start-up files of login shells set PATH anew (Debian's /etc/profile), so that modules are loaded
# after them, and the shell that a person gets is none. bash reads what loads them itself, since
# functions such as `module` come to its children; what else there is need not know sh's language,
# and csh takes no other option beside -l.
_LOGIN = """
BATMAN_SHELL=$1; export BATMAN_SHELL
case ${SHELL##*/} in
  bash) exec "$SHELL" -l -c "$BATMAN_SHELL" ;;
  *csh | "") exec /bin/sh -c "$BATMAN_SHELL" ;;
  *) exec "$SHELL" -l -c 'exec /bin/sh -c "$BATMAN_SHELL"' ;;
esac
"""
# Where a module cannot be loaded that is said, and there is a shell all the same, to look why.
_LOADED = """
unset BATMAN_SHELL
batman_shell() { trap - EXIT; exec "${SHELL:-/bin/sh}" -i; }
trap batman_shell EXIT
MODULES
"""


def shell_command(profile: Profile, job: Job, node: str = "") -> list[str]:
    """Return what a terminal has to run for a shell on a node of a job, the first by itself.

    The profile's modules are loaded in it, as they are for a training; an image is not entered.
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
    lines = "\n".join(Environment(tuple(profile.modules)).lines())
    loading = [_LOADED.replace("MODULES", lines), _LOGIN] if lines else []
    there = ["sh", "-c", _SHELL, "sh", job_id, node or nodes[0], *loading]
    if profile.is_local:
        return there
    # The login shell may be none of sh's kind: tcsh takes no line break between quotes.
    line = packed_line("\n".join([*profile.prelude, f"exec {shlex.join(there)}"]))
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
