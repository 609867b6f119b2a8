"""The same seed gives the same run: what is drawn for pictures, and what training makes of them."""

from __future__ import annotations

import hashlib
import json
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from engine_runs import CLASSES, Runs, events_of
from PIL import Image

from core.training.config.effective_batch import Batching
from core.training.config.options import DatasetInfo, TrainingConfig
from core.training.run import events as ev


@pytest.fixture(scope="module")
def many_sizes(runs: Runs) -> TrainingConfig:
    """Settings with all that draws: flips, crops, and a size for each picture."""
    config = TrainingConfig.load(runs.make("loader") / "training_config.json")
    return config.with_changes(augment=True, multi_scale=True, seed=7, workers=0)


def data_module(
    config: TrainingConfig, rank: int = 0, world: int = 1, at: tuple[int, int] = (0, 0)
) -> Any:
    from core.training.worker import build

    model = build.model_config(config, CLASSES, None)
    train = build.train_config(config, Path(), CLASSES, Batching(4, 1, world))
    data = build.build_data(model, train, 0.0, config.image_cache)
    data.trainer = SimpleNamespace(
        world_size=world, global_rank=rank, accumulate_grad_batches=1, num_devices=1
    )
    data.setup("fit")
    data.position = at
    return data


def loader(config: TrainingConfig, *where: Any, **at: Any) -> Any:
    return data_module(config, *where, **at).train_dataloader()


def shown(loader: Any, epoch: int = 0, most: int = 6) -> list[str]:
    """Return a digest of each picture and its boxes, in order, of the first `most` batches."""
    loader.sampler.set_epoch(epoch)
    return [digest for _, batch in zip(range(most), loader, strict=False) for digest in of(batch)]


def random_numbers() -> list[int]:
    """Where NumPy's own generator stands."""
    state: Any = np.random.get_state()
    return list(state[1].tolist())


def of(batch: Any) -> Iterator[str]:
    pictures, targets = batch
    for at, target in enumerate(targets):
        parts = (pictures.tensors[at], target["boxes"], target["labels"])
        yield hashlib.sha256(b"".join(part.numpy().tobytes() for part in parts)).hexdigest()


def test_how_many_processes_load_changes_no_picture(many_sizes: TrainingConfig) -> None:
    import torch

    alone = loader(many_sizes)
    state = torch.get_rng_state(), random.getstate(), random_numbers()
    first, second = shown(alone), shown(alone, epoch=1)
    assert shown(alone) == first
    # What the model draws from is left where it was, but for the loader's own one draw an epoch.
    assert (random.getstate(), random_numbers()) == state[1:]
    for workers in (1, 2):
        several = loader(many_sizes.with_changes(workers=workers))
        assert shown(several) == first
        assert shown(several, epoch=1) == second
    other = shown(loader(many_sizes.with_changes(seed=8)))
    # A picture that is neither flipped nor cropped, one in four, looks alike in both.
    assert len(set(first) & set(second)) < 12
    assert len(set(first) & set(other)) < 12


def test_what_is_left_of_an_epoch_is_drawn_as_without_the_break(
    many_sizes: TrainingConfig,
) -> None:
    whole = shown(loader(many_sizes), epoch=2, most=16)
    assert len(whole) == 64
    assert shown(loader(many_sizes, at=(2, 3)), epoch=2, most=16) == whole[12:]


def test_two_processes_share_out_what_one_would_draw(many_sizes: TrainingConfig) -> None:
    one = shown(loader(many_sizes), most=12)
    both = [shown(loader(many_sizes, rank, 2)) for rank in (0, 1)]
    assert [digest for pair in zip(*both, strict=True) for digest in pair] == one


