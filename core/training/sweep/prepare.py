"""The folders of a sweep's runs and their data sets, made before the first of them is trained.

All runs learn from the project as it is when the sweep is made, so that they can be compared: where
two take the same data, the second set is linked from the first.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from core.common.errors import BatmanError, Cancelled, ConfigError, RunError
from core.common.files import link_or_copy, safe_name, write_json
from core.common.temporary import folder_beside, put_in_place, remove_tree
from core.common.text import clean
from core.common.workspace import Workspace, entries_of
from core.privacy.secrets import redact_forms, redact_tree
from core.training.config.options import TrainingConfig, parse_config
from core.training.config.sweep import Combination, combinations
from core.training.launch.dataset import Progress
from core.training.launch.local import require_startable
from core.training.launch.plan import (
    DATA_OPTIONS,
    absolute_paths,
    create_run,
    refuse_used,
)
from core.training.launch.prepare_run import is_ready, ready_run
from core.training.launch.undo import Undo, undone_when_refused
from core.training.run.run import Run
from core.training.sweep.sweep import PLAN_FILE, Plan, Planned, Sweep, sweeps_dir

Report = Callable[[Progress], None]


def plan_sweep(
    workspace: Workspace, values: Mapping[str, Any], words: Sequence[str]
) -> list[Combination]:
    """Return what `make_sweep` would train, each with the folder it would have; writes nothing.

    Raises BatmanError for what keeps any of them from being trained here, as far as it can be known
    without preparing the data.
    """
    found = combinations(values, words)
    if len(found) < 2:
        raise BatmanError("A sweep of one run is none.", "Name two values or more, with commas.")
    name = _next_name(workspace, found[0].config)
    width = len(str(len(found)))
    placed: list[Combination] = []
    for number, one in enumerate(found, 1):
        config = absolute_paths(workspace, one.config.resolved())
        folder = config.output_dir or workspace.runs_dir / f"{name}-{number:0{width}d}"
        path = (workspace.root / folder).absolute()
        refuse_used(path)
        require_startable(config, path)
        placed.append(Combination(config.with_changes(output_dir=path, sweep=name), one.choices))
    return placed


def make_sweep(
    workspace: Workspace,
    values: Mapping[str, Any],
    words: Sequence[str],
    progress: Report | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Sweep:
    """Write a sweep's plan and prepare all its runs; nothing is trained yet.

    The plan is there before the first run folder is, so that work that was killed can go on
    (`prepare_rest`). What is refused or cancelled leaves nothing behind. Raises BatmanError naming
    what is wrong, and Cancelled.
    """
    placed = plan_sweep(workspace, values, words)
    with undone_when_refused() as undo:
        sweep = _write_plan(workspace, placed, words)
        try:
            prepare_rest(sweep, progress, cancelled, undo)
        except BaseException:
            remove_tree(sweep.path)
            raise
    return sweep


def prepare_rest(
    sweep: Sweep,
    progress: Report | None = None,
    cancelled: Callable[[], bool] | None = None,
    undo: Undo | None = None,
) -> None:
    """Prepare those runs of a sweep that are not, and note that all are.

    Raises as `make_sweep` does; `undo` is told of every folder before it is touched.
    """
    plan = sweep.plan()
    if plan.prepared:
        return
    undo = undo or Undo()
    done: list[tuple[Run, TrainingConfig]] = []
    for number, planned in enumerate(plan.runs, 1):
        config = parse_config(planned.settings)
        run = Run(sweep.folder(planned))
        undo.watch(run.path)

        def tell(at: Progress, number: int = number) -> None:
            if cancelled is not None and cancelled():
                raise Cancelled("Preparing the sweep was cancelled.")
            if progress is not None:
                stage = f"run {number} of {len(plan.runs)}: {at.stage}"
                progress(Progress(stage, at.done, at.total))

        tell(Progress("preparing", 0, None))
        ready = _ready(sweep.name, run)
        if ready is None:
            same = next((one for one in done if _same_data(one[1], config)), None)
            if same is None:
                run = ready_run(sweep.workspace, config, tell, cancelled, local=True, undo=undo)
            else:
                _take_over(sweep.workspace, config, *same)
            ready = run.config()
        done.append((run, ready))
    _save(sweep, msgspec.structs.replace(plan, prepared=True))


def _write_plan(workspace: Workspace, placed: Sequence[Combination], words: Sequence[str]) -> Sweep:
    name = placed[0].config.sweep
    assert name is not None  # plan_sweep sees to it
    runs = [
        Planned(_from(workspace, one.config.output_dir), one.choices, _settings(one.config))
        for one in placed
    ]
    sweep = Sweep(sweeps_dir(workspace) / name)
    try:
        with folder_beside(sweep.path) as making:
            _save(Sweep(making), Plan(list(words), time.time(), runs))
            making.rename(sweep.path)
    except OSError as error:
        raise RunError(
            f"The sweep '{clean(name)}' cannot be made: {error.strerror}.",
            f"See what is in {clean(str(sweeps_dir(workspace)))}.",
        ) from error
    return sweep


def _save(sweep: Sweep, plan: Plan) -> None:
    write_json(sweep.path / PLAN_FILE, msgspec.to_builtins(plan))


def _settings(config: TrainingConfig) -> dict[str, Any]:
    # What was not chosen stays a default of the model.
    told: dict[str, Any] = config.model_dump(mode="json", exclude_unset=True)
    redacted: dict[str, Any] = redact_tree(told, redact_forms)
    return redacted


def _from(workspace: Workspace, path: Path | None) -> str:
    assert path is not None  # plan_sweep sees to it
    root = workspace.root.absolute()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _ready(sweep: str, run: Run) -> TrainingConfig | None:
    """Return the settings of a run of the sweep that is prepared, None for one that is not."""
    try:
        config = run.config()
    except BatmanError:
        return None
    if config.sweep != sweep:
        raise RunError(
            f"'{clean(str(run.path))}' holds a run that is not of the sweep '{clean(sweep)}'.",
            "Move it away, and go on with the sweep.",
        )
    return config if is_ready(run, config) else None


def _same_data(one: TrainingConfig, other: TrainingConfig) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in DATA_OPTIONS)


def _take_over(
    workspace: Workspace, config: TrainingConfig, source: Run, made: TrainingConfig
) -> None:
    """Make the run of `config` with the data set of `source`, whose settings are `made`."""
    run = create_run(workspace, config)
    try:
        with folder_beside(run.dataset_dir) as making:
            _link_tree(made.dataset_dir(source.path), making)
            put_in_place(making, run.dataset_dir)
    except OSError as error:
        raise ConfigError(
            f"The data set cannot be written to '{clean(str(run.path))}': {error.strerror}.",
            "Free some space, or choose another --output-dir.",
        ) from error
    run.save_config(run.config().with_changes(dataset=made.dataset))


def _link_tree(source: Path, target: Path) -> None:
    for folder, _, names in os.walk(source):
        there = target / Path(folder).relative_to(source)
        there.mkdir(exist_ok=True)
        for name in names:
            link_or_copy(Path(folder, name), there / name, "link")


def _next_name(workspace: Workspace, config: TrainingConfig) -> str:
    """Return the name of a sweep that no sweep has, nor runs that are called after one."""
    stem = config.project.name if config.project is not None else "run"
    base = safe_name(f"{stem[:60]}-sweep")
    pattern = re.compile(re.escape(base) + r"-(\d+)(-\d+)?")
    names = [
        entry.name
        for folder in (sweeps_dir(workspace), workspace.runs_dir)
        for entry in entries_of(folder)
    ]
    numbers = (pattern.fullmatch(name) for name in names)
    return f"{base}-{1 + max((int(match[1]) for match in numbers if match), default=0)}"
