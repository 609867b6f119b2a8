"""`batman jobs watch`: follow jobs until they end."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from cli.answers.printing import say_event, stream
from cli.cluster.job_words import job_json, open_watch
from cli.exits import Exit
from cli.notify import tell
from cli.output import is_terminal, say, say_error
from core.common.errors import BatmanError
from slurm.queue.arrays import why
from slurm.queue.end_signs import EndSigns
from slurm.queue.job_actions import check_ids
from slurm.queue.jobs import Job
from slurm.queue.poll import LEAST_GAP_S
from slurm.queue.queue import QueueSnapshot

_LOOK_S = 1.0


def watch(args: argparse.Namespace) -> int:
    """Print every change of jobs until they have ended; `FAILED` unless all of them ended well."""
    stream()
    wanted = check_ids(args.job)
    following = open_watch(args)
    signs = EndSigns(following.host)
    before: dict[str, str] = {}
    notified: set[str] = set()
    failed = False
    told = ""
    while True:
        watched = following.poll()
        error = watched.view.error
        if error is not None:
            if error.message != told:
                say_error(error.message, error.hint)
                told = error.message
            if watched.view.needs_person or not before:
                return Exit.WRONG
        elif watched.jobs is not None:
            told = ""
            jobs = _wanted(watched.jobs, wanted, before)
            for job in jobs:
                text = _state_text(job)
                if before.get(job.id) != text:
                    before[job.id] = text
                    _say_change(job, text, args.json)
                    if args.notify and job.state.ended and job.id not in notified:
                        notified.add(job.id)
                        _tell_end(job, following.cluster, text, watched.runs.get(job.id))
                    failed |= job.state.ended and job.state.name != "COMPLETED"
            missing = [name for name in wanted if watched.jobs.job(name) is None]
            if missing and not before:
                raise BatmanError(f"There is no job {', '.join(missing)}.")
            if all(job.state.ended for job in jobs) and (jobs or not wanted):
                code = Exit.FAILED if failed else Exit.OK
                if args.json:
                    say_event("ended", last=True, failed=failed, exit_code=int(code))
                return code
            if signs.of_jobs(jobs, watched.records, following.poller.since_asked):
                following.poller.suspect()
        sys.stdout.flush()
        time.sleep(min(max(following.due_in, _LOOK_S), LEAST_GAP_S))


def _wanted(jobs: QueueSnapshot, wanted: Sequence[str], seen: dict[str, str]) -> list[Job]:
    """Return the jobs to follow: those named, or all of mine that were live at some look."""
    if not wanted:
        return [job for job in jobs.jobs if not job.state.ended or job.id in seen]
    return [
        job
        for job in jobs.jobs
        if job.id in wanted or (job.array_id in wanted and job.array_id != "")
    ]


def _tell_end(job: Job, cluster: str, text: str, run_dir: Path | None) -> None:
    """Notify of a job's end; of one that trains a run of ours, only if nobody else has."""
    end = None
    if run_dir is not None:
        from core.training.run.run import Run
        from core.training.run_list.run_ends import claim, end_of_run

        if not claim(Run(run_dir)):
            return
        # Known as far as the run is mirrored here.
        end = end_of_run(Run(run_dir))
    variables = (
        end.variables()
        if end is not None
        else {
            "BATMAN_RUN": run_dir.name if run_dir else job.name,
            "BATMAN_RUN_DIR": str(run_dir.absolute()) if run_dir else "",
            "BATMAN_STATE": job.state.name.lower(),
            "BATMAN_TITLE": f"Job {job.id} {job.state.words}",
            "BATMAN_MESSAGE": f"{job.name} on {cluster}: {text}",
        }
    )
    variables |= {"BATMAN_JOB": job.id, "BATMAN_CLUSTER": cluster}
    tell(variables["BATMAN_TITLE"], variables["BATMAN_MESSAGE"], variables)


def _state_text(job: Job) -> str:
    words = why(job)
    return f"{job.state.words}{': ' + words if words else ''}"


def _say_change(job: Job, text: str, as_json: bool) -> None:
    if as_json:
        say_event("job", **job_json(job))
        return
    now = time.strftime("%H:%M:%S")
    style = "" if not is_terminal() else "green" if job.state.running else ""
    say(f"{now}  {job.id}  {job.name}  {text}", style)
