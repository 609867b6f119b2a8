"""Parts of GPUs: what a job may have of MIG slices, shards and MPS, said before it is submitted."""

from __future__ import annotations

from collections.abc import Mapping

from core.common.text import clean
from slurm.site.discover import Facts
from slurm.site.gpu_kinds import is_mig, is_share
from slurm.site.profiles import GpuType
from slurm.submit.request import CannotGive, JobRequest


def part_of_one(
    request: JobRequest,
    facts: Facts,
    table: Mapping[str, GpuType],
    name: str,
    num_gpus: int,
    num_nodes: int,
) -> int:
    """Return how many shares of one GPU a job asks for; 0 for GPUs and MIG slices.

    Raises `CannotGive` for several parts of GPUs: training goes over several GPUs by NCCL, which
    takes slices of one for the same device, or cannot reach from one to the next
    (github.com/NVIDIA/nccl/issues/1716, where it is an experiment since 2026), and a share is of
    one GPU (gres.conf(5), `one_sharing`).
    """
    gpu = table.get(name, GpuType())
    kind = gpu.kind
    several = num_gpus * num_nodes > 1
    if not is_share(kind):
        if request.share is not None:
            shares = [clean(other) for other, row in table.items() if is_share(row.kind)]
            raise CannotGive(
                f"{clean(name) or 'What was chosen'} is no share of a GPU, of which a number could"
                " be asked for.",
                f"Take one of: {', '.join(shares)}." if shares else "Leave out --gpu-share.",
            )
        if several and is_mig(kind):
            raise CannotGive(
                f"{clean(name)} is a MIG slice, and training does not go over several of them:"
                " NCCL takes them for one GPU.",
                _instead(table),
            )
        return 0
    if several:
        raise CannotGive(
            f"{clean(name)} is a share of one GPU, and {num_gpus * num_nodes} were asked for.",
            _instead(table),
        )
    wanted = request.share or gpu.share
    most = max((n.of_one(kind) for n in facts.nodes_with(kind)), default=gpu.max_per_node)
    if most and wanted > most:
        unit = "hundredths of a GPU" if kind.startswith("mps") and most == 100 else "shares"
        # SLURM takes a typed one, which then waits for ever, and others behind it (22.05).
        raise CannotGive(
            f"One GPU has {most} {unit} of {clean(name)}, and {wanted} were asked for.",
            f"Take --gpu-share {most}, or a whole GPU.",
        )
    return wanted


def _instead(table: Mapping[str, GpuType]) -> str:
    whole = [
        clean(name) for name, row in table.items() if not (is_share(row.kind) or is_mig(row.kind))
    ]
    return "Take --num-gpus 1" + (f", or whole GPUs: {', '.join(whole)}." if whole else ".")
