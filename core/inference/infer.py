"""Look at images and videos with a trained model and write down what it finds.

The heavy libraries are imported inside functions.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from core.common.errors import BatmanError, Cancelled, ClassError, DiskFull
from core.common.full_disk import naming_full_disk
from core.common.progress import Cancelled as IsCancelled
from core.common.progress import Progress, Report, never, nothing
from core.common.temporary import file_beside, sweep
from core.common.text import clean, did_you_mean, plural, sentence
from core.data.images.class_colours import class_colours, model_class_ids
from core.data.images.picture_files import Unreadable, read_picture
from core.inference.inputs import (
    Names,
    Skipped,
    Source,
    find_sources,
    noting_damage,
    skipped_for,
)
from core.inference.options import InferenceOptions, InferenceSummary, check
from core.late import late, loading_beside
from core.processes.garbage_collector import only_new, paused
from core.training.run_list.outputs import remember

if TYPE_CHECKING:
    import numpy as np

    from core.data.images.video import Frame
    from core.inference.records import RecordWriter
    from core.inference.tracking import Tracker
    from core.models.backend import Opened
    from core.models.detector import Pixels, Prediction
else:
    np = late("numpy")

ANNOTATED = "annotated"
# Decoded frames of a video that wait: 3 MB each at 1080p.
_BESIDE = 3


def infer(
    options: InferenceOptions, progress: Report = nothing, cancelled: IsCancelled = never
) -> InferenceSummary:
    """Run a model on images and videos.

    Writes `detections.csv`, `detections.coco.json` and, with `annotate`, `annotated/` into the
    output folder. An input that cannot be read is reported in the summary and passed over. Raises
    BatmanError when nothing is left, ClassError for a threshold of a class the model does not
    have, RunError and ConfigError as `load_detector` does, Cancelled (annotated pictures that were
    written stay), DiskFull (new ones go).
    """
    check(options)
    sources, skipped = find_sources(options.inputs, options.output)
    if not sources:
        raise _nothing_left(skipped)
    progress(Progress("loading the model", 0, None))
    films = any(source.video for source in sources)
    later = ["av", *(["core.inference.byte_track"] if options.track else [])] if films else []
    # What follows objects takes as long to load as a small model does.
    with paused(), loading_beside(*later, first="numpy"):
        opened = _load(options, sources, progress, cancelled)
    session = _Session(options, opened, progress, cancelled)
    try:
        with naming_full_disk(options.output):
            session.make(options.output)
            sweep(options.output)
            return session.run(sources, skipped)
    except DiskFull as error:
        session.take_back()
        if session.replaced:
            kept = f"{plural(session.replaced, 'picture')} of an earlier call had been replaced"
            error.hint = error.hint.replace("Nothing was changed", kept)
        raise
    except OSError as error:
        raise BatmanError(
            f"'{clean(str(error.filename or options.output))}' cannot be written: "
            f"{clean(error.strerror or str(error))}.",
            "Choose another folder with --output, or free some space if the disk is full.",
        ) from error


def limits(
    classes: Sequence[str], confidence: float, thresholds: Mapping[str, float]
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the score that each class needs, (K,). Raises ClassError for an unknown name."""
    for name in thresholds:
        if name not in classes:
            guess = did_you_mean(name, classes)
            known = ", ".join(clean(known) for known in classes[:12])
            raise ClassError(
                f"The model has no class '{clean(name)}'.",
                f"{sentence(guess)} It has: {known}.".strip(),
            )
    return np.array([thresholds.get(name, confidence) for name in classes], dtype=np.float32)


def _load(
    options: InferenceOptions, sources: Sequence[Source], progress: Report, cancelled: IsCancelled
) -> Opened:
    from core.models.backend import open_model
    from core.models.load import many

    films = any(source.video for source in sources)

    def load(classes: Sequence[str] | None) -> Opened:
        return open_model(
            options.target,
            backend=options.backend,
            device=options.device,
            batch_size=options.batch_size,
            classes=classes,
            throughput=films or many(len(sources), options.batch_size),
            report=progress,
            cancelled=cancelled,
        )

    try:
        opened = load(options.classes)
    except ClassError:
        if options.classes is not None or options.spare_classes is None:
            raise
        opened = load(options.spare_classes)
    opened.detector.optimise = options.optimise
    return opened


