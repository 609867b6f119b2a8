"""The batch script of a run, and sbatch's options: pure text from values, every value quoted.

What sbatch parses itself (`#SBATCH` lines) has quoting rules that differ between versions, so only
plain values stand there; any other is handed over as an argument, where nothing is parsed.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.common.errors import BatmanError
from core.common.text import clean
from core.privacy.telemetry import shell_exports
from slurm.job.record import comment_of, earlier_log
from slurm.site.environment import PLAIN, Environment
from slurm.submit.resources import Resources, resource_options

# Means the same to sbatch's own parser, to a shell, and to a person.
_PLAIN = re.compile(r"--[a-z-]+(=[A-Za-z0-9_@%+=:,./\[\]-]+)?")
Work = Literal["train", "label", "call"]
_WHAT = {"train": "run", "label": "pass", "call": "function"}
# Lightning takes jobs of these names for interactive ones.
_INTERACTIVE = ("bash", "interactive")


@dataclass(frozen=True)
class JobSpec:
    """A job: what it trains and what it asks for. Paths are the cluster's and absolute.

    `run_dirs` are several for an array, of which `parallel` run at once (None: as many as can).
    `python` is an interpreter or an environment's folder, `code` the folder that has our packages.
    `signal_s` before the time limit the run writes its checkpoint. `work` is what is done there:
    `train` a run, `label` the pass that a folder holds (`core.autolabel.pass_folder`), or `call`
    the function in `module` with the folder's options (`slurm.job.function`).
    """

    name: str
    token: str
    run_dirs: tuple[str, ...]
    log_dir: str
    python: str
    code: str
    resources: Resources
    prelude: tuple[str, ...] = ()
    environment: Environment = PLAIN
    signal_s: int = 120
    parallel: int | None = None
    work: Work = "train"
    module: str = ""

    @property
    def is_array(self) -> bool:
        """Whether it is an array of several runs."""
        return len(self.run_dirs) > 1

    def log_file(self, job_id: str, task: int | None = None) -> str:
        """Return the log of the job with this number, of its `task` if it is an array."""
        return f"{self.log_dir}/job_{job_id}{'' if task is None else f'_{task}'}.log"


@dataclass(frozen=True)
class BatchScript:
    """The script, and the options that can only be given beside it."""

    text: str
    arguments: tuple[str, ...]

    def command(self, path: str) -> list[str]:
        """Return sbatch's argument list for the script lying at `path`."""
        return ["sbatch", "--parsable", *self.arguments, path]


def sbatch_options(spec: JobSpec) -> list[str]:
    """Return every option of the job, each one argument.

    Raises BatmanError for a path with a line end in it, which SLURM cannot take.
    """
    for path in (*spec.run_dirs, spec.log_dir, spec.python, spec.code):
        if any(ord(char) < 32 or ord(char) == 127 for char in path):
            raise BatmanError(
                f"The path '{clean(path)}' holds a control character, which SLURM cannot take.",
                "Choose another folder.",
            )
    name = re.sub(r"[^\w.+-]+", "_", spec.name, flags=re.ASCII).strip("_-")[:60] or "run"
    # `%` starts a pattern in the names of logs.
    log_dir = spec.log_dir.replace("%", "%%")
    options = {
        "job-name": f"{name}_" if name in _INTERACTIVE else name,
        "comment": comment_of(spec.token),
        "output": f"{log_dir}/job_{'%A_%a' if spec.is_array else '%j'}.log",
        "open-mode": "append",
        "chdir": spec.run_dirs[0],
        "signal": f"B:USR1@{warning_lead(spec)}",
    }
    words = [f"--{name}={value}" for name, value in options.items() if value]
    words.append("--requeue")
    if spec.is_array:
        cap = f"%{spec.parallel}" if spec.parallel else ""
        words.append(f"--array=0-{len(spec.run_dirs) - 1}{cap}")
    return [*words, *resource_options(spec.resources)]


