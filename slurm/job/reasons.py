"""Why a job waits or ended: SLURM's reason codes in words, at length and for a narrow column."""

from __future__ import annotations

# squeue(1), JOB REASON CODES, and slurm's job_reason_string; the wording is ours.
_REASONS = {
    "AssocGrpBillingMinutes": "the account has used up its share",
    "AssocGrpCPUMinutesLimit": "the account has used up its CPU time",
    "AssocGrpCpuLimit": "the account's CPUs are all in use",
    "AssocGrpGRES": "the account's GPUs are all in use",
    "AssocGrpGRESMinutes": "the account has used up its GPU time",
    "AssocGrpJobsLimit": "the account runs as many jobs as it may",
    "AssocGrpMemLimit": "the account's memory is all in use",
    "AssocGrpNodeLimit": "the account's nodes are all in use",
    "AssocGrpSubmitJobsLimit": "the account has as many jobs as it may",
    "AssocMaxJobsLimit": "you run as many jobs as your account lets you",
    "AssociationJobLimit": "the account runs as many jobs as it may",
    "AssociationResourceLimit": "the account's resources are all in use",
    "AssociationTimeLimit": "the account has used up its time",
    "BadConstraints": "no node can ever meet what it asks for",
    "BeginTime": "it starts at a set time",
    "Cleaning": "it is being cleaned up after a requeue",
    "Dependency": "it waits for another job",
    "DependencyNeverSatisfied": "the job it waits for failed; it will never start",
    "FrontEndDown": "the cluster's front end is down",
    "InactiveLimit": "the system was idle too long",
    "InvalidAccount": "its account is not valid",
    "InvalidQOS": "its quality of service is not valid",
    "JobArrayTaskLimit": "its array runs as many tasks at once as it may",
    "JobHeldAdmin": "an administrator holds it",
    "JobHeldUser": "you hold it",
    "JobHoldMaxRequeue": "it was requeued too often",
    "JobLaunchFailure": "it could not be started",
    "Licenses": "a licence is not free",
    "MaxGRESPerAccount": "the account's GPUs are all in use",
    "MaxMemPerLimit": "it asks for more memory than allowed",
    "NodeDown": "a node it needs is down",
    "NonZeroExitCode": "it ended with an error",
    "None": "",
    "PartitionConfig": "its partition cannot run it as asked",
    "PartitionDown": "its partition is down",
    "PartitionInactive": "its partition is inactive",
    "PartitionNodeLimit": "it asks for more nodes than its partition gives",
    "PartitionTimeLimit": "it asks for more time than its partition gives; it will never start",
    "Priority": "jobs with higher priority are ahead",
    "Prolog": "its nodes are being prepared",
    "QOSGrpCpuLimit": "the quality of service's CPUs are all in use",
    "QOSGrpGRES": "the quality of service's GPUs are all in use",
    "QOSGrpJobsLimit": "the quality of service runs as many jobs as it may",
    "QOSJobLimit": "you run as many jobs as the quality of service lets you",
    "QOSMaxCpuPerUserLimit": "you use as many CPUs as you may",
    "QOSMaxGRESPerUser": "you use as many GPUs as you may",
    "QOSMaxJobsPerUserLimit": "you run as many jobs as you may",
    "QOSMaxSubmitJobPerUserLimit": "you have as many jobs as you may",
    "QOSMinGRES": "it asks for fewer GPUs than the quality of service wants",
    "QOSTimeLimit": "it asks for more time than the quality of service gives",
    "QOSUsageThreshold": "the quality of service has used up its share",
    "RaisedSignal": "it was ended by a signal",
    "ReqNodeNotAvail": "a node it needs is down, drained or reserved",
    "Reservation": "it waits for its reservation",
    "ReservationDeleted": "its reservation is gone",
    "Resources": "the resources it needs are in use; it is next",
    "SchedDefer": "the scheduler looks at it later",
    "SystemFailure": "the cluster had a failure",
    "TimeLimit": "it reached its time limit",
}


# Of `ReqNodeNotAvail` (slurm's job_scheduler.c): that it is a reservation, and whose.
_DETAILS = {
    "May be reserved for other job": "the nodes it needs are reserved for others",
    "Reserved for maintenance": "the nodes it needs are reserved for maintenance",
}
# What SLURM says in sentences (22.05.8, partition_mgr.c).
_SENTENCES = {
    "Job's account not permitted to use this partition": (
        "its account may not use its partition; it will never start"
    ),
    "Job's QOS not permitted to use this partition": (
        "its quality of service may not use its partition; it will never start"
    ),
}


