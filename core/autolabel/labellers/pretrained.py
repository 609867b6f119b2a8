"""Models of transformers from a folder: whole, or refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from core.autolabel.labellers.labeller import Labeller
from core.autolabel.pass_folder import TaskClass
from core.common.errors import RunError, WeightsMissing
from core.common.text import clean, plural
from core.processes.installation import how_to_install


class PretrainedLabeller(Labeller):
    """A model of transformers with its processor, one picture at a time."""

    def __init__(
        self,
        model: Any,
        processor: Any,
        classes: Sequence[TaskClass],
        *,
        least: float,
        device: str,
    ) -> None:
        super().__init__([row.id for row in classes], device, 1)
        self._model = model
        self._processor = processor
        self._least = least
        self.read_prompts(classes)

    def read_prompts(self, classes: Sequence[TaskClass]) -> None:
        """Keep what the model takes of the phrases and examples, and note what it does not."""


def load_model(kind: Any, folder: Path, device: str) -> Any:
    """Return the model of class `kind` from `folder` on `device`, for looking only.

    transformers fills what a file lacks with random numbers and only warns; so does it for weights
    of another model of the same family. Such weights are refused here, with RunError, as is what
    cannot be loaded at all.
    """
    model, told = _loaded(
        folder,
        lambda: kind.from_pretrained(folder, local_files_only=True, output_loading_info=True),
    )
    missing = _names(told, "missing_keys")
    other = _names(told, "mismatched_keys")
    if missing or other:
        named = (missing or other)[0]
        raise RunError(
            f"The weights in '{clean(str(folder))}' do not fit {kind.__name__}: "
            f"{plural(len(missing) + len(other), 'parameter')} would be random, "
            f"such as {clean(named)}.",
            "Use the files that the model's own page has, all of one revision.",
        )
    return model.to(device).eval()


def load_processor(kind: Any, folder: Path) -> Any:
    """Return the processor of class `kind` from `folder`. Raises RunError when it cannot be."""
    return _loaded(folder, lambda: kind.from_pretrained(folder, local_files_only=True))


def require_transformers() -> None:
    """Raise WeightsMissing with the way to install it if a package of this labeller is missing."""
    import importlib.util

    missing = [name for name in ("torch", "transformers") if importlib.util.find_spec(name) is None]
    if missing:
        raise WeightsMissing(
            f"This labeller is not installed here: {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing.",
            f"Install it with: {how_to_install('batman-tui[label,train]')}",
        )


def cut_notes(
    phrases: Iterable[str], count: Callable[[str], int], most: int, model: str
) -> list[str]:
    """Return a note for each phrase that is longer than the `most` tokens a model reads."""
    return [
        f"{model} reads the first {most} tokens of '{clean(phrase)}', which has {tokens}"
        for phrase in phrases
        if (tokens := count(phrase)) > most
    ]


def _loaded(folder: Path, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except Exception as error:  # of transformers, safetensors, tokenizers and json
        lines = str(error).strip().splitlines()
        said = lines[0] if lines else type(error).__name__
        raise RunError(
            f"The weights in '{clean(str(folder))}' cannot be loaded: {clean(said)[:300]}",
            "Fetch them again with --download, or copy the folder once more.",
        ) from error


def _names(told: Any, kind: str) -> list[str]:
    found = told.get(kind, ()) if isinstance(told, dict) else getattr(told, kind, ())
    return sorted(str(item[0] if isinstance(item, tuple) else item) for item in found)
