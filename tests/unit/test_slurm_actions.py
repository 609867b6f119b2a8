"""Ids and commands given to SLURM; what scontrol, srun and sstat printed; logs."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from test_slurm_queue import squeue_job

from core.common.errors import BatmanError
from core.common.text import shell_word
from slurm.hosts import Completed, HostError, LocalHost
from slurm.job.states import parse_state
from slurm.queue.job_actions import JobActionError, act, check_ids, known_jobs
from slurm.queue.job_detail import JobLog, job_use, log_files, parse_show_job, parse_use, show_job

from test_slurm_queue import record  # isort: skip


class Recording(LocalHost):
    """Answers every command alike and keeps what it was asked."""

    def __init__(self, code: int = 0, out: str = "", err: str = "") -> None:
        self.answer = (code, out.encode(), err.encode())
        self.calls: list[tuple[list[str], bytes]] = []

    def run(self, argv, *, stdin=b"", timeout=30.0, cwd=None, env=None):
        self.calls.append((list(argv), stdin))
        return Completed(tuple(argv), *self.answer)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("123", "123"), ("123_4", "123_4"), ("123+1", "123+1"), ("123_[5-9%2]", "123_[5-9]"),
        ("3_[0-9:3,20]", "3_[0,3,6,9,20]"),
    ],
)  # fmt: skip
def test_ids_as_slurm_takes_them(given: str, sent: str) -> None:
    assert check_ids([given, given]) == [sent]


@pytest.mark.parametrize(
    "text", ["", "-u root", "1;x", "$(x)", "1 2", "1\n2", "1_[...]", "all", "--me", "1_*"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(JobActionError, match="is no job id"):
        check_ids(["1", text])


@pytest.mark.parametrize(
    ("verb", "line"),
    [
        ("cancel", "xargs scancel --"), ("hold", "xargs scontrol hold"),
        ("release", "xargs scontrol release"), ("requeue", "xargs scontrol requeue"),
    ],
)  # fmt: skip
def test_thousands_of_jobs_are_one_command(verb: str, line: str) -> None:
    host = Recording()
    ids = [str(number) for number in range(1, 5001)]
    assert act(host, verb, ids) == ids
    ((argv, stdin),) = host.calls
    assert argv == ["sh", "-c", line]
    assert stdin.decode().split() == ids


def test_nothing_to_do_asks_nobody() -> None:
    host = Recording()
    assert act(host, "cancel", []) == []
    assert host.calls == []


def test_what_slurm_refuses_is_said_in_its_words() -> None:
    # Printed by scontrol 22.05.8.
    said = (
        "Invalid job id specified for job 9998\nslurm_suspend error: Invalid job id specified\n"
        "Invalid job id specified for job 9999\nslurm_suspend error: Invalid job id specified\n"
        "\x1b[31mmore\n"
    )
    with pytest.raises(JobActionError) as caught:
        act(Recording(1, err=said), "hold", ["9998", "9999"])
    assert caught.value.message == (
        "SLURM could not hold 2 jobs: Invalid job id specified for job 9998;"
        " Invalid job id specified; Invalid job id specified for job 9999 (and 1 more)."
    )


# Printed by `scontrol show job -o` of SLURM 22.05.8 (Debian 12), shortened in the middle.
SHOWN = (
    "JobId=1 JobName=a name StdOut=/x b UserId=root(0) GroupId=root(0) MCS_label=N/A"
    " Priority=4294901759 Nice=0 Account=root QOS=normal JobState=RUNNING Reason=None"
    " Dependency=(null) Requeue=1 Restarts=0 BatchFlag=1 Reboot=0 ExitCode=0:0 RunTime=00:00:04"
    " TimeLimit=03:00:00 TimeMin=N/A SubmitTime=2026-11-23T12:58:12 NodeList=n1 BatchHost=n1"
    " NumNodes=1 NumCPUs=1 NumTasks=1 CPUs/Task=1 ReqB:S:C:T=0:0:*:*"
    " TRES=cpu=1,mem=250G,node=1,billing=1,gres/gpu=2 Socks/Node=* NtasksPerN:B:S:C=0:0:*:*"
    " Command=(null) WorkDir=/tmp Comment=c d  StdErr=/tmp/log with blank_1.out StdIn=/dev/null"
    " StdOut=/tmp/log with blank_1.out Power= TresPerNode=gres:gpu:h100-96:2 \n"
)


def test_show_job_with_blanks_in_its_values() -> None:
    detail = parse_show_job(SHOWN)
    assert detail is not None
    assert (detail.job_id, detail.fields["JobName"]) == ("1", "a name StdOut=/x b")
    assert detail.logs == ["/tmp/log with blank_1.out"]
    assert (detail.work_dir, detail.command, detail.fields["Comment"]) == ("/tmp", "", "c d")
    assert detail.fields["CPUs/Task"] == "1"
    assert detail.fields["TRES"].endswith("gres/gpu=2")


def test_show_job_of_a_name_with_lines_that_pretend() -> None:
    shown = SHOWN.replace("a name StdOut=/x b", "x\nJobId=9 ArrayJobId=1 StdOut=/etc/passwd y")
    detail = parse_show_job(shown)
    assert detail is not None
    assert detail.job_id == "1"
    assert detail.logs == ["/tmp/log with blank_1.out"]


def test_show_job_of_several_takes_the_first() -> None:
    both = SHOWN + SHOWN.replace("JobId=1 ", "JobId=2 ").replace("_1.out", "_2.out")
    assert parse_show_job(both).logs == ["/tmp/log with blank_1.out"]


def test_show_job_of_one_that_is_forgotten_or_not_told() -> None:
    gone = Recording(1, err="slurm_load_jobs error: Invalid job id specified")
    assert show_job(gone, "15_[3-9%2]") is None
    assert gone.calls[0][0] == ["scontrol", "show", "job", "-o", "15_3"]
    with pytest.raises(HostError, match="cannot be shown: Unable to contact"):
        show_job(Recording(1, err="Unable to contact slurm controller"), "1")
    assert parse_show_job("") is None


def test_where_logs_are(tmp_path: Path) -> None:
    job = squeue_job(id="7_1", work_dir=str(tmp_path))
    detail = parse_show_job(SHOWN)
    assert log_files(LocalHost(), job, detail, record()) == ["/tmp/log with blank_1.out"]
    assert log_files(LocalHost(), job, None, record()) == ["/w/logs/job_7.log"]
    assert log_files(LocalHost(), job, None, None) == []
    (tmp_path / "slurm-7_1.out").touch()
    assert log_files(LocalHost(), job, None, None) == [str(tmp_path / "slurm-7_1.out")]


def test_a_log_that_shrinks_begins_anew(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("one\ntwo\nthr")
    log = JobLog(LocalHost(), str(file))
    assert (log.poll(), log.restarted) == (["one", "two"], False)
    with file.open("a") as opened:
        opened.write("ee\n")
    assert (log.poll(), log.restarted) == (["three"], False)
    file.write_text("again\n")
    assert (log.poll(), log.restarted) == (["again"], True)


# What a job uses

SMI = "n1, 0, NVIDIA H100 80GB HBM3, 93, 41200, 81559\nn1, 1, NVIDIA H100 80GB HBM3, [N/A], 5, 8\n"


def used(gpu: str, gpu_err: str, stat: str, stat_err: str = "") -> str:
    return f"m gpu\n{gpu}\nm end 0\n{gpu_err}\nm memory\n{stat}\nm end 0\n{stat_err}\n"


def test_use_of_gpus_and_memory() -> None:
    # sstat 22.05.8: `JobID|MaxRSS|AveCPU`.
    use = parse_use(used(SMI, "", "1.batch|3204K|00:00:00\n1.0|1.5G|00:01:00"), "m", gpus=True)
    assert [(g.node, g.index, g.busy, g.used_mb) for g in use.gpus] == [
        ("n1", "0", 93, 41200), ("n1", "1", None, 5),
    ]  # fmt: skip
    assert (use.memory_mb, use.problems) == (1536.0, ())


def test_what_is_not_known_is_said_with_the_reason() -> None:
    err = "no nvidia-smi there\nsrun: error: n1: task 0: Exited with exit code 3"
    use = parse_use(used("", err, "", "sstat: error: no steps running"), "m", gpus=True)
    assert use.problems == (
        "GPUs: no nvidia-smi there", "memory: sstat: error: no steps running",
    )  # fmt: skip
    assert parse_use(used("", err, "1.batch|10M|x"), "m", gpus=False).problems == ()


def test_only_a_running_job_is_asked_what_it_uses() -> None:
    host = Recording()
    with pytest.raises(BatmanError, match="does not run"):
        job_use(host, squeue_job(1))
    assert host.calls == []
    job_use(host, replace(squeue_job(2), state=parse_state("R")))
    assert host.calls[0][0][5] == "1_1"


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("73_0-1: Job has already finished\n73_2-5: No error\n", ""),
        ("73_2-5: No error\n74: Access denied\n", "74: Access denied"),
        ("73_0: Job has already finished\n", "73_0: Job has already finished"),
    ],
)
def test_what_scontrol_says_of_an_array_s_tasks(said: str, wrong: str) -> None:
    host = Recording(1, err=said)
    if not wrong:
        assert act(host, "hold", ["73"]) == ["73"]
        return
    with pytest.raises(JobActionError) as refused:
        act(host, "hold", ["73"])
    assert refused.value.message.endswith(f": {wrong}.")


def test_what_is_known_of_ids() -> None:
    unknown = Recording(1, err="slurm_load_jobs error: Invalid job id specified\n")
    assert known_jobs(unknown, ["99999"]) == {"99999": []}
    assert unknown.calls[0][0][4] == "99999"
    with pytest.raises(HostError, match="does not answer: no contact"):
        known_jobs(Recording(1, err="no contact"), ["5"])


@pytest.mark.parametrize(
    ("asked", "belongs"),
    [("73", True), ("73_4", True), ("73_[2-9]", True), ("73_2", False), ("7", False),
     ("73_[8-9]", False)],
)  # fmt: skip
def test_which_lines_an_id_names(asked: str, belongs: bool) -> None:
    line = squeue_job(id="73_[4-6%2]", array_id="73", task="4-6%2")
    assert line.belongs_to(asked) is belongs


@pytest.mark.parametrize("name", ["it's !odd $x", "-rf *; `x`", 'a"b', "plain-1", "two words", "~"])
def test_names_in_commands_that_are_proposed_come_through_a_shell(name: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"printf %s {shell_word(name)}"], capture_output=True, text=True
    )
    assert done.stdout == name
    assert (shell_word(name) == name) is (name == "plain-1"), "only where needed"
