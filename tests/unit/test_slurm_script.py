"""The batch script: what it asks for, and that no name in it is ever more than a name."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from core.common.errors import BatmanError
from core.training.run.events import (
    Checkpoint,
    EventWriter,
    Failed,
    Started,
    Step,
    Stopped,
    read_events,
)
from core.training.run.run import Run
from core.training.run.worker_process import expect_worker, read_worker
from slurm.job.attempts import STUCK, Attempt, _advice, main, read_attempts, saved_step, stuck
from slurm.job.record import earlier_log
from slurm.submit.resources import Resources
from slurm.submit.script import JobSpec, build_script, sbatch_options, warning_lead

ROOT = Path(__file__).parents[2]
NASTY = '-n it\'s $(touch hacked) `touch hacked`; "x" \\ %j & * é'


def resources(**values: Any) -> Resources:
    given = {
        "gpu": "h100-96", "gres": "gpu:h100-96", "partition": "gpu", "memory": "256G",
        "time_s": 10800, "nodes": 1, "gpus_per_node": 4, "cpus_per_gpu": 8, "account": "",
        "qos": "", "extra": (),
    }  # fmt: skip
    return Resources(**{**given, **values})  # type: ignore[arg-type]


def spec(**values: Any) -> JobSpec:
    given = {
        "name": "run-1", "token": "abc123", "run_dirs": ("/scratch/ada/runs/run-1",),
        "log_dir": "/scratch/ada/logs", "python": "/scratch/ada/env", "code": "/scratch/ada/code",
        "resources": resources(),
    }  # fmt: skip
    return JobSpec(**{**given, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, "/scratch/ada/code"),
        ("", "/scratch/ada/code"),
        (":/opt/tools:.:lib::/opt/it's $(touch hacked):", "/scratch/ada/code:/opt/tools:/opt/it's "
         "$(touch hacked)"),
    ],
)  # fmt: skip
def test_a_job_looks_for_modules_where_they_are_and_nowhere_else(
    tmp_path: Path, given: str | None, expected: str
) -> None:
    """Not in the run's folder, to which empty and relative entries of PYTHONPATH lead."""
    head = build_script(spec()).text.partition("\nsay() {")[0]
    env = {"PATH": os.environ["PATH"]} | ({} if given is None else {"PYTHONPATH": given})
    names = '"$PYTHONPATH" "$PYTHONSAFEPATH" "$ORT_DISABLE_TELEMETRY"'
    done = subprocess.run(
        ["bash", "-c", f"{head}\nprintf '%s\\n' {names}"],
        env=env, cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == [expected, "1", "1"]
    assert not list(tmp_path.iterdir())


def test_the_log_of_a_job_before_has_one_name() -> None:
    assert earlier_log("17_3") == "train-before-17_3.log"
    line = '  mv -- "$RUN/train.log" "$RUN/train-before-$SLURM_JOB_ID.log"'
    assert line in build_script(spec()).text.splitlines()


def test_plain_values_stand_in_the_script() -> None:
    script = build_script(spec())
    head = [line for line in script.text.splitlines() if line.startswith("#SBATCH")]
    assert head == [
        "#SBATCH --job-name=run-1",
        "#SBATCH --comment=batman:abc123",
        "#SBATCH --output=/scratch/ada/logs/job_%j.log",
        "#SBATCH --open-mode=append",
        "#SBATCH --chdir=/scratch/ada/runs/run-1",
        "#SBATCH --signal=B:USR1@120",
        "#SBATCH --requeue",
        "#SBATCH --partition=gpu",
        "#SBATCH --time=03:00:00",
        "#SBATCH --mem=256G",
        "#SBATCH --gres=gpu:h100-96:4",
        "#SBATCH --nodes=1",
        "#SBATCH --ntasks-per-node=1",
        "#SBATCH --cpus-per-task=32",
    ]
    assert script.arguments == ()
    assert script.command("/x/job.sh") == ["sbatch", "--parsable", "/x/job.sh"]


def test_several_nodes_run_a_task_for_each_gpu_by_srun() -> None:
    script = build_script(spec(resources=resources(nodes=2, gpus_per_node=2)))
    assert "#SBATCH --ntasks-per-node=2" in script.text
    assert "#SBATCH --cpus-per-task=8" in script.text
    assert "exec srun" in script.text
    assert "--ntasks=4" in script.text
    assert "exec srun" not in build_script(spec()).text


def test_an_array_picks_its_run_and_is_capped() -> None:
    dirs = ("/r/a", "/r/b b", "/r/c'c")
    script = build_script(spec(run_dirs=dirs, parallel=2))
    assert "#SBATCH --array=0-2%2" in script.text
    assert "#SBATCH --output=/scratch/ada/logs/job_%A_%a.log" in script.text
    start, end = script.text.index("RUNS=("), script.text.index("LOGS=")
    for task, wanted in enumerate(dirs):
        done = subprocess.run(
            ["bash", "-uc", script.text[start:end] + 'printf %s "$RUN"'],
            env={"SLURM_ARRAY_TASK_ID": str(task), "PATH": os.environ["PATH"]},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout == wanted
    assert "--array=0-2" in sbatch_options(spec(run_dirs=dirs))


def test_names_are_data_in_the_script_and_beside_it(tmp_path: Path) -> None:
    run_dir = f"{tmp_path}/{NASTY}"
    made = spec(
        name=f"{NASTY}\nrm", run_dirs=(run_dir,), log_dir=f"{run_dir}/logs", python=run_dir,
        code=run_dir, resources=resources(extra=("--comment2=$(touch hacked)",)),
    )  # fmt: skip
    script = build_script(made)
    # What sbatch would parse holds no special character at all.
    for line in script.text.splitlines():
        if line.startswith("#SBATCH"):
            assert not set(line) & set("'\"`$\\;&* ()") - {" "}, line
    assert f"--chdir={run_dir}" in script.arguments
    assert f"--output={run_dir.replace('%', '%%')}/logs/job_%j.log" in script.arguments
    name = next(o for o in sbatch_options(made) if o.startswith("--job-name="))
    assert name == "--job-name=n_it_s_touch_hacked_touch_hacked_x_j_rm"
    # The shell reads back what was put in, and runs none of it.
    start, end = script.text.index("RUNS=("), script.text.index("say()")
    done = subprocess.run(
        ["bash", "-euc", f'{script.text[start:end]}\nprintf "%s\\n" "$RUN" "$LOGS" "$PYTHON"'],
        cwd=tmp_path, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == [run_dir, f"{run_dir}/logs", run_dir], done.stderr
    assert not list(tmp_path.rglob("hacked"))
    assert subprocess.run(["bash", "-n"], input=script.text, text=True).returncode == 0


def test_a_line_end_in_a_path_is_refused() -> None:
    with pytest.raises(BatmanError, match="control character"):
        build_script(spec(run_dirs=("/a\n#SBATCH --wrap=x",)))


@pytest.mark.parametrize(
    ("limit", "signal", "lead"), [(None, 120, 120), (3600, 120, 120), (60, 120, 30), (1, 5, 1)]
)
def test_the_warning_comes_before_a_short_limit_too(
    limit: int | None, signal: int, lead: int
) -> None:
    assert warning_lead(spec(signal_s=signal, resources=resources(time_s=limit))) == lead


# The script as a whole, with SLURM's commands and the trainer played by small scripts.


class Job:
    """A node in a folder: runs the script with a trainer that does what a test says."""

    def __init__(
        self,
        folder: Path,
        trainer: str,
        requeue: str = "exit 0",
        nodes: int = 1,
        reason: str = "None",
        preempted: str = "N/A",
        restarts: int = 0,
        begin: str = ":",
        check: str = ":",
        work: Literal["train", "label"] = "train",
    ) -> None:
        self.folder = folder
        self.run = folder / "run $(touch hacked)"
        self.run.mkdir()
        (self.run / "training_config.json").write_text("{}")
        (folder / "logs").mkdir()
        (folder / "bin").mkdir()
        python = folder / "env" / "bin" / "python"
        python.parent.mkdir(parents=True)
        self._script(
            python,
            f'if [ "$2 $3" = "slurm.attempts begin" ]; then {begin}\n'
            f'elif [ "$2 $3" = "slurm.attempts check" ]; then {check}\n'
            'elif [ "$2" = core.training.worker ] || [ "$2" = core.autolabel ]; then\n'
            f'cd "$3"; {trainer}\nfi\nexec {sys.executable} "$@"',
        )
        self._script(
            folder / "bin" / "scontrol",
            f'if [ "$1" = show ]; then echo "JobId=12 Requeue=1 Restarts={restarts} BatchFlag=1"\n'
            f'else echo "scontrol $*" >>"{folder}/said"; {requeue}; fi',
        )
        self._script(folder / "bin" / "sbatch", f'echo "sbatch $*" >>"{folder}/said"; echo 77')
        self._script(folder / "bin" / "squeue", f"echo '{reason};{preempted};'")
        self._script(
            folder / "bin" / "srun", 'while [ "${1#--}" != "$1" ]; do shift; done; exec "$@"'
        )
        made = spec(
            run_dirs=(str(self.run),), log_dir=str(folder / "logs"), python=str(folder / "env"),
            code=str(ROOT), resources=resources(nodes=nodes), work=work,
        )  # fmt: skip
        self.script = folder / "job.sh"
        self.script.write_text(build_script(made).text)

    @staticmethod
    def _script(path: Path, body: str) -> None:
        path.write_text(f"#!/bin/bash\n{body}\n")
        path.chmod(0o755)

    def start(self) -> subprocess.Popen[bytes]:
        env = {
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}", "SLURM_JOB_ID": "12",
            "SLURM_NTASKS": "1", "SLURM_PROCID": "0", "HOME": str(self.folder),
        }  # fmt: skip
        log = (self.folder / "logs" / "job_12.log").open("ab")
        return subprocess.Popen(
            ["bash", str(self.script)], env=env, stdout=log, stderr=log, cwd=self.folder
        )

    @property
    def log(self) -> str:
        return (self.folder / "logs" / "job_12.log").read_text()

    @property
    def said(self) -> str:
        file = self.folder / "said"
        return file.read_text() if file.exists() else ""

    def attempts(self) -> list[Attempt]:
        return read_attempts((self.run / "attempts.jsonl").read_bytes())


# Tells the shell that wants to signal it that it is there, and ends with 3 when signalled.
_STOPPABLE = (
    "trap 'echo saved; exit 3' USR1 TERM; "
    'kill -{signal} "$PPID"; while :; do read -t 0.1 <> <(:); done'
)


def test_a_trainer_that_finishes_ends_the_job_well(tmp_path: Path) -> None:
    job = Job(tmp_path, 'echo "tasks ${SLURM_NTASKS-none} rank ${SLURM_PROCID-none}"; exit 0')
    assert job.start().wait(30) == 0
    assert "tasks none rank none" in job.log
    assert [(a.what, a.code) for a in job.attempts()] == [("begin", None), ("end", 0)]
    assert job.said == ""
    assert not (job.run / "train.log").is_symlink()
    assert "tasks none" in (job.run / "train.log").read_text()
    assert not list(tmp_path.rglob("hacked"))


def test_a_warned_trainer_writes_its_checkpoint_and_is_requeued(tmp_path: Path) -> None:
    job = Job(tmp_path, _STOPPABLE.format(signal="USR1"))
    expect_worker(job.run, "cluster x")
    assert job.start().wait(30) == 0
    assert "saved" in job.log
    assert job.said == "scontrol requeue 12\n"
    # Between two starts the stop is no end.
    worker = read_worker(job.run)
    assert worker is not None
    assert worker.again
    EventWriter(job.run / "events.jsonl").write(Stopped(epoch=1, step=4, reason="SIGUSR1"))
    assert Run(job.run).state() == "preparing"


def test_a_warned_labeller_is_asked_to_stop_and_goes_on_where_it_was(tmp_path: Path) -> None:
    """Its own signal is TERM; the pictures that were looked at are its steps."""
    stops = _STOPPABLE.format(signal="USR1").replace("USR1 TERM", "TERM")
    offline = "echo offline $HF_HUB_OFFLINE $TRANSFORMERS_OFFLINE"
    job = Job(tmp_path, f"{offline}; {stops}", work="label")
    (job.run / "pass.json").write_text("{}")
    lines = [f'{{"image":{number}}}\n' for number in (1, 2)]
    (job.run / "found.jsonl").write_text("".join(lines) + '{"image":3')
    assert job.start().wait(30) == 0
    assert job.start().wait(30) == STUCK
    assert "offline 1 1" in job.log
    assert "saved" in job.log
    assert [(a.what, a.step) for a in job.attempts()] == [("begin", 2), ("begin", 2)]
    assert job.said.count("scontrol requeue 12") == 1
    assert "without a new picture (still at 2)" in job.log
    assert not (job.run / "events.jsonl").exists()


def test_a_labeller_that_fails_fails_its_job(tmp_path: Path) -> None:
    job = Job(tmp_path, "echo no weights >&2; exit 1", work="label")
    (job.run / "pass.json").write_text("{}")
    assert job.start().wait(30) == 1
    assert [(a.what, a.code) for a in job.attempts()] == [("begin", None), ("end", 1)]
    assert not (job.run / "events.jsonl").exists()


def test_where_requeueing_is_forbidden_a_successor_goes_on(tmp_path: Path) -> None:
    job = Job(tmp_path, _STOPPABLE.format(signal="USR1"), requeue="exit 1")
    assert job.start().wait(30) == 0
    assert "sbatch --parsable --dependency=afterany:12 --kill-on-invalid-dep=yes" in job.said
    assert f"--chdir={job.run}" in job.said
    assert [(a.what, a.job) for a in job.attempts()] == [("begin", "12"), ("next", "77")]


def test_a_cancelled_job_is_not_requeued(tmp_path: Path) -> None:
    job = Job(tmp_path, _STOPPABLE.format(signal="TERM"))
    EventWriter(tmp_path / "unused").close()
    assert job.start().wait(30) == 0
    assert "saved" in job.log
    assert job.said == ""
    assert job.attempts()[-1].code == 3


def test_what_is_back_in_the_queue_is_not_ended(tmp_path: Path) -> None:
    job = Job(tmp_path, _STOPPABLE.format(signal="TERM"), restarts=1)
    expect_worker(job.run, "cluster x")
    assert job.start().wait(30) == 0
    assert "back in the queue" in job.log
    assert job.said == ""
    assert [a.what for a in job.attempts()] == ["begin"]


@pytest.mark.parametrize("requeue", ["exit 0", "exit 1"])
def test_what_was_preempted_for_good_goes_on_all_the_same(tmp_path: Path, requeue: str) -> None:
    at = "2026-11-23T15:44:26"
    job = Job(tmp_path, _STOPPABLE.format(signal="TERM"), requeue, preempted=at)
    assert job.start().wait(30) == 0
    assert "preempted, and not put back" in job.log
    assert job.said.startswith("scontrol requeue 12\n")
    assert ("sbatch --parsable" in job.said) is (requeue == "exit 1")
    assert "end" not in [a.what for a in job.attempts()]


# Writes a checkpoint when warned, and is told to end before it has.
_SLOW = (
    "trap 'echo writing; kill -TERM \"$PPID\"' USR1; trap 'echo saved; exit 3' TERM; "
    'kill -USR1 "$PPID"; while :; do read -t 0.1 <> <(:); done'
)


@pytest.mark.parametrize("requeue", ["exit 0", "exit 1"])
def test_at_its_time_limit_while_it_still_writes_it_goes_on(tmp_path: Path, requeue: str) -> None:
    job = Job(tmp_path, _SLOW, requeue, reason="TimeLimit")
    expect_worker(job.run, "cluster x")
    assert job.start().wait(30) == 0
    assert job.log.index("writing a checkpoint") < job.log.index("asked to end")
    assert "ended at its time limit" in job.log
    assert job.said.startswith("scontrol requeue 12\n")
    assert ("sbatch --parsable" in job.said) is (requeue == "exit 1")
    assert "end" not in [a.what for a in job.attempts()]
    worker = read_worker(job.run)
    assert worker is not None
    assert worker.again


def test_cancelled_while_it_writes_at_the_warning_it_is_stopped(tmp_path: Path) -> None:
    job = Job(tmp_path, _SLOW)
    assert job.start().wait(30) == 0
    assert job.said == ""
    assert job.attempts()[-1].code == 3


@pytest.mark.parametrize("reason", ["TimeLimit", "None"])
def test_told_to_end_when_its_checkpoint_is_just_written(tmp_path: Path, reason: str) -> None:
    # SLURM signals all that the job has started, what the script asks at this moment included.
    told = 'kill -TERM "$PPID" $$'
    job = Job(tmp_path, _STOPPABLE.format(signal="USR1"), reason=reason, check=told)
    assert job.start().wait(30) == 0
    assert ("scontrol requeue 12" in job.said) is (reason == "TimeLimit")
    assert [a.what for a in job.attempts()][1:] == ([] if reason == "TimeLimit" else ["end"])


def test_srun_is_never_told_to_end_which_would_kill_the_trainers(tmp_path: Path) -> None:
    job = Job(
        tmp_path,
        "trap 'echo saved; exit 3' USR1; trap 'echo killed; exit 137' TERM; "
        'kill -TERM "$PPID"; while :; do read -t 0.1 <> <(:); done',
        nodes=2,
    )
    assert job.start().wait(30) == 0
    assert "asked to end" in job.log
    assert "saved" in job.log
    assert job.attempts()[-1].code == 3


def test_a_trainer_that_dies_is_told_of_in_the_run(tmp_path: Path) -> None:
    job = Job(tmp_path, "kill -KILL $$")
    assert job.start().wait(30) == 137
    (event,) = read_events((job.run / "events.jsonl").read_bytes())[0]
    assert isinstance(event, Failed)
    assert "137 (signal 9)" in event.message


# A signal that comes before the trainer can take it


_DEAF = 'kill -{signal} "$PPID"; while :; do read -t 0.1 <> <(:); done'


def test_a_job_cancelled_before_its_trainer_is_stopped_and_trains_nothing(tmp_path: Path) -> None:
    job = Job(tmp_path, "echo trained", begin='kill -TERM "$PPID"')
    assert job.start().wait(30) == 0
    assert "trained" not in job.log
    assert job.said == ""
    assert Run(job.run).state() == "stopped"


def test_a_begin_that_takes_the_signal_for_itself_is_stopped_too(tmp_path: Path) -> None:
    job = Job(tmp_path, "echo trained", begin='kill -TERM "$PPID"; kill -TERM $$')
    assert job.start().wait(30) == 0
    assert "trained" not in job.log
    assert Run(job.run).state() == "stopped"


@pytest.mark.parametrize("trainer", [_DEAF.format(signal="TERM"), 'kill -TERM "$PPID" $$'])
def test_a_trainer_that_dies_of_the_signal_is_stopped_where_its_checkpoint_is(
    tmp_path: Path, trainer: str
) -> None:
    job = Job(tmp_path, trainer)
    writer = EventWriter(job.run / "events.jsonl")
    writer.write(checkpoint(7))
    writer.close()
    assert job.start().wait(30) == 0
    assert job.attempts()[-1].code == 3
    end = read_events((job.run / "events.jsonl").read_bytes())[0][-1]
    assert isinstance(end, Stopped)
    assert (end.epoch, end.step) == (1, 7)


@pytest.mark.parametrize("early", [True, False])
def test_what_the_time_limit_warned_too_early_is_requeued(tmp_path: Path, early: bool) -> None:
    signal = 'kill -USR1 "$PPID"'
    job = Job(
        tmp_path,
        "echo trained" if early else _DEAF.format(signal="USR1"),
        begin=signal if early else ":",
    )
    assert job.start().wait(30) == 0
    assert "trained" not in job.log
    assert job.said == "scontrol requeue 12\n"


def test_the_second_restart_without_a_step_is_the_last(tmp_path: Path) -> None:
    job = Job(tmp_path, _STOPPABLE.format(signal="USR1"))
    expect_worker(job.run, "cluster x")
    assert job.start().wait(30) == 0
    assert job.start().wait(30) == STUCK
    assert job.said == "scontrol requeue 12\n"
    assert "without a new step" in job.log
    assert Run(job.run).state() == "failed"
    # Warned before its first step, it wants to be warned later.
    assert "or warn later with fewer signal_seconds" in job.log
    trained = EventWriter(job.run / "events.jsonl")
    trained.write(Step(t=time.time(), epoch=1, step=1, loss=1.0, lr=1e-4, images_per_s=1, step_s=1))
    trained.close()
    assert "or warn earlier with the profile's signal_seconds" in _advice(job.run)


# What the job notes


def checkpoint(step: int, kind: str = "last") -> Checkpoint:
    return Checkpoint(epoch=1, step=step, file="x", kind=kind, bytes=1)


def test_the_step_is_that_of_the_newest_checkpoint_that_resumes(tmp_path: Path) -> None:
    assert saved_step(tmp_path) == 0
    writer = EventWriter(tmp_path / "events.jsonl")
    for event in (checkpoint(4), checkpoint(7, "stop"), checkpoint(9, "best")):
        writer.write(event)
    assert saved_step(tmp_path) == 7


@pytest.mark.parametrize(
    ("begins", "step", "expected"),
    [([], 0, False), ([0], 0, False), ([0, 0], 0, True), ([0, 4], 4, False), ([0, 4, 4], 4, True),
     ([4, 4], 8, False), ([4, 4, 8], 8, False)],
)  # fmt: skip
def test_stuck_is_two_restarts_at_the_same_step(
    begins: list[int], step: int, expected: bool
) -> None:
    known = [Attempt(what="begin", job="1", token="a", t=0, step=at) for at in begins]
    other = [Attempt(what="begin", job="0", token="b", t=0, step=step)] * 3
    assert stuck([*other, *known], "a", step) is expected


def test_an_end_that_the_trainer_told_is_not_told_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATMAN_TOKEN", "a")
    assert main(["begin", str(tmp_path)]) == 0
    writer = EventWriter(tmp_path / "events.jsonl")
    writer.write(
        Started(run="r", pid=1, host="n", model="tiny", epochs=1, epoch=0, step=0,
                steps_per_epoch=1, batch_size=1, grad_accum=1, effective_batch=1, image_size=32,
                classes=[], device="cpu")
    )  # fmt: skip
    writer.write(Failed(kind="nan", message="diverged"))
    assert main(["end", str(tmp_path), "1"]) == 0
    assert len(read_events((tmp_path / "events.jsonl").read_bytes())[0]) == 2
    # A worker that found the run taken says nothing about it.
    assert main(["begin", str(tmp_path)]) == 0
    assert main(["end", str(tmp_path), "2"]) == 0
    assert len(read_events((tmp_path / "events.jsonl").read_bytes())[0]) == 2


def test_broken_lines_of_attempts_are_left_out() -> None:
    good = msgspec.json.encode(Attempt(what="begin", job="1", token="a", t=1.0))
    assert len(read_attempts(good + b"\n{torn\n" + good + b"\n{")) == 2
