"""What is tried before training, by the code that trains: pictures by chance, and time by steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from installed import needs

from core.common.errors import ConfigError
from core.common.progress import never, nothing
from core.data.importers import import_coco
from core.data.store import Project
from core.demo.shapes import make_shapes
from core.training.config.options import TrainingConfig, parse_config

pytestmark = needs("rfdetr", "albumentations")


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trial")
    make_shapes(folder / "set", train=8, valid=3, test=0, messy=False)
    with Project.create(folder / "shapes") as project:
        import_coco(project, folder / "set")
    return folder / "shapes"


def settings(project: Path, **chosen: Any) -> TrainingConfig:
    return parse_config({"project": project, "model": "tiny", "workers": 0, **chosen})


def previewed(file: Path, config: TrainingConfig) -> Any:
    from core.training.worker.trial.preview_augmentation import PreviewOptions, preview

    options = PreviewOptions(config.model_dump(mode="json"), file, images=2, draws=2, tile=128)
    return preview(options, nothing, never)


def test_pictures_follow_the_seed_and_the_transforms(shapes: Path, tmp_path: Path) -> None:
    np = pytest.importorskip("numpy")
    from PIL import Image

    files = [tmp_path / f"{name}.png" for name in ("a", "b", "c", "d")]
    aerial = settings(shapes, augmentation="aerial", seed=3)
    made = previewed(files[0], aerial)
    assert (made.rows, made.columns) == (2, 3)
    previewed(files[1], aerial)
    assert files[0].read_bytes() == files[1].read_bytes()
    previewed(files[2], aerial.with_changes(seed=4))
    assert files[2].read_bytes() != files[0].read_bytes()

    # Turned upside down each time, with its boxes: a crop would show another part.
    transforms = {"VerticalFlip": {"p": 1.0}}
    config = settings(shapes, augmentation=transforms)
    previewed(files[3], config)
    grid = np.asarray(Image.open(files[3]).convert("RGB")).astype(int)
    plain, drawn = grid[:128, :128], grid[:128, 136:264]
    assert np.median(np.abs(plain[::-1] - drawn)) < 12
    assert np.abs(plain - drawn).mean() > np.abs(plain[::-1] - drawn).mean()


@pytest.mark.parametrize(
    ("transforms", "words"),
    [
        ({"Vertikal": {"p": 1}}, "'Vertikal' cannot be made: Unknown Albumentations transform"),
        ({"Rotate": {"limmit": 5, "p": 1}}, "'Rotate' cannot be made: .*limmit"),
        ({"HorizontalFlip": {"p": 1}, "OneOf": []}, "'OneOf' cannot be made"),
    ],
)
def test_no_transform_is_left_out_in_silence(
    shapes: Path, transforms: dict[str, Any], words: str
) -> None:
    from core.training.worker.build import augmentation

    with pytest.raises(ConfigError, match=words):
        augmentation(settings(shapes, augmentation=transforms))


def test_a_name_is_rfdetrs_own_preset(shapes: Path) -> None:
    from rfdetr.datasets.aug_configs import AUG_INDUSTRIAL

    from core.training.worker.build import augmentation

    assert augmentation(settings(shapes, augmentation="industrial")) == AUG_INDUSTRIAL
    assert augmentation(settings(shapes, augmentation="default")) is None
    assert augmentation(settings(shapes, augmentation="none")) == {}
    assert augmentation(settings(shapes, augment=False)) == {}


def test_a_few_steps_are_measured_and_nothing_is_kept(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.training.worker.trial.measure import MeasureOptions, measure

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    config = settings(shapes, batch_size=2, num_gpus=2, pretrained=None)
    stages = []
    found = measure(
        MeasureOptions(config.model_dump(mode="json"), steps=3),
        lambda at: stages.append(at.stage),
        never,
    )
    assert (found.batch, found.device) == (2, "cpu")
    assert found.steps >= 2
    assert 0 < found.train_s < 30
    assert found.valid_s is not None
    assert found.memory > 100_000_000
    assert "validating" in stages
    assert list(tmp_path.iterdir()) == []
