"""Who may use a partition, as scontrol and accounting tell of it."""

from __future__ import annotations

from slurm.site.partitions import Partition, read_person, with_rights

# scontrol -a -o show partition of SLURM 22.05.8, cut.
PRINTED = """\
PartitionName=acct AllowGroups=ALL AllowAccounts=physics,vision DenyQos=x AllocNodes=ALL \
Default=NO Hidden=YES MaxNodes=2 RootOnly=NO PriorityJobFactor=1 PriorityTier=7 State=UP
PartitionName=other AllowGroups=ALL Default=YES
PartitionName=off AllowGroups=a,b AllowAccounts=ALL AllowQos=ALL MaxNodes=UNLIMITED State=DRAIN
"""


def test_rights_are_read_and_an_account_stands_for_those_below_it() -> None:
    known = {name: Partition(name, 60) for name in ("acct", "off")}
    told = with_rights(known, PRINTED)
    assert told["acct"] == Partition(
        "acct", 60, hidden=True, priority=7, max_nodes=2, accounts=("physics", "vision"),
        no_qos=("x",),
    )  # fmt: skip
    assert told["off"] == Partition("off", 60, up=False, groups=("a", "b"))
    person = read_person(
        "ada\n", "ada users\n", "sub|sub||normal,high\nold|sub|x|x\nsub|vision\nvision|root\n"
    )
    assert person.accounts == {"sub": "normal", "old": "x"}
    acct = told["acct"]
    assert person.why_closed(acct) == "", "vision is above sub"
    assert person.why_closed(acct, "old").startswith("is for the account physics or vision only")
    assert person.why_closed(acct, "vision", "x") == "is not for the QOS x"
    nobody = read_person("", "", "")
    assert nobody.why_closed(acct) == "", "what is not known forbids nothing"
    assert read_person("root", "root", "").why_closed(Partition("p", 1, groups=("a",))) == ""
