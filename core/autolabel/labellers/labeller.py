"""What every labeller does, whatever model is behind it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from PIL import Image

    from core.models.detector import Prediction


class Looked(NamedTuple):
    """A picture that is looked at: its number in the project, and its size there in pixels."""

    id: int
    width: int
    height: int


class Labeller(ABC):
    """A model that is loaded once and then proposes boxes, `batch_size` pictures at a time.

    `class_ids` are the project's numbers of the classes it looks for, `device` is where it runs,
    and `notes` say what a person should know of how it takes the task, such as a phrase that is
    cut. `streams` threads may call `look` at one time; see `core.models.detector.Detector`.
    """

    streams = 1

    def __init__(self, class_ids: Sequence[int], device: str, batch_size: int) -> None:
        self.class_ids = list(class_ids)
        self.device = device
        self.batch_size = batch_size
        self.notes: list[str] = []

    @abstractmethod
    def prepare(self, picture: Image.Image) -> Any:
        """Return an upright RGB picture as the model takes it. Called in threads."""

    @abstractmethod
    def look(self, prepared: Sequence[Any], pictures: Sequence[Looked]) -> list[Prediction]:
        """Return what is found in each picture, of any score from the task's least on.

        Boxes are left, top, right, bottom in the picture's pixels and may reach over its border;
        `class_ids` of a prediction are positions in the labeller's `class_ids`.
        """
