"""Roboflow: the real package in its child process, against a stand-in of the service on loopback.

The stand-in answers the addresses that roboflow 1.7 asks (`roboflow/adapters/rfapi.py`): `POST /`
for the key, `GET /<workspace>`, `/<workspace>/<project>`, `/…/<version>` and `/…/<version>/coco`.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from http_stand import Asked, Cut, Site, Status, serve
from PIL import Image

from cli.common import run_module
from core.common import zip_archive
from core.common.errors import Cancelled, ImportFailed
from core.common.progress import Progress
from core.data.importers.services.download import DownloadFailed, Patience
from core.data.importers.services.roboflow import import_roboflow
from core.data.store import Project

pytest.importorskip("roboflow", reason="the roboflow extra is not installed")

KEY = "rfkeySECRET0123456789"
ROOT = Path(__file__).parents[2]
QUICK = Patience(tries=2, first_wait_s=0.01, timeout_s=5)


def jpeg(shade: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), (shade, 20, 20)).save(out, "JPEG")
    return out.getvalue()


def coco(name: str, category: str) -> str:
    return json.dumps(
        {
            "images": [{"id": 0, "file_name": name, "width": 40, "height": 30}],
            "categories": [
                {"id": 0, "name": "things", "supercategory": "none"},
                {"id": 1, "name": category, "supercategory": "things"},
            ],
            "annotations": [
                {"id": 0, "image_id": 0, "category_id": 1, "bbox": [5, 5, 10, 10], "area": 100}
            ],
        }
    )


def export(*extra: tuple[Any, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for at, (split, category) in enumerate((("train", "hook"), ("valid", "boom"))):
            file.writestr(f"{split}/a{at}.jpg", jpeg(at * 90))
            file.writestr(f"{split}/_annotations.coco.json", coco(f"a{at}.jpg", category))
        file.writestr("README.roboflow.txt", "made up")
        for name, content in extra:
            file.writestr(name, content)
    return out.getvalue()


class Service:
    """What a workspace `acme` with one project `cranes` of versions 1 and 2 answers."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.waits = 0
        version = {
            "augmentation": {}, "preprocessing": {}, "created": 1, "images": 2,
            "splits": {"train": 1, "valid": 1}, "exports": [],
        }  # fmt: skip
        self.versions = [{**version, "id": f"acme/cranes/{n}", "name": f"v{n}"} for n in (1, 2)]
        self.project = {
            "annotation": "cranes", "classes": {"hook": 1}, "colors": {}, "created": 1.0,
            "updated": 1.0, "id": "acme/cranes", "images": 2, "name": "Cranes", "public": False,
            "splits": {}, "type": "object-detection", "unannotated": 0,
        }  # fmt: skip
        workspace = {
            "name": "Acme", "url": "acme", "members": 1,
            "projects": [{"id": "acme/cranes"}, {"id": "acme/trucks"}],
        }  # fmt: skip
        site.files["/export.zip"] = export()
        pages: dict[str, Any] = {
            "/": lambda asked: (200, {"workspace": "acme"}),
            "/acme": lambda asked: (200, {"workspace": workspace}),
            "/acme/cranes": lambda asked: (
                200, {"project": self.project, "versions": self.versions}),
            "/acme/cranes/1": lambda asked: (200, {"version": self.versions[0]}),
            "/acme/cranes/1/coco": self._export,
        }  # fmt: skip
        site.pages = {path: self._checked(page) for path, page in pages.items()}

    def _export(self, asked: Asked) -> tuple[int, Any]:
        if self.waits:
            self.waits -= 1
            return 202, {"progress": 0.4}
        return 200, {"export": {"link": f"{self.site.url}/export.zip?key={KEY}-link"}}

    def _checked(self, page: Any) -> Any:
        def answer(asked: Asked) -> tuple[int, bytes]:
            if asked.query.get("api_key") != [KEY]:
                wrong = {"message": f"This API key does not exist: {asked.query}", "status": 401}
                return 401, json.dumps({"error": wrong}).encode()
            code, body = page(asked)
            return code, json.dumps(body).encode()

        return answer


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Service]:
    with serve() as site:
        monkeypatch.setenv("API_URL", site.url)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.delenv("ROBOFLOW_API_KEY", raising=False)
        (tmp_path / "home").mkdir()
        yield Service(site)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "projects" / "rf") as made:
        yield made


def bring(project: Project, **changes: Any) -> Any:
    asked: dict[str, Any] = {"workspace": "acme", "rf_project": "cranes", "version": 1}
    asked |= {"api_key": KEY, "patience": QUICK, **changes}
    return import_roboflow(project, **asked)


def unchanged(project: Project) -> bool:
    rest = [path.name for path in project.path.iterdir()]
    images = list(project.images_dir.rglob("*"))
    return not images and project.history() == [] and not any("roboflow" in n for n in rest)


def holds_key(folder: Path) -> list[Path]:
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and (b"SECRET" in path.read_bytes() or "SECRET" in path.name)
    ]


