"""A run of one's own and RF-DETR's COCO weights as labellers: their classes by name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.autolabel.class_map import ClassMap, match_classes
from core.autolabel.labellers.labeller import Labeller, Looked
from core.autolabel.pass_folder import TaskClass
from core.common.errors import RunError
from core.common.text import clean

if TYPE_CHECKING:
    from PIL import Image

    from core.models.detector import Detector, Prediction


class DetectorLabeller(Labeller):
    """Any detector of `core.models`; what it finds of classes that are not mapped is left out."""

    def __init__(
        self, detector: Detector, matched: ClassMap, least: float, what: str = "the model"
    ) -> None:
        super().__init__(matched.class_ids, detector.device, detector.batch_size)
        self.streams = detector.streams
        self._detector = detector
        self._least = least
        place = {class_id: position for position, class_id in enumerate(self.class_ids)}
        self._positions = np.array(
            [place.get(matched.found.get(name, -1), -1) for name in detector.classes],
            dtype=np.int64,
        )
        self.notes = matched.notes(what)

    def prepare(self, picture: Image.Image) -> Any:
        """Return the picture scaled to the detector's square; see `Detector.prepare`."""
        return self._detector.prepare(picture)

    def look(self, prepared: Sequence[Any], pictures: Sequence[Looked]) -> list[Prediction]:
        """Return what is found of mapped classes; see `Labeller.look`."""
        from core.models.detector import Prediction

        sizes = [(picture.width, picture.height) for picture in pictures]
        answers = self._detector.predict_prepared(np.stack(prepared), sizes, self._least)
        self.batch_size = self._detector.batch_size
        found = []
        for answer in answers:
            mapped = self._positions[answer.class_ids]
            kept = answer.keep(mapped >= 0)
            found.append(Prediction(kept.boxes, kept.scores, mapped[mapped >= 0]))
        return found


def open_run(
    path: Path,
    classes: Sequence[TaskClass],
    mapping: Mapping[str, str],
    *,
    least: float,
    device: str,
    batch_size: int | None,
    backend: str = "auto",
    throughput: bool = False,
) -> DetectorLabeller:
    """Return the model file in `path` as a labeller. Raises as `open_model` and `match_classes`
    do.
    """
    from core.models.backend import open_model

    detector, notes = open_model(
        path, backend=backend, device=device, batch_size=batch_size, throughput=throughput
    )
    matched = match_classes(detector.classes, classes, mapping)
    labeller = DetectorLabeller(detector, matched, least)
    labeller.notes += notes
    return labeller


def open_coco(
    path: Path,
    size: str,
    classes: Sequence[TaskClass],
    mapping: Mapping[str, str],
    *,
    least: float,
    device: str,
    batch_size: int | None,
) -> DetectorLabeller:
    """Return RF-DETR's published weights of a size in `path` as a labeller.

    Raises RunError when rfdetr cannot load them, ConfigError for a device that is not here.
    """
    from core.autolabel.labellers.coco_names import COCO_NAMES, column_names

    matched = match_classes(COCO_NAMES.values(), classes, mapping)
    detector = _published(path, size, column_names(), device, batch_size)
    return DetectorLabeller(detector, matched, least, "COCO")


def _published(
    path: Path, size: str, names: Sequence[str], device: str, batch_size: int | None
) -> Detector:
    from core.models.pytorch import TorchDetector, choose_device, quiet
    from core.models.sizes import get_model

    chosen = choose_device(device)
    class_name = get_model(size).class_name
    with quiet():
        # Sizes of rfdetr-plus are found there only.
        module = "rfdetr.platform.models" if get_model(size).needs_plus else "rfdetr"
        models: Any = importlib.import_module(module)
    with quiet():
        try:
            model = getattr(models, class_name)(pretrain_weights=str(path), device=chosen)
        except Exception as error:  # rfdetr's own errors are many and deep
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise RunError(
                f"rfdetr cannot load '{clean(path.name)}' as {class_name}: {clean(said)[:300]}.",
                f"Remove '{clean(str(path))}' and fetch it again with --download.",
            ) from error
    return TorchDetector(
        path,
        model,
        classes=names,
        model_size=size,
        resolution=int(model.model.resolution),
        num_select=int(model.model.postprocess.num_select),
        device=chosen,
        batch_size=batch_size or (4 if chosen == "cpu" else 16),
    )
