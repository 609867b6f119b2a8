"""What `infer` found comes back as suggestions: which picture is which, and what is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from json_shapes import holds
from label_data import HOOK, PERSON, SIZE, make_labels
from PIL import Image

from cli.main import main
from core.autolabel.predictions import import_predictions, read_predictions
from core.common.errors import BatmanError
from core.data.importers.pictures import import_images
from core.data.labels.passes import list_passes, withdraw_pass
from core.data.store import Project
from core.inference.records import COCO, CSV, RecordWriter
from core.models.detector import Prediction

BOX = (100.0, 60.0, 130.0, 100.0)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.open(make_labels(tmp_path / "data" / "projects" / "site", images=4)) as opened:
        yield opened


def found(*rows: tuple[int, float]) -> Prediction:
    """Boxes of a class (from 0) and score, the same place each."""
    return Prediction(
        boxes=np.array([BOX] * len(rows), np.float32).reshape(-1, 4),
        scores=np.array([score for _, score in rows], np.float32),
        class_ids=np.array([label for label, _ in rows], np.int64),
    )


def open_ones(project: Project, pass_id: int) -> list[tuple[int, int, float]]:
    return [
        (row[0], row[1], round(row[2], 3))
        for row in project.db.execute(
            "SELECT image_id, class_id, score FROM v_suggestions WHERE pass_id = ?"
            " AND state = 'open' ORDER BY image_id, class_id",
            (pass_id,),
        )
    ]


def written(tmp_path: Path, project: Project) -> Path:
    """Four ways to be a picture of the project, three to be none."""
    folder = tmp_path / "site-run-1"
    folder.mkdir()
    own = project.images_dir / "1" / "frame_002.png"
    with RecordWriter(folder, ["hook", "Person", "crane"]) as writer:
        other = tmp_path / "elsewhere"
        writer.add("x.png", SIZE, found((0, 0.9), (2, 0.8)), source=own)
        writer.add("frame_001.png", SIZE, found((1, 0.7), (0, 0.05)), source=other / "a.png")
        writer.add("FRAME_003.PNG", (9, 9), found((0, 0.9)), source=other / "b.png")
        writer.add("sub/new.png", SIZE, found((0, 0.9)), source=other / "new.png")
        writer.add("frame_002.png", SIZE, found((0, 0.3)), source=other / "c.png")
        film = tmp_path / "site.mp4.mov"
        for number, time in ((4, 2.0), (5, 2.04)):
            writer.add(
                "site.mp4.mov", SIZE, found((1, 0.6)),
                source=film, frame=number, time=time, tracks=[7],
            )  # fmt: skip
    return folder


def test_pictures_are_told_by_file_name_and_time(tmp_path: Path, project: Project) -> None:
    taken = import_predictions(project, written(tmp_path, project))
    assert taken.model == "site-run-1"
    assert open_ones(project, taken.report.pass_id) == [
        (1, PERSON, 0.7),
        (2, HOOK, 0.9),
        (4, PERSON, 0.6),
    ]
    assert taken.report.images == 3
    said = "\n".join(taken.left_out)
    assert "1 picture of another size in the project: FRAME_003.PNG." in said
    assert "1 picture not in the project: sub/new.png." in said
    assert "1 picture the same picture as 'x.png': frame_002.png." in said
    assert "site.mp4.mov#000005." in said
    assert "1 box below a score of 0.1." in said
    assert "1 box of 'crane', no class of the project." in said
    # The video's object has a track of its own.
    (track,) = project.db.execute(
        "SELECT track FROM v_suggestions WHERE image_id = 4 AND pass_id = ?",
        (taken.report.pass_id,),
    ).fetchone()
    assert track is not None


def test_it_is_one_pass_that_can_be_taken_back(tmp_path: Path, project: Project) -> None:
    before = project.db.execute("SELECT * FROM v_suggestions ORDER BY id").fetchall()
    taken = import_predictions(project, written(tmp_path, project), "mine", least=0.5)
    line = list_passes(project)[0]
    assert (line.model, line.labeller, line.images) == ("mine", "run", 3)
    withdraw_pass(project, taken.report.pass_id)
    after = project.db.execute("SELECT * FROM v_suggestions ORDER BY id").fetchall()
    assert [tuple(row) for row in after] == [tuple(row) for row in before]


def test_a_table_alone_will_do(tmp_path: Path, project: Project) -> None:
    folder = written(tmp_path, project)
    (folder / COCO).unlink()
    taken = import_predictions(project, folder, mapping={"crane": "person"})
    # It has no paths: x.png is nobody's, and frame_002.png is the project's.
    assert open_ones(project, taken.report.pass_id) == [
        (1, PERSON, 0.7),
        (2, HOOK, 0.3),
        (3, HOOK, 0.9),
        (4, PERSON, 0.6),
    ]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (CSV, "a,b\n1,2\n", "no column class"),
        (COCO, "{}", "not what batman infer writes"),
        ("other.txt", "", "no predictions"),
    ],
)
def test_what_is_no_predictions_changes_nothing(
    tmp_path: Path, project: Project, name: str, content: str, words: str
) -> None:
    folder = tmp_path / "found"
    folder.mkdir()
    (folder / name).write_text(content)
    newest = len(list_passes(project))
    with pytest.raises(BatmanError, match=words):
        import_predictions(project, folder)
    assert len(list_passes(project)) == newest


def test_a_line_that_is_wrong_is_named(tmp_path: Path, project: Project) -> None:
    folder = written(tmp_path, project)
    lines = (folder / CSV).read_text().splitlines()
    lines[2] = lines[2].replace(",0.8,", ",much,")
    (folder / CSV).write_text("\n".join(lines))
    with pytest.raises(BatmanError, match="in line 3"):
        read_predictions(folder / CSV)


def test_pictures_of_elsewhere_are_refused(tmp_path: Path, project: Project) -> None:
    folder = tmp_path / "found"
    folder.mkdir()
    with RecordWriter(folder, ["hook"]) as writer:
        writer.add("new.png", SIZE, found((0, 0.9)), source=tmp_path / "new.png")
    with pytest.raises(BatmanError, match="None of the 1 picture") as told:
        import_predictions(project, folder)
    assert "new.png: not in the project" in told.value.message


def test_the_command(tmp_path: Path, project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    folder = written(tmp_path, project)
    words = ["labels", "import", str(folder), "--project", str(project.path), "--model", "m"]
    assert main([*words, "--json"]) == 0
    told = holds("labels import", capsys.readouterr().out)
    assert (told["open"], told["images"], told["model"]) == (3, 3, "m")
    assert len(told["left_out"]) == 6
    assert main([*words, "--map", "crane=hook"]) == 0
    out = capsys.readouterr().out
    assert "suggestions of m on 3 pictures" in out
    assert "no class of the project" not in out


def test_an_import_says_where_predictions_belong(
    tmp_path: Path, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(tmp_path, project)
    for place in (folder, folder / COCO, folder / CSV):
        assert main(["import", str(place), "--project", str(project.path)]) != 0
        said = capsys.readouterr().err
        assert "holds what a model found, not labels" in said
        assert "batman labels import" in said


def test_of_pictures_with_one_name_the_one_with_the_same_content_is_meant(
    tmp_path: Path, project: Project
) -> None:
    for split in ("train", "test"):
        (tmp_path / "set" / split).mkdir(parents=True)
        for name, colour in (("a.png", split == "train"), ("b.png", 9)):
            Image.new("RGB", SIZE, (colour, 0, 0)).save(tmp_path / "set" / split / name)
    import_images(project, tmp_path / "set", files="copy")
    folder = tmp_path / "run"
    folder.mkdir()
    with RecordWriter(folder, ["hook"]) as writer:
        for name in ("a.png", "b.png"):
            looked_at = tmp_path / "set" / "test" / name
            writer.add(name, SIZE, found((0, 0.9)), source=looked_at)
    taken = import_predictions(project, folder)
    path = "SELECT path FROM v_images WHERE id = ?"
    ((image, _, _),) = open_ones(project, taken.report.pass_id)
    (stored,) = project.db.execute(path, (image,)).fetchone()
    copy = (project.images_dir / stored).read_bytes()
    assert copy == (tmp_path / "set" / "test" / "a.png").read_bytes()
    assert "several have that name" in "\n".join(taken.left_out), "b.png is the same in both"
