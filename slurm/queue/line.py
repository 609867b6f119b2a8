"""Where a waiting job stands in the line: counted on the cluster, so that only the answer comes.

A line of thousands would be hundreds of kilobytes; what is asked is one `squeue` of waiting jobs.
"""

from __future__ import annotations

import secrets

from core.common.text import whole_number
from core.training.run.wait import Wait
from slurm.hosts import Host
from slurm.job.reasons import reason_words
from slurm.queue.jobs import Job, Place

# The line moves slowly, and whoever asks for it asks the controller for everybody's jobs.
LINE_S = 60.0
# Of so many of one's own jobs the place is told.
_MOST = 50

# Shell: prints `ID PLACE OF` for each waiting job of `$1` (a user), at most `_MOST`, or for the job
# `$2` alone. Held jobs (priority 0), and those that wait for something else than their turn, stand
# in no line. `$limit` may hold a command that ends what takes too long. Jobs stand in the same one
# when they wait for a partition in common; the higher priority goes first, then the lower number
# (slurm.conf(5), PriorityType).
COUNT_LINE = r"""
count_line() {
  [ -n "$2" ] || [ -n "$($limit squeue -h -a -t PD -u "$1" -o %i | head -n 1)" ] || return 0
  fields='PriorityLong:|,Partition:|,JobID:|,JobArrayID:|,UserName:|,Reason:|'
  $limit squeue -h -a -t PD -O "$fields" |
  awk -F'|' -v me="$1" -v only="$2" -v most=MOST '
    $1 + 0 == 0 || $6 ~ /Dependency|BeginTime|JobHeld|Partition(Time|Node)Limit/ { next }
    { n++; prio[n] = $1 + 0; parts[n] = $2; number[n] = $3 + 0; id[n] = $4; reason[n] = $6
      count = split($2, names, ","); for (i = 1; i <= count; i++) list[n, i] = names[i]
      many[n] = count
      if (only == "" ? $5 == me && ++own <= most : $4 == only) mine[n] = 1 }
    END { for (j in mine) {
      ahead = 0; all = 0
      for (k = 1; k <= n; k++) {
        shared = 0
        for (i = 1; i <= many[k]; i++) if (index("," parts[j] ",", "," list[k, i] ",")) shared = 1
        if (!shared) continue
        all++
        if (prio[k] > prio[j] || (prio[k] == prio[j] && number[k] < number[j])) ahead++
      }
      # Where other people are not shown, the line looks shorter than it is.
      if (ahead == 0 && reason[j] ~ /^Priority/) continue
      print id[j], ahead + 1, all
    } }'
}
""".replace("MOST", str(_MOST))


def parse_places(text: str) -> dict[str, Place]:
    """Return the places that `count_line` printed, by job id; other lines are left out."""
    places = {}
    for line in text.splitlines():
        words = line.split()
        numbers = [whole_number(word) for word in words[1:]]
        if len(words) == 3 and numbers[0] and numbers[1]:
            places[words[0]] = Place(numbers[0], numbers[1])
    return places


def ask_place(host: Host, job: Job) -> Place | None:
    """Return a waiting job's place, None where it is not told. Raises `HostError`."""
    mark = secrets.token_hex(8)
    script = f'{COUNT_LINE}\necho "$3"; count_line "$1" "$2"'
    done = host.run(["sh", "-c", script, "sh", job.user, job.id, mark], timeout=60)
    return parse_places(done.text.rpartition(f"{mark}\n")[2]).get(job.id)


def wait_of(job: Job | None, cluster: str, seen_at: float) -> Wait | None:
    """Return how a job waits, as it was told at `seen_at` (Unix seconds); None if it does not."""
    if job is None or not job.state.waiting:
        return None
    return Wait(
        job=job.id,
        cluster=cluster,
        since=job.submitted,
        why=reason_words(job.reason),
        start=job.start,
        place=job.place.place if job.place else None,
        line=job.place.line if job.place else None,
        restarts=job.restarts,
        seen_at=seen_at,
    )
