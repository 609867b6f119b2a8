"""The person's own folders are where the platform has them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest

from core.common.folders import cache_dir, config_dir


@pytest.mark.parametrize("home", ["/home/somebody", "relative", "", None])
@pytest.mark.parametrize("chosen", ["/elsewhere/of mine", "relative", "", None])
def test_folders_are_those_of_platformdirs(
    home: str | None, chosen: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "HOME": home, "XDG_CONFIG_HOME": chosen, "XDG_CACHE_HOME": chosen,
        "BATMAN_CONFIG_DIR": None, "BATMAN_CACHE_DIR": None,
    }.items():  # fmt: skip
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    assert config_dir() == platformdirs.user_config_path("batman")
    assert cache_dir() == platformdirs.user_cache_path("batman")


@pytest.mark.skipif(sys.platform != "linux", reason="looks at Linux's places")
def test_where_they_are_on_linux_is_known_without_platformdirs(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom core.common.folders import cache_dir, config_dir\n"
        "print(config_dir(), cache_dir(), 'platformdirs' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"HOME": str(tmp_path)},
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.split() == [
        f"{tmp_path}/.config/batman",
        f"{tmp_path}/.cache/batman",
        "False",
    ]
