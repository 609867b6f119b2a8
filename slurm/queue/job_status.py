"""What became of one job: asked of squeue, then of accounting, then of what it wrote itself."""

from __future__ import annotations

import time

from core.common.text import clean
from slurm.hosts import Host, HostError
from slurm.job.record import JobRecord
from slurm.queue.jobs import (
    SACCT_FORMAT,
    TIME_ENV,
    Job,
    new_separator,
    parse_sacct,
    parse_squeue,
    squeue_format,
)

# One command: squeue forgets a job some minutes after its end (MinJobAge), then sacct is asked.
# Of an array's task squeue hides the end without `-t all`.
# Accounting gives numbers out again after years, so only what was submitted near then counts.
_ASK = """
for name in $(env | sed -n 's/^\\(\\(SQUEUE\\|SACCT\\)_[A-Za-z0-9_]*\\)=.*/\\1/p'); do
  unset "$name"
done
found=$(squeue -h -t all -j "$1" -O "$2" 2>&1)
code=$?
case "$code $found" in
  0*"$4"*) echo squeue; printf '%s\\n' "$found"; exit;;
  '0 '*|*'nvalid job id'*) ;;
  *) printf '%s\\n' "$found" >&2; exit 1;;
esac
echo sacct
# Tasks that were cancelled before they began are one line of their array, known by its number.
sacct -n -X -P -j "${1%%_*}" -S "$3" --delimiter="$4" -o "$5" 2>/dev/null
exit 0
"""


def ask_job(host: Host, record: JobRecord) -> Job | None:
    """Return the record's job as the cluster knows it, None if it knows none any more.

    Raises `HostError` when the cluster does not answer.
    """
    sep = new_separator()
    done = host.run(
        ["sh", "-c", _ASK, "sh", record.job_id, squeue_format(sep), _since(record), sep,
         SACCT_FORMAT],
        env=TIME_ENV,
        timeout=60,
    )  # fmt: skip
    kind, _, rest = done.text.partition("\n")
    if done.code or kind not in ("squeue", "sacct"):
        raise HostError(
            f"The queue of {clean(host.name)} does not answer: {done.said}.",
            "It is asked again at the next look.",
        )
    jobs = parse_squeue(rest, sep) if kind == "squeue" else parse_sacct(rest, sep)
    return _of(jobs, record)


def _of(jobs: list[Job], record: JobRecord) -> Job | None:
    """Return the record's own job: an array that waits, or waited at its end, is one of many."""
    exact = [job for job in jobs if job.id == record.job_id]
    found = exact or [job for job in jobs if job.stands_for(record.job_id)]
    # What was requeued has an end for each time.
    return found[-1] if found else None


def _since(record: JobRecord) -> str:
    """Return a day before the submission, as sacct's `-S` takes it, whatever the time zones."""
    return time.strftime("%Y-%m-%d", time.gmtime(record.submitted_at - 86400))
