"""`batman submit` says what is gravely wrong with the data before it submits, as `train` does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from import_data import coco, put_coco

from cli import submit
from cli.main import main
from core.errors import BatmanError
from core.importers import import_coco
from core.store import Project


def test_grave_findings_are_named_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = put_coco(tmp_path / "set", coco())
    with Project.create(tmp_path / "data/projects/cranes") as project:
        import_coco(project, source, files="copy")
        for file in project.images_dir.rglob("*.png"):
            file.unlink()

    class Plan:
        batch = None

    def stop(*_: Any, **__: Any) -> None:
        raise BatmanError("Far enough.")

    monkeypatch.setattr(submit, "profile_for", lambda name: None)
    monkeypatch.setattr(submit, "site_for", lambda profile, workspace: _Site())
    monkeypatch.setattr(submit, "discover", lambda host: None)
    monkeypatch.setattr(submit, "plan", lambda profile, wanted, facts: Plan())
    monkeypatch.setattr(submit, "ready_run", stop)
    words = ["submit", "--workspace", str(tmp_path), "--project", "cranes", "--gpu", "any"]
    assert main(words) == 2
    told = capsys.readouterr()
    assert "Error: 2 image files missing (image-missing)." in told.out
    assert "batman check --project cranes" in told.out
    assert "Far enough" in told.err
    assert main([*words, "--json"]) == 2
    assert "missing" not in capsys.readouterr().out


class _Site:
    host = None
    profile = None
