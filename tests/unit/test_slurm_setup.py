"""Setting up a cluster without one: what it said, the wheel, the script, the verdict."""

from __future__ import annotations

import base64
import csv
import hashlib
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from slurm.setup.check import Said, judge
from slurm.setup.install import Install, install_script
from slurm.setup.look import Python, parse_look
from slurm.setup.wheel import PACKAGES, own_wheel
from slurm.setup.wheelhouse import platform_tags

NASTY = "/scratch/it's $(touch hacked); `touch hacked`\n-x"


def test_what_a_cluster_says_it_has() -> None:
    there = parse_look(
        "a module was loaded\n"
        'python ["/usr/bin/python3", [3, 6, 8], "x86_64", "glibc 2.28", false]\n'
        "python broken\n"
        'python ["/opt/p/bin/python3.12", [3, 12, 1], "x86_64", "glibc 2.28", true]\n'
        "uv /home/ada/.local/bin/uv\nnetwork yes\nmachine x86_64\nwritable yes\nfree 1024\n"
    )
    assert there.python == Python("/opt/p/bin/python3.12", (3, 12, 1), "x86_64", (2, 28), True)
    assert there.too_old == ("3.6.8 (/usr/bin/python3)",)
    assert (there.uv, there.network, there.free) == ("/home/ada/.local/bin/uv", True, 1048576)
    assert there.writable
    nothing = parse_look("machine aarch64\nfree \n")
    assert (nothing.python, nothing.free, nothing.writable) == (None, None, False)


def test_tags_are_those_the_c_library_takes() -> None:
    tags = platform_tags(Python("p", (3, 11, 0), "x86_64", (2, 28), True))
    assert tags[0] == "manylinux_2_28_x86_64"
    assert "manylinux_2_17_x86_64" in tags
    assert "manylinux2014_x86_64" in tags
    assert "manylinux_2_31_x86_64" not in tags
    assert tags[-1] == "linux_x86_64"
    arm = platform_tags(Python("p", (3, 11, 0), "aarch64", (2, 34), True))
    assert "manylinux2014_aarch64" in arm
    assert "manylinux1_aarch64" not in arm


def test_our_wheel_is_whole_and_the_same_each_time(tmp_path: Path) -> None:
    first = own_wheel(tmp_path / "a")
    assert first.read_bytes() == own_wheel(tmp_path / "b").read_bytes()
    with zipfile.ZipFile(first) as wheel:
        names = wheel.namelist()
        info = next(name for name in names if name.endswith("METADATA")).rpartition("/")[0]
        assert {name.partition("/")[0] for name in names} == {*PACKAGES, info}
        assert "core/training/worker/main.py" in names
        assert "batman_tui/app.tcss" in names
        assert not any("__pycache__" in name for name in names)
        metadata = wheel.read(f"{info}/METADATA").decode()
        assert "Name: batman-tui" in metadata
        assert "train" in metadata
        assert b"batman = cli.main:main" in wheel.read(f"{info}/entry_points.txt")
        listed = list(csv.reader(wheel.read(f"{info}/RECORD").decode().splitlines()))
        assert {row[0] for row in listed} == set(names)
        for name, digest, size in listed:
            if digest:
                data = wheel.read(name)
                wanted = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode()
                assert (digest, int(size)) == (f"sha256={wanted.rstrip('=')}", len(data))


def test_an_installed_batman_makes_the_same_wheel_as_a_checkout(tmp_path: Path) -> None:
    first = own_wheel(tmp_path / "a")
    site_packages = tmp_path / "site-packages"
    with zipfile.ZipFile(first) as wheel:
        wheel.extractall(site_packages)
    (site_packages / "core" / "__pycache__").mkdir()
    (site_packages / "core" / "__pycache__" / "x.pyc").write_bytes(b"x")
    (site_packages / "other").mkdir()
    (site_packages / "other" / "theirs.py").write_text("")
    assert own_wheel(tmp_path / "b", site_packages).read_bytes() == first.read_bytes()


def install(**values: Any) -> Install:
    usual: dict[str, object] = {
        "env": "/e/1", "tools": "/e/tools", "python": "/usr/bin/python3", "uv": "/bin/uv",
        "wheel": "/w/batman.whl", "extras": "train",
    }  # fmt: skip
    return Install(**{**usual, **values})  # type: ignore[arg-type]


def test_uv_leaves_out_what_servers_lack() -> None:
    script = install_script(install(), "opencv-python; sys_platform == 'never'")
    assert 'pip install --python "$ENV/bin/python" --override /e/1.setup/overrides.txt' in script
    assert "'/w/batman.whl[train]'" in script


def test_a_wheel_house_asks_no_index() -> None:
    script = install_script(install(files=("/w/a.whl", "/w/b.whl"), uv=""), "")
    assert "-m venv" in script
    assert "--no-index --no-deps -r /e/1.setup/wheels.txt" in script
    assert "/w/a.whl\n/w/b.whl\n" in script


@pytest.mark.parametrize("brought", [True, False])
def test_no_value_is_a_command(tmp_path: Path, brought: bool) -> None:
    nasty = str(tmp_path) + NASTY.replace("\n", "")
    made = install(
        env=f"{nasty}/env", tools=f"{nasty}/tools", python="false", uv="" if brought else "false",
        wheel=f"{nasty}/w.whl", files=(f"{nasty}/w.whl",),
        uv_wheel=f"{nasty}/uv.whl" if brought else "",
    )  # fmt: skip
    Path(f"{nasty}/env.setup").mkdir(parents=True)
    done = subprocess.run(
        ["sh", "-c", install_script(made, "")], cwd=tmp_path, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode != 0, "python and uv are false(1) here"
    assert not list(tmp_path.glob("hacked"))
    assert Path(f"{nasty}/env.setup/wheels.txt").read_text() == f"{nasty}/w.whl\n"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (Said(modules={"torch": "2"}, cuda=None), "no CUDA; name another"),
        (Said(modules={"torch": "2"}, cuda="13.0", visible=""), "SLURM handed the job none"),
        (Said(modules={"torch": "2"}, cuda="13.0", visible="0", host="g1"), "g1 has no NVIDIA"),
        (
            Said(modules={"torch": "2"}, cuda="13.0", visible="0", driver="470.1", host="g1"),
            "the driver 470.1 of g1 is too old for CUDA 13.0",
        ),
    ],
)
def test_why_no_gpu_is_seen(said: Said, why: str) -> None:
    good, bad = judge(said, gpu="h100-96")
    assert good
    assert len(bad) == 1
    assert why in bad[0]
    assert judge(said, gpu="")[1] == []


def test_what_cannot_be_imported_is_named() -> None:
    good, bad = judge(Said(wrong={"rfdetr": "ImportError: libGL.so.1"}), gpu="")
    assert (good, bad) == ([], ["rfdetr cannot be imported: ImportError: libGL.so.1."])
