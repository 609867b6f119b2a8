"""How Python comes to be on a cluster: modules by the real `module`, an image by a stand-in."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from environments import MODULE_SYSTEMS, apptainer, module_system

from core.common.errors import BatmanError
from slurm.site.environment import NO_IMAGE, NO_MODULE, Environment
from slurm.site.profiles import make_profile, to_toml
from slurm.submit.resources import Resources
from slurm.submit.script import JobSpec, build_script

NASTY = "it's $(touch hacked) `x`"
SPEC = JobSpec(
    name="run", token="t", run_dirs=("/w/runs/r",), log_dir="/w/logs", python="/env", code="/code",
    resources=Resources("a100", "gpu:a100", "gpu", "8G", 60, 1, 1, 4, "", "", ()),
)  # fmt: skip


def shell(
    lines: Sequence[str], shell_: str = "sh", **env: str
) -> subprocess.CompletedProcess[bytes]:
    """Run shell lines as a login node or a batch script does: no function `module` is there."""
    plain = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", **env}
    return subprocess.run([shell_, "-c", "\n".join(lines)], env=plain, capture_output=True)


@pytest.fixture
def modulefiles(tmp_path: Path) -> Path:
    folder = tmp_path / "modulefiles"
    for name in ("python/3.11", "cuda/12.4"):
        file = folder / name
        file.parent.mkdir(parents=True)
        variable = name.partition("/")[0].upper()
        file.write_text(f"#%Module1.0\nsetenv {variable}_CAME {name}\n")
    (folder / "broken").mkdir()
    (folder / "broken" / "1.0").write_text("#%Module1.0\nerror {this is no command}\n")
    return folder


@pytest.mark.parametrize("system", MODULE_SYSTEMS)
@pytest.mark.parametrize("shell_", ["sh", "bash"])
def test_modules_are_loaded_where_no_shell_knows_them(
    modulefiles: Path, tmp_path: Path, shell_: str, system: str
) -> None:
    lines = Environment(modules=("python/3.11", "cuda")).lines()
    done = shell([*lines, "set -u", 'echo "$PYTHON_CAME $CUDA_CAME"'], shell_,
                 MODULEPATH=str(modulefiles), **module_system(system, tmp_path))  # fmt: skip
    assert (done.returncode, done.stdout) == (0, b"python/3.11 cuda/12.4\n"), done.stderr


@pytest.mark.parametrize("system", MODULE_SYSTEMS)
@pytest.mark.parametrize("name", ["pyton/3.11", "python/3.12", "broken/1.0"])
def test_a_module_that_is_not_there_ends_it_with_one_line(
    modulefiles: Path, tmp_path: Path, name: str, system: str
) -> None:
    environment = Environment(modules=("cuda/12.4", name))
    done = shell([*environment.lines(), "echo went on"], MODULEPATH=str(modulefiles),
                 **module_system(system, tmp_path))  # fmt: skip
    assert (done.returncode, done.stdout) == (NO_MODULE, b"")
    assert environment.said(done.returncode, done.stderr).startswith(
        f"the module '{name}' cannot be loaded on "
    )
    assert environment.said(1, b"batman: something else") == ""


def test_an_image_or_apptainer_that_is_not_there_is_said(tmp_path: Path) -> None:
    environment = Environment(image=str(tmp_path / NASTY))
    done = shell(environment.lines())
    assert done.returncode == NO_IMAGE
    assert "there is no apptainer on" in environment.said(done.returncode, done.stderr)
    bin_ = apptainer(tmp_path)
    done = shell(environment.lines(), PATH=f"{bin_}:/usr/bin:/bin")
    assert done.returncode == NO_IMAGE
    assert f"there is no image '{tmp_path / NASTY}'" in environment.said(92, done.stderr)


def test_a_job_in_an_image_sees_what_it_works_on_and_the_gpus(tmp_path: Path) -> None:
    image = tmp_path / NASTY
    image.touch()
    spec = replace(
        SPEC, python="python3", run_dirs=("/w/runs/r", "/elsewhere/r"),
        environment=Environment(image=str(image), binds=("/data sets",)),
    )  # fmt: skip
    text = build_script(spec).text
    assert '"$PYTHON"' not in text
    assert subprocess.run(["bash", "-n"], input=text.encode()).returncode == 0
    begin = text[text.index("IMAGE=") : text.index("export BATMAN_TOKEN")]
    bin_ = apptainer(tmp_path)
    done = shell([begin, '"${PYTHON[@]}" -c "print(6 * 7)"'], "bash",
                 PATH=f"{bin_}:{os.environ['PATH']}", SLURM_ARRAY_TASK_ID="1")  # fmt: skip
    assert done.stdout == b"42\n", done.stderr
    words = (bin_ / "words").read_text().split("\n")
    assert words[:10] == ["exec", "--nv", "--bind", "/w", "--bind", "/code", "--bind",
                          "/elsewhere/r", "--bind", "/data sets"]  # fmt: skip
    assert words[10:] == ["--env", "PYTHONNOUSERSITE=1", str(image), "python3", "-c",
                          "print(6 * 7)", "", ""]  # fmt: skip
    no_gpu = replace(spec, resources=replace(SPEC.resources, gres=""))
    assert "--nv" not in build_script(no_gpu).text
    assert not Path("hacked").exists()


def test_a_job_without_them_has_the_script_that_it_had() -> None:
    text = build_script(SPEC).text
    assert "module" not in text
    assert "PYTHON=/env\n" in text


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"modules": ["python; rm -rf x"]}, "is no module: write python/3.11"),
        ({"modules": ["-v"]}, "is no module"),
        ({"binds": ["data"]}, "is no absolute path"),
        ({"image": "a\nb"}, "control characters"),
    ],
)
def test_a_profile_takes_no_nonsense(values: dict[str, object], words: str) -> None:
    with pytest.raises(BatmanError, match=words):
        make_profile({"name": "hpc", **values})


def test_a_profile_is_written_with_them() -> None:
    profile = make_profile(
        {"name": "hpc", "modules": ["python/3.11", "cuda/12.4"], "image": "$WORK/b.sif",
         "binds": ["/data"]}
    )  # fmt: skip
    text = to_toml(profile)
    assert 'modules = ["python/3.11", "cuda/12.4"]' in text
    assert 'image = "$WORK/b.sif"' in text
    assert shutil.which("bash")
