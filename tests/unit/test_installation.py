"""Hints fit how Batman was installed: as a tool, by pip, by uv, from a checkout."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path

import pytest

from core.processes.installation import (
    Installation,
    how_to_install,
    installed_version,
    read_installation,
)

# As uv 0.13.9 and pipx write them.
RECEIPT = """[tool]
requirements = [
    { name = "batman-tui", extras = ["serve"], directory = "/home/me/batman" },
    { name = "openvino", specifier = ">=2024" },
]
python = "3.11"
"""
FOLDER = json.dumps({"url": "file:///home/me/my%20batman", "dir_info": {}})
GIT = json.dumps(
    {"url": "https://example.org/b.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}}
)


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return tmp_path / "env"


def commands(found: Installation) -> list[str]:
    return [
        found.command(["batman-tui[train]"]),
        found.command(["batman-tui[label,train]"]),
        found.command(["openvino>=2024,<2027"]),
    ]


def test_a_tool_of_uv_keeps_what_it_has(prefix: Path) -> None:
    prefix.mkdir()
    (prefix / "uv-receipt.toml").write_text(RECEIPT)
    url = json.dumps({"url": "file:///home/me/batman", "dir_info": {}})
    found = read_installation(prefix, url, "uv")
    assert commands(found) == [
        "uv tool install 'batman-tui[serve,train] @ /home/me/batman' --with 'openvino>=2024'",
        "uv tool install 'batman-tui[label,serve,train] @ /home/me/batman' --with 'openvino>=2024'",
        "uv tool install 'batman-tui[serve] @ /home/me/batman' --with 'openvino>=2024'"
        " --with 'openvino>=2024,<2027'",
    ]
    from_index = read_installation(prefix, None, "uv")
    assert from_index.command(["batman-tui[train]"]).startswith(
        "uv tool install 'batman-tui[serve,train]' "
    )


def test_a_tool_of_pipx_is_added_to(prefix: Path) -> None:
    prefix.mkdir()
    (prefix / "pipx_metadata.json").write_text("{}")
    assert commands(read_installation(prefix, None, "pip")) == [
        "pipx inject --force batman-tui 'batman-tui[train]'",
        "pipx inject --force batman-tui 'batman-tui[label,train]'",
        "pipx inject batman-tui 'openvino>=2024,<2027'",
    ]


@pytest.mark.parametrize(
    ("url", "installer", "said"),
    [
        (None, "pip", "-m pip install 'batman-tui[train]'"),
        (FOLDER, "pip", "-m pip install '/home/me/my batman[train]'"),
        (GIT, "pip", "-m pip install 'batman-tui[train] @ git+https://example.org/b.git'"),
        (None, "uv\n", "uv pip install --python {python} 'batman-tui[train]'"),
        ("{broken", "", "-m pip install 'batman-tui[train]'"),
    ],
)
def test_an_environment_names_its_python(
    url: str | None, installer: str, said: str, prefix: Path
) -> None:
    found = read_installation(prefix, url, installer)
    python = str(prefix / "bin" / "python")
    assert found.command(["batman-tui[train]"]).endswith(said.replace("{python}", python))
    assert python in found.command(["batman-tui[train]"])


def test_the_environment_on_the_path_needs_no_name(
    prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin" / "python").write_text("#!/bin/sh\n")
    (prefix / "bin" / "python").chmod(0o755)
    monkeypatch.setenv("PATH", f"{prefix / 'bin'}:/usr/bin")
    found = read_installation(prefix, None, "pip")
    assert found.command(["wandb"]) == "pip install wandb"
    assert found.command(["batman-tui[train]"]) == "pip install 'batman-tui[train]'"


def test_a_checkout_goes_by_its_lock_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "uv.lock").touch()
    url = json.dumps({"url": tmp_path.as_uri(), "dir_info": {"editable": True}})
    found = read_installation(tmp_path / ".venv", url, "uv")
    assert found.kind == "checkout"
    uv = tmp_path / ".uv" / "bin" / "uv"
    for there, word in ((None, str(uv)), ("/usr/bin/uv", "uv")):
        uv.parent.mkdir(parents=True, exist_ok=True)
        uv.touch()
        monkeypatch.setattr("shutil.which", lambda _, there=there: there)
        assert found.command(["batman-tui[train]"]) == (
            f"{word} sync --inexact --directory {tmp_path} --extra train"
        )
        assert found.command(["wandb"]) == (
            f"{word} pip install --python {tmp_path / '.venv'} wandb"
        )
    # An editable install into another environment is not the checkout's own.
    other = read_installation(tmp_path / "other", url, "pip")
    assert other.command(["batman-tui[train]"]).endswith(f"install -e '{tmp_path}[train]'")


def test_this_one_is_told_too() -> None:
    assert "train" in how_to_install("batman-tui[train]")


@pytest.mark.parametrize("package", ["msgspec", "pillow", "batman-tui", "no-such-package"])
def test_a_version_is_what_the_library_says(package: str) -> None:
    try:
        told = metadata.version(package)
    except metadata.PackageNotFoundError:
        told = ""
    assert installed_version(package) == told


def test_the_first_version_on_the_path_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of packages that were left as eggs; folders without a version are passed over."""
    for folder, text in {
        "a/some_package-1.dist-info": "",
        "a/some_package_more-2.dist-info": "Version: 2\n",
        "b/some_package-3.0.dist-info": "Name: some-package\nVersion: 3.0+cpu\n\nVersion: 4\n",
        "c/some_package-5.dist-info": "Version: 5\n",
        "c/other-6.egg-info": "Metadata-Version: 1.0\nName: other\nVersion: 6\n",
    }.items():
        path = tmp_path / folder
        path.mkdir(parents=True)
        (path / ("PKG-INFO" if folder.endswith("egg-info") else "METADATA")).write_text(text)
    places = ["not there", *(str(tmp_path / name) for name in "abc")]
    monkeypatch.setattr(sys, "path", places + sys.path)
    assert installed_version("some-package") == "3.0+cpu"
    assert installed_version("other") == "6"
    assert installed_version("some-package-less") == ""
