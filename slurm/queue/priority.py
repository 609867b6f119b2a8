"""What a waiting job's priority is made of, in words: `sprio` and `sshare` where there are."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from core.common.text import clean, whole_number
from slurm.hosts import Host
from slurm.queue.job_actions import check_ids
from slurm.queue.jobs import Job
from slurm.queue.queue import split_sections

# sprio(1) `-o`: what each factor adds, weighted. Without priority/multifactor it knows no job.
_FACTORS = {
    "F": "fair share", "A": "age", "P": "partition", "Q": "QOS", "J": "size", "B": "association",
    "T": "resources", "S": "site",
}  # fmt: skip
_ASK = """
mark=$1
part() {
  said=$({ "$@" >&4; } 2>&1); code=$?
  printf '\\n%s end %s\\n%s\\n' "$mark" "$code" "$said"
}
exec 4>&1
echo "$mark sprio"; part sprio -h -j "$2" -o "$3"
echo "$mark sshare"; part sshare -n -P -U -u "$4" -o Account,User,NormShares,EffectvUsage
exit 0
"""


@dataclass(frozen=True)
class Priority:
    """A waiting job's priority: what each factor adds to it, the greatest first.

    `share` is how much of the cluster the account is granted and `used` how much of what was used
    lately is its own, from 0 to 1; None where that is not told.
    """

    total: int
    factors: dict[str, int]
    account: str = ""
    share: float | None = None
    used: float | None = None

    @property
    def words(self) -> str:
        """All of it in one line."""
        parts = [f"{name} {count:,}" for name, count in self.factors.items() if count]
        said = f"{self.total:,}" + (f": {', '.join(parts)}" if parts else "")
        if self.share is None or self.used is None:
            return said
        more = "less than" if self.used < self.share else "more than"
        return (
            f"{said}; {clean(self.account)} has used {self.used:.0%}, {more} its share of"
            f" {self.share:.0%}"
        )


def ask_priority(host: Host, job: Job) -> Priority | None:
    """Return what a waiting job's priority is made of; None where SLURM does not tell.

    Raises `HostError`.
    """
    mark = f"m{secrets.token_hex(8)}"
    asked = check_ids([job.id])[0].partition("_")[0]
    fields = "|".join(["%Y", *(f"%{letter}" for letter in _FACTORS)])
    done = host.run(["sh", "-c", _ASK, "sh", mark, asked, fields, job.user], timeout=60)
    sections = split_sections(done.text, mark)
    if "sprio" not in sections:
        return None
    return parse_priority(
        sections["sprio"].out, sections["sshare"].out if "sshare" in sections else "", job
    )


def parse_priority(sprio: str, sshare: str, job: Job) -> Priority | None:
    """Return the priority from what both printed; None for a job that sprio does not know."""
    row = next((line.split("|") for line in sprio.splitlines() if "|" in line), [])
    numbers = [whole_number(cell.strip().partition(".")[0]) for cell in row]
    if len(numbers) != 1 + len(_FACTORS) or numbers[0] is None:
        return None
    factors = {name: count or 0 for name, count in zip(_FACTORS.values(), numbers[1:], strict=True)}
    ranked = dict(sorted(factors.items(), key=lambda item: -item[1]))
    for line in sshare.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 4 and cells[0] == job.account and cells[1] == job.user:
            share, used = _share(cells[2]), _share(cells[3])
            return Priority(numbers[0], ranked, job.account, share, used)
    return Priority(numbers[0], ranked)


def _share(text: str) -> float | None:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return None
