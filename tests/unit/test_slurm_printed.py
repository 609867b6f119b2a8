"""What SLURM of other versions printed, as captured by others; each file names its source."""

from __future__ import annotations

from pathlib import Path

import pytest

from slurm.detail import parse_show_job
from slurm.discover import parse_nodes
from slurm.nodes import pool_gpus
from slurm.values import gpu_count, parse_gres

FOLDER = Path(__file__).parent / "slurm_printed"


def printed(name: str) -> list[str]:
    """Return the lines of a capture without what says where it is from."""
    lines = (FOLDER / name).read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_every_capture_names_its_source() -> None:
    for file in FOLDER.iterdir():
        head = file.read_text().splitlines()[:2]
        assert all(line.startswith("# ") for line in head), file.name
        assert "github.com/" in head[1] or "captured from" in head[1], file.name


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("sinfo-20.11.8.txt", [(0, 0), (2, 2), (2, 1), (2, 0)]),
        ("sinfo-21.08.5.txt", [(8, 0)]),
    ],
)
def test_gpus_in_all_and_in_use(name: str, counts: list[tuple[int, int]]) -> None:
    rows = [line.split() for line in printed(name)]
    assert [(gpu_count(has), gpu_count(used)) for _, has, used in rows] == counts


def test_untyped_gpus_in_use() -> None:
    # The form of the capture of 21.08.5, with GPUs in use.
    assert [(g.type, g.count) for g in parse_gres("gpu:(null):3(IDX:0-2)")] == [("", 3)]


def test_several_types_on_a_node() -> None:
    rows = [line.split() for line in printed("gresused-2021.txt")]
    found = {node: [(g.type, g.count) for g in parse_gres(text)] for text, node in rows}
    assert found["fb10dl03"] == [("1080ti", 2)]
    assert found["resterampe"] == [("1080ti", 1), ("980gtx", 1)]
    assert found["fb10dl[04-05]"] == []


def test_tres_of_accounting_with_slices_of_gpus() -> None:
    rows = dict(line.split("|") for line in printed("sacct-2024.txt"))
    assert [(g.type, g.count) for g in parse_gres(rows["8117657"])] == [("a100_3g.20gb", 1)]
    assert [(g.type, g.count) for g in parse_gres(rows["8117678"])] == [("h100", 1)]


def test_an_old_scontrol() -> None:
    detail = parse_show_job("\n".join(printed("scontrol-2019.txt")))
    assert (detail.job_id, detail.fields["JobName"]) == ("153291", "name3")
    assert detail.logs == ["/some/location/out", "/some/location/err"]
    assert (detail.work_dir, detail.command) == ("/some/location", "/some/location/script")
    assert detail.fields["Gres"] == "gpu:4"


def test_nodes_and_partitions() -> None:
    nodes, partitions = parse_nodes("\n".join(printed("sinfo-22.05.8.txt")), "|")
    assert {name: p.time_limit for name, p in partitions.items()} == {
        "gpu": 10800, "gpu-long": 259200, "brief": 60,
    }  # fmt: skip
    assert [(p.type, p.free, p.total) for p in pool_gpus(nodes)] == [
        ("a100-40", 4, 4), ("h100-96", 2, 4),
    ]  # fmt: skip