def test_a_version_is_imported_with_its_splits(project: Project, service: Service) -> None:
    report = bring(project)
    assert report.splits == {"train": 1, "valid": 1}
    assert sorted(report.classes) == ["boom", "hook"]
    row = project.db.execute("SELECT * FROM v_images WHERE name = 'a1.jpg'").fetchone()
    assert project.image_file(row["path"]).read_bytes() == jpeg(90)
    kind, origin, detail = project.db.execute("SELECT kind, origin, detail FROM imports").fetchone()
    assert (kind, origin) == ("roboflow", "roboflow: acme/cranes/1")
    assert json.loads(detail)["name"] == "Cranes"
    assert not any("roboflow" in path.name for path in project.path.iterdir())
    project.undo()
    assert project.summary().images == 0


def test_an_export_that_is_made_first_is_waited_for(project: Project, service: Service) -> None:
    service.waits = 2
    assert bring(project).images == 2
    assert service.site.paths().count("/acme/cranes/1/coco") == 4


@pytest.mark.parametrize("key", ["rfwrongSECRET", "RFWRONGSECRET"])
def test_a_wrong_key_is_said_and_not_shown(project: Project, service: Service, key: str) -> None:
    with pytest.raises(ImportFailed, match="does not accept this API key") as caught:
        bring(project, api_key=key)
    assert "Settings" in caught.value.hint
    assert "SECRET" not in f"{caught.value.message}{caught.value.hint}{caught.value.args}"
    assert unchanged(project)


@pytest.mark.parametrize("key", ["", "  ", "two words", "line\nbreak"])
def test_what_is_no_key_is_refused_before_asking(
    project: Project, service: Service, key: str
) -> None:
    with pytest.raises(ImportFailed, match="no Roboflow API key"):
        bring(project, api_key=key)
    assert service.site.asked == []


def test_what_is_not_there_is_answered_with_what_is(project: Project, service: Service) -> None:
    with pytest.raises(ImportFailed, match="no workspace 'acne'"):
        bring(project, workspace="acne")
    with pytest.raises(ImportFailed, match="no project 'crane' in the workspace 'acme'") as caught:
        bring(project, rf_project="crane")
    assert "'cranes'" in caught.value.hint
    assert "trucks" in caught.value.hint
    with pytest.raises(ImportFailed, match="no version 7 of acme/cranes") as caught:
        bring(project, version=7)
    assert "1, 2" in caught.value.hint
    assert unchanged(project)


@pytest.mark.parametrize(
    "changes",
    [
        {"workspace": "a/../b"}, {"workspace": "https://app.roboflow.com/acme"},
        {"rf_project": "cranes?x=1"}, {"rf_project": ""}, {"version": 0},
    ],
)  # fmt: skip
def test_names_that_would_change_the_address_are_refused(
    project: Project, service: Service, changes: dict[str, Any]
) -> None:
    with pytest.raises(ImportFailed):
        bring(project, **changes)
    assert service.site.asked == []


def test_a_service_in_trouble_is_said_without_the_key(project: Project, service: Service) -> None:
    page = service.site.pages["/acme/cranes"]
    body = f'{{"error": "at /acme/cranes?api_key={KEY}"}}'.encode()
    service.site.pages["/acme/cranes"] = lambda asked: (500, body)
    with pytest.raises(ImportFailed, match="HTTP 500") as caught:
        bring(project)
    assert "SECRET" not in caught.value.message
    service.site.pages["/acme/cranes"] = lambda asked: (200, b"<html>not JSON")
    with pytest.raises(ImportFailed):
        bring(project)
    service.site.pages["/acme/cranes"] = page
    assert bring(project).images == 2


