"""Measuring the validation split while training: rfdetr's evaluation, counted by `core.metrics`.

rfdetr 1.11.2 takes 21 s of processor time for 5,000 images with 300 predictions, two thirds of it
to match them a second time for precision, recall and F1. Here one count gives both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from rfdetr.training import COCOEvalCallback
from rfdetr.training.callbacks.coco_eval import _get_ema_inner_module
from rfdetr.training.coco_map import OnePassCocoMeanAveragePrecision
from rfdetr.utilities.distributed import get_rank

from core.metrics.boxes import Found, Measured, Objects
from core.metrics.coco import measure
from core.metrics.thresholds import Matches, matches_by_class, mean_of


class CocoMetric(OnePassCocoMeanAveragePrecision):
    """rfdetr's metric of boxes, computed by `core.metrics`.

    `matches` is by class, from the last time it was computed: what was right at IoU 0.5.
    """

    matches: dict[int, Matches]

    def compute(self) -> dict[str, torch.Tensor]:
        """Return what rfdetr's own metric returns, at pycocotools' own IoUs and recalls.

        torchmetrics rounds them to 32 bits: a recall that lies on one of the 101 points exactly is
        then counted beside it (0.3320 instead of 0.3317 on 24 images of shapes).
        """
        labels = [_joined(of) for of in (self.groundtruth_labels, self.detection_labels) if of]
        # As rfdetr's `_observed_classes`, which sorts all of them: half a second for 1,000 images.
        classes = sorted({int(n) for of in labels for n in np.flatnonzero(np.bincount(of))})
        told = torch.tensor(classes, dtype=torch.int32)
        self.matches = {}
        images = len(self.groundtruth_labels)
        if not images or not classes:
            return {**self._empty_iou_type_results("", classes), "classes": told}
        objects, found = self._columns(np.asarray(classes), *labels)
        limits = self.max_detection_thresholds
        measured = measure(objects, found, images, len(classes), limits)
        right = matches_by_class(objects, found, measured.matching, len(classes))
        self.matches = dict(zip(classes, right, strict=True))
        arrays = {"precision": measured.precision, "recall": measured.recall}
        return {
            **self._coco_backend._coco_stats_to_tensor_dict(
                _stats(measured), prefix="", max_detection_thresholds=limits
            ),
            **self._reduce_per_class(arrays, "", classes),
            "classes": told,
        }

    def _columns(self, classes: Any, there: Any, seen: Any) -> tuple[Objects, Found]:
        boxes = _boxes(self.groundtruth_box)
        areas = _joined(self.groundtruth_area)
        return (
            Objects(
                images=_images(self.groundtruth_labels),
                classes=np.searchsorted(classes, there),
                boxes=boxes,
                # 0 where none was given, as torchmetrics 1.8 has it (`_get_coco_format`).
                areas=np.where(areas > 0, areas, boxes[:, 2] * boxes[:, 3]),
                crowd=_joined(self.groundtruth_crowds) != 0,
            ),
            Found(
                images=_images(self.detection_labels),
                classes=np.searchsorted(classes, seen),
                boxes=_boxes(self.detection_box),
                scores=_joined(self.detection_scores),
            ),
        )


def _joined(images: list[torch.Tensor]) -> Any:
    values = torch.cat([image.reshape(-1) for image in images])
    return (values.double() if values.is_floating_point() else values.long()).numpy()


def _boxes(images: list[torch.Tensor]) -> Any:
    return _joined(images).reshape(-1, 4)


def _images(labels: list[torch.Tensor]) -> Any:
    """Return the place of each row's image."""
    return np.repeat(np.arange(len(labels)), [image.numel() for image in labels])


def _stats(measured: Measured) -> list[float]:
    """Return the twelve figures of COCO's summary (pycocotools 2.0.11, `_summarizeDets`).

    Those that pycocotools takes at the last of three limits are taken at the last here.
    """
    precision, recall = measured.precision[..., -1], measured.recall
    sizes = range(1, 4)
    parts = [
        precision[..., 0],
        precision[0, ..., 0],
        precision[5, ..., 0],
        *(precision[..., size] for size in sizes),
        *(recall[:, :, 0, limit] for limit in range(3)),
        *(recall[:, :, size, -1] for size in sizes),
    ]
    means = [mean_of(part) for part in parts]
    return [-1.0 if mean is None else mean for mean in means]


class CocoEval(COCOEvalCallback):
    """rfdetr's COCO evaluation of boxes, which keeps its tables instead of printing them.

    `overall` and `per_class` are what the tables would have shown: `per_class` has a dict for each
    class with ground truth, with name, ap, ar, f1, precision and recall (0 to 1, or NaN). The
    predictions are those of the averaged weights, once there are such: a batch goes through the
    model once.
    """

    per_class: list[dict[str, Any]]
    _matches: Mapping[int, Matches] = {}

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Take our metric for rfdetr's."""
        super().setup(trainer, pl_module, stage)
        self.map_metric = self._metric()

    def _metric(self) -> CocoMetric:
        return CocoMetric(
            class_metrics=self._log_per_class_metrics,
            max_detection_thresholds=[1, 10, self._max_dets],
            backend=self._eval_backend,
        )

    def _prepare_ema_metric(self, trainer: Any) -> None:
        self._ema_has_updates = False
        if self._get_ema_callback(trainer) is None:
            self.map_metric_ema = None
        elif self.map_metric_ema is None:
            self.map_metric_ema = self._metric()
        else:
            self.map_metric_ema.reset()

    def on_validation_batch_end(
        self,
        trainer: Any,
        pl_module: Any,
        outputs: torch.Tensor | Mapping[str, Any] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep a batch's predictions and objects, without what a rank was given to be even.

        As rfdetr's own, but for the matching of every batch.
        """
        if not isinstance(outputs, Mapping):
            return
        keep = self._next_real_sample_mask(len(outputs["targets"]), dataloader_idx)
        seen, there = (
            [item for item, real in zip(outputs[name], keep, strict=True) if real]
            for name in ("results", "targets")
        )
        regions = self._get_crowd_regions(trainer, "val")
        boxes = (self._convert_preds(seen), self._convert_targets(there, crowd_regions=regions))
        averaged = _get_ema_inner_module(self._get_ema_callback(trainer)) is not None
        if not averaged:
            self.map_metric.update(*boxes)
        elif self.map_metric_ema is not None:
            self.map_metric_ema.update(*boxes)
            self._ema_has_updates = True

    def _compute_map_metric(self, trainer: Any, metric: Any) -> dict[str, Any]:
        result = super()._compute_map_metric(trainer, metric)
        self._matches = metric.matches
        return result

    def _compute_and_log_f1_metrics(
        self, trainer: Any, pl_module: Any, split: str, f1_local: dict[int, dict[str, Any]]
    ) -> Any:
        """Sweep over the matches of the metric, which has those of all ranks: one of them tells."""
        matches, self._matches = self._matches, {}
        told = {
            number: {
                "scores": of.scores,
                "matches": of.right.astype(np.int64),
                "ignore": np.zeros(len(of.scores), dtype=bool),
                "total_gt": of.objects,
            }
            for number, of in matches.items()
        }
        own = told if get_rank() == 0 else {}
        return super()._compute_and_log_f1_metrics(trainer, pl_module, split, own)

    def _print_metrics_tables(
        self, trainer: Any, split: str, overall: dict[str, float], per_class: list[dict[str, Any]]
    ) -> None:
        self.per_class = per_class
