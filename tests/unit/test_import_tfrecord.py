"""TFRecord: written by tensorboard's writer, with messages in protobuf's wire format."""

from __future__ import annotations

import gzip
import io
import random
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from import_data import png
from PIL import Image

from cli.exits import Exit
from cli.main import main
from core.common.errors import ImportFailed
from core.data.importers.detect_format import guess_kind
from core.data.importers.formats.reading.tf_examples import masked_crc
from core.data.importers.import_named import import_named
from core.data.store import Project

Values = list[float] | list[int] | list[bytes]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "project") as made:
        yield made


def tagged(number: int, raw: bytes) -> bytes:
    """A field of protobuf that has a length (https://protobuf.dev/programming-guides/encoding)."""
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def example(**features: Values) -> bytes:
    """A `tf.train.Example`; `__` in a keyword stands for `/`. Written without the reader's code."""
    entries = b""
    for key, values in features.items():
        if values and isinstance(values[0], bytes):
            listed = tagged(1, b"".join(tagged(1, value) for value in values))  # type: ignore[arg-type]
        elif values and isinstance(values[0], float):
            listed = tagged(2, tagged(1, struct.pack(f"<{len(values)}f", *values)))
        else:
            listed = tagged(3, tagged(1, b"".join(map(varint, values))))  # type: ignore[arg-type]
        name = "image/" + key.replace("__", "/")
        entries += tagged(1, tagged(1, name.encode()) + tagged(2, listed))
    return tagged(1, entries)


def picture(name: bytes = b"a.png", **more: Values) -> bytes:
    values: dict[str, Values] = {
        "encoded": [png(100, 50)],
        "filename": [name],
        "height": [50],
        "width": [100],
        "object__bbox__xmin": [0.1, 0.5],
        "object__bbox__xmax": [0.3, 1.0],
        "object__bbox__ymin": [0.2, 0.0],
        "object__bbox__ymax": [0.6, 1.0],
        "object__class__text": [b"car", b"dog"],
        "object__class__label": [2, 1],
    }
    return example(**values | more)


def write(file: Path, *records: bytes) -> Path:
    writer = pytest.importorskip("tensorboard.summary.writer.record_writer")
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as out:
        to = writer.RecordWriter(out)
        for record in records:
            to.write(record)
    return file


def test_pictures_and_boxes_come_out_of_the_records(project: Project, tmp_path: Path) -> None:
    source = tmp_path / "set"
    write(source / "coco_train.record-00000-of-00001", picture(), picture(b"sub/b.png"))
    write(source / "valid/cells.tfrecord", picture(b"C:\\me\\c"))
    assert guess_kind(source) == "tfrecord"
    report = import_named(project, source)
    assert report.splits == {"train": 2, "valid": 1}
    assert report.classes == ["car", "dog"]
    assert (report.images, report.annotations) == (3, 6)
    assert report.counts() == {"same picture in two splits": 1}
    rows = project.db.execute("SELECT name, path FROM v_images ORDER BY id").fetchall()
    assert [name for name, _ in rows] == ["a.png", "sub/b.png", "c.png"]
    assert project.image_file(rows[0][1]).read_bytes() == png(100, 50)
    found = project.db.execute("SELECT x, y, w, h FROM annotations ORDER BY id LIMIT 2").fetchall()
    assert [pytest.approx(tuple(row), abs=1e-5) for row in found] == [
        (10, 10, 20, 20),
        (50, 0, 50, 50),
    ]
    assert not list(project.images_dir.glob("incoming*"))


def test_a_label_map_names_numbers_crowds_and_areas_are_kept(
    project: Project, tmp_path: Path
) -> None:
    record = picture(
        object__class__text=[b""], object__is_crowd=[1, 0], object__area=[100.0, 700.0]
    )
    source = write(tmp_path / "set/x.tfrecord", record).parent
    (source / "x_label_map.pbtxt").write_text(
        "item {\n name: \"tree\",\n id: 1,\n display_name: 'Tree'\n}\nitem { id: 7 name: 'sky' }\n"
    )
    report = import_named(project, source)
    (problem,) = report.problems
    assert "class 2 has no name here and is called 'class_2'" in problem.detail
    rows = project.db.execute(
        "SELECT class_name, iscrowd, area FROM v_annotations ORDER BY id"
    ).fetchall()
    assert [tuple(row) for row in rows] == [("class_2", 1, 100.0), ("tree", 0, 700.0)]