def warning_lead(spec: JobSpec) -> int:
    """Return how many seconds before the limit the run is warned: at most half of a short one."""
    limit = spec.resources.time_s
    return spec.signal_s if limit is None else max(1, min(spec.signal_s, limit // 2))


def build_script(spec: JobSpec) -> BatchScript:
    """Return the batch script. Raises BatmanError for what SLURM cannot take."""
    options = sbatch_options(spec)
    plain = [option for option in options if _PLAIN.fullmatch(option)]
    beside = tuple(option for option in options if option not in plain)
    lines = [
        "#!/bin/bash",
        f"# Batman's job for the {_WHAT[spec.work]} {clean(spec.name)!r}.",
        *(f"#SBATCH {option}" for option in plain),
        *(f"# Given to sbatch beside this file: {clean(shlex.quote(o))}" for o in beside),
        "",
        *([*spec.prelude, ""] if spec.prelude else []),
        *([*environment, ""] if (environment := spec.environment.lines()) else []),
        "set -u",
        "RUNS=(",
        *(f"  {shlex.quote(path)}" for path in spec.run_dirs),
        ")",
        "RUN=${RUNS[${SLURM_ARRAY_TASK_ID:-0}]}",
        f"LOGS={shlex.quote(spec.log_dir)}",
        *_python(spec),
        f"export BATMAN_TOKEN={shlex.quote(spec.token)}",
        f"CODE={shlex.quote(spec.code)}",
        _SEARCH,
        *shell_exports(),
        "export BATMAN_LOCK_WAIT=$(( ${SLURM_RESTART_COUNT:-0} > 0 ? 300 : 0 ))",
        "export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive} PYTHONUNBUFFERED=1",
        "",
        _START.replace("EARLIER", earlier_log("$SLURM_JOB_ID")),
        _launch(spec),
        _TRAIN,
        _successor(beside, spec.is_array),
        _END,
    ]
    text = "\n".join(lines)
    # In an image the interpreter is several words.
    return BatchScript(
        text.replace('"$PYTHON"', '"${PYTHON[@]}"') if spec.environment.image else text, beside
    )


def _python(spec: JobSpec) -> list[str]:
    """Return the lines that say which interpreter runs."""
    if spec.environment.image:
        root = posixpath.dirname(spec.log_dir)
        places = [root, spec.code]
        places += [path for path in spec.run_dirs if not path.startswith(f"{root}/")]
        words = spec.environment.inside(spec.python, places, gpu=bool(spec.resources.gres))
        return [f"PYTHON=({words})"]
    return [
        f"PYTHON={shlex.quote(spec.python)}",
        '[ -d "$PYTHON" ] && PYTHON="$PYTHON/bin/python"',
    ]


# As `core.processes.child_process` does it: neither `python -m` nor an entry that is empty or
# relative may lead to the current folder, whose files may be named as modules are.
_SEARCH = r"""IFS=: read -ra given <<<"${PYTHONPATH:-}"
for entry in ${given[@]+"${given[@]}"}; do case $entry in /*) CODE=$CODE:$entry ;; esac; done
export PYTHONPATH=$CODE PYTHONSAFEPATH=1"""

_START = r"""say() { printf '%s batman: %s\n' "$(date +%H:%M:%S)" "$*"; }

# A signal may come before the trainer is there: then none is started, or it is told when it is.
trainer='' warned='' ended='' caught='' ENDING=TERM
# The time limit is near: a checkpoint, and then again from there.
on_warning() {
  caught=USR1 warned=1
  say 'the time limit is near; writing a checkpoint'
  "$PYTHON" -m slurm.attempts warn "$RUN"
  pass_on
}
# Cancelled, or put back into the queue: a checkpoint as well, at once, for the time is short.
on_end() {
  caught=$ENDING ended=1
  say 'asked to end; writing a checkpoint'
  "$PYTHON" -m slurm.attempts warn "$RUN" &
  pass_on
}
pass_on() { [ -z "$trainer" ] || kill "-$caught" "$trainer" 2>/dev/null; }
trap on_warning USR1
trap on_end TERM

# The run's log is the job's. The last task of an array has the array's own number in SLURM_JOB_ID:
# whatever is done by that is done to all of them.
job=$SLURM_JOB_ID
[ -n "${SLURM_ARRAY_TASK_ID:-}" ] && job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
log=$LOGS/job_$job.log
if [ -f "$RUN/train.log" ] && [ ! -L "$RUN/train.log" ]; then
  mv -- "$RUN/train.log" "$RUN/EARLIER"
fi
ln -sfn -- "$log" "$RUN/train.log"
cd -- "$RUN" || { say "the run folder is gone: $RUN"; exit 2; }
say "job $job on $(hostname), start $(( ${SLURM_RESTART_COUNT:-0} + 1 ))"
"$PYTHON" -m slurm.attempts begin "$RUN" || {
  code=$?
  [ "$code" != 6 ] || exit 0
  # The signal that we caught, this took for itself.
  case $code:$caught in 138:?* | 143:?*) ;; *) exit "$code" ;; esac
}
"""


def _launch(spec: JobSpec) -> str:
    """Return the shell function that becomes the trainer, or the labeller."""
    asked = spec.resources
    if spec.work == "label":
        return _LABEL
    if spec.work == "call":
        return _CALL.replace("MODULE", shlex.quote(spec.module))
    if asked.nodes == 1:
        return """# Without what makes Lightning take this for a task of srun.
launch() {
  exec env -u SLURM_NTASKS -u SLURM_NPROCS -u SLURM_PROCID -u SLURM_LOCALID -u SLURM_NODEID \\
    "$PYTHON" -m core.training.worker "$RUN"
}
"""
    tasks = asked.nodes * asked.gpus_per_node
    # Ranks end seconds apart when they stop: none may end the others (`--kill-on-bad-exit`).
    return f"""first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
if ! getent hosts "$first" >/dev/null; then
  first=$(scontrol show node "$first" | sed -n 's/.*NodeAddr=\\([^ ]*\\).*/\\1/p')
fi
export MASTER_ADDR=$first MASTER_PORT=$(( 20000 + SLURM_JOB_ID % 20000 ))
# srun passes this on to the trainers; at TERM it kills them.
ENDING=USR1
launch() {{
  exec srun --mpi=none --kill-on-bad-exit=0 --wait=300 --nodes={asked.nodes} --ntasks={tasks} \\
    --ntasks-per-node={asked.gpus_per_node} --cpus-per-task={asked.cpus_per_gpu} --export=ALL \\
    "$PYTHON" -m core.training.worker "$RUN"
}}
"""


# A labeller has everything it needs in folders, and is asked to stop by one signal only.
_LABEL = r"""pass_on() { [ -z "$trainer" ] || kill -TERM "$trainer" 2>/dev/null; }
launch() {
  exec env HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 "$PYTHON" -m core.autolabel "$RUN"
}
"""

# A function begins anew each time; what it answers is read when it has said its last word.
_CALL = r"""pass_on() { [ -z "$trainer" ] || kill -TERM "$trainer" 2>/dev/null; }
launch() {
  exec env HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 \
    "$PYTHON" -m MODULE <"$RUN/options.json" >"$RUN/answer.jsonl"
}
"""

_TRAIN = r"""code=''
if [ -z "$caught" ]; then
  launch &
  trainer=$!
  [ -z "$caught" ] || pass_on
  while :; do
    caught=''
    # A signal ends the wait, not the trainer; 127 is that it was waited for already.
    wait "$trainer"
    now=$?
    [ "$now" = 127 ] && [ -n "$code" ] || code=$now
    [ -n "$caught" ] || break
  done
fi
# Never started, or ended by the very signal before it could take it (138 and 143); and where a
# trainer ends as a signal comes, bash may forget with what (-1). Its events know if it was its own.
case $code:$warned$ended in
  :* | 138:1* | 143:1* | -1:1*) code=3 ;;
esac
"""


def _successor(beside: Sequence[str], is_array: bool) -> str:
    """Return the shell function that submits a job to go on where this one may not be requeued."""
    words = " ".join(map(shlex.quote, beside))
    array = " --array=$SLURM_ARRAY_TASK_ID" if is_array else ""
    return f"""successor() {{
  sbatch --parsable --dependency=afterany:$job --kill-on-invalid-dep=yes{array} \\
    {words} "${{RUNS[0]}}/job.sh" | tail -n 1
}}
"""


_END = r"""wait
# What is asked here must not die of a signal that is meant for the trainer.
shielded() { (trap '' USR1 TERM; exec "$@"); }
# Told to end: by a person, or by SLURM, for something after which it goes on?
judge() {
  again='' judged=1
  # What is preempted, or loses a node, SLURM starts again by itself as a rule.
  restarts=$(shielded scontrol show job -o "$job" | sed -n 's/.* Restarts=\([0-9]*\).*/\1/p')
  if [ "${restarts:-0}" -gt "${SLURM_RESTART_COUNT:-0}" ]; then
    say 'back in the queue: it goes on from the checkpoint'
    exit 0
  fi
  # A busy controller may be late to answer, or to know it.
  for try in 1 2 3; do
    [ "$try" = 1 ] || sleep 1
    case $(shielded squeue -h -t all -j "$job" -O 'Reason:;,PreemptTime:;' 2>/dev/null) in
      'TimeLimit;'*) again=1; say 'ended at its time limit'; break ;;
      *';'*[0-9]*) again=1; say 'preempted, and not put back into the queue'; break ;;
    esac
  done
}
again='' judged=''
if [ "$code" = 3 ]; then
  again=$warned
  [ -z "$ended" ] || judge
fi
if [ -n "$again" ]; then
  shielded "$PYTHON" -m slurm.attempts check "$RUN" || exit $?
  [ -z "$ended" ] || [ -n "$judged" ] || judge
fi
# From here on nothing is to be decided any more.
trap '' USR1 TERM
if [ -n "$again" ]; then
  if scontrol requeue "$job"; then
    say 'requeued: it goes on from the checkpoint'
    exit 0
  fi
  say 'may not be requeued; submitting a successor'
  next=$(successor)
  if [ -n "$next" ]; then
    next=${next%%;*}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}
    say "job $next goes on from the checkpoint"
    "$PYTHON" -m slurm.attempts next "$RUN" "$next"
    exit 0
  fi
  say 'no successor could be submitted; go on with batman submit --resume'
fi
wait
"$PYTHON" -m slurm.attempts end "$RUN" "$code"
# A copy, so that the run folder tells everything by itself.
cp -f --remove-destination -- "$log" "$RUN/train.log" 2>/dev/null
[ "$code" = 3 ] && code=0
exit "$code"
"""
