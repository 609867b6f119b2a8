"""COCO from a stand-in of its server on loopback: a made-up archive and a few images."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from http_stand import Cut, Site, Status, serve
from PIL import Image

from cli.common import run_module
from core.common.errors import Cancelled, ImportFailed
from core.common.progress import Progress
from core.data.importers.services import coco_zoo
from core.data.importers.services.coco_zoo import CLASSES, import_coco_zoo
from core.data.importers.services.download import DownloadFailed, Patience
from core.data.store import Project

QUICK = Patience(tries=2, first_wait_s=0.01, timeout_s=5)
ARCHIVE = "/annotations/annotations_trainval2017.zip"
# Category ids as COCO has them; which image shows what.
CATEGORIES = {1: "person", 2: "bicycle", 3: "car", 10: "traffic light", 18: "dog"}
SHOWS = {
    **{n: [1] for n in range(1, 31)},
    31: [1, 3], 32: [3], 33: [3, 3], 34: [3], 35: [2, 1], 36: [2],
    37: [18], 38: [18, 10], 39: [], 40: [],
}  # fmt: skip


def instances(shows: dict[int, list[int]], **changes: Any) -> dict[str, Any]:
    annotations = [
        {
            "id": image * 100 + n,
            "image_id": image,
            "category_id": category,
            "bbox": [2 + n, 3, 20, 10.5],
            "area": 210,
            "iscrowd": int(category == 18),
            "segmentation": [[2, 3, 22, 3, 22, 13]],
        }
        for image, categories in shows.items()
        for n, category in enumerate(categories)
    ]
    images = [
        {"id": n, "file_name": f"{n:012}.jpg", "width": 64, "height": 48, "license": 1,
         "coco_url": f"http://elsewhere.invalid/{n}.jpg"}
        for n in shows
    ]  # fmt: skip
    categories = [
        {"id": key, "name": name, "supercategory": "thing"} for key, name in CATEGORIES.items()
    ]
    return {"images": images, "annotations": annotations, "categories": categories, **changes}


def archive(**members: Any) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            text = content if isinstance(content, str) else json.dumps(content)
            file.writestr(f"annotations/instances_{name}.json", text)
    return out.getvalue()


def picture(number: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), (number * 5, 90, 40)).save(out, "JPEG")
    return out.getvalue()


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as running:
        running.files[ARCHIVE] = archive(
            val2017=instances(SHOWS), train2017=instances({n: [1] for n in range(101, 104)})
        )
        for number in SHOWS:
            running.files[f"/val2017/{number:012}.jpg"] = picture(number)
        for number in range(101, 104):
            running.files[f"/train2017/{number:012}.jpg"] = picture(number)
        yield running


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BATMAN_COCO_URL", site.url)
    monkeypatch.setenv("BATMAN_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "projects" / "zoo") as made:
        yield made


def names(project: Project) -> list[int]:
    return [int(row[0][:12]) for row in project.db.execute("SELECT name FROM v_images")]


def classes(project: Project) -> dict[str, int]:
    return dict(
        tuple(row)
        for row in project.db.execute("SELECT class_name, count(*) FROM v_annotations GROUP BY 1")
    )


def cached_images(cache: Path) -> list[Path]:
    return sorted(cache.rglob("*.jpg"))


def test_the_table_has_cocos_80_names() -> None:
    assert len(CLASSES) == len(set(CLASSES)) == 80
    assert CLASSES[0] == "person"
    assert CLASSES[9] == "traffic light"
    assert CLASSES[-1] == "toothbrush"
    assert all(name == name.strip() and "\n" not in name for name in CLASSES)


def test_only_images_and_boxes_of_the_classes_come(project: Project, site: Site) -> None:
    report = import_coco_zoo(project, ["car", "bicycle"])
    assert sorted(names(project)) == [31, 32, 33, 34, 35, 36]
    assert classes(project) == {"car": 5, "bicycle": 2}
    assert (report.images, report.annotations) == (6, 7)
    assert sorted(set(site.paths()) - {ARCHIVE}) == [
        f"/val2017/{n:012}.jpg" for n in (31, 32, 33, 34, 35, 36)
    ]
    row = project.db.execute("SELECT * FROM v_images WHERE name LIKE '%33.jpg'").fetchone()
    assert (row["width"], row["height"], row["split"]) == (64, 48, "valid")
    assert project.image_file(row["path"]).read_bytes() == picture(33)
    box = project.db.execute(
        "SELECT * FROM v_annotations WHERE image_id = ? ORDER BY x", (row["id"],)
    ).fetchall()[1]
    assert (box["x"], box["y"], box["w"], box["h"]) == (3, 3, 20, 10.5)
    assert json.loads(box["segmentation"]) == [[2, 3, 22, 3, 22, 13]]


def test_without_classes_all_come_with_unlabelled_images_and_crowds(project: Project) -> None:
    report = import_coco_zoo(project)
    assert report.images == 40
    assert sorted(report.classes) == sorted(CATEGORIES.values())
    crowds = "SELECT count(*) FROM v_annotations WHERE iscrowd = 1"
    assert project.db.execute(crowds).fetchone()[0] == 2


def test_a_small_sample_shows_every_class(project: Project) -> None:
    import_coco_zoo(project, ["person", "car", "bicycle"], max_samples=6)
    assert len(names(project)) == 6
    of = [name for image in names(project) for name in map(CATEGORIES.get, SHOWS[image])]
    assert {"person", "car", "bicycle"} <= set(of)
    assert sum(2 in SHOWS[image] for image in names(project)) == 2
    assert sum(3 in SHOWS[image] for image in names(project)) >= 2


def test_a_larger_sample_holds_the_smaller_and_the_seed_decides(tmp_path: Path) -> None:
    def sample(count: int, seed: int) -> set[int]:
        with Project.create(tmp_path / f"p{count}-{seed}") as project:
            import_coco_zoo(project, ["person"], max_samples=count, seed=seed)
            return set(names(project))

    small = sample(5, 1)
    assert small < sample(12, 1)
    assert small != sample(5, 2)


def test_projects_share_one_cache(tmp_path: Path, site: Site, project: Project) -> None:
    import_coco_zoo(project, ["car"])
    asked = len(site.asked)
    with Project.create(tmp_path / "second") as other:
        import_coco_zoo(other, ["car"])
        assert len(names(other)) == 4
        file = other.db.execute("SELECT path FROM v_images").fetchone()[0]
        assert other.image_file(file).stat().st_nlink == 3
    assert len(site.asked) == asked


def test_mirrors_do_not_share_their_files(project: Project, cache: Path, site: Site) -> None:
    import_coco_zoo(project, ["dog"])
    import_coco_zoo(project, ["dog"], base_url=site.url + "/")
    assert len(list(cache.iterdir())) == 1
    with pytest.raises(DownloadFailed):
        import_coco_zoo(project, ["dog"], base_url=site.url + "/mirror")
    assert len(list(cache.iterdir())) == 2


def test_the_train_split_is_trained_on(project: Project) -> None:
    report = import_coco_zoo(project, ["person"], split="train")
    assert report.splits == {"train": 3}


@pytest.mark.parametrize("split", ["validation", "val", "valid", " VAL2017 "])
def test_the_validation_split_has_several_names(project: Project, split: str) -> None:
    assert import_coco_zoo(project, ["dog"], split=split).splits == {"valid": 2}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (["persn"], "'person'"),
        (["car", "traffic_light"], "'traffic light'"),
        (["Hot-Dog"], "'hot dog'"),
        (["qqqqqq"], "Its 80 classes are: person, bicycle"),
    ],
)
def test_unknown_classes_are_answered_before_anything_is_asked(
    project: Project, site: Site, wanted: list[str], expected: str
) -> None:
    with pytest.raises(ImportFailed) as caught:
        import_coco_zoo(project, wanted)
    assert expected in caught.value.hint
    assert wanted[-1] in caught.value.message
    assert site.asked == []


def test_bad_splits_and_counts_are_refused(project: Project, site: Site) -> None:
    with pytest.raises(ImportFailed, match="no split 'test'"):
        import_coco_zoo(project, split="test")
    with pytest.raises(ImportFailed, match="At least one"):
        import_coco_zoo(project, max_samples=0)
    assert site.asked == []


def test_a_class_that_no_image_shows_is_said_so(project: Project) -> None:
    with pytest.raises(ImportFailed, match="toaster"):
        import_coco_zoo(project, ["toaster"])


def test_what_failed_is_gone_on_with(project: Project, site: Site, cache: Path) -> None:
    import_coco_zoo(project, ["dog"])
    broken = "/val2017/000000000034.jpg"
    site.spoil(broken, Status(503), times=2)
    before = project.summary()
    with pytest.raises(DownloadFailed, match="of 6 images are here") as caught:
        import_coco_zoo(project, ["car", "bicycle"], patience=QUICK, threads=1)
    assert "goes on where it stopped" in caught.value.hint
    assert project.summary() == before
    have = len(cached_images(cache))
    site.asked.clear()
    import_coco_zoo(project, ["car", "bicycle"], patience=QUICK)
    assert ARCHIVE not in site.paths()
    assert len(site.asked) == 8 - have


def test_faults_on_the_way_do_no_harm(project: Project, site: Site) -> None:
    site.spoil(ARCHIVE, Status(500), Cut(200))
    site.spoil("/val2017/000000000036.jpg", Cut(50), Status(502))
    site.spoil("/val2017/000000000032.jpg", Cut(0))
    report = import_coco_zoo(project, ["car", "bicycle"], patience=Patience(4, 0.01, 5))
    assert report.images == 6
    for row in project.db.execute("SELECT path, name FROM v_images"):
        assert project.image_file(row["path"]).read_bytes() == picture(int(row["name"][:12]))


def test_an_image_the_server_lacks_is_left_out_and_reported(project: Project, site: Site) -> None:
    del site.files["/val2017/000000000034.jpg"]
    report = import_coco_zoo(project, ["car"])
    assert report.images == 3
    assert report.counts() == {"missing image": 1}
    assert report.problems[0].where == "000000000034.jpg"


def test_a_login_page_is_no_image(project: Project, site: Site, cache: Path) -> None:
    good = site.files["/val2017/000000000034.jpg"]
    site.files["/val2017/000000000034.jpg"] = b"<html>Please log in</html>"
    with pytest.raises(ImportFailed, match="no JPEG image"):
        import_coco_zoo(project, ["car"])
    assert project.summary().imports == 0
    assert not any(b"html" in path.read_bytes() for path in cached_images(cache))
    site.files["/val2017/000000000034.jpg"] = good
    import_coco_zoo(project, ["car"])
    cached_images(cache)[0].write_bytes(b"")
    assert import_coco_zoo(project, ["car"]).images == 4
    assert all(path.read_bytes() for path in cached_images(cache))


def test_a_server_without_any_image_fails(project: Project, site: Site) -> None:
    for path in [path for path in site.files if path.endswith(".jpg")]:
        del site.files[path]
    with pytest.raises(DownloadFailed, match="404"):
        import_coco_zoo(project, ["car"])
    assert project.summary().imports == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>login</html>", "not a zip file"),
        (archive(train2017=instances(SHOWS)), "no annotations/instances_val2017"),
        (archive(val2017="[1, 2"), "not COCO"),
        (archive(val2017={"images": 3}), "not COCO"),
        (
            archive(val2017=instances({}, images=[
                {"id": 1, "file_name": "../../evil.jpg", "width": 1, "height": 1}])),
            "evil",
        ),
        (archive(val2017=instances(SHOWS))[:-300], "zip"),
    ],
)  # fmt: skip
def test_a_wrong_archive_is_one_clear_error_and_not_kept(
    project: Project, site: Site, cache: Path, content: bytes, message: str
) -> None:
    good, site.files[ARCHIVE] = site.files[ARCHIVE], content
    with pytest.raises(ImportFailed, match="cannot be used") as caught:
        import_coco_zoo(project, ["car"], patience=QUICK)
    assert message in caught.value.message
    assert project.summary().imports == 0
    assert list(cache.rglob("*.zip")) == []
    site.files[ARCHIVE] = good
    assert import_coco_zoo(project, ["car"], patience=QUICK).images == 4


def test_a_damaged_archive_in_the_cache_is_fetched_again(
    project: Project, site: Site, cache: Path
) -> None:
    import_coco_zoo(project, ["car"])
    (file,) = cache.rglob("*.zip")
    raw = bytearray(file.read_bytes())
    raw[60:90] = bytes(30)
    file.write_bytes(raw)
    assert import_coco_zoo(project, ["dog"]).images == 2
    assert site.paths().count(ARCHIVE) == 2


def test_at_the_official_address_the_published_checksum_is_asked_for(
    project: Project, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coco_zoo, "BASE_URL", site.url)
    with pytest.raises(DownloadFailed, match="checksum"):
        import_coco_zoo(project, ["car"], patience=QUICK)
    digest = hashlib.md5(site.files[ARCHIVE]).hexdigest()
    monkeypatch.setattr(coco_zoo, "ARCHIVE_MD5", digest)
    import_coco_zoo(project, ["car"], patience=QUICK)
    detail = json.loads(project.db.execute("SELECT detail FROM imports").fetchone()[0])
    assert detail["archive_md5"] == digest


def test_where_it_came_from_is_recorded_and_undone(project: Project, site: Site) -> None:
    import_coco_zoo(project, ["car", "dog"], max_samples=3, seed=5)
    row = project.db.execute("SELECT * FROM imports").fetchone()
    assert row["kind"] == "coco-zoo"
    assert row["origin"] == "COCO 2017 validation: car, dog, at most 3 images"
    detail = json.loads(row["detail"])
    assert detail["source"] == site.url
    assert (detail["seed"], detail["max_samples"]) == (5, 3)
    assert detail["chosen_classes"] == ["car", "dog"]
    project.undo()
    assert project.summary().images == 0


def test_it_can_be_stopped(project: Project, cache: Path) -> None:
    seen: list[Progress] = []
    with pytest.raises(Cancelled):
        import_coco_zoo(
            project,
            ["person"],
            progress=seen.append,
            cancelled=lambda: any(at.stage == "downloading images" and at.done > 3 for at in seen),
            threads=2,
        )
    assert project.summary().images == 0
    assert 3 < len(cached_images(cache)) < 30


def test_progress_ends_at_the_total(project: Project) -> None:
    seen: dict[str, Progress] = {}
    import_coco_zoo(project, ["car"], progress=lambda at: seen.update({at.stage: at}))
    assert (seen["downloading images"].done, seen["downloading images"].total) == (4, 4)
    size = seen["downloading annotations"]
    assert size.done == size.total


def test_the_guides_command_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    command = (
        "coco --project data/projects/MyProject --create --classes person car bicycle"
        " --split validation --max-samples 500"
    )
    assert run_module("importer", command.split()) == 0
    assert "36 images" in capsys.readouterr().out
    with Project.open(tmp_path / "data" / "projects" / "MyProject") as project:
        assert set(classes(project)) == {"person", "car", "bicycle"}
    assert run_module("importer", [*command.split()[:4], "--classes", "cra"]) == 2
    assert "'car'" in capsys.readouterr().err
