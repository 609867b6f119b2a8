"""COCO 2017 by download: the official annotations and only the images that are asked for.

Addresses and layout are those of https://cocodataset.org/#download. Everything downloaded is kept
in a cache that all projects share, and images are linked from it.
"""

from __future__ import annotations

import os
import random
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from core.common.errors import ImportFailed
from core.common.files import FileMode
from core.common.folders import cache_dir
from core.common.parse import ParseError, parse_json
from core.common.progress import Progress
from core.common.text import clean, did_you_mean, plural
from core.data.importers.balance.likely_mistakes import weigh
from core.data.importers.commit import commit
from core.data.importers.dataset import DataSet, Picture
from core.data.importers.report import ImportReport, Watch
from core.data.importers.services.download import (
    PATIENCE,
    THREADS,
    Job,
    Patience,
    download,
    download_many,
)
from core.data.importers.services.http_request import DownloadFailed
from core.data.store import Project

BASE_URL = "http://images.cocodataset.org"
ARCHIVE = "annotations/annotations_trainval2017.zip"
# Not on the data set's own page: it is the ETag that its server states, and what MLCommons'
# inference suite and PaddlePaddle check the archive (252,907,541 bytes) against.
ARCHIVE_MD5 = "f4bbac642086de4f52a3fdda2de5fa2c"
SEED = 42

SPLITS = {"train": ("train2017", "train"), "validation": ("val2017", "valid")}
"""What the person says: COCO's own name of it, and the project's split."""
_ALIASES = {"val": "validation", "valid": "validation", "train2017": "train"}
_ALIASES |= {"val2017": "validation", "training": "train"}

_JPEG = b"\xff\xd8\xff"
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")

# In the order of the category ids of instances_val2017.json.
CLASSES = tuple(
    """person|bicycle|car|motorcycle|airplane|bus|train|truck|boat|traffic light|fire hydrant
|stop sign|parking meter|bench|bird|cat|dog|horse|sheep|cow|elephant|bear|zebra|giraffe|backpack
|umbrella|handbag|tie|suitcase|frisbee|skis|snowboard|sports ball|kite|baseball bat|baseball glove
|skateboard|surfboard|tennis racket|bottle|wine glass|cup|fork|knife|spoon|bowl|banana|apple
|sandwich|orange|broccoli|carrot|hot dog|pizza|donut|cake|chair|couch|potted plant|bed
|dining table|toilet|tv|laptop|mouse|remote|keyboard|cell phone|microwave|oven|toaster|sink
|refrigerator|book|clock|vase|scissors|teddy bear|hair drier|toothbrush""".replace("\n", "").split(
        "|"
    )
)


def import_coco_zoo(
    project: Project,
    classes: Sequence[str] | None = None,
    *,
    split: str = "validation",
    max_samples: int | None = None,
    seed: int = SEED,
    base_url: str | None = None,
    cache_dir: Path | None = None,
    files: FileMode = "link",
    threads: int = THREADS,
    anyway: bool = False,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    patience: Patience = PATIENCE,
) -> ImportReport:
    """Import images of COCO 2017 that show `classes` (default: all 80), with those boxes only.

    At most `max_samples` images are taken: in an order drawn by `seed`, the classes take turns,
    the one with the fewest images first, so that a small sample shows every class, and a larger
    one holds the smaller one. `base_url` (or BATMAN_COCO_URL) is where the files lie, `cache_dir`
    (or BATMAN_CACHE_DIR) where they are kept. What is there already is not asked for again, and a
    download that was stopped goes on. Raises `ImportFailed` for an unknown class (with the nearest
    names) or split, `DownloadFailed`, and `Cancelled`; the project is then as it was.
    """
    wanted = known_classes(classes)
    coco_split, project_split = SPLITS[_split(split)]
    if max_samples is not None and max_samples < 1:
        raise ImportFailed("At least one image must be asked for.", "Raise --max-samples.")
    watch = Watch(progress, cancelled)
    source = _Source(_base(base_url), cache_dir, watch, cancelled, patience)
    found = source.annotations(coco_split)
    watch.tick("choosing images", 0, None)
    chosen = _choose(found, wanted, max_samples, seed)
    if not chosen:
        raise ImportFailed(
            f"No image of COCO 2017 {_split(split)} shows {' or '.join(wanted[:5])}.",
            "Choose other classes.",
        )
    data = DataSet("coco-zoo", _origin(_split(split), classes and wanted, max_samples))
    refused = source.images(coco_split, [image.file_name for image in chosen], threads)
    for name, error in refused.items():
        data.problems.add("missing image", name, error.message)
    if len(refused) == len(chosen):
        raise next(iter(refused.values()))
    data.detail = {
        "source": source.base,
        "archive_md5": source.archive_md5,
        "split": _split(split),
        "chosen_classes": list(wanted) if classes else "all",
        "max_samples": max_samples,
        "seed": seed,
    }
    _fill(data, found, chosen, set(refused), wanted, source.image_path(coco_split), project_split)
    weigh(data, None, watch, anyway=anyway)
    return commit(project, data, files=files, progress=progress, cancelled=cancelled)