def test_no_service_is_said_without_the_key(
    project: Project, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve() as gone:
        url = gone.url
    monkeypatch.setenv("API_URL", url)
    with pytest.raises(ImportFailed, match="could not be reached") as caught:
        bring(project)
    assert "SECRET" not in f"{caught.value.message}{caught.value.hint}"
    assert unchanged(project)


def test_an_archive_that_breaks_off_goes_on(project: Project, service: Service) -> None:
    service.site.spoil("/export.zip", Cut(500), Status(503))
    assert bring(project, patience=Patience(4, 0.01, 5)).images == 2
    assert service.site.asked[-1].range == "bytes=500-"


def test_an_archive_that_never_comes_whole_changes_nothing(
    project: Project, service: Service
) -> None:
    service.site.spoil("/export.zip", Cut(500), Cut(0), Cut(0), Cut(0))
    with pytest.raises(DownloadFailed, match="export of acme/cranes/1") as caught:
        bring(project)
    assert "SECRET" not in f"{caught.value.message}{caught.value.hint}"
    assert unchanged(project)


def link(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (export()[:-60], "damaged or incomplete"),
        (export(("../../evil.txt", b"x")), "unsafe path"),
        (export((link("train/b.jpg", 0o120777), b"/etc/passwd")), "a link or a device"),
        (export(("bomb.bin", bytes(30_000_000))), "would grow"),
    ],
)
def test_an_unsafe_archive_is_refused_as_a_whole(
    project: Project,
    service: Service,
    tmp_path: Path,
    content: bytes,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(zip_archive, "ALLOWANCE", 20_000_000)
    service.site.files["/export.zip"] = content
    with pytest.raises(ImportFailed, match=message):
        bring(project)
    assert unchanged(project)
    assert list(tmp_path.rglob("*evil*")) == []
    assert not Path("/evil.txt").exists()


def test_an_archive_without_coco_is_refused(project: Project, service: Service) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("readme.txt", "nothing else")
    service.site.files["/export.zip"] = out.getvalue()
    with pytest.raises(ImportFailed):
        bring(project)
    assert unchanged(project)


def test_it_can_be_stopped_while_the_service_is_silent(project: Project, service: Service) -> None:
    reached, release = threading.Event(), threading.Event()

    def silent(asked: Asked) -> tuple[int, bytes]:
        reached.set()
        release.wait(30)
        return 500, b""

    service.site.pages["/acme"] = silent
    started = time.monotonic()
    try:
        with pytest.raises(Cancelled):
            bring(project, cancelled=reached.is_set)
        assert time.monotonic() - started < 25
    finally:
        release.set()
    assert unchanged(project)


def test_what_a_killed_import_left_is_removed_when_it_is_old(
    project: Project, service: Service
) -> None:
    old, young = project.path / ".roboflow-a1b2c3d4", project.path / ".roboflow-e5f6g7h8"
    for folder in (old, young):
        folder.mkdir()
        (folder / "roboflow.zip").write_bytes(b"half")
    for path in (old / "roboflow.zip", old):
        os.utime(path, (1, 1))
    bring(project)
    assert not old.exists()
    assert young.exists()


def test_progress_names_the_stages(project: Project, service: Service) -> None:
    seen: list[Progress] = []
    bring(project, progress=seen.append)
    stages = list(dict.fromkeys(at.stage for at in seen))
    assert stages[:4] == [
        "logging in", "finding the workspace", "finding the project", "finding the version"
    ]  # fmt: skip
    assert {"waiting for the export", "downloading", "unpacking"} <= set(stages)


def test_without_the_package_the_way_to_get_it_is_said(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportFailed, match="not installed") as caught:
        bring(project)
    assert "--extra roboflow" in caught.value.hint


ARGUMENTS = (
    "roboflow --project data/projects/MyProject --create --workspace acme"
    " --rf-project cranes --version 1"
)


def test_the_guides_command_works_and_the_key_stays_nowhere(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROBOFLOW_API_KEY", KEY)
    assert run_module("importer", ARGUMENTS.split()) == 0
    out, err = capfd.readouterr()
    assert "2 images" in out
    assert "SECRET" not in out + err
    with Project.open(tmp_path / "data" / "projects" / "MyProject") as made:
        assert made.summary().images == 2
    assert holds_key(tmp_path) == []


def test_the_short_form_takes_both_workspaces(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cli.main import main

    monkeypatch.setenv("ROBOFLOW_API_KEY", KEY)
    words = ["import", "roboflow", "--workspace", "acme", "--rf-project", "cranes"]
    words += ["--version", "1", "--create"]
    assert main(["--workspace", str(tmp_path / "ws"), *words, "--project", "Mine"]) == 0
    assert (tmp_path / "ws/data/projects/Mine/project.db").is_file()
    other = ["--workspace-dir", str(tmp_path / "ws2"), "--project", "Mine"]
    assert main([*words, *other]) == 0
    assert (tmp_path / "ws2/data/projects/Mine/project.db").is_file()


def test_a_failed_import_leaves_no_new_project(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROBOFLOW_API_KEY", "rfwrongSECRET")
    assert run_module("importer", ARGUMENTS.split()) == 2
    err = capfd.readouterr().err
    assert "does not accept this API key" in err
    assert "SECRET" not in err
    assert not (tmp_path / "data/projects/MyProject").exists()


def test_without_a_key_and_a_terminal_the_variable_is_named(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert run_module("importer", ARGUMENTS.split()) == 2
    assert "ROBOFLOW_API_KEY" in capsys.readouterr().err


def processes() -> dict[int, bytes]:
    """Return the argument lists and environments of all processes that can be seen."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes()
                found[int(entry.name)] = words + (entry / "environ").read_bytes()
            except OSError:
                continue
    return found


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_the_key_is_in_no_process_list_while_it_works(service: Service, tmp_path: Path) -> None:
    seen: list[dict[int, bytes]] = []
    page = service.site.pages["/acme"]

    def look(asked: Asked) -> tuple[int, bytes]:
        seen.append(processes())
        return page(asked)

    service.site.pages["/acme"] = look
    words = [sys.executable, "-m", "cli.importer", *ARGUMENTS.split(), "--api-key", KEY]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ROBOFLOW_API_KEY": "rfINHERITED"}
    done = subprocess.run(
        words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "SECRET" not in done.stdout + done.stderr
    (lists,) = seen
    # Tests beside this one may have children of their own.
    children = [
        words for words in lists.values() if b"core.data.importers.services.roboflow_child" in words
    ]
    assert children
    assert not any(b"rfINHERITED" in child for child in children)
    assert any(b"--api-key" in words for words in lists.values())
    assert [words for words in lists.values() if KEY.encode() in words] == []
    assert holds_key(tmp_path) == []