def test_boxes_are_of_the_picture_as_it_is_stored(project: Project, tmp_path: Path) -> None:
    buffer, exif = io.BytesIO(), Image.Exif()
    exif[274] = 6
    Image.new("RGB", (100, 50)).save(buffer, "JPEG", exif=exif)
    source = write(tmp_path / "a.tfrecord", picture(b"a.jpg", encoded=[buffer.getvalue()]))
    import_named(project, source)
    row = project.db.execute("SELECT x, y, w, h FROM annotations ORDER BY id LIMIT 1").fetchone()
    assert tuple(row) == pytest.approx((10, 10, 20, 20), abs=1e-5)


def test_a_gzip_is_read_and_what_is_wrong_is_said(project: Project, tmp_path: Path) -> None:
    whole = write(tmp_path / "a.tfrecord", picture(), example(other=[1]), picture(b"b.png"))
    raw = whole.read_bytes()
    whole.write_bytes(gzip.compress(raw[:-9]))
    report = import_named(project, whole)
    assert report.images == 1
    assert report.counts() == {"missing image": 1, "damaged record": 1}
    assert "breaks off" in report.problems[1].detail


@pytest.mark.parametrize(("at", "said"), [(-40, "its data"), (9, "of a length"), (2, "a length")])
def test_checksums_are_looked_at(project: Project, tmp_path: Path, at: int, said: str) -> None:
    file = write(tmp_path / "a.tfrecord", picture())
    raw = bytearray(file.read_bytes())
    raw[at] ^= 4
    file.write_bytes(raw)
    with pytest.raises(ImportFailed, match="No picture was found") as told:
        import_named(project, file)
    assert said in told.value.message


@pytest.mark.parametrize("length", [0, 9, 4095, 4096, 4097, 70_003, 500_000])
def test_the_checksum_is_that_of_tensorboards_writer_at_any_length(length: int) -> None:
    writer = pytest.importorskip("tensorboard.summary.writer.record_writer")
    data = random.Random(length).randbytes(length)
    assert masked_crc(data) == writer.masked_crc32c(data)


def test_a_fault_deep_in_a_large_record_is_seen(project: Project, tmp_path: Path) -> None:
    noise = random.Random(1).randbytes(100 * 100 * 3)
    buffer = io.BytesIO()
    Image.frombytes("RGB", (100, 100), noise).save(buffer, "BMP")
    file = write(tmp_path / "x.tfrecord", picture(), picture(encoded=[buffer.getvalue()]))
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(raw)
    report = import_named(project, file)
    assert report.images == 1
    assert [problem.detail for problem in report.problems] == ["the checksum of its data is wrong"]


def test_masks_beside_the_boxes_are_told(project: Project, tmp_path: Path) -> None:
    record = picture(object__mask=[png(100, 50), png(100, 50)])
    report = import_named(project, write(tmp_path / "x.tfrecord", record))
    assert report.annotations == 2
    assert [p.detail for p in report.problems] == [
        "2 masks beside the boxes, which are taken alone"
    ]


def test_records_of_something_else_name_their_keys(project: Project, tmp_path: Path) -> None:
    file = write(tmp_path / "a.tfrecord", example(caption=[b"a cat"]))
    with pytest.raises(ImportFailed, match="it has image/caption") as told:
        import_named(project, file)
    assert "COCO" in told.value.hint


def test_left_in_place_they_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "a.tfrecord", picture())
    target = ["--project", str(tmp_path / "new"), "--create"]
    assert main(["import", "tfrecord", str(file), "--reference", *target]) != Exit.OK
    assert "cannot be left where they are" in " ".join(capsys.readouterr().err.split())


def test_without_protobuf_the_extra_is_named(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "a.tfrecord", picture())
    for name in [name for name in sys.modules if name.startswith("google.protobuf")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "google.protobuf", None)
    with pytest.raises(ImportFailed, match="needs the package protobuf") as told:
        import_named(project, file)
    assert "--extra train" in told.value.hint