# The part of COCO's format that is needed; a segmentation stays the text it is.


class _Image(msgspec.Struct, gc=False):
    id: int
    file_name: str
    width: int
    height: int


class _Category(msgspec.Struct, gc=False):
    id: int
    name: str
    supercategory: str = ""


class _Annotation(msgspec.Struct, gc=False):
    id: int
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    iscrowd: int = 0
    segmentation: msgspec.Raw = msgspec.Raw(b"null")


class _Instances(msgspec.Struct, gc=False):
    images: list[_Image]
    categories: list[_Category]
    annotations: list[_Annotation]


@dataclass
class _Source:
    """The server and the cache of what came from it."""

    base: str
    cache_dir: Path | None
    watch: Watch
    cancelled: Callable[[], bool] | None
    patience: Patience

    @property
    def archive_md5(self) -> str | None:
        return ARCHIVE_MD5 if self.base == BASE_URL else None

    @property
    def folder(self) -> Path:
        # Another address may have other files under the same names.
        mark = "" if self.base == BASE_URL else "-" + sha256(self.base.encode()).hexdigest()[:12]
        return (self.cache_dir or cache_dir()) / f"coco-2017{mark}"

    def image_path(self, coco_split: str) -> Path:
        return self.folder / coco_split

    def annotations(self, coco_split: str) -> _Instances:
        """Return the instances of a split, from the archive in the cache or the server."""
        archive = self.folder / Path(ARCHIVE).name
        if archive.exists():
            try:
                return self._read(archive, coco_split)
            except ImportFailed:
                # A cache that something damaged mends itself.
                archive.unlink(missing_ok=True)
        download(
            f"{self.base}/{ARCHIVE}",
            archive,
            md5=self.archive_md5,
            progress=lambda done, total: self.watch.tick("downloading annotations", done, total),
            cancelled=self.cancelled,
            patience=self.patience,
        )
        try:
            return self._read(archive, coco_split)
        except ImportFailed:
            archive.unlink(missing_ok=True)
            raise

    def _read(self, archive: Path, coco_split: str) -> _Instances:
        member = f"annotations/instances_{coco_split}.json"
        self.watch.tick("reading annotations", 0, None)
        try:
            with zipfile.ZipFile(archive) as file:
                raw = file.read(member)
            found = parse_json(raw, _Instances)
            # The names become paths in the cache: a mirror must not choose where those lead.
            strange = [i.file_name for i in found.images if not _FILE_NAME.fullmatch(i.file_name)]
            if not strange:
                return found
            wrong = f"it names a file '{clean(strange[0])}'"
        except KeyError:
            wrong = f"it has no {member}"
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            wrong = clean(str(error)) or "it is cut"
        except ParseError as error:
            wrong = f"{member} is not COCO: {clean(str(error))}"
        raise ImportFailed(
            f"The annotation archive of {clean(self.base)} cannot be used: {wrong}.",
            "Check the address of the mirror, or try again.",
        )

    def images(
        self, coco_split: str, names: Sequence[str], threads: int
    ) -> dict[str, DownloadFailed]:
        """Bring the images that the cache lacks; return those that the server does not have."""
        folder = self.image_path(coco_split)
        refused: dict[str, DownloadFailed] = {}
        lacking = [name for name in names if not _is_jpeg(folder / name)]
        count = len(names) - len(lacking)
        self.watch.tick("downloading images", count, len(names))

        def done(job: Job, error: DownloadFailed | None) -> None:
            nonlocal count
            count += 1
            if error is not None:
                refused[job.target.name] = error
            elif not _is_jpeg(job.target):
                raise ImportFailed(
                    f"{clean(job.url)} is no JPEG image.",
                    "A login page of the network may stand in between, or the mirror is wrong.",
                )
            self.watch.tick("downloading images", count, len(names))

        try:
            download_many(
                (Job(f"{self.base}/{coco_split}/{name}", folder / name) for name in lacking),
                threads=max(1, min(threads, len(lacking))),
                done=done,
                cancelled=self.cancelled,
                patience=self.patience,
            )
        except DownloadFailed as error:
            raise DownloadFailed(
                f"{error.message} {count:,} of {plural(len(names), 'image')} are here.",
                error.hint,
                error.status,
            ) from None
        return refused


