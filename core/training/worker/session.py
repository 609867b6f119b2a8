"""One attempt at training a run: everything built, trained, and its outcome.

Imports torch and rfdetr, so the worker imports it only after what can go wrong at once has been
looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback

from core.common.errors import ConfigError
from core.common.hardware import GIB, find_gpus
from core.common.text import shell_word
from core.data.images.class_colours import class_colours
from core.training.config.batch_size import EFFECTIVE, idle, recommend, tightest_gpu
from core.training.config.effective_batch import Batching
from core.training.config.options import TrainingConfig
from core.training.config.probe_results import recall, remember
from core.training.launch import pretrained_weights
from core.training.log.quiet_libraries import quiet_loggers
from core.training.loggers.tensorboard import TensorBoardLog
from core.training.loggers.wandb_mlflow import Outcome, Services, require_services
from core.training.run import checkpoints
from core.training.run.events import (
    Epoch,
    Event,
    Oom,
    Started,
    Validation,
    Warning_,
    decode_event,
    encode_event,
)
from core.training.run.results import write_results
from core.training.run.trained_time import trained_seconds
from core.training.worker import build
from core.training.worker.checkpoint_writer import CheckpointFiles, RunState, WholeFileIO
from core.training.worker.data.seeds import BatchSeeds
from core.training.worker.ranks import is_rank_zero, under_srun, under_torchrun
from core.training.worker.recorder import RunRecorder
from core.training.worker.stop import StopRequest, TrainingStopped
from core.training.worker.val_images import ValImages

# Batch size for `auto` where there is no GPU to try batches on.
_AUTO_WITHOUT_GPU = 4


class Session:
    """Trains the run in `run_dir` once.

    `resume` is the checkpoint to go on from, `weights_file` the first weights of a fresh start.
    `batching` takes the config's place after running out of memory. `write` takes events, `say`
    lines for the log; `earlier` are the events of earlier attempts, `config_time` is when the
    config was written (Unix seconds).
    """

    def __init__(
        self,
        run_dir: Path,
        config: TrainingConfig,
        *,
        write: Callable[[Event], None],
        say: Callable[[str], None],
        earlier: Sequence[Event],
        config_time: float,
        resume: checkpoints.CheckpointInfo | None,
        weights_file: Path | None,
        attempt: int,
        batching: tuple[int, int] | None,
        stop: StopRequest,
    ) -> None:
        self.stop = stop
        self.stopped = False
        self.reason = "epochs"
        self.epoch = 0
        self.step = 0
        self.best: dict[str, Any] | None = None
        self.batching: Batching | None = None
        self._run_dir = run_dir
        self._config = config
        self._write_event = write
        self._say = say
        self._earlier = earlier
        self._config_time = config_time
        self._resume = resume
        if resume is not None:
            self.epoch, self.step = resume.epoch, resume.step
        self._weights = weights_file
        self._attempt = attempt
        self._given = batching
        self._board: TensorBoardLog | None = None
        self._services: Services | None = None
        self._left = False
        self._recorder: RunRecorder | None = None
        if config.dataset is None:
            raise ConfigError("This run has no prepared data set.", "Start it with batman train.")
        self._classes = config.dataset.class_names
        self._data = config.dataset_dir(run_dir)
        quiet_loggers()

    def train(self, callbacks: Sequence[Callback] = ()) -> None:
        """Train until the last epoch, until patience runs out or until asked to stop.

        Raises BatmanError for what a person can put right; whatever torch and rfdetr raise passes.
        """
        self._check_data()
        require_services(self._config)
        if self._stopped_before():
            return
        config = self._config
        state = RunState.from_dict(self._resume.state) if self._resume else RunState()
        if self._resume is not None and self._resume.epoch >= config.epochs:
            self._finish_complete(state)
            return
        if self._weights is not None:
            pretrained_weights.fetch(config, self._weights)
        # A resume overwrites all weights, so the published ones need not be there then.
        model = build.model_config(config, self._classes, self._weights)
        batching = Batching(*(self._given or self._known_batching() or (0, 0)), self._world())
        self.batching = batching
        if not batching.batch:
            batching = self.batching = self._probe(model)
        train = build.train_config(config, self._run_dir, self._classes, batching)
        module = build.build_module(model, train, self._resume.blocks if self._resume else 0)
        data = build.build_data(model, train, config.balance, config.image_cache)
        evaluation = build.build_evaluation(train)
        checkpoint = self._resume.path if self._resume else None
        recorder = self._recorder = RunRecorder(
            self._run_dir,
            config,
            batching,
            self.stop,
            self._write,
            evaluation=evaluation,
            val_images=self._val_images(),
            earlier=self._earlier,
            resumed_from=checkpoint,
            attempt=self._attempt,
        )
        trainer = build.make_trainer(
            config,
            model,
            train,
            [BatchSeeds(config.seed), evaluation, *callbacks, recorder],
            plugins=[WholeFileIO()],
        )
        self.stop.listen()  # from here on there may be something to save
        if self._stopped_before():
            return
        try:
            trainer.fit(
                module,
                datamodule=data,
                ckpt_path=checkpoint,
                weights_only=True if checkpoint else None,
            )
            self.reason = "patience" if recorder.stopped_early else "epochs"
        except TrainingStopped:
            self.stopped, self.reason = True, self.stop.reason or "request"
        finally:
            recorder.close()
            if self._board is not None:
                self._board.close()
        self._record(recorder.state, str(module.device))

    @property
    def seconds(self) -> float:
        """How long the run has trained, in seconds, as far as this session knows."""
        return self._recorder.elapsed if self._recorder is not None else 0.0

    # --- before training ---------------------------------------------------------------------

    def _stopped_before(self) -> bool:
        """Tell whether a stop was asked for before the first step: the folder stays as it is."""
        if self.stop.reason is not None:
            self.stopped, self.reason = True, self.stop.reason
        return self.stopped

    def _check_data(self) -> None:
        for split in ("train", "valid"):
            file = self._data / split / "_annotations.coco.json"
            if not file.is_file():
                raise ConfigError(
                    f"The data set's {split} split is missing: there is no '{file}'.",
                    "Bring it back, or have it made again: "
                    f"batman train --resume {shell_word(self._run_dir.name)}.",
                )

    def _world(self) -> int:
        return self._config.num_gpus * self._config.num_nodes

    def _known_batching(self) -> tuple[int, int] | None:
        """Return the batch and accumulation to train with, None if they are yet to be found.

        What an earlier attempt found out (by running out of memory, or for `auto`) holds until the
        config is changed.
        """
        since = [event for event in self._earlier if event.t >= self._config_time]
        found = [event for event in since if isinstance(event, Oom)]
        if found:
            return found[-1].new_batch_size, found[-1].new_grad_accum
        if self._config.batch_size != "auto":
            return self._config.batch_size, self._config.grad_accum
        starts = [event for event in since if isinstance(event, Started)]
        return (starts[-1].batch_size, starts[-1].grad_accum) if starts else None

    def _probe(self, model: Any) -> Batching:
        """Return the largest batch that fits: what was found before, else tried on the GPU.

        Processes that torchrun or srun started must not try each by itself, lest they come to
        different batches: they take what the memory model says.
        """
        config, world = self._config, self._world()
        if build.device_arguments(config)[0] != "gpu":
            return Batching(_AUTO_WITHOUT_GPU, config.grad_accum, world)
        gpu = tightest_gpu(config, find_gpus())
        batch = recall(config, gpu) if gpu is not None and idle(gpu) else None
        if batch is None and world > 1 and (under_torchrun() or under_srun()):
            memory = torch.cuda.get_device_properties(0).total_memory / GIB
            advice = recommend(config, memory_gib=memory)
            return Batching(advice.batch_size, advice.grad_accum, world)
        if batch is None:
            from core.training.worker.trial.probe_batch_size import largest_batch

            self._say("looking for the largest batch that fits")
            train = build.train_config(config, self._run_dir, self._classes, Batching(1, 1, world))
            batch = largest_batch(model, train)
            if gpu is not None and idle(gpu) and (told := remember(config, gpu, batch)):
                self._say(told)
        return Batching(batch, max(1, -(-EFFECTIVE // (batch * world))), world)

    def _val_images(self) -> ValImages | None:
        if not self._config.val_images or not is_rank_zero():
            return None
        info = self._config.dataset
        colours = class_colours(self._classes, info.class_ids if info else None)
        return ValImages(self._data, colours, self._run_dir / "val_images", self._config.val_images)

    # --- while training ----------------------------------------------------------------------

    def _write(self, event: Event) -> None:
        self._write_event(event)
        if isinstance(event, Started):
            self.epoch, self.step = event.epoch, event.step
            self._open_board(event.step)
            self._services = Services(self._config, self._run_dir, self._no_service)
            where = f"epoch {event.epoch}, step {event.step}" if event.step else "the start"
            self._say(
                f"training on {event.gpu or event.device} from {where}: batch {event.batch_size} "
                f"x {event.grad_accum}, {event.steps_per_epoch} steps an epoch"
            )
        elif isinstance(event, Epoch):
            self.epoch, self.step = event.epoch, event.step
            loss = "-" if event.train_loss is None else f"{event.train_loss:.4f}"
            self._say(f"epoch {event.epoch}/{self._config.epochs} loss {loss} {event.seconds:.1f}s")
        elif isinstance(event, Validation):
            mark = " (best)" if event.best else ""
            self._say(
                f"epoch {event.epoch} mAP50-95 {event.map50_95:.4f} mAP50 {event.map50:.4f} "
                f"precision {event.precision:.3f} recall {event.recall:.3f}{mark}"
            )
        elif isinstance(event, Warning_):
            self._say(f"warning: {event.message} {event.hint}".rstrip())
        elif hasattr(event, "step"):
            self.step = event.step
        if self._board is not None:
            self._board.write(event)
        if self._services is not None:
            self._services.write(event)

    def leave(self, outcome: Outcome) -> None:
        """Say to the services that get the run's figures how this attempt at it ended.

        To be called last: a service that does not answer may take its time.
        """
        self._left = True
        if self._services is not None:
            self._services.close(outcome)

    def _no_service(self, warning: Warning_) -> None:
        if self._left:  # the run has ended, and an event after its end would say otherwise
            self._say(f"warning: {warning.message} {warning.hint}")
        else:
            self._write(warning)

    def _open_board(self, step: int) -> None:
        if not self._config.tensorboard:
            return
        try:
            self._board = TensorBoardLog(self._run_dir / "tensorboard", step)
        except ImportError as error:
            self._write_event(
                Warning_(
                    code="no-tensorboard",
                    message=f"TensorBoard files are not written: {error}.",
                    hint="Install tensorboard, or switch them off.",
                )
            )

    # --- after training ----------------------------------------------------------------------

    def _finish_complete(self, state: RunState) -> None:
        """Finish a run whose last epoch was complete when it was lost."""
        self.stop.listen()
        for line in state.epoch_events:
            self._complete(line)
        files = CheckpointFiles(self._run_dir, self._config.keep_checkpoints, None)
        files.adopt_best(None, state, self._config.best_metric, self._earlier)
        self.batching = Batching(state.batch, state.accum, state.world)
        self._record(state, self._config.device)

    def _complete(self, line: str) -> None:
        event = decode_event(line.encode())
        if event and encode_event(event) not in {encode_event(known) for known in self._earlier}:
            self._write_event(event)

    def _record(self, state: RunState, device: str) -> None:
        own = (record for record in state.history if record["epoch"] == state.best_epoch)
        self.best = state.best_record or next(own, None)
        if not is_rank_zero() or self.batching is None:
            return
        write_results(
            self._run_dir,
            self._config,
            state="stopped" if self.stopped else "finished",
            reason=self.reason,
            epoch=self.epoch,
            step=self.step,
            seconds=max(state.elapsed, trained_seconds(self._earlier)),
            history=state.history,
            best_epoch=state.best_epoch,
            best=self.best,
            batch={
                "batch_size": self.batching.batch,
                "grad_accum": self.batching.accum,
                "effective_batch": self.batching.effective,
            },
            device=device,
        )
