"""Options of a run: defaults of the guide, messages for a form, presets, and the way to JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from core.common.errors import ConfigError
from core.models.sizes import (
    MODELS,
    get_model,
    resolve_image_size,
    valid_sizes,
    weights_file,
)
from core.training.config.options import (
    DatasetInfo,
    TrainingConfig,
    default_for,
    errors_by_field,
    parse_config,
    validate_field,
)


def test_the_defaults_are_the_guides(guide: str) -> None:
    config = TrainingConfig()
    assert (config.model, config.batch_size, config.grad_accum) == ("base", 8, 1)
    assert config.splits == (0.7, 0.15, 0.15)
    assert config.seed == 42
    assert config.checkpoint_interval == 10
    assert f"**Standard training**: {config.epochs} epochs" in guide
    assert f"**Standard**: {config.image_size} (default)" in guide
    assert float(re.search(r"\(default: `(1e-4)`\)", guide)[1]) == config.lr
    assert f"Early stopping: Use `--patience {config.patience}`" in guide


def test_every_option_has_help() -> None:
    assert all(field.description for field in TrainingConfig.model_fields.values())


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"epochs": "ten"}, "epochs", "whole number"),
        ({"epochs": ""}, "epochs", "needs a value"),
        ({"epochs": "0"}, "epochs", "at least 1"),
        ({"epochs": "2.5"}, "epochs", "whole number"),
        ({"batch_size": "many"}, "batch_size", "whole number or auto"),
        ({"batch_size": "-3"}, "batch_size", "at least 1"),
        ({"image_size": 100_000}, "image_size", "at most 4096"),
        ({"lr": "0"}, "lr", "more than 0"),
        ({"lr": "nan"}, "lr", "number"),
        ({"lr": "fast"}, "lr", "number"),
        ({"model": "bsae"}, "model", "base"),
        ({"device": "gpu"}, "device", "cuda"),
        ({"splits": "70/20/20"}, "splits", "add up to 110"),
        ({"splits": "100/0/0"}, "splits", "valid"),
        ({"splits": "a/b"}, "splits", "numbers"),
        ({"splits": "120/-20/0"}, "splits", "between"),
        ({"best_metric": "f1"}, "best_metric", "map or mar"),
        ({"ema": "perhaps"}, "ema", "yes or no"),
        ({"epoch": 3}, "epoch", "epochs"),
        ({"from_scratch": True, "pretrained": "a.pth"}, "", "exclude"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(
    values: dict[str, object], field: str, words: str
) -> None:
    found = errors_by_field(values)
    assert list(found) == [field]
    assert words in found[field]
    assert "Input should" not in found[field]
    with pytest.raises(ConfigError, match=re.escape(found[field])):
        parse_config(values)


def test_all_wrong_fields_are_told_at_once() -> None:
    assert set(errors_by_field({"epochs": "x", "lr": "y", "seed": "-1"})) == {
        "epochs",
        "lr",
        "seed",
    }
    assert errors_by_field({"epochs": "5", "lr": "1e-5", "ema": "no"}) == {}


def test_a_single_field_is_validated_as_it_is_typed() -> None:
    assert validate_field("lr", "5e-4") is None
    assert "more than 0" in (validate_field("lr", "-1") or "")
    # A switch that conflicts with nothing yet is fine by itself.
    assert validate_field("from_scratch", "true") is None


def test_text_from_a_form_or_command_line_is_understood() -> None:
    config = parse_config(
        {"batch_size": " AUTO ", "splits": "80/10/10", "filter_classes": " a | b|a|", "ema": "no"}
    )
    assert config.batch_size == "auto"
    assert config.splits == (0.8, 0.1, 0.1)
    assert config.filter_classes == ["a", "b"]
    assert config.ema is False
    assert parse_config({"splits": (0.8, 0.2)}).splits == (0.8, 0.2, 0.0)
    # In a list the bar belongs to the name.
    assert parse_config({"filter_classes": ["a|b", "c"]}).filter_classes == ["a|b", "c"]
    assert parse_config({"filter_classes": " "}).filter_classes is None


def test_terminal_codes_in_a_value_are_not_passed_on() -> None:
    message = errors_by_field({"device": "\x1b[31mred"})["device"]
    assert "\x1b" not in message


def test_a_preset_holds_where_nothing_was_chosen() -> None:
    tiny = TrainingConfig(model="tiny")
    assert (tiny.image_size, tiny.lr, tiny.epochs, tiny.from_scratch) == (128, 1e-3, 20, True)
    assert TrainingConfig(model="tiny", lr=5e-4, image_size=160).lr == 5e-4
    # A change of size drops the preset again, but keeps what was chosen.
    other = TrainingConfig(model="tiny", epochs=7).with_changes(model="base")
    assert (other.epochs, other.image_size, other.from_scratch) == (7, 640, False)
    assert default_for("epochs", "tiny") == 20
    assert TrainingConfig(model="tiny", pretrained=Path("w.pth")).from_scratch is False


def test_the_effective_batch_counts_all_gpus() -> None:
    config = TrainingConfig(batch_size=4, grad_accum=2, num_gpus=2, num_nodes=3)
    assert config.effective_batch == 48
    assert TrainingConfig(batch_size="auto").effective_batch is None


def test_the_encoder_follows_the_learning_rate_unless_told() -> None:
    assert TrainingConfig(lr=2e-4).encoder_lr == pytest.approx(3e-4)
    assert TrainingConfig(lr=2e-4, lr_encoder=1e-5).encoder_lr == 1e-5


def test_a_config_comes_back_from_its_file(tmp_path: Path) -> None:
    info = DatasetInfo(
        dir=Path("dataset"),
        fingerprint="f" * 64,
        class_names=["a|b", "c"],
        images={"train": 2, "valid": 1, "test": 0},
        annotations={"train": 2, "valid": 1, "test": 0},
    )
    config = TrainingConfig(
        model="tiny", project=Path("/p"), filter_classes=["a|b"], dataset=info, lr=3e-4
    )
    config.save(tmp_path / "training_config.json")
    assert TrainingConfig.load(tmp_path / "training_config.json") == config
    assert config.dataset_dir(tmp_path) == tmp_path / "dataset"


def test_a_broken_config_file_is_a_config_error(tmp_path: Path) -> None:
    file = tmp_path / "training_config.json"
    for text, words in (("{", "JSON"), ("[]", "settings"), ('{"epochs": 0}', "at least 1")):
        file.write_text(text)
        with pytest.raises(ConfigError, match=words):
            TrainingConfig.load(file)
    with pytest.raises(ConfigError, match="no file"):
        TrainingConfig.load(tmp_path / "none.json")
    with pytest.raises(ConfigError, match="no prepared"):
        TrainingConfig().dataset_dir(tmp_path)


def test_notes_and_sizes_survive_resolving_twice() -> None:
    once = TrainingConfig(epochs=3).resolved()
    assert once.image_size == 616
    assert len(once.notes) == 1
    assert "640" in once.notes[0]
    assert once.resolved() is once
    again = once.with_changes(image_size=640).resolved()
    assert again.notes == once.notes


def test_sizes_are_answered_with_the_nearest() -> None:
    assert valid_sizes("base", 640) == [616, 672]
    assert valid_sizes("nano", 640) == [640]
    assert valid_sizes("base", 1) == [112]
    size, note = resolve_image_size("base", 640)
    assert size == 616
    assert note is not None
    assert "56" in note
    assert "672" in note
    # As near to 96 as to 128: the smaller needs less memory.
    assert resolve_image_size("nano", 112) == (96, resolve_image_size("nano", 112)[1])
    assert resolve_image_size("large", 800) == (800, None)


@pytest.mark.parametrize("name", list(MODELS))
def test_every_answer_for_a_size_is_one_the_model_takes(name: str) -> None:
    divisor = MODELS[name].divisor
    for wanted in range(32, 1400, 7):
        size, note = resolve_image_size(name, wanted)
        assert size % divisor == 0
        assert size >= 2 * divisor
        assert (note is None) == (size == wanted)
        if wanted >= 2 * divisor:
            assert abs(size - wanted) <= divisor / 2


def test_published_sizes_divide() -> None:
    for model in MODELS.values():
        assert model.resolution % model.divisor == 0
        assert model.divisor % model.patch_size == 0
        for name in model.preset:
            assert name in TrainingConfig.model_fields


def test_an_unknown_model_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no model size 'lage'") as caught:
        get_model("lage")
    assert "large" in caught.value.hint


def test_weights_lie_where_rfdetr_looks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ROBOFLOW_HOME", str(tmp_path / "b"))
    monkeypatch.delenv("RF_HOME", raising=False)
    assert weights_file("base") == tmp_path / "b" / "rf-detr-base.pth"
    monkeypatch.setenv("RF_HOME", str(tmp_path / "a"))
    assert weights_file("base") == tmp_path / "a" / "rf-detr-base.pth"
    assert weights_file("tiny") is None
    monkeypatch.delenv("RF_HOME")
    monkeypatch.delenv("ROBOFLOW_HOME")
    assert weights_file("nano") == Path.home() / ".roboflow/models/rf-detr-nano.pth"


def test_the_json_is_plain(tmp_path: Path) -> None:
    TrainingConfig(project=Path("data/projects/x")).save(tmp_path / "c.json")
    values = json.loads((tmp_path / "c.json").read_text())
    assert values["project"] == "data/projects/x"
    assert values["splits"] == [0.7, 0.15, 0.15]


def test_loader_processes_are_shared_between_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: set(range(17)), raising=False)
    assert TrainingConfig().worker_count() == 8
    assert TrainingConfig(num_gpus=4).worker_count() == 4
    assert TrainingConfig(workers=3).worker_count() == 3
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0}, raising=False)
    assert TrainingConfig().worker_count() == 0


def test_models_find_as_many_objects_as_rfdetr_builds_them_for() -> None:
    configs = pytest.importorskip("rfdetr.config", reason="needs the train extra")
    for model in MODELS.values():
        built = getattr(configs, f"{model.class_name}Config", None)
        if model.needs_plus or model.build:
            continue  # rfdetr-plus has its own file; tiny says its own number
        assert built is not None, model.name
        for name in ("num_queries", "num_select"):
            assert built.model_fields[name].default == model.most_objects, model.name
    assert MODELS["tiny"].most_objects == 20
