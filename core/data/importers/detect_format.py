"""What lies at a path that was typed: a format, told from names and beginnings of files."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from core.common.files import expand_user
from core.common.text import plural
from core.data.images.video import is_video
from core.data.importers.coco.layout import is_coco
from core.data.importers.formats.look import Look
from core.data.importers.formats.registry import FORMATS
from core.data.importers.formats.unread import UNREAD


@dataclass(frozen=True)
class Kind:
    """A format by name: its word after `batman import`, and what it is called."""

    name: str
    title: str


COCO = Kind("coco-dir", "COCO")
_DARKNET = "_darknet.labels"
YOLO = Kind("yolo", "YOLO")
VOC = Kind("voc", "Pascal VOC")
ORIGINAL = Kind("original", "a project of the original Batman")
PICTURES = Kind("images", "pictures without labels")
VIDEO = Kind("video", "videos")
KINDS = (COCO, YOLO, VOC, *(Kind(item.name, item.title) for item in FORMATS))


@dataclass(frozen=True)
class Recognised:
    """What lies at a path. `kind` is None for a format that is not read: `instead` is the way out.

    `sure` says that a file's own content told it, and not names of files and folders alone;
    `why` is a better reason, where there is one.
    """

    title: str
    kind: Kind | None
    instead: str = ""
    sure: bool = True
    why: str = ""

    @property
    def reason(self) -> str:
        """By what it was recognised, in a few words."""
        said = "the content of its files says so" if self.sure else "by the names of its files"
        return self.why or said


# Lists of classes that lie in YOLO data sets, and Darknet's description.
_NAMES = ("classes.txt", "obj.names", "classes.names", "obj.data")
_SPLITS = ("train", "valid", "val", "test", "annotations")


def recognise(path: Path) -> Recognised | None:
    """Return what the data set at `path` (a folder, a ZIP archive or a file) seems to be, or None.

    The formats of the register tell by their content. Else a `.yaml` file, `classes.txt` or a
    folder `labels` is taken for YOLO, a `.json` file for COCO, `Annotations` or `.xml` files for
    Pascal VOC. Never raises.
    """
    try:
        if not path.exists():
            return None
        look = Look(path)
        if path.is_dir() and (path / "project.json").is_file() and (path / "frames").is_dir():
            return Recognised(ORIGINAL.title, ORIGINAL)
        for item in FORMATS:
            if item.recognise(look):
                return Recognised(item.title, Kind(item.name, item.title))
        for other in UNREAD:
            if other.recognise(look):
                return Recognised(other.title, None, other.instead)
        kind = _by_names(look)
    except (OSError, ValueError):  # Such as a name that is too long, or that holds a NUL.
        return None
    return Recognised(kind.title, kind, sure=False) if kind else None


def find_out(path: Path) -> Recognised | None:
    """Return what lies at `path`: a data set, or else pictures or videos, or None. Never raises.

    What holds both pictures and videos is taken for what there is more of.
    """
    found = recognise(path)
    if found is not None:
        return found
    try:
        look = Look(path)
        videos = sum(map(is_video, look.names)) if path.exists() and not look.packed else 0
        pictures = look.images if path.exists() else 0
    except (OSError, ValueError):
        return None
    if videos > pictures:
        return Recognised(VIDEO.title, VIDEO, sure=False, why=plural(videos, "video"))
    if pictures:
        why = f"{plural(pictures, 'picture')} and no labels"
        return Recognised(PICTURES.title, PICTURES, sure=False, why=why)
    return None


def guess_kind(path: Path) -> str | None:
    """Return the name of the format that lies at `path`, None when none is recognised or read."""
    found = recognise(path)
    return found.kind.name if found and found.kind else None


def _by_names(look: Look) -> Kind | None:
    names = [name.lower() for name in look.names]
    if not look.path.is_dir() and not look.packed:
        ending = look.path.suffix.lower()
        if ending == ".json":
            return COCO if _may_be_coco(look, look.path.name) else None
        return YOLO if ending in (".yaml", ".yml") else None
    if look.packed:
        # What a person packs lies one or two folders deep: the names anywhere tell.
        yolo, coco, voc = (
            any(name.endswith(endings) for name in names)
            for endings in ((".yaml", ".yml", *_NAMES), ".json", ".xml")
        )
        labels = any("labels/" in name for name in names)
    else:
        top = [name for name in names if "/" not in name]
        near = [name for name in look.names if "/" not in name or _near(name.lower())]
        yolo = any(name.endswith((".yaml", ".yml", *_NAMES)) for name in top)
        # Label Studio's YOLO has a notes.json, and many a set some other JSON.
        coco = any(name.lower().endswith(".json") and _may_be_coco(look, name) for name in near)
        voc = any(name.lower().endswith(".xml") for name in near)
        voc = voc or (look.path / "Annotations").is_dir()
        # Deeper ones tell by what is in them.
        voc = voc or any("<annotation" in head for head in look.heads(".xml", most=3))
        labels = (look.path / "labels").is_dir() or any(
            "/labels/" in name and name.endswith(".txt") for name in names
        )
    # Roboflow's Darknet has its list of classes in each split's folder, and no description.
    if yolo or any(name.endswith(_DARKNET) for name in names):
        return YOLO
    if coco:
        return COCO
    if voc:
        return VOC
    if labels:
        return YOLO
    return COCO if any(is_coco(look.head(name)) for name in look.ending(".json")[:50]) else None


def _may_be_coco(look: Look, name: str) -> bool:
    """Whether a JSON file begins as COCO's do, or is too odd to tell."""
    head = look.head(name)
    keys = ('"images"', '"annotations"', '"categories"', '"info"')
    return not head.lstrip().startswith(("{", "[")) or any(key in head for key in keys)


def _near(name: str) -> bool:
    folder, _, file = name.partition("/")
    return folder in _SPLITS and "/" not in file


def typed_paths(text: str) -> list[Path]:
    """Return the paths that a person typed, as to a shell: several, with quotes, `~`, `*` and `?`.

    What is there by the name as it stands is meant by it, spaces and all. A pattern gives what it
    finds, in order, and itself when that is nothing. Terminals paste dropped files like this.
    """
    text = text.strip()
    whole = expand_user(text)
    if text and whole.exists():
        return [whole]
    try:
        words = shlex.split(text)
    except ValueError:
        words = [text]  # A quote that is still open.
    found: list[Path] = []
    for word in words:
        path = expand_user(word)
        matching: list[Path] = []
        if not path.exists() and set(word) & set("*?["):
            matching = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
        found += matching or [path]
    return list(dict.fromkeys(found))
