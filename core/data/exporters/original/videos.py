"""The folder `videos` of a project of the original Batman: files, and `videos.json` of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from core.common.files import FileMode, link_or_copy, read_json
from core.data.exporters.original.records import is_number, stamp
from core.data.exporters.snapshot import unique

LISTING = "videos.json"


class Videos:
    """Gathers the videos of an export: those that came along, and those whose frames are there.

    `folder` is the new one, `shown` where the original will look for it.
    """

    def __init__(self, folder: Path, shown: str, files: FileMode) -> None:
        self.folder = folder
        self.shown = shown
        self.files = files
        self.listed: dict[str, dict[str, Any]] = {}
        self.missing: list[str] = []
        self._taken: dict[str, int] = {}

    def bring(
        self, kept: Mapping[str, Any], folders: list[Path], numbers: Mapping[str, int | str]
    ) -> None:
        """Put the files that a project of the original came with; one of `folders` has them.

        `numbers` says what its videos are called now.
        """
        names: dict[str, str] = {}
        entries: dict[str, dict[str, Any]] = {}
        for name in kept.get("videos", []):
            found = [folder / name for folder in folders if (folder / name).is_file()]
            if not found:
                self.missing.append(str(folders[0] / name))
            elif name == LISTING:
                about = read_json(found[0])
                for key, entry in about.items() if isinstance(about, dict) else ():
                    if isinstance(entry, dict):
                        entries[str(numbers.get(key, key))] = entry
            else:
                names[name] = unique(name, self._taken)
                link_or_copy(found[0], self.folder / names[name], self.files)
        for number, entry in entries.items():
            for key in ("original_path", "proxy_path"):
                name = str(entry.get(key)).replace("\\", "/").rpartition("/")[2]
                if name in names:
                    entry[key] = f"{self.shown}/{names[name]}"
            while number in self.listed:  # two projects may each have had such a video
                number += "-2"
            self.listed[number] = entry

    def name(
        self,
        number: int | str,
        about: Mapping[str, Any],
        size: tuple[int, int],
        sampled: int,
        at: datetime,
    ) -> None:
        """List a video whose frames `import video` took; its file stays where it is.

        `about` is what that import knows of it, `sampled` how many of its frames are here.
        """
        path = str(about["path"])
        rate, frames = about.get("rate"), about.get("frames")
        fps = float(rate) if is_number(rate) and rate > 0 else 0.0
        total = int(frames) if is_number(frames) else sampled
        self.listed[str(number)] = {
            "filename": path.replace("\\", "/").rpartition("/")[2],
            "original_path": path,
            "proxy_path": None,
            "width": size[0],
            "height": size[1],
            "fps": fps,
            "duration": total / fps if fps else 0.0,
            "total_frames": total,
            "has_proxy": False,
            "frame_count": sampled,
            "created_at": stamp(at),
        }
