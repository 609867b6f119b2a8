"""GPUs as clusters have them: MIG slices, shards, MPS, features; and what sbatch is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from slurm.site.discover import Facts, Node, parse_nodes
from slurm.site.features import NoConstraint, feature_names, fits, joined, without
from slurm.site.free_gpus import pool_gpus
from slurm.site.gpu_kinds import (
    gpu_memory,
    gpu_words,
    is_mig,
    is_share,
    kind_of,
    parse_shares,
    share_words,
    shared_devices,
)
from slurm.site.gpu_shares import measured
from slurm.site.partitions import Partition
from slurm.site.profiles import GpuType, Profile
from slurm.site.slurm_values import Gpus
from slurm.site.suggest import batch_for, suggest_gpus
from slurm.submit.plan import plan
from slurm.submit.request import CannotGive, JobRequest
from slurm.submit.resources import Resources, resource_options


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        # What sinfo 22.05.8 printed of tests/cluster/slurm_cluster.py's PARTS.
        ("gpu:h100-96:4,shard:h100-96:16", {"shard:h100-96": 16}),
        ("gpu:a100-40:1,gpu:a100_1g.5gb:3,mps:a100-40:100,mps:a100_1g.5gb:0",
         {"mps:a100-40": 100}),
        # slurm.schedmd.com/gres.html
        ("gpu:tesla:2,gpu:kepler:2,mps:400,bandwidth:lustre:no_consume:4G", {"mps": 400}),
        ("gpu:4(S:0-1),shard:64(S:0-1)", {"shard": 64}),
        # A node's multiple of 1024 has a suffix (src/interfaces/gres.c, `_get_suffix`).
        ("gpu:nvidia_gb10:1(S:0-19),shard:nvidia_gb10:1K(S:0-19)", {"shard:nvidia_gb10": 1024}),
        ("gpu:sharded:2", {}), ("(null)", {}), ("", {}),
    ],
)  # fmt: skip
def test_shares_of_gpus(text: str, shares: dict[str, int]) -> None:
    assert {one.type: one.count for one in parse_shares(text)} == shares


@pytest.mark.parametrize(
    ("text", "devices"),
    [
        ("gpu:h100-96:0(IDX:N/A),mps:h100-96:0(IDX:N/A),shard:h100-96:1(IDX:0)",
         [Gpus("shard:h100-96", 1)]),
        ("shard:a:3(IDX:0-1,3),mps:a:50(50/100,0/100)", [Gpus("mps:a", 1), Gpus("shard:a", 3)]),
        ("gpu:a:1(IDX:0),shard:(null):5(4/4,1/4,0/4)", [Gpus("shard", 2)]),
        # A GPU that is given as a whole has a dash (SLURM's own test of 26.05.5, ticket 25525).
        ("gpu:a:1(IDX:0),shard:a:6(-/4,2/4,4/4,0/4)", [Gpus("shard:a", 2)]),
        ("gpu:a:2(IDX:0-1),shard:0", []), ("gpu:0", []),
    ],
)  # fmt: skip
def test_gpus_in_use_by_shares(text: str, devices: list[Gpus]) -> None:
    assert shared_devices(text) == devices


def test_what_shares_and_whole_gpus_leave_to_each_other() -> None:
    text = (
        "n1;p;gpu:a:4,shard:a:16;gpu:a:1(IDX:0),shard:a:1(IDX:1);mixed;1/15/0/16;256000;1:00;up;"
        "mixed;big,GPU_MEM:80GB;\n"
    )
    ((node,), _) = parse_nodes(text, ";", ["Features"])
    assert (node.count("a"), node.free("a"), node.free("")) == (4, 2, 2)
    assert (node.count("shard:a"), node.free("shard:a"), node.of_one("shard:a")) == (16, 8, 4)
    assert node.features == ("big", "GPU_MEM:80GB")
    assert [(pool.type, pool.free, pool.total) for pool in pool_gpus([node])] == [
        ("a", 2, 4), ("shard:a", 8, 16),
    ]  # fmt: skip
    row = suggest_gpus(Facts(nodes=(node,)))["a"]
    assert (row.gpu_memory, row.batch) == (80, 12)


def a_node(gres: str, used: str, name: str = "n1") -> Node:
    ((found,), _) = parse_nodes(
        f"{name};p;{gres};{used};mixed;1/15/0/16;256000;1:00;up;mixed;\n", ";", []
    )
    return found


def test_newer_releases_tell_how_much_of_each_gpu_is_shared() -> None:
    node = a_node("gpu:a:4,shard:a:16", "gpu:a:1(IDX:0),shard:a:6(-/4,2/4,4/4,0/4)")
    assert (node.free("shard:a"), node.free("shard"), node.free("a")) == (6, 6, 1)
    # Without the dash it is not told which of them is given as a whole: what surely is free.
    plain = a_node("gpu:a:4,shard:a:16", "gpu:a:1(IDX:0),shard:a:6(0/4,2/4,4/4,0/4)")
    assert plain.free("shard:a") == 6
    # GPUs that were divided in different ways: how much a share is depends on which it is of.
    uneven = a_node("gpu:a:2,shard:a:12", "gpu:a:0(IDX:N/A),shard:a:3(0/4,3/8)")
    assert (uneven.share_sizes("shard:a"), uneven.of_one("shard:a")) == ({4, 8}, 8)
    assert uneven.free("shard:a") == 9


def test_a_type_without_a_name_is_any_to_who_asks_and_one_of_its_own_in_a_list() -> None:
    node = a_node("gpu:a:2,gpu:(null):2", "gpu:a:1(IDX:0),gpu:(null):1(IDX:2)")
    assert (node.count(""), node.in_use(""), node.free("")) == (4, 2, 2)
    assert (node.only("").free(""), node.only("a").free("")) == (1, 1)
    assert [(pool.type, pool.free, pool.total) for pool in pool_gpus([node])] == [
        ("", 1, 2), ("a", 1, 2),
    ]  # fmt: skip
    shared = a_node("gpu:a:2,shard:a:8,gpu:b:2,shard:b:4", "gpu:a:0,shard:b:1(IDX:2)")
    assert (shared.count("shard"), shared.free("shard:b"), shared.free("")) == (12, 2, 3)


@pytest.mark.parametrize(
    ("gpus", "words", "more"),
    [
        (Gpus("a", 2), "2×a", ""), (Gpus("", 1), "1×GPU", ""),
        (Gpus("shard:a", 1, 4), "0.25×a", "1 of the 4 shards of a GPU"),
        (Gpus("mps", 33, 100), "0.33×GPU", "33 of the 100 MPS shares of a GPU"),
        (Gpus("shard:a", 1, 200), "0.005×a", "1 of the 200 shards of a GPU"),
        (Gpus("shard:a", 4, 4), "1×a", "4 of the 4 shards of a GPU"),
        (Gpus("shard:a", 10, 4), "2.5×a", "10 of the 4 shards of a GPU"),
        (Gpus("shard:a", 401, 200), "2×a", "401 of the 200 shards of a GPU"),
        (Gpus("a", 10), "10×a", ""),
        (Gpus("shard:a", 3, 0), "3 shard:a",
         "how many of these are one GPU, the cluster does not tell"),
        (Gpus("half", 2, 4), "0.5×half", "2 of the 4 shares of a GPU"),
    ],
)  # fmt: skip
def test_shares_in_words(gpus: Gpus, words: str, more: str) -> None:
    assert (gpu_words(gpus), share_words(gpus)) == (words, more)


def test_how_much_of_a_gpu_a_share_is_by_the_nodes() -> None:
    four = a_node("gpu:a:4,shard:a:16", "gpu:a:0")
    eight = a_node("gpu:a:2,shard:a:16", "gpu:a:0", "n2")
    odd = a_node("gpu:a:2,shard:a:15", "gpu:a:0", "n3")
    share = Gpus("shard", 2, 0)
    assert measured([share, Gpus("a", 1)], [four]) == (Gpus("shard:a", 2, 4), Gpus("a", 1))
    assert measured([share], [eight]) == (Gpus("shard:a", 2, 8),)
    # Where nodes differ, or a node's GPUs must, nobody knows before it runs.
    assert measured([share], [four, eight]) == (Gpus("shard:a", 2, 0),)
    assert measured([share], [odd]) == (Gpus("shard:a", 2, 0),)
    assert measured([share], []) == (share,)
    two = a_node("gpu:a:1,shard:a:4,gpu:b:1,shard:b:4", "gpu:a:0")
    assert measured([share], [two]) == (Gpus("shard", 2, 4),)


@pytest.mark.parametrize(
    ("kind", "features", "memory"),
    [
        ("1g.10gb", (), 10), ("a100_3g.20gb", (), 20), ("nvidia_a100_1g.5gb", (), 5),
        ("1c.3g.20gb", (), 20), ("mig-1g.12gb+me", (), 12), ("h100-96", (), 96),
        ("a100_80gb", (), 80), ("a100-sxm4-40g", (), 40), ("v100", (), None),
        ("v100", ("cpu", "gpu_mem_32"), 32), ("a100", ("GPU_MEM:80GB",), 80),
        ("", ("gpu_mem:24gb",), 24), ("l40s", (), 48), ("nvidia_geforce_rtx_3090", (), 24),
        ("NVIDIA-A40", (), 48), ("gtx-980", (), None), ("p100", (), None),
        ("shard:h100-96", ("gpu_mem_96",), None), ("", ("gpu_memory",), None),
    ],
)  # fmt: skip
def test_memory_of_a_gpu(kind: str, features: tuple[str, ...], memory: int | None) -> None:
    assert gpu_memory(kind, features) == memory


def test_kinds() -> None:
    assert [is_mig(k) for k in ("1g.10gb", "a100_1g.5gb", "h100-96", "10gb", "shard:1g.5gb")] == [
        True, True, False, False, False,
    ]  # fmt: skip
    assert [kind_of(g) for g in ("gpu:a", "gpu", "shard", "shard:a", "mps")] == [
        "a", "", "shard", "shard:a", "mps",
    ]  # fmt: skip
    assert [is_share(k) for k in ("mps", "shard:a", "a", "", "sharded")] == [
        True, True, False, False, False,
    ]  # fmt: skip
    assert [batch_for(gb) for gb in (None, 5, 24, 40, 48, 80, 96, 192)] == [
        None, None, 4, 8, 12, 12, 16, 16,
    ]  # fmt: skip


def test_constraints_are_read_as_slurm_does() -> None:
    # Held against a real SLURM in tests/cluster/test_plain_cluster.py.
    assert feature_names("(a|b:1)&[c*2&a*1]") == ["a", "b:1", "c"]
    assert fits("a|b&c", {"a"}) is False
    assert fits("", ())
    for text in ("a&", "&a", "(a", "a)", "a b", "*2", "a||b", "[a)"):
        with pytest.raises(NoConstraint):
            feature_names(text)
    assert joined(["a&b", "", "b,c"]) == "a&b&c"
    assert joined(["a|b", "c"]) == "(a|b)&c"
    assert joined(["a|b"]) == "a|b"
    assert without("a&b&c", "b") == "a&c"
    assert without(joined(["a|b", "c"]), "a|b") == "c"
    assert without("a", "a") == without("", "a") == ""


ASKED = Resources("a", "gpu:a100", "gpu", "", None, 1, 4, 2, "", "", ())


@pytest.mark.parametrize(
    ("changed", "option"),
    [
        ({}, "--gres=gpu:a100:4"),
        ({"gpu_option": "gpus"}, "--gpus=a100:4"),
        ({"gpu_option": "gpus-per-node"}, "--gpus-per-node=a100:4"),
        # SLURM may part --gpus unevenly.
        ({"gpu_option": "gpus", "nodes": 2}, "--gpus-per-node=a100:4"),
        ({"gpu_option": "gpus", "gres": "gpu"}, "--gpus=4"),
        ({"gpu_option": "gpus", "gres": "shard:a", "share": 3}, "--gres=shard:a:3"),
        ({"gres": ""}, None),
    ],
)
def test_how_gpus_are_asked_for(changed: dict[str, object], option: str | None) -> None:
    options = resource_options(replace(ASKED, **changed))  # type: ignore[arg-type]
    found = [one for one in options if one.startswith(("--gres", "--gpus"))]
    assert found == ([option] if option else [])


def node(name: str, gpus: int, *features: str, shares: int = 0) -> Node:
    parts = (Gpus("shard", shares),) if shares else ()
    return Node(
        name, ("p",), (Gpus("", gpus),), (), "idle", 16, 16, 64_000, shares=parts, features=features
    )


FACTS = Facts(
    nodes=(node("n1", 4, "a100", "rack1"), node("n2", 2, "v100", "rack1", shares=8)),
    partitions={"p": Partition("p", None)},
)
# A cluster that tells its GPUs apart by features only.
PROFILE = Profile(
    name="x",
    sbatch=["--constraint=rack1", "--nice"],
    gpus={
        "a100": GpuType(gres="gpu", constraint="a100"),
        "v100": GpuType(gres="gpu", constraint="v100"),
        "shard": GpuType(gres="shard", share=2, max_per_node=4),
    },
)


def test_a_type_that_is_a_feature() -> None:
    got = plan(PROFILE, JobRequest(gpu="a100"), FACTS, 4)
    assert (got.constraint, got.extra) == ("a100&rack1", ("--nice",))
    assert "--constraint=a100&rack1" in resource_options(got)
    with pytest.raises(CannotGive, match="A node has 2 GPUs of type v100"):
        plan(PROFILE, JobRequest(gpu="v100"), FACTS, 4)


@pytest.mark.parametrize(
    ("asked", "gpus", "said", "can"),
    [
        (JobRequest(gpu="a100", constraint="rack2"), 1, "No node has the feature 'rack2'",
         "There are: a100, rack1, v100."),
        (JobRequest(gpu="a100", constraint="v100"), 1,
         "No node with a100 has a100&rack1&v100", "a100, rack1"),
        (JobRequest(gpu="a100", constraint="(rack1"), 1, "'(' is not closed", "There are:"),
        (JobRequest(gpu="a100", share=2), 1, "a100 is no share of a GPU", "Take one of: shard."),
        (JobRequest(gpu="shard", share=5), 1, "One GPU has 4 shares of shard, and 5",
         "--gpu-share 4"),
        (JobRequest(gpu="shard"), 2, "a share of one GPU, and 2", "or whole GPUs: a100, v100."),
    ],
)  # fmt: skip
def test_what_no_node_can_give(asked: JobRequest, gpus: int, said: str, can: str) -> None:
    with pytest.raises(CannotGive) as caught:
        plan(PROFILE, asked, FACTS, gpus)
    assert said in caught.value.message
    assert can in caught.value.hint


def test_shares_are_asked_for_by_the_profile_or_the_person() -> None:
    profile = PROFILE.model_copy(update={"sbatch": []})
    assert "--gres=shard:2" in resource_options(plan(profile, JobRequest(gpu="shard"), FACTS))
    asked = plan(profile, JobRequest(gpu="shard", share=4), FACTS)
    assert (asked.share, asked.gpus_per_node, asked.cpus_per_gpu) == (4, 1, 8)
    assert (asked.share_of, plan(profile, JobRequest(gpu="a100"), FACTS).share_of) == (4, 0)
