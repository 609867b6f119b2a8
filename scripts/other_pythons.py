"""Hold the base install against the other Python versions that the package is declared for.

    python scripts/other_pythons.py

For each version among the classifiers, but the one that this is, that uv finds on the machine: an
environment of the base install and what the tests need, every module imported, and the tests in
`TESTS`. The rest of the suite runs on one version. Exits with 1 where something does not hold.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UV = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
# One or two of each room, of those that need no extra: a minute of processor.
TESTS = [
    "tests/unit/test_parse.py", "tests/unit/test_runs.py", "tests/unit/test_cli_projects.py",
    "tests/unit/test_slurm_profiles.py", "tests/screens/test_app.py",
]  # fmt: skip
# What only an extra brings: a module may ask for it when it is imported.
EXTRAS = {"torch", "torchmetrics", "pytorch_lightning", "aiohttp", "trackers"}
IMPORT_ALL = """
import importlib, sys
from pathlib import Path
extras, wrong = set(sys.argv[1].split(",")), []
for top in ("batman", "core", "slurm", "cli", "batman_tui", "themes", "web"):
    for path in sorted(Path(top).rglob("*.py")):
        name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        if name.endswith("__main__"):
            continue
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name not in extras:
                wrong.append(f"{name}: {error}")
sys.exit("\\n".join(wrong) or 0)
"""


def declared() -> list[str]:
    """Return the versions among the classifiers, such as 3.12, without the one that runs this."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = [re.fullmatch(r".*Python :: (3\.\d+)", text) for text in project["classifiers"]]
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    return [match[1] for match in found if match and match[1] != here]


def holds(version: str) -> bool:
    """Return whether the base install holds on `version`, or is not to be had here."""
    found = subprocess.run(
        [UV, "python", "find", "--no-python-downloads", "--system", version],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    if found.returncode:
        print(f"Python {version}: not on this machine", flush=True)
        return True
    folder = ROOT / ".pythons" / version
    env = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(folder)}
    env.pop("VIRTUAL_ENV", None)
    python = str(folder / "bin" / "python")
    steps = [
        [UV, "sync", "--quiet", "--frozen", "--group", "dev", "--python", found.stdout.strip()],
        [python, "-W", "error::SyntaxWarning", "-c", IMPORT_ALL, ",".join(EXTRAS)],
        [python, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *TESTS],
    ]
    print(f"Python {version}: {found.stdout.strip()}", flush=True)
    return all(
        subprocess.run(step, cwd=ROOT, env=env, check=False).returncode == 0 for step in steps
    )


def main() -> int:
    """Hold them one after the other; return 0 where all do."""
    held = [holds(version) for version in declared()]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
