"""What a checkpoint file says of itself, read without torch: everything in it but its tensors.

Since 1.6 `torch.save` writes a ZIP archive whose `data.pkl` is a pickle of the content; tensors
are in it by reference (`torch/serialization.py`, `persistent_id`), and their numbers lie in files
beside it. Classes are not looked up: whatever the pickle would make an object of becomes a `Stub`,
so that nothing of what a pickle may carry is run.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.common.errors import RunError
from core.common.text import clean
from core.late import late

if TYPE_CHECKING:
    import zipfile
else:
    zipfile = late("zipfile")

# A checkpoint of the largest size describes some thousand tensors in about 1 MB.
_MOST_BYTES = 256 * 1024 * 1024


class Stub:
    """Stands for an object that was not made: `made_by` names its class or function."""

    made_by = ""

    def __init__(self, *_arguments: Any, **_named: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.__dict__.update({str(name): value for name, value in state.items()})

    def __setitem__(self, _key: Any, _value: Any) -> None:
        pass

    def append(self, _value: Any) -> None:
        """Take what a pickle appends to a list of some class."""

    def extend(self, _values: Any) -> None:
        """Take what a pickle adds to a list of some class."""

    def __hash__(self) -> int:
        return id(self)


class _Mapping(dict[Any, Any]):
    """An ordered dict, which may have attributes: torch's state dicts have."""


class _Header(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return _Mapping
        return type("Stub", (Stub,), {"made_by": f"{module}.{name}"})

    def persistent_load(self, _pid: Any) -> Any:
        return None


def read_header(path: Path) -> Any:
    """Return the content of the checkpoint `path`, with a `Stub` for each tensor.

    Raises RunError for a file that is no archive of torch's, or is damaged.
    """
    shown = f"'{clean(path.name)}'"
    try:
        with zipfile.ZipFile(path) as archive:
            entry = next(i for i in archive.infolist() if i.filename.endswith("data.pkl"))
            if entry.file_size > _MOST_BYTES:
                raise RunError(f"{shown} is too large to be a checkpoint.")
            data = archive.read(entry)
    except OSError as error:
        raise RunError(f"{shown} cannot be read: {error.strerror or clean(str(error))}.") from None
    except StopIteration:
        raise RunError(f"{shown} is an archive, but no checkpoint.") from None
    except RunError:
        raise
    except Exception:  # zipfile raises nearly everything on a damaged archive
        raise RunError(f"{shown} cannot be read as a checkpoint.") from None
    try:
        return _Header(io.BytesIO(data)).load()
    except Exception:  # and pickle on a damaged pickle
        raise RunError(f"{shown} cannot be read as a checkpoint: it is damaged.") from None
