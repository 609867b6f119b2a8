"""ByteTrack of `trackers`, and what it takes and gives, without the rest of their packages.

`trackers` loads six trackers, what downloads films and what finds a camera's motion, and
`supervision` every annotator, data set and metric, for which it has scipy's interpolation and
optimisation: 1,100 modules. ByteTrack needs 200 of them, a sixth of the time. Both packages become
whole with the first other thing they are asked for (`core.late.late_package`). That is for the
releases that were read; others, and all with `BATMAN_WHOLE_LIBRARIES=1`, are loaded as ever.
"""

from __future__ import annotations

from core.late import late_package
from core.processes.installation import installed_version
from core.processes.late_libraries import late_optimize, load_whole

# What ByteTrack asks `supervision` for.
_USED = {
    "Detections": "supervision.detection.core",
    "box_iou_batch": "supervision.detection.utils.iou_and_nms",
}
_READ = {"trackers": "2.6.", "supervision": "0.31."}


_AS_READ = all(installed_version(name).startswith(release) for name, release in _READ.items())

if _AS_READ and not load_whole():
    late_package("trackers", {})
    late_package("supervision", _USED)
    late_package("supervision._cv2", {})  # brings OpenCV, for masks
    late_optimize()
    from trackers.core.bytetrack.tracker import ByteTrackTracker
else:
    from trackers import ByteTrackTracker
from supervision import Detections  # noqa: E402 - after what is decided above

__all__ = ["ByteTrackTracker", "Detections"]
