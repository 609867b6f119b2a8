"""Videos read in a process of their own: `python -m core.data.importers.video.child` as a job.

The decoders of a damaged film are native code. Where that ends its process, a server or an app
with other work in hand goes on, and says so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from core.common.progress import Progress, Report, never, nothing
from core.data.images.video import VideoReader
from core.data.importers.balance.likely_mistakes import LooksWrong
from core.data.importers.report import ImportReport
from core.data.importers.video.frames import import_video
from core.data.store import Project
from core.processes.job import run_job, serve_job

MODULE = "core.data.importers.video.child"
_NAME = "The reader of videos"


@dataclass(frozen=True)
class VideoOptions:
    """Which videos, and what `import_video` takes; without a project they are only opened."""

    videos: list[str]
    project: Path | None = None
    every_s: float | None = None
    every_frames: int | None = None
    skip_similar: bool = False
    anyway: bool = False


def require_video(video: Path, cancelled: Callable[[], bool] = never) -> None:
    """Raise BatmanError when a file is no video, or ends the process that opens it."""
    run_job(MODULE, VideoOptions([str(video)]), cancelled=cancelled, name=_NAME)


def import_video_in_child(
    project: Path,
    source: Path | Sequence[Path],
    *,
    every_s: float | None = None,
    every_frames: int | None = None,
    skip_similar: bool = False,
    anyway: bool = False,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ImportReport:
    """Do `import_video` for the project in a folder, in a child process.

    Raises as that does, and RunError with the child's last words when it died: the project is then
    as it was.
    """
    sources = [source] if isinstance(source, str | Path) else list(source)
    options = VideoOptions(
        [str(path) for path in sources], project, every_s, every_frames, skip_similar, anyway
    )
    answer = run_job(MODULE, options, progress or nothing, cancelled or never, name=_NAME)
    if "looks_wrong" in answer:
        raise LooksWrong(*answer["looks_wrong"])
    return msgspec.convert(answer["report"], ImportReport)


def _work(options: VideoOptions, report: Report, cancelled: Callable[[], bool]) -> dict[str, Any]:
    sources = [Path(video) for video in options.videos]
    if options.project is None:
        for video in sources:
            VideoReader(video).close()
        return {}
    with Project.open(options.project) as project:
        try:
            done = import_video(
                project,
                sources,
                every_s=options.every_s,
                every_frames=options.every_frames,
                skip_similar=options.skip_similar,
                anyway=options.anyway,
                progress=report,
                cancelled=cancelled,
            )
        except LooksWrong as error:  # one that a front end tells from others
            return {"looks_wrong": [error.message, error.advice]}
    return {"report": done}


if __name__ == "__main__":
    sys.exit(serve_job(VideoOptions, _work))
