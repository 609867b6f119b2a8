#!/usr/bin/env bash
# SLURM 22.05.8 (Debian 12), Python 3.11. Needs root, SLURM and munge here, as tests/cluster does.
#
# Two jobs share a GPU as shards. When one of them ends, the GPU is no longer told as shared: `GresUsed` of sinfo
# and of scontrol forgets it while the other job goes on with it. Whoever reckons what is free by that, Batman
# too, takes the GPU for free.
#
# Seen: "both run: shard:h100-96:1(IDX:0)", then "one has ended: shard:h100-96:0(IDX:N/A)", with
# "the other: RUNNING, GRES=shard:2" (of GPU 0).
# From 23.11.4 on the shards of each GPU are told (`shard:h100-96:3(3/4,0/4,…)`), and were not tried for this.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:/usr/sbin"
"${PYTHON:-.venv/bin/python}" - <<'PY'
import re
import sys

sys.path[:0] = ["tests/cluster"]
from slurm_cluster import Cluster, wait_for

cluster = Cluster(accounting=False, parts=True)
try:
    def used() -> str:
        told = cluster.call("sinfo", "-h", "-N", "-p", "gpu", "-n", "n1", "-O", "GresUsed:200")
        return re.search(r"shard:\S*?\([^)]*\)", told)[0]

    def job(gres: str, seconds: int) -> str:
        return cluster.call("sbatch", "--parsable", "-o", "/dev/null", "--mem=100M", "-p", "gpu",
                            f"--gres={gres}", "--wrap", f"sleep {seconds}").strip()  # fmt: skip

    def state(number: str) -> str:
        return cluster.call("squeue", "-h", "-t", "all", "-j", number, "-o", "%T").strip()

    long, short = job("shard:2", 120), job("shard:1", 8)
    wait_for("both", lambda: state(long) == state(short) == "RUNNING")
    print("both run:", used())
    wait_for("the end of one", lambda: state(short) == "COMPLETED")
    print("one has ended:", used())
    told = cluster.call("scontrol", "show", "job", "-d", long)
    print(f"the other: {state(long)},", re.search(r"GRES=\S+", told.split("Nodes=")[1])[0])
finally:
    cluster.close()
PY
