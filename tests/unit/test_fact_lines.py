"""What is said beside the training form, and the hints of its fields, without a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from batman_tui.train.fact_lines import FACTS, DataFacts, Line, command_here, fact_lines
from batman_tui.train.option_fields import option_hint
from core.common.hardware import GIB, Gpu
from core.training.config.form import Form

DATA = DataFacts({"train": 1050, "valid": 290, "test": 140}, 9120, 20, ("A video was torn.",))


def lines(data: DataFacts | None = DATA, **typed: str) -> dict[str, Line]:
    reading = Form(Path("p"), typed=typed).read()
    return fact_lines(reading, typed, data, "the command")


def test_every_fact_but_the_check_has_a_line() -> None:
    said = lines()
    assert list(said) == [name for name in FACTS if name != "Check"]
    assert not any(line.wrong for line in said.values())
    assert said["Data"].text == (
        "1,480 images: 1,050 train, 290 valid, 140 test. 9,120 boxes of 20 classes."
    )
    assert said["Command"] == Line("the command")
    assert said["Note"] == Line("A video was torn.")


def test_nothing_is_said_of_data_that_is_not_counted() -> None:
    assert {"Data", "Steps"}.isdisjoint(lines(None))
    assert lines(None)["Note"] == Line("")


def test_a_project_without_images_is_something_to_put_right() -> None:
    said = lines(DataFacts({"train": 0, "valid": 0, "test": 0}, 0, 0))
    assert said["Data"] == Line("The project has no images: import a data set first.", wrong=True)
    assert said["Steps"] == Line("")


@pytest.mark.parametrize(
    ("typed", "steps"),
    [
        ({"epochs": "10"}, "66 an epoch, 660 in all."),
        ({"epochs": "10", "batch_size": "10", "grad_accum": "10"}, "11 an epoch, 110 in all."),
        ({"epochs": "10", "max_per_class": "50"}, "at most 66 an epoch, 660 in all."),
        ({"epochs": "10", "filter_classes": "crane"}, "at most 66 an epoch, 660 in all."),
        ({"epochs": "10", "balance": "0.1"}, "at least 66 an epoch, 660 in all."),
        ({"max_per_class": "50", "balance": "0.1"}, "as many as the images that are chosen make."),
        ({"batch_size": "auto"}, ""),
        ({"epochs": "1x"}, ""),
    ],
)
def test_steps(typed: dict[str, Any], steps: str) -> None:
    assert lines(**typed)["Steps"] == Line(steps)


@pytest.mark.parametrize(("images", "again"), [(28, True), (32, True), (33, False), (41, False)])
def test_steps_are_those_that_the_trainer_takes(images: int, again: bool) -> None:
    pytest.importorskip("rfdetr", reason="needs the train extra")
    from core.training.worker.data.order import samples_per_epoch

    data = DataFacts({"train": images, "valid": 4, "test": 0}, 90, 3)
    said = lines(data, epochs="2", batch_size="8", grad_accum="1")["Steps"].text
    steps = samples_per_epoch(images, 8) // 8
    assert said.startswith(f"{steps} an epoch, {2 * steps} in all.")
    assert ("An epoch has 5 at least: images are shown again." in said) == again


def test_the_batch_says_what_is_suggested_and_what_was_typed() -> None:
    assert lines()["Batch"].text.startswith("2 × 8 = 16 images a step. No GPU was found")
    said = lines(batch_size="4")["Batch"].text
    assert said.startswith("4 × 4 = 16 images a step. Suggested: ")
    assert lines(batch_size="auto")["Batch"].text.startswith("The largest that fits is found")


def test_a_wrong_field_is_named_and_leaves_no_command() -> None:
    said = lines(epochs="1x", lr="fast")
    assert said["Command"] == Line("Put right first: Epochs, Learning rate.", wrong=True)
    assert said["Disk"] == Line("")
    assert said["Model"] == lines()["Model"]
    assert "Model" not in lines(model="huge"), "nothing is known of it"


def test_a_licence_that_is_not_free_comes_first() -> None:
    note = lines(model="xlarge")["Note"].text
    assert note.startswith("xlarge is under PML-1.0, not Apache-2.0: ")
    assert note.endswith("A video was torn.")


@pytest.mark.parametrize(
    ("project", "said"),
    [
        ("/w/data/projects/a b", "batman train --project 'data/projects/a b' --model base"),
        ("/elsewhere/p", "batman train --project /elsewhere/p --model base"),
    ],
)
def test_the_command_names_the_project_as_seen_from_the_workspace(project: str, said: str) -> None:
    config = Form(Path(project)).read().config
    assert config is not None
    assert command_here(config, Path("/w")).startswith(said)


def test_hints_of_fields() -> None:
    form = Form(Path("p"), gpus=[Gpu(0, "A100", 40 * GIB, 40 * GIB)])

    def hint(name: str) -> str:
        return option_hint(name, form.read(), form.typed)

    assert hint("model") == "32.2 M parameters, Apache-2.0"
    assert hint("batch_size") == "suggested for this machine"
    form.type("batch_size", "4")
    assert hint("batch_size") == "images at once on a GPU; or auto"
    assert hint("grad_accum") == "suggested for this machine"
    form.type("grad_accum", "3")
    assert hint("grad_accum") == "batches a step: 12 images"
    assert "616" in hint("image_size")
    assert hint("weight_decay"), "the help of the command line"


def test_more_objects_than_the_model_finds_are_said_and_only_then() -> None:
    data = DataFacts({"train": 28, "valid": 4, "test": 0}, 600, 3, by_boxes={3: 20, 20: 8, 30: 4})
    assert lines(data, model="tiny")["Note"].text == (
        "tiny finds 20 objects on an image at most: 4 images have more, up to 30, "
        "and it cannot find them all."
    )
    assert lines(data, model="nano")["Note"].text == ""
    assert lines(data, model="tiny", filter_classes="crane")["Note"].text == ""
    fewer = DataFacts({"train": 28, "valid": 4, "test": 0}, 600, 3, by_boxes={20: 8})
    assert lines(fewer, model="tiny")["Note"].text == ""
