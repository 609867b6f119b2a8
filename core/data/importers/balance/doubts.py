"""What looks like a mistake in a data set that was read, before any of it is written."""

from __future__ import annotations

from core.common.errors import ImportFailed
from core.common.text import plural
from core.data.importers.dataset import DataSet

# A set of three pictures is somebody's try: whatever is wrong with it is told and seen at once.
SMALL = 3
GO_ON = "--anyway imports it as it is."


def stop_mistakes(data: DataSet) -> None:
    """Raise `ImportFailed` when what was read looks like a mistake; it says how to go on."""
    found, taken = data.balance.objects, len(data)
    if len(data.images) > SMALL and found and not taken:
        raise ImportFailed(
            f"None of the {plural(found, 'object')} in the label files can be taken.", GO_ON
        )