def test_a_picture_that_comes_again_is_drawn_anew(many_sizes: TrainingConfig) -> None:
    """Flips and crops of one picture: two flips, and crops that do not hang on them."""
    from core.training.worker.data.seeds import Draw

    pictures = loader(many_sizes).dataset
    seen = [pictures[Draw(3, 0, place)] for place in range(40)]
    digests = {hashlib.sha256(image.numpy().tobytes()).hexdigest() for image, _ in seen}
    assert len(digests) > 10
    again, _ = pictures[Draw(3, 0, 5)]
    assert (again == seen[5][0]).all()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> TrainingConfig:
    """Settings for JPEGs that rfdetr decodes at half or a quarter of their odd sizes, and a PNG."""
    folder = tmp_path_factory.mktemp("large")
    numbers = np.random.default_rng(3)
    for split in ("train", "valid"):
        (folder / split).mkdir()
        coco: dict[str, list[dict[str, Any]]] = {"images": [], "annotations": []}
        for at, (width, height) in enumerate([(1301, 1243), (2607, 2403), (811, 640), (300, 200)]):
            name = f"{at}.png" if at == 2 else f"{at}.jpg"
            coarse = numbers.integers(0, 256, (height // 20, width // 20, 3), dtype=np.uint8)
            Image.fromarray(coarse).resize((width, height)).save(folder / split / name)
            coco["images"].append({"id": at, "file_name": name, "width": width, "height": height})
            coco["annotations"] += [
                {"id": 2 * at + k, "image_id": at, "category_id": k, "iscrowd": 0,
                 "bbox": [10 + k, 20, width / 2, height / 3], "area": width * height / 6}
                for k in (0, 1)
            ]  # fmt: skip
        named = [{"id": i, "name": name, "supercategory": "x"} for i, name in enumerate(CLASSES)]
        (folder / split / "_annotations.coco.json").write_text(
            json.dumps({**coco, "categories": named})
        )
    info = DatasetInfo(dir=folder, fingerprint="", class_names=CLASSES, images={}, annotations={})
    return TrainingConfig(
        model="tiny", epochs=3, augment=True, multi_scale=True, dataset=info, seed=7, workers=0
    )


def test_images_that_are_kept_are_the_same_and_decoded_once(
    large: TrainingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    import rfdetr.datasets.coco as rfdetr_coco

    decode = rfdetr_coco.decode_pil_image
    decoded: list[tuple[str, tuple[float, float]]] = []

    def counting(path: Path, *rest: Any) -> Any:
        image, scales = decode(path, *rest)
        decoded.append((f"{path.parent.name}/{path.name}", scales))
        return image, scales

    monkeypatch.setattr(rfdetr_coco, "decode_pil_image", counting)

    def epochs(config: TrainingConfig) -> list[list[str]]:
        data = data_module(config)
        assert bool(data.cached) is (config.image_cache != 0)
        train, valid = data.train_dataloader(), data.val_dataloader()
        assert data._dataset_val.coco is not None  # what measures looks there for crowds
        seen = []
        for epoch in range(3):
            seen.append([*shown(train, epoch, most=9), *[d for batch in valid for d in of(batch)]])
        return seen

    plain = epochs(large.with_changes(image_cache=0))
    scales = {scale for name, (scale, _) in decoded if name.startswith("train")}
    assert 1.0 in scales
    assert any(scale < 0.3 for scale in scales), "nothing was decoded at a reduced size"
    often = len(decoded)
    decoded.clear()
    assert epochs(large) == plain
    assert len(decoded) == len({name for name, _ in decoded}) == 8 < often
    # Forked loaders find what others have decoded; a little memory keeps what goes into it.
    assert epochs(large.with_changes(workers=2)) == plain
    decoded.clear()
    assert epochs(large.with_changes(image_cache=0.003)) == plain
    assert 8 < len(decoded) < often


def weights(run: Path) -> dict[str, Any]:
    import torch

    content = torch.load(run / "checkpoint_last.pth", map_location="cpu", weights_only=True)
    return content["state_dict"]


def bits(run: Path) -> dict[str, tuple[str, bytes]]:
    return {name: (str(part.dtype), part.numpy().tobytes()) for name, part in weights(run).items()}


def test_two_runs_of_one_seed_end_bit_for_bit_alike(runs: Runs) -> None:
    """With loader processes and without; a third run of another seed begins elsewhere.

    The second is started by the real command: forked trainers have the generators of the process
    that they come from in common, and the seed of its hashes.
    """
    small = {"epochs": 1, "augment": True, "val_images": 0, "ema": False}
    made = [
        runs.make("seeded", **small, workers=0),
        runs.make("seeded-again", **small, workers=2),
        runs.make("seeded-other", **small, workers=0, seed=8),
    ]
    for run in made[:2]:
        code = runs.train(run, warm=run is made[0])
        assert code == 0, (run / "train.log").read_text()[-3000:]
    stepped = lambda events: any(isinstance(event, ev.Step) for event in events)  # noqa: E731
    runs.interrupt(made[2], stepped, signal.SIGKILL)
    first, again, other = (
        [e.loss for e in events_of(run) if isinstance(e, ev.Step)] for run in made
    )
    assert first == again
    assert first[0] != other[0]
    assert bits(made[0]) == bits(made[1])
