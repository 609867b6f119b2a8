"""What is typed for a labeller: which one, what it looks for, which class is which."""

from __future__ import annotations

from typing import Any

import pytest

from cli.label.autolabel import parse_map, parse_prompts
from core.autolabel import cost
from core.autolabel.choice import Choice, licence_of, parse_choice
from core.autolabel.class_map import match_classes
from core.autolabel.cost import cpu_seconds, uses_cpu
from core.autolabel.labellers.coco_names import COCO_NAMES, column_names
from core.autolabel.pass_folder import PassTask, TaskClass
from core.common.errors import BatmanError, ClassError, ConfigError
from core.common.hardware import Gpu

WORKER, HAT, VEST = TaskClass(1, "worker"), TaskClass(2, "hard hat"), TaskClass(3, "vest")
OWL = parse_choice("owlv2")
SITE = (WORKER, HAT, VEST)


@pytest.mark.parametrize(
    ("typed", "meant", "recorded"),
    [
        ("sam3", Choice("sam3", "facebook/sam3"), "facebook/sam3"),
        (
            "owlv2:google/owlv2-large-patch14-ensemble",
            Choice("owlv2", "google/owlv2-large-patch14-ensemble"),
            "google/owlv2-large-patch14-ensemble",
        ),
        (
            " grounding-dino ",
            Choice("grounding-dino", "IDEA-Research/grounding-dino-tiny"),
            "IDEA-Research/grounding-dino-tiny",
        ),
        ("coco:base", Choice("coco", "base"), "coco:base"),
        ("run:sam3", Choice("run", "sam3"), "sam3"),
        ("bridge-2", Choice("run", "bridge-2"), "bridge-2"),
        ("runs/a:b/best.pth", Choice("run", "runs/a:b/best.pth"), "runs/a:b/best.pth"),
    ],
)
def test_a_labeller_is_named(typed: str, meant: Choice, recorded: str) -> None:
    assert parse_choice(typed) == meant
    assert meant.model == recorded


def test_the_licence_of_published_weights() -> None:
    assert licence_of("coco", "coco:base") == "Apache-2.0"
    assert licence_of("coco", "coco:xlarge") == "PML-1.0"
    assert licence_of("sam3", "facebook/sam3") == "SAM License"
    assert licence_of("owlv2", OWL.model) == "Apache-2.0"
    assert licence_of("owlv2", "somebody/owl") is None
    assert licence_of("run", "bridge-2") is None


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("coco:bse", "published weights of the size 'bse'"),
        ("coco:tiny", "published weights of the size 'tiny'"),
        ("coco:", "published weights of the size ''"),
        ("sam3:", "names no repository"),
        ("owlv2:large", "no repository of the hub for OWLv2"),
        ("run:", "No labeller is named"),
        ("", "No labeller is named"),
    ],
)
def test_a_labeller_that_is_none(typed: str, message: str) -> None:
    with pytest.raises(BatmanError, match=message) as caught:
        parse_choice(typed)
    assert caught.value.hint


def test_phrases_of_classes() -> None:
    classes = ["hook", "a=b", "a"]
    words = ["hook=yellow  crane hook", "hook=hook block", "a=b=left=right", "a=c"]
    assert parse_prompts(words, classes) == {
        "hook": ("yellow crane hook", "hook block"),
        "a=b": ("left=right",),
        "a": ("c",),
    }
    for wrong, message in (
        ("hok=x", "no class 'hok'"),
        ("hook", "no class with its phrase"),
        ("hook= ", "is empty"),
    ):
        with pytest.raises(BatmanError, match=message):
            parse_prompts([wrong], classes)
    with pytest.raises(ClassError) as caught:
        parse_prompts(["hok=x"], classes)
    assert caught.value.hint == "Did you mean 'hook'?"


def test_which_class_a_name_is() -> None:
    assert parse_map(["person=worker", "traffic light=a=b"], ["worker", "a=b", "b"]) == {
        "person": "worker",
        "traffic light": "a=b",
    }
    for wrong in ("person", "=worker", "person="):
        with pytest.raises(BatmanError, match="does not say which class"):
            parse_map([wrong], ["worker"])
    with pytest.raises(ClassError, match="no class 'workr'") as caught:
        parse_map(["person=workr"], ["worker"])
    assert caught.value.hint == "Did you mean 'worker'?"


def test_classes_of_a_model_are_the_project_s_by_name_or_by_the_map() -> None:
    matched = match_classes(
        ["person", "Hard_Hat", "hard hat", "car", ""], SITE, {"person": "worker"}
    )
    assert matched.found == {"person": 1, "Hard_Hat": 2, "hard hat": 2}
    assert matched.class_ids == [1, 2]
    assert matched.left_out == ("car",)
    assert matched.without == ("vest",)
    assert matched.notes("the model") == [
        "left out: 1 class of the model (car)",
        "not looked for: vest, which the model does not know",
    ]
    # What is mapped is no longer taken by its name.
    assert match_classes(["vest", "worker"], SITE, {"vest": "worker"}).found == {
        "vest": 1,
        "worker": 1,
    }
    both = (TaskClass(4, "Vest"), VEST)
    assert match_classes(["vest", "Vest"], both, {}).found == {"vest": 3, "Vest": 4}


def test_classes_that_fit_nothing() -> None:
    with pytest.raises(ClassError, match="knows none of the project's classes") as caught:
        match_classes(COCO_NAMES.values(), SITE, {})
    assert "person, bicycle" in caught.value.message
    assert caught.value.hint == "Say which is which, such as --map person=worker."
    with pytest.raises(ClassError, match="has no class 'persn'") as caught:
        match_classes(COCO_NAMES.values(), SITE, {"persn": "worker"})
    assert "'person'" in caught.value.hint
    with pytest.raises(ClassError, match="no class 'crew' for the model's 'person'"):
        match_classes(COCO_NAMES.values(), SITE, {"person": "crew"})


def test_columns_of_a_published_model_are_coco_s_numbers() -> None:
    names = column_names()
    assert len(COCO_NAMES) == 80
    assert (len(names), names[0], names[1], names[12], names[90]) == (
        91, "", "person", "", "toothbrush",
    )  # fmt: skip


def task(kind: Any, *classes: TaskClass) -> PassTask:
    return PassTask(
        key="k", name="n", at="", kind=kind, model="m", weights="", images="", classes=classes
    )


def test_what_a_cpu_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "usable_cores", lambda: 2)
    two = (TaskClass(1, "a", ("a", "b")), TaskClass(2, "c", ("c",)))
    assert cpu_seconds(task("run"), 9) is None
    assert cpu_seconds(task("sam3", *two), 10) == pytest.approx(10 * (80.7 + 3 * 6.4) / 2)
    assert cpu_seconds(task("grounding-dino", *two), 10) == pytest.approx(10 * 2 * 17.2 / 2)
    # Phrases cost OWLv2 nothing worth saying.
    assert cpu_seconds(task("owlv2", *two), 1) == cpu_seconds(task("owlv2", two[1]), 1)


def test_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "_apple", lambda: False)
    monkeypatch.setattr(cost, "find_gpus", list)
    assert uses_cpu("auto")
    assert uses_cpu("cpu")
    with pytest.raises(ConfigError, match="no NVIDIA GPU") as caught:
        uses_cpu("cuda:1")
    assert "--device" in caught.value.hint
    monkeypatch.setattr(cost, "find_gpus", lambda: [Gpu(0, "H200", 1, 1)])
    assert not uses_cpu("auto")
    assert not uses_cpu("cuda")
    assert uses_cpu("cpu")