def reason_words(reason: str) -> str:
    """Return in words why a job waits or ended; SLURM's own text where we know no better.

    Some reasons carry detail behind a comma or in brackets (`ReqNodeNotAvail, UnavailableNodes:n1`,
    `(Priority)`); it is kept.
    """
    text = reason.strip().strip("()")
    # An array that waits for several reasons names them all: `Resources,JobHeldUser`.
    codes = [part.strip() for part in text.split(",")]
    if len(codes) > 1 and all(code in _REASONS for code in codes):
        return "; ".join(dict.fromkeys(_REASONS[code] for code in codes if _REASONS[code]))
    code, _, detail = text.partition(",")
    words = _REASONS.get(code.strip())
    if words is None:
        for beginning, better in _SENTENCES.items():
            if text.startswith(beginning):
                return f"{better}{text[len(beginning) :]}"
        return text.replace("_", " ")
    if detail.strip() in _DETAILS:
        return _DETAILS[detail.strip()]
    return f"{words} ({detail.strip()})" if detail.strip() else words


# The same for a narrow column: what it waits for, in `BRIEF_CELLS` cells at most.
BRIEF_CELLS = 16


_BRIEF = {
    **dict.fromkeys(
        ("AssocGrpBillingMinutes", "AssocGrpCPUMinutesLimit", "AssocGrpGRESMinutes",
         "AssociationTimeLimit", "QOSUsageThreshold"),
        "share used up",
    ),
    **dict.fromkeys(
        ("AssocGrpCpuLimit", "AssocGrpGRES", "AssocGrpJobsLimit", "AssocGrpMemLimit",
         "AssocGrpNodeLimit", "AssocGrpSubmitJobsLimit", "AssociationJobLimit",
         "AssociationResourceLimit", "MaxGRESPerAccount"),
        "account's limit",
    ),
    **dict.fromkeys(
        ("AssocMaxJobsLimit", "QOSJobLimit", "QOSMaxJobsPerUserLimit",
         "QOSMaxSubmitJobPerUserLimit"),
        "your job limit",
    ),
    **dict.fromkeys(("QOSGrpCpuLimit", "QOSGrpGRES", "QOSGrpJobsLimit"), "QOS limit"),
    "BadConstraints": "no such node",
    "BeginTime": "at a set time",
    "Cleaning": "cleaning up",
    "Dependency": "after other job",
    "DependencyNeverSatisfied": "other job failed",
    "InvalidAccount": "account invalid",
    "InvalidQOS": "QOS invalid",
    "JobArrayTaskLimit": "array's own cap",
    "JobHeldAdmin": "held by an admin",
    "JobHoldMaxRequeue": "requeue limit",
    "JobLaunchFailure": "did not start",
    "MaxMemPerLimit": "too much memory",
    "NodeDown": "a node is down",
    "PartitionConfig": "partition cannot",
    "PartitionDown": "partition down",
    "PartitionInactive": "partition closed",
    "PartitionNodeLimit": "too many nodes",
    "PartitionTimeLimit": "never: too long",
    "Priority": "others are first",
    "Prolog": "nodes prepared",
    "QOSMaxCpuPerUserLimit": "your CPU limit",
    "QOSMaxGRESPerUser": "your GPU limit",
    "QOSMinGRES": "too few GPUs",
    "QOSTimeLimit": "too long for QOS",
    "ReqNodeNotAvail": "node unavailable",
    "Reservation": "its reservation",
    "Resources": "next in line",
    "SchedDefer": "scheduled later",
    "SystemFailure": "cluster failure",
    "TimeLimit": "time limit",
}  # fmt: skip


def reason_brief(reason: str) -> str:
    """Return why a job waits in two or three words, or as `reason_words` does where there are none.

    Of several reasons one is told: that somebody holds it, else the first.
    """
    codes = [part.strip() for part in reason.strip().strip("()").split(",")]
    held = [code for code in codes if code.startswith("JobHeld")]
    code = (held or codes)[0]
    return _BRIEF.get(code) or reason_words(code if held else reason)
