"""Filters of pictures by review, suggestions and where boxes are from; and `--only-reviewed`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from batman_tui.images.choices import narrowings
from cli.main import main
from core.common.errors import BatmanError, ConfigError
from core.data.exporters import export_coco, export_original, export_yolo
from core.data.images.filter import find_images, parse_filter, unfinished
from core.data.images.rows import image_lines
from core.data.splits.assign import assign_project_splits
from core.data.store import Project
from core.evaluation import EvaluationOptions
from core.training.config.options import TrainingConfig, parse_config
from core.training.launch.dataset import prepare

BOX = {"x": 10.0, "y": 8.0, "w": 20.0, "h": 16.0}


class Pictures:
    """Pictures 1 to 12 of one import, to which boxes and suggestions are added row by row."""

    def __init__(self, project: Project) -> None:
        self.project = project
        project.db.execute("PRAGMA synchronous = OFF")
        self.labels: dict[str, int] = {}
        with project.change("import", "made") as change:
            change.insert(
                "imports", {"kind": "m", "origin": "here", "at": "2026-03-14", "active": 1}
            )
            for name in ("crane", "vest"):
                of = change.insert("classes", {"name": name})
                row = {"import_id": 1, "name": name, "class_id": of}
                self.labels[name] = change.insert("labels", row)
            (project.images_dir / "1").mkdir()
            for number in range(1, 13):
                path = f"1/p{number:02}.png"
                Image.new("RGB", (80, 60), (number, 90, 30)).save(project.images_dir / path)
                row = {"import_id": 1, "path": path, "name": path[2:], "width": 80, "height": 60}
                change.insert("images", row)
            # Another pass that was taken back: nothing of it is seen.
            for active, model in ((1, "run:yard-2"), (0, "run:gone")):
                row = {"at": "2026-03-14", "who": "me", "labeller": "run", "model": model}
                change.insert("passes", {**row, "active": active})

    def box(self, image: int, name: str = "crane", **row: Any) -> None:
        """Add a label."""
        with self.project.change("t", "t") as change:
            label = {"image_id": image, "label_id": self.labels[name]}
            change.insert("annotations", {**label, **BOX, **row})

    def suggest(self, image: int, score: float, name: str = "crane", **row: Any) -> None:
        """Add a suggestion."""
        with self.project.change("t", "t") as change:
            of = {"crane": 1, "vest": 2}[name]
            what = {"pass_id": 1, "image_id": image, "class_id": of, "score": score}
            change.insert("suggestions", {**what, **BOX, **row})

    def review(self, image: int, state: str) -> None:
        """Set the review of a picture."""
        with self.project.change("t", "t") as change:
            change.update("images", image, {"review": state})


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "data/projects/yard") as made:
        yield made


@pytest.fixture
def pictures(project: Project) -> Pictures:
    return Pictures(project)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("is:reviewed", [1, 2]),
        ("is:later", [3]),
        ("is:unreviewed", list(range(3, 13))),
        ("is:reviewed is:unlabelled", [2]),
        ("is:open", [4, 5]),
        ("is:open class:vest", [5]),
        ("is:open score:<0.5", [4]),
        ("is:open class:crane score:>0.5", []),  # the surer one is a vest
        ("is:rejected", [6]),
        ("is:rejected score:>=0.9", [6]),
        ("source:import", [1, 7]),
        ("source:person", [8]),
        ("source:model", [9, 10]),
        ("source:interpolation", [11]),
        ("source:person source:inter", [8, 11]),
        ("source:elsewhere", []),
        ("source:model class:crane", [9]),
        ("source:import class:crane", [1, 7]),
        ("is:edited", [10]),
        ("is:edited source:model", [10]),
        ("is:edited source:person", []),
        ("model:yard-2", [4, 5, 9]),
        ("model:SAM", [10]),
        ("model:gone", []),
        ("model:%", []),
        ("score:<0.6", [4, 9]),
        ("score:<=0.3", [4]),
        ("score:0.55", [9]),
        ("score:0.5-0.7", [5, 9]),
        ("score:0.5..0.7 source:model", [9]),
        ("score:high", []),
        ("score:<", list(range(1, 13))),
        ("is:what", []),
    ],
)
def test_filters_of_labelling(
    pictures: Pictures, project: Project, text: str, ids: list[int]
) -> None:
    pictures.box(1)
    for image, state in ((1, "done"), (2, "done"), (3, "later")):
        pictures.review(image, state)
    pictures.suggest(4, 0.3)
    pictures.suggest(5, 0.7, "vest")
    pictures.suggest(6, 0.95, state="rejected")
    pictures.suggest(7, 0.9, state="accepted")
    pictures.box(7)
    pictures.box(8, source="person")
    pictures.box(9, source="model", model="run:yard-2", score=0.55)
    pictures.box(10, "vest", source="model", model="sam3", score=0.8, edited=1)
    pictures.box(11, source="interpolation")
    pictures.box(12, source="model", model="run:yard-2", score=0.1, deleted=1)
    pictures.suggest(12, 0.1, pass_id=2)
    assert find_images(project, parse_filter(text)) == ids


def test_a_score_that_is_not_said_yet_is_unfinished() -> None:
    # `batman images delete --where 'score:<'` would else mean every image.
    assert unfinished("is:open score:<") == "score:<"
    assert unfinished("source:") == "source:"
    assert unfinished("score:<0.6 model:run") is None


def test_lines_say_what_is_reviewed_and_open(
    pictures: Pictures, project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    pictures.review(1, "done")
    pictures.suggest(2, 0.4)
    pictures.suggest(2, 0.6)
    pictures.suggest(3, 0.6, state="rejected")
    lines = image_lines(project, [1, 2, 3])
    assert [(line.review, line.open) for line in lines] == [("done", 0), (None, 2), (None, 0)]
    monkeypatch.setenv("BATMAN_WORKSPACE", str(tmp_path))
    assert main(["images", "list", "--project", "yard", "--where", "is:reviewed"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].split() == ["name", "split", "import", "size", "review", "open", "boxes",
                              "classes"]  # fmt: skip
    assert out[1].split()[4:6] == ["done", "–"]
    assert main(["images", "list", "--project", "yard", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told[1]["review"], told[1]["open_suggestions"]) == (None, 2)


def test_the_app_offers_the_states_that_images_are_in(pictures: Pictures, project: Project) -> None:
    assert not any(item.kind == "labelling" for item in narrowings(project, {}))
    pictures.review(1, "done")
    pictures.suggest(2, 0.4)
    pictures.box(3, source="model", model="run:yard-2", score=0.55)
    offered = {i.value: i.count for i in narrowings(project, {}) if i.kind == "labelling"}
    assert offered == {"is:reviewed": 1, "is:open": 1, "source:model": 1}


# --only-reviewed


def labelled(pictures: Pictures, reviewed: int, empty: int = 0) -> None:
    """Label all twelve pictures but `empty` of those that are reviewed."""
    for number in range(1, 13):
        if number <= reviewed:
            pictures.review(number, "done")
        if not number <= empty:
            pictures.box(number, "crane" if number % 2 else "vest")
        pictures.suggest(number, 0.9)


def test_training_on_reviewed_images_says_what_is_left_out(
    pictures: Pictures, project: Project, tmp_path: Path
) -> None:
    labelled(pictures, reviewed=8, empty=2)
    pictures.review(12, "later")
    config = TrainingConfig(model="tiny", only_reviewed=True)
    info = prepare(project, config, tmp_path / "set")
    assert sum(info.images.values()) == 8
    assert "4 images that were not reviewed left out." in info.notes
    # Reviewed pictures without boxes are true negatives: they are there, without a box.
    assert sum(info.annotations.values()) == 6
    assert (
        sum(prepare(project, TrainingConfig(model="tiny"), tmp_path / "all").images.values()) == 12
    )
    counted = assign_project_splits(project, (0.7, 0.15, 0.15), 42, only_reviewed=True)
    assert counted.counts() == info.images


def test_nothing_reviewed_is_an_error_that_says_so(
    pictures: Pictures, project: Project, tmp_path: Path
) -> None:
    labelled(pictures, reviewed=0)
    with pytest.raises(ConfigError, match="None of the 12 images has been reviewed"):
        prepare(project, TrainingConfig(model="tiny", only_reviewed=True), tmp_path / "set")
    for export in (export_coco, export_yolo, export_original):
        with pytest.raises(BatmanError, match="None of the 12 images has been reviewed"):
            export(project, tmp_path / "out", only_reviewed=True)
        assert not (tmp_path / "out").exists()
    assert assign_project_splits(project, (0.7, 0.15, 0.15), 42, only_reviewed=True).splits == {}


def test_the_choice_is_kept_with_the_run() -> None:
    config = parse_config({"only_reviewed": "yes"})
    assert config.only_reviewed
    assert json.loads(config.model_dump_json())["only_reviewed"] is True
    assert parse_config({}).only_reviewed is False


@pytest.mark.parametrize("kind", ["coco", "yolo", "voc", "csv", "kitti", "mot", "original", "cvat",
                                  "label-studio", "labelme", "createml"])  # fmt: skip
def test_every_format_can_be_held_to_reviewed_images(
    pictures: Pictures, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    labelled(pictures, reviewed=3, empty=1)
    monkeypatch.setenv("BATMAN_WORKSPACE", str(tmp_path))
    out = tmp_path / kind
    words = ["export", kind, str(out), "--project", "yard", "--only-reviewed"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "Exported 3 images" in said
    assert "2 annotations" in said
    assert "9 images that were not reviewed left out." in said
    written = sorted(file.name for file in out.rglob("*.png"))
    assert len(written) == 3


def test_an_evaluation_on_a_project_can_be_held_to_reviewed_images(
    pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    labelled(pictures, reviewed=6)
    with pictures.project.change("t", "t") as change:
        change.update_many("images", ["split"], [(i, "valid") for i in range(1, 13)])
    (tmp_path / "runs/yard-1").mkdir(parents=True)
    (tmp_path / "runs/yard-1/training_config.json").write_text("{}")
    seen: list[tuple[Path, Path, int]] = []

    def evaluated(options: EvaluationOptions, *, quiet: bool) -> Path:
        assert options.dataset is not None
        assert options.output is not None
        value = json.loads((options.dataset / "valid/_annotations.coco.json").read_text())
        seen.append((options.dataset, options.output, len(value["images"])))
        raise BatmanError("enough seen")

    monkeypatch.setattr("cli.model.evaluate.evaluate_in_child", evaluated)
    monkeypatch.setattr("core.models.backend.require_model", lambda *_: None)
    monkeypatch.setenv("BATMAN_WORKSPACE", str(tmp_path))
    words = ["evaluate", "yard-1", "--project", "yard"]
    assert main([*words, "--only-reviewed"]) == 2
    assert "6 images that were not reviewed left out." in capsys.readouterr().out
    assert main(words) == 2
    assert [images for _, _, images in seen] == [6, 12]
    assert seen[0][1] == tmp_path / "runs/yard-1/evaluation/valid-yard"
    assert not any(dataset.exists() for dataset, _, _ in seen)
    for wrong in (["evaluate", "yard-1", "--only-reviewed"], [*words, "--dataset", "x"]):
        capsys.readouterr()
        assert main(wrong) == 2
        assert "--project" in capsys.readouterr().err
