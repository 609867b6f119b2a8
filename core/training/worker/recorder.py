"""`RunRecorder`: the Lightning callback that turns training into a run folder.

An epoch becomes visible in this order: `best.pth` if it is the best, `checkpoint_last.pth`, the
periodic copy, and only then its events. The events of an epoch also lie in its checkpoint, so that
a process killed between the two leaves nothing that a resume cannot complete: no epoch is told
twice and none is left out.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from core.training.config.effective_batch import Batching
from core.training.config.options import TrainingConfig
from core.training.run import checkpoints, epoch_progress
from core.training.run.events import (
    Epoch,
    Event,
    Started,
    Step,
    Validation,
    decode_event,
    encode_event,
)
from core.training.run.results import validation_event, validation_record, worth
from core.training.run.trained_time import trained_seconds
from core.training.warnings.monitor import RunWatch
from core.training.worker.checkpoint_writer import CheckpointFiles, RunState
from core.training.worker.coco_validation import CocoEval
from core.training.worker.ranks import is_rank_zero
from core.training.worker.step_meter import StepMeter
from core.training.worker.stop import StopRequest, TrainingStopped
from core.training.worker.val_images import ValImages


class RunRecorder(Callback):
    """Writes events, checkpoints and validation images of one run, and stops it when asked to.

    `write` takes each event. `earlier` are the events that were in the folder at the start, by
    which a resume finds what it must complete.
    """

    def __init__(
        self,
        run_dir: Path,
        config: TrainingConfig,
        batching: Batching,
        stop: StopRequest,
        write: Callable[[Event], None],
        *,
        evaluation: CocoEval,
        val_images: ValImages | None = None,
        earlier: Sequence[Event] = (),
        resumed_from: Path | None = None,
        attempt: int = 1,
    ) -> None:
        self.state = RunState()
        self._run_dir = run_dir
        self._config = config
        self._batching = batching
        self._stop = stop
        self._write = write
        self._evaluation = evaluation
        self._images = val_images
        self._files = CheckpointFiles(run_dir, config.keep_checkpoints, val_images)
        self._earlier = earlier
        self._resumed_from = resumed_from
        self._attempt = attempt
        self._meter: StepMeter | None = None
        self._step = 0
        self._watch: RunWatch | None = None
        self._validation: Validation | None = None
        self._worth: dict[str, float] = {}
        self._validating = False
        self._begun: float | None = None
        self._epoch_begun = self._validation_begun = time.monotonic()
        self.stopped_early = False

    # --- what lies in the checkpoint ---------------------------------------------------------

    @property
    def state_key(self) -> str:
        """The name of this callback's part of a checkpoint."""
        return checkpoints.STATE_KEY

    def state_dict(self) -> dict[str, Any]:
        """Return the run's state as plain values, which a weights-only load accepts."""
        state = asdict(self.state)
        state["elapsed"] = self.elapsed
        state["epoch_seconds"] = self._epoch_seconds
        if self._meter is not None:
            state["loss_sum"] = self._meter.loss_sum
            state["loss_count"] = self._meter.loss_count
        state |= {"batch": self._batching.batch, "accum": self._batching.accum}
        return state | {"world": self._batching.world}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up the run's state from a checkpoint."""
        self.state = RunState.from_dict(state)
        if self._config.patience and self.state.since_best >= self._config.patience:
            # It had stopped early and someone wants it to go on: patience starts again.
            self.state.since_best = 0

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Mark a checkpoint written while validating, so that a resume validates again."""
        if self._validating:
            epoch_progress.mark_validation_pending(checkpoint["loops"]["fit_loop"])

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Find the place in the epoch, in batches of today's size."""
        saved = checkpoint.get("callbacks", {}).get(self.state_key, {})
        old = Batching(
            saved.get("batch") or self._batching.batch,
            saved.get("accum") or self._batching.accum,
            saved.get("world") or self._batching.world,
        )
        fit_loop = checkpoint["loops"]["fit_loop"]
        exact = epoch_progress.rescale(fit_loop, old, self._batching)
        trainer.datamodule.position = epoch_progress.position(fit_loop)
        if not exact:
            self.state.loss_sum, self.state.loss_count, self.state.epoch_seconds = 0.0, 0, 0.0

    # --- start -------------------------------------------------------------------------------

    @property
    def elapsed(self) -> float:
        """Training time in seconds, of all sessions."""
        now = 0.0 if self._begun is None else time.monotonic() - self._begun
        return self.state.elapsed + now

    @property
    def _epoch_seconds(self) -> float:
        return self.state.epoch_seconds + time.monotonic() - self._epoch_begun

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say where training begins."""
        self._stop.listen()
        self._begun = self._epoch_begun = time.monotonic()
        # A session that was lost trained longer than its last checkpoint knows.
        self.state.elapsed = max(self.state.elapsed, trained_seconds(self._earlier))
        self._step = trainer.global_step
        config, batching = self._config, self._batching
        self._meter = StepMeter(pl_module.device, config.lr, batching.effective, batching.accum)
        self._meter.loss_sum, self._meter.loss_count = self.state.loss_sum, self.state.loss_count
        pl_module.criterion.register_forward_hook(self._meter.criterion_hook)
        self._files.adopt_best(self._resumed_from, self.state, config.best_metric, self._earlier)
        self._complete_events()
        self._watch = RunWatch(
            config,
            batching,
            self._run_dir,
            self._write if trainer.is_global_zero else None,
            earlier=self._earlier,
            history=self.state.history,
        )
        cuda = pl_module.device.type == "cuda"
        self._emit(
            trainer,
            Started(
                run=self._run_dir.name,
                pid=os.getpid(),
                host=socket.gethostname(),
                model=config.model,
                epochs=config.epochs,
                epoch=trainer.current_epoch,
                step=trainer.global_step,
                steps_per_epoch=int(trainer.num_training_batches) // batching.accum,
                batch_size=batching.batch,
                grad_accum=batching.accum,
                effective_batch=batching.effective,
                image_size=config.image_size,
                classes=config.dataset.class_names if config.dataset else [],
                device=str(pl_module.device),
                gpu=torch.cuda.get_device_name(pl_module.device) if cuda else None,
                resumed_from=str(self._resumed_from) if self._resumed_from else None,
                attempt=self._attempt,
                elapsed=round(self.state.elapsed, 1),
            ),
        )
        self._watch_disk(trainer.current_epoch + 1)

    def _complete_events(self) -> None:
        """Write the events of the checkpoint's epoch that a kill kept from being written."""
        source = self._resumed_from
        if source is None or source.parent.resolve() != self._run_dir.resolve():
            return
        if not is_rank_zero():
            return
        written = {encode_event(event) for event in self._earlier}
        for line in self.state.epoch_events:
            event = decode_event(line.encode())
            if event is not None and encode_event(event) not in written:
                self._write(event)

    # --- steps -------------------------------------------------------------------------------

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the epoch's clocks; after the last epoch there is a validation in any case."""
        if trainer.current_epoch + 1 >= self._config.epochs:
            # Read anew each epoch; rfdetr 1.11.2 does the same where its own callbacks are kept.
            trainer.check_val_every_n_epoch = 1
        self._epoch_begun = time.monotonic()
        self._require_meter().begin()

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Measure how long the batch took to load."""
        self._require_meter().batch_start(trainer.optimizers[0])

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write the step, and stop here if that was asked for."""
        meter = self._require_meter()
        meter.batch_end(outputs["loss"])
        self._beat(step=True)
        if trainer.global_step == self._step:
            return  # still adding up batches
        self._step = trainer.global_step
        self._emit_steps(trainer, meter.step_end(trainer.current_epoch + 1, self._step))
        # After an epoch's last step validation is due: the stop waits for on_validation_start.
        if not trainer.is_last_batch:
            self._stop_if_asked(trainer)

    def _require_meter(self) -> StepMeter:
        assert self._meter is not None
        return self._meter

    def _emit_steps(self, trainer: Trainer, events: Sequence[Step]) -> None:
        for event in events:
            self._emit(trainer, msgspec.structs.replace(event, elapsed=round(self.elapsed, 1)))

    # --- validation --------------------------------------------------------------------------

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the epoch's last steps before the long quiet of validation."""
        self._validation_begun = time.monotonic()
        self._beat()
        self._emit_steps(trainer, self._require_meter().ready())
        self._validating = True
        self._stop_if_asked(trainer)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep predictions of the images to draw."""
        self._beat()
        if self._images is not None and trainer.is_global_zero:
            self._images.collect(outputs["results"], outputs["targets"])
        self._stop_if_asked(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Gather the metrics; they are told when the epoch's checkpoint is on disk."""
        self._validating = False
        self._beat()
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self._worth = worth(metrics)
        value, epoch = self._worth[self._config.best_metric], trainer.current_epoch + 1
        # A kill between the best model and its checkpoint has the epoch trained and found again.
        again = epoch == self.state.best_epoch and value == self.state.best_value
        best = value > self.state.best_value or again
        if best:
            self.state.best_value, self.state.since_best = value, 0
            self.state.best_epoch = epoch
        else:
            # In epochs, as patience is; those without a validation got no better either.
            self.state.since_best += self._config.eval_interval
        self._validation = validation_event(
            metrics,
            self._evaluation.per_class,
            epoch=trainer.current_epoch + 1,
            step=trainer.global_step,
            ema=self._config.ema,
            best=best,
            seconds=round(time.monotonic() - self._validation_begun, 3),
        )

    # --- end of an epoch, and of training ----------------------------------------------------

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the epoch on disk, then tell of it; stop if asked to or if patience has run out."""
        meter = self._require_meter()
        self._emit_steps(trainer, meter.ready())
        epoch, step = trainer.current_epoch + 1, trainer.global_step
        train_loss = meter.take_mean()
        done: list[Event] = []
        validation, self._validation = self._validation, None
        if validation is not None:
            record = validation_record(validation, train_loss)
            self.state.history.append(record)
            if validation.best:
                self.state.best_record = record
            done.append(msgspec.structs.replace(validation, t=time.time()))
        seconds = round(self._epoch_seconds, 3)
        done.append(Epoch(epoch=epoch, step=step, train_loss=train_loss, seconds=seconds))
        self.state.epoch_events = [encode_event(event).decode() for event in done]
        self.state.epoch_seconds, self._epoch_begun = 0.0, time.monotonic()
        written: list[Event] = []
        if validation is not None and validation.best and trainer.is_global_zero:
            unknown = self._files.keep_unknown_best(epoch)
            written += [unknown] if unknown is not None else []
            best = self.state.best_record
            written.append(self._files.save_best(trainer, pl_module, epoch, self._worth, best))
        stopping = self._stop_asked(trainer) and epoch < self._config.epochs
        written.append(self._files.save_last(trainer, epoch, "stop" if stopping else "last"))
        if epoch % self._config.checkpoint_interval == 0 and trainer.is_global_zero:
            written.append(self._files.save_periodic(epoch, step))
        for event in [*done, *written]:
            self._emit(trainer, event)
        if stopping:
            raise TrainingStopped
        if self._out_of_patience(trainer):
            self.stopped_early = epoch < self._config.epochs
            trainer.should_stop = True
        self._beat()
        self._watch_disk(epoch + 1)

    def _out_of_patience(self, trainer: Trainer) -> bool:
        over = 0 < self._config.patience <= self.state.since_best
        # The first process decides for all: they must leave the loop together.
        return bool(trainer.strategy.broadcast(over)) if trainer.world_size > 1 else over

    def _stop_asked(self, trainer: Trainer) -> bool:
        asked = self._stop.reason is not None
        if trainer.world_size > 1:  # a signal may reach one rank first: they stop together
            asked = bool(trainer.strategy.reduce_boolean_decision(asked, all=False))
        return asked

    def _stop_if_asked(self, trainer: Trainer) -> None:
        if not self._stop_asked(trainer):
            return
        self._emit_steps(trainer, self._require_meter().ready())
        self._emit(trainer, self._files.save_last(trainer, trainer.current_epoch, "stop"))
        raise TrainingStopped

    # --- events ------------------------------------------------------------------------------

    def _emit(self, trainer: Trainer, event: Event) -> None:
        if trainer.is_global_zero:
            self._write(event)
        if self._watch is not None:
            self._watch.see(event)

    def _watch_disk(self, epoch: int) -> None:
        if self._watch is not None:
            self._watch.check_disk(self._files.last_bytes, epoch)

    def _beat(self, *, step: bool = False) -> None:
        if self._watch is not None:
            self._watch.beat(step=step)

    def close(self) -> None:
        """Stop watching, and the clock; training is over, one way or another."""
        self.state.elapsed, self._begun = self.elapsed, None
        if self._watch is not None:
            self._watch.close()