def _is_jpeg(path: Path) -> bool:
    """Whether an image is in the cache; what was stored under its name by mistake is removed."""
    try:
        with path.open("rb") as file:
            if file.read(3) == _JPEG:
                return True
    except FileNotFoundError:
        return False
    path.unlink(missing_ok=True)
    return False


def known_classes(classes: Sequence[str] | None) -> list[str]:
    """Return COCO's classes of these names, all when none is given.

    Raises `ImportFailed` for a name that COCO does not have, with the nearest ones.
    """
    if not classes:
        return list(CLASSES)
    names = list(dict.fromkeys(name.strip() for name in classes))
    unknown = [name for name in names if name not in CLASSES]
    if unknown:
        guesses = [_guess(name) for name in unknown]
        raise ImportFailed(
            f"COCO has no class {' and no class '.join(repr(clean(name)) for name in unknown)}.",
            " ".join(filter(None, guesses)) or f"Its 80 classes are: {', '.join(CLASSES)}.",
        )
    return names


def _guess(name: str) -> str:
    guess = did_you_mean(name.replace("_", " ").replace("-", " "), CLASSES)
    return f"For '{clean(name)}': {guess}" if guess else ""


def _split(split: str) -> str:
    name = _ALIASES.get(split.strip().lower(), split.strip().lower())
    if name not in SPLITS:
        raise ImportFailed(
            f"COCO 2017 has no split '{clean(split)}' with boxes.",
            "Its test split has none. Choose train or validation.",
        )
    return name


def _base(base_url: str | None) -> str:
    base = (base_url or os.environ.get("BATMAN_COCO_URL") or BASE_URL).rstrip("/")
    if not re.fullmatch(r"https?://[!-~]+", base):
        raise ImportFailed(
            f"'{clean(base)}' is no address to download from.", "Give one that begins with http://."
        )
    return base


def _origin(split: str, wanted: Sequence[str] | None, max_samples: int | None) -> str:
    of = "all classes" if not wanted else ", ".join(wanted[:5])
    of += f" and {len(wanted) - 5} more" if wanted and len(wanted) > 5 else ""
    most = f", at most {plural(max_samples, 'image')}" if max_samples else ""
    return f"COCO 2017 {split}: {of}{most}"


def _choose(found: _Instances, wanted: Sequence[str], most: int | None, seed: int) -> list[_Image]:
    """Return the images to take, see `import_coco_zoo`; of all classes, unlabelled ones last."""
    names = {category.id: category.name for category in found.categories}
    shows: dict[str, set[int]] = {name: set() for name in wanted}
    for annotation in found.annotations:
        of = shows.get(names.get(annotation.category_id, ""))
        if of is not None:
            of.add(annotation.image_id)
    # One order for all classes, drawn over all images: it does not depend on what is asked for.
    order = sorted(found.images, key=lambda image: image.id)
    random.Random(seed).shuffle(order)
    rarest = sorted(wanted, key=lambda name: (len(shows[name]), name))
    queues = [[image for image in order if image.id in shows[name]] for name in rarest]
    if len(wanted) == len(CLASSES):
        labelled = set().union(*shows.values())
        queues.append([image for image in order if image.id not in labelled])
    return _in_turn(queues, most)


def _in_turn(queues: Sequence[Iterable[_Image]], most: int | None) -> list[_Image]:
    taken: dict[int, _Image] = {}
    turns = [iter(queue) for queue in queues]
    while turns and (most is None or len(taken) < most):
        for turn in list(turns):
            image = next((item for item in turn if item.id not in taken), None)
            if image is None:
                turns.remove(turn)
            elif most is None or len(taken) < most:
                taken[image.id] = image
    return list(taken.values())


def _fill(
    data: DataSet,
    found: _Instances,
    chosen: Sequence[_Image],
    refused: set[str],
    wanted: Sequence[str],
    folder: Path,
    split: str,
) -> None:
    numbers: dict[int, int] = {}
    for image in chosen:
        if image.file_name not in refused:
            picture = Picture(
                source=str(folder / image.file_name),
                target=data.target(split, image.file_name),
                name=image.file_name,
                width=image.width,
                height=image.height,
                split=split,
            )
            numbers[image.id] = data.image(picture)
    asked = set(wanted)
    labels = {
        category.id: data.label(category.name, category.supercategory or None, idle=True)
        for category in found.categories
        if category.name in asked
    }
    for annotation in found.annotations:
        number = numbers.get(annotation.image_id)
        label = labels.get(annotation.category_id)
        if number is None or label is None:
            continue
        data.balance.found()
        text: Any = bytes(annotation.segmentation).decode()
        data.box(
            number,
            label,
            annotation.bbox,
            f"annotation {annotation.id}",
            iscrowd=annotation.iscrowd,
            segmentation=None if text == "null" else text,
        )