def _nothing_left(skipped: Sequence[Skipped]) -> BatmanError:
    first = "; ".join(f"'{clean(item.path)}' {clean(item.reason)}" for item in skipped[:3])
    more = f"; and {len(skipped) - 3:,} more" if len(skipped) > 3 else ""
    return BatmanError(
        f"There is nothing to look at: {first or 'no input was given'}{more}.",
        "Give images, videos, folders or patterns such as 'frames/*.jpg' with --input.",
    )


class _Loaded(NamedTuple):
    """A picture: its pixels where they will be drawn on, its size, and it scaled for the model."""

    pixels: Pixels | None
    size: tuple[int, int]
    scaled: Pixels


class _Session:
    """One call of `infer`: counts as it goes."""

    def __init__(
        self,
        options: InferenceOptions,
        opened: Opened,
        progress: Report,
        cancelled: IsCancelled,
    ) -> None:
        detector, self.notes = opened
        self.options, self.detector = options, detector
        self.progress, self.cancelled = progress, cancelled
        self.least = limits(detector.classes, options.confidence, options.thresholds)
        # What is written; never less than what counts.
        self.kept = self.least
        if options.keep is not None:
            self.kept = np.minimum(self.least, np.float32(options.keep))
        self.colours = class_colours(detector.classes, model_class_ids(detector.path))
        self.folder = options.output / ANNOTATED
        self.names = Names()
        self.swept: set[Path] = set()
        self.counts: Counter[int] = Counter()
        self.images = self.videos = self.frames = self.tracks = 0
        self.several: list[Path] = []
        self.made: list[Path] = []
        self.replaced = 0

    def make(self, folder: Path) -> None:
        """Make a folder and those above it, and remember which were not there."""
        self.made += [path for path in reversed([folder, *folder.parents]) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)

    def take_back(self) -> None:
        """Remove what this call has made."""
        for path in reversed(self.made):
            with suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()

    def run(self, sources: Sequence[Source], skipped: list[Skipped]) -> InferenceSummary:
        from core.inference.records import RecordWriter

        started = time.monotonic()
        options = self.options
        with RecordWriter(options.output, self.detector.classes, coco=options.coco) as records:
            self._look_at_images([s for s in sources if not s.video], records, skipped)
            for source in sources:
                if source.video:
                    self._look_at_video(source, records, skipped)
            if not self.frames:
                raise _nothing_left(skipped)
        detector = self.detector
        facts = {"images": self.images, "videos": self.videos, "detections": self.counts.total()}
        said = {name: count for name, count in facts.items() if count or name == "detections"}
        forgotten = remember(
            detector.path, "inference", options.output, {**said, "from": options.confidence}
        )
        if forgotten:
            skipped.append(Skipped(str(options.output), f"is not listed with the run: {forgotten}"))
        return InferenceSummary(
            checkpoint=detector.path,
            output=self.options.output,
            csv=records.csv_path,
            coco=records.coco_path if options.coco else None,
            annotated=self.folder if self.options.annotate else None,
            device=detector.device,
            classes=detector.classes,
            images=self.images,
            videos=self.videos,
            frames=self.frames,
            detections=sum(self.counts.values()),
            per_class={name: self.counts[i] for i, name in enumerate(detector.classes)},
            tracks=self.tracks if self.options.track else None,
            skipped=skipped,
            seconds=time.monotonic() - started,
            kind=detector.kind,
            notes=self.notes,
        )

    def _look_at_images(
        self, sources: Sequence[Source], records: RecordWriter, skipped: list[Skipped]
    ) -> None:
        from core.models.prefetch import in_batches, side_by_side

        if not sources:
            return
        weakest = float(self.kept.min())

        def look(batch: list[tuple[Source, _Loaded | str]]) -> list[Prediction]:
            good = [loaded for _, loaded in batch if not isinstance(loaded, str)]
            if not good:
                return []
            scaled = np.stack([loaded.scaled for loaded in good])
            return self.detector.predict_prepared(scaled, [loaded.size for loaded in good], weakest)

        done, total = 0, len(sources)
        self.progress(Progress("images", 0, total))
        batches = in_batches(sources, self._load_image, self.detector.batch_size)
        for batch, predictions in side_by_side(batches, look, self.detector.streams):
            seen = iter(predictions)
            for source, loaded in batch:
                if isinstance(loaded, str):
                    skipped.append(Skipped(str(source.path), loaded))
                    continue
                everything = next(seen)
                found = self._strong(everything)
                kept = everything.keep(everything.scores >= self.kept[everything.class_ids])
                records.add(source.name, loaded.size, kept, source=source.path)
                self._count(found)
                if loaded.pixels is not None:
                    self._save_picture(source.name, self._drawn(loaded.pixels, found))
                self.images += 1
            done += len(batch)
            self.progress(Progress("images", done, total))
            if done < total:
                self._stop_if_cancelled()
        skipped += [
            Skipped(str(path), "holds several pages or frames: the first was looked at")
            for path in sorted(self.several)
        ]

    def _load_image(self, source: Source) -> _Loaded | str:
        """Return the image upright as RGB and scaled for the model, or why it cannot be read."""
        try:
            picture, several = read_picture(source.path)
        except Unreadable as error:
            return str(error)
        if several:
            self.several.append(source.path)
        pixels = np.asarray(picture) if self.options.annotate else None
        return _Loaded(pixels, picture.size, self.detector.prepare(picture))

    def _drawn(self, pixels: Pixels, found: Prediction) -> Pixels:
        from core.inference.drawing import draw_predictions

        return draw_predictions(pixels, found, self.detector.classes, self.colours)

    def _save_picture(self, name: str, pixels: Any) -> None:
        from PIL import Image

        # Losslessly compressed pictures stay so; the others become JPEG.
        lossless = Path(name).suffix.lower() in (".png", ".bmp", ".tif", ".tiff", ".ppm")
        target = self._target(Path(name).with_suffix(".png" if lossless else ".jpg").as_posix())
        with file_beside(target) as temporary:
            picture = Image.fromarray(pixels)
            if lossless:
                picture.save(temporary, format="PNG", compress_level=3)
            else:
                picture.save(temporary, format="JPEG", quality=92)

    def _look_at_video(self, source: Source, records: RecordWriter, skipped: list[Skipped]) -> None:
        from core.data.images import video
        from core.inference import tracking
        from core.inference.annotated_film import AnnotatedFilm
        from core.inference.drawing import predicted_boxes
        from core.inference.records import HeldBack, Place
        from core.models.prefetch import Ahead, in_batches, side_by_side

        try:
            reader = video.VideoReader(source.path)
        except BatmanError as error:
            if error.hint:  # a missing package, not a bad file
                raise
            skipped.append(skipped_for(source.path, error))
            return
        stage = f"video {clean(source.name)}"
        weakest = float(self.kept.min())
        tracker = None
        every = self.options.frame_interval
        if self.options.track:
            tracker = tracking.Tracker(
                reader.rate / every,
                float(self.least.min())
                if self.options.track_start is None
                else self.options.track_start,
                self.options.track_buffer,
                self.options.track_overlap,
                doubles=True,
            )
            weakest = min(weakest, tracking.LOW_SCORE)
        seen_tracks: set[int] = set()
        before = self.frames
        self.progress(Progress(stage, 0, reader.total))
        with ExitStack() as stack:
            stack.callback(reader.close)
            writer = None
            held = HeldBack(records)
            if self.options.annotate:
                target = self._target(Path(source.name).with_suffix(".mp4").as_posix())
                writer = stack.enter_context(AnnotatedFilm(target, reader))
            # Decoding, scaling, the network with what follows objects, drawing and encoding go on
            # side by side, each on other frames.
            frames = noting_damage(reader, skipped)
            if not writer:
                frames = (frame for frame in frames if not frame.number % every)
            frames = stack.enter_context(Ahead(frames, _BESIDE))
            collect = stack.enter_context(only_new())
            batches = in_batches(frames, self._load_frame, self.detector.batch_size)
            look = partial(self._predict, weakest=weakest)
            for batch, seen in side_by_side(batches, look, self.detector.streams):
                self._stop_if_cancelled()
                predictions = iter(seen)
                for frame, (pixels, scaled) in batch:
                    tracks: Sequence[int | None] | None = None
                    if scaled is None:
                        found, tracks = self._between(tracker, frame.number)
                    else:
                        found = next(predictions)
                        if tracker:
                            tracks, earlier = tracker.update(found)
                            held.release(earlier)
                    kept = found.scores >= self.kept[found.class_ids]
                    if scaled is not None:
                        size, at = frame.size, frame.number
                        place = Place(source.name, size, source.path, at, frame.time)
                        held.add(place, found, kept, tracks)
                    found, tracks = found.keep(kept), _of(tracks, kept)
                    strong = found.scores >= self.least[found.class_ids]
                    found, tracks = found.keep(strong), _of(tracks, strong)
                    seen_tracks.update(track for track in tracks or () if track is not None)
                    if scaled is not None:
                        self._count(found)
                    if writer:
                        boxes = predicted_boxes(found, self.detector.classes, self.colours, tracks)
                        writer.add(frame, boxes, pixels)
                self.progress(Progress(stage, batch[-1][0].number + 1, reader.total))
                collect()
            held.release()
        if self.frames == before and not any(item.path == str(source.path) for item in skipped):
            skipped.append(Skipped(str(source.path), "holds no frame"))
        self.videos += self.frames > before
        self.tracks += len(seen_tracks)

    def _load_frame(self, frame: Frame) -> tuple[Pixels | None, Pixels | None]:
        """Return the frame's pixels, if they were needed, and it scaled for the model.

        The latter is None where it is not to be looked at.
        """
        if frame.number % self.options.frame_interval:
            return None, None
        scaled = frame.scaled(self.detector.resolution)
        if scaled is not None:
            return None, scaled
        pixels = frame.pixels()
        return pixels, self.detector.prepare(pixels)

    def _predict(
        self, batch: Sequence[tuple[Frame, tuple[Any, Pixels | None]]], weakest: float
    ) -> list[Prediction]:
        looked = [(frame.size, scaled) for frame, (_, scaled) in batch if scaled is not None]
        if not looked:
            return []
        sizes = [size for size, _ in looked]
        return self.detector.predict_prepared(np.stack([s for _, s in looked]), sizes, weakest)

    def _between(
        self, tracker: Tracker | None, frame: int
    ) -> tuple[Prediction, Sequence[int] | None]:
        """Return what to draw on a frame that is not looked at."""
        from core.models.detector import Prediction

        if tracker is None:
            return Prediction.none(), None
        every = self.options.frame_interval
        return tracker.between(frame % every / every if self.options.predict else 0.0)

    def _target(self, name: str) -> Path:
        target = self.folder / self.names.take(name)
        if target.parent not in self.swept:
            self.make(target.parent)
            sweep(target.parent)
            self.swept.add(target.parent)
        if target.exists():
            self.replaced += 1
        else:
            self.made.append(target)
        return target

    def _strong(self, found: Prediction) -> Prediction:
        return found.keep(found.scores >= self.least[found.class_ids])

    def _count(self, found: Prediction) -> None:
        self.frames += 1
        self.counts.update(found.class_ids.tolist())

    def _stop_if_cancelled(self) -> None:
        if self.cancelled():
            done = plural(self.frames, "image or frame", "images and frames")
            raise Cancelled(f"Stopped after {done}.")


def _of(tracks: Sequence[int | None] | None, keep: Any) -> Sequence[int | None] | None:
    """Return the numbers of the detections that are kept."""
    return None if tracks is None else [t for t, kept in zip(tracks, keep, strict=True) if kept]
